"""The pictures that the tests and the benchmark draw: repeatable, and true about themselves."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import slow_unless
from synthetic_pictures import (
    DISPLAYS,
    KINDS,
    PAGES,
    draw_display,
    draw_page,
    draw_picture,
    draw_print,
    font_files,
)
from synthetic_pictures.fonts import printed
from synthetic_pictures.page import Sheet
from synthetic_pictures.strokes import Strokes

from skorch_mnist import load_digits28


@pytest.fixture(scope="module")
def digits():
    return load_digits28()


def draw(kind, digits, seed):
    rng = np.random.default_rng(seed)
    if kind == "print":
        return draw_print(7, rng)
    if kind in DISPLAYS:
        return draw_display(7, rng, kind=kind)
    return draw_picture(digits.images[seed], rng, kind=kind)


def page_of(kind, digits, seed):
    return draw_page(digits.images[:40], digits.target[:40], np.random.default_rng(seed), kind=kind)


@pytest.mark.parametrize("kind", [*KINDS, "print", *DISPLAYS])
def test_every_kind_is_drawn_and_repeatable(kind, digits):
    picture = draw(kind, digits, 11)
    assert picture.dtype == np.uint8
    assert picture.ndim == 3 and picture.shape[2] == 3
    assert min(picture.shape[:2]) >= 6 and max(picture.shape[:2]) <= 3000
    assert np.ptp(picture.astype(int)) > 20
    np.testing.assert_array_equal(picture, draw(kind, digits, 11))
    other = draw(kind, digits, 3)
    assert other.shape != picture.shape or (other != picture).any()


@pytest.mark.parametrize("kind", slow_unless({"row"}, {kind: kind for kind in PAGES}))
def test_pages_know_their_digits(kind, digits):
    page, again = page_of(kind, digits, 11), page_of(kind, digits, 11)
    for value, same in zip(page, again, strict=True):
        np.testing.assert_array_equal(value, same)
    height, width = page.picture.shape[:2]
    n = len(page.boxes)
    assert n > 0
    assert page.cells.shape == (n, 4, 2) and page.labels.shape == page.order.shape == (n,)
    left, top, right, bottom = page.boxes.T
    assert (left >= 0).all() and (top >= 0).all()
    assert (right <= width).all() and (bottom <= height).all()
    assert (right > left).all() and (bottom - top > 5).all()
    written = page.order >= 0
    np.testing.assert_array_equal(page.labels[written], digits.target[page.order[written]])
    middles = (page.boxes[:, :2] + page.boxes[:, 2:]) / 2
    assert (middles > page.cells.min(axis=1)).all() and (middles < page.cells.max(axis=1)).all()


@pytest.mark.parametrize("seed", range(5))
def test_boxes_hold_the_ink(seed, digits):
    pages = []
    for color in (0.1, 0.9):  # the second time in the color of the paper
        rng = np.random.default_rng(seed)
        sheet = Sheet(np.full((300, 500, 3), 0.9))
        for i in range(4):
            cover = Strokes(digits.images[i]).draw(60, rng)
            sheet.put_digit(cover, np.full(3, color), 60 + 20 * i, 60 + 100 * i, i)
        pages.append(sheet.photographed(rng, size=60, bend=0.02, tilt=0.06))
    ink = np.abs(pages[0].picture.astype(int) - pages[1].picture).sum(axis=2)
    inside = np.zeros(ink.shape, bool)
    for left, top, right, bottom in pages[0].boxes:
        assert ink[top:bottom, left:right].max() > 30
        # Blur and compression spread the ink.
        inside[max(0, top - 4) : bottom + 4, max(0, left - 4) : right + 4] = True
    assert ink[inside].sum() > 0.85 * ink.sum()


def test_fonts_have_digits():
    assert any("DejaVu" in path for path in font_files())
    for path in font_files():
        for digit in "0123456789":
            height = printed(digit, path, 40).shape[0]
            assert 25 < height < 60, (path, digit)


def test_the_error_names_the_unknown_kind(digits):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="kind='unknown' is not valid: it must be one of plain, "):
        draw_picture(digits.images[0], rng, kind="unknown")
    with pytest.raises(ValueError, match="kind='unknown' is not valid: it must be one of row, "):
        draw_page(digits.images, digits.target, rng, kind="unknown")
    with pytest.raises(ValueError, match="kind='unknown' is not valid: it must be one of lcd, "):
        draw_display(1, rng, kind="unknown")
