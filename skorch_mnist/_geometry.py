"""The geometry of the images of MNIST, http://yann.lecun.com/exdb/mnist/.

A digit fits into 20x20 pixels, and its center of mass is in the middle of 28x28 pixels. In the
images of MNIST, this is pixel 14.
"""

SIDE, INNER, MIDDLE = 28, 20, 14
