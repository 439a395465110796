"""Errors of networks on the corruptions of MNIST-C, as ``tests/corruptions.py`` makes them.

The corruptions form two groups. No network of this project is trained with any of ``UNSEEN``. Those
of ``SEEN`` resemble what an augmentation may do.

Choose between networks with ``--subset train`` only, which corrupts the last 10,000 training images
instead of the test images. Networks were usually trained on these without corruption, so their
errors are a little lower.

Run it with ``python tests/benchmarks/corruptions.py --model one.safetensors``, and repeat
``--model`` to compare several. The last row is relative to the first network.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from corruptions import SEEN, UNSEEN, corrupt

from skorch_mnist import MNISTCNNClassifier, fetch_mnist

N_IMAGES = 10_000  # of each subset


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model",
        type=Path,
        action="append",
        help="a saved classifier; repeat it to compare (default: trains the default network)",
    )
    parser.add_argument("--images", type=int, default=N_IMAGES, help="only the first ones")
    parser.add_argument("--subset", choices=("test", "train"), default="test", help="train to tune")
    parser.add_argument("--seed", type=int, default=0, help="seed of the corruptions")
    args = parser.parse_args()
    if args.images < 1:
        parser.error(f"--images {args.images} is not valid: pass a positive number.")
    networks = load(args.model)
    if args.model and len(networks) < len(args.model):
        parser.error("two models have the same file name, which is their column: rename one.")
    X, y = fetch_mnist(subset=args.subset, return_X_y=True)
    X, y = X[-N_IMAGES:][: args.images], y[-N_IMAGES:][: args.images]
    print(f"Errors in percent on {len(X):,} {args.subset} images, seed {args.seed}\n")
    print_row("corruption", *networks)
    print_row(*["---"] * (len(networks) + 1))
    print_row("none", *percent(errors(networks, X, y)))
    unseen = print_group("unseen", UNSEEN, networks, X, y, args.seed)
    seen = print_group("seen in kind", SEEN, networks, X, y, args.seed)
    print_row("**mean of all**", *percent(np.vstack([unseen, seen]).mean(axis=0)))
    first, *_ = networks
    ratios = unseen.mean(axis=0) / unseen.mean(axis=0)[0]
    print_row(f"unseen, relative to {first}", *(f"{ratio:.2f}" for ratio in ratios))


def load(paths: list[Path] | None) -> dict[str, MNISTCNNClassifier]:
    """Return networks by name, or a new one with the default parameters."""
    if paths:
        return {path.stem: MNISTCNNClassifier.load(path) for path in paths}
    clf = MNISTCNNClassifier(random_state=0, verbose=0)
    return {"default": clf.fit(*fetch_mnist(return_X_y=True))}


def errors(networks: dict[str, MNISTCNNClassifier], X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the share of wrong labels of each network."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*X looks inverted")  # some are
        return np.array([(clf.predict(X) != y).mean() for clf in networks.values()])


def print_group(title, names, networks, X, y, seed) -> np.ndarray:
    """Print a row for each corruption and one for their mean, and return the errors."""
    found = []
    for name in names:
        found.append(errors(networks, corrupt(X, name, np.random.default_rng(seed)), y))
        print_row(name, *percent(found[-1]))
    print_row(f"**mean of {title}**", *percent(np.mean(found, axis=0)))
    return np.array(found)


def percent(shares: np.ndarray) -> list[str]:
    return [f"{share:.2%}".rstrip("%") for share in shares]


def print_row(*cells: str) -> None:
    print("|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
