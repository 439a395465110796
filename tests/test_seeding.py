"""Seeds: the same numbers inside a block, and no trace of it outside."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skorch_mnist._devices import seeded

CPU = torch.device("cpu")
seeds = st.integers(0, 2**32 - 1)
quick = settings(deadline=None, max_examples=50)


def state():
    """All global generators: torch's, numpy's, Python's."""
    name, keys, *rest = np.random.get_state()
    return torch.get_rng_state().tolist(), name, keys.tolist(), rest, random.getstate()


@quick
@given(seed=seeds)
def test_same_seed_gives_the_same_numbers_whatever_came_before(seed):
    numbers = []
    for _ in range(2):
        with seeded(seed, CPU):
            numbers.append(torch.rand(5))
        torch.rand(3)
    assert torch.equal(*numbers)


@quick
@given(seed=seeds, drawn=st.integers(0, 9))
def test_global_generators_are_left_as_they_were(seed, drawn):
    before = state()
    with seeded(seed, CPU):
        torch.rand(drawn)
        torch.manual_seed(drawn)
    assert state() == before


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_global_generators_are_left_alone_by_an_exception(error):
    def fail():
        with seeded(3, CPU):
            torch.rand(7)
            raise error

    before = state()
    with pytest.raises(error):
        fail()
    assert state() == before


def test_seeds_nest():
    with seeded(0, CPU):
        expected = torch.rand(4)
    with seeded(0, CPU):
        first = torch.rand(2)
        with seeded(1, CPU):
            torch.rand(9)
        second = torch.rand(2)
    assert torch.equal(torch.cat([first, second]), expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_generator_of_the_gpu_is_seeded_and_restored():
    device = torch.device("cuda")
    before = torch.cuda.get_rng_state()
    numbers = []
    for _ in range(2):
        with seeded(5, device):
            numbers.append(torch.rand(5, device=device))
    assert torch.equal(*numbers)
    assert torch.equal(torch.cuda.get_rng_state(), before)
