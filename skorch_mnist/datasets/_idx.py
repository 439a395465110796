"""The IDX format, the file format of MNIST."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_DIMENSIONS = 8  # datasets have at most 4; NumPy allows 32 or 64
LONGEST_HEADER = 4 + 4 * _MOST_DIMENSIONS


def parse_idx(data: bytes | NDArray[np.uint8]) -> NDArray[Any]:
    """Read an array from the contents of an IDX file.

    Parameters
    ----------
    data : bytes or ndarray of shape (n_bytes,), dtype uint8
        The unpacked file: two zero bytes, the code of the data type, the number of dimensions,
        each dimension as a big-endian 32-bit integer, then the values in row-major order.

    Returns
    -------
    ndarray of the shape and type in the file, in native byte order
        A view of ``data`` if no conversion is needed.

    Raises
    ------
    ValueError
        If ``data`` is not a complete IDX file.

    References
    ----------
    Y. LeCun, C. Cortes, C. Burges, "The MNIST database", section "The IDX file format",
    http://yann.lecun.com/exdb/mnist/

    Examples
    --------
    >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]))
    array([5, 0, 4], dtype=uint8)
    """
    dtype, shape, header = _parse_header(bytes(data[:LONGEST_HEADER]))
    if len(data) != header + dtype.itemsize * math.prod(shape):
        raise ValueError(
            f"the file is truncated or damaged: expected {dtype.itemsize * math.prod(shape)} bytes "
            f"after the header for data of shape {shape}, got {len(data) - header}"
        )
    values = np.frombuffer(data, dtype, offset=header).reshape(shape)
    return values.astype(dtype.newbyteorder("="), copy=False)


def idx_size(start: bytes) -> int:
    """Return the size of an IDX file, in bytes, from its header or more bytes."""
    dtype, shape, header = _parse_header(start)
    return header + dtype.itemsize * math.prod(shape)


def _parse_header(start: bytes) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Return the dtype and shape of the values, and the size of the header in bytes."""
    if len(start) < 4 or start[:2] != b"\0\0":
        raise ValueError(
            f"this is not an IDX file: it starts with {start[:4]!r} instead of two zero bytes, a "
            "data type and a number of dimensions. If it is a .gz archive, unpack it first"
        )
    code, n_dims = start[2], start[3]
    if code not in _TYPES:
        raise ValueError(
            f"the IDX data type 0x{code:02x} is not valid: it must be one of "
            f"{', '.join(f'0x{known:02x}' for known in _TYPES)}"
        )
    if not 1 <= n_dims <= _MOST_DIMENSIONS:
        raise ValueError(f"expected 1 to {_MOST_DIMENSIONS} dimensions, got {n_dims}")
    header = 4 + 4 * n_dims
    if len(start) < header:
        raise ValueError(
            f"the file is truncated: expected a header of {header} bytes for {n_dims} dimensions, "
            f"got {len(start)}"
        )
    return np.dtype(_TYPES[code]), struct.unpack_from(f">{n_dims}I", start, offset=4), header
