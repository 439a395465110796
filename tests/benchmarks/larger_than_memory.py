"""Measure the memory for fitting on images that stay on disk, and images per second.

A memory map of made-up images, or a PyTorch dataset that reads each image from it: by index,
or one after another.
Anonymous memory is counted, at its highest while batches go through the network: not the pages of
the map, which the system keeps while it has room. Run by hand, with a number of images of 784
bytes: ``python tests/benchmarks/larger_than_memory.py 12800000 --linear``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from skorch_mnist import MNISTCNN, MNISTCNNClassifier

ROWS_PER_CHUNK = 100_000


def anonymous() -> float:
    """Return the anonymous memory of this process in MB."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous")) / 1e3


class Peak:
    """The highest that was seen."""

    megabytes = 0.0
    n_batches = 0

    @classmethod
    def look(cls) -> None:
        cls.n_batches += 1
        if cls.n_batches % 20 == 0:
            cls.megabytes = max(cls.megabytes, anonymous())


class Linear(torch.nn.Module):
    """A network that costs little."""

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.output = torch.nn.Linear(784, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        Peak.look()
        return self.output(x.flatten(1))


class Convolutional(MNISTCNN):
    """The default network."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        Peak.look()
        return super().forward(x)


class Numbered(torch.utils.data.Dataset):
    """Images that are read one by one, by number."""

    def __init__(self, X: np.ndarray, y: np.ndarray) -> None:
        self.X, self.targets = X, y

    def __len__(self) -> int:
        return len(self.X)

    def __getitem__(self, number: int) -> tuple[np.ndarray, int]:
        return np.array(self.X[number]).reshape(28, 28), int(self.targets[number])


class Stream(torch.utils.data.IterableDataset):
    """Images that are read one after the other."""

    def __init__(self, X: np.ndarray, y: np.ndarray) -> None:
        self.X, self.y = X, y

    def __iter__(self) -> Iterator[tuple[np.ndarray, int]]:
        for image, label in zip(self.X, self.y, strict=True):
            yield np.array(image).reshape(28, 28), int(label)


def main() -> None:
    """Write the images, train on them and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=int)
    parser.add_argument("--folder", default=None)
    parser.add_argument("--through", choices=["map", "dataset", "stream"], default="map")
    parser.add_argument("--linear", action="store_true", help="with a network that costs little")
    parser.add_argument("--augment", choices=["affine"], default=None)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.NamedTemporaryFile(dir=args.folder, suffix=".dat") as file:
        for start in range(0, args.images, ROWS_PER_CHUNK):
            n = min(ROWS_PER_CHUNK, args.images - start)
            file.write(rng.integers(0, 256, (n, 784), dtype=np.uint8).data)
        file.flush()
        X = np.memmap(file.name, np.uint8, "r", shape=(args.images, 784))
        y = (np.arange(args.images) % 10).astype(np.uint8)
        clf = MNISTCNNClassifier(
            Linear if args.linear else Convolutional,
            max_epochs=1,
            batch_size=4096 if args.linear else 64,
            augment=args.augment,
            random_state=0,
            verbose=0,
        )
        clf.fit(X[:2000], y[:2000])
        before, Peak.megabytes = anonymous(), 0.0
        start = time.perf_counter()
        of = {"map": (X, y), "dataset": (Numbered(X, y),), "stream": (Stream(X, y),)}
        clf.fit(*of[args.through])
        seconds = time.perf_counter() - start
    print(f"{args.images:,} images, {X.nbytes / 1e9:.2f} GB on the disk")
    print(f"added memory {Peak.megabytes - before:.0f} MB, {seconds:.0f} s an epoch")


if __name__ == "__main__":
    main()
