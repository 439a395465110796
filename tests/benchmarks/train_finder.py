"""Train the network that finds digits on pages.

Most of its pages are those of ``tests/synthetic_pictures``, drawn from MNIST training images with
seeds below 1000; a seed of 1000 or more judges it. The others are drawn more simply: digits of any
size among letters, in fonts that the tests do not use, and noise.

Run ``python tests/benchmarks/train_finder.py finder.safetensors --folder pages`` on Debian 12, with
the fonts that ``skorch_mnist.pretrained.build`` needs. It draws the pages first, which takes about
20 minutes on two cores, and then trains for 40 minutes. The folder keeps the pages.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset

sys.path.insert(0, str(Path(__file__).parents[1]))

from synthetic_pictures import draw_page

from skorch_mnist import fetch_mnist
from skorch_mnist.pictures._finder import STEP, Finder, as_input
from skorch_mnist.pretrained._drawn import draw_digit
from skorch_mnist.pretrained._pictured import enlarged
from skorch_mnist.pretrained._printed import NO_DIGITS, font_files, has_character, print_character

SEED = 900
N_PAGES = 1_600
N_TUNING = 5_000  # the first images of MNIST, on the pages by which anything is chosen
SHARES = {"row": 0.2, "lines": 0.27, "form": 0.25, "grid": 0.13, "noisy": 0.15}
LONGER = 1024  # pixels of the longer side of a stored page
SIDE = 288  # pixels of a crop
BATCH = 8
LETTERS = [letter for letter in NO_DIGITS if letter not in "bqgDsz"]
EMPTY = np.empty((0, 4))
PEAK, STEADY = 3e-3, 0.998  # the learning rate, and how slowly the averaged weights follow


def main():
    """Draw the pages, train the network on them, and write its weights."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path, help="file of weights to write")
    parser.add_argument("--folder", type=Path, required=True, help="folder of pages")
    parser.add_argument("--pages", type=int, default=N_PAGES, help=f"number of pages [{N_PAGES}]")
    parser.add_argument("--batches", type=int, default=6_000, help="number of batches [6000]")
    args = parser.parse_args()
    args.folder.mkdir(exist_ok=True)
    with ProcessPoolExecutor() as pool:
        list(pool.map(partial(draw, folder=args.folder), range(args.pages), chunksize=10))
    finder = trained(args.folder, args.batches)
    weights = {
        name: value.half().contiguous() if value.is_floating_point() else value
        for name, value in finder.items()
    }
    save_file(weights, args.path)


# Pages


@cache
def mnist():
    """Return the training images of MNIST and their digits."""
    data = fetch_mnist(subset="train")
    return data.images, data.target


def draw(i, folder):
    """Draw a page and store it, unless it is there."""
    path = folder / f"{i:05d}.npy"
    if path.exists():
        return
    cv2.setNumThreads(1)
    rng = np.random.default_rng([SEED, i])
    kind = list(SHARES)[rng.choice(len(SHARES), p=list(SHARES.values()))]
    images, target = mnist()
    some = N_TUNING + rng.choice(len(images) - N_TUNING, 100, replace=False)
    page = draw_page(images[some], target[some], rng, kind=kind)
    picture, factor = page.picture, min(1, LONGER / max(page.picture.shape[:2]))
    if factor < 1:
        picture = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(path.with_suffix(".png")), picture[..., ::-1])
    np.save(path, page.boxes * factor)


# Crops


class Crops(IterableDataset):
    """Random parts of pages, in random sizes, with the targets of the network."""

    def __init__(self, folder):
        self.folder = folder

    def __iter__(self):
        cv2.setNumThreads(0)
        rng = np.random.default_rng(SEED)
        paths = sorted(self.folder.glob("*.npy"))
        while True:
            path = paths[rng.integers(len(paths))]
            page = cv2.imread(str(path.with_suffix(".png")))[..., ::-1]
            boxes = np.load(path)
            for _ in range(3):
                yield self._item(*cropped(page, boxes, rng), rng)
            yield self._item(*simple(rng), rng)

    def _item(self, pixels, boxes, rng):
        return in_any_light(pixels, rng), *targets(boxes)


def cropped(page, boxes, rng):
    """Return a part of a page, up to 1.6 times smaller or 1.3 times larger than it is searched."""
    height, width = page.shape[:2]
    if rng.random() < 0.3:
        page = with_words(page.copy(), boxes, rng)
    zoom = np.exp(rng.uniform(np.log(480), np.log(1000))) / max(height, width)
    turn = np.radians(rng.normal(0, 2))
    across, down = zoom * np.exp(rng.normal(0, 0.06, 2))
    matrix = np.array(
        [
            [across * np.cos(turn), -down * np.sin(turn)],
            [across * np.sin(turn), down * np.cos(turn)],
        ]
    )
    center, moved = rng.uniform(0, 1, 2) * (width, height), np.zeros(2)
    if len(boxes) and rng.random() < 0.8:
        box = boxes[rng.integers(len(boxes))]
        center, moved = (box[:2] + box[2:]) / 2, rng.uniform(-0.4, 0.4, 2) * SIDE
    shift = SIDE / 2 + moved - matrix @ center
    border = cv2.BORDER_REPLICATE if rng.random() < 0.5 else cv2.BORDER_CONSTANT
    color = rng.integers(0, 256, 3).tolist()
    smooth = cv2.GaussianBlur(page, (0, 0), 0.4 / zoom) if zoom < 0.75 else page
    pixels = cv2.warpAffine(
        smooth, np.column_stack([matrix, shift]), (SIDE, SIDE), borderMode=border, borderValue=color
    )
    left, top, right, bottom = boxes.T
    x, y = (left + right) / 2, (top + bottom) / 2
    places = np.stack([(x, top), (x, bottom), (left, y), (right, y)]).transpose(2, 0, 1)
    places = places @ matrix.T + shift
    return pixels, np.concatenate([places.min(axis=1), places.max(axis=1)], axis=1)


def with_words(page, boxes, rng):
    """Put words on a page, with letters as high as its digits, where there are none."""
    high = np.median(boxes[:, 3] - boxes[:, 1]) if len(boxes) else 30.0
    for _ in range(rng.integers(1, 4)):
        x, y = (rng.uniform(0, max(1, side - high)) for side in page.shape[1::-1])
        color = page[int(y), int(x)] * rng.uniform(0.1, 0.6)
        for ink in word(high * rng.uniform(0.5, 1.3), rng):
            left, top = int(x), int(y)
            right, bottom = left + ink.shape[1], top + ink.shape[0]
            near = (boxes[:, :2] < (right + 4, bottom + 4)) & (boxes[:, 2:] > (left - 4, top - 4))
            if near.all(axis=1).any() or right > page.shape[1] or bottom > page.shape[0]:
                break
            here = page[top:bottom, left:right]
            here[:] = here * (1 - ink[..., None]) + color * ink[..., None]
            x = right + 0.12 * high
    return page


def simple(rng):
    """Return a plain picture of digits of one size, among letters and lines, or of noise."""
    paper, color = rng.uniform(0, 1, 3), rng.uniform(0, 1, 3)
    while abs(paper.mean() - color.mean()) < 0.25:
        color = rng.uniform(0, 1, 3)
    if rng.random() < 0.06:
        return noise(rng), EMPTY
    ink, boxes = np.zeros((SIDE, SIDE), np.float32), []
    size = np.exp(rng.uniform(np.log(10), np.log(0.85 * SIDE)))
    is_single, y = rng.random() < 0.25, rng.uniform(0, 0.15 * SIDE)
    letters = rng.random() * 0.5
    while y + size < SIDE:
        x = rng.uniform(0, min(SIDE / 2, 2 * size))
        if is_single:
            x, y = (rng.uniform(0, max(1, SIDE - side)) for side in (0.8 * size, size))
        while x < SIDE:
            is_word = rng.random() < letters and not is_single
            glyphs = word(size, rng) if is_word else number(1 if is_single else 5, size, rng)
            gap = size * rng.uniform(0.02, 0.4)
            for glyph in glyphs:
                top, left = int(y + max(0, size - glyph.shape[0])), int(x)
                bottom, right = top + glyph.shape[0], left + glyph.shape[1]
                if right > SIDE or bottom > SIDE:
                    x = SIDE
                    break
                here = ink[top:bottom, left:right]
                np.maximum(here, glyph, out=here)
                if not is_word:
                    boxes.append((left, top, right, bottom))
                x = right + gap
            x = SIDE if is_single else x + size * rng.uniform(0.3, 2)
        y = SIDE if is_single else y + size * rng.uniform(1.2, 2.5)
    if rng.random() < 0.3:
        thick = max(1, round(size * rng.uniform(0.02, 0.08)))
        for _ in range(rng.integers(1, 4)):
            ends = rng.integers(-SIDE, 2 * SIDE, 2).tolist()
            slope = rng.normal(0, 0.02) * SIDE
            ends = ((0, ends[0]), (SIDE, int(ends[0] + slope)))
            if rng.random() < 0.4:
                ends = tuple(point[::-1] for point in ends)
            cv2.line(ink, *ends, 1.0, thick, cv2.LINE_AA)
    soft = cv2.GaussianBlur(ink, (0, 0), max(0.3, size * rng.uniform(0, 0.05)))[..., None]
    pixels = paper * (1 - soft) + color * soft
    return (255 * pixels).astype(np.uint8), np.array(boxes, float).reshape(-1, 4)


def number(n, size, rng):
    """Return the ink of up to ``n`` digits that were printed, drawn, or written for MNIST."""
    kind, font = rng.integers(3), any_font(rng)
    glyphs = []
    for digit in rng.integers(0, 10, rng.integers(1, n + 1)).tolist():
        height = max(6.0, size * rng.uniform(0.9, 1.05))
        if kind == 0:
            ink = print_character(str(digit), font, height, rng)
        elif kind == 1:
            ink = draw_digit(digit, height, rng)
        else:
            images, _ = mnist()
            ink = enlarged(images[N_TUNING + rng.integers(len(images) - N_TUNING)], rng)
        if not ink.any():  # the font does not have it
            continue
        rows, columns = (np.flatnonzero((ink > 0.3 * ink.max()).any(axis=axis)) for axis in (1, 0))
        ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        wide = max(2, round(ink.shape[1] * height / ink.shape[0]))
        glyphs.append(cv2.resize(ink, (wide, round(height)), interpolation=cv2.INTER_AREA))
    return glyphs


def word(size, rng):
    """Return the ink of letters."""
    font = any_font(rng)
    high = max(6.0, float(size))
    return [
        print_character(letter, font, high, rng) for letter in rng.permutation(letters(font))[:6]
    ]


@cache
def letters(font):
    """Return the letters of a font that do not look like digits."""
    return [letter for letter in LETTERS if has_character(letter, font)]


@cache
def fonts():
    """Return the fonts of the pretrained classifier."""
    return font_files(np.random.default_rng(SEED))


def any_font(rng):
    """Return one of the fonts."""
    return fonts()[rng.integers(len(fonts()))]


def noise(rng):
    """Return noise of any grain, in color or gray."""
    few = max(2, int(SIDE / np.exp(rng.uniform(0, np.log(40)))))
    grain = rng.random((few, few, 3 if rng.random() < 0.5 else 1))
    if rng.random() < 0.4:
        grain = grain > rng.uniform(0.2, 0.8)
    how = cv2.INTER_NEAREST if rng.random() < 0.4 else cv2.INTER_CUBIC
    pixels = cv2.resize((255 * grain).astype(np.uint8), (SIDE, SIDE), interpolation=how)
    return np.broadcast_to(pixels.reshape(SIDE, SIDE, -1), (SIDE, SIDE, 3))


def in_any_light(pixels, rng):
    """Return pixels as another camera, printer or screen would show them."""
    x = np.ascontiguousarray(pixels)
    if rng.random() < 0.3:
        x = cv2.cvtColor(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    tones = np.arange(256) / 255
    if rng.random() < 0.15:
        tones = 1 - tones
    tones = tones ** np.exp(rng.normal(0, 0.25)) * rng.uniform(0.6, 1.1) + rng.uniform(-0.1, 0.2)
    x = cv2.LUT(x, (255 * tones.clip(0, 1)).astype(np.uint8))
    if rng.random() < 0.3:
        x = x[..., rng.permutation(3)]
    if rng.random() < 0.3:
        x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.3, 1.2))
    if rng.random() < 0.5:
        grain = rng.standard_normal(x.shape, np.float32) * np.float32(
            255 * rng.uniform(0.005, 0.04)
        )
        x = (x + grain).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(x)


# Targets


def targets(boxes):
    """Return what the network should say about each point of a crop.

    Returns
    -------
    likely : ndarray of shape (n, n), float32
        1 at the center of a digit, and less around it.
    distances : ndarray of shape (4, n, n), float32
        To the sides of the box, in pixels, near the center.
    weights : ndarray of shape (n, n), float32
        How much these distances count.
    is_center, is_unknown : ndarrays of shape (n, n), bool
        Digits that extend beyond the crop do not count.
    """
    n = SIDE // STEP
    at = STEP * np.arange(n, dtype=np.float32) + STEP / 2
    likely, weights = np.zeros((2, n, n), np.float32)
    distances = np.zeros((4, n, n), np.float32)
    is_center, is_unknown = np.zeros((2, n, n), bool)
    for left, top, right, bottom in boxes:
        if right <= 0 or bottom <= 0 or left >= SIDE or top >= SIDE:
            continue
        x, y = (left + right) / 2, (top + bottom) / 2
        width, height = max(right - left, 2), max(bottom - top, 2)
        seen = (min(right, SIDE) - max(left, 0)) * (min(bottom, SIDE) - max(top, 0))
        if seen < 0.95 * width * height:
            first, last = (int(max(0, side // STEP)) for side in (top, left)), (bottom, right)
            rows, columns = (
                slice(start, int(end // STEP) + 2) for start, end in zip(first, last, strict=True)
            )
            is_unknown[rows, columns] = True
            continue
        wide, high = max(1.2, 0.13 * width), max(1.2, 0.13 * height)
        here = np.s_[
            max(0, int((y - 3 * high) / STEP)) : int((y + 3 * high) / STEP) + 1,
            max(0, int((x - 3 * wide) / STEP)) : int((x + 3 * wide) / STEP) + 1,
        ]
        down, across = at[here[0], None], at[here[1]]
        around = np.exp(-(((across - x) / wide) ** 2) / 2 - ((down - y) / high) ** 2 / 2)
        likely[here] = np.maximum(likely[here], around)
        nearest = (around > weights[here]) & (around > 0.3)
        weights[here][nearest] = around[nearest]
        sides = np.broadcast_arrays(across - left, down - top, right - across, bottom - down)
        for distance, side in zip(distances, sides, strict=True):
            distance[here][nearest] = np.maximum(side[nearest], 0.5)
        center = int(y // STEP), int(x // STEP)
        is_center[center], is_unknown[center] = True, False
    return likely, distances, weights, is_center, is_unknown


# Training


def trained(folder, n_batches):
    """Return the averaged weights of a network after some batches."""
    torch.manual_seed(SEED)
    finder = Finder().to(memory_format=torch.channels_last)
    with torch.no_grad():
        finder.output[-1].bias[:4] = -4.0  # digits are rare
    optimizer = torch.optim.AdamW(finder.parameters(), weight_decay=1e-4)
    average = {name: value.detach().clone() for name, value in finder.state_dict().items()}
    loader = DataLoader(Crops(folder), BATCH, num_workers=1, prefetch_factor=4)
    recent = []
    for number, (pixels, *wanted) in enumerate(itertools.islice(loader, n_batches)):
        rate = PEAK * min(1, (number + 1) / 100) * (0.5 + 0.5 * np.cos(np.pi * number / n_batches))
        for group in optimizer.param_groups:
            group["lr"] = rate
        losses = losses_of(finder(as_input(pixels.numpy())), *wanted)
        optimizer.zero_grad()
        sum(losses).backward()
        torch.nn.utils.clip_grad_norm_(finder.parameters(), 5.0)
        optimizer.step()
        share = max(1 - STEADY, 10 / (10 + number))
        for name, value in finder.state_dict().items():
            if value.is_floating_point():
                average[name].lerp_(value, share)
        recent.append([loss.item() for loss in losses])
        if number % 100 == 99:
            print(number + 1, np.mean(recent, axis=0).round(3), flush=True)
            recent.clear()
            torch.save(average, folder / "average.pt")
    return average


def losses_of(outputs, likely, distances, weights, is_center, is_unknown):
    """Return the focal loss of the centers, and the loss of the overlap of the boxes."""
    logits = outputs[:, 0]
    found = logits.sigmoid()
    missed = functional.logsigmoid(logits) * (1 - found) ** 2
    wrong = functional.logsigmoid(-logits) * found**2 * (1 - likely) ** 4
    of_centers = missed[is_center].sum() + wrong[~is_center & ~is_unknown].sum()
    near = weights > 0
    left, top, right, bottom = outputs[:, 1:].movedim(1, 0)[:, near].clamp(-3, 7).exp()
    a, b, c, d = distances.movedim(1, 0)[:, near]
    across = torch.minimum(left, a) + torch.minimum(right, c)
    down = torch.minimum(top, b) + torch.minimum(bottom, d)
    both = across * down
    overlap = both / ((left + right) * (top + bottom) + (a + c) * (b + d) - both)
    of_boxes = -(overlap.clamp(min=1e-3).log() * weights[near]).sum()
    n_digits = is_center.sum().clamp(min=1)
    return -of_centers / n_digits, of_boxes / weights.sum().clamp(min=1)


if __name__ == "__main__":
    main()
