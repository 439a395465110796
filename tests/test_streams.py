"""Torch data sets without numbered items: streams."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skorch.callbacks import EpochScoring
from skorch.dataset import ValidSplit
from skorch.helper import predefined_split
from torch.utils.data import IterableDataset, TensorDataset, get_worker_info

from skorch_mnist import MNISTCNNClassifier
from skorch_mnist._batches._image_dataset import fingerprint
from skorch_mnist._batches._image_stream import ImageStream
from skorch_mnist._batches._split import N_BINS
from skorch_mnist._batches._stream_loader import StreamLoader, shuffled
from skorch_mnist._inputs._layouts import infer_layout
from skorch_mnist._inputs._pixels import pixel_statistics
from skorch_mnist._inputs._streams import StreamedImages, StreamSurvey
from skorch_mnist.checkpoint import ResumeCheckpoint

PIXELS = np.arange(6 * 4 * 5, dtype=np.uint8).reshape(6, 4, 5)
LABELS = [3, 1, 1, 3, 1, 7]
quick = settings(deadline=None, max_examples=30)
Classifier = partial(MNISTCNNClassifier, max_epochs=2, random_state=0, verbose=0)


class Stream(IterableDataset):
    """Items one after the other; those of a worker are its share."""

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
    """What an iterator gives, which can be read once."""

    def __init__(self, items):
        self.items = iter(items)

    def __iter__(self):
        return self.items


class Passes(IterableDataset):
    """Other items in each pass; the first of them goes on in the first."""

    def __init__(self, *passes):
        self.passes = list(passes)

    def __iter__(self):
        yield from self.passes.pop(0) if len(self.passes) > 1 else self.passes[0]


@pytest.fixture(scope="module")
def pictures(digits):
    """Images and labels of the bundled digits to train on."""
    return digits[0][:240].reshape(-1, 28, 28), digits[2][:240]


def stream_of(images, labels, **kwargs):
    read = StreamedImages(Stream(images, labels))
    read.arranged(infer_layout(read.item_shape))
    survey = StreamSurvey(read, N_BINS)
    return ImageStream(read, survey, survey.labels, **kwargs)


def items_of(stream):
    """Images and codes of an ``ImageStream``, as sorted pairs."""
    return sorted(
        (image.tobytes(), int(code))
        for images, codes, _ in stream
        for image, code in zip(images.numpy(), codes, strict=True)
    )


def state_of(clf):
    return {name: weight.numpy() for name, weight in clf.module_.state_dict().items()}


def assert_equal_weights(one, other):
    for name, weight in state_of(one).items():
        np.testing.assert_array_equal(weight, state_of(other)[name])


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
def test_a_stream_is_trained_on_as_arrays_are(pictures, params):
    X, y = pictures
    fit = Classifier(train_split=None, iterator_train__shuffle=False, **params).fit
    stream = fit(Stream(X, y))
    weights = state_of(stream)
    arrays = fit(X, y)
    for name, weight in weights.items():
        np.testing.assert_allclose(weight, state_of(arrays)[name], rtol=1e-4, atol=1e-6)


def test_what_fit_learns_is_what_it_learns_of_arrays(pictures):
    X, y = pictures
    names = np.array([f"digit {label}" for label in y])
    stream = Classifier(max_epochs=1).fit(Stream(X, names))
    arrays = Classifier(max_epochs=1).fit(X, names)
    assert stream.classes_.tolist() == arrays.classes_.tolist()
    assert stream.image_shape_ == arrays.image_shape_
    assert stream.input_format_ == arrays.input_format_
    np.testing.assert_allclose(stream.pixel_statistics_, arrays.pixel_statistics_)
    assert set(stream.predict(X[:20])) <= set(names)


def test_a_training_with_validation_is_repeated_by_its_seed(pictures):
    X, y = pictures
    one, same, other = (Classifier(random_state=s).fit(Stream(X, y)) for s in (0, 0, 1))
    assert_equal_weights(one, same)
    assert one.history[:, "valid_loss"] == same.history[:, "valid_loss"]
    assert one.history[:, "valid_loss"] != other.history[:, "valid_loss"]


def test_early_stopping_goes_back_to_the_best_epoch(pictures):
    X, y = pictures
    stop = {"early_stopping": True, "n_iter_no_change": 1, "lr": 0.01, "max_epochs": 8}
    clf = Classifier(train_split=predefined_split(Stream(X[200:], y[200:])), **stop)
    clf.fit(Stream(X[:200], y[:200]))
    best = max(clf.history[:, "valid_acc"])
    assert clf.score(X[200:], y[200:]) == pytest.approx(best, abs=1e-4)


def test_images_for_validation_may_be_a_stream_or_an_array(pictures):
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
    for name, weight in state_of(clf).items():
        np.testing.assert_allclose(weight, state_of(arrays)[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("train_split", [0.2, ValidSplit(2), 1e-4])
def test_partial_fit_sets_nothing_aside_and_so_needs_no_hashes(train_split, pictures, monkeypatch):
    X, y = pictures
    monkeypatch.delattr("skorch_mnist._inputs._streams.hashes_of")
    clf = Classifier(train_split=train_split).partial_fit(Stream(X, y), classes=range(10))
    assert clf.n_iter_ == 1 and "valid_loss" not in clf.history[-1]


def test_a_training_that_was_cut_off_goes_on(pictures, tmp_path):
    X, y = pictures

    class CutOffError(Exception):
        pass

    class Fragile(Stream):
        n_passes = 0

        def __iter__(self):
            self.n_passes += 1
            if self.n_passes > 4:  # a first pass, and two of an epoch
                raise CutOffError
            return super().__iter__()

    keep = {"callbacks": [ResumeCheckpoint(tmp_path)], "max_epochs": 3}
    with pytest.raises(CutOffError):
        Classifier(**keep).fit(Fragile(X, y))
    resumed = Classifier(**keep).fit(Stream(X, y))
    assert_equal_weights(resumed, Classifier(max_epochs=3).fit(Stream(X, y)))
    assert_equal_weights(resumed, Classifier(**keep).fit(Stream(X[::-1], y[::-1])))
    with pytest.raises(ValueError, match="its images, labels or sample weights are different"):
        Classifier(**keep).fit(Stream(255 - X, y))


# --- prediction -----------------------------------------------------------------------------


def test_a_stream_is_predicted_as_arrays_are(fitted, digits):
    X = digits[1][:300]
    expected = fitted.predict_proba(X)
    for stream in (
        Stream(X.reshape(-1, 28, 28), digits[3][:300]),
        Images(iter(X)),
        Images(Image.fromarray(image.reshape(28, 28)) for image in X),
    ):
        np.testing.assert_array_equal(fitted.predict_proba(stream), expected)


def test_predictions_keep_the_order_of_the_stream_whatever_the_workers(fitted, digits):
    X = digits[1][:150]
    clf = Classifier(iterator_valid__num_workers=2).fit(digits[0][:100], digits[2][:100])
    np.testing.assert_array_equal(clf.predict(Images(iter(X))), clf.predict(X))


def test_score_takes_the_labels_of_what_it_reads(fitted, digits):
    X, y = digits[1][:150].reshape(-1, 28, 28), digits[3][:150]
    expected = fitted.score(X, y)
    weight = np.linspace(0, 1, 150)
    assert fitted.score(Images(zip(X, y, strict=True))) == expected
    assert fitted.score(TensorDataset(torch.as_tensor(X), torch.as_tensor(y))) == expected
    assert fitted.score(Stream(X, y), sample_weight=weight) == fitted.score(X, y, weight)
    assert fitted.score(Stream(X, y), y[::-1]) == fitted.score(X, y[::-1])
    for unlabelled in (X, TensorDataset(torch.as_tensor(X))):
        with pytest.raises(ValueError, match="There are no labels: pass them as y"):
            fitted.score(unlabelled)
    with pytest.raises(ValueError, match="Item 0 of the dataset X does not have a label"):
        fitted.score(Images(X))


# --- the first pass -------------------------------------------------------------------------


@pytest.mark.parametrize("form", [list, torch.as_tensor, lambda p: [*map(Image.fromarray, p)]])
def test_the_first_pass_learns_labels_counts_and_moments(form):
    survey = StreamSurvey(arranged(Stream(form(PIXELS), LABELS)))
    assert survey.labels.tolist() == [1, 3, 7]
    assert survey.counts.sum(axis=1).tolist() == [3, 2, 1]
    assert survey.dtype == np.uint8
    np.testing.assert_allclose(
        survey.pixels.statistics(survey.moments.sum(axis=0)), pixel_statistics(PIXELS)
    )


def arranged(dataset):
    images = StreamedImages(dataset)
    return images.arranged(infer_layout(images.item_shape))


def test_the_order_of_a_stream_does_not_count():
    there, back = (stream_of(PIXELS[::step], LABELS[::step]) for step in (1, -1))
    assert fingerprint([there]) == fingerprint([back])
    assert fingerprint([there]) != fingerprint([stream_of(255 - PIXELS, LABELS)])
    assert fingerprint([there]) != fingerprint([stream_of(PIXELS, LABELS[::-1])])


@quick
@given(
    n=st.integers(5, 60),
    n_classes=st.integers(2, 5),
    fraction=st.sampled_from([0.1, 0.25, 0.5]),
    seed=st.integers(0, 2**31),
)
@pytest.mark.filterwarnings("ignore:.*too few:UserWarning")
def test_validation_takes_a_share_of_each_class_whatever_the_order(n, n_classes, fraction, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (n, 3, 3), np.uint8)
    labels = rng.integers(0, n_classes, n).tolist()
    order = rng.permutation(n)
    parts = []
    for rows in (np.arange(n), order):
        stream = stream_of(images[rows], [labels[row] for row in rows])
        train, valid = stream.split(fraction, np.random.RandomState(seed))
        parts.append((items_of(train), items_of(valid) if valid is not None else []))
    assert parts[0] == parts[1]
    train, valid = parts[0]
    assert sorted(train + valid) == items_of(stream)
    for code, count in enumerate(np.unique(labels, return_counts=True)[1]):
        n_valid = sum(item[1] == code for item in valid)
        assert n_valid <= max(fraction * count + 0.5, 0) and n_valid < count
        assert n_valid >= fraction * count - 1.5 or count < 3


def test_equal_images_of_a_class_are_never_parted():
    images = np.repeat(np.random.default_rng(0).integers(0, 256, (30, 4, 4), np.uint8), 4, axis=0)
    train, valid = stream_of(images, [0, 1] * 60).split(0.5, np.random.RandomState(0))
    assert len(train) + len(valid) == 120 and len(valid) >= 56
    assert not set(items_of(train)) & set(items_of(valid))


# --- batches --------------------------------------------------------------------------------


@quick
@given(
    n=st.integers(1, 200),
    batch_size=st.integers(1, 90) | st.just(-1),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_each_image_is_in_one_batch(n, batch_size, shuffle, drop_last, seed):
    images = np.arange(n, dtype=np.int32)[:, None, None].repeat(4, axis=2)
    stream = stream_of(images, (np.arange(n) % 3).tolist())
    loader = StreamLoader(
        stream, batch_size, shuffle, drop_last, torch.Generator().manual_seed(seed)
    )
    batches = list(loader)
    size = n if batch_size == -1 else batch_size
    whole = [size] * (n // size)
    rest = [n % size] if n % size and not drop_last else []
    assert [len(codes) for _, codes in batches] == whole + rest
    assert len(loader) == len(batches)
    numbers = [int(number) for pixels, _ in batches for number in pixels[:, 0, 0, 0]]
    assert len(set(numbers)) == len(numbers) == sum(whole + rest)
    codes = [int(code) for _, codes in batches for code in codes]
    assert codes == [number % 3 for number in numbers]
    if not shuffle:
        assert numbers == list(range(len(numbers)))


def test_images_are_shuffled_within_what_is_held_back(monkeypatch):
    monkeypatch.setattr("skorch_mnist._batches._stream_loader.SHUFFLED_IMAGES", 500)
    chunks = [(torch.arange(i, i + 50), torch.arange(i, i + 50)) for i in range(0, 2000, 50)]
    draw = lambda seed: [  # noqa: E731
        int(number)
        for numbers, _ in shuffled(iter(chunks), torch.Generator().manual_seed(seed))
        for number in numbers
    ]
    order = draw(0)
    assert sorted(order) == list(range(2000)) and order == draw(0) != draw(1)
    distance = np.abs(np.array(order) - np.arange(2000))
    assert np.median(distance) > 100
    assert all(number < place + 550 for place, number in enumerate(order))


def test_large_images_are_held_back_by_their_bytes(monkeypatch):
    monkeypatch.setattr("skorch_mnist._batches._stream_loader.SHUFFLED_BYTES", 2**20)
    chunks = [(torch.zeros(64, 2**16), torch.arange(i, i + 64)) for i in range(0, 256, 64)]
    order = torch.cat([codes for _, codes in shuffled(iter(chunks), torch.Generator())])
    assert set(order[:64].tolist()) == set(range(64))


def test_batches_of_workers_are_those_of_the_whole(pictures):
    loader = StreamLoader(stream_of(*pictures), 50, num_workers=2)
    batches = list(loader)
    assert [len(codes) for _, codes in batches] == [50, 50, 50, 50, 40]
    images = np.concatenate([batch for batch, _ in batches])
    assert sorted(i.tobytes() for i in images) == sorted(i.tobytes() for i in pictures[0])


def test_pixels_of_several_dtypes_get_one_that_has_room():
    images = [*PIXELS[:3], *(PIXELS[3:] + np.float32(0.5))]
    stream = stream_of(images, LABELS)
    ((pixels, _),) = StreamLoader(stream, -1)
    assert pixels.dtype == torch.float32
    np.testing.assert_array_equal(pixels[:, 0], np.stack(images))


def test_shards_of_several_dtypes_are_split(pictures):
    X, y = pictures
    shards = [*X[:150], *X[150:].astype(np.float32)]
    clf = Classifier(max_epochs=1).fit(Stream(shards, y))
    assert clf.history[-1, "valid_batch_count"] == 1


def test_an_item_is_copied_as_it_comes(pictures, tmp_path):
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
        survey = StreamSurvey(arranged(dataset), N_BINS)
        assert fingerprint([ImageStream(arranged(dataset), survey, survey.labels)]) == (
            fingerprint([stream_of(X[:30], y[:30])])
        )


# --- what is refused ------------------------------------------------------------------------

REFUSED = {
    "Found array with 0 sample(s)": Images([]),
    "Item 0 of the dataset X does not have a label": Images(PIXELS),
    "Item 2 of the dataset X does not have a label": Images(
        [(p, 1) for p in PIXELS[:2]] + [PIXELS[2]]
    ),
    "Item 0 of the dataset X has a label of shape (6,)": Images([(PIXELS[0], LABELS)]),
    "Item 0 of the dataset X is a str, not an image": Images([("a.png", 1)]),
    "Item 1 of the dataset X has shape (4,), item 0 has (4, 5)": Images(
        [(PIXELS[0], 1), (PIXELS[1, :, 0], 0)]
    ),
    "contains NaN or infinity": Images([(p + np.nan, 1) for p in PIXELS]),
    "labels of the dataset X have several types": Images(
        [(p, label) for p, label in zip(PIXELS, [1, "1"] * 3, strict=True)]
    ),
    "Unknown label type: continuous": Images([(p, i + 0.5) for i, p in enumerate(PIXELS)]),
    "has given 20032 labels with 20032 images": Images([(PIXELS[0], i) for i in range(25_000)]),
    "Input y contains NaN": Images([(p, np.nan) for p in PIXELS]),
    "Item 0 of the dataset X does not have a label. To train": Images([(p, None) for p in PIXELS]),
    "needs at least 2 classes": Images([(p, 1) for p in PIXELS]),
    "X has items of shape (4, 5, 5), which are not images": Images([(np.ones((4, 5, 5)), 1)]),
}


@pytest.mark.parametrize(("message", "data"), REFUSED.items(), ids=list(REFUSED))
def test_a_bad_stream_is_refused_and_nothing_is_changed(message, data):
    clf = Classifier()
    before = dict(vars(clf))
    with pytest.raises(ValueError, match=re.escape(message)):
        clf.fit(data)
    assert vars(clf) == before


@pytest.mark.parametrize(
    ("params", "arguments", "message"),
    [
        ({}, {"y": LABELS}, "so y must be None"),
        ({}, {"sample_weight": np.ones(6)}, "so sample_weight must be None"),
        ({"train_split": ValidSplit(2)}, {}, "takes images by index"),
        ({"train_split": 1e-4}, {}, "train_split=0.0001 is too small for a stream"),
        ({"use_caching": False}, {}, "Do not set use_caching=False"),
        (
            {"callbacks": [EpochScoring("accuracy", use_caching=False)]},
            {},
            "Do not set use_caching=False",
        ),
        (
            {"train_split": None, "iterator_train": Stream},
            {},
            "a stream, which iterator_train",
        ),
        (
            {"train_split": None, "iterator_train__collate_fn": list},
            {},
            "a stream, which iterator_train",
        ),
        ({"batch_size": 64, "iterator_train__batch_size": 0}, {}, "must be a positive integer"),
        ({"class_weight": {1: 0.0, 3: 0.0, 7: 0.0}}, {}, "not all of them 0"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*too few:UserWarning")
def test_what_cannot_go_with_a_stream_is_refused(params, arguments, message):
    with pytest.raises(ValueError, match=message):
        Classifier(**params).fit(Stream(PIXELS, LABELS), **arguments)


def test_other_labels_than_those_known_are_refused(pictures):
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
        (zip(PIXELS.astype(np.int16), LABELS, strict=True), "given pixels of int16, but uint8"),
        ([], r"gave 6 images when fit began, now 0\. __iter__ of Passes must start again"),
        (zip(PIXELS[:4], LABELS[:4], strict=True), "gave 6 images when fit began, now 4"),
        (zip([*PIXELS] * 2, LABELS * 2, strict=True), "gave 6 images when fit began, now more"),
        (zip(PIXELS, [9] * 6, strict=True), "has given label 9, which it did not give"),
    ],
)
def test_another_second_pass_is_refused(second, message):
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


def test_workers_that_all_give_everything_are_refused(pictures):
    clf = Classifier(train_split=None, iterator_train__num_workers=2)
    with pytest.raises(ValueError, match=r"__iter__ of Unshared must give each worker its share"):
        clf.fit(Unshared(*pictures))
    assert len(clf.fit(Stream(*pictures)).history) == 2
