"""Samplers of the user, with and without a validation split."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import quick, toy
from skorch.dataset import ValidSplit
from skorch.helper import predefined_split
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

X, Y = toy()  # 60 images, 48 of them for training
PAIRS = TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))


class InOrder(Sampler):
    """A sampler that does not tell what it draws from."""

    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return iter(range(self.n))

    def __len__(self):
        return self.n


class WithoutLength(InOrder):
    __len__ = None


FOR_ALL = {
    "weights": lambda n: WeightedRandomSampler(np.ones(n), n),
    "weights of 0": lambda n: WeightedRandomSampler([1.0] * 20 + [0.0] * (n - 20), 10),
    "source": lambda n: RandomSampler(range(n)),
    "few of a source": lambda n: RandomSampler(range(n), replacement=True, num_samples=3),
    "in order": lambda n: SequentialSampler(range(n)),
    "indices": lambda n: SubsetRandomSampler(range(n)),
    "tensor": lambda n: SubsetRandomSampler(torch.arange(n)),
    "list": lambda n: list(range(n)),
    "own": InOrder,
}
WAYS = {
    "sampler": lambda sampler: {"iterator_train__sampler": sampler},
    "batch_sampler": lambda sampler: {
        "iterator_train__batch_sampler": BatchSampler(sampler, 16, drop_last=False)
    },
    "another loader": lambda sampler: {
        "iterator_train__sampler": sampler,
        "iterator_train__collate_fn": torch.utils.data.default_collate,
    },
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", FOR_ALL)
def test_a_sampler_for_all_samples_does_not_fit_a_validation_split(kind, way):
    clf = quick(**WAYS[way](FOR_ALL[kind](60)), max_epochs=1)
    name = "batch_sampler" if way == "batch_sampler" else "sampler"
    message = f"iterator_train__{name} draws from 60"
    for split in (0.2, ValidSplit(5)):
        with pytest.raises(
            ValueError, match=f"{message} samples, but only 48 .* train_split to None"
        ):
            clf.set_params(train_split=split).fit(X, Y)
        assert not clf.__sklearn_is_fitted__()
    for split in (None, predefined_split(PAIRS)):
        assert clf.set_params(train_split=split).fit(X, Y).n_iter_ == 1
    assert clf.partial_fit(X, Y).n_iter_ == 2


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", FOR_ALL)
def test_a_sampler_for_the_training_samples_works(kind, way):
    assert quick(**WAYS[way](FOR_ALL[kind](48)), max_epochs=1).fit(X, Y).n_iter_ == 1


def test_indices_that_fit_are_drawn():
    seen = []

    class Seen(DataLoader):
        def __iter__(self):
            for images, codes in super().__iter__():
                seen.append(len(codes))
                yield images, codes

    quick(iterator_train=Seen, iterator_train__sampler=SubsetRandomSampler([7, 3, 40])).fit(X, Y)
    assert seen == [3, 3]
    quick(iterator_train__batch_sampler=[[0, 1, 2], [47, 3]]).fit(X, Y)
    with pytest.raises(ValueError, match="iterator_train__batch_sampler draws from 49 samples"):
        quick(iterator_train__batch_sampler=[[0, 1, 2], [48, 3]]).fit(X, Y)


def test_an_index_out_of_range_is_an_error_that_names_train_split():
    clf = quick(iterator_train__sampler=WithoutLength(60))
    with pytest.raises(IndexError, match=r"the 48 training samples.* train_split=None"):
        clf.fit(X, Y)
    assert not clf.__sklearn_is_fitted__()
    assert clf.set_params(train_split=None).fit(X, Y).n_iter_ == 2


def test_samples_of_weight_0_are_not_drawn():
    clf = quick(iterator_train__sampler=RandomSampler(range(60)), train_split=None)
    with pytest.raises(
        ValueError, match=r"but only 59 are used for training.* weight 0 are removed"
    ):
        clf.fit(X, Y, sample_weight=np.arange(60))


@pytest.mark.parametrize("name", ["sampler", "batch_sampler"])
def test_a_sampler_for_predictions_is_refused(name):
    clf = quick(**{f"iterator_valid__{name}": InOrder(60)})
    with pytest.raises(ValueError, match=f"iterator_valid__{name}=.* would reorder or drop"):
        clf.fit(X, Y)
