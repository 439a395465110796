"""Rows for training and rows for validation."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedShuffleSplit

N_BINS = 1024  # into which the images of a class are put, by a hash of their pixels

Rows = NDArray[np.intp]


def split_rows(
    codes: NDArray[np.int64], fraction: float, random_state: np.random.RandomState
) -> tuple[Rows, Rows]:
    """Split rows at random, each class in proportion where that is possible.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,), int64
        Class of each row.
    fraction : float
        Share of the rows for validation, in (0, 1).
    random_state : RandomState

    Returns
    -------
    train, valid : ndarray of int, sorted
        Every class has a row in ``train``. ``valid`` is empty, with a warning, where no row can be
        spared.
    """
    counts = np.bincount(codes)
    counts = counts[counts > 0]
    n_valid = int(np.ceil(fraction * len(codes)))
    n_train = len(codes) - n_valid
    if counts.min() * n_train >= len(codes) and n_valid >= len(counts):
        splitter = StratifiedShuffleSplit(1, test_size=n_valid, random_state=random_state)
        train, valid = next(splitter.split(codes, codes))
        return np.sort(train), np.sort(valid)
    return _split_scarce_rows(codes, n_valid, random_state)


def _split_scarce_rows(
    codes: NDArray[np.int64], n_valid: int, random_state: np.random.RandomState
) -> tuple[Rows, Rows]:
    """Keep one row of each class for training, and draw from the others."""
    order = random_state.permutation(len(codes))
    first_of_class = np.unique(codes[order], return_index=True)[1]
    spare = np.delete(order, first_of_class)
    valid = np.sort(spare[:n_valid])
    train = np.setdiff1d(np.arange(len(codes)), valid)
    outcome = (
        "they are split at random, with at least one sample of each class for training"
        if len(valid)
        else "all are used for training, none for validation"
    )
    _warn_of_scarcity(len(codes), outcome)
    return train, valid


def split_bins(
    counts: NDArray[np.int64], fraction: float, random_state: np.random.RandomState
) -> NDArray[np.bool_]:
    """Draw bins at random, so that those for validation hold a share of each class.

    Parameters
    ----------
    counts : ndarray of shape (n_classes, n_bins), int64
        Images of each class in each bin. Those of a bin stay together.
    fraction : float
        Share of the images for validation, in (0, 1).
    random_state : RandomState

    Returns
    -------
    ndarray of shape (n_classes, n_bins), bool
        Bins for validation: of each class at most its share, and never all. None of them hold an
        image, with a warning, where none can be spared.
    """
    chosen = np.zeros(counts.shape, bool)
    for of_class, chosen_of_class in zip(counts, chosen, strict=True):
        n_images = int(of_class.sum())
        n_left = min(round(fraction * n_images), n_images - 1)
        for place in random_state.permutation(len(of_class)):
            if 0 < of_class[place] <= n_left:
                chosen_of_class[place] = True
                n_left -= of_class[place]
    if not chosen.any():
        _warn_of_scarcity(int(counts.sum()), "all are used for training, none for validation")
    return chosen


def _warn_of_scarcity(n_samples: int, outcome: str) -> None:
    warnings.warn(
        f"{n_samples} samples are too few, or a class too rare, for a stratified validation "
        f"split: {outcome}. Set train_split=None to train without validation.",
        UserWarning,
        stacklevel=3,
    )
