"""Model files: what is restored, what is refused, and what a failed save leaves behind."""

from __future__ import annotations

import contextlib
import copy
import errno
import functools
import os
import pickle
import stat
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from helpers import KEY, assert_same_weights, quick, read_model_file, toy, weights_of, write_forged
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from skorch.callbacks import EpochScoring, LRScheduler
from torch import nn
from torch.nn.utils import prune
from torch.overrides import TorchFunctionMode

from skorch_mnist import MNISTCNNClassifier, load_digits28
from skorch_mnist.network import MNISTCNN, BatchNormCNN

DAMAGED = "is damaged or not a model file. Pass a file that MNISTCNNClassifier.save has written."


X, Y = toy(30, shape=(36,))


@pytest.fixture(scope="module")
def clf():
    """A fitted classifier of small images; tests must not change it."""
    return quick(lr=0.01).fit(X, Y)


@pytest.fixture(scope="module")
def content(clf, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    clf.save(path)
    return path.read_bytes()


@pytest.fixture
def path(content, tmp_path):
    """A model file in a folder of its own."""
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    return file


def load(path, **options):
    return MNISTCNNClassifier.load(path, **options)


def round_trip(clf, path, **options):
    clf.save(path)
    return load(path, **options)


def learned(clf):
    """Everything that a fitted classifier knows, as text."""
    epochs = [
        {key: np.asarray(value).item() for key, value in epoch.items() if key != "batches"}
        for epoch in clf.history_
    ]
    weights = {name: weight.tolist() for name, weight in weights_of(clf).items()}
    facts = [clf.classes_.dtype, clf.classes_.tolist(), clf.image_shape_, clf.n_features_in_]
    facts.append(clf.input_format_)
    names = getattr(clf, "feature_names_in_", np.empty(0)).tolist()
    params = sorted(clf.get_params(deep=False).items())
    return repr([*facts, names, clf.pixel_statistics_, params, epochs, weights])


# --- what is restored -----------------------------------------------------------------------


def test_loaded_classifier_gives_the_same_predictions(fitted, digits, tmp_path):
    _, X_test, _, y_test = digits
    loaded = round_trip(fitted, tmp_path / "m")
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        expected = getattr(fitted, method)(X_test)
        np.testing.assert_array_equal(getattr(loaded, method)(X_test), expected)
    assert loaded.score(X_test, y_test) == fitted.score(X_test, y_test)


def test_loaded_classifier_has_all_fitted_attributes(clf, path):
    loaded = load(path)
    assert learned(loaded) == learned(clf)
    assert loaded.n_iter_ == 2
    assert type(loaded) is MNISTCNNClassifier


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["zero", "one", "zwölf"]),
        np.array(["b", "a", "🙂"], dtype=object),
        np.array([1, 3, 50]),
        np.array([-7, 0, 2], dtype=np.int8),
        np.array([2**63, 2**63 + 1, 2**64 - 1], dtype=np.uint64),
        np.array([1, 2, 3], dtype=">i4"),
        np.array([1.0, 2.0, 4.0]),
        np.array([1.0, 2.0, 4.0], dtype=np.float16),
    ],
    ids=lambda labels: str(labels.dtype),
)
def test_labels_keep_value_and_dtype(labels, tmp_path):
    fitted = quick().fit(X, labels[Y])
    loaded = round_trip(fitted, tmp_path / "m")
    np.testing.assert_array_equal(loaded.classes_, np.unique(labels))
    assert loaded.classes_.dtype == fitted.classes_.dtype
    assert loaded.predict(X).dtype == labels.dtype
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))


def test_boolean_labels(tmp_path):
    loaded = round_trip(quick().fit(X, Y == 1), tmp_path / "m")
    assert loaded.classes_.dtype == bool
    assert loaded.classes_.tolist() == [False, True]


def test_string_labels_are_as_wide_as_they_need(tmp_path):
    wide = np.array(["a", "b", "c"], dtype="<U99")
    loaded = round_trip(quick().fit(X, wide[Y]), tmp_path / "m")
    assert loaded.classes_.tolist() == ["a", "b", "c"]
    assert loaded.classes_.dtype == "<U1"


def test_labels_without_a_json_type_cannot_be_saved(tmp_path):
    fitted = quick().fit(X, Y.astype(np.longdouble))
    if fitted.classes_.dtype == np.float64:
        pytest.skip("longdouble is double here")
    with pytest.raises(ValueError, match=r"Labels of dtype float\d+ cannot be saved in a model"):
        fitted.save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_parameters_keep_their_types(tmp_path):
    params = {
        "image_shape": (4, 9),
        "class_weight": {0: 1.0, 1: np.float32(0.5), 2: 2},
        "batch_size": 7,
        "lr": np.float64(0.002),
        "train_split": None,
        "optimizer": torch.optim.SGD,
        "criterion": nn.NLLLoss,
        "device": torch.device("cpu"),
        "module__dropout": 0.3,
        "optimizer__momentum": 0.9,
        "callbacks": "disable",
    }
    loaded = round_trip(quick(**params).fit(X, Y), tmp_path / "m").get_params(deep=False)
    assert {name: loaded[name] for name in params} == {**params, "device": "cpu"}
    assert type(loaded["image_shape"]) is tuple
    assert list(map(type, loaded["class_weight"])) == [int, int, int]


def test_feature_names(tmp_path):
    columns = [f"pixel{i}" for i in range(36)]
    frame = pd.DataFrame(X, columns=columns)
    loaded = round_trip(quick().fit(frame, Y), tmp_path / "m")
    assert loaded.feature_names_in_.tolist() == columns
    assert loaded.feature_names_in_.dtype == object
    assert len(loaded.predict(frame)) == len(X)


def test_rows_that_were_padded_to_a_square(tmp_path):
    with pytest.warns(UserWarning, match="30 pixels per row, which do not form a square"):
        fitted = quick().fit(X[:, :30], Y)
    loaded = round_trip(fitted, tmp_path / "m")
    assert (loaded.n_features_in_, loaded.image_shape_) == (30, (1, 6, 6))
    np.testing.assert_array_equal(loaded.predict_proba(X[:, :30]), fitted.predict_proba(X[:, :30]))


def test_history_is_kept_without_its_batches(path, clf):
    history = load(path).history_
    assert history[:, "train_loss"] == clf.history_[:, "train_loss"]
    assert history[:, "valid_acc"] == clf.history_[:, "valid_acc"]
    assert [epoch["batches"] for epoch in history] == [[], []]


def test_saving_again_gives_identical_bytes(path, content):
    load(path).save(path)
    assert path.read_bytes() == content


def test_global_generators_are_not_changed(path, clf):
    state, numbers = torch.get_rng_state(), np.random.get_state()[1].copy()
    clf.save(path)
    load(path)
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(np.random.get_state()[1], numbers)


# --- files of earlier versions --------------------------------------------------------------


def test_file_of_format_1_gives_the_same_probabilities_as_before():
    folder = Path(__file__).parent / "data"
    clf = load(folder / "model_format_1.safetensors")
    pixels = load_digits28().images[:20, ::3, ::3].reshape(20, 100)
    np.testing.assert_allclose(
        clf.predict_proba(pixels), np.load(folder / "model_format_1.npy"), rtol=1e-5
    )
    assert clf.classes_.tolist() == sorted(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    )
    assert clf.get_params()["module__dropout"] == 0.1
    assert clf.history_[:, "valid_loss"] == [2.0085227489471436, 1.2200136184692383]
    assert clf.input_format_ == ((100,), "float32")


def test_file_of_format_2_gives_the_same_probabilities_as_before():
    folder = Path(__file__).parent / "data"
    clf = load(folder / "model_format_2.safetensors")
    pixels = (np.arange(90 * 36) * 37 % 256).astype(np.uint8).reshape(90, 36)
    expected = np.load(folder / "model_format_2.npy")
    np.testing.assert_allclose(clf.predict_proba(pixels), expected, rtol=1e-5)
    assert clf.classes_.tolist() == [0, 1, 2]
    assert clf.input_format_ == ((36,), "uint8")
    assert clf.get_params()["module__widths"] == (4,)


def test_file_of_format_1_is_saved_in_the_newest_format(tmp_path):
    clf = load(Path(__file__).parent / "data" / "model_format_1.safetensors")
    assert learned(round_trip(clf, tmp_path / "m")) == learned(clf)


# --- after loading --------------------------------------------------------------------------


def test_loaded_classifier_can_continue_training(path):
    loaded = load(path)
    before = loaded.predict_proba(X)
    loaded.partial_fit(X, Y)
    assert loaded.n_iter_ == 3
    assert not np.array_equal(loaded.predict_proba(X), before)
    loaded.set_params(warm_start=True).fit(X, Y)
    assert loaded.n_iter_ == 5


def test_loaded_classifier_can_be_fitted_again(path, clf):
    again = load(path).fit(X, Y)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))


def test_loaded_classifier_can_be_pickled_copied_and_cloned(path, clf):
    loaded = load(path)
    expected = clf.predict_proba(X)
    for other in (pickle.loads(pickle.dumps(loaded)), copy.deepcopy(loaded)):
        np.testing.assert_array_equal(other.predict_proba(X), expected)
    assert clone(loaded).get_params(deep=False) == clone(clf).get_params(deep=False)


def test_unpickled_classifier_can_be_saved(clf, path, content):
    pickle.loads(pickle.dumps(clf)).save(path)
    assert path.read_bytes() == content


def test_an_unavailable_device_is_replaced_by_the_cpu_with_a_warning(clf, path):
    copy.deepcopy(clf).set_params(device="cuda:97").save(path)
    with pytest.warns(UserWarning, match=r"'cuda:97' cannot be used.*is now on the CPU"):
        loaded = load(path)
    assert loaded.device == "cuda:97"
    assert loaded.device_ == torch.device("cpu")
    np.testing.assert_array_equal(loaded.predict_proba(X), clf.predict_proba(X))


def test_compiled_network_is_stored_like_a_plain_one(clf, path, tmp_path):
    compiled = load(path).set_params(compile=True, compile__backend="eager").initialize()
    assert hasattr(compiled.module_, "_orig_mod")
    compiled.save(tmp_path / "compiled")
    names = read_model_file(tmp_path / "compiled")[1].keys()
    assert names == clf.module_.state_dict().keys()
    assert hasattr(load(tmp_path / "compiled").module_, "_orig_mod")


# --- values that are not plain data ---------------------------------------------------------


def left_out(names):
    names = ", ".join(names)
    return rf"not plain data: {names}\. The loaded classifier will have their defaults; its"


def test_random_state_and_callbacks_are_not_saved_with_a_warning(tmp_path):
    fitted = quick(random_state=np.random.RandomState(0), callbacks=[LRScheduler()]).fit(X, Y)
    with pytest.warns(UserWarning, match=left_out(["random_state", "callbacks"])) as caught:
        fitted.save(tmp_path / "m")
    assert caught[0].filename == __file__
    loaded = load(tmp_path / "m")
    assert loaded.random_state is None and loaded.callbacks is None
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))


def test_compiler_options_are_not_saved_with_a_warning(clf, path):
    compiled = load(path).set_params(compile__mode="default", compile__options={"trace.graph": 1})
    with pytest.warns(UserWarning, match=left_out(["compile__options"])):
        compiled.save(path)
    assert load(path).get_params()["compile__mode"] == "default"


def test_arguments_of_components_that_are_not_saved_are_not_saved(tmp_path):
    class Slow(torch.optim.SGD):
        def __init__(self, params, lr, patience):
            super().__init__(params, lr)

    scoring = EpochScoring("accuracy", name="mine")
    fitted = quick(
        optimizer=Slow,
        optimizer__patience=3,
        callbacks=[("scoring", scoring)],
        callbacks__scoring__lower_is_better=False,
    ).fit(X, Y)
    names = ["optimizer", "callbacks", "optimizer__patience", "callbacks__scoring__lower_is_better"]
    with pytest.warns(UserWarning, match=left_out(names)):
        fitted.save(tmp_path / "m")
    loaded = load(tmp_path / "m")
    assert loaded.optimizer is torch.optim.Adam
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))


class Net(nn.Module):
    """A network with an argument that is not plain data, and a buffer without dimensions."""

    def __init__(self, n_classes, n_hidden=4, activation=torch.tanh):
        super().__init__()
        self.flat = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(36))
        self.hidden, self.output = nn.Linear(36, n_hidden), nn.Linear(n_hidden, n_classes)
        self.activation = activation

    def forward(self, x):
        return self.output(self.activation(self.hidden(self.flat(x))))


def test_custom_network_must_be_passed_to_load(tmp_path):
    fitted = quick(module=Net, module__n_hidden=5).fit(X, Y)
    fitted.save(tmp_path / "m")
    with pytest.raises(ValueError, match="cannot be loaded") as caught:
        load(tmp_path / "m")
    name = f"{Net.__module__}.Net"
    expected = (
        f"{tmp_path / 'm'} cannot be loaded: its network is {name}; pass this class as module"
    )
    assert str(caught.value) == expected
    loaded = load(tmp_path / "m", module=Net)
    assert loaded.module__n_hidden == 5
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))


def test_network_made_by_a_function_must_be_passed_to_load(tmp_path):
    def make():
        return Net(3, n_hidden=6)

    fitted = quick(module=make).fit(X, Y)
    fitted.save(tmp_path / "m")
    with pytest.raises(ValueError, match=r"its network is .*\.make; pass this class as module"):
        load(tmp_path / "m")
    for module in (make, make()):
        loaded = load(tmp_path / "m", module=module)
        np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))


def test_instance_of_our_network_must_be_passed_to_load(tmp_path):
    network = BatchNormCNN((1, 6, 6), 3, widths=(4, 8), shifted_copies=True)
    fitted = quick(module=network).fit(X, Y)
    fitted.save(tmp_path / "m")
    message = r"an instance of skorch_mnist\.network\.BatchNormCNN; pass this class as module"
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "m")
    loaded = load(tmp_path / "m", module=network)
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))


def test_network_changed_after_fit_must_be_passed_to_load(tmp_path):
    def make(image_shape=(1, 6, 6), n_classes=3):
        network = MNISTCNN(image_shape, n_classes)
        prune.l1_unstructured(network.hidden, "weight", amount=0.5)
        return network

    fitted = quick().fit(X, Y)
    prune.l1_unstructured(fitted.module_.hidden, "weight", amount=0.5)
    fitted.save(tmp_path / "m")
    with pytest.raises(ValueError, match="layers were changed before it was saved"):
        load(tmp_path / "m")
    for module in (make, make()):
        loaded = load(tmp_path / "m", module=module)
        np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))


def test_network_argument_that_is_not_plain_data_cannot_be_saved(tmp_path):
    fitted = quick(module=Net, module__activation=torch.sigmoid).fit(X, Y)
    with pytest.raises(ValueError, match=r"module__activation=.*cannot be saved in a model file"):
        fitted.save(tmp_path / "m")
    partial = functools.partial(Net, activation=torch.sigmoid)
    fitted = quick(module=partial).fit(X, Y)
    loaded = round_trip(fitted, tmp_path / "m", module=partial)
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))


def test_a_network_that_begins_with_trained_weights_is_loaded_without_warnings(tmp_path):
    trained = Net(3).state_dict()

    class Trained(Net):
        def __init__(self, n_classes):
            super().__init__(n_classes)
            self.load_state_dict(trained)

    fitted = quick(module=Trained).fit(X, Y)
    fitted.save(tmp_path / "m")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loaded = load(tmp_path / "m", module=Trained)
    assert caught == []
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))


def test_wrong_network_is_refused(path):
    with pytest.raises(
        ValueError, match=r"its weights do not match the network Net: \['conv1.bias'"
    ):
        load(path, module=Net)


def test_a_given_network_takes_no_memory_before_its_weights_fit(path):
    write_forged(path, setting(module__widths={"tuple": [6000, 6000]}))
    with (
        little_memory(),
        pytest.raises(ValueError, match="its weights do not match the network Bat"),
    ):
        load(path, module=BatchNormCNN)


class Dated(Net):
    def get_extra_state(self):
        return {"when": "today"}

    def set_extra_state(self, state):
        pass


def test_state_that_is_not_a_tensor_cannot_be_saved(tmp_path):
    fitted = quick(module=Dated).fit(X, Y)
    with pytest.raises(
        ValueError, match="The network has a dict in its state_dict, '_extra_state'"
    ):
        fitted.save(tmp_path / "m")


def test_subclasses_load_as_themselves(path):
    class Mine(MNISTCNNClassifier):
        pass

    assert type(Mine.load(path)) is Mine


# --- damaged files and other files ----------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_truncated_file_is_refused(content, tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "truncated"
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(ValueError, match="is damaged or not a model file"):
        load(path)


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_flipped_bits_are_refused_or_change_nothing(clf, content, tmp_path_factory, data):
    header = int.from_bytes(content[:8], "little")
    places = st.integers(0, 7) | st.integers(8, header) | st.integers(0, len(content) - 1)
    changed = bytearray(content)
    changed[data.draw(places)] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.getbasetemp() / "flipped"
    path.write_bytes(changed)
    try:
        loaded = load(path)
    except ValueError:
        return
    assert learned(loaded) == learned(clf)


@settings(deadline=None, max_examples=30)
@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused(tmp_path_factory, junk):
    path = tmp_path_factory.getbasetemp() / "junk"
    path.write_bytes(junk)
    with pytest.raises(ValueError, match="damaged") as caught:
        load(path)
    assert str(caught.value) == f"{path} {DAMAGED}"


@pytest.mark.parametrize("metadata", [None, {KEY: "{"}, {KEY: "[]"}, {KEY: "7"}, {"other": "{}"}])
def test_other_safetensors_files_are_refused(metadata, tmp_path):
    path = tmp_path / "m"
    path.write_bytes(safetensors.torch.save({"w": torch.zeros(2)}, metadata=metadata))
    with pytest.raises(ValueError, match="is damaged or not a model file"):
        load(path)


def test_pickles_are_refused_and_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    torch.save(Bomb(), tmp_path / "m")
    with pytest.raises(ValueError, match="is damaged or not a model file"):
        load(tmp_path / "m")
    assert not (tmp_path / "exploded").exists()


def test_missing_file_and_folder_are_the_usual_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        load(tmp_path / "nothing")
    with pytest.raises(
        IsADirectoryError, match=r"is a folder, not a model file. Pass the file in it"
    ):
        load(tmp_path)


# --- forged files ---------------------------------------------------------------------------


def nested(depth, inner=None):
    for _ in range(depth):
        inner = [inner]
    return inner


class LargestTensor(TorchFunctionMode):
    """Record the size of the largest tensor that takes memory."""

    n_bytes = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and not result.is_meta:
            self.n_bytes = max(self.n_bytes, result.nbytes)
        return result


@contextlib.contextmanager
def little_memory():
    """Within the block, neither torch nor Python allocates much memory."""
    tracemalloc.start()
    try:
        with LargestTensor() as tensors:
            yield
        assert tensors.n_bytes < 1e6
        assert tracemalloc.get_traced_memory()[1] < 30e6
    finally:
        tracemalloc.stop()


def setting(**params):
    return lambda manifest: manifest["params"].update(params)


def stating(**facts):
    return lambda manifest: manifest.update(facts)


def labels(dtype, labels):
    return stating(classes={"dtype": dtype, "labels": labels})


def statistics(**numbers):
    return lambda manifest: manifest["pixel_statistics"].update(numbers)


def other_network(**params):
    def change(manifest):
        manifest["module"] = "skorch_mnist.network.BatchNormCNN"
        manifest["params"].update({f"module__{name}": value for name, value in params.items()})

    return change


FORGERIES = {
    "class of another library": (
        setting(optimizer={"class": "os.system"}),
        "'os.system', which is",
    ),
    "function of torch": (setting(optimizer={"class": "torch.load"}), "'torch.load', which is not"),
    "unknown class": (setting(criterion={"class": "torch.nn.NoLoss"}), "'torch.nn.NoLoss', which"),
    "layer as loss": (
        setting(
            criterion={"class": "torch.nn.Linear"},
            criterion__in_features=10**6,
            criterion__out_features=10**6,
        ),
        "'torch.nn.Linear', which is not one of the allowed classes",
    ),
    "loss as loader": (setting(iterator_valid={"class": "torch.nn.NLLLoss"}), "its iterator_valid"),
    "loader as loss": (setting(criterion={"class": "torch.utils.data.DataLoader"}), "its criteri"),
    "loss as optimizer": (setting(optimizer={"class": "torch.nn.NLLLoss"}), "its optimizer="),
    "string as optimizer": (setting(optimizer="Adam"), "its optimizer='Adam'"),
    "army of workers": (setting(iterator_valid__num_workers=10**6), "its iterator_valid__num_wo"),
    "string as workers": (
        setting(iterator_train__num_workers="2"),
        "its iterator_train__num_workers",
    ),
    "compiler": (
        setting(compile=True, compile__options={"dict": [["cpp.cxx", {"tuple": ["/bin/sh"]}]]}),
        "its compile__options=",
    ),
    "backend of another": (setting(compile__backend="evil"), "its compile__backend='evil'"),
    "number as switch": (setting(compile__fullgraph=1), "its compile__fullgraph=1"),
    "string that collates": (
        setting(iterator_valid__collate_fn="os.system"),
        "its iterator_valid__c",
    ),
    "sampler of predictions": (setting(iterator_valid__sampler=[0]), "its iterator_valid__sampler"),
    "endless prefetching": (
        setting(iterator_valid__num_workers=1, iterator_valid__prefetch_factor=10**12),
        "its iterator_valid__prefetch_factor=",
    ),
    "labels of unequal length": (
        labels("<U", [*(f"{n:05}" for n in range(4000)), "a" * 40_000]),
        "its labels are too long",
    ),
    "many pixels of few": (stating(image_shape=[1, 16, 16]), "its n_features_in is not valid"),
    "layout of fractions": (
        stating(input_format={"shape": [36.0], "dtype": "uint8"}),
        "its input_format is not valid",
    ),
    "class that is not a string": (
        setting(optimizer={"class": ["os", "system"]}),
        "which is not one of",
    ),
    "unknown kind": (setting(lr={"eval": "1"}), "'1', which is not one of the allowed classes"),
    "two kinds": (setting(lr={"tuple": [], "dict": []}), "cannot be loaded"),
    "keys that cannot be": (setting(class_weight={"dict": [[[1], 2]]}), "cannot be loaded"),
    "deep nesting": (setting(callbacks=nested(900)), "cannot be loaded"),
    "callbacks that are none": (setting(callbacks=["os.system"]), "cannot be loaded"),
    "unknown parameter": (setting(epochs=3), "'epochs' is not a valid parameter"),
    "method as parameter": (setting(predict=3), "'predict' is not a valid parameter"),
    "attribute as parameter": (
        setting(history_=3),
        r"\['history_'\], which are not valid parameters",
    ),
    "private parameter": (setting(_random_state=3), "which are not valid parameters"),
    "module as parameter": (setting(module=None), "cannot be loaded"),
    "negative epochs": (setting(max_epochs=-1), "max_epochs"),
    "negative batch": (setting(batch_size=-5), "batch_size"),
    "string as number": (setting(lr="fast"), r"\blr\b"),
    "list as device": (setting(device=["cpu"]), "device"),
    "dropout above 1": (setting(module__dropout=7), "dropout"),
    "network of another size": (
        setting(module__n_classes=4),
        "its weights do not match the network",
    ),
    "gigantic network": (setting(module__image_shape=[1, 10**6, 10**6]), "do not match|cannot be"),
    "gigantic image": (
        stating(
            image_shape=[1, 10**5, 10**5],
            n_features_in=10**10,
            input_format={"shape": [10**10], "dtype": "uint8"},
        ),
        "weights do not match the network|cannot be",
    ),
    "more than gigantic image": (stating(image_shape=[1, 10**30, 10**30]), "cannot be loaded"),
    "negative image": (
        stating(image_shape=[1, -6, -6]),
        "is not valid: it must be",
    ),
    "flat image": (stating(image_shape=[6, 6]), "its image_shape is not valid"),
    "fractional image": (
        stating(image_shape=[1, 6.0, 6.0]),
        "is not valid: it must be",
    ),
    "image that is a string": (
        stating(image_shape="166"),
        "is not valid: it must be",
    ),
    "no features": (stating(n_features_in=0), "its n_features_in is not valid"),
    "too many features": (stating(n_features_in=37), "its n_features_in is not valid"),
    "feature that is a string": (stating(n_features_in="36"), "its n_features_in is not valid"),
    "few feature names": (stating(feature_names_in=["a"]), "its feature_names_in is not valid"),
    "numbers as feature names": (
        stating(feature_names_in=[1] * 36),
        "feature_names_in is not valid",
    ),
    "one class": (labels("<i8", [0]), "its classes is not valid"),
    "classes out of order": (labels("<i8", [2, 1, 0]), "its classes is not valid"),
    "classes twice": (labels("<i8", [0, 1, 1]), "its classes is not valid"),
    "four classes": (labels("<i8", [0, 1, 2, 3]), "weights do not match the network"),
    "class that does not fit": (labels("|u1", [0, 1, 300]), "cannot be loaded"),
    "numbers as strings": (labels("<U", [0, 1, 2]), "its labels are not of dtype <U"),
    "nested classes": (labels("<i8", [[0], [1], [2]]), "its labels are not of dtype <i8"),
    "objects in classes": (labels("|O", [{}, [], None]), "Labels of dtype object cannot be"),
    "gigantic strings": (labels("<U500000000", ["a", "b", "c"]), "its labels have dtype '<U5"),
    "structured classes": (labels("i4,O", [0, 1, 2]), "its labels have dtype 'i4,O'"),
    "dates": (labels("<M8[s]", [0, 1, 2]), r"its labels have dtype '<M8\[s\]'"),
    "dtype that is none": (labels(["O"], [0, 1, 2]), "cannot be loaded"),
    "no deviation": (statistics(std=0), "its pixel_statistics is not valid"),
    "negative deviation": (statistics(std=-1.0), "its pixel_statistics is not valid"),
    "no mean": (statistics(mean=float("nan")), "its pixel_statistics is not valid"),
    "range upside down": (statistics(low=9.0, high=1.0), "its pixel_statistics is not valid"),
    "mean that is a string": (statistics(mean="1"), "its pixel_statistics is not valid"),
    "mean that is true": (statistics(mean=True), "its pixel_statistics is not valid"),
    "mean beyond float32": (statistics(mean=1e300), "its pixel_statistics is not valid"),
    "deviation below float32": (statistics(std=1e-300), "its pixel_statistics is not valid"),
    "other statistics": (statistics(median=1), "cannot be loaded: .*median"),
    "history that is a string": (stating(history="abc"), "cannot be loaded"),
    "history with objects": (stating(history=[{"train_loss": [1]}]), "its history is not valid"),
    "no params": (stating(params=None), "cannot be loaded"),
    "no module": (stating(module=None), "its network is None; pass this class as module"),
    "other module": (
        stating(module="os.system"),
        "its network is os.system; pass this class as module",
    ),
    "our other network": (other_network(), "its weights do not match the network BatchNormCNN"),
    "endless network": (other_network(depth=10**9), "can have at most 100 convolutions"),
    "many stages": (other_network(widths={"tuple": [1] * 10**5}), "at most 100 convolutions"),
    "wide network": (other_network(widths={"tuple": [10**7, 10**7]}), "do not match|cannot be"),
    "widths that are a string": (other_network(widths="888"), "widths='888' is not valid"),
    "wide padding": (other_network(padding=10**6), "its weights do not match the network"),
    "no layout": (stating(input_format={"dtype": "uint8"}), "cannot be loaded"),
    "other layout": (stating(input_format={"shape": [2, 18], "dtype": "uint8"}), "is expected, w"),
    "large layout": (
        stating(input_format={"shape": [37], "dtype": "uint8"}),
        "input_format is not",
    ),
    "layout as a string": (
        stating(input_format={"shape": "6", "dtype": "uint8"}),
        "cannot be loaded",
    ),
    "strange pixels": (stating(input_format={"shape": [36], "dtype": "object"}), "input_format is"),
    "listed pixels": (stating(input_format={"shape": [36], "dtype": ["u"]}), "input_format is not"),
    "format 4": (stating(format=4), r"has format 4, but this version of .* reads only 1 to 3\. In"),
    "format 0": (stating(format=0), r"has format 0, but this version of .* reads only 1 to 3\. In"),
    "format that is a string": (
        stating(format="1"),
        "has format '1', but this version of skorch_mnist",
    ),
    "format that is true": (
        stating(format=True),
        "has format True, but this version of skorch_mnist",
    ),
    "versions that are none": (stating(versions=7, format=3), "is damaged or not a model file"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_file_is_refused_without_much_memory(name, path):
    change, message = FORGERIES[name]
    write_forged(path, change)
    with little_memory(), pytest.raises(ValueError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))


def test_a_forged_optimizer_is_not_made_before_training(path):
    write_forged(path, setting(optimizer={"class": "torch.optim.Optimizer"}))
    clf = load(path)
    assert not hasattr(clf, "optimizer_")
    X = np.random.RandomState(0).randint(256, size=(4, clf.n_features_in_)).astype(np.uint8)
    before = clf.predict(X)
    with pytest.raises(TypeError):
        clf.partial_fit(X, clf.classes_[[0, 1, 0, 1]])
    np.testing.assert_array_equal(clf.predict(X), before)


KEYS = [
    "format", "versions", "module", "params", "classes", "n_features_in", "feature_names_in",
    "image_shape", "input_format", "pixel_statistics", "history",
]  # fmt: skip


def test_the_manifest_has_these_keys_and_needs_each(path, content):
    assert [*read_model_file(path)[0]] == KEYS
    for key in KEYS:
        path.write_bytes(content)
        write_forged(path, lambda manifest, key=key: manifest.pop(key))
        with pytest.raises(ValueError, match=f"^{path} "):
            load(path)


def test_changed_manifest_without_its_hash_is_refused(path):
    write_forged(path, statistics(mean=1.0), seal=False)
    with pytest.raises(ValueError, match="is damaged or not a model file"):
        load(path)


def test_wrong_weights_are_refused(path, content):
    weights = read_model_file(path)[1]
    for changed in (
        {},
        {**weights, "extra": torch.zeros(1)},
        {**weights, "output.bias": torch.zeros(4)},
        {**weights, "output.bias": torch.zeros(3, dtype=torch.int32)},
        {name: tensor for name, tensor in weights.items() if name != "conv1.bias"},
    ):
        write_forged(path, lambda manifest: None, changed)
        with pytest.raises(ValueError, match="its weights do not match the network MNISTCNN"):
            load(path)
        path.write_bytes(content)


def test_weights_that_are_not_finite_are_refused(path):
    weights = read_model_file(path)[1]
    spoilt = torch.full((3,), float("nan"))
    write_forged(path, lambda manifest: None, {**weights, "output.bias": spoilt})
    with pytest.raises(ValueError, match="its weights contain NaN or infinity"):
        load(path)


# --- writing --------------------------------------------------------------------------------


def test_unfitted_classifier_cannot_be_saved(tmp_path):
    with pytest.raises(NotFittedError):
        quick().save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_parameters_that_could_not_be_loaded_are_not_saved(path, content):
    broken = load(path).set_params(max_epochs=-1)
    with pytest.raises(ValueError, match="max_epochs"):
        broken.save(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["model", "mödel 数字.bin", "x" * 255, ".hidden"])
def test_any_file_name(name, clf, tmp_path):
    clf.save(str(tmp_path / name))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert load(str(tmp_path / name)).n_iter_ == 2


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_follow_the_umask(mask, clf, tmp_path):
    before = os.umask(mask)
    try:
        clf.save(tmp_path / "m")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "m").stat().st_mode) == 0o666 & ~mask


@pytest.mark.parametrize("where", ["nowhere/m", "file/m", "folder", "."])
def test_an_impossible_path_is_named_in_the_error(where, clf, tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=where) as caught:
        clf.save(tmp_path / where)
    assert caught.value.filename == str(tmp_path / where)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_unwritable_folder(clf):
    with pytest.raises(OSError, match=r"/proc/model\.safetensors"):
        clf.save("/proc/model.safetensors")


def test_read_only_file_is_not_replaced(clf, path):
    path.write_bytes(b"precious")
    path.chmod(0o444)
    with pytest.raises(PermissionError, match="Permission denied"):
        clf.save(path)
    assert path.read_bytes() == b"precious"


def test_devices_and_pipes_are_not_replaced(clf, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(PermissionError):
        clf.save(pipe)
    assert pipe.is_fifo()


def test_links_are_followed(clf, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "real")
    clf.save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert load(tmp_path / "real").n_iter_ == 2


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_failed_save_leaves_the_old_file_and_nothing_else(step, clf, path, content, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="No space left on device") as caught:
        quick().fit(X, Y).save(path)
    assert caught.value.filename == str(path)
    assert list(path.parent.iterdir()) == [path]
    assert path.read_bytes() == content


def test_interrupted_save_leaves_the_old_file_and_nothing_else(clf, path, content, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        clf.save(path)
    assert list(path.parent.iterdir()) == [path]
    assert path.read_bytes() == content


def test_threads_may_save_to_one_path(clf, path, content):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: clf.save(path), range(12)))
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_overwriting_a_file_does_not_change_a_loaded_classifier(path, clf):
    loaded = load(path)
    path.write_bytes(b"")
    assert_same_weights(loaded, clf)


def test_loading_while_another_replaces_the_file(clf, path):
    with ThreadPoolExecutor(2) as pool:
        saves = pool.submit(lambda: [clf.save(path) for _ in range(10)])
        for _ in range(5):
            assert load(path).n_iter_ == 2
        saves.result()


def test_a_seed_that_is_set_after_loading_repeats_the_training(path):
    X = np.random.RandomState(0).randint(256, size=(8, load(path).n_features_in_)).astype(np.uint8)
    first, again = (load(path).set_params(random_state=0, verbose=0) for _ in range(2))
    for clf in (first, again):
        clf.partial_fit(X, clf.classes_[[0, 1] * 4])
    assert_same_weights(first, again)


def test_lbfgs_that_is_set_after_loading_trains(path):
    X = np.random.RandomState(0).randint(256, size=(8, load(path).n_features_in_)).astype(np.uint8)
    clf = load(path).set_params(optimizer=torch.optim.LBFGS, lr=0.1, verbose=0)
    clf.partial_fit(X, clf.classes_[[0, 1] * 4])
    assert isinstance(clf.optimizer_, torch.optim.LBFGS)


def test_a_loaded_classifier_does_not_have_an_optimizer_to_write(path, tmp_path):
    for clf in (load(path), pickle.loads(pickle.dumps(load(path)))):
        for args, kwargs in ([], {"f_optimizer": "o.pt"}), ([None, "o.pt"], {}):
            with pytest.raises(NotFittedError, match=r"f_optimizer='o\.pt' cannot be written"):
                clf.save_params(*args, **kwargs)
        clf.save_params(tmp_path / "weights.pt", f_optimizer=None)


def test_the_state_of_an_optimizer_can_be_loaded_after_loading(path, tmp_path):
    X = np.random.RandomState(0).randint(256, size=(8, load(path).n_features_in_)).astype(np.uint8)
    clf = load(path).set_params(verbose=0)
    clf.partial_fit(X, clf.classes_[[0, 1] * 4])
    clf.save_params(f_optimizer=tmp_path / "optimizer.pt")
    other = load(path)
    other.load_params(f_optimizer=tmp_path / "optimizer.pt")
    assert str(other.optimizer_.state_dict()) == str(clf.optimizer_.state_dict())
