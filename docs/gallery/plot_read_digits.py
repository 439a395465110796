"""
Read digits
===========

``read_digits`` finds the digits in a photograph, scan or drawing, and reads them with a network
that comes with the package. It needs no training and no network access.
"""

# %%
# Read a picture
# --------------
#
# Pass the path of a picture, an open file, bytes, a Pillow image or an array. Here, ``picture`` is
# drawn by a program, but it has what photographs have: a tilted note on a desk, uneven light, noise
# and blur.

# sphinx_gallery_start_ignore
import numpy as np
from PIL import Image, ImageDraw, ImageFilter


def arc(x, y, width, height, start, end):
    """Return points on an ellipse around (x, y), from one angle to another, in degrees."""
    angles = np.deg2rad(np.linspace(start, end, 40))
    return list(zip(x + width * np.cos(angles), y + height * np.sin(angles), strict=True))


STROKES = {  # in hundredths of the height of a digit
    0: [arc(50, 50, 28, 40, -100, 265)],
    1: [[(38, 28), (54, 11), (51, 90)]],
    2: [[*arc(49, 32, 22, 21, -170, 40), (26, 88), (77, 86)]],
    3: [[*arc(48, 30, 20, 19, -160, 90), *arc(46, 68, 24, 21, -90, 150)]],
    4: [[(56, 10), (24, 62), (80, 60)], [(62, 36), (58, 92)]],
    5: [[(74, 11), (36, 13), (32, 46)], arc(46, 65, 25, 23, -120, 150)],
    6: [[*arc(74, 58, 48, 50, -105, -175), *arc(50, 68, 23, 21, 180, 530)]],
    7: [[(24, 14), (76, 11), (44, 90)], [(36, 52), (66, 50)]],
    8: [[*arc(50, 30, 17, 19, 60, -300), *arc(50, 69, 23, 20, -60, 300)]],
    9: [[*arc(48, 32, 20, 22, 10, 360), (66, 34), (58, 90)]],
}


def write(picture, digit, left, top, height, ink, pen):
    """Write a digit on a Pillow image, with round ends."""
    pencil = ImageDraw.Draw(picture)
    for stroke in STROKES[digit]:
        points = [(left + x * height / 100, top + y * height / 100) for x, y in stroke]
        pencil.line(points, fill=ink, width=pen, joint="curve")
        for x, y in (points[0], points[-1]):
            pencil.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=ink)


def photograph(scene, rng):
    """Return a Pillow image of a scene in uneven light, with noise and blur."""
    rows, columns = np.mgrid[0 : 1 : 1j * scene.height, 0 : 1 : 1j * scene.width]
    light = 1.05 - 0.4 * np.hypot(rows - 0.1, columns - 0.9)
    pixels = np.asarray(scene.convert("RGB"), float) * light[..., None]
    pixels += rng.normal(0, 6, pixels.shape)
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    return image.filter(ImageFilter.GaussianBlur(1))


def note(number, rng):
    """Return a photograph of a yellow note with a number, on a desk."""
    paper = Image.new("RGBA", (900, 420), (246, 230, 130))
    for place, digit in enumerate(number):
        top = 120 + int(rng.integers(-15, 15))
        write(paper, int(digit), 70 + 130 * place, top, 170, (35, 40, 70), 13)
    scene = Image.new("RGBA", (1200, 800), (112, 84, 62))
    tilted = paper.rotate(4, Image.Resampling.BICUBIC, expand=True)
    scene.paste(tilted, (130, 150), tilted)
    return photograph(scene, rng)


def puzzle(lines, rng):
    """Return a photograph of a grid with digits in some of its squares."""
    side = 150
    size = side * len(lines) + 101
    scene = Image.new("RGB", (size, size), (238, 236, 230))
    pencil = ImageDraw.Draw(scene)
    for k in range(len(lines) + 1):
        at = 50 + side * k
        pencil.line([(50, at), (size - 51, at)], fill=(90, 90, 95), width=4)
        pencil.line([(at, 50), (at, size - 51)], fill=(90, 90, 95), width=4)
    for row, line in enumerate(lines):
        for column, digit in enumerate(line):
            if digit != ".":
                left, top = 75 + side * column, 75 + side * row
                write(scene, int(digit), left, top, 100, (30, 60, 130), 9)
    return photograph(scene, rng)


rng = np.random.default_rng(0)
picture = note("253670", rng)
grid = puzzle(["5..8", ".34.", "9..1", ".62."], rng)
# sphinx_gallery_end_ignore

from skorch_mnist import read_digits

digits = read_digits(picture)
print([digit.label for digit in digits])

# %%
# Each digit has a label, its probability, and a box: left, top, right and bottom in pixels. Digits
# come in reading order, row by row.

import matplotlib.pyplot as plt


def show(picture, digits):
    """Draw the box, the label and the probability of each digit on a picture."""
    axis = plt.figure(figsize=(7, 5), layout="constrained").add_subplot()
    axis.imshow(picture, cmap="gray")
    axis.set(xticks=[], yticks=[])
    for label, probability, (left, top, right, bottom) in digits:
        frame = plt.Rectangle((left, top), right - left, bottom - top, fill=False, ec="C3", lw=2)
        axis.add_patch(frame)
        text = f"{label} {probability:.0%}"
        axis.text((left + right) / 2, top - 8, text, color="C3", ha="center", weight="bold")


show(picture, digits)

# %%
# Read a page
# -----------
#
# A picture may show a single digit, a number, several rows, a form or a grid. In a grid, only
# digits inside its cells are returned. Pass ``page=True`` for several digits, or ``page=False`` for
# a single one; ``"auto"``, the default, decides by the picture.

digits = read_digits(grid)
show(grid, digits)

# %%
# When nothing is found
# ---------------------
#
# A picture without digits gives an empty list. A file that is not a picture raises a
# ``PictureError``.

import numpy as np

from skorch_mnist.pictures import PictureError

print(read_digits(np.full((300, 200), 240, dtype=np.uint8)))
try:
    read_digits(b"not a picture")
except PictureError as error:
    print(error)

# %%
# If digits are missed, leave a margin around them, and try ``page=True``, or ``page=False`` for a
# single digit. If the background is mistaken for ink, set ``polarity="dark_on_light"`` or
# ``"light_on_dark"``. On a page with much else on it, crop the picture to the number or the grid.
# To see what each pixel of a single digit is taken for, crop the picture to its box with a few
# pixels around it: see :doc:`plot_your_own_pictures`.
#
# Phones store in a photograph which side is up. If that is wrong, digits are read sideways, or
# rejected. Pass the pixels instead, ``np.asarray(Image.open("page.jpg"))``, and turn them with
# ``np.rot90`` if necessary.
#
# A label can be wrong, especially if its probability is low. What is not a digit gets the label
# None: see :doc:`../guide/rejection`.

# %%
# Use another classifier
# ----------------------
#
# ``classifier`` takes any fitted classifier of 28x28 images: one of your own, from a file or from a
# grid search. It may have other labels.

from skorch_mnist import MNISTCNNClassifier, load_digits28

X, y = load_digits28(return_X_y=True)
parity = MNISTCNNClassifier(max_epochs=5, random_state=0, verbose=0)
parity.fit(X, np.where(y % 2, "odd", "even"))
print([digit.label for digit in read_digits(picture, classifier=parity)])

# %%
# Train it on your own pictures
# -----------------------------
#
# If it misreads a font or somebody's handwriting, ten pictures of each digit are enough to teach
# it. :data:`~skorch_mnist.recipes.FINE_TUNE` sets up ``fit`` to continue from the weights it has.
# A network that learns new images forgets old ones unless it sees them again, so add
# :func:`~skorch_mnist.pretrained.load_exemplars`, 600 of the images that it has learned from.
#
# Here, the new images are those of other writers. For pictures, ``X`` is what
# ``DigitPreprocessor().transform(paths)`` returns.

from skorch_mnist.pretrained import load_exemplars
from skorch_mnist.recipes import FINE_TUNE

order = np.random.default_rng(0).permutation(len(y))
few = np.concatenate([order[y[order] == digit][:10] for digit in range(10)])
X_known, y_known = load_exemplars(return_X_y=True)

clf = MNISTCNNClassifier.from_pretrained("digits")
others = np.setdiff1d(order, few)
print(f"before: {clf.score(X[others], y[others]):.4f}")

clf.set_params(**FINE_TUNE, random_state=0)
clf.fit(np.concatenate([X[few], X_known]), np.concatenate([y[few], y_known]))
print(f"after:  {clf.score(X[others], y[others]):.4f}")

# %%
# ``clf.save("mine.safetensors")`` keeps it, and ``read_digits(picture, classifier=clf)`` uses it.
# Unlike the classifier of ``read_digits``, it does not reject anything: see
# :doc:`../guide/rejection` for how to train both networks. The command line does so, with pictures
# in one folder for each digit::
#
#    skorch-mnist train --from digits --preprocess --dataset my_pictures --output-dir mine
#    skorch-mnist predict number.jpg --model mine
#
# See :ref:`fine-tuning` for what this gains and what it costs.

# %%
# In scikit-learn
# ---------------
#
# ``MNISTCNNClassifier.from_pretrained("digits")`` returns the classifier itself, which you can
# evaluate, export and train further. For many pictures of one digit each, put it behind a
# :class:`~skorch_mnist.DigitPreprocessor`.

from sklearn.pipeline import make_pipeline

from skorch_mnist import DigitPreprocessor

reader = make_pipeline(DigitPreprocessor(), MNISTCNNClassifier.from_pretrained("digits"))
print(reader.predict([picture.crop(digit.box) for digit in read_digits(picture)]))

# %%
# On the command line
# -------------------
#
# .. code-block:: bash
#
#    skorch-mnist predict number.jpg photos/*.png
#
# ``--json`` and ``--csv`` print the digits for programs, and ``--model`` takes another classifier.
# See :doc:`../guide/command_line`.
