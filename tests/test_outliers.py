"""Images of no class: those that the tests draw, and those that RejectingClassifier learns."""

from __future__ import annotations

import numpy as np
import pytest
from outliers import KINDS, LETTERS, SYMBOLS, outliers

from skorch_mnist._outliers import generate_outliers


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


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 2), (1, 5, 1), (3, 5, 7), (1, 28, 28)])
def test_outliers_have_the_form_of_the_images(shape):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(9, *shape))
    made = generate_outliers(images, np.arange(9) % 2, 100, rng)
    assert made.shape == (100, *shape) and made.dtype == images.dtype
    assert made.min() >= images.min() - 1e-6 and made.max() <= images.max() + 1e-6
    whole = generate_outliers((40 * images).astype(np.int16), np.zeros(9, int), 20, rng)
    assert whole.dtype == np.int16
