"""Files on disk: all of a file or nothing, and a record of its hash beside it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import uuid
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ._files import DataFile

Bytes = NDArray[np.uint8]  # (n_bytes,)


def check_hash(data: Bytes, expected: str) -> None:
    """Raise a ValueError if the SHA-256 of ``data`` is another than expected."""
    if (got := hashlib.sha256(data.data).hexdigest()) != expected:
        raise ValueError(f"expected SHA-256 {expected}, got {got}")


def keep(data: Bytes, file: DataFile, folder: Path) -> None:
    """Store an unpacked file where that is possible: in a folder that is not only read from."""
    with contextlib.suppress(OSError):
        store(data, file, folder)


def keep_record(data: Bytes, file: DataFile, folder: Path) -> None:
    """Record the hash of a file where that is possible."""
    with contextlib.suppress(OSError):
        _record(data, folder / file.name)


def store(data: Bytes, file: DataFile, folder: Path) -> None:
    """Write a file, after the record of its hash, so that others see all of it or nothing."""
    if file.sha256 is None:
        _record(data, folder / file.name)
    _write(data, folder / file.name)


def _record(data: Bytes, path: Path) -> None:
    line = f"{hashlib.sha256(data.data).hexdigest()}  {path.name}\n"
    _write(np.frombuffer(line.encode(), np.uint8), _record_of(path))


def _write(data: Bytes, path: Path) -> None:
    # No tempfile: its files are private to one user, and a data home may be shared.
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as stream:
            stream.write(data.data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _record_of(path: Path) -> Path:
    """Return the file beside ``path`` that holds its hash, as ``sha256sum`` writes it."""
    return path.with_name(f"{path.name}.sha256")


def recorded_hash(path: Path) -> str | None:
    """Return the hash that was recorded when ``path`` was stored; None if others stored it."""
    try:
        text = _record_of(path).read_text("ascii")
    except (OSError, ValueError):
        return None
    found = re.match(r"[0-9a-f]{64}(?=\s)", text)
    return found.group() if found else None
