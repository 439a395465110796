"""Read files of arrays: .npy, .npz, IDX, MATLAB and HDF5. Nothing is unpickled."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ._arrays import Array
from ._cache import DatasetError
from ._content import File
from ._idx import idx_size, parse_idx
from ._kinds import TO_CONVERT
from ._matlab import matlab_arrays

_DEEPEST = 8  # nested groups


def arrays_in(file: File, kind: str) -> Iterator[Array]:
    """Yield the arrays of numbers or strings in a file, which are read lazily."""
    return _READERS[kind](file)


# --- NumPy ------------------------------------------------------------------------------------


def _header(stream: IO[bytes], name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise DatasetError(
            f"{name} has version {version} of the NumPy format, which is not supported. Save it "
            "in version 1.0 or 2.0."
        )
    shape, _, dtype = readers[version](stream)
    if dtype.hasobject:
        raise DatasetError(
            f"{name} contains pickled objects, which can run any code when they are loaded. "
            f"{TO_CONVERT}"
        )
    return shape, dtype


def _check_size(shape: tuple[int, ...], dtype: np.dtype[Any], size: int, name: str) -> None:
    if math.prod(shape) * dtype.itemsize > size:
        raise DatasetError(
            f"{name} is truncated or damaged: its header describes {dtype} of shape {shape}, but "
            f"it has only {size:,} bytes."
        )


def _npy(file: File) -> Iterator[Array]:
    with file.seekable() as stream:
        shape, dtype = _header(stream, file.name)

    def read() -> NDArray[Any]:
        with file.seekable() as stream:
            _check_size(shape, dtype, stream.seek(0, 2), file.name)
            stream.seek(0)
            values: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
            return values

    yield Array(file.name, "", shape, read)


def _npz(file: File) -> Iterator[Array]:
    with file.seekable() as stream, zipfile.ZipFile(stream) as archive:
        members = {name: info for name, info in archive.NameToInfo.items() if name[-4:] == ".npy"}
        for name, info in members.items():
            with archive.open(info) as member:
                shape, dtype = _header(member, f"{file.name}: {name}")
            _check_size(shape, dtype, info.file_size, f"{file.name}: {name}")
            if dtype.kind in "buifUS":
                title = "" if [*members] == ["arr_0.npy"] else name[:-4]
                yield Array(file.name, title, shape, partial(_read_member, file, name))


def _read_member(file: File, name: str) -> NDArray[Any]:
    with file.seekable() as stream, zipfile.ZipFile(stream) as archive:
        file.budget.take(archive.getinfo(name).file_size)
        with archive.open(name) as member:
            values: NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
            if member.read(1):
                raise DatasetError(f"{file.name}: {name} is damaged: it has bytes after its array.")
            return values


# --- IDX --------------------------------------------------------------------------------------


def _idx(file: File) -> Iterator[Array]:
    start = file.start()
    size = idx_size(start)
    if file.size is not None and size != file.size:
        raise DatasetError(
            f"{file.name} is damaged: expected {size} bytes according to its header, got "
            f"{file.size}."
        )
    shape = tuple(int.from_bytes(start[4 + 4 * k : 8 + 4 * k], "big") for k in range(start[3]))

    def read() -> NDArray[Any]:
        content = np.fromfile(file.path, np.uint8) if file.path else file.content()
        values = parse_idx(np.frombuffer(content, np.uint8))
        return (
            values[:, 0] if values.ndim == 2 else values
        )  # in QMNIST, the label is the first column

    transposed = "emnist" in file.parts[-1].lower() and len(shape) == 3
    yield Array(file.name, "", shape[:1] if len(shape) == 2 else shape, read, transposed)


# --- HDF5 -------------------------------------------------------------------------------------


def _hdf5(file: File) -> Iterator[Array]:
    try:
        import h5py
    except ImportError as error:
        raise DatasetError(
            f"{file.name} is an HDF5 file, which requires h5py: pip install h5py"
        ) from error

    matlab = file.start().startswith(b"MATLAB")  # version 7.3, whose axes are reversed

    def found(group: Any, prefix: str, depth: int) -> Iterator[Array]:
        for name in group:
            # Do not follow links, which may lead to other files.
            if depth > _DEEPEST or not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            item = group[name]
            if isinstance(item, h5py.Group) and not name.startswith("#"):
                yield from found(item, f"{prefix}{name}/", depth + 1)
            elif isinstance(item, h5py.Dataset) and _is_readable(item):
                shape = item.shape[::-1] if matlab else item.shape
                yield Array(file.name, prefix + name, shape, partial(read, prefix + name))

    def read(name: str) -> NDArray[Any]:
        with h5py.File(file.path or file.seekable(), "r") as opened:
            item = opened[name]
            file.budget.take(item.size * max(1, item.dtype.itemsize))
            values = item.asstr()[()] if item.dtype.kind == "O" else item[()]
            return values.T if matlab else values  # type: ignore[no-any-return]

    with h5py.File(file.path or file.seekable(), "r") as opened:
        arrays = list(found(opened, "", 0))
    yield from arrays


def _is_readable(item: Any) -> bool:
    """Whether an HDF5 dataset contains numbers or strings and is stored in this file."""
    import h5py

    strings = h5py.check_string_dtype(item.dtype) is not None
    return (
        item.shape is not None
        and (item.dtype.kind in "buif" or strings)
        and not item.is_virtual
        and not item.external
    )


_READERS: dict[str, Callable[[File], Iterator[Array]]] = {
    "npy": _npy,
    "npz": _npz,
    "idx": _idx,
    "mat": matlab_arrays,
    "hdf5": _hdf5,
}
