"""Batches: pixels in, tensors out; statistics and weights that agree with plain numpy."""

from __future__ import annotations

import re

import numpy as np
import pytest
import skorch.dataset
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import DataLoader, Subset

from skorch_mnist import batches
from skorch_mnist.batches import (
    BatchReader,
    ImageDataset,
    PixelStatistics,
    image_of,
    pixel_statistics,
    weight_of,
    weighted_loss,
)
from skorch_mnist.layouts import Layout
from skorch_mnist.torch_data import DatasetImages

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


# --- statistics -----------------------------------------------------------------------------


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
        patch.setattr(batches, "ROWS_PER_CHUNK", rows_per_chunk)
        statistics = pixel_statistics(images, weight)
    mean, std = numpy_statistics(images, weight)
    assert statistics.mean == pytest.approx(mean, rel=1e-12, abs=1e-12)
    assert statistics.std == pytest.approx(std if images.min() < images.max() else 1.0, rel=1e-9)
    assert (statistics.low, statistics.high) == (images.min(), images.max())
    assert all(type(number) is float for number in statistics)


@pytest.mark.parametrize("offset", [0.0, 1e6, -1e9])
@pytest.mark.parametrize("n", [1, 2048, 2049, 5000])
def test_statistics_keep_their_digits_far_from_zero(offset, n):
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
    message = f"X has pixels in {low:g}..{high:g}, too large for float32. Rescale X."
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


def test_standardize_leaves_its_input_alone():
    images = torch.ones(2, 1, 3, 3)
    PixelStatistics(0.5, 2.0, 0.0, 1.0).standardize(images)
    assert torch.equal(images, torch.ones(2, 1, 3, 3))


# --- taking rows ----------------------------------------------------------------------------


@quick
@given(
    dtype=st.sampled_from(DTYPES),
    rows=st.lists(st.integers(-6, 5), min_size=1, max_size=9).map(np.array),
    weighted=st.booleans(),
)
def test_take_gives_the_rows_in_a_dtype_that_torch_has(dtype, rows, weighted):
    images = pixels_of(dtype, (6, 1, 3, 3))
    codes = np.arange(6)
    weight = np.linspace(0.1, 1, 6, dtype=np.float32) if weighted else None
    x, y = ImageDataset(images, codes, codes, weight).take(rows)
    native = {"bool", "u1", "i1", "i2", "f2", "f4"}
    expected = images[rows].astype(images.dtype if dtype in native else np.float32)
    np.testing.assert_array_equal(image_of(x).numpy(), expected, strict=True)
    np.testing.assert_array_equal(y.numpy(), codes[rows], strict=True)
    if weighted:
        np.testing.assert_array_equal(weight_of(x).numpy(), weight[rows], strict=True)
    else:
        assert weight_of(x) is None


def test_large_integers_are_not_wrapped():
    images = np.array([2**16 - 1, 2**16 - 2]).astype(">u2").reshape(2, 1, 1, 1)
    assert ImageDataset(images).take(np.arange(2))[0].flatten().tolist() == [65535.0, 65534.0]


def test_batch_is_a_copy_of_its_rows():
    images = pixels_of("u1", (4, 1, 2, 2))
    before = images.copy()
    ImageDataset(images).take(np.arange(4))[0].zero_()
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("weight", [None, np.array([1, 2, 3], np.float32)])
def test_one_item_is_a_batch_without_its_axis(weight):
    data = ImageDataset(pixels_of("u1", (3, 1, 2, 2)), None, np.array([2, 1, 0]), weight)
    (x, code), (batch, codes) = data[1], data.take(np.array([1]))
    assert len(data) == 3 and code == codes[0] == 1
    assert torch.equal(image_of(x), image_of(batch)[0])
    assert weight is None or weight_of(x) == 2


def test_codes_default_to_zero():
    assert ImageDataset(np.zeros((3, 1, 2, 2))).take(np.arange(3))[1].tolist() == [0, 0, 0]


# --- reading through subsets ----------------------------------------------------------------


@quick
@given(data=st.data(), depth=st.integers(0, 3), form=st.sampled_from([list, tuple, np.array]))
def test_reader_of_nested_subsets_gives_what_they_give(data, depth, form):
    dataset = ImageDataset(pixels_of("u1", (7, 1, 2, 2)), None, np.arange(7))
    for _ in range(depth):
        last = len(dataset) - 1
        rows = data.draw(st.lists(st.integers(0, last), min_size=1, max_size=7))
        dataset = Subset(dataset, form(rows))
    reader = BatchReader(dataset)
    assert BatchReader.reads(dataset) and len(reader) == len(dataset)
    images, codes = reader.__getitems__(list(range(len(reader))))
    singles = [dataset[i] for i in range(len(dataset))]
    assert torch.equal(images, torch.stack([image for image, _ in singles]))
    assert codes.tolist() == [int(code) for _, code in singles]


@pytest.mark.parametrize("batch_size", [1, 4, 7])
def test_loader_takes_whole_batches(batch_size):
    images = pixels_of("u1", (7, 1, 2, 2))
    reader = BatchReader(Subset(ImageDataset(images, None, np.arange(7)), range(7)))
    loader = DataLoader(reader, batch_size=batch_size, collate_fn=BatchReader.collate)
    parts = list(loader)
    assert [len(codes) for _, codes in parts][:-1] == [batch_size] * (len(parts) - 1)
    np.testing.assert_array_equal(torch.cat([x for x, _ in parts]).numpy(), images)


def test_reader_leaves_other_data_sets_alone():
    other = skorch.dataset.Dataset(np.zeros((3, 2)), np.zeros(3))
    assert not BatchReader.reads(other) and not BatchReader.reads(Subset(other, [0]))


# --- weighted loss --------------------------------------------------------------------------

CRITERIA = {
    "cross entropy": nn.CrossEntropyLoss(),
    "smoothed": nn.CrossEntropyLoss(label_smoothing=0.1),
    "weighted classes": nn.CrossEntropyLoss(weight=torch.tensor([1.0, 0.0, 3.0])),
    "both": nn.CrossEntropyLoss(weight=torch.tensor([1.0, 0.5, 3.0]), label_smoothing=0.1),
    "negative log-likelihood": nn.NLLLoss(weight=torch.tensor([1.0, 2.0, 3.0])),
    "margin": nn.MultiMarginLoss(),
}


@pytest.fixture(params=CRITERIA)
def criterion(request):
    return CRITERIA[request.param]


def batch_of(n=30, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, 3, generator=generator).requires_grad_()
    return logits, torch.arange(n) % 3


def test_integer_weights_are_repetition(criterion):
    logits, codes = batch_of()
    weight = torch.arange(30) % 4
    loss = weighted_loss(criterion, logits, codes, weight.float())
    rows = torch.repeat_interleave(torch.arange(30), weight)
    torch.testing.assert_close(loss, criterion(logits[rows], codes[rows]))


@pytest.mark.parametrize("scale", [1.0, 1e-20, 1e20])
def test_equal_weights_are_the_plain_mean(criterion, scale):
    logits, codes = batch_of()
    weight = torch.full((30,), scale)
    torch.testing.assert_close(
        weighted_loss(criterion, logits, codes, weight), criterion(logits, codes)
    )


def test_weight_reaches_the_gradient(criterion):
    logits, codes = batch_of()
    weight = (torch.arange(30) % 2).float()
    weighted_loss(criterion, logits, codes, weight).backward()
    assert torch.equal(logits.grad[::2], torch.zeros(15, 3))
    assert logits.grad[1::2].abs().sum() > 0


def test_batch_of_weight_zero_has_loss_and_gradient_zero():
    logits, codes = batch_of()
    loss = weighted_loss(nn.CrossEntropyLoss(), logits, codes, torch.zeros(30))
    loss.backward()
    assert loss == 0 and torch.equal(logits.grad, torch.zeros_like(logits))


def test_criterion_is_left_as_it_was(criterion):
    logits, codes = batch_of()
    weighted_loss(criterion, logits, codes, torch.ones(30))
    assert criterion.reduction == "mean"


class Total(nn.Module):
    """A loss of the whole batch, whatever its reduction."""

    def forward(self, logits, codes):
        return nn.functional.cross_entropy(logits, codes)


def test_criterion_that_ignores_its_reduction_cannot_be_weighted():
    message = (
        "Total with reduction='none' gives losses of shape () for 30 samples: it cannot be "
        "weighted. Use another criterion, or neither sample_weight nor class_weight."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        weighted_loss(Total(), *batch_of(), torch.ones(30))
