"""Everything in scikit-learn that takes a classifier, with ours inside, and what writes it."""

from __future__ import annotations

import copy
import pickle
from functools import partial

import cloudpickle
import helpers
import joblib
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    RocCurveDisplay,
    balanced_accuracy_score,
    make_scorer,
)
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.utils.fixes import parse_version
from skorch.callbacks import EpochScoring, LRScheduler, ProgressBar
from skorch.dataset import Dataset
from skorch.helper import predefined_split
from torch import nn

from skorch_mnist.network import BatchNormCNN

mpl.use("Agg")
CLASSES = np.array(["ant", "bee", "cow"])


@pytest.fixture(scope="module")
def data():
    """Rows of 36 pixels in 0..1, and labels that are strings."""
    X, y = helpers.toy(90, CLASSES, (36,))
    return X / 255, y


quick = partial(helpers.quick, max_epochs=6, lr=0.01)


# --- pipelines ------------------------------------------------------------------------------


def test_pipeline_with_a_transformer_in_front(data):
    pipeline = make_pipeline(StandardScaler(), PCA(25), quick(max_epochs=12))
    assert pipeline.fit(*data).score(*data) > 0.9


def test_column_transformer_on_a_frame(data):
    X, y = data
    frame = pd.DataFrame(X, columns=[f"pixel{i}" for i in range(36)])
    pixels = ColumnTransformer([("pixels", MinMaxScaler(), frame.columns)])
    pipeline = make_pipeline(pixels, quick()).set_output(transform="pandas")
    assert pipeline.fit(frame, y).score(frame, y) > 0.9
    assert len(pipeline[-1].feature_names_in_) == 36


# --- cross-validation -----------------------------------------------------------------------


def test_cross_validate_with_several_scorers(data):
    scores = cross_validate(
        quick(), *data, cv=3, scoring=["accuracy", "neg_log_loss", "roc_auc_ovr"]
    )
    assert scores["test_accuracy"].mean() > 0.8
    assert scores["test_roc_auc_ovr"].mean() > 0.9


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)
def test_cross_val_predict(data, method):
    X, y = data
    answer = cross_val_predict(quick(), X, y, cv=3, method=method)
    labels = answer if method == "predict" else CLASSES[answer.argmax(axis=1)]
    assert np.mean(labels == y) > 0.8


@pytest.mark.parametrize("backend", [pytest.param("loky", marks=pytest.mark.slow), "threading"])
def test_two_workers_give_the_scores_of_one(data, backend):
    alone = cross_val_score(quick(early_stopping=True), *data, cv=3)
    with joblib.parallel_backend(backend):
        two = cross_val_score(quick(early_stopping=True), *data, cv=3, n_jobs=2)
    np.testing.assert_array_equal(two, alone)


def test_learning_and_validation_curve(data):
    _, _, scores = learning_curve(
        quick(), *data, cv=3, train_sizes=[30, 60], shuffle=True, random_state=0
    )
    assert scores.shape == (2, 3)
    _, scores = validation_curve(
        quick(), *data, cv=3, param_name="module__dropout", param_range=[0.1, 0.9]
    )
    assert scores.shape == (2, 3)


# --- searches -------------------------------------------------------------------------------


def test_grid_search_in_a_pipeline(data):
    grid = {
        "mnistcnnclassifier__lr": [1e-6, 0.01],
        "mnistcnnclassifier__module__dropout": [0.0, 0.2],
        "mnistcnnclassifier__batch_size": [16, 32],
    }
    search = GridSearchCV(make_pipeline(MinMaxScaler(), quick()), grid, cv=2).fit(*data)
    assert search.best_params_["mnistcnnclassifier__lr"] == 0.01
    assert set(search.predict(data[0])) <= set(CLASSES)


def test_randomized_search(data):
    space = {"lr": [1e-6, 0.01], "optimizer__weight_decay": [0.0, 1e-4]}
    search = RandomizedSearchCV(quick(), space, n_iter=3, cv=2, random_state=0).fit(*data)
    assert search.best_score_ > 0.5


@pytest.mark.parametrize(
    "kind", [HalvingGridSearchCV, partial(HalvingRandomSearchCV, n_candidates=3)]
)
def test_halving_search_over_epochs(data, kind):
    resources = {"resource": "max_epochs", "min_resources": 2, "max_resources": 8, "factor": 2}
    search = kind(quick(), {"lr": [1e-6, 1e-3, 0.01]}, cv=2, random_state=0, **resources)
    assert search.fit(*data).best_params_["max_epochs"] > 2


# --- other classifiers' parts ---------------------------------------------------------------


@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
def test_calibration(data, method):
    if method == "temperature" and parse_version(sklearn.__version__) < parse_version("1.8"):
        pytest.skip("scikit-learn < 1.8 has no temperature scaling")
    clf = CalibratedClassifierCV(quick(), method=method, cv=3).fit(*data)
    np.testing.assert_allclose(clf.predict_proba(data[0]).sum(axis=1), 1)
    assert clf.score(*data) > 0.8


def test_calibration_of_a_frozen_classifier(data):
    fitted = quick().fit(*data)
    frozen = FrozenEstimator(fitted)
    before = fitted.predict_proba(data[0])
    CalibratedClassifierCV(frozen).fit(*data)
    np.testing.assert_array_equal(clone(frozen).fit(*data).predict_proba(data[0]), before)


def test_conformal_sets_of_flat_rows(digits, fitted):
    classification = pytest.importorskip("mapie.classification")
    _, X, _, y = digits
    clf = clone(fitted).fit(X[:300].reshape(-1, 28, 28), y[:300])
    conformal = classification.SplitConformalClassifier(clf, confidence_level=0.9, prefit=True)
    labels, sets = conformal.conformalize(X[300:600], y[300:600]).predict_set(X[600:])
    np.testing.assert_array_equal(labels, clf.predict(X[600:].reshape(-1, 28, 28)))
    assert sets[np.arange(len(labels)), y[600:], 0].mean() > 0.8


def test_stacking_and_voting(data):
    members = [("cnn", quick()), ("linear", LogisticRegression())]
    assert StackingClassifier(members, cv=2).fit(*data).score(*data) > 0.8
    assert VotingClassifier(members, voting="soft").fit(*data).score(*data) > 0.8


def test_bagging_and_boosting(data):
    assert BaggingClassifier(quick(), n_estimators=2, random_state=0).fit(*data).score(*data) > 0.8
    assert AdaBoostClassifier(quick(), n_estimators=2, random_state=0).fit(*data).score(*data) > 0.8


def test_one_versus_rest(data):
    assert OneVsRestClassifier(quick()).fit(*data).score(*data) > 0.8


def test_self_training(data):
    X, y = data
    known = np.where(np.arange(90) % 2, np.arange(90) % 3, -1)
    clf = SelfTrainingClassifier(quick(train_split=None)).fit(X, known)
    assert np.mean(CLASSES[clf.predict(X)] == y) > 0.8


def test_tuned_threshold(data):
    X, y = data
    clf = TunedThresholdClassifierCV(quick(), cv=2, scoring="balanced_accuracy").fit(X, y == "cow")
    assert clf.score(X, y == "cow") > 0.7


# --- inspection -----------------------------------------------------------------------------


def test_permutation_importance_finds_the_pixels_that_matter(data):
    importance = permutation_importance(quick().fit(*data), *data, n_repeats=3, random_state=0)
    assert importance.importances_mean[:3].min() > importance.importances_mean[3:].max()


def test_displays(data):
    X, y = data
    clf = quick().fit(X, y)
    assert ConfusionMatrixDisplay.from_estimator(clf, X, y).confusion_matrix.sum() == 90
    binary = quick().fit(X, y == "cow")
    for method in ("predict_proba", "decision_function"):
        RocCurveDisplay.from_estimator(binary, X, y == "cow", response_method=method)


def test_html_diagram(data):
    clf = quick(module__dropout=0.1)
    for estimator in (clf, clf.fit(*data), make_pipeline(StandardScaler(), clf)):
        page = estimator._repr_html_()
        assert "MNISTCNNClassifier" in page and "module__dropout" in page


# --- metadata routing -----------------------------------------------------------------------


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
def test_sample_weight_is_routed(data):
    X, y = data
    weight = np.where(y == "ant", 1.0, 1e-3)
    heavy = quick().set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
    pipeline = make_pipeline(MinMaxScaler(), heavy)
    assert np.mean(pipeline.fit(X, y, sample_weight=weight).predict(X) == "ant") > 0.9
    scorer = make_scorer(balanced_accuracy_score).set_score_request(sample_weight=False)
    params = {"params": {"sample_weight": weight}, "cv": 3, "scoring": scorer}
    weighted = cross_validate(pipeline, X, y, **params)["test_score"].mean()
    plain = cross_validate(pipeline, X, y, scoring=scorer)["test_score"].mean()
    assert weighted < 0.6 < plain
    search = GridSearchCV(pipeline, {"mnistcnnclassifier__lr": [0.01]}, cv=2, scoring=scorer)
    assert np.mean(search.fit(X, y, sample_weight=weight).predict(X) == "ant") > 0.9


@pytest.mark.usefixtures("routing")
def test_unrequested_weights_are_refused(data):
    with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError):
        cross_validate(quick(), *data, params={"sample_weight": np.ones(90)})


# --- pickles --------------------------------------------------------------------------------

CALLBACKS = {
    "none": [],
    "scoring": [EpochScoring("f1_macro", name="f1")],
    "scheduler": [LRScheduler("StepLR", step_size=1)],
    "progress bar": [ProgressBar()],
}


@pytest.mark.parametrize("callbacks", CALLBACKS.values(), ids=CALLBACKS)
@pytest.mark.parametrize("pickler", [pickle, cloudpickle])
def test_pickles_before_during_and_after_training(data, callbacks, pickler):
    X, y = data
    clf = quick(callbacks=callbacks, max_epochs=2)
    new = pickle.loads(pickler.dumps(clf)).fit(X, y)
    partly = pickle.loads(pickler.dumps(clone(clf).partial_fit(X, y, classes=CLASSES)))
    fitted = pickle.loads(pickler.dumps(clf.fit(X, y)))
    expected = clf.predict_proba(X)
    np.testing.assert_array_equal(new.predict_proba(X), expected)
    np.testing.assert_array_equal(fitted.predict_proba(X), expected)
    assert partly.partial_fit(X, y).n_iter_ == 2


def test_a_shallow_copy_shares_the_network(data):
    X, y = data
    clf = quick().fit(X, y)
    assert copy.copy(clf).module_ is clf.module_
    np.testing.assert_array_equal(copy.copy(clf).predict(X), clf.predict(X))


def test_pickle_does_not_contain_training_data(data):
    X, y = data
    small = len(pickle.dumps(quick(max_epochs=1).fit(X, y)))
    large = len(pickle.dumps(quick(max_epochs=1).fit(np.tile(X, (20, 1)), np.tile(y, 20))))
    assert abs(large - small) < 1000


# --- skops ----------------------------------------------------------------------------------


def through_skops(estimator):
    io = pytest.importorskip("skops.io")
    data = io.dumps(estimator)
    return io.loads(data, trusted=io.get_untrusted_types(data=data))


class Reader(nn.Module):
    """A recurrent network with shared weights, a buffer in bfloat16 and a tensor attribute."""

    def __init__(self, image_shape, n_classes):
        super().__init__()
        self.rnn = nn.GRU(image_shape[2], 8, batch_first=True)
        self.one = nn.Linear(8, n_classes)
        self.other = nn.Linear(8, n_classes)
        self.other.weight = self.one.weight
        self.register_buffer("shift", torch.ones(1, dtype=torch.bfloat16))
        self.scale = torch.tensor(2.0)

    def forward(self, images):
        features = self.rnn(images[:, 0])[0][:, -1]
        return (self.one(features) + self.other(features)) * self.scale + self.shift


VALIDATION = Dataset(torch.zeros(3, 36), CLASSES)
FITTED = {
    "defaults": {},
    "channels last": {"module": BatchNormCNN, "module__padding": True},
    "own module": {"module": Reader},
    "module instance": {"module": nn.Sequential(nn.Flatten(), nn.Linear(36, 3))},
    "early stopping": {"early_stopping": True, "lr_schedule": "one_cycle"},
    "scheduler": {"callbacks": [LRScheduler("StepLR", step_size=1)]},
    "validation data": {"train_split": predefined_split(VALIDATION)},
    "weights": {"criterion__weight": torch.tensor([1.0, 2.0, 3.0])},
}


IN_FAST_TIER = "channels last", "own module", "early stopping", "scheduler", "validation data"


@pytest.mark.parametrize("params", helpers.slow_unless(IN_FAST_TIER, FITTED))
@pytest.mark.parametrize("through", [through_skops, copy.deepcopy])
def test_skops_and_copies_keep_the_classifier(data, through, params):
    X, y = data
    clf = quick(**params).fit(X, y)
    again = through(clf)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    for ours, theirs in zip(clf.module_.parameters(), again.module_.parameters(), strict=True):
        assert theirs.stride() == ours.stride() and theirs.requires_grad
    if not clf.early_stopping:
        assert again.partial_fit(X, y).n_iter_ == clf.n_iter_ + 1


def test_skops_keeps_a_classifier_before_and_during_training(data):
    X, y = data
    new, partly = quick(), quick().partial_fit(X, y, classes=[*CLASSES, "dog"])
    np.testing.assert_array_equal(
        through_skops(new).fit(X, y).predict_proba(X), new.fit(X, y).predict_proba(X)
    )
    np.testing.assert_array_equal(through_skops(partly).predict_proba(X), partly.predict_proba(X))


def test_skops_keeps_a_pipeline_and_a_search(data):
    X, y = data
    pipeline = make_pipeline(MinMaxScaler(), quick())
    search = GridSearchCV(pipeline, {"mnistcnnclassifier__lr": [0.01]}, cv=2).fit(X, y)
    for fitted in (search, search.best_estimator_):
        np.testing.assert_array_equal(
            through_skops(fitted).predict_proba(X), fitted.predict_proba(X)
        )


def test_skops_keeps_random_generators(data):
    generator = torch.Generator().manual_seed(3)
    clf = quick(iterator_train__generator=generator).fit(*data)
    again = through_skops(clf).iterator_train__generator
    assert torch.equal(again.get_state(), generator.get_state())


def test_skops_names_all_classes_before_it_loads_any(data):
    io = pytest.importorskip("skops.io")
    stored = io.dumps(quick().fit(*data))
    with pytest.raises(io.exceptions.UntrustedTypesFoundException, match="MNISTCNNClassifier"):
        io.loads(stored)
    assert "skorch_mnist.network.MNISTCNN" in io.get_untrusted_types(data=stored)
