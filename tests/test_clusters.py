"""The Dask backend, without a cluster."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from helpers import quick
from joblib.parallel import BACKENDS
from sklearn.ensemble import RandomForestClassifier

from skorch_mnist.clusters import SentOnce, is_large, register_dask


def test_a_value_is_sent_once_for_each_call_and_forgotten_with_it():
    sends = []
    sent = SentOnce(lambda value: sends.append(id(value)) or f"reference {len(sends)}")
    sent.begin_call()
    sent.begin_call()
    array, rows = np.zeros(1000), [0] * 1000
    for call, of_array, of_rows in (("one", 1, 2), ("other", 3, 4)):
        for _ in range(2):
            assert sent.in_place_of(call, array) == f"reference {of_array}"
            assert sent.in_place_of(call, rows) == f"reference {of_rows}"
    assert len(sent.known) == 4
    del array
    assert len(sent.known) == 2
    sent.end_call()
    assert sent.in_place_of("other", rows) == "reference 4"
    sent.end_call()
    assert not sent.known


@pytest.mark.parametrize(
    ("value", "large"),
    [
        (np.zeros(1000, np.uint8), True),
        (np.zeros(100, np.uint8), False),
        (torch.zeros(3, 784), True),
        (pd.DataFrame(np.zeros((3, 784))), True),
        (scipy.sparse.csr_matrix(np.eye(784)), True),
        ([[0.0] * 784] * 3, True),
        ([0, 1] * 100, True),
        ({"sample_weight": np.ones(1000)}, True),
        ({"lr": 0.01, "batch_size": 64}, False),
        (RandomForestClassifier(), False),
        (quick(), False),
        (None, False),
        ((), False),
        (["accuracy"], False),
        (torch.eye(50).to_sparse(), False),  # its nbytes raise
    ],
    ids=lambda value: type(value).__name__,
)
def test_large_values_are_sent_separately_from_tasks(value, large):
    assert is_large(value) == large


def test_registering_without_the_extra_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r'pip install "skorch_mnist\[dask\]"'):
        register_dask()


def test_the_dask_backend_of_joblib_is_not_changed():
    pytest.importorskip("distributed")
    before = BACKENDS.get("dask")
    register_dask()
    assert BACKENDS.get("dask") is before
    assert "skorch_mnist_dask" in BACKENDS
