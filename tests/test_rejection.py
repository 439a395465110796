"""Classifiers that reject what belongs to none of their classes."""

from __future__ import annotations

import doctest
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import assert_same_weights, quick, read_model_file, slow_unless, toy, write_forged
from outliers import KINDS, outliers
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skorch_mnist import MNISTCNNClassifier, load_digits28
from skorch_mnist.displays import expected_calibration_error
from skorch_mnist.pretrained import load_exemplars
from skorch_mnist.rejection import RejectingClassifier, load

ACCEPTS_OUTLIERS = pytest.mark.filterwarnings("ignore:.* of generated outliers:UserWarning")
LEAST = {  # all of the others
    "smooth_noise": 0.995,
    "strokes": 0.95,
    "letters": 0.9,
    "shapes": 0.95,
    "symbols": 0.95,
}


@pytest.fixture(scope="module")
def pretrained():
    return RejectingClassifier.from_pretrained("digits")


@pytest.fixture(scope="module")
def few(digits):
    """Three hundred digits that ``rejecting`` was not fitted on."""
    return digits[1][:300], digits[3][:300]


@pytest.fixture(scope="module")
def rejecting(digits):
    X, _, y, _ = digits
    return RejectingClassifier(quick(max_epochs=3), random_state=0).fit(X, y)


# --- the pretrained model ---------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_images_that_are_not_digits_are_rejected(pretrained, kind):
    rejected = np.mean(pretrained.predict(outliers(kind, 500, seed=0)) == -1)
    assert rejected >= LEAST.get(kind, 1)


def test_every_blank_image_is_rejected(pretrained):
    X = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 784, axis=1)
    assert np.all(pretrained.predict(X) == -1)


@pytest.mark.slow
def test_digits_are_accepted_and_read(pretrained, mnist):
    _, X, _, y = mnist
    labels = pretrained.predict(X)
    accepted = labels != -1
    assert accepted.mean() >= 0.985
    assert np.mean(labels[accepted] != y[accepted]) <= 0.002
    ece = expected_calibration_error(y, pretrained.predict_proba(X), n_bins=15)
    assert ece <= 0.003


def test_handwriting_of_others_is_accepted(pretrained):
    X, _ = load_digits28(return_X_y=True)
    assert np.mean(pretrained.predict(X[:600]) != -1) > 0.9


def test_the_pretrained_classifier_can_be_trained_further(pretrained, few):
    X, y = few
    rejecting = RejectingClassifier.from_pretrained("digits")
    rejecting.partial_fit(X, y)
    assert np.mean(rejecting.predict(X) == y) > 0.9
    assert (rejecting.score_quantiles_ <= pretrained.score_quantiles_).all()


def test_training_further_lowers_the_threshold_if_the_new_images_need_it(pretrained):
    rng = np.random.default_rng(0)
    X, y = (part[::2] for part in load_exemplars(return_X_y=True))
    noisy = np.where(rng.random(X.shape) < 0.2, 128, X).astype(np.uint8)
    rejecting = RejectingClassifier.from_pretrained("digits").set_params(random_state=0)
    rejecting.estimator_ = FrozenEstimator(rejecting.estimator_)
    with pytest.warns(UserWarning, match="generated outliers, such as noise"):
        rejecting.partial_fit(noisy, y)
    assert rejecting.threshold_ < pretrained.threshold_
    assert np.mean(rejecting.predict(noisy) != -1) > np.mean(pretrained.predict(noisy) != -1) + 0.3


def test_training_further_does_not_forget_other_digits(pretrained, few):
    X = load_exemplars().data
    rejecting = RejectingClassifier.from_pretrained("digits").set_params(random_state=0)
    rejecting.estimator_ = FrozenEstimator(rejecting.estimator_)
    rejecting.partial_fit(*few)
    assert rejecting.score_samples(X).mean() > pretrained.score_samples(X).mean() - 0.05


# --- what accept means ------------------------------------------------------------------------


def test_about_the_requested_fraction_is_accepted(rejecting, few):
    X, _ = few
    shares = []
    for accept in (0, 0.5, 0.9, 1):
        rejecting.set_params(accept=accept)
        shares.append(np.mean(rejecting.predict(X) != -1))
    rejecting.set_params(accept=0.99)
    assert shares == sorted(shares) and shares[-1] == 1
    assert shares[0] < 0.1 and abs(shares[1] - 0.5) < 0.2


def test_a_score_below_the_threshold_is_rejected(rejecting, few):
    X, _ = few
    scores = rejecting.score_samples(X)
    assert scores.shape == (len(X),) and scores.max() <= 0
    rejected = rejecting.predict(X) == rejecting.reject_label_
    np.testing.assert_array_equal(rejected, scores < rejecting.threshold_)


@pytest.mark.filterwarnings("ignore:The mean of the pixels:UserWarning")
def test_noise_is_rejected(rejecting):
    for kind in ("blank", "uniform_noise", "salt_and_pepper"):
        assert np.mean(rejecting.predict(outliers(kind, 100, seed=1)) == -1) > 0.9


def test_a_rejection_counts_as_wrong_and_is_right_for_an_outlier(rejecting, few):
    X, y = few
    noise = outliers("uniform_noise", 50, seed=2)
    labels = rejecting.predict(X)
    accepted = labels != -1
    assert rejecting.score(X, y) == np.mean(labels == y)
    assert rejecting.score_accepted(X, y) == np.mean(labels[accepted] == y[accepted])
    assert rejecting.score(noise, np.full(50, -1)) == np.mean(rejecting.predict(noise) == -1)


def test_accuracy_is_nan_if_nothing_is_accepted(rejecting):
    noise = outliers("uniform_noise", 5, seed=2)
    assert np.isnan(rejecting.score_accepted(noise, np.zeros(5)))


# --- labels -----------------------------------------------------------------------------------


LABELS = {
    "numbers": ((0, 1, 2), -1),
    "negative": ((-3, 0, 4), -4),
    "floats": ((1.0, 2.0, 4.0), -1),
    "strings": (("a", "b", "c"), "rejected"),
}


@pytest.mark.parametrize("labels_and_expected", slow_unless({"negative", "strings"}, LABELS))
def test_the_reject_label_has_the_type_of_the_labels(labels_and_expected):
    classes, expected = labels_and_expected
    X, y = toy(classes=classes)
    clf = RejectingClassifier(quick(), accept=0.5, random_state=0).fit(X, y)
    labels = clf.predict(X)
    assert clf.reject_label_ == expected
    assert labels.dtype.kind == y.dtype.kind
    assert set(labels.tolist()) <= {*classes, expected}


def test_a_reject_label_of_the_user():
    X, y = toy(classes=("a", "b", "c"))
    clf = RejectingClassifier(quick(), reject_label="unknown", accept=0.0, random_state=0)
    assert "unknown" in clf.fit(X, y).predict(X)


def test_a_reject_label_that_is_a_class_is_refused():
    X, y = toy()
    with pytest.raises(ValueError, match="reject_label=1 is not valid"):
        RejectingClassifier(quick(), reject_label=1).fit(X, y)


@pytest.mark.parametrize(
    ("classes", "label", "message"),
    [
        ((0, 1, 2), "unknown", "must be an integer, like the classes"),
        ((0, 1, 2), 0.5, "must be an integer"),
        ((0.0, 1.0, 2.0), np.nan, "must be a number"),
        (("a", "b", "c"), -1, "must be a string"),
    ],
)
def test_a_reject_label_of_another_type_is_refused(classes, label, message):
    X, y = toy(classes=classes)
    with pytest.raises(ValueError, match=message):
        RejectingClassifier(quick(), reject_label=label).fit(X, y)


def test_boolean_labels_are_refused():
    X, y = toy(classes=(False, True))
    with pytest.raises(ValueError, match="booleans"):
        RejectingClassifier(quick()).fit(X, y)


@pytest.mark.parametrize("params", [{"accept": 1.1}, {"estimator": 3}, {"detector": "cnn"}])
def test_parameters_are_checked(params):
    X, y = toy()
    with pytest.raises(ValueError, match=next(iter(params))):
        RejectingClassifier(**{"estimator": quick(), **params}).fit(X, y)


# --- scikit-learn -----------------------------------------------------------------------------


# One check wants the label with the largest probability, so nothing is rejected here.
@pytest.mark.filterwarnings("ignore:X has .* pixels per row:UserWarning")
@pytest.mark.filterwarnings("ignore:The brightest pixel:UserWarning")
@parametrize_with_checks([RejectingClassifier(LogisticRegression(C=1e3), accept=1, random_state=0)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_any_classifier_can_reject(digits, few):
    X, _, y, _ = digits
    clf = RejectingClassifier(RandomForestClassifier(50, random_state=0), random_state=0)
    clf.fit(X, y)
    assert np.mean(clf.predict(few[0]) != -1) > 0.7
    assert np.mean(clf.predict(outliers("uniform_noise", 50, seed=0)) == -1) > 0.9


@ACCEPTS_OUTLIERS
def test_it_works_in_pipelines_searches_and_cross_validation():
    X, y = toy(n=90)
    pipeline = make_pipeline(MinMaxScaler(), RejectingClassifier(quick(), random_state=0))
    assert len(cross_val_score(pipeline, X.reshape(90, -1), y, cv=2)) == 2
    search = GridSearchCV(
        RejectingClassifier(quick(), accept=1, random_state=0),
        {"estimator__lr": [1e-3, 1e-2]},
        cv=2,
    )
    assert search.fit(X, y).best_params_["estimator__lr"] in (1e-3, 1e-2)


def test_a_frozen_estimator_keeps_its_weights(fitted, few):
    X, y = few
    clf = RejectingClassifier(FrozenEstimator(fitted), accept=1, random_state=0).fit(X, y)
    np.testing.assert_array_equal(clf.estimator_.predict(X), fitted.predict(X))


@ACCEPTS_OUTLIERS
def test_the_same_seed_gives_the_same_classifier():
    X, y = toy()
    one, other = (RejectingClassifier(quick(), random_state=3).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(one.score_samples(X), other.score_samples(X))
    again = pickle.loads(pickle.dumps(one))
    np.testing.assert_array_equal(one.score_samples(X), again.score_samples(X))


def test_the_seed_is_that_of_classifiers_without_one():
    X, y = toy()
    unseeded = quick(random_state=None)
    clf = RejectingClassifier(unseeded, detector=unseeded, accept=1, random_state=3)
    one, other = (clone(clf).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(one.score_samples(X), other.score_samples(X))
    assert clone(clf).set_params(random_state=4).fit(X, y).detector_.random_state != (
        one.detector_.random_state
    )
    pretrained = [RejectingClassifier.from_pretrained("digits") for _ in range(2)]
    X, y = (part[::12] for part in load_exemplars(return_X_y=True))
    one, other = (
        each.set_params(accept=1, random_state=0).partial_fit(X, y) for each in pretrained
    )
    assert_same_weights(one.estimator_, other.estimator_)
    assert_same_weights(one.detector_, other.detector_)
    np.testing.assert_array_equal(one.score_quantiles_, other.score_quantiles_)


@ACCEPTS_OUTLIERS
def test_images_of_any_form_are_taken():
    X, y = toy(shape=(6, 6))
    frame = pd.DataFrame(X.reshape(len(X), -1), columns=[f"p{i}" for i in range(36)])
    clf = RejectingClassifier(quick(), random_state=0).fit(frame, y)
    np.testing.assert_array_equal(clf.feature_names_in_, frame.columns)
    assert clf.predict(frame).shape == y.shape
    color = np.repeat(X[..., None], 3, axis=3) / 255
    clf = RejectingClassifier(quick(), random_state=0).fit(color, y)
    assert clf.image_shape_ == (3, 6, 6)
    assert clf.predict_proba(color).shape == (len(X), 3)


def test_a_weak_estimator_triggers_a_warning():
    clf = RejectingClassifier(quick(max_epochs=1), random_state=0)
    with pytest.warns(UserWarning, match=r"^\d+% of generated outliers, .* Or lower accept \("):
        clf.fit(*toy())
    clone(clf).set_params(accept=1.0).fit(*toy())  # no threshold
    clone(clf).set_params(estimator__max_epochs=10).fit(*toy())  # as the warning advises


def test_outliers_of_the_user_are_learned(digits):
    X, _, y, _ = digits
    sevens, others = X[y == 7], np.isin(y, (2, 3, 8))
    params = {"random_state": 0, "accept": 0.9, "detector": quick(max_epochs=8)}
    without = RejectingClassifier(quick(max_epochs=4), **params).fit(X[others], y[others])
    taught = clone(without).fit(X[others], y[others], outliers=sevens[:30])
    rejected = [np.mean(clf.predict(sevens[30:]) == -1) for clf in (without, taught)]
    assert rejected[1] > rejected[0] and rejected[1] > 0.8


def test_probabilities_are_calibrated_and_keep_their_order(rejecting, few):
    X, _ = few
    ours, theirs = rejecting.predict_proba(X), rejecting.estimator_.predict_proba(X)
    np.testing.assert_allclose(ours.sum(axis=1), 1)
    np.testing.assert_array_equal(ours.argmax(axis=1), theirs.argmax(axis=1))


# --- files ------------------------------------------------------------------------------------


def test_a_saved_classifier_is_loaded(rejecting, few, tmp_path):
    X, y = few
    path = tmp_path / "rejecting.safetensors"
    rejecting.save(path)
    again = load(path)
    assert type(again) is RejectingClassifier
    np.testing.assert_array_equal(again.predict(X), rejecting.predict(X))
    np.testing.assert_array_equal(again.score_samples(X), rejecting.score_samples(X))
    np.testing.assert_array_equal(again.predict_proba(X), rejecting.predict_proba(X))
    assert again.accept == rejecting.accept and again.random_state == 0
    alone = MNISTCNNClassifier.load(path)
    np.testing.assert_array_equal(alone.predict(X), rejecting.estimator_.predict(X))
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    assert clone(again).set_params(accept=1).fit(X[:100], y[:100]).n_features_in_ == 784


def in_rejection(**facts):
    return lambda manifest: manifest["rejection"].update(facts)


def in_detector(**facts):
    return lambda manifest: manifest["rejection"]["detector"].update(facts)


def in_params(**params):
    return lambda manifest: manifest["rejection"]["params"].update(params)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (in_rejection(temperature=0.0), "its temperature is not valid"),
        (in_rejection(temperature=float("nan")), "its temperature is not valid"),
        (in_rejection(temperature=True), "its temperature is not valid"),
        (in_rejection(detector=None), "cannot be loaded"),
        (in_rejection(params=[1]), "cannot be loaded"),
        (in_params(accept=1.5), "accept"),
        (in_params(random_state="abc"), "random_state"),
        (in_params(reject_label=3), "must not be one of the classes"),
        (in_params(reject_label=[1]), "must be an integer"),
        (in_params(reject_label="no"), "must be an integer"),
        (in_params(estimator=1), "cannot be loaded"),
        (in_params(memory=1), "cannot be loaded"),
        (in_detector(classes={"dtype": "<i8", "labels": [0, 1]}), "its detector is not valid"),
        (in_detector(image_shape=[1, 14, 56]), r"\(1, 14, 56\)"),
        (in_detector(module="os.system"), "its network is os.system"),
        (in_detector(params={"module__widths": {"tuple": [9000, 9000]}}), "weights do not match"),
    ],
)
def test_a_forged_rejection_is_refused(change, message, rejecting, tmp_path):
    path = tmp_path / "model.safetensors"
    rejecting.save(path)
    write_forged(path, change)
    with pytest.raises(ValueError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    "quantiles",
    [
        torch.linspace(-2, 0, 1000, dtype=torch.float64),
        torch.linspace(-2, 0, 1001, dtype=torch.float32),
        torch.linspace(0, -2, 1001, dtype=torch.float64),
        torch.linspace(-2, 1, 1001, dtype=torch.float64),
        torch.full((1001,), -torch.inf, dtype=torch.float64),
        torch.full((1001,), torch.nan, dtype=torch.float64),
        None,
    ],
    ids=["few", "float32", "descending", "positive", "infinite", "nan", "none"],
)
def test_quantiles_that_scores_cannot_have_are_refused(quantiles, rejecting, tmp_path):
    path = tmp_path / "model.safetensors"
    rejecting.save(path)
    weights = read_model_file(path)[1]
    del weights["rejection/score_quantiles/"]
    if quantiles is not None:
        weights["rejection/score_quantiles/"] = quantiles
    write_forged(path, lambda manifest: None, weights)
    with pytest.raises(ValueError, match="score_quantiles"):
        load(path)


def test_a_file_of_format_3_gives_the_same_results_as_before():
    folder = Path(__file__).parent / "data"
    X, _ = toy(shape=(6, 6))
    expected = np.load(folder / "model_format_3.npz")
    clf = load(folder / "model_format_3.safetensors")
    np.testing.assert_allclose(clf.predict_proba(X), expected["proba"], atol=1e-6)
    np.testing.assert_allclose(clf.score_samples(X), expected["scores"], atol=1e-4)
    np.testing.assert_array_equal(clf.predict(X), expected["labels"])
    assert clf.accept == 0.9 and clf.reject_label == "unknown"


def test_load_returns_the_class_that_was_saved(fitted, tmp_path):
    fitted.save(tmp_path / "plain.safetensors")
    assert type(load(tmp_path / "plain.safetensors")) is MNISTCNNClassifier


def test_other_estimators_are_not_saved(tmp_path):
    X, y = toy()
    clf = RejectingClassifier(LogisticRegression(), random_state=0).fit(X.reshape(60, -1), y)
    with pytest.raises(TypeError, match="must be an MNISTCNNClassifier"):
        clf.save(tmp_path / "model.safetensors")


# --- the guide --------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_examples_of_the_guide_work():
    guide = Path(__file__).parents[1] / "docs" / "guide" / "rejection.md"
    failed, tried = doctest.testfile(str(guide), module_relative=False)
    assert tried > 10 and not failed
