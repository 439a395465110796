"""Accelerators that are accepted or refused, in one process."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from helpers import quick, toy


def accelerator(**facts):
    known = {
        "distributed_type": SimpleNamespace(value="NO"),
        "mixed_precision": "no",
        "gradient_accumulation_steps": 1,
        "num_processes": 1,
        "gather": print,
        "prepare_model": print,
    }
    return SimpleNamespace(**{**known, **facts})


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"distributed_type": SimpleNamespace(value="FSDP")}, "the distributed type FSDP"),
        ({"mixed_precision": "fp16"}, "set precision='bfloat16'"),
        ({"gradient_accumulation_steps": 4}, "Set a larger batch_size"),
    ],
)
def test_an_accelerator_with_unsupported_features_is_refused(facts, message):
    with pytest.raises(ValueError, match=message):
        quick(accelerator=accelerator(**facts)).fit(*toy())


def test_an_accelerator_that_sees_one_process_of_several_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="2 processes were started, but accelerator has 1"):
        quick(accelerator=accelerator()).fit(*toy())


def test_a_device_with_an_accelerator_is_refused():
    clf = quick(accelerator=accelerator(), device="cpu")
    with pytest.raises(ValueError, match="Set device='auto'"):
        clf.fit(*toy())


def test_an_invalid_accelerator_is_refused():
    with pytest.raises(ValueError, match="The 'accelerator' parameter"):
        quick(accelerator=2).fit(*toy())


def test_without_accelerate_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ImportError, match=r'pip install "skorch_mnist\[accelerate\]"'):
        quick(accelerator="auto").fit(*toy())
