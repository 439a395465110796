"""Devices: names that are resolved, and those that this machine cannot give."""

from __future__ import annotations

import os
import re
from types import SimpleNamespace

import pytest
import torch
from filelock import FileLock

from skorch_mnist import _devices as devices
from skorch_mnist._devices import available_device, resolve_device

BEST = "cuda" if torch.cuda.is_available() else "cpu"
BEST = "mps" if BEST == "cpu" and torch.backends.mps.is_available() else BEST
MISSING = ["cuda:99", torch.device("cuda:99"), "cud", "", "cpu:x", "auto "]


@pytest.mark.parametrize("resolve", [resolve_device, available_device])
@pytest.mark.parametrize(
    ("device", "kind"),
    [(None, "cpu"), ("cpu", "cpu"), (torch.device("cpu"), "cpu"), ("auto", BEST)],
)
def test_names_stand_for_devices(resolve, device, kind):
    resolved = resolve(device)
    assert isinstance(resolved, torch.device) and resolved.type == kind


def test_resolved_device_resolves_to_itself():
    device = resolve_device("auto")
    assert resolve_device(device) == resolve_device(str(device)) == device


@pytest.mark.parametrize("device", MISSING, ids=repr)
def test_missing_device_is_named_with_the_reason_on_one_line(device):
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
    with pytest.warns(UserWarning, match=f"^{start}.*The model was put on the CPU\\.$"):
        assert available_device(device) == torch.device("cpu")


@pytest.fixture
def two_gpus(monkeypatch, tmp_path):
    """A worker process that sees two GPUs, or would if there were any."""
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


def test_a_worker_takes_a_gpu_that_no_other_has_taken(two_gpus):
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
