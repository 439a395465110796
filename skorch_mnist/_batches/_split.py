"""Split rows into training and validation."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedShuffleSplit

N_BINS = 1024  # for the images of each class, by a hash of their pixels

Rows = NDArray[np.intp]


def split_rows(
    codes: NDArray[np.int64], fraction: float, random_state: np.random.RandomState
) -> tuple[Rows, Rows]:
    """Split rows at random, stratified by class if possible.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,), int64
        Class of each row.
    fraction : float
        Fraction of the rows for validation, in (0, 1).
    random_state : RandomState

    Returns
    -------
    train, valid : ndarray of int, sorted
        ``train`` has at least one row of each class. If there are no other rows, ``valid`` is
        empty, with a warning.
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
    """Keep one row of each class for training, and draw validation rows from the others."""
    order = random_state.permutation(len(codes))
    first_of_class = np.unique(codes[order], return_index=True)[1]
    spare = np.delete(order, first_of_class)
    valid = np.sort(spare[:n_valid])
    train = np.setdiff1d(np.arange(len(codes)), valid)
    effect = (
        "They are split at random, with at least one sample of each class for training"
        if len(valid)
        else "All of them are used for training, and none for validation"
    )
    _warn_of_scarcity(len(codes), effect)
    return train, valid


def split_bins(
    counts: NDArray[np.int64], fraction: float, random_state: np.random.RandomState
) -> NDArray[np.bool_]:
    """Draw validation bins at random, so that they contain a fraction of each class.

    Parameters
    ----------
    counts : ndarray of shape (n_classes, n_bins), int64
        Number of images of each class in each bin. Images in the same bin stay together.
    fraction : float
        Fraction of the images for validation, in (0, 1).
    random_state : RandomState

    Returns
    -------
    ndarray of shape (n_classes, n_bins), bool
        Bins for validation, with at most the given fraction of each class, and never all of its
        images. If no image can be spared, no bin is chosen, with a warning.
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
        effect = "All of them are used for training, and none for validation"
        _warn_of_scarcity(int(counts.sum()), effect)
    return chosen


def _warn_of_scarcity(n_samples: int, effect: str) -> None:
    warnings.warn(
        f"A stratified validation split of the {n_samples} samples is not possible, because there "
        f"are too few, or a class is too rare. {effect}. Set train_split=None to train without "
        "validation.",
        UserWarning,
        stacklevel=3,
    )
