"""Recipes: classifiers made from them learn, and can be cloned, searched and saved."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from helpers import assert_same_weights, quick
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skorch_mnist import MNISTCNNClassifier, recipes
from skorch_mnist.recipes import ACCURATE, FAST, ROBUST, TUTORIAL

ALL = [TUTORIAL, FAST, ACCURATE, ROBUST]


def test_the_tutorial_recipe_has_the_defaults():
    clf = MNISTCNNClassifier(**TUTORIAL)
    defaults = inspect.signature(MNISTCNNClassifier).parameters
    given = clf.get_params(deep=False)
    assert all(given[name] is defaults[name].default for name in given)


def test_public_names():
    assert sorted(recipes.__all__) == ["ACCURATE", "FAST", "FINE_TUNE", "ROBUST", "TUTORIAL"]


@pytest.mark.parametrize("recipe", ALL)
def test_fit_does_not_change_a_recipe(recipe, digits):
    X, _, y, _ = digits
    before = dict(recipe)
    clf = quick(**{**recipe, "max_epochs": 1})
    assert clone(clf).get_params(deep=False) == clf.get_params(deep=False)
    clf.fit(X[:50], y[:50])
    assert recipe == before


@pytest.mark.parametrize(
    ("recipe", "n_epochs"),
    [
        (FAST, 2),
        pytest.param({**ACCURATE, "module__widths": (8, 16, 16)}, 8, marks=pytest.mark.slow),
        pytest.param({**ROBUST, "module__widths": (8, 16, 16)}, 16, marks=pytest.mark.slow),
    ],
)
def test_a_recipe_learns_the_digits(recipe, n_epochs, digits):
    X_train, X_test, y_train, y_test = digits
    clf = quick(**{**recipe, "max_epochs": n_epochs, "batch_size": 32}).fit(X_train, y_train)
    assert clf.score(X_test[:300], y_test[:300]) > 0.93


@pytest.mark.parametrize("recipe", [FAST, ACCURATE, ROBUST])
def test_a_recipe_is_repeatable(recipe, digits):
    X, y = digits[0][:50], digits[2][:50]
    first, second = (quick(**{**recipe, "max_epochs": 1}).fit(X, y) for _ in range(2))
    assert_same_weights(first, second)


@pytest.mark.parametrize("recipe", [FAST, ACCURATE, ROBUST])
def test_a_fitted_recipe_can_be_saved_and_loaded(recipe, digits, tmp_path):
    X, y = digits[0][:50], digits[2][:50]
    clf = quick(**{**recipe, "max_epochs": 1}).fit(X, y)
    clf.save(tmp_path / "model.safetensors")
    loaded = MNISTCNNClassifier.load(tmp_path / "model.safetensors")
    assert loaded.get_params(deep=False) == clf.get_params(deep=False)
    np.testing.assert_array_equal(loaded.predict_proba(X), clf.predict_proba(X))


def test_a_recipe_can_be_searched(digits):
    X, _, y, _ = digits
    clf = quick(**FAST)
    search = GridSearchCV(clf, {"module__widths": [(4, 8), (8, 16)], "lr": [1e-5, 1e-2]}, cv=2)
    search.fit(X[:400], y[:400])
    assert search.best_params_["lr"] == 1e-2
    widths = search.best_params_["module__widths"]
    assert search.best_estimator_.module_.output.in_features == widths[-1] * 4 * 4


def test_fast_refuses_small_images_and_names_the_remedy():
    X, y = np.random.RandomState(0).rand(40, 8, 8), np.arange(40) % 2
    with pytest.raises(ValueError, match=r"8x8 pixels are too small .* module__padding=True"):
        MNISTCNNClassifier(**FAST).fit(X, y)
    clf = MNISTCNNClassifier(**{**FAST, "module__padding": True}, verbose=0)
    assert clf.fit(X, y).predict_proba(X).shape == (40, 2)


@pytest.mark.slow
def test_fast_learns_mnist_in_one_epoch(mnist):
    X_train, X_test, y_train, y_test = mnist
    clf = quick(**FAST).fit(X_train, y_train)
    assert clf.n_iter_ == 1
    assert clf.score(X_test, y_test) > 0.987
