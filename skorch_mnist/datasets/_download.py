"""Downloads: mirrors are tried in turn, and files are verified before use."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

import pooch

from ._files import Archive

_SLOWEST = 1_000  # bytes per second on average; a slower mirror is abandoned


class Limits(NamedTuple):
    """Time limits for downloads.

    Attributes
    ----------
    silence : float
        Seconds without a response after which a mirror is abandoned.
    until : float or None
        The value of ``time.monotonic()`` at which all downloads end; None sets no limit.
    """

    silence: float = 30.0
    until: float | None = None

    def left(self) -> float:
        """Return the remaining seconds; raise a TimeoutError if there are none."""
        left = float("inf") if self.until is None else self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time limit for downloads was reached")
        return left


LIMITS: ContextVar[Limits] = ContextVar("limits", default=Limits())  # noqa: B039


@contextmanager
def download_limits(silence: float = 30.0, total: float | None = None) -> Iterator[None]:
    """Limit how long the fetchers wait for downloads inside the block.

    Parameters
    ----------
    silence : float, default=30.0
        Seconds without a response after which a mirror is abandoned.
    total : float or None, default=None
        Seconds for all downloads in the block together, including the wait for other processes.
        None sets no limit.

    Examples
    --------
    >>> from skorch_mnist.datasets import DatasetError, download_limits, fetch_mnist
    >>> with download_limits(silence=5, total=60):  # doctest: +SKIP
    ...     X, y = fetch_mnist(return_X_y=True)
    """
    until = None if total is None else time.monotonic() + total
    token = LIMITS.set(Limits(silence, until))
    try:
        yield
    finally:
        LIMITS.reset(token)


def download(archive: Archive, mirrors: Sequence[str], path: Path, limits: Limits) -> list[str]:
    """Download an archive to ``path`` from the first mirror that provides it.

    Returns
    -------
    list of str
        Empty if ``path`` is now the verified archive. Otherwise, the fault of each mirror, and
        ``path`` does not exist.

    Raises
    ------
    OSError
        If ``path`` cannot be written.
    """
    failures = []
    for mirror in mirrors:
        url = mirror + archive.name
        with _Bounded(path, archive.size, limits) as stream:
            try:
                _fetch(url, stream, limits)
                fault = find_fault(path, archive.size, archive.sha256)
            except Exception as error:  # the next mirror may work
                if stream.fault is not None:  # the disk failed, not the mirror
                    path.unlink()
                    raise stream.fault from error
                fault = _reason(error)
        if fault is None:
            return []
        path.unlink()
        failures.append(f"{url}: {fault}")
    return failures


class _Bounded(io.FileIO):
    """A new file that stops a download if it is too large or too slow."""

    def __init__(self, path: Path, size: int, limits: Limits) -> None:
        super().__init__(path, "x")
        self.size = size
        self.limits = limits
        self.start = time.monotonic()
        self.fault: OSError | None = None

    def write(self, chunk: Any) -> int:
        if self.tell() + len(chunk) > self.size:
            raise ValueError(f"expected {self.size} bytes, got more")
        self.limits.left()
        seconds = time.monotonic() - self.start
        if seconds > self.limits.silence and self.tell() < _SLOWEST * seconds:
            raise TimeoutError(f"{self.tell()} bytes in {seconds:.0f} seconds is too slow")
        try:
            return super().write(chunk)
        except OSError as error:
            self.fault = error
            raise


def _fetch(url: str, stream: _Bounded, limits: Limits) -> None:
    fetch = pooch.HTTPDownloader(
        progressbar=sys.stderr is not None and sys.stderr.isatty(),
        timeout=min(limits.silence, limits.left()),
        chunk_size=2**16,
        headers={
            # Otherwise, a server could compress the response, and requests would unpack it.
            "Accept-Encoding": "identity",
            # Some servers refuse the user agents of Python libraries.
            "User-Agent": f"skorch_mnist/{importlib.metadata.version('skorch_mnist')}",
        },
    )
    fetch(url, stream, None)


def _reason(error: Exception) -> str:
    """Return why a request failed; the messages of requests repeat the URL several times."""
    if (response := getattr(error, "response", None)) is not None:
        return f"{response.status_code} {response.reason}"
    cause = getattr(error.args[0], "reason", None) if error.args else None  # of urllib3
    return str(getattr(cause, "original_error", cause) or error).rpartition(": ")[2]


def find_fault(path: Path, size: int, sha256: str) -> str | None:
    """Return the difference between a file and its expected content, or None."""
    if (got := path.stat().st_size) != size:  # before reading: it may be huge
        return f"expected {size} bytes, got {got}"
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return None if digest == sha256 else f"expected SHA-256 {sha256}, got {digest}"
