"""Images that are not digits, for the tests: what a classifier of digits should reject.

Everything has the form of MNIST: 28x28 pixels of uint8, light on black. What is drawn or printed
fills 20x20 pixels, its center of mass in the middle. A seed gives the same images on the same
machine; letters and symbols depend on the fonts that are installed. The fonts are those of
``synthetic_pictures``, which the pretrained network has not seen.

Some letters, symbols and shapes look like digits once they are cut out and scaled to the same
height, and people take them for digits, too. Contact sheets of all fonts showed these, which are
left out:

- 0: O o D Q, circles and ellipses, the signs for degrees, copyright and Omega;
- 1: I i l J j, arrows up and down, and ! ' ( ) , / ; [ \\ ] ` { | } and the sign of an integral;
- 2: Z z and ?;
- 4: y;
- 5: S s and $;
- 6: b G;
- 8: B, & and the sign of a section;
- 9: q g, spirals.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.interpolate import CubicSpline
from synthetic_pictures.fonts import any_font, printed

SIDE, INNER = 28, 20
CANVAS = 200  # pixels of the side of a drawing before it is scaled down

LETTERS = "ACEFHKLMNPRTUVWXY" + "acdefhkmnprtuvwx"
SYMBOLS = '"#%*+-.:<=>@^_~¢£€¥¶±×÷µ√∞∑∏≈≠≤≥'


def outliers(kind, n, seed):
    """Return images that are not digits.

    Parameters
    ----------
    kind : str
        One of ``KINDS``.
    n : int
        Number of images.
    seed : int
        Random generator.

    Returns
    -------
    ndarray of shape (n, 784), dtype uint8
    """
    rng = np.random.default_rng([sum(kind.encode()), seed])
    images = [KINDS[kind](rng) for _ in range(n)]
    return np.asarray(images).clip(0, 255).round().astype(np.uint8).reshape(n, SIDE * SIDE)


# --- blank images and noise -------------------------------------------------------------------


def blank(rng):
    """One gray level, from black to white."""
    return np.full((SIDE, SIDE), rng.integers(256))


def uniform_noise(rng):
    """Pixels of any brightness up to a random one."""
    return rng.uniform(0, rng.uniform(20, 255), (SIDE, SIDE))


def gaussian_noise(rng):
    """Pixels around a mean."""
    return rng.normal(rng.uniform(0, 200), rng.uniform(10, 100), (SIDE, SIDE))


def salt_and_pepper(rng):
    """White pixels on black."""
    return 255 * (rng.random((SIDE, SIDE)) < rng.uniform(0.02, 0.9))


def smooth_noise(rng):
    """Clouds, or blobs with sharp edges."""
    clouds = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), rng.uniform(0.7, 4))
    clouds = (clouds - clouds.min()) / np.ptp(clouds)
    if rng.random() < 0.4:
        clouds = ((clouds - rng.uniform(0.35, 0.7)) * 8 + 0.5).clip(0, 1)
    return 255 * clouds


# --- drawings ---------------------------------------------------------------------------------


def strokes(rng):
    """Scribbles: one to four curves or zigzags with several bends, by a pen of any width."""
    drawing = Drawing(rng)
    for _ in range(rng.integers(1, 5)):
        corners = rng.uniform(0.1, 0.9, (rng.integers(4, 8), 2))
        drawing.line(corners if rng.random() < 0.4 else curve(corners))
    return drawing.centered()


def shapes(rng):
    """A square, star, arrow, heart, smiley or another shape, outlined or filled."""
    drawing = Drawing(rng)
    SHAPES[rng.integers(len(SHAPES))](drawing)
    return drawing.centered()


def letters(rng):
    """A printed letter that does not look like a digit."""
    return centered(printed(LETTERS[rng.integers(len(LETTERS))], any_font(rng), INNER * 5))


def symbols(rng):
    """A printed punctuation mark, or a sign of mathematics or of a currency."""
    while True:
        font, symbol = any_font(rng), SYMBOLS[rng.integers(len(SYMBOLS))]
        cover, missing = (printed(text, font, INNER * 5) for text in (symbol, "\uffff"))
        if cover.any() and not np.array_equal(cover, missing):
            return centered(cover)


class Drawing:
    """A canvas of side 1, x to the right and y down, with a pen of random width."""

    def __init__(self, rng):
        self.rng = rng
        self.pen = CANVAS * np.exp(rng.uniform(np.log(0.05), np.log(0.16)))
        self.canvas = Image.new("L", (CANVAS, CANVAS))
        self.draw = ImageDraw.Draw(self.canvas)
        turn = np.radians(rng.normal(0, 6))
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        self.matrix = rotation * np.exp(rng.normal(0, 0.1, 2))  # turned and stretched

    def line(self, points):
        """Draw through points."""
        places = self.placed(points)
        self.draw.line([tuple(place) for place in places], fill=255, width=round(self.pen))
        for x, y in places:
            r = self.pen / 2
            self.draw.ellipse((x - r, y - r, x + r, y + r), fill=255)

    def outline(self, points):
        """Draw a closed line, or fill it."""
        if self.rng.random() < 0.3:
            self.fill(points)
        else:
            self.line([*points, points[0]])

    def fill(self, points):
        """Fill a polygon."""
        self.draw.polygon([tuple(place) for place in self.placed(points)], fill=255)

    def placed(self, points):
        """Return places in pixels, as an unsteady hand finds them."""
        points = np.asarray(points, dtype=float)
        if len(points) < 12:  # corners; curves stay smooth
            points = points + self.rng.normal(0, 0.012, points.shape)
        return ((points - 0.5) @ self.matrix * 0.75 + 0.5) * CANVAS

    def centered(self):
        """Return the drawing in the form of MNIST."""
        cover = np.asarray(self.canvas)
        rows, columns = (np.flatnonzero(cover.any(axis=axis)) for axis in (1, 0))
        return centered(cover[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] / 255)


def square(drawing):
    drawing.outline([(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)])


def triangle(drawing):
    drawing.outline([(0.5, 0.1), (0.95, 0.85), (0.05, 0.85)])


def triangle_down(drawing):
    drawing.outline([(0.5, 0.9), (0.95, 0.15), (0.05, 0.15)])


def diamond(drawing):
    drawing.outline([(0.5, 0.05), (0.9, 0.5), (0.5, 0.95), (0.1, 0.5)])


def star(drawing):
    n = int(drawing.rng.integers(5, 8))
    radius = np.tile([0.47, drawing.rng.uniform(0.17, 0.25)], n)
    drawing.outline(around(np.linspace(-90, 270, 2 * n, endpoint=False), radius))


def pentagram(drawing):
    drawing.line(around(-90 + 144 * np.arange(6), 0.47))


def arrow(drawing):
    tip, tail = np.array([0.95, 0.5]), np.array([0.05, 0.5])
    if drawing.rng.random() < 0.5:
        tip, tail = tail, tip
    wing = tip + (tail - tip) * drawing.rng.uniform(0.3, 0.5)
    height = (0, drawing.rng.uniform(0.2, 0.35))
    drawing.line([tail, tip])
    drawing.line([wing - height, tip, wing + height])


def heart(drawing):
    t = np.linspace(0, 2 * np.pi, 60)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    drawing.outline(np.column_stack([0.5 + x / 36, 0.47 - y / 36]))


def smiley(drawing):
    drawing.pen = min(drawing.pen, 0.08 * CANVAS)
    drawing.line(around(np.linspace(0, 360, 60), 0.47))
    drawing.line(around(np.linspace(30, 150, 20), 0.27))
    for x in (0.35, 0.65):
        drawing.line([(x, 0.36), (x, 0.4)])


def cross(drawing):
    drawing.line([(0.1, 0.1), (0.9, 0.9)])
    drawing.line([(0.9, 0.1), (0.1, 0.9)])


def plus(drawing):
    drawing.line([(0.5, 0.1), (0.5, 0.9)])
    drawing.line([(0.1, 0.5), (0.9, 0.5)])


def check_mark(drawing):
    drawing.line([(0.05, 0.55), (0.35, 0.9), (0.95, 0.1)])


def house(drawing):
    drawing.line([(0.15, 0.9), (0.15, 0.45), (0.5, 0.1), (0.85, 0.45), (0.85, 0.9), (0.15, 0.9)])
    drawing.line([(0.15, 0.45), (0.85, 0.45)])


def moon(drawing):
    outer = around(np.linspace(60, 300, 40), 0.45)
    inner = np.add(around(np.linspace(285, 75, 40), 0.4), (0.15, 0))
    drawing.fill([*outer, *inner])


def zigzag(drawing):
    n = int(drawing.rng.integers(4, 7))
    drawing.line(np.column_stack([np.linspace(0.05, 0.95, n), 0.5 + 0.25 * (-1.0) ** np.arange(n)]))


def lattice(drawing):
    drawing.pen = min(drawing.pen, 0.1 * CANVAS)
    for place in (0.33, 0.67):
        drawing.line([(place, 0.05), (place, 0.95)])
        drawing.line([(0.05, place), (0.95, place)])


def crossed_box(drawing):
    drawing.line([(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9), (0.1, 0.1)])
    cross(drawing)


def sun(drawing):
    drawing.line(around(np.linspace(0, 360, 40), 0.2))
    for angle in np.arange(0, 360, 45):
        drawing.line([around([angle], 0.32)[0], around([angle], 0.47)[0]])


SHAPES = (
    square, triangle, triangle_down, diamond, star, pentagram, arrow, heart, smiley, cross, plus,
    check_mark, house, moon, zigzag, lattice, crossed_box, sun,
)  # fmt: skip

KINDS = {
    kind.__name__: kind
    for kind in (
        blank, uniform_noise, gaussian_noise, salt_and_pepper, smooth_noise, strokes, shapes,
        letters, symbols,
    )
}  # fmt: skip


def around(degrees, radius):
    """Return points around the middle of the canvas; 90 degrees is down."""
    angles = np.radians(degrees)
    return np.column_stack([0.5 + radius * np.cos(angles), 0.5 + radius * np.sin(angles)])


def curve(points):
    """Return many points of a smooth curve through a few."""
    along = np.linspace(0, 1, len(points))
    return CubicSpline(along, points)(np.linspace(0, 1, 12 * len(points))).clip(0, 1)


def centered(cover):
    """Return a coverage (0 to 1) in the form of MNIST, 0 to 255."""
    factor = INNER / max(cover.shape)
    height, width = (max(1, round(side * factor)) for side in cover.shape)
    small = Image.fromarray(np.asarray(cover * 255, np.uint8))
    small = np.asarray(small.resize((width, height), Image.Resampling.BOX), float)
    middle = ndimage.center_of_mass(small)
    top, left = (
        int(np.clip(round((SIDE - 1) / 2 - m), 0, SIDE - side))
        for m, side in zip(middle, small.shape, strict=True)
    )
    image = np.zeros((SIDE, SIDE))
    image[top : top + height, left : left + width] = small
    return image
