"""Devices: names that are resolved, and those that this machine cannot give."""

from __future__ import annotations

import re

import pytest
import torch

from skorch_mnist.devices import available_device, resolve_device

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
    assert cause.startswith(reason) or (
        "at start of device string" in cause and reason == "torch knows no such device"
    )


@pytest.mark.parametrize("device", MISSING, ids=repr)
def test_missing_device_becomes_the_cpu_with_a_warning(device):
    start = re.escape(f"device={device!r} cannot be used on this machine (")
    with pytest.warns(UserWarning, match=f"^{start}.*The model was put on the CPU\\.$"):
        assert available_device(device) == torch.device("cpu")
