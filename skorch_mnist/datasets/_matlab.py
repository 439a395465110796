"""MATLAB files, checked before SciPy reads them: it trusts the types in a file, and may crash."""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from ._arrays import Array
from ._cache import DatasetError
from ._content import Budget, File

_HEADER = 128  # bytes
_INT8, _INT32, _UINT32, _MATRIX, _PACKED = 1, 5, 6, 14, 15  # types of elements
_NUMBERS = {*range(1, 8), 9, 12, 13}
_LETTERS = {1, 2, 4, 16, 17, 18}
_CELL, _STRUCT, _CHAR = 1, 2, 4  # classes of arrays
_NUMERIC = range(6, 16)
_COMPLEX = 8  # a flag of an array
_DEEPEST = 8  # nested structs
_LONGEST = 64  # characters in the name of a field
_PART = 2**16  # bytes that are unpacked at a time

Order = Literal["big", "little"]


def matlab_arrays(file: File) -> Iterator[Array]:
    """Yield the arrays of numbers and strings in a MATLAB file, including those in structs."""
    from scipy.io import loadmat

    content = file.content()
    is_checked = content.startswith(b"MATLAB 5.0")
    variables = loadmat(_checked(content, file) if is_checked else io.BytesIO(content))
    for name, value in variables.items():
        if not name.startswith("__"):
            yield from _arrays(file, name, value, 0)


def _arrays(file: File, name: str, value: Any, depth: int) -> Iterator[Array]:
    if not isinstance(value, np.ndarray) or depth > _DEEPEST:
        return
    if value.dtype.names and value.size == 1:  # a struct
        for field in value.dtype.names:
            yield from _arrays(file, f"{name}/{field}", value.flat[0][field], depth + 1)
    elif value.dtype.kind in "buif" or (value.dtype.kind == "U" and value.size > 1):
        emnist = name.startswith("dataset/") and name.endswith("/images")
        yield Array(file.name, name, value.shape, lambda: value, transposed=emnist)


# --- checks -----------------------------------------------------------------------------------


def _checked(content: bytearray, file: File) -> io.BytesIO:
    """Return a file without compression, whose types and sizes are valid.

    References
    ----------
    MathWorks, "MAT-File Format", 2019, version 5.
    """
    order: Order = "little" if content[126:128] == b"IM" else "big"
    checked = io.BytesIO()
    checked.write(content[:_HEADER])
    place = _HEADER
    while place + 8 <= len(content):
        kind, size = _tag(content, place, order)
        element = memoryview(content)[place : place + 8 + size]
        if len(element) < 8 + size:
            raise DatasetError(f"{file.name} is truncated.")
        start = checked.tell()
        if kind == _PACKED:
            _unpack(element[8:], checked, file.budget, order)
        else:
            checked.write(element)
        _check(checked.getbuffer()[start:], order, file.name, 0)
        place += 8 + size
    checked.seek(0)
    return checked


def _tag(content: Any, place: int, order: Order) -> tuple[int, int]:
    return (
        int.from_bytes(content[place : place + 4], order),
        int.from_bytes(content[place + 4 : place + 8], order),
    )


def _unpack(packed: memoryview, unpacked: io.BytesIO, budget: Budget, order: Order) -> None:
    """Write an element that is compressed, up to the size that it states."""
    decompressor = zlib.decompressobj()
    tag = decompressor.decompress(packed[:_PART], 8)
    left = _tag(tag, 0, order)[1]
    budget.take(left)
    unpacked.write(tag)
    rest: Any = decompressor.unconsumed_tail
    for place in range(_PART, len(packed) + _PART, _PART):
        while left and (part := decompressor.decompress(rest, min(left, 16 * _PART))):
            left -= unpacked.write(part)
            rest = decompressor.unconsumed_tail
        rest = packed[place : place + _PART]


def _check(element: Any, order: Order, name: str, depth: int) -> None:
    """Raise a DatasetError unless an element is an array as SciPy expects it."""
    if (
        depth > _DEEPEST
        or len(element) < 8
        or _tag(element, 0, order)
        != (
            _MATRIX,
            len(element) - 8,
        )
    ):
        raise DatasetError(f"{name} is damaged, or has an element that is not an array.")
    parts = list(_parts(element, order, name))
    kinds = [kind for kind, _ in parts]
    head = [_UINT32, _INT32, _INT8]  # class and flags, dimensions, name
    if kinds[:3] != head or len(parts[0][1]) != 8 or not 8 <= len(parts[1][1]) <= 128:
        raise DatasetError(f"{name} is damaged: an array does not have a valid header.")
    flags = int.from_bytes(parts[0][1][:4], order)
    of_class = flags & 0xFF
    dims = parts[1][1]
    n_values = math.prod(
        int.from_bytes(dims[k : k + 4], order) for k in range(0, len(dims) // 4 * 4, 4)
    )
    if of_class in _NUMERIC or of_class == _CHAR:
        known = _LETTERS | _NUMBERS if of_class == _CHAR else _NUMBERS
        valid = len(parts) == 4 and kinds[3] in known and not flags >> 8 & _COMPLEX
    elif of_class == _CELL:
        valid = kinds[3:] == [_MATRIX] * n_values if n_values < len(parts) else False
    elif of_class == _STRUCT and len(parts) >= 5:
        length = int.from_bytes(parts[3][1], order)
        valid = kinds[3:5] == [_INT32, _INT8] and len(parts[3][1]) == 4 and 0 < length <= _LONGEST
        n_fields = len(parts[4][1]) // max(1, length) * n_values
        valid = valid and n_fields <= len(parts) and kinds[5:] == [_MATRIX] * n_fields
    else:
        valid = False
    if not valid:
        raise DatasetError(
            f"{name} has an array of class {of_class} that is damaged, complex, sparse or an "
            "object. Save only real arrays."
        )
    for kind, value in parts[3:]:
        if kind == _MATRIX and len(value):
            _check(b"".join([kind.to_bytes(4, order), len(value).to_bytes(4, order), value]),
                   order, name, depth + 1)  # fmt: skip


def _parts(element: Any, order: Order, name: str) -> Iterator[tuple[int, Any]]:
    """Yield type and content of each element in an array."""
    place = 8
    while place + 8 <= len(element):
        kind, size = _tag(element, place, order)
        start, after = place + 8, place + 8 + -(-size // 8) * 8
        if kind >> 16:  # up to four bytes, in the tag itself
            kind, size, start, after = kind & 0xFFFF, kind >> 16, place + 4, place + 8
        if start + size > min(after, len(element)):
            raise DatasetError(f"{name} is damaged: an element of {size} bytes is incomplete.")
        yield kind, element[start : start + size]
        place = after
