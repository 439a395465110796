"""Slices of full MNIST, where it is cached. The examples in README.md train on all of it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import cross_val_score

from skorch_mnist import MNISTCNNClassifier, fetch_mnist

pytestmark = pytest.mark.slow


def test_cross_validation_of_arrays_and_slices(mnist):
    X, _, y, _ = mnist
    slices, _ = fetch_mnist(return_X_y=True, as_slice_dataset=True, download_if_missing=False)
    clf = MNISTCNNClassifier(max_epochs=1, train_split=None, random_state=0, verbose=0)
    rows = np.arange(6000)
    arrays = cross_val_score(clf, X[rows], y[rows], cv=3)
    np.testing.assert_array_equal(arrays, cross_val_score(clf, slices[rows], y[rows], cv=3))
    assert arrays.mean() > 0.85
