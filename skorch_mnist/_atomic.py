"""Replace files atomically: a reader sees either the old or the new content."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import uuid
from pathlib import Path

TEMPORARY = r"\.[0-9a-f]{32}\.part"  # names of files that are being written


def replace_file(path: str | os.PathLike[str], content: bytes | memoryview) -> None:
    """Write ``content`` next to ``path`` and move it there; links are followed."""
    target = Path(os.path.realpath(path))
    temporary = target.parent / f".{uuid.uuid4().hex}.part"
    try:
        if target.is_dir():
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        # Do not replace devices such as /dev/null or read-only files.
        if target.exists() and not (target.is_file() and target.stat().st_mode & stat.S_IWUSR):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:  # it contains the name of the temporary file
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
