"""How time and memory of the defaults grow: with rows, sides, workers, and other parameters."""

from __future__ import annotations

import statistics
import time

import numpy as np
from memory import peak_since
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from skorch_mnist import MNISTCNNClassifier, fetch_mnist

ROWS = (1_000, 10_000, 60_000, 240_000)
SIDES = (14, 28, 56, 112)
WORKERS = (1, 2)
PARAMETERS = {
    "nothing": {},
    "augment": {"augment": "affine"},
    "PyTorch loader": {"iterator_train__pin_memory": False},
    "Adam in several kernels": {"optimizer__fused": False},
}
CASES = [
    *(f"parameter={name}" for name in PARAMETERS),
    *(f"rows={n}" for n in ROWS),
    *(f"side={n}" for n in SIDES),
    *(f"workers={n}" for n in WORKERS),
]


def measure(case: str) -> dict[str, float]:
    """Time one epoch of a case, ``rows=1000`` for instance, or a cross-validation."""
    kind, _, value = case.partition("=")
    X, y = fetch_mnist(subset="train", return_X_y=True)
    clf = MNISTCNNClassifier(max_epochs=1, random_state=0, verbose=0)
    clf.fit(X[:500], y[:500])  # what happens once in a process
    if kind == "parameter":
        return measure_parameters(clf, PARAMETERS[value], X[:12_000], y[:12_000])
    size = int(value)
    if kind == "workers":
        X, y = X[:12_000], y[:12_000]
        cross_val_score(clf, X[:500], y[:500], cv=2, n_jobs=size)  # starts the workers
        start = time.perf_counter()
        scores = cross_val_score(clf.set_params(max_epochs=3), X, y, cv=4, n_jobs=size)
        return {"seconds": time.perf_counter() - start, "score": float(scores.mean())}
    if kind == "rows":
        repeats = -(-size // len(X))
        X, y = np.tile(X, (repeats, 1))[:size], np.tile(y, repeats)[:size]
    else:
        n = 4_000
        grid = np.arange(size) * 28 // size
        X, y = X[:n].reshape(n, 28, 28)[:, grid[:, None], grid], y[:n]
    with peak_since() as memory:
        start = time.perf_counter()
        clf.fit(X, y)
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "memory": memory.bytes, "rows": len(X)}


def measure_parameters(
    clf: MNISTCNNClassifier, params: dict[str, object], X: np.ndarray, y: np.ndarray
) -> dict[str, float]:
    """Time epochs with and without ``params`` in turn; return the median ratio."""
    ratios, seconds = [], []
    for _ in range(5):
        pair = []
        for trial in (clone(clf).set_params(**params), clone(clf)):
            start = time.perf_counter()
            trial.fit(X, y)
            pair.append(time.perf_counter() - start)
        ratios.append(pair[0] / pair[1])
        seconds.append(pair[0])
    return {"ratio": statistics.median(ratios), "seconds": statistics.median(seconds)}
