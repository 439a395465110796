"""The images that are not digits, which the tests draw."""

from __future__ import annotations

import numpy as np
import pytest
from outliers import KINDS, LETTERS, SYMBOLS, outliers


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_draws_the_same_images_again(kind):
    images = outliers(kind, 20, seed=3)
    assert images.shape == (20, 784) and images.dtype == np.uint8
    np.testing.assert_array_equal(images, outliers(kind, 20, seed=3))
    assert (images != outliers(kind, 20, seed=4)).any()


@pytest.mark.parametrize("kind", ["strokes", "shapes", "letters", "symbols"])
def test_drawings_have_the_form_of_mnist(kind):
    for image in outliers(kind, 50, seed=0).reshape(-1, 28, 28):
        rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
        assert 19 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 20
        assert image.max() > 200


def test_letters_that_look_like_digits_are_left_out():
    assert not set("OoDQIilJjZzySsbGBqg") & set(LETTERS)
    assert not set("!'(),/;[\\]`{|}?$&") & set(SYMBOLS)
