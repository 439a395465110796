"""The cache of datasets: the SHA-256 of every file is verified before use, if it is known."""

from __future__ import annotations

import os
import time
import uuid
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pooch
from filelock import FileLock, Timeout

from ._download import LIMITS, Limits, download, find_fault
from ._files import DataFile
from ._gzip import gunzip
from ._storage import Bytes, check_hash, keep, keep_record, recorded_hash, store

HOME_VARIABLE = "SKORCH_MNIST_HOME"


class DatasetError(OSError):
    """Raised if a dataset is missing or damaged, or cannot be read, downloaded or written."""


def data_home(data_home: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder for all datasets, which may not exist yet.

    Parameters
    ----------
    data_home : str, path-like or None
        The folder. ``None`` uses the environment variable ``SKORCH_MNIST_HOME`` or, if
        that is not set or empty, the user's cache folder.

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
        raise ValueError(
            f"data_home={data_home!r} is not valid: it must be the path of a folder, or None."
        )
    try:
        return Path(data_home).expanduser()
    except RuntimeError as error:
        raise ValueError(f"data_home={data_home!r} is not valid: {error}") from error


def read_file(
    file: DataFile,
    folder: Path,
    *,
    mirrors: Sequence[str],
    download_if_missing: bool = True,
    stacklevel: int = 2,
) -> Bytes:
    """Return the verified contents of one file, from the folder or from a mirror.

    Parameters
    ----------
    file : DataFile
        The file, with its sizes and hashes.
    folder : pathlib.Path
        Folder of the unpacked file or its archive, and for the download.
    mirrors : sequence of str
        URLs of folders, each with a trailing slash, tried in this order.
    download_if_missing : bool
        Whether to download a missing or damaged file.
    stacklevel : int
        Caller to which warnings refer, as in ``warnings.warn``.

    Returns
    -------
    ndarray of shape (n_bytes,), dtype uint8
        The unpacked contents, a new array.

    Raises
    ------
    DatasetError
        If the file is missing or damaged and was not downloaded, or the folder is not writable.

    Warns
    -----
    UserWarning
        If a damaged file was found and replaced by a verified copy or a new download.
    """
    data, faults = _read_cached(file, folder)
    if data is None and not download_if_missing:
        raise DatasetError(_absence(file, folder, faults))
    if data is None:
        data, faults = _download_once(file, folder, mirrors, LIMITS.get())
    if faults:
        warnings.warn(
            f"{'; '.join(faults)}. A verified copy of {file.name} was used instead.",
            UserWarning,
            stacklevel=stacklevel,
        )
    return data


# --- the cache --------------------------------------------------------------------------------


def _read_cached(file: DataFile, folder: Path) -> tuple[Bytes | None, list[str]]:
    """Return the contents, or None if there is no verified copy, and all faults."""
    faults: list[str] = []
    unpacked, archive = folder / file.name, folder / file.archive.name
    data = None
    if file.sha256 is not None or recorded_hash(unpacked) is not None:
        data = _tried(unpacked, faults, lambda path: _read_unpacked(file, path))
    if data is None:
        data = _tried(archive, faults, lambda path: _read_archive(file, path))
        if data is not None and (faults or file.sha256 is None or file.member is not None):
            keep(data, file, folder)
    if data is None and not faults and file.sha256 is None:
        # Another program stored the file, and its hash is not published: record its current hash.
        data = _tried(unpacked, faults, lambda path: _read_unpacked(file, path))
        if data is not None:
            keep_record(data, file, folder)
    return data, faults


def _tried(path: Path, faults: list[str], read: Callable[[Path], Bytes]) -> Bytes | None:
    """Return the result of ``read``, or None; add a fault unless the file is only missing."""
    try:
        return read(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        faults.append(f"{path} is damaged: {error}")
    except OSError as error:
        faults.append(f"{path} cannot be read: {error}")
    return None


def _read_unpacked(file: DataFile, path: Path) -> Bytes:
    if (got := path.stat().st_size) != file.size:  # before reading: it may be huge
        raise ValueError(f"expected {file.size} bytes, got {got}")
    data = np.fromfile(path, np.uint8)
    expected = file.sha256 or recorded_hash(path)
    if expected is not None:
        check_hash(data, expected)
    return data


def _read_archive(file: DataFile, path: Path) -> Bytes:
    if fault := find_fault(path, file.archive.size, file.archive.sha256):
        raise ValueError(fault)
    if file.member is None:
        with path.open("rb") as stream:
            return gunzip(stream, file.size)
    with zipfile.ZipFile(path) as archive, archive.open(file.member) as stream:
        return gunzip(stream, file.size)


# --- downloads --------------------------------------------------------------------------------


def _download_once(
    file: DataFile, folder: Path, mirrors: Sequence[str], limits: Limits
) -> tuple[Bytes, list[str]]:
    """Download and store a file, unless another process did; return it and all faults."""
    wait = -1.0 if limits.until is None else max(0.0, limits.until - time.monotonic())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{file.archive.name}.lock", timeout=wait):
            # Another process may have stored the file while this one waited.
            data, faults = _read_cached(file, folder)
            if data is None:
                data = _download_and_keep(file, folder, mirrors, limits, faults)
            return data, faults
    except DatasetError:
        raise
    except Timeout as error:
        raise DatasetError(
            f"Another process is still downloading {file.name} to {folder}, and the time limit "
            "was reached. Try again later."
        ) from error
    except OSError as error:
        raise DatasetError(
            f"{file.name} cannot be stored in {folder}: {error}. Set data_home or the environment "
            f"variable {HOME_VARIABLE} to a writable folder, or {_by_hand(file, folder)}."
        ) from error


def _download_and_keep(
    file: DataFile, folder: Path, mirrors: Sequence[str], limits: Limits, faults: Sequence[str]
) -> Bytes:
    """Download the archive of a file, unpack and store it; the caller must hold the lock."""
    for leftover in folder.glob(f".{file.archive.name}.*.part"):  # from a killed process
        leftover.unlink()
    part = folder / f".{file.archive.name}.{uuid.uuid4().hex}.part"
    try:
        if failures := download(file.archive, mirrors, part, limits):
            raise DatasetError(_failed_download(file, folder, faults, failures))
        data = _read_archive(file, part)
        store(data, file, folder)
        if file.member is None:
            # An existing archive is damaged; otherwise, it would have been read.
            (folder / file.archive.name).unlink(missing_ok=True)
        else:
            os.replace(part, folder / file.archive.name)
    except ValueError as error:
        raise DatasetError(
            f"{file.archive.name} matches its published SHA-256, but {error}"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return data


# --- error messages ---------------------------------------------------------------------------


def _by_hand(file: DataFile, folder: Path) -> str:
    return (
        f"copy {file.name} or {file.archive.name} (and the other files of the dataset) to {folder}"
    )


def _absence(file: DataFile, folder: Path, faults: Sequence[str]) -> str:
    if faults:
        return (
            f"{'; '.join(faults)}. Set download_if_missing=True to replace it, or delete it and "
            f"{_by_hand(file, folder)}."
        )
    return (
        f"{file.name} is not in {folder}. Set download_if_missing=True, or "
        f"{_by_hand(file, folder)}. To use another folder, set data_home or the environment "
        f"variable {HOME_VARIABLE}."
    )


def _failed_download(
    file: DataFile, folder: Path, faults: Sequence[str], failures: Sequence[str]
) -> str:
    state = "; ".join(faults) or f"{file.name} is not in {folder}"
    tried = "".join(f"\n  {failure}" for failure in failures)
    return (
        f"{state}. The download failed:{tried}\nTry again, or {_by_hand(file, folder)}. "
        "load_digits28 loads digits without a download."
    )
