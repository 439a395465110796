"""Reading the datasets of PyTorch: lazily, by rows, and errors that name the bad item."""

from __future__ import annotations

import functools
import re

import numpy as np
import pytest
import skorch.dataset
import torch
from helpers import quick
from hypothesis import given, settings
from hypothesis import strategies as st
from misbehaving_mirror import to_idx
from PIL import Image
from sklearn.model_selection import cross_val_score
from skorch.helper import SliceDataset
from torch.utils.data import ConcatDataset, Subset, TensorDataset
from torchvision.datasets import MNIST, QMNIST, FakeData, ImageFolder
from torchvision.transforms import functional as transforms

from skorch_mnist._inputs._layouts import Layout, infer_layout
from skorch_mnist._inputs._pixels import to_array
from skorch_mnist._inputs._torch_data import (
    TORCH_DATA,
    DatasetImages,
    images_of,
    labels_in,
    labels_of,
)

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 4, 5), dtype=np.uint8)
LABELS = np.array([3, 1, 4, 1, 5, 9])


class Folder(torch.utils.data.Dataset):
    """Pairs of image and label that remembers which items were read."""

    def __init__(self, items, labels=LABELS):
        self.items, self.labels = items, labels
        self.read = []

    def __len__(self):
        return len(self.items)

    def __getitem__(self, number):
        self.read.append(number)
        return self.items[number], self.labels[number]


class Held(MNIST):
    """The MNIST of torchvision, in memory."""

    def __init__(self, targets=LABELS, transform=None, target_transform=None):
        self.data, self.targets = torch.as_tensor(PIXELS), targets
        self.transform, self.target_transform = transform, target_transform


class Odd(Held):
    """One whose labels are not those that it lists."""

    @functools.wraps(MNIST.__getitem__)
    def __getitem__(self, number):
        image, label = super().__getitem__(number)
        return image, label % 2


class Unmeasured(torch.utils.data.Dataset):
    def __getitem__(self, number):
        return PIXELS[number]


def all_of(images, shape=(1, 4, 5)):
    return images.arranged(infer_layout(images.item_shape, shape))[:]


DATA_SETS = {
    "arrays": Folder(PIXELS),
    "tensors": TensorDataset(torch.as_tensor(PIXELS), torch.as_tensor(LABELS)),
    "PIL": Folder([Image.fromarray(pixels) for pixels in PIXELS]),
    "transformed": Folder([transforms.pil_to_tensor(Image.fromarray(item)) for item in PIXELS]),
    "channels last": Folder(PIXELS[..., None]),
    "flat": Folder(PIXELS.reshape(6, -1)),
    "listed": Held(LABELS.tolist()),
    "skorch": skorch.dataset.Dataset(torch.as_tensor(PIXELS), torch.as_tensor(LABELS)),
    "concatenated": ConcatDataset([Folder(PIXELS[:2]), Folder(PIXELS[2:], LABELS[2:])]),
}


@pytest.fixture(params=DATA_SETS)
def data(request):
    return DATA_SETS[request.param]


# --- images ---------------------------------------------------------------------------------


def test_every_dataset_gives_the_same_images_and_labels(data):
    np.testing.assert_array_equal(all_of(images_of(data)), PIXELS[:, None])
    np.testing.assert_array_equal(labels_of(data), LABELS)
    assert isinstance(data, TORCH_DATA) and not isinstance(PIXELS, TORCH_DATA)


def test_slices_and_subsets_give_their_rows(data):
    rows = np.array([4, 0, 5, 3])
    for part in [
        Subset(data, rows),
        Subset(Subset(data, [5, 4, 3, 0]), [1, 3, 0, 2]),
        SliceDataset(data, indices=rows),
        SliceDataset(data)[rows],
        SliceDataset(Subset(data, range(6)), indices=rows),
    ]:
        np.testing.assert_array_equal(all_of(images_of(part)), PIXELS[rows][:, None])
        np.testing.assert_array_equal(labels_of(part), LABELS[rows])


def test_second_slice_of_a_dataset_is_its_labels(data):
    np.testing.assert_array_equal(labels_of(SliceDataset(data, idx=1)[1:4]), LABELS[1:4])


@settings(deadline=None, max_examples=50)
@given(
    kept=st.lists(st.integers(0, 5), min_size=1, max_size=8),
    rows=st.lists(st.integers(0, 7), min_size=1),
)
def test_rows_are_taken_as_from_an_array(kept, rows):
    images = images_of(Folder(PIXELS)).arranged(Layout((1, 4, 5)))
    kept, rows = np.array(kept), np.array(rows) % len(kept)
    part = images.only(kept)
    assert part.shape == (len(part), 1, 4, 5) == (len(kept), 1, 4, 5)
    np.testing.assert_array_equal(part[rows], PIXELS[kept][rows][:, None])
    np.testing.assert_array_equal(part.only(rows)[:], PIXELS[kept][rows][:, None])
    between = slice(rows.min(), rows.max() + 1)
    np.testing.assert_array_equal(part[between], PIXELS[kept][between][:, None])


def test_only_the_asked_for_images_are_read():
    folder = Folder(PIXELS)
    images = images_of(folder).arranged(Layout((1, 4, 5)))
    part = images.only(np.array([1, 3, 5]))
    assert folder.read == [0] and len(part) == 3
    part[np.array([2, 0])]
    assert folder.read == [0, 5, 1]
    part[1:]
    assert folder.read == [0, 5, 1, 3, 5]


def test_shape_is_that_of_the_items_until_they_are_reshaped():
    images = images_of(Folder(np.zeros((6, 4, 5, 3))))
    assert images.shape == (6, 4, 5, 3) and images.dtype == np.float64
    assert images.arranged(Layout((3, 4, 5))).shape == (6, 3, 4, 5)


def test_arrays_of_a_skorch_dataset_are_not_copied():
    data = skorch.dataset.Dataset(PIXELS, LABELS)
    assert np.shares_memory(images_of(data), PIXELS)
    assert labels_of(data) is not None and np.shares_memory(labels_of(data), LABELS)
    np.testing.assert_array_equal(images_of(SliceDataset(data)[2:4]), PIXELS[2:4])
    np.testing.assert_array_equal(images_of(Subset(data, [1, 0])), PIXELS[[1, 0]])


def test_images_of_a_torchvision_dataset_have_channels_first():
    data = FakeData(size=3, image_size=(3, 8, 6), num_classes=2)
    images = all_of(images_of(data), (3, 8, 6))
    assert images.shape == (3, 3, 8, 6) and images.dtype == np.uint8
    np.testing.assert_array_equal(images[1], np.moveaxis(np.asarray(data[1][0]), -1, 0))


# --- labels ---------------------------------------------------------------------------------


def refuse(image):
    raise AssertionError("an image was loaded")


@pytest.mark.parametrize("targets", [LABELS, LABELS.tolist(), torch.as_tensor(LABELS)])
def test_listed_targets_are_taken_without_loading_images(targets):
    dataset = Held(targets, transform=refuse)
    np.testing.assert_array_equal(labels_of(dataset), LABELS)
    np.testing.assert_array_equal(labels_of(SliceDataset(dataset, idx=1)[2:]), LABELS[2:])
    np.testing.assert_array_equal(labels_of(Subset(dataset, [5, 0])), LABELS[[5, 0]])


def test_labels_of_a_folder_are_taken_without_loading_images(tmp_path):
    for name, pixels in zip("aba", PIXELS, strict=False):
        (tmp_path / name).mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / name / f"{pixels[0, 0]}.png")
    dataset = ImageFolder(tmp_path, transform=refuse)
    np.testing.assert_array_equal(labels_of(dataset), [0, 0, 1])
    dataset.samples = dataset.samples[1:]
    np.testing.assert_array_equal(labels_of(dataset), [0, 1])


class Relabeled(Folder):
    """Lists targets and data that are not those of its items."""

    targets, data = LABELS + 100, PIXELS * 0


class Reversed(Held):
    def __getitem__(self, number):
        return super().__getitem__(5 - number)


class Shorter(Held):
    def __len__(self):
        return 4


class CompatibleQMNIST(QMNIST):
    def __init__(self, compat=True, target_transform=None):
        self.data, self.compat = torch.as_tensor(PIXELS), compat
        self.targets = torch.as_tensor(np.c_[LABELS, np.ones((6, 7), np.int64)])
        self.transform, self.target_transform = None, target_transform


ITEMS_DIFFER = {
    "other attributes": (Relabeled(PIXELS), LABELS),
    "target_transform": (Held(target_transform=lambda label: label + 100), LABELS + 100),
    "overridden __getitem__": (Odd(), LABELS % 2),
    "overridden order": (Reversed(), LABELS[::-1]),
    "overridden __len__": (Shorter(), LABELS[:4]),
    "more targets than images": (Held([*LABELS.tolist(), 7, 7]), LABELS),
    "numbers that items round": (Held(LABELS + 0.5), LABELS),
    "QMNIST": (CompatibleQMNIST(), LABELS),
    "transformed QMNIST": (
        CompatibleQMNIST(compat=False, target_transform=lambda row: int(row[0]) + 1),
        LABELS + 1,
    ),
    "overridden tensors": (
        type("Moved", (TensorDataset,), {"__getitem__": lambda self, i: (PIXELS[i], LABELS[i])})(
            torch.zeros(6, 4, 5), torch.zeros(6)
        ),
        LABELS,
    ),
}


@pytest.mark.parametrize(("dataset", "labels"), ITEMS_DIFFER.values(), ids=ITEMS_DIFFER)
def test_items_take_precedence_over_attributes(dataset, labels):
    np.testing.assert_array_equal(labels_of(dataset), labels)
    np.testing.assert_array_equal(labels_of(Subset(dataset, [3, 0])), labels[[3, 0]])
    np.testing.assert_array_equal(labels_in(SliceDataset(dataset, idx=1)[1:]), labels[1:])
    assert labels_of(dataset).dtype.kind == "i"


class Transformed(SliceDataset):
    def transform(self, data):
        return data + 1


@pytest.mark.parametrize("kind", [skorch.dataset.Dataset, Folder])
def test_slices_that_transform_give_transformed_items(kind):
    np.testing.assert_array_equal(images_of(Transformed(kind(PIXELS, LABELS)))[:], PIXELS + 1)
    np.testing.assert_array_equal(labels_of(Transformed(kind(PIXELS, LABELS))), LABELS)
    labels = labels_in(Transformed(kind(PIXELS, LABELS), idx=1)[2:])
    np.testing.assert_array_equal(labels, LABELS[2:] + 1)


def test_second_slice_as_images_gives_the_second_elements():
    images = images_of(SliceDataset(skorch.dataset.Dataset(LABELS, PIXELS), idx=1))
    np.testing.assert_array_equal(images[:], PIXELS)


@pytest.mark.parametrize("kind", [Odd, CompatibleQMNIST])
def test_slices_in_cross_validation_have_the_labels_of_the_items(kind, digits):
    X, _, y, _ = digits
    dataset = kind()
    dataset.data = torch.as_tensor(X[:90].reshape(-1, 28, 28))
    dataset.targets = torch.as_tensor(y[:90] if kind is Odd else np.c_[y[:90], y[:90] + 50])
    clf = quick(max_epochs=1, train_split=None)
    slices = SliceDataset(dataset), SliceDataset(dataset, idx=1)
    expected = cross_val_score(clf, X[:90], y[:90] % 2 if kind is Odd else y[:90], cv=2)
    np.testing.assert_array_equal(cross_val_score(clf, *slices, cv=2), expected)


def test_tensor_labels_need_no_particular_kind_of_tensor():
    labels = torch.as_tensor(LABELS).to(torch.bfloat16).requires_grad_()
    np.testing.assert_array_equal(labels_of(Folder(PIXELS, labels)), LABELS)


@pytest.mark.parametrize(
    "data",
    [
        TensorDataset(torch.as_tensor(PIXELS)),
        SliceDataset(TensorDataset(torch.as_tensor(PIXELS))),
        skorch.dataset.Dataset(PIXELS),
    ],
)
def test_dataset_without_labels_has_none(data):
    assert labels_of(data) is None


# --- items that are dicts ---------------------------------------------------------------------


def hugging_face(labels=LABELS, **columns):
    datasets = pytest.importorskip("datasets")
    images = [Image.fromarray(pixels) for pixels in PIXELS]
    data = {"more": range(6), "label": labels, "image": images, **columns}
    return datasets.Dataset.from_dict(data).cast_column("image", datasets.Image())


HUGGING_FACE = {
    "PIL": lambda: hugging_face(),
    "torch": lambda: hugging_face().with_format("torch"),
    "numpy": lambda: hugging_face().with_format("numpy"),
    "some columns": lambda: hugging_face().with_format("torch", columns=["image", "label"]),
    "with transform": lambda: hugging_face(LABELS - 1).with_transform(
        lambda batch: {"image": batch["image"], "label": [k + 1 for k in batch["label"]]}
    ),
    "mapped": lambda: hugging_face(LABELS - 1).map(lambda item: {"label": item["label"] + 1}),
    "selected": lambda: hugging_face().select([5, 4, 3, 2, 1, 0]).select([5, 4, 3, 2, 1, 0]),
    "dicts": lambda: Dicts(PIXELS),
}


class Dicts(Folder):
    def __getitem__(self, number):
        return {"label": self.labels[number], "image": self.items[number]}


@pytest.mark.parametrize("make", HUGGING_FACE.values(), ids=HUGGING_FACE)
def test_image_and_label_of_dicts_are_read(make):
    data, rows = make(), np.array([4, 0, 5])
    np.testing.assert_array_equal(all_of(images_of(data)), PIXELS[:, None])
    np.testing.assert_array_equal(labels_of(data), LABELS)
    np.testing.assert_array_equal(labels_of(Subset(data, rows)), LABELS[rows])
    images, labels = SliceDataset(data, idx="image")[rows], SliceDataset(data, idx="label")[rows]
    np.testing.assert_array_equal(all_of(images_of(images)), PIXELS[rows][:, None])
    np.testing.assert_array_equal(labels_of(images), LABELS[rows])
    np.testing.assert_array_equal(labels_in(labels), LABELS[rows])


def test_labels_of_hugging_face_may_be_strings_and_may_be_missing():
    assert labels_of(hugging_face(list("abcabc"))).tolist() == list("abcabc")
    assert labels_of(hugging_face().remove_columns("label")) is None
    assert labels_of(hugging_face().with_format("numpy", columns=["image"])) is None


def test_hugging_face_datasets_and_their_streams_are_learned_and_scored(digits):
    datasets = pytest.importorskip("datasets")
    X, _, y, _ = digits
    images = [Image.fromarray(pixels) for pixels in X[:100].reshape(-1, 28, 28)]
    data = datasets.Dataset.from_dict({"image": images, "label": y[:100]})
    data = data.cast_column("image", datasets.Image())
    from_data, from_arrays = quick(train_split=None), quick(train_split=None)
    from_data.fit(data)
    from_arrays.fit(X[:100].reshape(-1, 28, 28), y[:100])
    np.testing.assert_array_equal(from_data.predict_proba(data), from_arrays.predict_proba(X[:100]))
    stream = data.to_iterable_dataset()
    for dataset in (data, stream, stream.with_format("torch")):
        assert from_data.score(dataset) == from_arrays.score(X[:100], y[:100])
    assert quick(train_split=None, max_epochs=1).fit(stream).classes_.tolist() == list(range(10))


# --- what is refused ------------------------------------------------------------------------


def test_indexed_items_need_a_length():
    with pytest.raises(ValueError, match=r"^X is a Unmeasured without a length\."):
        images_of(Unmeasured())


@pytest.mark.parametrize("data", [Folder([]), SliceDataset(Folder(PIXELS))[:0]])
def test_empty_dataset_is_refused(data):
    with pytest.raises(ValueError, match=re.escape("Found array with 0 sample(s)")):
        images_of(data)


def test_item_of_another_size_is_named_by_its_own_number():
    folder = Folder([*PIXELS[:4], np.zeros((4, 6), np.uint8)])
    images = images_of(folder).arranged(Layout((1, 4, 5)))
    message = "Item 4 of the dataset X has shape (4, 6), but item 0 has (4, 5). All images must"
    for rows in (images, images.only(np.array([1, 2, 4]))):
        assert rows[:2].shape == (2, 1, 4, 5)
        with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
            rows[:]


@pytest.mark.parametrize("pixel", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_when_they_are_read(pixel):
    pixels = PIXELS.astype(np.float32)
    pixels[3, 1, 1] = pixel
    images = images_of(Folder(pixels)).arranged(Layout((1, 4, 5)))
    assert images[:3].shape == (3, 1, 4, 5)
    with pytest.raises(ValueError, match=r"^Input X contains NaN or infinity\.$"):
        images[2:]


@pytest.mark.parametrize("item", [{"img": 1}, "path.png", None, PIXELS[0] * 1j])
@pytest.mark.parametrize("paired", [True, False])
def test_item_that_is_not_an_image_is_named_with_its_type(item, paired):
    data = Folder([item]) if paired else SliceDataset(Folder([item]))
    message = f"Item 0 of the dataset X is a {type(item).__name__}, not an image. Items must be"
    with pytest.raises(ValueError, match=f"^{message}"):
        DatasetImages(data)


# --- to_array -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", [torch.uint8, torch.bool, torch.float16, torch.float64, torch.bfloat16]
)
def test_tensor_keeps_its_dtype_where_numpy_has_it(dtype):
    tensor = torch.tensor([[0, 1], [1, 0]]).to(dtype)
    expected = np.float32 if dtype == torch.bfloat16 else tensor.numpy().dtype
    np.testing.assert_array_equal(
        to_array(tensor), np.array([[0, 1], [1, 0]], dtype=expected), strict=True
    )


def test_tensor_with_gradient_is_detached_and_shared():
    tensor = torch.ones(2, 2, requires_grad=True)
    assert np.shares_memory(to_array(tensor), tensor.detach().numpy())


def test_the_mnist_of_torchvision_is_learned_like_arrays(digits, tmp_path):
    X, _, y, _ = digits
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for subset in ("train", "t10k"):
        (raw / f"{subset}-images-idx3-ubyte").write_bytes(to_idx(X.reshape(-1, 28, 28)))
        (raw / f"{subset}-labels-idx1-ubyte").write_bytes(to_idx(y.astype(np.uint8)))
    dataset = MNIST(tmp_path, train=False)
    from_dataset, from_arrays = quick(max_epochs=1).fit(dataset), quick(max_epochs=1).fit(X, y)
    np.testing.assert_array_equal(from_dataset.predict_proba(dataset), from_arrays.predict_proba(X))
