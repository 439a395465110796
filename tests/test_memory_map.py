"""Memory maps: images that stay on the disk."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import tracemalloc

import numpy as np
import pytest
from helpers import assert_same_weights, quick
from torch import nn


@pytest.fixture
def on_disk(digits, tmp_path):
    """The training images of ``digits``, as a read-only memory map."""
    X = digits[0]
    path = tmp_path / "images.dat"
    X.tofile(path)
    return np.memmap(path, dtype=np.uint8, mode="r", shape=X.shape)


@pytest.mark.parametrize("augment", [None, "affine"])
def test_a_memory_map_is_trained_on_as_an_array(on_disk, digits, augment):
    X, _, y, _ = digits
    arrays, mapped = (
        quick(max_epochs=1, augment=augment).fit(images[:200], y[:200]) for images in (X, on_disk)
    )
    assert_same_weights(arrays, mapped)


def test_a_memory_map_is_predicted_as_an_array(on_disk, fitted):
    np.testing.assert_array_equal(
        fitted.predict_proba(on_disk), fitted.predict_proba(np.asarray(on_disk))
    )


def linear(n_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, n_classes))


def test_arrays_made_in_training_are_smaller_than_the_images(tmp_path):
    X = np.memmap(tmp_path / "map.dat", np.uint8, "w+", shape=(50_000, 784))
    X[:, :9] = np.arange(9)
    y = (np.arange(50_000) % 2).astype(np.uint8)
    clf = quick(module=linear, max_epochs=1, batch_size=1024).fit(X[:2000], y[:2000])
    tracemalloc.start()
    clf.fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.nbytes / 2


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_memory_does_not_grow_with_the_images(tmp_path):
    """Measure anonymous memory, all but the pages of the map, while 100 MB are trained on."""
    code = """
        import sys
        import numpy as np, torch
        from skorch_mnist import MNISTCNNClassifier

        def anonymous():
            with open("/proc/self/smaps_rollup") as lines:
                return sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous"))

        class Watching(torch.nn.Module):
            peak = 0

            def __init__(self, n_classes):
                super().__init__()
                self.output = torch.nn.Linear(784, n_classes)

            def forward(self, x):
                Watching.peak = max(Watching.peak, anonymous())
                return self.output(x.flatten(1))

        n = 130_000
        X = np.memmap(sys.argv[1], np.uint8, "w+", shape=(n, 784))
        X[:, :9] = np.arange(9)
        X.flush()
        X = np.memmap(sys.argv[1], np.uint8, "r", shape=(n, 784))
        y = (np.arange(n) % 2).astype(np.uint8)
        params = {"max_epochs": 1, "batch_size": 1024, "random_state": 0, "verbose": 0}
        clf = MNISTCNNClassifier(Watching, **params)
        clf.fit(X[:2000], y[:2000])
        before, Watching.peak = anonymous(), 0
        clf.fit(X, y)
        print((Watching.peak - before) / 1024)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "map.dat")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(done.stdout) < 50  # MB; the images are 102
