"""Batches: pixels in, tensors out; weights that agree with plain numpy."""

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

from skorch_mnist._batches._batch import KeptRows, image_of, weight_of, weighted_loss, with_images
from skorch_mnist._batches._image_dataset import BatchLoader, ImageDataset, own_form
from skorch_mnist._batches._share import Share

quick = settings(deadline=None, max_examples=50)
DTYPES = ["bool", "u1", "i1", "u2", "i2", "u4", "i8", "f2", "f4", "f8", ">i2", ">u4", ">f4", ">f8"]
seeds = st.integers(0, 2**32 - 1)
CPU = torch.device("cpu")


def pixels_of(dtype, shape, seed=0):
    return (np.random.default_rng(seed).random(shape) * 100).astype(dtype)


# --- taking rows ----------------------------------------------------------------------------


@quick
@given(
    dtype=st.sampled_from(DTYPES),
    rows=st.lists(st.integers(-6, 5), min_size=1, max_size=9).map(np.array),
    weighted=st.booleans(),
)
def test_take_returns_the_rows_in_a_dtype_that_torch_supports(dtype, rows, weighted):
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
def test_nested_subsets_are_read_correctly(data, depth, form):
    dataset = ImageDataset(pixels_of("u1", (7, 1, 2, 2)), None, np.arange(7))
    for _ in range(depth):
        last = len(dataset) - 1
        rows = data.draw(st.lists(st.integers(0, last), min_size=1, max_size=7))
        dataset = Subset(dataset, form(rows))
    own = own_form(dataset)
    assert len(own) == len(dataset)
    images, codes = own.take(list(range(len(own))))
    singles = [dataset[i] for i in range(len(dataset))]
    assert torch.equal(images, torch.stack([image for image, _ in singles]))
    assert codes.tolist() == [int(code) for _, code in singles]


@pytest.mark.parametrize("batch_size", [1, 4, 7])
def test_loader_of_pytorch_takes_whole_batches(batch_size):
    images = pixels_of("u1", (7, 1, 2, 2))
    dataset = ImageDataset(images, None, np.arange(7))
    loader = dataset.loader({"batch_size": batch_size, "pin_memory": False}, CPU)
    assert type(loader) is DataLoader
    parts = list(loader)
    assert [len(codes) for _, codes in parts][:-1] == [batch_size] * (len(parts) - 1)
    np.testing.assert_array_equal(torch.cat([x for x, _ in parts]).numpy(), images)


def test_other_datasets_are_not_changed():
    other = skorch.dataset.Dataset(np.zeros((3, 2)), np.zeros(3))
    part = Subset(other, [0])
    assert own_form(other) is other and own_form(part) is part


def test_a_subset_knows_its_images_and_labels():
    images, labels = pixels_of("u1", (7, 1, 2, 2)), np.array(list("abcdefg"))
    part = ImageDataset(images, labels).subset(np.array([5, 2]))
    np.testing.assert_array_equal(part.X, images[[5, 2]])
    assert part.y.tolist() == ["f", "c"]


# --- loading --------------------------------------------------------------------------------


def dataset_of(n, weight=None):
    return ImageDataset(pixels_of("u1", (n, 1, 2, 2)), None, np.arange(n), weight)


@quick
@given(
    n=st.integers(1, 20),
    batch_size=st.integers(1, 25),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
    seed=seeds,
    n_passes=st.integers(1, 3),
)
def test_own_loader_gives_the_same_batches_as_the_pytorch_loader(
    n, batch_size, shuffle, drop_last, seed, n_passes
):
    own, pytorchs = (
        dataset_of(n).loader(
            {
                "batch_size": batch_size,
                "shuffle": shuffle,
                "drop_last": drop_last,
                "generator": torch.Generator().manual_seed(seed),
                **more,
            },
            CPU,
        )
        for more in ({}, {"num_workers": 0})
    )
    assert type(own) is BatchLoader and type(pytorchs) is DataLoader
    assert len(own) == len(pytorchs)
    for _ in range(n_passes):
        for (images, codes), (wanted, wanted_codes) in zip(own, pytorchs, strict=True):
            assert torch.equal(images, wanted) and torch.equal(codes, wanted_codes)


@pytest.mark.parametrize("batch_size", [0, -5, 2.5, None])
def test_a_batch_without_images_is_refused(batch_size):
    message = f"^batch_size={re.escape(repr(batch_size))} is not valid: it must be a positive"
    with pytest.raises(ValueError, match=message):
        BatchLoader(dataset_of(3), batch_size)


def test_loader_without_a_generator_draws_from_the_global_one():
    loader = BatchLoader(dataset_of(50), 50, shuffle=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first, second = (next(iter(loader))[1].tolist() for _ in range(2))
        torch.manual_seed(0)
        assert next(iter(loader))[1].tolist() == first
    assert first != second and sorted(first) == list(range(50))


def test_other_images_keep_the_weights_of_the_batch():
    x, _ = dataset_of(3, np.array([1, 2, 3], np.float32)).take([0, 1, 2])
    other = torch.zeros(3, 1, 2, 2)
    assert with_images(x, other)["image"] is other
    assert weight_of(with_images(x, other)).tolist() == [1, 2, 3]
    assert with_images(image_of(x), other) is other


def test_images_are_not_moved_without_a_gpu():
    dataset = ImageDataset(pixels_of("u1", (3, 1, 2, 2)))
    for device in ("cpu", "meta"):
        assert dataset.loader({"batch_size": 1}, torch.device(device)).dataset is dataset


@pytest.mark.parametrize("weight", [None, np.array([1, 2, 3], np.float32)])
def test_images_in_a_tensor_give_the_same_batches(weight):
    pixels, codes = pixels_of("u1", (3, 1, 2, 2)), np.array([2, 1, 0])
    array = ImageDataset(pixels, codes, codes, weight)
    tensor = ImageDataset(torch.from_numpy(pixels), codes, codes, weight)
    for rows in (np.array([2, 0]), np.array([1])):
        (x, y), (wanted, wanted_y) = tensor.take(rows), array.take(rows)
        assert torch.equal(image_of(x), image_of(wanted)) and torch.equal(y, wanted_y)


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


def test_criterion_is_not_changed(criterion):
    logits, codes = batch_of()
    weighted_loss(criterion, logits, codes, torch.ones(30))
    assert criterion.reduction == "mean"


class Total(nn.Module):
    """A loss of the whole batch, whatever its reduction."""

    def forward(self, logits, codes):
        return nn.functional.cross_entropy(logits, codes)


def test_criterion_that_ignores_its_reduction_cannot_be_weighted():
    message = (
        "Total with reduction='none' returns losses of shape () for 30 samples, which cannot be "
        "weighted. Use another criterion, or remove sample_weight and class_weight."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        weighted_loss(Total(), *batch_of(), torch.ones(30))


# --- kept rows ------------------------------------------------------------------------------


def test_kept_rows_are_in_one_block():
    kept = KeptRows()
    batches = [torch.arange(6.0).reshape(2, 3), torch.ones(3, 3)]
    parts = [kept.keep(batch) for batch in batches]
    assert all(torch.equal(part, batch) for part, batch in zip(parts, batches, strict=True))
    assert {part.untyped_storage().data_ptr() for part in parts} == {kept.block.data_ptr()}


def test_kept_rows_stay_when_the_next_block_begins():
    kept = KeptRows()
    batches = [torch.full((3000, 2), float(n)) for n in range(4)] + [torch.ones(9000, 2)]
    parts = [kept.keep(batch) for batch in batches]
    assert all(torch.equal(part, batch) for part, batch in zip(parts, batches, strict=True))


def test_outputs_that_are_not_tensors_are_not_changed():
    outputs = (torch.ones(2, 3), torch.ones(2))
    assert KeptRows().keep(outputs) is outputs


# --- shares of several processes ------------------------------------------------------------


@given(n_rows=st.integers(1, 300), n_processes=st.integers(1, 9))
def test_shares_are_a_partition_and_differ_by_one_at_most(n_rows, n_processes):
    shares = [Share(rank, n_processes) for rank in range(n_processes)]
    sizes = shares[0].sizes(n_rows)
    assert sum(sizes) == n_rows and max(sizes) - min(sizes) <= 1
    read = [np.arange(n_rows)[share.rows(n_rows)] for share in shares]
    assert all(len(rows) for rows in read)
    taken = np.concatenate([rows[:size] for rows, size in zip(read, sizes, strict=True)])
    assert taken.tolist() == list(range(n_rows))
