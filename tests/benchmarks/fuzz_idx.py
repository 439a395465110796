"""Feed mutated IDX and gzip files to the readers: the right array or our error must result.

Memory must stay bounded. Run it with ``python tests/benchmarks/fuzz_idx.py --files 100000``.
"""

from __future__ import annotations

import argparse
import gzip
import math
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from misbehaving_mirror import to_idx

from skorch_mnist import load_digits28
from skorch_mnist.datasets import DatasetError, load_idx


def mutate(data, rng):
    """Return ``data`` after one to four random changes."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        kind = rng.integers(6)
        place = int(rng.integers(len(data) + 1))
        if rng.random() < 0.5:
            place = min(place, int(rng.integers(40)))  # headers break more than pixels
        if kind == 0 and place < len(data):
            data[place] ^= 1 << int(rng.integers(8))
        elif kind == 1 and place < len(data):
            data[place] = int(rng.choice([0, 1, 8, 127, 128, 255]))
        elif kind == 2:
            del data[place:]
        elif kind == 3:
            data[place:place] = rng.bytes(int(rng.integers(1, 9)))
        elif kind == 4:
            del data[place : place + int(rng.integers(1, 9))]
        else:
            data[place : place + 4] = int(rng.integers(2**32)).to_bytes(4, "big")
    return bytes(data)


def main():
    """Print what came of the mutated files; fail at the first that is neither."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--random-state", type=int, default=0)
    args = parser.parse_args()
    rng = np.random.default_rng(args.random_state)
    images, labels = load_digits28().images[:6], load_digits28().target[:6]
    seeds = [to_idx(images), to_idx(labels.astype(np.uint8)), to_idx(labels.astype(np.int32))]
    outcomes = Counter()
    with tempfile.TemporaryDirectory() as folder:
        good = Path(folder, "images"), Path(folder, "labels")
        for path, data in zip(good, seeds, strict=False):
            path.write_bytes(data)
        load_idx(*good)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.monotonic()
        for number in range(args.files):
            data = seeds[number % 3]
            if number % 2:  # a packed file, damaged before or after it was packed
                inner = rng.random() < 0.5
                data = gzip.compress(mutate(data, rng) if inner else data, mtime=0)
                data = data if inner else mutate(data, rng)
            else:
                data = mutate(data, rng)
            path = Path(folder, "mutated")
            path.write_bytes(data)
            files = (path, None) if number % 3 == 0 else (good[0], path)
            try:
                bunch = load_idx(*files)
            except DatasetError:
                outcomes["refused"] += 1
                continue
            outcomes["read"] += 1
            expect_right(bunch, data, labels_only=number % 3 > 0)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    seconds = time.monotonic() - start
    print(f"{args.files:,} files in {seconds:.0f} s: {dict(outcomes)}; memory grew {grown} KiB")
    assert grown < 50_000


def expect_right(bunch, data, *, labels_only):
    """Check what was read against the bytes themselves."""
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    n_dims = data[3]
    shape = np.frombuffer(data, ">u4", n_dims, 4).tolist()
    body = data[4 + 4 * n_dims :]
    if labels_only:
        code = {8: ">u1", 9: ">i1", 0x0B: ">i2", 0x0C: ">i4"}[data[2]]
        values = np.frombuffer(body, code).reshape(shape)
        values = values[:, 0] if values.ndim == 2 else values
        assert bunch.target.tolist() == values.tolist()
    else:
        assert bunch.images.shape == tuple(shape) and len(body) == math.prod(shape)
        assert bunch.images.tobytes() == body


if __name__ == "__main__":
    main()
