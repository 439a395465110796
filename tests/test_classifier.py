"""MNISTCNNClassifier from the point of view of its users."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import textwrap

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from helpers import assert_same_weights, quick, toy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback
from skorch.dataset import Dataset, ValidSplit
from skorch.helper import SliceDataset, predefined_split
from torch import nn
from torch.utils.data import TensorDataset

from skorch_mnist import MNISTCNNClassifier

LABELS = {
    "gapped": np.array([1, 3, 4, 7, 9, 12, 20, 21, 22, 50]),
    "negative": np.arange(-5, 5),
    "float": np.arange(10).astype(float),
    "str": np.array(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    ),
    "object": np.array(list("jihgfedcba"), dtype=object),
}


class BatchSizes(Callback):
    """Counts the images of each batch of training."""

    def on_epoch_begin(self, net, **kwargs):
        self.of_last_epoch = []

    def on_batch_begin(self, net, batch, training, **kwargs):
        if training:
            self.of_last_epoch.append(len(batch[1]))


# --- learning -------------------------------------------------------------------------------


def test_learns_the_digits(digits):
    X_train, X_test, y_train, y_test = digits
    clf = quick(max_epochs=8, lr=3e-3, batch_size=32).fit(X_train, y_train)
    assert clf.score(X_test, y_test) > 0.93


def test_prints_the_table_of_epochs(capsys):
    quick(verbose=1).fit(*toy())
    out = capsys.readouterr().out
    for column in ("epoch", "train_loss", "valid_acc", "valid_loss", "dur"):
        assert column in out
    assert len(out.strip().splitlines()) == 4


def test_is_silent_without_verbose(capfd):
    quick().fit(*toy())
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_predict_returns_original_labels(digits, labels):
    X_train, X_test, y_train, _ = digits
    clf = quick().fit(X_train[:300], labels[y_train[:300]])
    predicted = clf.predict(X_test[:300])
    assert predicted.dtype == labels.dtype
    assert set(predicted) <= set(labels)
    np.testing.assert_array_equal(clf.classes_, np.unique(labels))
    assert clf.history_[-1, "valid_acc"] > 0.3, "validation must see the labels that predict gives"


def test_labels_do_not_change_what_is_learned(digits):
    X_train, X_test, y_train, _ = (part[:200] for part in digits)
    plain = quick().fit(X_train, y_train)
    named = quick().fit(X_train, LABELS["gapped"][y_train])
    np.testing.assert_array_equal(plain.predict_proba(X_test), named.predict_proba(X_test))
    assert plain.history_[:, "valid_acc"] == named.history_[:, "valid_acc"]


def test_boolean_labels():
    X, y = toy(classes=(0, 1))
    assert quick().fit(X, y == 1).predict(X).dtype == bool


# --- forms of X -----------------------------------------------------------------------------


def forms_of(X):
    """The same gray images, uint8 of shape (n, h, w), in every form."""
    n = len(X)
    flat = X.reshape(n, -1)
    return {
        "images": X,
        "flat": flat,
        "channels first": X[:, None],
        "channels last": X[..., None],
        "Fortran order": np.asfortranarray(flat),
        "list": flat.tolist(),
        "float32": flat.astype(np.float32),
        "float64": flat.astype(np.float64),
        "int64": flat.astype(np.int64),
        "uint16": flat.astype(np.uint16),
        "tensor": torch.as_tensor(X),
        "bfloat16 tensor": torch.as_tensor(X).to(torch.bfloat16),
        "frame": pd.DataFrame(flat),
        "dataset": Dataset(X, np.zeros(n, dtype=int)),
        "slice": SliceDataset(Dataset(X, np.zeros(n, dtype=int))),
        "tensor dataset": torch.utils.data.TensorDataset(torch.as_tensor(X), torch.zeros(n)),
    }


@pytest.mark.parametrize("form", forms_of(np.zeros((1, 2, 2), np.uint8)))
def test_layout_of_images_does_not_matter(form):
    X, y = toy(shape=(6, 6))
    reference = quick().fit(X, y)
    other = forms_of(X)[form]
    expected = reference.predict_proba(X)
    np.testing.assert_allclose(reference.predict_proba(other), expected, atol=1e-6)
    np.testing.assert_allclose(quick().fit(other, y).predict_proba(X), expected, atol=1e-5)


def test_color_images_with_channels_first_and_last():
    X, y = toy(shape=(3, 6, 8))
    first = quick().fit(X, y)
    last = quick().fit(np.moveaxis(X, 1, -1), y)
    assert first.image_shape_ == last.image_shape_ == (3, 6, 8)
    np.testing.assert_array_equal(first.predict_proba(X), last.predict_proba(np.moveaxis(X, 1, -1)))


def test_image_shape_of_flat_rows():
    X, y = toy(shape=(4, 9))
    clf = quick(image_shape=(4, 9)).fit(X.reshape(len(X), -1), y)
    assert clf.image_shape_ == (1, 4, 9)
    np.testing.assert_array_equal(clf.predict(X), clf.predict(X.reshape(len(X), -1)))


def test_torchvision_mnist_with_its_own_targets(tmp_path, digits):
    torchvision = pytest.importorskip("torchvision")
    X_train, _, y_train, _ = digits
    dataset = object.__new__(torchvision.datasets.MNIST)
    dataset.data = torch.as_tensor(X_train[:200].reshape(-1, 28, 28))
    dataset.targets = torch.as_tensor(y_train[:200])
    dataset.transform = dataset.target_transform = dataset.transforms = None
    bare = quick().fit(dataset)
    given_targets = quick().fit(dataset, dataset.targets)
    arrays = quick().fit(X_train[:200], y_train[:200])
    assert_same_weights(bare, given_targets)
    np.testing.assert_allclose(
        bare.predict_proba(dataset), arrays.predict_proba(X_train[:200]), atol=1e-5
    )
    assert bare.score(dataset, dataset.targets) > 0


def test_slices_for_images_and_labels():
    X, y = toy()
    dataset = Dataset(X, y)
    sliced = quick().fit(SliceDataset(dataset, idx=0), SliceDataset(dataset, idx=1))
    assert_same_weights(sliced, quick().fit(X, y))


def test_frame_names_its_features():
    X, y = toy()
    columns = [f"pixel{i}" for i in range(36)]
    clf = quick().fit(pd.DataFrame(X.reshape(60, -1), columns=columns), y)
    assert clf.feature_names_in_.tolist() == columns
    assert clf.n_features_in_ == 36


def test_images_are_not_copied_to_float(digits):
    X_train, _, y_train, _ = digits
    seen = []

    class Look(Callback):
        def on_train_begin(self, net, X=None, y=None, **kwargs):
            seen.append(X)

    quick(max_epochs=1, callbacks=[Look()]).fit(X_train, y_train)
    assert np.shares_memory(seen[0], X_train)


@pytest.mark.parametrize("scale", [1 / 255, 16 / 255, 1.0, 257.0])
def test_scale_of_pixels_does_not_matter(digits, scale):
    X_train, X_test, y_train, y_test = digits
    clf = quick(lr=5e-3).fit(X_train * scale, y_train)
    assert clf.score(X_test[:400] * scale, y_test[:400]) > 0.85


def test_other_scale_in_predict_warns(fitted, digits):
    with pytest.warns(UserWarning, match="Rescale X to the range"):
        fitted.predict(digits[1] / 255)


# --- invariants -----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:The brightest pixel")  # of one image alone
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    n_classes=st.integers(2, 5),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    dtype=st.sampled_from([np.uint8, np.int16, np.float32, np.float64, bool]),
    labels=st.sampled_from(["int", "str", "bool", "float"]),
    batch_size=st.sampled_from([1, 7, -1]),
    weighted=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_invariants(n_classes, shape, dtype, labels, batch_size, weighted, seed):
    rng = np.random.RandomState(seed)
    n_classes = 2 if labels == "bool" else n_classes
    n = 6 * n_classes
    X = (rng.rand(n, *shape) * (1 if dtype is bool else 200)).astype(dtype)
    names = {
        "int": rng.choice(1000, n_classes, replace=False) - 500,
        "str": np.array([f"class {i}" for i in range(n_classes)]),
        "bool": np.array([False, True]),
        "float": rng.choice(1000, n_classes, replace=False).astype(float),
    }[labels]
    y = names[np.arange(n) % n_classes]
    weight = rng.rand(n) + 0.1 if weighted else None
    clf = quick(max_epochs=1, batch_size=batch_size, random_state=seed).fit(X, y, weight)

    proba = clf.predict_proba(X)
    assert proba.shape == (n, n_classes)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(np.log(proba), clf.predict_log_proba(X), atol=1e-6)
    assert set(clf.predict(X)) <= set(names)

    order = rng.permutation(n)
    np.testing.assert_allclose(clf.predict_proba(X[order]), proba[order], rtol=1e-9)
    np.testing.assert_allclose(clf.predict_proba(X[:1]), proba[:1], rtol=1e-9)

    channels_last = X.astype(np.float64)[..., None]
    np.testing.assert_allclose(clf.predict_proba(channels_last), proba, atol=1e-6)

    again = clone(clf).fit(X, y, weight)
    np.testing.assert_array_equal(again.predict_proba(X), proba)


# --- seeds ----------------------------------------------------------------------------------


def test_same_seed_gives_bit_identical_results(digits):
    X_train, y_train = digits[0][:200], digits[2][:200]
    first = quick().fit(X_train, y_train)
    torch.rand(7), np.random.rand(7)
    second = quick(verbose=2).fit(X_train, y_train)
    assert_same_weights(first, second)
    assert_same_weights(first, first.fit(X_train, y_train))


def test_another_seed_gives_other_weights():
    X, y = toy()
    one, other = (quick(random_state=seed).fit(X, y).predict_proba(X) for seed in (0, 1))
    assert not np.array_equal(one, other)


@pytest.mark.slow
def test_another_process_gives_bit_identical_results():
    code = """
        import hashlib, numpy as np
        from skorch_mnist import MNISTCNNClassifier
        rng = np.random.RandomState(0)
        X, y = rng.rand(64, 12, 12), np.arange(64) % 4
        clf = MNISTCNNClassifier(max_epochs=2, random_state=3, verbose=0).fit(X, y)
        print(hashlib.sha256(clf.predict_proba(X).tobytes()).hexdigest())
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    outputs = {subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2)}
    assert len(outputs) == 1 and len(outputs.pop()) > 60


def test_global_generators_are_not_changed():
    X, y = toy()
    torch.manual_seed(0)
    np.random.seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    clf = quick().fit(X, y)
    clf.predict(X)
    clf.partial_fit(X, y)
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])


def test_random_state_instance_advances():
    X, y = toy()
    clf = quick(random_state=np.random.RandomState(0))
    first, second = (clf.fit(X, y).predict_proba(X) for _ in range(2))
    assert not np.array_equal(first, second)
    again = quick(random_state=np.random.RandomState(0)).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), first)


def test_random_state_none_uses_the_generator_of_numpy():
    X, y = toy()
    clf = quick(random_state=None)
    np.random.seed(5)
    first, second = (clf.fit(X, y).predict_proba(X) for _ in range(2))
    assert not np.array_equal(first, second)
    np.random.seed(5)
    np.testing.assert_array_equal(clf.fit(X, y).predict_proba(X), first)


# --- weights --------------------------------------------------------------------------------


def test_samples_with_weight_0_are_ignored():
    X, y = toy(60)
    weight = np.ones(60)
    weight[::4] = 0
    weighted = quick(class_weight="balanced").fit(X, y, weight)
    without = quick(class_weight="balanced").fit(X[weight > 0], y[weight > 0])
    assert_same_weights(weighted, without)
    assert weighted.pixel_statistics_ == without.pixel_statistics_


def test_equal_weights_change_only_rounding():
    X, y = toy(60)
    np.testing.assert_allclose(
        quick().fit(X, y, np.full(60, 3.0)).predict_proba(X),
        quick().fit(X, y).predict_proba(X),
        atol=1e-5,
    )


def test_weights_with_a_weighted_criterion():
    X, y = toy(60)
    params = {"criterion__weight": torch.tensor([1.0, 2.0, 0.5])}
    np.testing.assert_allclose(
        quick(**params).fit(X, y, np.ones(60)).predict_proba(X),
        quick(**params).fit(X, y).predict_proba(X),
        atol=1e-5,
    )


def test_class_weight_attracts_predictions(digits):
    X_train, X_test, y_train, _ = (part[:300] for part in digits)
    heavy = quick(class_weight={3: 1000.0}).fit(X_train, y_train)
    assert np.mean(heavy.predict(X_test) == 3) > 0.5


def test_class_weight_works_with_string_labels():
    X, y = toy()
    names = np.array(["a", "b", "c"])[y]
    quick(class_weight={"a": 2.0, "b": 1.0, "c": 0.0}).fit(X, names)
    quick(class_weight="balanced").fit(X, names)


# --- validation split and early stopping ----------------------------------------------------


def test_early_stopping_restores_the_best_weights(digits):
    X_train, y_train = digits[0][:200], digits[2][:200]
    stopping = {"early_stopping": True, "n_iter_no_change": 1}
    clf = quick(max_epochs=40, lr=0.01, **stopping).fit(X_train, y_train)
    accuracies = clf.history_[:, "valid_acc"]
    assert np.argmax(accuracies) + 1 < clf.n_iter_ < 40
    best = quick(max_epochs=int(np.argmax(accuracies)) + 1, lr=0.01).fit(X_train, y_train)
    assert_same_weights(clf, best)


def test_early_stopping_needs_validation():
    X, y = toy()
    with pytest.raises(ValueError, match="early_stopping=True requires validation samples"):
        quick(early_stopping=True, train_split=None).fit(X, y)


def test_scarce_data_is_split_with_a_warning():
    X, y = toy(6)
    with pytest.warns(UserWarning, match="too few, or a class is too rare"):
        quick().fit(X, y)


def test_train_split_by_skorch():
    X, y = toy()
    sizes = BatchSizes()
    clf = quick(train_split=ValidSplit(4, stratified=True), callbacks=[sizes])
    clf.fit(X, np.array(["a", "b", "c"])[y])
    assert clf.history_[-1, "valid_loss"] > 0
    assert sum(sizes.of_last_epoch) == 45


def test_predefined_validation_data():
    X, y = toy(60)
    names = np.array(["a", "b", "c"])[y]
    sizes = BatchSizes()
    clf = quick(train_split=predefined_split(Dataset(X[40:], names[40:])), callbacks=[sizes])
    clf.fit(X[:40], names[:40])
    assert sum(sizes.of_last_epoch) == 40
    assert 0 <= clf.history_[-1, "valid_acc"] <= 1


# --- more training --------------------------------------------------------------------------


def test_partial_fit_learns_from_batches_with_missing_classes(digits):
    X_train, X_test, y_train, y_test = (part[:300] for part in digits)
    order = np.argsort(y_train)
    clf = quick(batch_size=64)
    for _ in range(6):
        for rows in np.array_split(order, 3):
            clf.partial_fit(X_train[rows], y_train[rows], classes=range(10))
    assert clf.n_iter_ == 18
    assert clf.score(X_test, y_test) > 0.5


def test_partial_fit_needs_classes_and_keeps_them():
    X, y = toy()
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        quick().partial_fit(X, y)
    clf = quick().partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="the classes of the first call were"):
        clf.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"labels \[3 4\] that are not among"):
        clf.partial_fit(X, y + 2)


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: 255 - X, "X looks inverted"),
        (lambda X: X / 255, "The brightest pixel of X is 1,"),
        (lambda X: TensorDataset(torch.from_numpy(X / 255)), "The brightest pixel of X is 1,"),
    ],
    ids=["inverted", "other scale", "dataset"],
)
def test_more_images_on_another_scale_warn(change, message, warm_start):
    X, y = toy()
    clf = quick(warm_start=warm_start).fit(X, y)
    train_more = clf.fit if warm_start else clf.partial_fit
    train_more(X[:20], y[:20])
    with pytest.warns(UserWarning, match=message) as caught:
        train_more(change(X), y)
    assert len(caught) == 1


def test_partial_fit_takes_weights_of_missing_classes():
    X, y = toy()
    clf = quick(class_weight={2: 10.0}).partial_fit(X[y < 2], y[y < 2], classes=[0, 1, 2])
    assert clf.partial_fit(X, y).n_iter_ == 2
    with pytest.raises(ValueError, match="class_weight"):
        quick(class_weight={"2": 10.0}).partial_fit(X, y, classes=[0, 1, 2])


@pytest.mark.parametrize("params", [{"early_stopping": True}, {"class_weight": "balanced"}])
def test_partial_fit_refuses_parameters_that_need_all_data(params):
    X, y = toy()
    with pytest.raises(ValueError, match="partial_fit does not support"):
        quick(**params).partial_fit(X, y, classes=[0, 1, 2])


def test_partial_fit_on_datasets():
    X, y = toy()
    arrays = quick().partial_fit(X, y, [0, 1, 2]).partial_fit(X, y)
    slices = SliceDataset(Dataset(X, y)), SliceDataset(Dataset(X, y), idx=1)
    assert_same_weights(arrays, quick().partial_fit(*slices, [0, 1, 2]).partial_fit(*slices))


def test_warm_start_continues():
    X, y = toy()
    clf = quick(warm_start=True).fit(X, y)
    weights = clf.module_.state_dict()["conv1.weight"].clone()
    clf.fit(X, y)
    assert clf.n_iter_ == 4
    cold = quick().fit(X, y)
    assert torch.equal(cold.module_.state_dict()["conv1.weight"], weights)
    assert cold.fit(X, y).n_iter_ == 2


def test_learning_rate_can_change_between_partial_fits():
    X, y = toy()
    clf = quick().partial_fit(X, y, classes=[0, 1, 2])
    clf.set_params(lr=1e-9, optimizer__weight_decay=0.5)
    assert clf.optimizer_.param_groups[0]["lr"] == 1e-9
    assert clf.optimizer_.param_groups[0]["weight_decay"] == 0.5
    before = copy.deepcopy(clf)
    clf.set_params(optimizer__weight_decay=0.0).partial_fit(X, y)
    torch.testing.assert_close(clf.module_.hidden.weight, before.module_.hidden.weight)


# --- components -----------------------------------------------------------------------------


class Linear(nn.Module):
    """A custom network."""

    def __init__(self, image_shape, n_classes, bias=True):
        super().__init__()
        self.layer = nn.Linear(int(np.prod(image_shape)), n_classes, bias=bias)

    def forward(self, images):
        return self.layer(images.flatten(1)), images


def test_custom_module_gets_its_shape():
    X, y = toy()
    clf = quick(module=Linear, module__bias=False).fit(X, y)
    assert clf.module_.layer.weight.shape == (3, 36)
    assert clf.predict_proba(X).shape == (60, 3)


def test_module_instance_is_copied():
    X, y = toy()
    module = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    before = copy.deepcopy(module.state_dict())
    clf = quick(module=module).fit(X, y)
    assert clf.module is module
    assert all(torch.equal(module.state_dict()[key], before[key]) for key in before)
    assert_same_weights(clf, clone(clf).fit(X, y))


class Viewing(nn.Module):
    """A network that needs its images contiguous."""

    def __init__(self, n_outputs=3):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.out = nn.Linear(4 * 36, n_outputs)

    def forward(self, images):
        return self.out(self.conv(images).view(len(images), -1))


def test_module_may_view_its_images():
    X, y = toy(shape=(6, 6, 3))
    assert quick(module=Viewing).fit(X, y).predict_proba(X).shape == (60, 3)


def test_a_wrong_number_of_outputs_is_refused():
    X, y = toy(shape=(3, 6, 6))
    with pytest.raises(ValueError, match=r"must return logits of shape \(batch, n_classes\)"):
        quick(module=Viewing, module__n_outputs=5).fit(X, y)


class Wrapped(nn.Module):
    """Puts the logits of a linear layer into a container."""

    def __init__(self, image_shape, n_classes, container):
        super().__init__()
        self.linear = nn.Linear(image_shape[1] * image_shape[2], n_classes)
        self.container = container

    def forward(self, images):
        logits = self.linear(images.flatten(1))
        return self.container([("logits", logits)] if self.container is dict else [logits])


@pytest.mark.parametrize("container", [dict, list])
def test_outputs_in_another_container_than_a_tuple_are_refused(container):
    with pytest.raises(ValueError, match=f"module returned a {container.__name__} .* of a tuple"):
        quick(module=Wrapped, module__container=container).fit(*toy())
    quick(module=Wrapped, module__container=tuple).fit(*toy())


def test_the_error_for_other_channels_suggests_a_remedy():
    X, y = toy()
    color = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(64, 3))
    with pytest.raises(RuntimeError, match=r"in_channels=3.* image_shape.*images.expand\(-1, 3,"):
        quick(module=color).fit(X, y)
    gray = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(64, 3))
    with pytest.raises(RuntimeError, match=r"in_channels=1.* image_shape.*images.mean\(1,"):
        quick(module=gray).fit(np.stack([X, X, X], axis=-1), y)


def test_errors_of_a_network_show_the_shape_of_its_images():
    for_mnist = nn.Sequential(nn.Flatten(), nn.Linear(784, 3))
    with pytest.raises(RuntimeError, match=r"images of shape \(16, 1, 6, 6\)"):
        quick(module=for_mnist).fit(*toy())


def test_the_error_for_a_last_batch_of_one_suggests_a_remedy():
    X, y = toy(n=33)
    norm = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(36), nn.Linear(36, 3))
    clf = quick(module=norm, train_split=None)
    with pytest.raises(ValueError, match=r"a single image.*iterator_train__drop_last=True"):
        clf.fit(X, y)
    assert clf.set_params(iterator_train__drop_last=True).fit(X, y).n_iter_ == 2


@pytest.fixture
def float64_by_default():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_results_do_not_depend_on_the_default_dtype(float64_by_default, tmp_path):
    X, y = toy()
    params = {"augment": "affine", "class_weight": {0: 2.0, 1: 1.0, 2: 1.0}}
    clf = quick(**params).fit(X, y).partial_fit(X, y)
    clf.save(tmp_path / "clf")
    probabilities = MNISTCNNClassifier.load(tmp_path / "clf").predict_proba(X)
    exported = clf.to_exported_program().module()(torch.from_numpy(X))[1]
    np.testing.assert_allclose(exported, probabilities, rtol=1e-5)
    torch.set_default_dtype(torch.float32)
    same = quick(**params).fit(X, y).partial_fit(X, y)
    np.testing.assert_array_equal(same.predict_proba(X), probabilities)


def test_weights_of_another_dtype_are_named(float64_by_default):
    doubles = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    with pytest.raises(
        RuntimeError, match=r"weights of torch.float64: convert it with its method float"
    ):
        quick(module=doubles).fit(*toy())
    quick(module=doubles.float()).fit(*toy())


def test_divergence_is_an_error():
    X, y = toy()
    with pytest.raises(ValueError, match="Training diverged in epoch 1: the loss became"):
        quick(lr=1e30, batch_size=4).fit(X, y)
    with pytest.raises(ValueError, match="no batch to train on"):
        quick(iterator_train__drop_last=True, batch_size=500).fit(X, y)


def test_a_function_that_makes_no_module_is_refused():
    with pytest.raises(TypeError, match=r"returned a dict\. It must be a torch\.nn\.Module"):
        quick(module=dict).fit(*toy())


def test_nll_loss_gets_log_probabilities():
    X, y = toy()
    nll, cross = quick(criterion=nn.NLLLoss).fit(X, y), quick().fit(X, y)
    np.testing.assert_allclose(nll.predict_proba(X), cross.predict_proba(X), atol=1e-6)


def test_nested_parameters_reach_their_components():
    X, y = toy()
    sizes = BatchSizes()
    clf = quick(
        optimizer=torch.optim.SGD,
        optimizer__momentum=0.9,
        criterion__label_smoothing=0.1,
        iterator_train__drop_last=True,
        iterator_train__shuffle=False,
        batch_size=10,
        callbacks=[sizes],
    ).fit(X, y)
    assert clf.optimizer_.param_groups[0]["momentum"] == 0.9
    assert clf.criterion_.label_smoothing == 0.1
    assert sizes.of_last_epoch == [10] * 4  # the rest is 8


def test_loader_with_workers_gives_the_same_weights():
    X, y = toy()
    assert_same_weights(quick(iterator_train__num_workers=2).fit(X, y), quick().fit(X, y))


# --- parameters -----------------------------------------------------------------------------


def test_a_misspelled_prefix_is_told_from_the_valid_ones():
    with pytest.raises(ValueError, match=r"'optimizer__lr'\? Valid prefixes: callbacks, compile, "):
        quick().set_params(optimizr__lr=0.1)


def test_misspelled_parameters_suggest_the_closest_match():
    X, y = toy()
    for params, nearest in [
        ({"max_epoch": 3}, "max_epochs"),
        ({"module__dropuot": 0.1}, "module__dropout"),
        ({"optimizer__weight_decai": 0.1}, "optimizer__weight_decay"),
        ({"callbacks__print_lag": None}, "callbacks__print_log"),
        ({"iterator_train_shuffle": True}, "iterator_train__shuffle"),
    ]:
        with pytest.raises(ValueError, match=f"Did you mean '{nearest}'"):
            quick(**params).fit(X, y)
        with pytest.raises(ValueError, match=f"Did you mean '{nearest}'"):
            quick().set_params(**params)


def test_set_params_is_all_or_nothing():
    clf = quick()
    with pytest.raises(ValueError, match="batch_siez"):
        clf.set_params(lr=0.5, batch_siez=3)
    assert clf.lr == 1e-3


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"lr": 0}, "'lr'"),
        ({"batch_size": 0}, "'batch_size'"),
        ({"max_epochs": 0}, "'max_epochs'"),
        ({"train_split": 1.5}, "'train_split'"),
        ({"class_weight": "balance"}, "'class_weight'"),
        ({"image_shape": (28,)}, r"image_shape=\(28,\) is not valid: it must be"),
        ({"random_state": "seed"}, "'random_state'"),
        ({"device": "cud"}, "device='cud' cannot be used"),
        ({"callbacks": "off"}, "'callbacks'"),
        ({"callbacks": "disable", "early_stopping": True}, "Set only one of them"),
        ({"iterator_valid__shuffle": True}, "would reorder or drop predictions"),
        ({"iterator_valid__drop_last": True}, "would reorder or drop predictions"),
    ],
)
def test_bad_values_are_refused_before_any_work(params, message):
    clf = quick(**params)
    with pytest.raises(ValueError, match=message):
        clf.fit(*toy())
    assert not hasattr(clf, "module_") and not hasattr(clf, "n_features_in_")


def test_fit_does_not_change_parameters():
    clf = quick()
    before = clf.get_params()
    clf.fit(*toy())
    after = clf.get_params()
    assert before.keys() == after.keys()
    assert all(before[name] is after[name] for name in clf.get_params(deep=False))
    assert clf.device == "auto"


def test_repr_is_short():
    clf = MNISTCNNClassifier(lr=0.1, module__dropout=0.5)
    assert repr(clf) == "MNISTCNNClassifier(lr=0.1, module__dropout=0.5)"
    assert repr(clf.fit(*toy()).set_params(verbose=0)).startswith("MNISTCNNClassifier(lr=0.1")


# --- bad input ------------------------------------------------------------------------------


def with_nan(X):
    X = X.astype(float)
    X[3, 2, 2] = np.nan
    return X


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda X, y: (with_nan(X), y), None),
        (lambda X, y: (with_nan(X) + np.inf, y), None),
        (lambda X, y: (X[:0], y[:0]), None),
        (lambda X, y: (np.full((60, 4), "text"), y), None),
        (lambda X, y: (X * 1j, y), None),
        (lambda X, y: (X, y[:-1]), None),
        (lambda X, y: (X, y * 0), "only one class: 0"),
        (lambda X, y: (X, None), None),
        (lambda X, y: (X[0, 0], y), None),
        (lambda X, y: (X[:, :, :, None, None], y), "are not images"),
        (lambda X, y: (X, y + 0.5), None),
    ],
    ids=[
        "nan",
        "infinity",
        "empty",
        "text",
        "complex",
        "length",
        "one class",
        "no y",
        "1-d",
        "5-d",
        "float y",
    ],
)
def test_bad_input_is_refused_and_changes_nothing(make, message):
    X, y = toy()
    clf = quick().fit(X, y)
    expected = clf.predict_proba(X)
    with pytest.raises(ValueError, match=message):
        clf.fit(*make(X, y))
    np.testing.assert_array_equal(clf.predict_proba(X), expected)


def test_predict_refuses_images_of_another_size(fitted, digits):
    with pytest.raises(ValueError, match="700"):
        fitted.predict(digits[1][:, :700])
    with pytest.raises(ValueError, match=r"\(14, 56\)"):
        fitted.predict(digits[1].reshape(-1, 14, 56))


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)
def test_prediction_needs_fit(method):
    with pytest.raises(NotFittedError):
        getattr(quick(), method)(toy()[0])


def test_785_columns_suggest_a_label_column():
    rng = np.random.RandomState(0)
    with pytest.warns(UserWarning, match="If X still contains the label column"):
        quick().fit(rng.rand(20, 785), np.arange(20) % 2)


# --- copies ---------------------------------------------------------------------------------


def joblib_round_trip(clf, folder):
    joblib.dump(clf, folder / "clf.joblib")
    return joblib.load(folder / "clf.joblib")


@pytest.mark.parametrize("trip", ["pickle", "joblib", "deepcopy"])
def test_copies_of_fitted_and_unfitted_classifiers(trip, tmp_path):
    def around(clf):
        if trip == "joblib":
            return joblib_round_trip(clf, tmp_path)
        return copy.deepcopy(clf) if trip == "deepcopy" else pickle.loads(pickle.dumps(clf))

    X, y = toy()
    fitted = quick(early_stopping=True, verbose=2, callbacks=[]).fit(X, y)
    back = around(fitted)
    np.testing.assert_array_equal(back.predict_proba(X), fitted.predict_proba(X))
    assert back.history_[:, "valid_loss"] == fitted.history_[:, "valid_loss"]
    unfitted = around(quick())
    assert unfitted.get_params().keys() == quick().get_params().keys()
    assert_same_weights(unfitted.fit(X, y), clone(quick()).fit(X, y))
    assert back.set_params(early_stopping=False).partial_fit(X, y).n_iter_ == fitted.n_iter_ + 1


def test_clone_of_a_fitted_classifier_fits_the_same(fitted, digits):
    X_train, X_test, y_train, _ = digits
    again = clone(fitted).fit(X_train, y_train)
    np.testing.assert_array_equal(again.predict_proba(X_test), fitted.predict_proba(X_test))


def test_pickle_is_small(fitted):
    weights = sum(p.numel() * 4 for p in fitted.module_.parameters())
    assert len(pickle.dumps(fitted)) < 2 * weights


def test_history_as_a_frame():
    X, y = toy()
    clf = quick(max_epochs=3).fit(X, y)
    frame = clf.history_frame()
    assert frame.index.tolist() == [1, 2, 3] and frame.index.name == "epoch"
    assert frame["valid_loss"].tolist() == clf.history_[:, "valid_loss"]
    assert "batches" not in frame
    with pytest.raises(NotFittedError):
        quick().history_frame()
