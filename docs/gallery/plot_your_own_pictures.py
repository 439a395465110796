"""
Your own pictures
=================

A network that was trained on MNIST reads images that were prepared like those of MNIST: white ink
on black, cropped to 20x20 pixels, and centered by mass in 28x28. ``DigitPreprocessor`` brings
drawings and photographs into this form. If you only want to know the digits, see
:doc:`plot_read_digits`.
"""

# %%
# Pictures
# --------
#
# This code draws five digits that are hard to read, small and away from the middle: on squared
# paper half in the shadow of a hand, in a printed box, with a pen that runs dry, next to a blot,
# and with chalk on a board.

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


def draw(strokes, size, paper, ink, pen):
    """Draw strokes in the lower left of a picture; their points are in hundredths of that part."""
    picture = Image.new("RGB", (4 * size, 4 * size), paper)
    pencil = ImageDraw.Draw(picture)
    for stroke in strokes:
        points = [((8 + 0.55 * x) * size / 25, (30 + 0.55 * y) * size / 25) for x, y in stroke]
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
paper, blue, gray = (240, 238, 230), (30, 40, 120), (80, 80, 85)

five = [[(62, 20), (38, 21), (36, 42)], arc(45, 55, 18, 16, -120, 150)]
squared = draw(five, 400, paper, blue, 9)
for k in range(12, 400, 44):
    squared[k : k + 3, :] = np.minimum(squared[k : k + 3, :], (120, 150, 205))
    squared[:, k : k + 3] = np.minimum(squared[:, k : k + 3], (120, 150, 205))
squared[(columns - 0.3 * rows) > 0.2] *= 0.6

three = [[*arc(50, 37, 13, 13, -160, 90), *arc(49, 63, 16, 13, -90, 150)]]
box = [[(18, 12), (82, 12), (82, 88), (18, 88), (18, 12)]]
boxed = np.minimum(draw(three, 400, paper, gray, 8), draw(box, 400, paper, (90, 120, 100), 4))

two = [[*arc(49, 36, 16, 16, -170, 40), (33, 78), (68, 77)]]
dry = draw(two, 400, paper, blue, 10)
dry = paper - (paper - dry) * (0.6 + 0.4 * np.sin(18 * rows + 6 * columns))[..., None]

six = [[*arc(66, 56, 32, 40, -105, -175), *arc(50, 64, 16, 15, 180, 530)]]
blot = [[(82, 20), (86, 24)], [(79, 25), (80, 26)]]
blotted = np.minimum(draw(six, 400, paper, gray, 9), draw(blot, 400, paper, gray, 34))

seven = [[(30, 28), (66, 26), (44, 80)], [(40, 54), (64, 52)]]
chalk = draw(seven, 400, (40, 62, 52), (215, 220, 215), 14)

pictures = []
for picture in (squared, boxed, dry, blotted, chalk):
    lit = picture * (1.05 - 0.4 * np.hypot(rows - 0.1, columns - 0.9))[..., None]
    noisy = (lit + rng.normal(0, 6, lit.shape)).clip(0, 255).astype(np.uint8)
    pictures.append(Image.fromarray(noisy).filter(ImageFilter.GaussianBlur(0.8)))

# %%
# Convert a picture to the form of MNIST
# --------------------------------------
#
# ``stages`` shows what happens to a picture. ``ink`` is the picture without light and shadows,
# whether ink is darker or lighter than paper. ``kinds`` says what each pixel was taken for: paper,
# the digit, a ruled line, a frame, or dirt. Strokes are adjusted to the width used in MNIST, and
# ``image`` shows the digit in 20x20 pixels, centered in 28x28.

import matplotlib.pyplot as plt
from matplotlib.colors import to_rgba
from matplotlib.patches import Patch

from skorch_mnist import DigitPreprocessor
from skorch_mnist.pictures import Kind

preprocessor = DigitPreprocessor()
colors = {Kind.DIGIT: "C0", Kind.RULING: "C1", Kind.FRAME: "C2", Kind.DIRT: "C3"}
palette = np.array([(0, 0, 0, 0), *map(to_rgba, colors.values())])

titles = ("picture", "ink", "kinds", "image")
figure, axes = plt.subplots(4, 5, figsize=(8, 6.9), layout="constrained")
for picture, column in zip(pictures, axes.T, strict=True):
    stages = preprocessor.stages(picture)
    pale = 255 - (255 - stages.picture.mean(axis=-1)) / 3
    for axis, shown in zip(column, (stages.picture, stages.ink, pale, stages.image), strict=True):
        axis.imshow(shown, cmap="gray", vmin=0, vmax=None if shown is stages.ink else 255)
        axis.set(xticks=[], yticks=[])
    column[2].imshow(palette[stages.kinds])
for axis, title in zip(axes[:, 0], titles, strict=True):
    axis.set_ylabel(title)
figure.legend(
    handles=[Patch(color=color, label=kind.name.lower()) for kind, color in colors.items()],
    loc="outside lower center",
    ncols=len(colors),
    frameon=False,
)

# %%
# Read the pictures
# -----------------
#
# A pipeline with the preprocessor classifies pictures: file paths, open files or bytes, Pillow
# images, or arrays. This one ends with the network that comes with the package.

from sklearn.pipeline import make_pipeline

from skorch_mnist import MNISTCNNClassifier

clf = MNISTCNNClassifier.from_pretrained("digits")
reader = make_pipeline(preprocessor, clf)
print("read:     ", reader.predict(pictures), reader.predict_proba(pictures).max(axis=1).round(3))

# %%
# Many examples on the web only resize a picture to 28x28 pixels, and invert it if its ink is dark.
# Then the same network misreads most of these digits, because they are smaller than those of MNIST,
# away from the middle, and next to lines or blots:

resized = np.stack([picture.convert("L").resize((28, 28)) for picture in pictures])
resized[:4] = 255 - resized[:4]
print("resized:  ", clf.predict(resized.reshape(-1, 784)))

# %%
# For the accuracy on the MNIST test images, drawn as such pictures, see :doc:`../guide/benchmarks`.
#
# If the result does not look like a digit to the classifier that comes with the package, the
# preprocessor searches again: for only the darkest ink, for fainter ink, and for a digit that fills
# the picture, is out of focus or in a cell. For letters or symbols, turn this off:
# ``DigitPreprocessor(retry=False)``.
#
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
# ``find_digits`` finds the digits on a page, and returns them in the form of MNIST, in reading
# order. ``read_digits`` also reads them: see :doc:`plot_read_digits`.
