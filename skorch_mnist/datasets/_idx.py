"""The IDX format, in which MNIST is published."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

_UNSIGNED_BYTE = 0x08


def parse_idx(data: bytes) -> NDArray[np.uint8]:
    """Read an array of unsigned bytes from the contents of an IDX file.

    Parameters
    ----------
    data : bytes
        The whole, unpacked file: two zero bytes, the code of the data type, the number of
        dimensions, each dimension as a big-endian 32-bit integer, then the values, row by row.

    Returns
    -------
    ndarray of the shape in the file, dtype uint8
        A fresh, writable array.

    Raises
    ------
    ValueError
        If ``data`` is anything but a complete IDX file of unsigned bytes.

    References
    ----------
    Y. LeCun, C. Cortes, C. Burges, "The MNIST database", section "The IDX file format",
    http://yann.lecun.com/exdb/mnist/

    Examples
    --------
    >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]))
    array([5, 0, 4], dtype=uint8)
    """
    if len(data) < 4 or data[:2] != b"\0\0":
        raise ValueError(
            f"data is no IDX file: it starts with {bytes(data[:4])!r}, expected two zero bytes, a "
            "data type and a number of dimensions; unpack a .gz archive first"
        )
    code, n_dims = data[2], data[3]
    if code != _UNSIGNED_BYTE:
        raise ValueError(f"data has IDX type 0x{code:02x}; only 0x08 (unsigned byte) is supported")
    if n_dims == 0:
        raise ValueError("data has 0 dimensions; an IDX array has at least 1")
    start = 4 + 4 * n_dims
    if len(data) < start:
        raise ValueError(
            f"data ends within its header: {n_dims} dimensions need {start} bytes, "
            f"got {len(data)}; the file is cut short"
        )
    shape: tuple[Any, ...] = struct.unpack_from(f">{n_dims}I", data, offset=4)
    if len(data) - start != math.prod(shape):
        raise ValueError(
            f"data of shape {shape} needs {math.prod(shape)} bytes after the header, "
            f"got {len(data) - start}; the file is cut short or damaged"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape).copy()
