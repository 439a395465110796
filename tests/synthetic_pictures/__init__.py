"""Realistic pictures of digits for the tests, from easy to as hard as reality.

Everything is drawn from MNIST images or printed digits with one random generator: a seed gives the
same bytes on the same machine. No kind was made with a particular algorithm in mind: each shows
what people photograph, scan or draw, and people can read it.
"""

from __future__ import annotations

from .boxed import cell, frame
from .crops import cropped
from .displays import DISPLAYS, draw_display
from .fonts import font_files
from .forms import form
from .grids import grid
from .labels import label
from .page import Page
from .pens import drawn, fine, low_contrast, marker, uneven_pen
from .photographs import gradient, photo, shadow
from .plain import RULINGS, draw_plain
from .prints import draw_print
from .rows import lines, noisy, row
from .scene import check_kind
from .sheets import back_of_sheet, blot, textured

__all__ = [
    "DISPLAYS",
    "KINDS",
    "PAGES",
    "RULINGS",
    "Page",
    "draw_display",
    "draw_page",
    "draw_picture",
    "draw_print",
    "font_files",
]

_BOXED = (frame, cell)
_PENS = (uneven_pen, marker, fine, drawn, low_contrast)
_SHEETS = (blot, back_of_sheet, textured, label)
_PHOTOGRAPHS = (cropped, gradient, shadow, photo)
_HARD = {kind.__name__: kind for kind in (*_BOXED, *_PENS, *_SHEETS, *_PHOTOGRAPHS)}
_PAGES = {kind.__name__: kind for kind in (row, lines, form, grid, noisy)}
KINDS = (*RULINGS, "light_on_dark", *_HARD)
PAGES = tuple(_PAGES)


def draw_picture(image, rng, *, kind=None, side=None, ruling=None, light_on_dark=False):
    """Return a picture of one handwritten digit.

    Parameters
    ----------
    image : ndarray of shape (28, 28), dtype uint8
        An image of MNIST: ink 255 on 0.
    rng : numpy.random.Generator
        Random generator.
    kind : str, optional
        One of ``KINDS``. By default, a digit on paper of any ruling.
    side, ruling, light_on_dark
        Height and width in pixels, one of ``RULINGS``, and whether to invert; only without a kind.

    Returns
    -------
    ndarray of shape (height, width, 3), dtype uint8
    """
    if kind is not None:
        check_kind(kind, KINDS)
    if kind in _HARD:
        return _HARD[kind](image, rng)
    if kind is not None:
        ruling = kind if kind in RULINGS else None
        light_on_dark = kind == "light_on_dark"
    return draw_plain(image, rng, side=side, ruling=ruling, light_on_dark=light_on_dark)


def draw_page(images, labels, rng, *, kind):
    """Return a picture of several digits and where they are.

    Parameters
    ----------
    images : ndarray of shape (n_images, 28, 28), dtype uint8
        Images of MNIST, which are used from the first; 100 are enough for any page.
    labels : ndarray of shape (n_images,)
        Their digits.
    rng : numpy.random.Generator
        Random generator.
    kind : str
        One of ``PAGES``.

    Returns
    -------
    Page
        With ``picture``, ``boxes``, ``cells``, ``labels`` and ``order``.
    """
    check_kind(kind, PAGES)
    return _PAGES[kind](images, labels, rng)
