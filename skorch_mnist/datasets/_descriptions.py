"""What each data set is, where it comes from, and under which licence: text only."""

from __future__ import annotations

MNIST = """\
The MNIST database of handwritten digits
----------------------------------------
70,000 grey images of 28x28 pixels, 0 (paper) to 255 (ink), of the digits 0 to 9.

Split: 60,000 images for training and 10,000 for testing, by different writers. One half of each
was written by employees of the US Census Bureau, the other half by high-school students. Each
digit was fitted into 20x20 pixels and placed with its centre of mass in the middle of the image.

Origin: Yann LeCun, Corinna Cortes and Christopher J. C. Burges, from NIST's Special Databases 1
and 3. http://yann.lecun.com/exdb/mnist/
Licence: Creative Commons Attribution-ShareAlike 3.0 (CC BY-SA 3.0).

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
recognition", Proceedings of the IEEE 86(11), 1998.
"""

FASHION_MNIST = """\
Fashion-MNIST
-------------
70,000 grey images of 28x28 pixels, 0 (ground) to 255, of garments of ten kinds, made from the
pictures in Zalando's shop.

Split: 60,000 images for training and 10,000 for testing, 6,000 and 1,000 of each kind.

Origin: Zalando Research. https://github.com/zalandoresearch/fashion-mnist
Licence: MIT, copyright 2017 Zalando SE.

H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
learning algorithms", 2017, https://arxiv.org/abs/1708.07747
"""

KMNIST = """\
Kuzushiji-MNIST
---------------
70,000 grey images of 28x28 pixels, 0 (paper) to 255 (ink), of ten hiragana in cursive hand, one for
each row of the syllabary, cut from Japanese books of past centuries. A class holds the different
old forms of its character.

Split: 60,000 images for training and 10,000 for testing, 6,000 and 1,000 of each character.

Origin: "KMNIST Dataset" (created by CODH), adapted from "Kuzushiji Dataset" (created by NIJL and
others), https://doi.org/10.20676/00000341. https://codh.rois.ac.jp/kmnist/
Licence: Creative Commons Attribution-ShareAlike 4.0 (CC BY-SA 4.0).

T. Clanuwat, M. Bober-Irizar, A. Kitamoto, A. Lamb, K. Yamamoto, D. Ha, "Deep learning for classical
Japanese literature", 2018, https://arxiv.org/abs/1812.01718
"""

QMNIST = """\
QMNIST
------
120,000 grey images of 28x28 pixels, 0 (paper) to 255 (ink), of the digits 0 to 9: MNIST made again
from NIST's Special Database 19, with the 50,000 test images that MNIST had lost.

Split: 60,000 images for training and 60,000 for testing, by different writers. The training
images, and the first 10,000 for testing, are MNIST's, one by one, up to small differences.

Origin: Chhavi Yadav and Léon Bottou. https://github.com/facebookresearch/qmnist
Licence: BSD 3-Clause, copyright Facebook, Inc.

C. Yadav, L. Bottou, "Cold case: the lost MNIST digits", Advances in Neural Information Processing
Systems 32, 2019, https://arxiv.org/abs/1905.10498
"""

EMNIST = """\
EMNIST, split "{split}"
{line}
{n_images:,} grey images of 28x28 pixels, 0 (paper) to 255 (ink), of {n_classes} handwritten
{what}. The published images are transposed; these are upright.

Split: {n_train:,} images for training and {n_test:,} for testing. "byclass" holds every character
of NIST's Special Database 19, "bymerge" the same with capital and small letters of like shape as
one class, "balanced" equally many of each of these, "letters" capital and small letters as one
class, "digits" and "mnist" the digits alone, "mnist" as many as in MNIST.

Origin: Gregory Cohen, Saeed Afshar, Jonathan Tapson and André van Schaik.
https://www.nist.gov/itl/products-and-services/emnist-dataset
Licence: none is stated with the files. NIST publishes Special Database 19, from which they were
made; see the page above before you use them in a product.

G. Cohen, S. Afshar, J. Tapson, A. van Schaik, "EMNIST: an extension of MNIST to handwritten
letters", 2017, https://arxiv.org/abs/1702.05373
"""

DIGITS28 = """\
Handwritten digits in MNIST's form
----------------------------------
1,797 grey images of 28x28 pixels, 0 (paper) to 255 (ink), of the digits 0 to 9: the 8x8 images
of sklearn.datasets.load_digits, enlarged smoothly to 20x20 pixels and placed with their centre of
mass in the middle, as MNIST's were. They look softer than MNIST's, and are no substitute for it.

Split: none. It is the test part of the original: 13 writers who are not in its training part.

Origin: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine
Learning Repository, 1998, https://doi.org/10.24432/C50P49
Licence: Creative Commons Attribution 4.0 (CC BY 4.0).
"""
