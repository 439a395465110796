"""The scale of the pixels: statistics that agree with plain numpy, and pixels brought to it."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skorch_mnist._inputs import _pixels
from skorch_mnist._inputs._layouts import Layout
from skorch_mnist._inputs._pixels import PixelStatistics, pixel_statistics
from skorch_mnist._inputs._torch_data import DatasetImages

quick = settings(deadline=None, max_examples=50)
DTYPES = ["bool", "u1", "i1", "u2", "i2", "u4", "i8", "f2", "f4", "f8", ">i2", ">u4", ">f4", ">f8"]
seeds = st.integers(0, 2**32 - 1)


def pixels_of(dtype, shape, seed=0):
    return (np.random.default_rng(seed).random(shape) * 100).astype(dtype)


def numpy_statistics(images, weight=None):
    """Weighted mean and standard deviation of all pixels, in one step and double precision."""
    pixels = images.astype(np.float64).reshape(len(images), -1)
    mean = np.average(pixels.mean(axis=1), weights=weight)
    return mean, np.sqrt(np.average(((pixels - mean) ** 2).mean(axis=1), weights=weight))


@quick
@given(
    dtype=st.sampled_from(DTYPES),
    n=st.integers(1, 40),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5)),
    weighted=st.booleans(),
    rows_per_chunk=st.integers(1, 50),
    seed=seeds,
)
def test_statistics_are_those_of_numpy(dtype, n, shape, weighted, rows_per_chunk, seed):
    images = pixels_of(dtype, (n, *shape), seed)
    weight = None
    if weighted:
        weight = np.random.default_rng(seed).random(n).astype(np.float32) + np.float32(0.01)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_pixels, "ROWS_PER_CHUNK", rows_per_chunk)
        statistics = pixel_statistics(images, weight)
    mean, std = numpy_statistics(images, weight)
    assert statistics.mean == pytest.approx(mean, rel=1e-12, abs=1e-12)
    assert statistics.std == pytest.approx(std if images.min() < images.max() else 1.0, rel=1e-9)
    assert (statistics.low, statistics.high) == (images.min(), images.max())
    assert all(type(number) is float for number in statistics)


@pytest.mark.parametrize("offset", [0.0, 1e6, -1e9])
@pytest.mark.parametrize("n", [1, 2048, 2049, 5000])
def test_statistics_are_accurate_far_from_zero(offset, n):
    images = pixels_of("f8", (n, 1, 2, 3)) + offset
    statistics = pixel_statistics(images)
    assert statistics.mean == pytest.approx(images.mean(), rel=1e-15)
    assert statistics.std == pytest.approx(images.std(), rel=1e-8)


def test_statistics_do_not_overflow_small_dtypes():
    images = np.full((3000, 1, 9, 9), 255, np.uint8)
    images[::2] = 254
    statistics = pixel_statistics(images)
    assert statistics == pytest.approx((254.5, 0.5, 254, 255))


@quick
@given(pixel=st.floats(-1e30, 1e30), n=st.integers(1, 5), weighted=st.booleans())
def test_equal_pixels_have_standard_deviation_one(pixel, n, weighted):
    weight = np.linspace(0.1, 1, n, dtype=np.float32) if weighted else None
    statistics = pixel_statistics(np.full((n, 1, 3, 3), pixel), weight)
    assert statistics.std == 1.0
    assert statistics.mean == pytest.approx(pixel, rel=1e-12)


def test_weight_counts_as_repetition_and_zero_as_absence():
    images = pixels_of("f4", (5, 1, 3, 3))
    weight = np.array([0, 1, 2, 3, 1], np.float32)
    weighted = pixel_statistics(images, weight)
    repeated = pixel_statistics(np.repeat(images, weight.astype(int), axis=0))
    assert weighted[:2] == pytest.approx(repeated[:2])


def test_statistics_of_images_that_are_read_lazily():
    images = pixels_of("u1", (5, 1, 3, 3))
    data = DatasetImages([(image, 0) for image in images]).arranged(Layout((1, 3, 3)))
    assert pixel_statistics(data) == pixel_statistics(images)


@pytest.mark.parametrize("pixel", [1e39, -1e300])
def test_pixels_too_large_for_float32_are_refused(pixel):
    images = np.zeros((3, 1, 2, 2))
    images[1, 0, 1, 1] = pixel
    low, high = sorted([0.0, pixel])
    message = f"X has pixels from {low:g} to {high:g}, which are too large for float32. Rescale X."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        pixel_statistics(images)


@quick
@given(dtype=st.sampled_from(["bool", "u1", "i2", "f4", "f8"]), seed=seeds)
def test_standardized_pixels_have_mean_zero_and_deviation_one(dtype, seed):
    images = pixels_of(dtype, (20, 3, 4, 4), seed)
    out = pixel_statistics(images).standardize(torch.as_tensor(images), channels_last=True)
    assert out.dtype == torch.float32
    assert out.is_contiguous(memory_format=torch.channels_last)
    expected_std = 1.0 if images.min() < images.max() else 0.0
    assert float(out.double().mean()) == pytest.approx(0, abs=1e-5)
    assert float(out.double().std(correction=0)) == pytest.approx(expected_std, rel=1e-5)


def test_standardize_does_not_change_its_input():
    images = torch.ones(2, 1, 3, 3)
    PixelStatistics(0.5, 2.0, 0.0, 1.0).standardize(images)
    assert torch.equal(images, torch.ones(2, 1, 3, 3))
