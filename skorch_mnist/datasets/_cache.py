"""The verified cache: no byte is handed out whose size and SHA-256 were not checked."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import time
import uuid
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path

import pooch
from filelock import FileLock, Timeout

from ._files import DataFile

HOME_VARIABLE = "SKORCH_MNIST_HOME"


class DatasetError(OSError):
    """A data set is missing, damaged, or could be neither downloaded nor written."""


def data_home(data_home: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder that holds all data sets; it need not exist.

    Parameters
    ----------
    data_home : str, path-like or None
        The folder. ``None`` takes the environment variable ``SKORCH_MNIST_HOME`` or, where
        that is unset or empty, the user's cache folder.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    ValueError
        If ``data_home`` is of another type.
    """
    if data_home is None:
        data_home = os.environ.get(HOME_VARIABLE) or pooch.os_cache("skorch_mnist")
    if not isinstance(data_home, (str, os.PathLike)):
        raise ValueError(f"data_home={data_home!r} is not valid; give a folder, or None")
    return Path(data_home).expanduser()


def read_file(
    file: DataFile,
    folder: Path,
    *,
    mirrors: Sequence[str],
    download_if_missing: bool = True,
    timeout: float = 30.0,
    until: float | None = None,
) -> bytes:
    """Return the verified contents of one file, from the folder or else from a mirror.

    Parameters
    ----------
    file : DataFile
        The file, with its sizes and hashes.
    folder : pathlib.Path
        Where the unpacked file or its archive is looked for; a download is kept here, unpacked.
    mirrors : sequence of str
        Addresses of folders, each with a final slash, tried in this order.
    download_if_missing : bool
        Whether a missing or damaged file is downloaded.
    timeout : float
        Seconds without an answer after which a mirror is given up.
    until : float or None
        The instant of ``time.monotonic()`` after which downloading is given up.

    Returns
    -------
    bytes
        The unpacked contents.

    Raises
    ------
    DatasetError
        If the file is missing or damaged and was not downloaded, or the folder is not writable.

    Warns
    -----
    UserWarning
        If a damaged file was found, and a good copy or a new download took its place.
    """
    data, faults = _read_cached(file, folder)
    if data is None and not download_if_missing:
        raise DatasetError(_absence(file, folder, faults))
    if data is None:
        data, faults = _download_once(file, folder, mirrors, timeout, until)
    if faults:
        warnings.warn(
            f"{'; '.join(faults)}. A verified copy of {file.name} was used in its place",
            UserWarning,
            stacklevel=4,  # the caller of fetch_mnist
        )
    return data


def _download_once(
    file: DataFile, folder: Path, mirrors: Sequence[str], timeout: float, until: float | None
) -> tuple[bytes, list[str]]:
    """Download and store a file, unless another process has; return it and every damage found."""
    wait = -1.0 if until is None else max(0.0, until - time.monotonic())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{file.name}.lock", timeout=wait):
            # Another process may have stored the file while this one waited.
            data, faults = _read_cached(file, folder)
            if data is None:
                data, failures = _download(file, mirrors, timeout, until)
                if data is None:
                    raise DatasetError(_failed_download(file, folder, faults, failures))
                _store(data, folder / file.name)
                (folder / file.archive_name).unlink(missing_ok=True)
            return data, faults
    except DatasetError:
        raise
    except Timeout as error:
        raise DatasetError(
            f"{file.name} is still being downloaded into {folder} by another process, and the "
            "time allowed is over; try again later"
        ) from error
    except OSError as error:
        raise DatasetError(
            f"{file.name} cannot be stored in {folder}: {error}. Give a writable folder with "
            f"data_home= or the environment variable {HOME_VARIABLE}, or "
            f"{_by_hand(file, folder)}"
        ) from error


def _fault(data: bytes, size: int, sha256: str) -> str | None:
    """Say what is wrong with ``data``, or return None where it is as expected."""
    if len(data) != size:
        return f"expected {size} bytes, got {len(data)}"
    if (got := hashlib.sha256(data).hexdigest()) != sha256:
        return f"expected SHA-256 {sha256}, got {got}"
    return None


def _unpack(archive: bytes, file: DataFile) -> bytes:
    """Decompress a verified archive, to at most one byte more than the known size."""
    data = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS).decompress(archive, file.size + 1)
    if fault := _fault(data, file.size, file.sha256):
        raise ValueError(f"the contents of {file.archive_name}: {fault}")
    return data


def _read_cached(file: DataFile, folder: Path) -> tuple[bytes | None, list[str]]:
    """Return the contents, or None where no good copy is there, and every damage found."""
    faults = []
    for name, size, sha256 in (
        (file.name, file.size, file.sha256),
        (file.archive_name, file.archive_size, file.archive_sha256),
    ):
        path = folder / name
        try:
            if (got := path.stat().st_size) != size:  # before reading: it may be huge
                faults.append(f"{path} is damaged: expected {size} bytes, got {got}")
                continue
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            faults.append(f"{path} cannot be read: {error}")
            continue
        if fault := _fault(data, size, sha256):
            faults.append(f"{path} is damaged: {fault}")
            continue
        return (data if name == file.name else _unpack(data, file)), faults
    return None, faults


class _Bounded(io.BytesIO):
    """Memory for a download that ends it when it grows or lasts too long."""

    def __init__(self, size: int, until: float | None) -> None:
        super().__init__()
        self.size = size
        self.until = until

    def write(self, chunk) -> int:  # type: ignore[no-untyped-def]
        if self.tell() + len(chunk) > self.size:
            raise ValueError(f"expected {self.size} bytes, got more")
        _seconds_left(self.until)
        return super().write(chunk)


def _seconds_left(until: float | None) -> float:
    left = float("inf") if until is None else until - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time allowed for downloading is over")
    return left


def _download_from(url: str, file: DataFile, timeout: float, until: float | None) -> bytes:
    """Download one archive from one address and return its verified, unpacked contents."""
    archive = _Bounded(file.archive_size, until)
    download = pooch.HTTPDownloader(
        progressbar=sys.stderr is not None and sys.stderr.isatty(),
        timeout=min(timeout, _seconds_left(until)),
        # A server that compresses on the way would make requests unpack the archive itself.
        headers={"Accept-Encoding": "identity"},
    )
    download(url, archive, None)
    if fault := _fault(archive.getvalue(), file.archive_size, file.archive_sha256):
        raise ValueError(fault)
    return _unpack(archive.getvalue(), file)


def _download(
    file: DataFile, mirrors: Sequence[str], timeout: float, until: float | None
) -> tuple[bytes | None, list[str]]:
    """Return the contents from the first good mirror, or None, and what the others did."""
    failures: list[str] = []
    for mirror in mirrors:
        url = mirror + file.archive_name
        try:
            return _download_from(url, file, timeout, until), failures
        except Exception as error:  # whatever one mirror does wrong, the next may do right
            failures.append(f"{url}: {error}")
    return None, failures


def _store(data: bytes, path: Path) -> None:
    """Write a file so that other processes see all of it or nothing."""
    # No tempfile: its files are private to one user, and a data home may be shared.
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _by_hand(file: DataFile, folder: Path) -> str:
    return (
        f"place {file.name} or {file.archive_name} (and likewise the data set's other files) "
        f"in {folder}"
    )


def _absence(file: DataFile, folder: Path, faults: Sequence[str]) -> str:
    if faults:
        return (
            f"{'; '.join(faults)}. Set download_if_missing=True to replace it, or delete it and "
            f"{_by_hand(file, folder)}"
        )
    return (
        f"{file.name} is not in {folder}, and download_if_missing=False. Set it to True, or "
        f"{_by_hand(file, folder)}; data_home= or the environment variable {HOME_VARIABLE} "
        "can name another folder"
    )


def _failed_download(
    file: DataFile, folder: Path, faults: Sequence[str], failures: Sequence[str]
) -> str:
    state = "; ".join(faults) or f"{file.name} is not in {folder}"
    tried = "".join(f"\n  {failure}" for failure in failures)
    return f"{state}. Downloading failed:{tried}\nTry again, or {_by_hand(file, folder)}"
