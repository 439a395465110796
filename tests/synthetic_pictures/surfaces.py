"""Surfaces other than paper: cardboard, wood, cloth and concrete."""

from __future__ import annotations

import numpy as np

from .scene import grain


def cardboard(height, width, rng):
    """Return brown cardboard (height, width, 3) with fibers, perhaps corrugated."""
    color = np.array([0.72, 0.56, 0.40]) * rng.uniform(0.8, 1.15)
    fibers = 0.035 * grain(height, width, (1.2, 5), rng) + 0.03 * grain(height, width, 12, rng)
    if rng.random() < 0.5:
        columns = np.arange(width) + 3 * rng.normal()
        fibers = fibers + rng.uniform(0.02, 0.05) * np.sin(columns * 2 * np.pi / _pitch(rng, width))
    specks = grain(height, width, 2, rng) > 2.6
    return _colored(color, fibers - 0.2 * specks)


def wood(height, width, rng):
    """Return planed wood (height, width, 3) with its rings along the picture."""
    color = np.array([[0.75, 0.56, 0.36], [0.85, 0.70, 0.50], [0.60, 0.42, 0.27]])[rng.integers(3)]
    big = max(height, width)
    across = np.arange(height)[:, None] / big
    bent = across + 0.12 * grain(height, width, (big / 3, big / 1.5), rng)
    rings = np.sin(2 * np.pi * rng.uniform(4, 12) * bent)
    pores = grain(height, width, (1.2, 25), rng)
    gaps = np.zeros((height, 1))
    if rng.random() < 0.4:  # boards
        board = rng.uniform(0.25, 0.6)
        off = np.abs((across + rng.uniform(0, board)) % board - board / 2)
        gaps = -0.75 * (off < rng.uniform(0.002, 0.012))
    return _colored(color, rng.uniform(0.04, 0.16) * rings + 0.035 * pores + gaps)


def cloth(height, width, rng):
    """Return woven cloth (height, width, 3)."""
    color = rng.uniform(0.45, 0.9) * (1 + rng.uniform(-0.2, 0.2, 3))
    pitch = _pitch(rng, max(height, width)) / 2
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    rows = rows + 1.5 * grain(height, width, 20, rng)
    weave = np.sin(2 * np.pi * rows / pitch) * np.sin(2 * np.pi * columns / pitch)
    folds = grain(height, width, max(height, width) / 3, rng)
    threads = grain(height, width, (1, 9), rng) + grain(height, width, (9, 1), rng)
    stripes = 0.0
    if rng.random() < 0.3:
        off = (columns / max(height, width) * rng.uniform(3, 9)) % 1
        stripes = rng.uniform(-0.35, 0.2) * (off < rng.uniform(0.1, 0.5))
    change = rng.uniform(0.04, 0.15) * weave + 0.05 * folds + 0.03 * threads + stripes
    return _colored(color, change)


def concrete(height, width, rng):
    """Return rough concrete or plaster (height, width, 3)."""
    color = rng.uniform(0.5, 0.75) * (1 + rng.uniform(-0.04, 0.04, 3))
    rough = sum(
        weight * grain(height, width, coarse, rng)
        for coarse, weight in [(1.3, 0.05), (5, 0.04), (20, 0.03), (max(height, width) / 4, 0.05)]
    )
    pits = grain(height, width, 3, rng) > 2.5
    cracks = 0.0
    if rng.random() < 0.4:  # where a smooth field crosses zero
        field = grain(height, width, max(height, width) / 3, rng)
        steep = np.hypot(*np.gradient(field)) + 1e-4
        cracks = 0.45 * (np.abs(field) / steep < rng.uniform(0.5, 0.004 * max(height, width) + 0.6))
    return _colored(color, rough - 0.25 * pits - cracks)


def table(height, width, rng):
    """Return what a sheet lies on: anything, mostly darker than paper."""
    if rng.random() < 0.4:
        flat = rng.uniform(0.05, 0.5) * (1 + rng.uniform(-0.2, 0.2, 3))
        return _colored(flat, 0.03 * grain(height, width, 3, rng))
    return SURFACES[rng.integers(len(SURFACES))](height, width, rng) * rng.uniform(0.4, 0.9)


SURFACES = (cardboard, wood, cloth, concrete)


def _pitch(rng, extent):
    """Return the distance of lines in pixels: the picture shows 15 to 60 of them."""
    return max(4.0, extent / rng.uniform(15, 60))


def _colored(color, change):
    return (np.asarray(color) * (1 + change[..., None])).clip(0, 1)
