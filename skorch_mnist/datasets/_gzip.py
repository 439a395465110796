"""Decompression with bounded memory."""

from __future__ import annotations

import zlib
from typing import IO

import numpy as np
from numpy.typing import NDArray

_DENSEST = 1032  # highest compression ratio of deflate, https://zlib.net/zlib_tech.html


def check_packed_size(packed: int, size: int) -> None:
    """Raise a ValueError if ``packed`` bytes of gzip cannot unpack to ``size`` bytes."""
    if size > _DENSEST * packed:
        raise ValueError(f"{packed} bytes of gzip cannot unpack to {size} bytes")


def gunzip(stream: IO[bytes], size: int) -> NDArray[np.uint8]:
    """Decompress a gzip stream of ``size`` unpacked bytes.

    Raises
    ------
    ValueError
        If the stream is damaged, or has fewer or more bytes, which are not decompressed.
    """
    data = np.empty(size, np.uint8)
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    done = 0
    try:
        while not unpacker.eof:
            packed = unpacker.unconsumed_tail or stream.read(2**20)
            if not packed:
                raise ValueError("the archive is truncated")
            part = unpacker.decompress(packed, 2**20)
            if done + len(part) > size:
                raise ValueError(f"the archive has more than the expected {size} bytes")
            data[done : done + len(part)] = np.frombuffer(part, np.uint8)
            done += len(part)
    except zlib.error as error:
        raise ValueError(f"the archive cannot be unpacked: {error}") from error
    if done != size:
        raise ValueError(f"expected {size} bytes in the archive, got {done}")
    return data
