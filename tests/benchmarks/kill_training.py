"""Kill training runs at random times, resume, and compare the weights with an uninterrupted run.

Each process trains with ``ResumeCheckpoint``, gets SIGKILL after a random time, and is started
again until it ends by itself. In every third training some processes have a limit on the size of
files, as if the disk were full. Run by hand:
``python tests/benchmarks/kill_training.py --kills 1000``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import resource
import signal
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch

from skorch_mnist import MNISTCNNClassifier
from skorch_mnist._storage._tensor_file import read_tensors
from skorch_mnist.checkpoint import ResumeCheckpoint
from skorch_mnist.checkpoint._folder import FILE

KINDS = [
    {"augment": "affine"},
    {"lr_schedule": "one_cycle"},
    {"early_stopping": True, "n_iter_no_change": 4},
]
TOO_SMALL = 20_000  # bytes


def train(folder: Path, params: dict, seed: int, full_disk: bool) -> None:
    """Train and write the model, in a separate process."""
    torch.set_num_threads(1)
    rng = np.random.RandomState(seed)
    X, y = rng.randint(0, 200, size=(300, 64)).astype(np.uint8), np.arange(300) % 3
    X[np.arange(300), y] += 50
    if full_disk:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (TOO_SMALL, limits[1]))
        warnings.simplefilter("ignore")
    clf = MNISTCNNClassifier(
        max_epochs=12,
        random_state=seed,
        verbose=0,
        callbacks=[ResumeCheckpoint(folder)],
        **params,
    )
    clf.fit(X, y)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    clf.set_params(callbacks=None).save(folder / "model")


def run(context, kill_after: float | None, *arguments) -> int:
    """Run training in a process, and kill it after a time; return its exit status."""
    process = context.Process(target=train, args=arguments)
    process.start()
    process.join(kill_after)
    if process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
        process.join()
    return process.exitcode


def weights(folder: Path) -> dict[str, torch.Tensor]:
    clf = MNISTCNNClassifier.load(folder / "model")
    losses = torch.tensor([float(loss) for loss in clf.history_[:, "train_loss"]])
    return {**clf.module_.state_dict(), "losses": losses}


def main() -> None:
    """Print how many kills were survived; fail where weights differ or a file is not whole."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--random-state", type=int, default=0)
    args = parser.parse_args()
    rng = random.Random(args.random_state)
    context = multiprocessing.get_context("fork")  # torch is imported once
    kills = trainings = on_full_disk = 0
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        while kills < args.kills:
            params, root = KINDS[trainings % len(KINDS)], Path(name, str(trainings))
            whole, cut_off = root / "whole", root / "cut off"
            before = time.monotonic()
            assert run(context, None, whole, params, trainings, False) == 0
            seconds = time.monotonic() - before
            while True:
                full = trainings % 3 == 0 and rng.random() < 0.3
                on_full_disk += full
                status = run(context, rng.uniform(0, seconds), cut_off, params, trainings, full)
                if status == 0:
                    break
                assert status == -signal.SIGKILL, status
                kills += 1
                if (cut_off / FILE).exists():
                    read_tensors(cut_off / FILE, "skorch_mnist_checkpoint", newest=1)
            expected, found = weights(whole), weights(cut_off)
            assert expected.keys() == found.keys()
            assert all(torch.equal(found[key], expected[key]) for key in expected)
            trainings += 1
    print(
        f"{kills:,} kills of {trainings:,} trainings in {time.monotonic() - start:.0f} s, "
        f"{on_full_disk:,} processes with a full disk: all ended with equal weights"
    )


if __name__ == "__main__":
    main()
