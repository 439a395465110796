"""Write files atomically, and record hashes that are not published."""

from __future__ import annotations

import contextlib
import hashlib
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skorch_mnist._atomic import replace_file

from ._files import DataFile

Bytes = NDArray[np.uint8]  # (n_bytes,)


def check_hash(data: Bytes, expected: str) -> None:
    """Raise a ValueError if the SHA-256 of ``data`` is not the expected one."""
    if (got := hashlib.sha256(data.data).hexdigest()) != expected:
        raise ValueError(f"expected SHA-256 {expected}, got {got}")


def keep(data: Bytes, file: DataFile, folder: Path) -> None:
    """Store an unpacked file if the folder is writable."""
    with contextlib.suppress(OSError):
        store(data, file, folder)


def keep_record(data: Bytes, file: DataFile, folder: Path) -> None:
    """Record the hash of a file if the folder is writable."""
    with contextlib.suppress(OSError):
        _record(data, folder / file.name)


def store(data: Bytes, file: DataFile, folder: Path) -> None:
    """Write a file atomically, after the record of its hash if it is not published."""
    if file.sha256 is None:
        _record(data, folder / file.name)
    replace_file(folder / file.name, data.data)


def _record(data: Bytes, path: Path) -> None:
    line = f"{hashlib.sha256(data.data).hexdigest()}  {path.name}\n"
    replace_file(_record_of(path), line.encode())


def _record_of(path: Path) -> Path:
    """Return the path of the record, a file next to ``path`` in ``sha256sum`` format."""
    return path.with_name(f"{path.name}.sha256")


def recorded_hash(path: Path) -> str | None:
    """Return the recorded hash of ``path``, or None if there is no valid record."""
    try:
        text = _record_of(path).read_text("ascii")
    except (OSError, ValueError):
        return None
    found = re.match(r"[0-9a-f]{64}(?=\s)", text)
    return found.group() if found else None
