"""One grid search in this process, in those of joblib, and on Dask clusters on this machine.

Times are those of the search, once its workers have done a small one; bytes are those that went
over the loopback device meanwhile. Run by hand: ``python tests/benchmarks/clusters.py``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import time

import dask
import numpy as np
import psutil
import torch
from distributed import Client, LocalCluster
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV

from skorch_mnist import MNISTCNNClassifier, fetch_mnist
from skorch_mnist.clusters import register_dask
from skorch_mnist.recipes import FAST


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--candidates", type=int, nargs="+", default=[2, 16])
    args = parser.parse_args()
    torch.set_num_threads(1)  # as workers have
    X, y = fetch_mnist(return_X_y=True)
    X, y = X[: args.images], y[: args.images]
    print(f"{args.images:,} images, {X.nbytes / 1e6:.1f} MB, 2 folds")
    print("| workers | candidates | seconds | MB sent | mean accuracy |")
    print("|---|---|---|---|---|")
    for name, started, n in (
        ("joblib", on_joblib, 1),
        ("joblib", on_joblib, 2),
        ("joblib", on_joblib, 4),
        ("Dask", on_dask, 1),
        ("Dask", on_dask, 2),
        ("Dask", on_dask, 4),
    ):
        with started(n):
            search(X[:2000], y[:2000], 4)  # imports, on all workers
            for n_candidates in args.candidates:
                before, start = sent(), time.perf_counter()
                scores = search(X, y, n_candidates)
                seconds = time.perf_counter() - start
                megabytes = (sent() - before) / 1e6
                figures = f"{seconds:.1f}", f"{megabytes:.1f}", f"{scores:.4f}"
                row = [f"{name}, {n}", str(n_candidates), *figures]
                print("| " + " | ".join(row) + " |", flush=True)


@contextlib.contextmanager
def on_joblib(n_jobs: int):
    """Have joblib use its own processes."""
    with parallel_config("loky", n_jobs=n_jobs):  # which takes effect as soon as it is made
        yield


@contextlib.contextmanager
def on_dask(n_workers: int):
    """Start a cluster, its workers set as docs/guide/scaling.md says, and have joblib use it."""
    os.environ |= dict.fromkeys(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), str(2**30))
    dask.config.set({"distributed.worker.profile.enabled": False})
    options = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    with LocalCluster(n_workers=n_workers, **options) as cluster, Client(cluster) as client:
        client.wait_for_workers(n_workers)
        register_dask()
        with parallel_config("skorch_mnist_dask", client=client):
            yield


def search(X: np.ndarray, y: np.ndarray, n_candidates: int) -> float:
    """Search over learning rates, and return the mean accuracy of all candidates."""
    grid = {"lr": np.geomspace(1e-3, 2e-2, n_candidates).tolist()}
    clf = MNISTCNNClassifier(**FAST, random_state=0, verbose=0)
    found = GridSearchCV(clf, grid, cv=2, refit=False).fit(X, y)
    return float(found.cv_results_["mean_test_score"].mean())


def sent() -> int:
    """Return the bytes that have gone over the loopback device."""
    return psutil.net_io_counters(pernic=True)["lo"].bytes_sent


if __name__ == "__main__":
    main()
