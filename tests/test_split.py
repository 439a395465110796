"""The validation split: complete, disjoint, fair to every class, the same for a seed."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skorch_mnist._batches._split import split_rows

quick = settings(deadline=None, max_examples=50)
counts = st.lists(st.integers(0, 30), min_size=1, max_size=6).filter(any)
fractions = st.floats(0.01, 0.99)
seeds = st.integers(0, 2**32 - 1)


def codes_of(counts, seed=0):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))


def split(codes, fraction, seed):
    """Rows for training and validation, and whether there was a warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train, valid = split_rows(codes, fraction, np.random.RandomState(seed))
    return train, valid, bool(caught)


@quick
@given(counts=counts, fraction=fractions, seed=seeds)
def test_every_row_is_in_one_part_and_every_class_in_train(counts, fraction, seed):
    codes = codes_of(counts, seed)
    train, valid, warned = split(codes, fraction, seed)
    np.testing.assert_array_equal(np.sort(np.r_[train, valid]), np.arange(len(codes)))
    assert (np.diff(train) > 0).all() and (np.diff(valid) > 0).all()
    np.testing.assert_array_equal(np.unique(codes[train]), np.unique(codes))
    n_wanted, n_spare = np.ceil(fraction * len(codes)), len(codes) - len(np.unique(codes))
    assert len(valid) == min(n_wanted, n_spare)
    assert warned or len(valid) == n_wanted


@quick
@given(counts=counts, fraction=fractions, seed=seeds)
def test_without_a_warning_each_class_is_in_proportion(counts, fraction, seed):
    codes = codes_of(counts, seed)
    _, valid, warned = split(codes, fraction, seed)
    if not warned:
        expected = np.array(counts) * len(valid) / len(codes)
        difference = np.bincount(codes[valid], minlength=len(counts)) - expected
        assert np.abs(difference).max() < 1


@quick
@given(
    counts=st.lists(st.integers(5, 30), min_size=1, max_size=6),
    fraction=st.floats(0.2, 0.5),
    seed=seeds,
)
def test_enough_rows_of_each_class_are_split_without_a_warning(counts, fraction, seed):
    assert not split(codes_of(counts, seed), fraction, seed)[2]


@quick
@given(counts=counts, fraction=fractions, seed=seeds)
def test_same_seed_gives_the_same_rows(counts, fraction, seed):
    codes = codes_of(counts)
    first, second = split(codes, fraction, seed), split(codes, fraction, seed)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


@quick
@given(counts=counts, seed=seeds, gap=st.integers(1, 9))
def test_codes_that_do_not_occur_do_not_matter(counts, seed, gap):
    codes = codes_of(counts, seed)
    plain, gapped = split(codes, 0.2, seed), split(codes * gap + 3, 0.2, seed)
    np.testing.assert_array_equal(plain[1], gapped[1])
    assert plain[2] == gapped[2]


def test_other_seed_gives_other_rows():
    codes = codes_of([50, 50])
    assert not np.array_equal(split(codes, 0.2, 0)[1], split(codes, 0.2, 1)[1])


def test_rare_class_keeps_a_row_for_training_with_any_fraction():
    codes = codes_of([2, 100])
    for seed in range(20):
        train, valid, _ = split(codes, 0.95, seed)
        assert len(valid) == 97 and set(codes[train]) == {0, 1}


@pytest.mark.parametrize("codes", [[0] * 30 + [1], [0, 0, 1, 1, 2, 2]])
def test_scarce_rows_are_split_with_a_warning(codes):
    message = (
        f"A stratified validation split of the {len(codes)} samples is not possible, because there "
        "are too few, or a class is too rare. They are split at random, with at least one sample "
        "of each class for training. Set train_split=None to train without validation."
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        _, valid = split_rows(np.array(codes), 0.2, np.random.RandomState(0))
    assert len(valid) == np.ceil(0.2 * len(codes))


@pytest.mark.parametrize("codes", [[0], [0, 1], [5, 3, 4]])
def test_if_no_row_can_be_spared_all_are_used_for_training(codes):
    message = "All of them are used for training, and none for validation. Set train_split=None"
    with pytest.warns(UserWarning, match=message):
        train, valid = split_rows(np.array(codes), 0.5, np.random.RandomState(0))
    np.testing.assert_array_equal(train, np.arange(len(codes)))
    assert len(valid) == 0
