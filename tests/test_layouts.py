"""Layouts: every legal shape is read the one right way, all others are named."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skorch_mnist._inputs._layouts import Layout, check_image_shape, infer_layout

quick = settings(deadline=None, max_examples=50)
sides = st.integers(1, 40)
shapes = st.tuples(st.integers(1, 5), sides, sides)


# --- given shapes ---------------------------------------------------------------------------


@quick
@given(shape=shapes)
def test_all_layouts_of_a_known_shape_are_recognized(shape):
    channels, height, width = shape
    assert infer_layout(shape, shape) == Layout(shape)
    assert infer_layout((math.prod(shape),), shape) == Layout(shape)
    last = infer_layout((height, width, channels), shape)
    assert last.image_shape == shape and last.padding == 0
    assert last.channels_last or (height, width, channels) == shape
    if channels == 1:
        assert infer_layout((height, width), shape) == Layout(shape)


@quick
@given(shape=shapes, item=st.lists(st.integers(1, 9), max_size=4).map(tuple))
def test_other_layouts_are_refused_with_both_shapes(shape, item):
    channels, height, width = shape
    legal = [shape, (math.prod(shape),), (height, width, channels), (height, width)]
    if item in legal:
        return
    with pytest.raises(ValueError, match=r"^X has ") as raised:
        infer_layout(item, shape)
    assert str(shape) in str(raised.value) and "set" in str(raised.value).lower()


def test_rows_of_another_length_say_what_is_needed():
    message = (
        "X has 783 pixels per row, but image_shape=(1, 28, 28) requires 784. Set image_shape to"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        infer_layout((783,), (1, 28, 28))


# --- shapes that are inferred ---------------------------------------------------------------


@quick
@given(n_pixels=st.integers(1, 10_000))
def test_rows_are_padded_to_the_next_square(n_pixels):
    layout = infer_layout((n_pixels,))
    channels, height, width = layout.image_shape
    assert channels == 1 and height == width and not layout.channels_last
    assert (height - 1) ** 2 < n_pixels <= height**2
    assert layout.padding == height**2 - n_pixels


@quick
@given(height=sides, width=sides, channels=st.sampled_from([1, 3]))
def test_inferred_shape_reads_the_item_again(height, width, channels):
    for item in [(height, width), (channels, height, width), (height, width, channels)]:
        layout = infer_layout(item)
        assert math.prod(layout.image_shape) == math.prod(item)
        assert infer_layout(item, layout.image_shape) == layout


@pytest.mark.parametrize(
    ("item", "layout"),
    [
        ((784,), Layout((1, 28, 28))),
        ((785,), Layout((1, 29, 29), padding=56)),
        ((28, 20), Layout((1, 28, 20))),
        ((3, 32, 30), Layout((3, 32, 30))),
        ((32, 30, 3), Layout((3, 32, 30), channels_last=True)),
        ((28, 28, 1), Layout((1, 28, 28), channels_last=True)),
        ((3, 3, 3), Layout((3, 3, 3))),
        ((1, 5, 3), Layout((1, 5, 3))),
    ],
)
def test_examples_of_inferred_shapes(item, layout):
    assert infer_layout(item) == layout


@pytest.mark.parametrize("item", [(), (2, 28, 28), (28, 28, 4), (1, 1, 28, 28)])
def test_items_that_are_not_images_are_refused(item):
    message = f"X has items of shape {item}, which are not images. Pass rows (n, pixels), gray"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        infer_layout(item)


@pytest.mark.parametrize("item", [(0,), (0, 5), (3, 0, 5)])
def test_items_without_pixels_are_refused(item):
    message = f"X has items of shape {item}, which have no pixels."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        infer_layout(item)


# --- the parameter --------------------------------------------------------------------------


@quick
@given(shape=shapes, sequence=st.sampled_from([tuple, list, np.array]))
def test_image_shape_becomes_three_ints(shape, sequence):
    assert check_image_shape(sequence(shape)) == shape
    assert check_image_shape(sequence(shape[1:])) == (1, *shape[1:])
    assert all(type(side) is int for side in check_image_shape(sequence(shape)))


@pytest.mark.parametrize(
    "shape", [(), (28,), (1, 1, 28, 28), (0, 28), (-1, 28), (28.0, 28), (True, 28), ("28", 28)]
)
def test_bad_image_shape_is_named(shape):
    message = (
        f"image_shape={shape!r} is not valid: it must be (height, width) or (channels, height, "
        "width), with positive integers."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        check_image_shape(shape)
