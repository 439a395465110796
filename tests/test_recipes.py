"""Recipes: plain dicts that make a classifier, which trains, is cloned and is stored."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skorch_mnist import MNISTCNNClassifier, recipes
from skorch_mnist.recipes import ACCURATE, FAST, TUTORIAL

ALL = [TUTORIAL, FAST, ACCURATE]


def test_the_tutorial_is_the_defaults():
    clf = MNISTCNNClassifier(**TUTORIAL)
    defaults = inspect.signature(MNISTCNNClassifier).parameters
    given = clf.get_params(deep=False)
    assert all(given[name] is defaults[name].default for name in given)


def test_all_are_named():
    assert sorted(recipes.__all__) == ["ACCURATE", "FAST", "TUTORIAL"]


@pytest.mark.parametrize("recipe", ALL)
def test_a_recipe_is_plain_data_and_no_classifier_changes_it(recipe, digits):
    X, _, y, _ = digits
    before = dict(recipe)
    clf = MNISTCNNClassifier(**recipe, random_state=0).set_params(max_epochs=1, verbose=0)
    assert clone(clf).get_params(deep=False) == clf.get_params(deep=False)
    clf.fit(X[:100], y[:100])
    assert recipe == before


@pytest.mark.parametrize("recipe", [FAST, ACCURATE])
def test_a_recipe_learns_the_digits(recipe, digits):
    X_train, X_test, y_train, y_test = digits
    params = {**recipe, "max_epochs": 6, "batch_size": 32, "random_state": 0, "verbose": 0}
    clf = MNISTCNNClassifier(**params).fit(X_train, y_train)
    assert clf.score(X_test, y_test) > 0.93
    again = clone(clf).fit(X_train, y_train)
    np.testing.assert_array_equal(again.predict_proba(X_test), clf.predict_proba(X_test))


@pytest.mark.parametrize("recipe", [FAST, ACCURATE])
def test_a_fitted_recipe_is_stored_whole(recipe, digits, tmp_path):
    X, _, y, _ = digits
    clf = MNISTCNNClassifier(**recipe, random_state=0)
    clf.set_params(max_epochs=1, verbose=0).fit(X[:200], y[:200])
    clf.save(tmp_path / "model.safetensors")
    loaded = MNISTCNNClassifier.load(tmp_path / "model.safetensors")
    assert loaded.get_params(deep=False) == clf.get_params(deep=False)
    np.testing.assert_array_equal(loaded.predict_proba(X), clf.predict_proba(X))


def test_a_recipe_can_be_searched(digits):
    X, _, y, _ = digits
    clf = MNISTCNNClassifier(**FAST, random_state=0).set_params(verbose=0)
    search = GridSearchCV(clf, {"module__widths": [(4, 8), (8, 16)], "lr": [1e-5, 1e-2]}, cv=2)
    search.fit(X[:400], y[:400])
    assert search.best_params_["lr"] == 1e-2
    widths = search.best_params_["module__widths"]
    assert search.best_estimator_.module_.output.in_features == widths[-1] * 4 * 4


def test_fast_says_what_to_do_with_small_images():
    X, y = np.random.RandomState(0).rand(40, 8, 8), np.arange(40) % 2
    with pytest.raises(ValueError, match=r"8x8 pixels are too small .* module__padding=True"):
        MNISTCNNClassifier(**FAST).fit(X, y)
    clf = MNISTCNNClassifier(**{**FAST, "module__padding": True}, verbose=0)
    assert clf.fit(X, y).predict_proba(X).shape == (40, 2)


def test_fast_reads_mnist_after_one_epoch(mnist):
    X_train, X_test, y_train, y_test = mnist
    clf = MNISTCNNClassifier(**FAST, random_state=0, verbose=0).fit(X_train, y_train)
    assert clf.n_iter_ == 1
    assert clf.score(X_test, y_test) > 0.987
