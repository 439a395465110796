"""What ten pictures of each digit teach the pretrained classifier, and what it forgets.

Each style is learned by itself: the fonts in the files that are given, generated writers, and
``load_digits28``. A generated writer draws each digit in one form, with a slant, a width and a turn
of its own, each time a little differently; writers that the classifier reads well are passed over.

Seeds below 1000 are for tuning. Run it with ``python tests/benchmarks/fine_tuning.py FONT...``.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

from skorch_mnist import DigitPreprocessor, MNISTCNNClassifier, fetch_mnist, load_digits28
from skorch_mnist.pretrained import load_exemplars
from skorch_mnist.pretrained._drawn import draw_digit
from skorch_mnist.pretrained._printed import print_character
from skorch_mnist.recipes import FINE_TUNE

N_LEARNED, N_TESTED = 10, 40  # pictures of each digit
READ_WELL = 0.97
FIRST_JUDGING_SEED = 1_000


def main():
    """Print a row for each style."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("fonts", nargs="*", help="files of fonts")
    parser.add_argument("--writers", type=int, default=6)
    parser.add_argument("--seed", type=int, default=FIRST_JUDGING_SEED, help="below 1000 to tune")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    subset = "test" if args.seed >= FIRST_JUDGING_SEED else "train"
    X, y = (part[:10_000] for part in fetch_mnist(subset=subset, return_X_y=True))
    pretrained = MNISTCNNClassifier.from_pretrained("digits")
    start = time.process_time()
    MNISTCNNClassifier(max_epochs=1, verbose=0).fit(*fetch_mnist(return_X_y=True))
    epoch = time.process_time() - start
    on_mnist = pretrained.score(X, y)
    print(f"Seed {args.seed}; the {subset} images of MNIST before: {on_mnist:.4f}\n")
    print("| style | before | after | lost on MNIST, points | default epochs of CPU time |")
    print("|---|---|---|---|---|")
    for name, learned, tested in styles(args, pretrained):
        start = time.process_time()
        tuned = fine_tuned(*learned)
        seconds = time.process_time() - start
        before, after = (clf.score(*tested) for clf in (pretrained, tuned))
        lost = 100 * (on_mnist - tuned.score(X, y))
        row = name, f"{before:.3f}", f"{after:.3f}", f"{lost:.2f}", f"{seconds / epoch:.2f}"
        print(f"| {' | '.join(row)} |", flush=True)


def fine_tuned(X, y):
    """Return the pretrained classifier after it has learned some images."""
    X_known, y_known = load_exemplars(return_X_y=True)
    clf = MNISTCNNClassifier.from_pretrained("digits").set_params(**FINE_TUNE, random_state=0)
    return clf.fit(np.concatenate([X, X_known]), np.concatenate([y, y_known]))


def styles(args, pretrained):
    """Yield name, images to learn and images to test of each style."""
    for number, font in enumerate(args.fonts):
        rng = np.random.default_rng([args.seed, number])

        def ink(digit, rng, font=font):
            return print_character(str(digit), font, float(np.exp(rng.uniform(3.0, 4.6))), rng)

        yield Path(font).stem, pictures(ink, N_LEARNED, rng), pictures(ink, N_TESTED, rng)
    left, seed = args.writers, args.seed
    while left:
        ink, rng, seed = writer(seed), np.random.default_rng(seed), seed + 1
        tested = pictures(ink, N_TESTED, rng)
        if pretrained.score(*tested) < READ_WELL:
            yield f"writer {seed - 1}", pictures(ink, N_LEARNED, rng), tested
            left -= 1
    X, y = load_digits28(return_X_y=True)
    for number in range(3):
        rows = np.random.default_rng([args.seed, number]).permutation(len(y))
        few = np.concatenate([rows[y[rows] == digit][:N_LEARNED] for digit in range(10)])
        others = np.setdiff1d(rows, few)
        yield f"load_digits28, draw {number + 1}", (X[few], y[few]), (X[others], y[others])


def pictures(ink, n, rng):
    """Return n images of each digit as read from pictures, and the digits."""
    y = np.repeat(range(10), n)
    taken = [_photographed(ink(int(digit), rng), rng) for digit in y]
    X = DigitPreprocessor(on_error="warn").transform(taken)
    found = X.any(axis=1)
    return X[found], y[found]


def _photographed(ink, rng):
    """Return a picture of ink on paper, a little turned, blurred and noisy."""
    sheet = np.pad(ink, max(4, round(0.3 * max(ink.shape)))).astype(np.float32)
    size = sheet.shape[::-1]
    turn = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), rng.normal(0, 3), 1)
    sheet = cv2.warpAffine(sheet, turn, size)
    picture = rng.uniform(0.75, 0.98) * (1 - (1 - rng.uniform(0.02, 0.3)) * sheet)
    picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.0))
    picture = picture + rng.normal(0, 0.015, sheet.shape)
    return np.asarray(picture.clip(0, 1) * 255, np.uint8)


def writer(seed):
    """Return a function that draws a digit as a writer does."""
    own = np.random.default_rng(seed)
    slant, squash, turn = own.normal(0, 0.45), np.exp(own.normal(0, 0.3)), own.normal(0, 12)
    forms = own.integers(10**9, size=10)

    def ink(digit, rng):
        drawn = draw_digit(digit, 90, np.random.default_rng(forms[digit]))
        sheet = np.pad(drawn, max(drawn.shape) // 2).astype(np.float32)
        center = np.array(sheet.shape[::-1]) / 2
        angle = np.radians(turn + rng.normal(0, 4))
        cos, sin = np.cos(angle), np.sin(angle)
        width = squash * np.exp(rng.normal(0, 0.07))
        hand = [[cos, sin], [-sin, cos]] @ np.array([[width, rng.normal(-slant, 0.07)], [0, 1]])
        sheet = cv2.warpAffine(
            sheet, np.column_stack([hand, center - hand @ center]), sheet.shape[::-1]
        )
        sheet = _distorted(sheet, rng)
        y, x = np.nonzero(sheet > 0.1)
        return sheet[y.min() : y.max() + 1, x.min() : x.max() + 1]

    return ink


def _distorted(sheet, rng):
    """Return ink whose points have moved by up to a twentieth of the side, near ones alike."""
    side = sheet.shape[0]
    moves = [gaussian_filter(rng.normal(size=sheet.shape), side / 10) for _ in "xy"]
    dx, dy = (0.05 * side / np.abs(move).max() * move for move in moves)
    y, x = np.mgrid[:side, : sheet.shape[1]]
    moved = cv2.remap(
        sheet, (x + dx).astype(np.float32), (y + dy).astype(np.float32), cv2.INTER_LINEAR
    )
    return moved.clip(0, 1)


if __name__ == "__main__":
    main()
