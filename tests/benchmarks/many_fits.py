"""Fit a thousand times in one process, and see what stays: memory, threads, open files.

Every fit is followed by prediction, a pickle, and a model file written and read; callbacks,
checkpoints, early stopping, errors in the middle, and workers of loaders take turns. Run by hand:
``python tests/benchmarks/many_fits.py --fits 1000``.
"""

from __future__ import annotations

import argparse
import gc
import os
import pickle
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from skorch.callbacks import Callback, LRScheduler

from skorch_mnist import MNISTCNNClassifier
from skorch_mnist.checkpoint import ResumeCheckpoint

WARM = 100  # fits before the first look: caches fill


class Failing(Callback):
    def on_batch_end(self, net, **kwargs):
        raise RuntimeError("as intended")


def look() -> dict[str, float]:
    """Return what the process holds."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "memory, MB": pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        "threads of Python": threading.active_count(),
        "threads": len(os.listdir("/proc/self/task")),
        "open files": len(os.listdir("/proc/self/fd")),
        "child processes": len(
            Path("/proc/self/task", str(os.getpid()), "children").read_text().split()
        ),
    }


def fit(number: int, folder: Path, X: np.ndarray, y: np.ndarray) -> None:
    """Fit in one of several ways, and use the result."""
    ways = [
        {},
        {"callbacks": [LRScheduler("StepLR", step_size=1)], "early_stopping": True},
        {"callbacks": [ResumeCheckpoint(folder / str(number))], "augment": "affine"},
        {"callbacks": [Failing()]},
        {"lr_schedule": "one_cycle"},
    ]
    params = dict(ways[number % len(ways)])
    if number % 50 == 0:
        params["iterator_train__num_workers"] = 1
    clf = MNISTCNNClassifier(max_epochs=2, random_state=number, verbose=0, **params)
    try:
        clf.fit(X, y)
    except RuntimeError:
        return
    clf.set_params(callbacks=None)
    clf.save(folder / "model")
    expected = clf.predict_proba(X)
    for back in (MNISTCNNClassifier.load(folder / "model"), pickle.loads(pickle.dumps(clf))):
        np.testing.assert_array_equal(back.predict_proba(X), expected)


def main() -> None:
    """Print what the process holds after a tenth of the fits, and after all; fail if it grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fits", type=int, default=1000)
    args = parser.parse_args()
    rng = np.random.RandomState(0)
    X, y = rng.randint(0, 256, size=(200, 784)).astype(np.uint8), np.arange(200) % 10
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(args.fits):
            fit(number, Path(folder), X, y)
            if number == WARM - 1:
                before = look()
    after = look()
    print(f"{args.fits:,} fits in {time.monotonic() - start:.0f} s")
    for name, value in after.items():
        print(f"{name}: {before[name]:.0f} after {WARM} fits, {value:.0f} after {args.fits:,}")
    grown = {name: value - before[name] for name, value in after.items()}
    assert grown.pop("memory, MB") < 20
    assert max(grown.values()) <= 0, grown


if __name__ == "__main__":
    main()
