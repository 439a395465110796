"""
Your own pictures
=================

A network that was trained on MNIST reads images that were prepared like those of MNIST: white ink
on black, cropped to 20x20 pixels, and centered by mass in 28x28. ``DigitPreprocessor`` brings
drawings and photographs into this form.
"""

# %%
# Pictures
# --------
#
# This code draws three digits with a few strokes: with a pen on squared paper next to a lamp, with
# a pencil half in the shadow of a hand, and with chalk on a board.

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


def draw(strokes, size, paper, ink, pen):
    """Draw strokes, given in hundredths of ``size`` pixels, on a picture of one color."""
    picture = Image.new("RGB", (4 * size, 4 * size), paper)
    pencil = ImageDraw.Draw(picture)
    for stroke in strokes:
        points = [(x * size / 25, y * size / 25) for x, y in stroke]
        pencil.line(points, fill=ink, width=4 * pen, joint="curve")
        for x, y in (points[0], points[-1]):
            pencil.ellipse((x - 2 * pen, y - 2 * pen, x + 2 * pen, y + 2 * pen), fill=ink)
    return np.asarray(picture.resize((size, size), Image.Resampling.LANCZOS), dtype=float)


def arc(x, y, width, height, start, end):
    """Return points on an ellipse around (x, y), from one angle to another, in degrees."""
    angles = np.deg2rad(np.linspace(start, end, 40))
    return list(zip(x + width * np.cos(angles), y + height * np.sin(angles), strict=True))


rng = np.random.default_rng(0)
rows, columns = np.mgrid[0:1:400j, 0:1:400j]

five = [[(62, 20), (38, 21), (36, 42)], arc(45, 55, 18, 16, -120, 150)]
squared = draw(five, 400, (245, 245, 240), (30, 40, 120), 9)
for k in range(12, 400, 36):
    squared[k : k + 2, :] = np.minimum(squared[k : k + 2, :], (170, 190, 225))
    squared[:, k : k + 2] = np.minimum(squared[:, k : k + 2], (170, 190, 225))
squared *= (1.05 - 0.5 * np.hypot(rows - 0.1, columns - 0.9))[..., None]

three = [[*arc(60, 62, 9, 8, -160, 90), *arc(59, 79, 11, 9, -90, 150)]]
shaded = draw(three, 400, (225, 220, 210), (95, 95, 100), 5)
shaded[(columns - 0.3 * rows) > 0.4] *= 0.62

seven = [[(30, 28), (66, 26), (44, 80)], [(40, 54), (64, 52)]]
chalk = draw(seven, 400, (40, 62, 52), (215, 220, 215), 14)

pictures = []
for picture in (squared, shaded, chalk):
    noisy = (picture + rng.normal(0, 6, picture.shape)).clip(0, 255).astype(np.uint8)
    pictures.append(Image.fromarray(noisy).filter(ImageFilter.GaussianBlur(0.8)))

# %%
# Convert a picture to the form of MNIST
# --------------------------------------
#
# ``stages`` shows what happens to a picture. The first step separates the ink from the background,
# whichever of the two is darker, and removes uneven light, shadows and ruled lines. The second step
# finds the digit, with the parts that belong to it. Then its strokes get the width that they have
# in MNIST, and the digit is fitted into 20x20 pixels and centered.

import matplotlib.pyplot as plt

from skorch_mnist import DigitPreprocessor

preprocessor = DigitPreprocessor()
figure, axes = plt.subplots(3, 4, figsize=(8, 6.2), layout="constrained")
for picture, line in zip(pictures, axes, strict=True):
    stages = preprocessor.stages(picture)
    for stage, axis in zip(stages, line, strict=True):
        axis.imshow(stage, cmap="gray", vmin=0, vmax=None if stage.dtype.kind == "f" else 255)
        axis.set(xticks=[], yticks=[])
for axis, title in zip(axes[0], stages._fields, strict=True):
    axis.set_title(title)

# %%
# Read the pictures
# -----------------
#
# A pipeline with the preprocessor classifies pictures: arrays, Pillow images or file paths. Here,
# the network learns from MNIST if it is cached, otherwise from the scikit-learn digits.

from sklearn.pipeline import make_pipeline

from skorch_mnist import MNISTCNNClassifier, fetch_mnist, load_digits28
from skorch_mnist.datasets import DatasetError

try:
    X, y = fetch_mnist(return_X_y=True, download_if_missing=False)
except DatasetError:
    X, y = load_digits28(return_X_y=True)
clf = MNISTCNNClassifier(max_epochs=4, random_state=0, verbose=0).fit(X, y)
reader = make_pipeline(preprocessor, clf)
print("read:     ", reader.predict(pictures), reader.predict_proba(pictures).max(axis=1).round(3))

# %%
# These are the same pictures, only resized to 28x28 pixels, as in most examples on the web:

resized = np.stack([picture.convert("L").resize((28, 28)) for picture in pictures])
print("resized:  ", clf.predict(resized.reshape(-1, 784)))

# %%
# For the accuracy on the MNIST test images, drawn as such pictures, see :doc:`../guide/benchmarks`.
# If a digit is misread, look at ``stages``. If ``ink`` shows the background instead of the digit,
# set ``polarity="dark_on_light"`` or ``"light_on_dark"``.
#
# If a picture cannot be read, or shows nothing that looks like ink, an error names it. With
# ``on_error="warn"``, you get a warning and a row of zeros. Files with more than 100 million pixels
# are refused before they are decoded. ``max_pixels`` changes that limit.

from skorch_mnist.pictures import PictureError

try:
    reader.predict([pictures[0], np.full((300, 200), 240, dtype=np.uint8)])
except PictureError as error:
    print(error)

# %%
# Several digits
# --------------
#
# ``find_digits`` finds the digits on a page, in reading order. Digits that touch count as one
# digit.

from skorch_mnist.pictures import find_digits

page = Image.new("RGB", (1000, 640), (238, 236, 230))
for number, strokes in enumerate([five, three, seven, seven, five]):
    digit = Image.fromarray(draw(strokes, 300, (238, 236, 230), (60, 60, 66), 8).astype(np.uint8))
    page.paste(digit, (20 + 320 * (number % 3), 10 + 310 * (number // 3)))
found = find_digits(page)

figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
axis.imshow(page)
axis.set(xticks=[], yticks=[])
for (left, top, right, bottom), label in zip(found.boxes, clf.predict(found.images), strict=True):
    axis.add_patch(
        plt.Rectangle((left, top), right - left, bottom - top, fill=False, ec="C0", lw=2)
    )
    axis.text(left, top - 8, str(label), color="C0", fontsize=14, weight="bold")

# %%
# The command line reads files, too: ``skorch-mnist predict MODEL IMAGE...``, with ``--page`` for
# pages and ``--json`` or ``--csv`` for programs; see :doc:`../guide/command_line`.
