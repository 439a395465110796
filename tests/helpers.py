"""Small data and quick classifiers that several test modules share."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import safetensors.torch

from skorch_mnist import MNISTCNNClassifier

KEY = "skorch_mnist"  # of the metadata of a model file that holds the manifest


def toy(n=60, classes=(0, 1, 2), shape=(6, 6), seed=0):
    """Return images of uint8, whose brightest pixel tells their class, and their classes."""
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % len(classes)
    X = rng.integers(0, 60, (n, *shape), dtype=np.uint8)
    X.reshape(n, -1)[np.arange(n), codes] = 255
    return X, np.array(classes)[codes]


def slow_unless(kept, params):
    """Parameters of a test by name; only those in ``kept`` belong to the fast tier."""
    return [
        pytest.param(value, id=name, marks=() if name in kept else pytest.mark.slow)
        for name, value in params.items()
    ]


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


def read_model_file(path):
    """Return the manifest and the weights of a model file."""
    with safetensors.safe_open(path, "pt") as file:
        manifest = json.loads(file.metadata()[KEY])
    del manifest["sha256"]
    return manifest, safetensors.torch.load(path.read_bytes())


def digest(manifest, weights):
    """Return the hash that seals a model file."""
    sha256 = hashlib.sha256(json.dumps(manifest).encode())
    for name, weight in sorted(weights.items()):
        sha256.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        sha256.update(weight.numpy().tobytes())
    return sha256.hexdigest()


def write_forged(path, change, weights=None, seal=True):
    """Change the manifest of a model file, perhaps its weights, and seal it again."""
    manifest, own = read_model_file(path)
    change(manifest)
    weights = own if weights is None else weights
    if seal:
        manifest["sha256"] = digest(manifest, weights)
    path.write_bytes(safetensors.torch.save(weights, metadata={KEY: json.dumps(manifest)}))
