"""How well digits in pictures are read, by kind of picture, and how many of a page are found.

The kinds are those of ``tests/synthetic_pictures``, and, with ``--sudoku``, photographs. The
pretrained network reads the digits, or, with ``--model``, that of a model file.

Seeds below 1000 are for tuning: their pictures are drawn from MNIST training images. Seeds of 1000
and more are for the final judgment: their pictures are drawn from MNIST test images, and nothing
may be chosen by them.

``read_digits`` reads a single digit if it returns one accepted digit, and that is right: it has to
tell the picture from a page, and must not accept dirt.

A digit of a page is found if the center of exactly one box is in its cell, or in the box of its ink
where no cell is printed. Every other box is spurious: a second one on the same digit, two digits in
one box, dirt, text.

Run it with ``python tests/benchmarks/pictures.py --seed 0``.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from synthetic_pictures import (
    DISPLAYS,
    KINDS,
    PAGES,
    draw_display,
    draw_page,
    draw_picture,
    draw_print,
)
from synthetic_pictures.view import View

from skorch_mnist import DigitPreprocessor, MNISTCNNClassifier, fetch_mnist, read_digits
from skorch_mnist.pictures import find_digits

FIRST_JUDGING_SEED = 1_000


class Score(NamedTuple):
    """How well the digits of some pages were found and read."""

    digits: int = 0
    found: int = 0
    spurious: int = 0
    outside: int = 0  # those of the spurious that are not in the grid
    read: int = 0
    seconds: float = 0.0

    def __add__(self, other):
        return Score(*(a + b for a, b in zip(self, other, strict=True)))

    def shares(self):
        """Return the found, the spurious and the read share in words."""
        boxes = max(1, self.found + self.spurious)
        found = f"{self.found / max(1, self.digits):.1%}"
        return found, f"{self.spurious / boxes:.1%}", f"{self.read / max(1, self.found):.1%}"


def main():
    """Print a table of the single digits, one of the pages, and one of the photographs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=200, help="single digits of each kind")
    parser.add_argument("--pages", type=int, default=30, help="pages of each kind")
    parser.add_argument("--seed", type=int, default=FIRST_JUDGING_SEED, help="below 1000 to tune")
    parser.add_argument("--kinds", nargs="+", help="only these kinds of pictures and pages")
    parser.add_argument("--model", type=Path, help="model file to read with")
    parser.add_argument("--sudoku", type=Path, help="folder of photographs with a labels.csv")
    args = parser.parse_args()
    clf = MNISTCNNClassifier.from_pretrained("digits")
    if args.model is not None:
        clf = MNISTCNNClassifier.load(args.model)
    subset = "test" if args.seed >= FIRST_JUDGING_SEED else "train"
    mnist = fetch_mnist(subset=subset)
    print(f"Seed {args.seed}, {subset} images\n")
    if args.pictures:
        judge_singles(clf, mnist, args)
    if args.pages:
        judge_pages(clf, mnist, args)
    if args.sudoku:
        judge_sudokus(clf, args.sudoku)


# Single digits


def judge_singles(clf, mnist, args):
    """Print the accuracy of each kind of single digits and the mean of the kinds."""
    n = args.pictures
    images, y = mnist.images[:n], mnist.target[:n]
    print(f"The same {n} images without pictures: {clf.score(mnist.data[:n], y):.1%}\n")
    print("| pictures | resized | DigitPreprocessor | read_digits | refused | ms a picture |")
    print("|---|---|---|---|---|---|")
    handwritten, printed = [], []
    for kind in _chosen(KINDS, args.kinds):
        pictures = [draw_picture(images[i], _rng(args, i), kind=kind) for i in range(n)]
        handwritten.append(_judge_kind(clf, kind, pictures, y))
    _print_mean("mean of the handwritten", handwritten)
    digits = np.arange(n) % 10
    for kind in _chosen(("print", *DISPLAYS), args.kinds):
        pictures = [
            draw_print(int(digit), _rng(args, i))
            if kind == "print"
            else draw_display(int(digit), _rng(args, i), kind=kind)
            for i, digit in enumerate(digits)
        ]
        printed.append(_judge_kind(clf, kind, pictures, digits))
    _print_mean("mean of the printed", printed)
    _print_mean("**mean of all**", handwritten + printed)
    print()


def _judge_kind(clf, kind, pictures, y):
    """Print a row and return the accuracies: resized, preprocessed, and of ``read_digits``."""
    resized = [np.asarray(Image.fromarray(p).convert("L").resize((28, 28))) for p in pictures]
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        X = DigitPreprocessor(on_error="warn").transform(pictures)
        seconds = time.perf_counter() - start
        accuracies = [float(np.mean(clf.predict(images) == y)) for images in (np.stack(resized), X)]
    accepted = [[d.label for d in read_digits(p) if d.label is not None] for p in pictures]
    accuracies.append(float(np.mean([a == [digit] for a, digit in zip(accepted, y, strict=True)])))
    refused = int((~X.any(axis=1)).sum())
    del caught
    shown = " | ".join(f"{accuracy:.1%}" for accuracy in accuracies)
    ms = 1000 * seconds / len(pictures)
    print(f"| {kind} | {shown} | {refused} | {ms:.0f} |", flush=True)
    return accuracies


def _print_mean(name, accuracies):
    if accuracies:
        shown = " | ".join(f"{mean:.1%}" for mean in np.mean(accuracies, axis=0))
        print(f"| {name} | {shown} | | |")


# Pages


def judge_pages(clf, mnist, args):
    """Print the found, spurious and read shares of each kind of pages, and their mean."""
    print("| pages | digits | found | spurious | read | ms a page |\n|---|---|---|---|---|---|")
    scores = []
    for kind in _chosen(PAGES, args.kinds):
        score = Score()
        for i in range(args.pages):
            some = slice(100 * i, 100 * i + 100)
            page = draw_page(mnist.images[some], mnist.target[some], _rng(args, i), kind=kind)
            boxes, labels, seconds = _read(clf, page.picture)
            cells = _cells_of(_centers(boxes), page.cells, page.boxes)
            score += _score(cells, labels, dict(enumerate(page.labels)), seconds)
        scores.append(score)
        ms = 1000 * score.seconds / args.pages
        print(f"| {kind} | {score.digits} | {' | '.join(score.shares())} | {ms:.0f} |", flush=True)
    found = np.mean([score.found / max(1, score.digits) for score in scores])
    print(f"| **mean of the kinds** | | {found:.1%} | | | |\n")


def _cells_of(centers, cells, boxes):
    """Return the index of the digit whose cell each center is in, or -1.

    Boxes of slanted digits overlap: the digit with the closest center counts.
    """
    middles = _centers(boxes)
    found = []
    for center in centers:
        inside = [k for k, cell in enumerate(cells) if _is_inside(center, cell)]
        near = [np.hypot(*(middles[k] - center)) for k in inside]
        found.append(inside[int(np.argmin(near))] if inside else -1)
    return found


def _is_inside(point, corners):
    along = np.roll(corners, -1, axis=0) - corners
    away = point - corners
    return (along[:, 0] * away[:, 1] - along[:, 1] * away[:, 0] >= 0).all()


# Photographs


_ORIENTATION, _TO_THE_RIGHT = 0x112, 6  # of EXIF


def judge_sudokus(clf, folder):
    """Print how many digits of photographed sudokus were found and read.

    ``labels.csv`` has a row for each picture: its name, its 81 cells row by row (0 is empty), and x
    and y of the grid's corners in pixels, clockwise from the top left. Where the corners are
    missing, only the counts are shown, and the total leaves the picture out.
    """
    print("| photograph | digits | found | in wrong cells | outside the grid | read |")
    print("|---|---|---|---|---|---|")
    total = Score()
    with open(folder / "labels.csv", newline="") as file:
        rows = [row for row in csv.reader(file) if row][1:]
    for name, cells, *numbers in rows:
        truth = {cell: int(digit) for cell, digit in enumerate(cells) if digit != "0"}
        # An array has no orientation that could be applied.
        with Image.open(folder / name) as picture:
            pixels = np.asarray(picture.convert("RGB"))
            turned = picture.getexif().get(_ORIENTATION) == _TO_THE_RIGHT
        boxes, labels, seconds = _read(clf, pixels)
        if len(numbers) != 8 or not all(numbers):
            print(f"| {name} | {len(truth)} | {len(boxes)} boxes | | | |")
            continue
        corners = np.array(numbers, dtype=float).reshape(4, 2)
        if turned:  # the corners were marked after the turn
            x, y = corners.T
            corners = np.roll(np.column_stack([y, len(pixels) - x]), -1, axis=0)
        view = View([(0, 0), (9, 0), (9, 9), (0, 9)], corners)
        places = np.floor(view.to_sheet(_centers(boxes))).astype(int)
        inside = ((places >= 0) & (places < 9)).all(axis=1)
        found = np.where(inside, places[:, 1] * 9 + places[:, 0], -1)
        score = _score(found.tolist(), labels, truth, seconds)
        total += score
        _print_sudoku(name, score)
    _print_sudoku("**all**", total)
    found, spurious, read = total.shares()
    print(f"\nFound {found}, spurious {spurious}, read {read} of the found digits.\n")


def _print_sudoku(name, score):
    print(
        f"| {name} | {score.digits} | {score.found} | {score.spurious - score.outside} | "
        f"{score.outside} | {score.read} |"
    )


# Both


def _read(clf, picture):
    """Return the boxes of the digits in a picture, the labels, and the seconds without those."""
    start = time.perf_counter()
    found = find_digits(picture, page="auto")
    seconds = time.perf_counter() - start
    labels = clf.predict(found.images.reshape(-1, 784)) if len(found.boxes) else []
    return found.boxes, labels, seconds


def _score(cells, labels, truth, seconds):
    """Return the score of boxes in cells (-1 outside) with labels, where the truth is known."""
    counts = np.bincount(np.add(cells, 1).astype(int), minlength=2)
    once = [k for k, cell in enumerate(cells) if cell in truth and counts[cell + 1] == 1]
    read = sum(int(labels[k] == truth[cells[k]]) for k in once)
    outside = int(sum(cell == -1 for cell in cells))
    return Score(len(truth), len(once), len(cells) - len(once), outside, read, seconds)


def _centers(boxes):
    boxes = np.asarray(boxes, dtype=float).reshape(-1, 4)
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def _chosen(kinds, wanted):
    return [kind for kind in kinds if wanted is None or kind in wanted]


def _rng(args, i):
    return np.random.default_rng([args.seed, i])


if __name__ == "__main__":
    main()
