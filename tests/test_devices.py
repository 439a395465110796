"""Devices: their names, their precision and their random generators."""

from __future__ import annotations

import os
import random
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from skorch_mnist import _devices as devices
from skorch_mnist._devices import (
    autocast_for,
    available_device,
    has_bfloat16,
    resolve_device,
    resolve_precision,
    seeded,
)

CPU = torch.device("cpu")
BEST = "cuda" if torch.cuda.is_available() else "cpu"
BEST = "mps" if BEST == "cpu" and torch.backends.mps.is_available() else BEST
quick = settings(deadline=None, max_examples=50)
seeds = st.integers(0, 2**32 - 1)
MISSING = ["cuda:99", torch.device("cuda:99"), "cud", "", "cpu:x", "auto "]


@pytest.mark.parametrize("resolve", [resolve_device, available_device])
@pytest.mark.parametrize(
    ("device", "kind"),
    [(None, "cpu"), ("cpu", "cpu"), (torch.device("cpu"), "cpu"), ("auto", BEST)],
)
def test_names_are_resolved(resolve, device, kind):
    resolved = resolve(device)
    assert isinstance(resolved, torch.device) and resolved.type == kind


def test_resolved_device_resolves_to_itself():
    device = resolve_device("auto")
    assert resolve_device(device) == resolve_device(str(device)) == device


@pytest.mark.parametrize("device", MISSING, ids=repr)
def test_missing_device_is_refused_with_the_reason_on_one_line(device):
    with pytest.raises(ValueError, match=r"^device=") as raised:
        resolve_device(device)
    message = str(raised.value)
    assert message.startswith(f"device={device!r} cannot be used on this machine (")
    assert message.endswith("). Use 'auto' or 'cpu'.")
    assert "\n" not in message
    reason = message.partition(" (")[2].partition("). Use")[0]
    cause = str(raised.value.__cause__)
    assert cause.startswith(reason) or reason == "PyTorch does not know this device"


@pytest.mark.parametrize("device", MISSING, ids=repr)
def test_missing_device_becomes_the_cpu_with_a_warning(device):
    start = re.escape(f"device={device!r} cannot be used on this machine (")
    with pytest.warns(UserWarning, match=f"^{start}.*The model is now on the CPU\\.$"):
        assert available_device(device) == torch.device("cpu")


@pytest.fixture
def two_gpus(monkeypatch, tmp_path):
    """A worker process that seems to have two GPUs."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda number: SimpleNamespace(uuid=f"gpu-{number}")
    )
    monkeypatch.setattr(devices.multiprocessing, "parent_process", lambda: "the main process")
    monkeypatch.setattr(devices.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(devices, "_held", None)
    yield tmp_path
    if devices._held is not None:
        devices._held[1].release()


def taken(folder, number):
    lock = FileLock(folder / f"skorch_mnist-gpu-gpu-{number}.lock", mode=0o666)
    lock.acquire()
    return lock


def test_a_worker_takes_a_free_gpu(two_gpus):
    other = taken(two_gpus, 0)
    assert resolve_device("auto") == torch.device("cuda", 1)
    other.release()
    assert resolve_device("auto") == torch.device("cuda", 1)  # it keeps its own
    with pytest.raises(devices.Timeout):
        FileLock(two_gpus / "skorch_mnist-gpu-gpu-1.lock", timeout=0).acquire()


def test_more_workers_than_gpus_share_them(two_gpus):
    others = [taken(two_gpus, number) for number in range(2)]
    assert resolve_device("auto") == torch.device("cuda", os.getpid() % 2)
    for other in others:
        other.release()


def test_the_main_process_takes_the_current_gpu(two_gpus, monkeypatch):
    monkeypatch.setattr(devices.multiprocessing, "parent_process", lambda: None)
    assert resolve_device("auto") == torch.device("cuda")
    assert not list(two_gpus.iterdir())


# --- precision ------------------------------------------------------------------------------


@pytest.fixture(params=[False, True])
def has_instructions(request, monkeypatch):
    monkeypatch.setattr(devices, "has_bfloat16", lambda device: request.param)
    return request.param


def test_float32_stays_float32(has_instructions):
    assert resolve_precision("float32", CPU) == torch.float32


def test_auto_precision_follows_the_hardware(has_instructions):
    expected = torch.bfloat16 if has_instructions else torch.float32
    assert resolve_precision("auto", CPU) == expected


@pytest.mark.parametrize("has_instructions", [True], indirect=True)
def test_bfloat16_does_not_warn_if_the_hardware_has_it(has_instructions):
    assert resolve_precision("bfloat16", CPU) == torch.bfloat16


@pytest.mark.parametrize("has_instructions", [False], indirect=True)
def test_bfloat16_warns_if_it_is_emulated(has_instructions):
    with pytest.warns(UserWarning, match="may be much slower than 'float32' on this cpu"):
        assert resolve_precision("bfloat16", CPU) == torch.bfloat16


@pytest.mark.parametrize("answers", [(False, False), (True, False), (False, True), (None, None)])
def test_cpu_has_bfloat16_if_torch_says_so(monkeypatch, answers):
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    for name, answer in zip(names, answers, strict=True):
        if answer is None:  # another version of torch
            monkeypatch.delattr(torch.cpu, name)
        else:
            monkeypatch.setattr(torch.cpu, name, lambda answer=answer: answer)
    assert has_bfloat16(CPU) is any(answers)
    assert not has_bfloat16(torch.device("mps"))


def test_autocast_computes_in_the_dtype():
    with autocast_for(torch.float32, CPU):
        assert nn.Linear(2, 2)(torch.ones(1, 2)).dtype == torch.float32
    with autocast_for(torch.bfloat16, CPU):
        assert nn.Linear(2, 2)(torch.ones(1, 2)).dtype == torch.bfloat16


# --- random generators ----------------------------------------------------------------------


def generator_states():
    """States of all global generators: those of torch, NumPy and Python."""
    name, keys, *rest = np.random.get_state()
    return torch.get_rng_state().tolist(), name, keys.tolist(), rest, random.getstate()


@quick
@given(seed=seeds)
def test_same_seed_gives_the_same_numbers(seed):
    numbers = []
    for _ in range(2):
        with seeded(seed, CPU):
            numbers.append(torch.rand(5))
        torch.rand(3)
    assert torch.equal(*numbers)


@quick
@given(seed=seeds, drawn=st.integers(0, 9))
def test_global_generators_are_restored(seed, drawn):
    before = generator_states()
    with seeded(seed, CPU):
        torch.rand(drawn)
        torch.manual_seed(drawn)
    assert generator_states() == before


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_global_generators_are_restored_after_an_exception(error):
    def fail():
        with seeded(3, CPU):
            torch.rand(7)
            raise error

    before = generator_states()
    with pytest.raises(error):
        fail()
    assert generator_states() == before


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
def test_gpu_generator_is_seeded_and_restored():
    device = torch.device("cuda")
    before = torch.cuda.get_rng_state()
    numbers = []
    for _ in range(2):
        with seeded(5, device):
            numbers.append(torch.rand(5, device=device))
    assert torch.equal(*numbers)
    assert torch.equal(torch.cuda.get_rng_state(), before)
