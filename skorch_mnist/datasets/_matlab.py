"""MATLAB files. Version 5 is decoded here: SciPy trusts the types in a file, and may crash."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ._arrays import Array
from ._cache import DatasetError
from ._content import File

Order = Literal["big", "little"]

_HEADER = 128  # bytes
_ORDERS: dict[bytes, Order] = {b"IM": "little", b"MI": "big"}
_INT8, _INT32, _UINT32, _MATRIX, _PACKED = 1, 5, 6, 14, 15  # types of elements
_DTYPES = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
_ENCODINGS = {
    1: "latin-1", 2: "latin-1", 4: "utf-16-{}e", 16: "utf-8", 17: "utf-16-{}e", 18: "utf-32-{}e",
}  # fmt: skip
_CELL, _STRUCT, _CHAR = 1, 2, 4  # classes of arrays
_NUMERIC = range(6, 16)
_COMPLEX = 0x800  # a flag of an array
_DEEPEST = 8  # nested structs
_STORED = 2**16  # bytes to read at a time
_UNPACKED = 2**18  # bytes to unpack at a time


def matlab_arrays(file: File) -> Iterator[Array]:
    """Yield the arrays of numbers and strings in a MATLAB file, including those in structs."""
    if file.start().startswith(b"MATLAB 5.0"):
        yield from _version_5(file)
        return
    from scipy.io import loadmat

    with file.seekable() as stream:
        variables = loadmat(stream)
    for name, value in variables.items():
        if isinstance(value, np.ndarray):
            yield from _array(file, name, value)


def _array(file: File, name: str, value: NDArray[Any]) -> Iterator[Array]:
    if value.dtype.kind in "uif" or (value.dtype.kind == "U" and value.size > 1):
        emnist = name.startswith("dataset/") and name.endswith("/images")
        yield Array(file.name, name, value.shape, lambda: value, transposed=emnist)


# --- version 5 --------------------------------------------------------------------------------


def _version_5(file: File) -> Iterator[Array]:
    """Read one variable at a time, into memory of its own.

    References
    ----------
    MathWorks, "MAT-File Format", 2019, version 5.
    """
    with file.stream() as stream:
        order = _ORDERS.get(stream.read(_HEADER)[126:])
        if order is None:
            raise DatasetError(f"{file.name} is damaged: its header does not end in IM or MI.")
        while tag := stream.read(8):
            kind, size = _tag(tag, order)
            parts = _stored(stream, size, file)
            if kind == _PACKED:
                parts = _unpacked(parts)
                kind, size = _tag(next(parts, b""), order)
            file.budget.take(size)
            if kind != _MATRIX:
                raise DatasetError(f"{file.name} is damaged: it has an element of type {kind}.")
            yield from _arrays(_Elements(_joined(parts, size, file), order, file), "", 0)


def _tag(content: Any, order: Order) -> tuple[int, int]:
    """Return type and size of an element."""
    return int.from_bytes(content[:4], order), int.from_bytes(content[4:8], order)


def _stored(stream: IO[bytes], size: int, file: File) -> Iterator[bytes]:
    """Yield the content of an element in parts."""
    while size:
        part = stream.read(min(size, _STORED))
        if not part:
            raise DatasetError(f"{file.name} is truncated.")
        size -= len(part)
        yield part


def _unpacked(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what compressed parts contain: the tag of an element, then its content in parts."""
    unpacker, most = zlib.decompressobj(), 8
    for packed in parts:
        while not unpacker.eof and (part := unpacker.decompress(packed, most)):
            packed, most = unpacker.unconsumed_tail, _UNPACKED
            yield part


def _joined(parts: Iterable[bytes], size: int, file: File) -> memoryview:
    """Return parts as one; raise a DatasetError unless they have the size that the file states."""
    content, filled = np.empty(size, np.uint8).data, 0
    for part in parts:
        start, filled = filled, filled + len(part)
        if filled > size:
            break
        content[start:filled] = part
    if filled != size:
        raise DatasetError(f"{file.name} is damaged: it does not unpack to {size:,} bytes.")
    return content


class _Elements:
    """The elements of an array, from the first to the last."""

    def __init__(self, content: memoryview, order: Order, file: File) -> None:
        self.left, self.order, self.file = content, order, file

    def next(self, *kinds: int) -> tuple[int, memoryview]:
        """Return type and content; raise a DatasetError unless it has one of these types."""
        kind, size = _tag(self.left, self.order)
        start, after = 8, 8 + -(-size // 8) * 8
        if kind >> 16:  # up to four bytes, in the tag itself
            kind, size, start, after = kind & 0xFFFF, kind >> 16, 4, 8
        content = self.left[start : min(start + size, after)]
        if kind not in kinds or len(content) < size:
            raise DatasetError(
                f"{self.file.name} is damaged: an element of type {kind} is incomplete or out of "
                "place."
            )
        self.left = self.left[after:]
        return kind, content

    def numbers(self, *kinds: int) -> NDArray[Any]:
        kind, content = self.next(*kinds)
        return np.frombuffer(content, np.dtype(_DTYPES[kind]).newbyteorder(self.order))

    def text(self, *kinds: int) -> str:
        kind, content = self.next(*kinds)
        return bytes(content).decode(_ENCODINGS[kind].format(self.order[0]), "replace")


def _arrays(elements: _Elements, prefix: str, depth: int) -> Iterator[Array]:
    """Yield an array, or those in a struct."""
    file, flags = elements.file, int(elements.numbers(_UINT32)[0])
    shape = elements.numbers(_INT32).astype(np.uint32).tolist()
    name, of_class = prefix + elements.text(_INT8), flags & 0xFF
    if of_class == _CELL or not name:  # the workspace of functions has no name
        return
    if of_class in _NUMERIC and not flags & _COMPLEX:
        numbers = elements.numbers(*_DTYPES).reshape(shape, order="F")
        yield from _array(file, name, numbers)
    elif of_class == _CHAR:
        yield from _array(file, name, _strings(elements.text(*_ENCODINGS), shape))
    elif of_class == _STRUCT and depth < _DEEPEST:
        length, names = int(elements.numbers(_INT32)[0]), elements.text(_INT8)
        for start in range(0, len(names), length) if math.prod(shape) == 1 else ():
            _, content = elements.next(_MATRIX)
            if content:
                field = names[start : start + length].partition("\0")[0]
                inner = _Elements(content, elements.order, file)
                yield from _arrays(inner, f"{name}/{field}", depth + 1)
    else:
        raise DatasetError(
            f"{file.name} has an array of class {of_class} that is damaged, complex, sparse or an "
            "object. Save only real arrays."
        )


def _strings(text: str, shape: list[int]) -> NDArray[Any]:
    """Return the rows of an array of characters."""
    if math.prod(shape) <= shape[-1]:  # a single row, which may be stored without its spaces
        return np.array(text)
    letters = np.array([text]).view("U1")[: len(text)].reshape(shape, order="F")
    return np.ascontiguousarray(letters).view(f"U{shape[-1]}")[..., 0]
