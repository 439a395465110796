"""Streams: PyTorch datasets without numbered items."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import pytest
import torch
from helpers import assert_same_weights, quick, weights_of
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skorch.callbacks import Callback, EpochScoring
from skorch.dataset import ValidSplit
from skorch.helper import predefined_split
from torch import nn
from torch.utils.data import IterableDataset, TensorDataset, get_worker_info

from skorch_mnist.checkpoint import ResumeCheckpoint

PIXELS = np.arange(6 * 4 * 5, dtype=np.uint8).reshape(6, 4, 5)
LABELS = [3, 1, 1, 3, 1, 7]
examples = settings(deadline=None, max_examples=30)
Classifier = partial(quick, batch_size=64)


class Stream(IterableDataset):
    """Items one after another; a worker gives its share of them."""

    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def __iter__(self):
        worker = get_worker_info()
        share = slice(None) if worker is None else slice(worker.id, None, worker.num_workers)
        yield from zip(self.images[share], self.labels[share], strict=True)


class Unshared(Stream):
    def __iter__(self):
        return zip(self.images, self.labels, strict=True)


class Images(IterableDataset):
    """Items of an iterator, which can be read once."""

    def __init__(self, items):
        self.items = iter(items)

    def __iter__(self):
        return self.items


class Passes(IterableDataset):
    """Other items in each pass."""

    def __init__(self, *passes):
        self.passes = list(passes)

    def __iter__(self):
        yield from self.passes.pop(0) if len(self.passes) > 1 else self.passes[0]


@pytest.fixture(scope="module")
def pictures(digits):
    """Images and labels of the bundled digits to train on."""
    return digits[0][:240].reshape(-1, 28, 28), digits[2][:240]


class Batches(Callback):
    """Keeps images and labels of the last epoch, batch by batch."""

    def on_epoch_begin(self, net, dataset_train, **kwargs):
        self.train, self.valid = [], []
        self.n_batches = len(net.get_iterator(dataset_train, training=True))

    def on_batch_begin(self, net, batch, training, **kwargs):
        (self.train if training else self.valid).append(batch)


def linear(image_shape, n_classes):
    """Return the smallest network there is."""
    return nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(image_shape)), n_classes))


def batches_of(stream, **params):
    """Return the batches of one epoch, those for training and those for validation."""
    seen = Batches()
    Classifier(module=linear, max_epochs=1, callbacks=[seen], **params).fit(stream)
    assert len(seen.train) == seen.n_batches
    return seen.train, seen.valid


def items_of(batches):
    """Return images and labels of batches, as sorted pairs."""
    return sorted(
        (image.tobytes(), label)
        for images, labels in batches
        for image, label in zip(images[:, 0].numpy(), labels.tolist(), strict=True)
    )


def assert_weights_close(one, other):
    theirs = weights_of(other)
    for name, weight in weights_of(one).items():
        np.testing.assert_allclose(weight, theirs[name], rtol=1e-4, atol=1e-6)


# --- training -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"class_weight": "balanced"},
        {"class_weight": {0: 3.0, 4: 0.0}},
        {"augment": "affine", "lr_schedule": "one_cycle", "batch_size": -1},
        {"iterator_train__drop_last": True},
    ],
)
def test_training_on_a_stream_is_like_training_on_arrays(pictures, params):
    X, y = pictures
    params = {"train_split": None, "iterator_train__shuffle": False, **params}
    assert_weights_close(Classifier(**params).fit(Stream(X, y)), Classifier(**params).fit(X, y))


@pytest.mark.parametrize("form", [list, torch.as_tensor, lambda p: [*map(Image.fromarray, p)]])
def test_fit_learns_the_same_from_a_stream_and_from_arrays(pictures, form):
    X, y = pictures
    names = np.array([f"digit {label}" for label in y])
    stream = Classifier(max_epochs=1).fit(Stream(form(X), names))
    arrays = Classifier(max_epochs=1).fit(X, names)
    assert stream.classes_.tolist() == arrays.classes_.tolist()
    assert stream.image_shape_ == arrays.image_shape_
    assert stream.input_format_ == arrays.input_format_
    np.testing.assert_allclose(stream.pixel_statistics_, arrays.pixel_statistics_)
    assert set(stream.predict(X[:20])) <= set(names)


def test_training_with_validation_is_repeatable(pictures):
    X, y = pictures
    one, same, other = (Classifier(random_state=s).fit(Stream(X, y)) for s in (0, 0, 1))
    assert_same_weights(one, same)
    assert one.history[:, "valid_loss"] == same.history[:, "valid_loss"]
    assert one.history[:, "valid_loss"] != other.history[:, "valid_loss"]


def test_early_stopping_restores_the_best_epoch(pictures):
    X, y = pictures
    stop = {"early_stopping": True, "n_iter_no_change": 1, "lr": 0.01, "max_epochs": 8}
    clf = Classifier(train_split=predefined_split(Stream(X[200:], y[200:])), **stop)
    clf.fit(Stream(X[:200], y[:200]))
    best = max(clf.history[:, "valid_acc"])
    assert clf.score(X[200:], y[200:]) == pytest.approx(best, abs=1e-4)


def test_a_stream_validates_a_stream_or_an_array(pictures):
    X, y = pictures
    held_back = Stream(X[200:], y[200:])
    for train in ([Stream(X[:200], y[:200])], [X[:200], y[:200]]):
        clf = Classifier(
            train_split=predefined_split(held_back), iterator_train__shuffle=False, max_epochs=1
        ).fit(*train)
        assert clf.history[-1, "valid_acc"] == np.mean(clf.predict(X[200:]) == y[200:])


def test_partial_fit_takes_streams_one_after_the_other(pictures):
    X, y = pictures
    clf = Classifier(iterator_train__shuffle=False)
    clf.partial_fit(Stream(X[:120], y[:120]), classes=range(10))
    few = y[120:] < 5
    clf.partial_fit(Stream(X[120:][few], y[120:][few]))
    arrays = Classifier(iterator_train__shuffle=False)
    arrays.partial_fit(X[:120], y[:120], classes=range(10))
    arrays.partial_fit(X[120:][few], y[120:][few])
    assert_weights_close(clf, arrays)


@pytest.mark.parametrize("train_split", [0.2, ValidSplit(2), 1e-4])
def test_partial_fit_does_not_validate_and_so_needs_no_hashes(train_split, pictures, monkeypatch):
    X, y = pictures
    monkeypatch.delattr("skorch_mnist._inputs._streams.hashes_of")
    clf = Classifier(train_split=train_split).partial_fit(Stream(X, y), classes=range(10))
    assert clf.n_iter_ == 1 and "valid_loss" not in clf.history[-1]


def test_an_interrupted_run_resumes(pictures, tmp_path):
    X, y = pictures

    class StopError(Exception):
        pass

    class Fragile(Stream):
        n_passes = 0

        def __iter__(self):
            self.n_passes += 1
            if self.n_passes > 4:  # a first pass, and two of an epoch
                raise StopError
            return super().__iter__()

    keep = {"callbacks": [ResumeCheckpoint(tmp_path)], "max_epochs": 3}
    with pytest.raises(StopError):
        Classifier(**keep).fit(Fragile(X, y))
    resumed = Classifier(**keep).fit(Stream(X, y))
    assert_same_weights(resumed, Classifier(max_epochs=3).fit(Stream(X, y)))
    assert_same_weights(resumed, Classifier(**keep).fit(Stream(X[::-1], y[::-1])))
    for other in (Stream(255 - X, y), Stream(X, y[::-1])):
        with pytest.raises(ValueError, match="its images, labels or sample weights are different"):
            Classifier(**keep).fit(other)


# --- prediction -----------------------------------------------------------------------------


def test_prediction_on_a_stream_is_like_prediction_on_arrays(fitted, digits):
    X = digits[1][:300]
    expected = fitted.predict_proba(X)
    for stream in (
        Stream(X.reshape(-1, 28, 28), digits[3][:300]),
        Images(iter(X)),
        Images(Image.fromarray(image.reshape(28, 28)) for image in X),
    ):
        np.testing.assert_array_equal(fitted.predict_proba(stream), expected)


def test_predictions_keep_the_order_of_the_stream_with_several_workers(fitted, digits):
    X = digits[1][:150]
    clf = Classifier(iterator_valid__num_workers=2).fit(digits[0][:100], digits[2][:100])
    np.testing.assert_array_equal(clf.predict(Images(iter(X))), clf.predict(X))


def test_score_uses_the_labels_of_the_dataset(fitted, digits):
    X, y = digits[1][:150].reshape(-1, 28, 28), digits[3][:150]
    expected = fitted.score(X, y)
    weight = np.linspace(0, 1, 150)
    assert fitted.score(Images(zip(X, y, strict=True))) == expected
    assert fitted.score(TensorDataset(torch.as_tensor(X), torch.as_tensor(y))) == expected
    assert fitted.score(Stream(X, y), sample_weight=weight) == fitted.score(X, y, weight)
    assert fitted.score(Stream(X, y), y[::-1]) == fitted.score(X, y[::-1])
    for unlabelled in (X, TensorDataset(torch.as_tensor(X))):
        with pytest.raises(ValueError, match="X does not have labels: pass them as y"):
            fitted.score(unlabelled)
    with pytest.raises(ValueError, match="Item 0 of the dataset X does not have a label"):
        fitted.score(Images(X))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: 255 - X, "X looks inverted"),
        (lambda X: X / 255, "The brightest pixel of X is 1,"),
    ],
    ids=["inverted", "other scale"],
)
def test_the_first_images_of_a_stream_show_that_it_differs(fitted, pictures, change, message):
    X, y = pictures
    with pytest.warns(UserWarning, match=message) as caught:
        fitted.predict(Stream(change(X), y))
    assert len(caught) == 1


# --- validation -----------------------------------------------------------------------------


@examples
@given(
    n=st.integers(5, 60),
    n_classes=st.integers(2, 5),
    fraction=st.sampled_from([0.1, 0.25, 0.5]),
    seed=st.integers(0, 2**31),
)
@pytest.mark.filterwarnings("ignore:.*too few:UserWarning")
def test_validation_takes_a_share_of_each_class_in_any_order(n, n_classes, fraction, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, 3, 3), np.uint8)
    labels = np.r_[0, 1, rng.integers(0, n_classes, n - 2)]
    order = rng.permutation(n)
    parts = [
        tuple(
            items_of(part)
            for part in batches_of(
                Stream(images[rows], labels[rows]), train_split=fraction, random_state=seed
            )
        )
        for rows in (np.arange(n), order)
    ]
    assert parts[0] == parts[1]
    train, valid = parts[0]
    assert sorted(train + valid) == items_of([(torch.as_tensor(images[:, None]), labels)])
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        n_valid = sum(item[1] == label for item in valid)
        assert n_valid <= max(fraction * count + 0.5, 0) and n_valid < count
        assert n_valid >= fraction * count - 1.5 or count < 3


def test_equal_images_of_a_class_stay_together():
    images = np.repeat(np.random.default_rng(0).integers(0, 256, (30, 4, 4), np.uint8), 4, axis=0)
    train, valid = map(items_of, batches_of(Stream(images, [0, 1] * 60), train_split=0.5))
    assert len(train) + len(valid) == 120 and len(valid) >= 56
    assert not set(train) & set(valid)


# --- batches --------------------------------------------------------------------------------


@examples
@given(
    n=st.integers(2, 200),
    batch_size=st.integers(1, 90) | st.just(-1),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_each_image_is_in_one_batch(n, batch_size, shuffle, drop_last, seed):
    size = n if batch_size == -1 else batch_size
    whole = [size] * (n // size)
    rest = [n % size] if n % size and not drop_last else []
    images = np.arange(n, dtype=np.int32)[:, None, None].repeat(4, axis=2)
    params = {
        "train_split": None,
        "batch_size": batch_size,
        "iterator_train__shuffle": shuffle,
        "iterator_train__drop_last": drop_last,
        "random_state": seed,
    }
    stream = Stream(images, np.arange(n) % 3)
    if not whole + rest:
        with pytest.raises(ValueError, match="There was no batch to train on"):
            batches_of(stream, **params)
        return
    batches, _ = batches_of(stream, **params)
    assert [len(labels) for _, labels in batches] == whole + rest
    numbers = [int(number) for pixels, _ in batches for number in pixels[:, 0, 0, 0]]
    assert len(set(numbers)) == len(numbers) == sum(whole + rest)
    labels = [int(label) for _, labels in batches for label in labels]
    assert labels == [number % 3 for number in numbers]
    if not shuffle:
        assert numbers == list(range(len(numbers)))


def test_pixels_of_several_dtypes_get_a_common_dtype():
    images = [*PIXELS[:3], *(PIXELS[3:] + np.float32(0.5))]
    params = {"train_split": None, "batch_size": -1, "iterator_train__shuffle": False}
    ((pixels, _),), _ = batches_of(Stream(images, LABELS), **params)
    assert pixels.dtype == torch.float32
    np.testing.assert_array_equal(pixels[:, 0], np.stack(images))


def test_shards_of_several_dtypes_are_split(pictures):
    X, y = pictures
    shards = [*X[:150], *X[150:].astype(np.float32)]
    clf = Classifier(max_epochs=1).fit(Stream(shards, y))
    assert clf.history[-1, "valid_batch_count"] == 1


def test_an_item_is_copied_immediately(pictures, tmp_path):
    """The next may be written over it, or its file be closed."""
    X, y = pictures
    for number, image in enumerate(X[:30]):
        Image.fromarray(image).save(tmp_path / f"{number}.png")

    class Reused(IterableDataset):
        def __iter__(self):
            buffer = torch.empty(28, 28, dtype=torch.uint8)
            for image, label in zip(X[:30], y[:30], strict=True):
                yield buffer.copy_(torch.as_tensor(image)), label

    class Closed(IterableDataset):
        def __iter__(self):
            for number, label in enumerate(y[:30]):
                with Image.open(tmp_path / f"{number}.png") as image:
                    yield image, label

    for dataset in (Reused(), Closed()):
        batches, _ = batches_of(dataset, train_split=None)
        assert items_of(batches) == items_of([(torch.as_tensor(X[:30, None]), y[:30])])


# --- what is refused ------------------------------------------------------------------------

REFUSED = {
    "Found array with 0 sample(s)": Images([]),
    "Item 0 of the dataset X does not have a label": Images(PIXELS),
    "Item 2 of the dataset X does not have a label": Images(
        [(p, 1) for p in PIXELS[:2]] + [PIXELS[2]]
    ),
    "Item 0 of the dataset X has a label of shape (6,)": Images([(PIXELS[0], LABELS)]),
    "Item 0 of the dataset X is a str, not an image": Images([("a.png", 1)]),
    "Item 1 of the dataset X has shape (4,), but item 0 has (4, 5)": Images(
        [(PIXELS[0], 1), (PIXELS[1, :, 0], 0)]
    ),
    "contains NaN or infinity": Images([(p + np.nan, 1) for p in PIXELS]),
    "The dataset X has labels of different types": Images(
        [(p, label) for p, label in zip(PIXELS, [1, "1"] * 3, strict=True)]
    ),
    "The first 512 images of the dataset X have 512 different labels": Images(
        [(PIXELS[0], i) for i in range(600)]
    ),
    "Item 0 of the dataset X does not have a label. For training": Images(
        [(p, None) for p in PIXELS]
    ),
    "requires at least 2 classes": Images([(p, 1) for p in PIXELS]),
    "X has items of shape (4, 5, 5), which are not images": Images([(np.ones((4, 5, 5)), 1)]),
}


@pytest.mark.parametrize(
    ("message", "data"),
    [
        *REFUSED.items(),
        pytest.param(None, Images([(p, i + 0.5) for i, p in enumerate(PIXELS)]), id="fractions"),
        pytest.param(None, Images([(p, np.nan) for p in PIXELS]), id="nan as label"),
    ],
)
def test_a_bad_stream_is_refused_and_changes_nothing(message, data, monkeypatch):
    monkeypatch.setattr("skorch_mnist._inputs._streams.ENOUGH_IMAGES", 500)
    clf = Classifier()
    before = dict(vars(clf))
    with pytest.raises(ValueError, match=message and re.escape(message)):
        clf.fit(data)
    assert vars(clf) == before


@pytest.mark.parametrize(
    ("params", "arguments", "message"),
    [
        ({}, {"y": LABELS}, "so y must be None"),
        ({}, {"sample_weight": np.ones(6)}, "so sample_weight must be None"),
        ({"train_split": ValidSplit(2)}, {}, "whose images do not have indices"),
        ({"train_split": 1e-4}, {}, "train_split=0.0001 is too small for a stream"),
        ({"use_caching": False}, {}, "does not support use_caching=False"),
        (
            {"callbacks": [EpochScoring("accuracy", use_caching=False)]},
            {},
            "does not support use_caching=False",
        ),
        (
            {"train_split": None, "iterator_train": Stream},
            {},
            "which does not support iterator_train",
        ),
        (
            {"train_split": None, "iterator_train__collate_fn": list},
            {},
            "which does not support iterator_train",
        ),
        ({"batch_size": 64, "iterator_train__batch_size": 0}, {}, "must be a positive integer"),
        ({"class_weight": {1: 0.0, 3: 0.0, 7: 0.0}}, {}, "at least one must be positive"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*too few:UserWarning")
def test_parameters_that_exclude_streams_are_refused(params, arguments, message):
    with pytest.raises(ValueError, match=message):
        Classifier(**params).fit(Stream(PIXELS, LABELS), **arguments)


def test_unknown_labels_are_refused(pictures):
    X, y = pictures
    clf = Classifier(warm_start=True, train_split=None, max_epochs=1).fit(Stream(X, y))
    n_epochs = len(clf.history)
    for refused in (clf.fit, clf.partial_fit):
        with pytest.raises(ValueError, match=r"labels \[10\] that are not among"):
            refused(Stream(X, [10, *y[1:]]))
    with pytest.raises(ValueError, match=r"labels \[10\] that are not among"):
        Classifier(train_split=predefined_split(Stream(X, [10, *y[1:]]))).fit(X, y)
    assert len(clf.history) == n_epochs


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (zip(PIXELS, [3] * 6, strict=True), "now as many with other labels"),
        (zip(PIXELS.astype(np.int16), LABELS, strict=True), "pixels of dtype int16, but uint8"),
        ([], r"yielded 6 images in the first pass, but now 0\. __iter__ of Passes must start over"),
        (zip(PIXELS[:4], LABELS[:4], strict=True), "yielded 6 images in the first pass, but now 4"),
        (
            zip([*PIXELS] * 2, LABELS * 2, strict=True),
            "yielded 6 images in the first pass, but now more",
        ),
        (zip(PIXELS, [9] * 6, strict=True), "yielded the label 9, which was not in the first"),
    ],
)
def test_a_different_second_pass_is_refused(second, message):
    data = Passes([*zip(PIXELS, LABELS, strict=True)], [*second])
    clf = Classifier(train_split=None)
    with pytest.raises(ValueError, match=message):
        clf.fit(data)
    assert not hasattr(clf, "classes_inferred_")


def test_pixels_that_change_cannot_be_split_but_can_be_trained_on(pictures):
    X, y = pictures
    passes = [[*zip(X + np.uint8(i), y, strict=True)] for i in range(3)]
    with pytest.raises(ValueError, match="Images for validation are recognized by their pixels"):
        Classifier().fit(Passes(*passes))
    clf = Classifier(train_split=None).fit(Passes(*passes))
    assert len(clf.history) == 2


def test_workers_that_all_yield_everything_are_refused(pictures):
    params = {"train_split": None, "iterator_train__num_workers": 2, "batch_size": 50}
    with pytest.raises(ValueError, match=r"__iter__ of Unshared must yield a different share"):
        batches_of(Unshared(*pictures), **params)
    batches, _ = batches_of(Stream(*pictures), **params)
    assert [len(labels) for _, labels in batches] == [50, 50, 50, 50, 40]
    X, y = pictures
    assert items_of(batches) == items_of([(torch.as_tensor(X[:, None]), y)])
