"""Training, cross-validation and search on full MNIST, where it is cached."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skorch_mnist import MNISTCNNClassifier, fetch_mnist

pytestmark = pytest.mark.slow


def test_two_epochs_on_all_images(mnist):
    X_train, X_test, y_train, y_test = mnist
    clf = MNISTCNNClassifier(max_epochs=2, random_state=0, verbose=0).fit(X_train, y_train)
    assert clf.score(X_test, y_test) > 0.98
    assert clf.history_[-1, "valid_acc"] > 0.97
    expected = clf.predict_proba(X_test)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(clf)).predict_proba(X_test), expected)


def test_cross_validation_of_arrays_and_slices(mnist):
    X, _, y, _ = mnist
    slices, _ = fetch_mnist(return_X_y=True, as_slice_dataset=True, download_if_missing=False)
    clf = MNISTCNNClassifier(max_epochs=1, train_split=None, random_state=0, verbose=0)
    rows = np.arange(6000)
    arrays = cross_val_score(clf, X[rows], y[rows], cv=3)
    np.testing.assert_array_equal(arrays, cross_val_score(clf, slices[rows], y[rows], cv=3))
    assert arrays.mean() > 0.85


def test_grid_search_in_a_pipeline_with_two_processes(mnist):
    X, X_test, y, y_test = mnist
    clf = MNISTCNNClassifier(max_epochs=2, random_state=0, verbose=0)
    grid = {
        "mnistcnnclassifier__lr": [1e-5, 2e-3],
        "mnistcnnclassifier__module__dropout": [0.1, 0.2],
        "mnistcnnclassifier__batch_size": [32, 64],
    }
    search = GridSearchCV(make_pipeline(MinMaxScaler(), clf), grid, cv=2, n_jobs=2)
    search.fit(X[:2000], y[:2000])
    assert search.best_params_["mnistcnnclassifier__lr"] == 2e-3
    assert search.score(X_test, y_test) > 0.85
