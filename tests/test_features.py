"""Features: the input of a layer, in rows, for estimators of scikit-learn."""

from __future__ import annotations

import copy
import pickle
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from helpers import quick, toy
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks
from skorch.callbacks import EpochScoring
from torch import nn
from torch.utils.data import IterableDataset, TensorDataset

from skorch_mnist import MNISTCNNClassifier
from skorch_mnist.checkpoint import ResumeCheckpoint
from skorch_mnist.network import BatchNormCNN

X, Y = toy(90)


@pytest.fixture(scope="module")
def clf():
    return quick(max_epochs=6, lr=0.01).fit(X, Y)


def logits_of(clf, X):
    return clf.forward(torch.from_numpy(X)).numpy()


# --- what they are ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "n_features"),
    [
        ({}, 50),
        ({"module": BatchNormCNN, "module__widths": (4, 8)}, 8 * 2 * 2),
        ({"module": BatchNormCNN((1, 6, 6), 3, widths=(4,))}, 4 * 3 * 3),
    ],
    ids=["MNISTCNN", "BatchNormCNN", "instance"],
)
def test_the_last_layer_makes_logits_of_the_features(params, n_features):
    clf = quick(**params).fit(X, Y)
    features = clf.transform(X)
    assert isinstance(features, np.ndarray)
    assert features.shape == (90, n_features) and features.dtype == np.float64
    with torch.no_grad():
        logits = clf.module_.output(torch.from_numpy(features).float())
    np.testing.assert_array_equal(logits.numpy(), logits_of(clf, X))


@pytest.mark.parametrize("params", [{}, {"module": BatchNormCNN, "module__widths": (4, 8)}])
def test_a_row_does_not_depend_on_the_others(params):
    clf = quick(**params).fit(X, Y)
    features = clf.transform(X)
    order = np.random.default_rng(0).permutation(90)
    np.testing.assert_array_equal(clf.transform(X[order]), features[order])
    for size in (1, 11):  # PyTorch may sum in another order for one image
        clf.set_params(iterator_valid__batch_size=size)
        np.testing.assert_allclose(clf.transform(X), features, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(clf.transform(X), clf.transform(X))


def test_a_layer_with_maps_gives_rows_in_the_order_of_channels(clf):
    clf = copy.deepcopy(clf).set_params(features_before="conv2")
    pixels = clf.pixel_statistics_.standardize(torch.from_numpy(X[:, None]))
    with torch.no_grad():
        maps = torch.relu(clf.module_.pool(clf.module_.conv1(pixels)))
    np.testing.assert_allclose(clf.transform(X), maps.flatten(1), rtol=1e-5, atol=1e-6)


def test_a_layer_that_changes_its_input_gives_what_it_got():
    clf = quick(module=BatchNormCNN, module__widths=(4,), features_before="features.3").fit(X, Y)
    assert clf.module_.features[3].inplace  # a ReLU
    assert clf.transform(X).min() < 0


def test_several_calls_give_the_mean():
    params = {"module": BatchNormCNN, "module__widths": (4,), "module__shifted_copies": True}
    clf = quick(**params).fit(X, Y)
    alone = clf.set_params(module__shifted_copies=False)
    network, wider = clf.module_, np.pad(X, ((0, 0), (1, 1), (1, 1)), mode="edge")
    mean = clf.transform(X)
    network.shifted_copies = False
    shifts = [(1, 1), (0, 1), (2, 1), (1, 0), (1, 2)]
    of_copies = [
        alone.transform(np.ascontiguousarray(wider[:, row : row + 6, column : column + 6]))
        for row, column in shifts
    ]
    np.testing.assert_allclose(mean, np.mean(of_copies, axis=0), rtol=1e-6)


def test_data_of_every_kind(clf):
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(zip(X, Y.tolist(), strict=True))

    images = torch.from_numpy(X)
    features = clf.transform(X)
    for given in (
        X.reshape(90, 36), pd.DataFrame(X.reshape(90, 36)), images, Stream(),
        TensorDataset(images, torch.from_numpy(Y)),
    ):  # fmt: skip
        np.testing.assert_array_equal(clf.transform(given), features)


# --- states of the classifier -----------------------------------------------------------------


def test_files_and_copies_keep_features(clf, tmp_path):
    clf = clone(clf).set_params(features_before="hidden").fit(X, Y)
    features = clf.transform(X)
    assert features.shape == (90, 32 * 2 * 2)
    clf.save(tmp_path / "model")
    loaded = MNISTCNNClassifier.load(tmp_path / "model")
    for again in (loaded, pickle.loads(pickle.dumps(clf)), copy.deepcopy(clf), copy.copy(clf)):
        np.testing.assert_array_equal(again.transform(X), features)


def test_a_compiled_network_gives_features(clf):
    features = clf.transform(X)
    compiled = copy.deepcopy(clf).set_params(compile=True, compile__backend="eager")
    weights = clf.module_.state_dict()
    compiled.initialize()
    compiled.module_._orig_mod.load_state_dict(weights)
    compiled.predict(X)  # compiles it
    np.testing.assert_array_equal(compiled.transform(X), features)
    assert hasattr(compiled.module_, "_orig_mod")


def test_threads_do_not_mix_up_features(clf):
    parts = [X[:20], X[20:], X[:1], X]
    expected = [clf.transform(part) for part in parts]

    def work(number):
        if number % 3 == 2:
            return clf.predict(X)
        return clf.transform(parts[number % 4])

    with ThreadPoolExecutor(3) as pool:
        for number, answer in enumerate(pool.map(work, range(24))):
            if number % 3 < 2:
                np.testing.assert_array_equal(answer, expected[number % 4])


def test_a_prediction_may_outlast_the_hook_of_another_thread(clf):
    expected = clf.predict(X)
    entered, finished, answers = threading.Event(), threading.Event(), []
    first = threading.get_ident()

    def pause(layer, args):
        if threading.get_ident() != first:
            entered.set()
            assert finished.wait(timeout=30)
        elif not answers:  # the hook of transform is registered now
            answers.append(pool.submit(clf.predict, X))
            assert entered.wait(timeout=30)

    handle = clf.module_.output.register_forward_pre_hook(pause)
    with ThreadPoolExecutor(1) as pool:
        try:
            clf.transform(X)
        finally:
            finished.set()
            handle.remove()
        np.testing.assert_array_equal(answers[0].result(), expected)


def test_a_callback_that_scores_sees_features():
    def spread(net, X, y):
        return net.transform(X).std()

    scoring = EpochScoring(spread, name="spread", use_caching=True)
    clf = quick(callbacks=[scoring]).fit(X, Y)
    assert min(clf.history_[:, "spread"]) > 0


def test_features_before_does_not_affect_checkpoints(tmp_path):
    params = {"callbacks": [ResumeCheckpoint(tmp_path)], "max_epochs": 1}
    features = quick(**params).fit(X, Y).transform(X)
    again = quick(**params, features_before="hidden").fit(X, Y)  # the same run, finished
    assert again.n_iter_ == 1
    np.testing.assert_array_equal(again.set_params(features_before=None).transform(X), features)


# --- in scikit-learn --------------------------------------------------------------------------


@pytest.mark.parametrize("last", [LogisticRegression(max_iter=500), KNeighborsClassifier(3)])
def test_a_pipeline_learns_from_features(last):
    pipeline = make_pipeline(quick(max_epochs=12, lr=0.01), last)
    assert cross_val_score(pipeline, X, Y, cv=3).mean() > 0.9
    names = pipeline.fit(X, Y)[:-1].get_feature_names_out()
    assert names[[0, -1]].tolist() == ["mnistcnnclassifier0", "mnistcnnclassifier49"]
    np.testing.assert_array_equal(
        pipeline.predict(X), last.predict(pipeline[0].transform(X)), strict=True
    )


def test_a_search_chooses_the_layer():
    pipeline = make_pipeline(quick(lr=0.01), KNeighborsClassifier(3))
    layers = [None, "hidden", "conv2"]
    search = GridSearchCV(pipeline, {"mnistcnnclassifier__features_before": layers}, cv=2)
    assert search.fit(X, Y).best_params_["mnistcnnclassifier__features_before"] in layers


def test_the_classifier_is_still_the_last_step():
    clf = quick(max_epochs=6, lr=0.01)
    assert is_classifier(clf) and is_classifier(make_pipeline(clf))
    pipeline = make_pipeline(clf).fit(X, Y)
    assert pipeline.score(X, Y) == accuracy_score(Y, pipeline.predict(X))
    np.testing.assert_array_equal(pipeline.transform(X), clf.transform(X))


def test_fit_transform_is_both():
    np.testing.assert_array_equal(quick().fit_transform(X, Y), quick().fit(X, Y).transform(X))


@pytest.mark.parametrize(
    ("container", "frame"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame)]
)
def test_set_output_makes_frames(clf, container, frame):
    features = clf.transform(X)
    clf = copy.copy(clf).set_output(transform=container)
    given = pd.DataFrame(X.reshape(90, 36), index=range(5, 95))
    out = clf.transform(given)
    assert isinstance(out, frame)
    assert list(out.columns) == clf.get_feature_names_out().tolist()
    np.testing.assert_array_equal(out.to_numpy(), features)
    if container == "pandas":
        assert out.index.equals(given.index)
    again = pickle.loads(pickle.dumps(clf))
    assert isinstance(again.transform(X), frame)
    assert isinstance(clone(clf).fit_transform(X, Y), frame)


CHECKS = (
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
)


@pytest.mark.filterwarnings(
    "ignore:X (has .* pixels per row|has feature|does not have valid):UserWarning"
)
@pytest.mark.parametrize("check", CHECKS)
def test_scikit_learn_checks_for_transformers(check):
    getattr(estimator_checks, check)("MNISTCNNClassifier", quick())


# --- errors -----------------------------------------------------------------------------------


class Network(nn.Module):
    """A network of a user without a layer named output."""

    def __init__(self, image_shape, n_classes):
        super().__init__()
        self.body = nn.Linear(6, 8)
        self.head = nn.Linear(48, n_classes)
        self.unused = nn.Linear(1, 1)
        self.container = nn.ModuleDict({"weight": nn.Linear(48, 1)})

    def forward(self, x):
        rows = self.body(x.reshape(-1, 6))  # six rows of each image
        return self.head(input=rows.reshape(-1, 48).relu())


def test_other_networks_require_features_before():
    clf = quick(module=Network).fit(X, Y)
    with pytest.raises(ValueError, match="'output', which Network does not have"):
        clf.transform(X)
    assert clf.set_params(features_before="head").transform(X).shape == (90, 48)
    assert clf.transform(X).min() == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("haed", "features_before='haed' is not a layer of Network. Did you mean 'head'?"),
        ("", "features_before='' is not a layer of Network. Valid layers: body, head, unused"),
        ("unused", "did not call its layer 'unused'"),
        ("container", "did not call its layer 'container'"),
        (
            "body",
            "The layer 'body' received inputs of shape (6, 6) for a batch of 1 images",
        ),
    ],
)
def test_a_layer_without_features_is_refused(name, message):
    clf = quick(module=Network, features_before=name).fit(X, Y)
    for call in (clf.get_feature_names_out, lambda: clf.transform(X[:1])):
        with pytest.raises(ValueError, match=re.escape(message)):
            call()
    clf.set_params(features_before="head")
    assert clf.transform(X).shape == (90, 48)
    assert not any(layer._forward_pre_hooks for layer in clf.module_.modules())


def test_features_before_must_be_a_name():
    with pytest.raises(ValueError, match="features_before"):
        quick(features_before=3).fit(X, Y)


@pytest.mark.parametrize("method", ["transform", "get_feature_names_out"])
def test_features_need_fit(method):
    with pytest.raises(NotFittedError):
        getattr(quick(), method)(*[X] * (method == "transform"))
