"""Build the pretrained model from MNIST and generated digits.

``python -m skorch_mnist.pretrained.build digits.safetensors`` writes the model that
``MNISTCNNClassifier.from_pretrained("digits")`` loads, and in the same folder the exemplars that
``load_exemplars`` reads. The same commit writes bit-identical files on the same machine with the
same versions of the libraries and the fonts. ``digits.md`` names the commit, the versions and the
data. The fonts are from packages of Debian 12; the command lists those that are missing.
"""

from __future__ import annotations

import argparse
import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from skorch_mnist.classifier import MNISTCNNClassifier
from skorch_mnist.datasets import fetch_mnist
from skorch_mnist.pictures import DigitPreprocessor
from skorch_mnist.pictures._mnist_form import centered, mnist_form
from skorch_mnist.recipes import FAST, ROBUST
from skorch_mnist.rejection import RejectingClassifier

from . import EXEMPLARS
from ._drawn import draw_digit
from ._pictured import enlarged, picture_of
from ._printed import NO_DIGITS, font_files, has_character, print_character

N_MNIST = 60_000
N_DRAWN, N_PICTURED, N_PRINTS = 12_000, 16_000, 3  # N_PRINTS per digit and font
N_DOTTED, PITCH = 6_000, 12  # pixels from dot to dot
N_OUTLIERS = 60  # per font
DETECTOR = {
    **FAST,
    "module__widths": (32, 64),
    "module__shifted_copies": True,
    "max_epochs": 8,
    "augment": "affine",
}
ACCEPT = 0.988  # of these digits, many of which are in bad pictures; higher for those of MNIST
DRAWN_MORE = (0, 2, 1, 0, 2, 0, 0, 2, 0, 2)  # higher for digits with forms that MNIST lacks
N_FROM_MNIST, N_GENERATED = 40, 20  # exemplars per digit

Ink = tuple[NDArray[np.float32], int]


def main() -> None:
    """Build the model and write it to a file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path, help="model file to write")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed; each one gives a similar model [0]"
    )
    args = parser.parse_args()
    X, y = training_digits(args.seed)
    torch.set_num_threads(1)  # sums depend on the number of threads
    rejecting = fitted_classifier(X, y, args.seed)
    rejecting.save(args.path)
    write_exemplars(args.path.parent, *exemplars(rejecting.estimator_, X, y))


def fitted_classifier(X: NDArray[np.uint8], y: NDArray[np.int64], seed: int) -> RejectingClassifier:
    """Return a classifier with a detector for images that are not digits, ready to save."""
    clf, detector = (
        MNISTCNNClassifier(**params, device="cpu", random_state=seed)
        for params in (ROBUST, DETECTOR)
    )
    rejecting = RejectingClassifier(clf, detector=detector, accept=ACCEPT, random_state=seed)
    rng = np.random.default_rng([seed, 1])
    parts = [(X, y), blurred_prints(rng), dotted_digits(rng)]
    X, y = np.concatenate([X for X, _ in parts]), np.concatenate([y for _, y in parts])
    rejecting.fit(X, y, outliers=printed_outliers(rng))
    fitted: MNISTCNNClassifier
    for fitted in (rejecting.estimator_, rejecting.detector_):
        for epoch in fitted.history:
            epoch["dur"] = 0.0  # the seconds would be different in each file
        fitted.set_params(device="auto", random_state=None, verbose=0)
    rejecting.set_params(random_state=None)
    return rejecting


def training_digits(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the training images of MNIST and generated ones, (n, 784), and their digits."""
    rng = np.random.default_rng(seed)
    X, y = fetch_mnist(subset="train", return_X_y=True)
    some = rng.permutation(len(y))[:N_PICTURED]
    parts = [(X, y)]
    for inks in (_printed(rng), _drawn(rng), _from_mnist(X[some], y[some], rng)):
        parts.append(_as_read(inks, rng))
    return np.concatenate([X for X, _ in parts]), np.concatenate([y for _, y in parts])


def exemplars(
    clf: MNISTCNNClassifier, X: NDArray[np.uint8], y: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return some images of each digit that the classifier reads correctly."""
    read = clf.predict(X) == y
    generated = np.arange(len(y)) >= N_MNIST
    rng = np.random.default_rng(0)
    rows = [
        rng.permutation(np.flatnonzero(read & (y == digit) & (generated == part)))[:n]
        for digit in range(10)
        for part, n in ((False, N_FROM_MNIST), (True, N_GENERATED))
    ]
    chosen = np.concatenate(rows)
    return X[chosen], y[chosen]


def write_exemplars(folder: Path, X: NDArray[np.uint8], y: NDArray[np.int64]) -> None:
    """Write images and labels as compressed IDX files."""
    for path, array in zip(EXEMPLARS, (X.reshape(-1, 28, 28), y.astype(np.uint8)), strict=True):
        header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
        packed = gzip.compress(header + array.tobytes(), mtime=0)  # identical in each run
        (folder / path.name).write_bytes(packed)


def printed_outliers(rng: Generator) -> NDArray[np.uint8]:
    """Return letters and symbols of fonts, (n, 784), some with the stroke width of MNIST."""
    images = []
    for font in font_files(rng):
        known = [character for character in NO_DIGITS if has_character(character, font)]
        for character in rng.choice(known, min(N_OUTLIERS, len(known)), replace=False).tolist():
            ink = print_character(character, font, 100.0, rng)
            images.append(mnist_form(ink) if rng.random() < 0.5 else centered(ink > 0.5))
    return np.reshape(images, (len(images), -1))


def blurred_prints(rng: Generator) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return small printed digits out of focus, as in photographs of pages, (n, 784)."""
    fonts = np.repeat(font_files(rng), 10 * N_PRINTS).tolist()
    digits = np.resize(np.repeat(range(10), N_PRINTS), len(fonts))
    images = []
    for font, digit in zip(fonts, digits.tolist(), strict=True):
        height = rng.uniform(9, 24)
        ink = np.pad(print_character(str(digit), font, height, rng), 6)
        soft = cv2.GaussianBlur(ink, (0, 0), height * rng.uniform(0.03, 0.1))
        darker = soft / soft.max() * rng.uniform(0.9, 2.4)
        images.append(mnist_form(np.asarray(darker.clip(0, 1), np.float32)))
    return np.reshape(images, (len(images), -1)), digits


def dotted_digits(rng: Generator) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return digits made of dots, as on displays and receipts, (n, 784)."""
    digits = np.resize(range(10), N_DOTTED)
    fonts = rng.choice(font_files(rng), N_DOTTED).tolist()
    images = []
    for font, digit in zip(fonts, digits.tolist(), strict=True):
        if rng.random() < 0.7:
            ink = draw_digit(digit, rng.uniform(8, 16), rng)
        else:
            ink = print_character(str(digit), font, rng.uniform(9, 18), rng)
        x = (np.arange(PITCH) + 0.5) / PITCH - 0.5
        dot = np.hypot(x, x[:, None]) < rng.uniform(0.25, 0.5)
        lit = ink > ink.max() * rng.uniform(0.4, 0.7)
        images.append(mnist_form(np.kron(lit, dot).astype(np.float32)))
    return np.reshape(images, (len(images), -1)), digits


def _printed(rng: Generator) -> Iterator[Ink]:
    for font in font_files(rng):
        for digit in np.repeat(range(10), N_PRINTS).tolist():
            yield (
                print_character(str(digit), font, float(np.exp(rng.uniform(2.3, 4.6))), rng),
                digit,
            )


def _drawn(rng: Generator) -> Iterator[Ink]:
    share = np.add(DRAWN_MORE, 2) / np.add(DRAWN_MORE, 2).sum()
    for digit in rng.choice(10, N_DRAWN, p=share).tolist():
        yield draw_digit(digit, float(np.exp(rng.uniform(3.2, 5.0))), rng), digit


def _from_mnist(X: NDArray[np.uint8], y: NDArray[np.int64], rng: Generator) -> Iterator[Ink]:
    for image, digit in zip(X.reshape(-1, 28, 28), y.tolist(), strict=True):
        yield enlarged(image, rng), digit


def _as_read(inks: Iterable[Ink], rng: Generator) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Convert pictures of digits with ``DigitPreprocessor``; return images and digits."""
    digits: list[int] = []

    def pictures() -> Iterator[NDArray[np.uint8]]:
        for ink, digit in inks:
            digits.append(digit)
            yield picture_of(ink, rng)

    # What comes from this build cannot judge what it is built from.
    X = DigitPreprocessor(retry=False, on_error="warn", n_jobs=-1).transform(pictures())
    found = X.any(axis=1)
    return X[found], np.array(digits)[found]


if __name__ == "__main__":
    main()
