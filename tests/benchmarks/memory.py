"""Memory of this process, as Linux counts it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

PROCESS = Path("/proc/self")


class Peak:
    """How many bytes were added at the most."""

    bytes = float("nan")


def _status(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB$", (PROCESS / "status").read_text(), re.MULTILINE)
    return int(found.group(1)) * 1024


@contextlib.contextmanager
def peak_since() -> Iterator[Peak]:
    """Measure what the block adds to the resident memory, at its highest."""
    peak = Peak()
    if not PROCESS.exists():
        yield peak
        return
    (PROCESS / "clear_refs").write_text("5")  # the high-water mark starts again from here
    before = _status("VmRSS")
    yield peak
    peak.bytes = _status("VmHWM") - before
