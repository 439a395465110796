"""The bundled digits."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from skorch_mnist import load_digits28


def test_load_digits28_looks_like_mnist():
    bunch = load_digits28()
    assert bunch.data.shape == (1797, 784)
    assert bunch.images.shape == (1797, 28, 28)
    assert bunch.data.dtype == np.uint8
    assert np.shares_memory(bunch.data, bunch.images)
    assert bunch.target.dtype == np.int64
    assert set(bunch.target) == set(range(10))
    assert (bunch.images.max(axis=(1, 2)) > 200).all()
    assert not bunch.images[:, [0, -1], :].any()
    assert not bunch.images[:, :, [0, -1]].any()

    images = bunch.images.astype(float)
    mass = images.sum(axis=(1, 2))
    for axis in (1, 2):
        center = images.sum(axis=axis) @ np.arange(28) / mass
        assert np.abs(center - 14).max() <= 0.5  # as in MNIST

    inked = images > 0
    for axis in (1, 2):  # a digit is not larger than 20 pixels
        lines = inked.any(axis=axis)
        span = 28 - lines.argmax(axis=1) - lines[:, ::-1].argmax(axis=1)
        assert span.max() <= 20


def test_load_digits28_is_deterministic_and_never_shared():
    X, y = load_digits28(return_X_y=True)
    again = load_digits28()
    np.testing.assert_array_equal(X, again.data, strict=True)
    np.testing.assert_array_equal(y, again.target, strict=True)
    assert not np.shares_memory(X, again.data)


def test_load_digits28_returns_slice_datasets_of_images():
    X, y = load_digits28(return_X_y=True, as_slice_dataset=True)
    assert len(X) == len(y) == 1797
    np.testing.assert_array_equal(X[5], load_digits28().images[5])


def test_load_digits28_needs_no_network_and_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_digits28()
    with pytest.raises(ValueError, match="return_X_y=None is not valid"):
        load_digits28(return_X_y=None)
