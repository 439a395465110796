"""Small data and quick classifiers that several test modules share."""

from __future__ import annotations

import numpy as np

from skorch_mnist import MNISTCNNClassifier


def toy(n=60, classes=(0, 1, 2), shape=(6, 6), seed=0):
    """Return images of uint8, whose brightest pixel tells their class, and their classes."""
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % len(classes)
    X = rng.integers(0, 60, (n, *shape), dtype=np.uint8)
    X.reshape(n, -1)[np.arange(n), codes] = 255
    return X, np.array(classes)[codes]


def quick(**params):
    """Return a classifier that trains silently for two epochs from a fixed seed."""
    defaults = {"max_epochs": 2, "batch_size": 16, "random_state": 0, "verbose": 0}
    return MNISTCNNClassifier(**{**defaults, **params})


def weights_of(clf):
    """Return copies of all tensors of the network, as arrays by name."""
    return {name: t.detach().cpu().numpy().copy() for name, t in clf.module_.state_dict().items()}


def assert_same_weights(one, other):
    """Compare the networks of two classifiers bit for bit."""
    theirs = weights_of(other)
    assert theirs.keys() == weights_of(one).keys()
    for name, weight in weights_of(one).items():
        np.testing.assert_array_equal(weight, theirs[name], err_msg=name)
