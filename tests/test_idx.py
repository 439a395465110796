"""The IDX format."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from misbehaving_mirror import ARCHIVE, CONTENT, to_idx

from skorch_mnist.datasets._idx import LONGEST_HEADER, idx_size, parse_idx

TYPES = st.sampled_from([np.uint8, np.int32])


@given(arrays(TYPES, array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=6)))
def test_parse_idx_returns_what_was_written(array):
    data = np.frombuffer(bytearray(to_idx(array)), np.uint8)
    parsed = parse_idx(data)
    np.testing.assert_array_equal(parsed, array, strict=True)
    assert parsed.flags.writeable
    assert parsed.flags.c_contiguous
    np.testing.assert_array_equal(parse_idx(data.tobytes()), array, strict=True)


def test_bytes_are_not_copied():
    data = np.frombuffer(bytearray(CONTENT), np.uint8)
    assert np.shares_memory(parse_idx(data), data)


@given(st.binary() | st.binary().map(lambda tail: b"\0\0\x08" + tail))
def test_parse_idx_of_anything_is_an_array_or_a_value_error(data):
    with contextlib.suppress(ValueError):
        assert idx_size(data[:LONGEST_HEADER]) >= 4
    with contextlib.suppress(ValueError):
        assert isinstance(parse_idx(data), np.ndarray)
        assert idx_size(data[:LONGEST_HEADER]) == len(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "this is not an IDX file"),
        (ARCHIVE, "If it is a .gz archive, unpack it first"),
        (bytes([0, 0, 10, 1]), "0x0a is not valid: it must be one of 0x08, 0x09, 0x0b"),
        (bytes([0, 0, 8, 0, 1]), "expected 1 to 8 dimensions, got 0"),
        (bytes([0, 0, 8, 255]) + b"\xff" * 1020, "expected 1 to 8 dimensions, got 255"),
        (bytes([0, 0, 8, 2, 0, 0]), "12 bytes for 2 dimensions, got 6"),
        (CONTENT[:-1], r"expected 5 bytes after the header for data of shape \(5,\), got 4"),
        (CONTENT + b"\0", r"expected 5 bytes after the header for data of shape \(5,\), got 6"),
        (bytes([0, 0, 8, 8]) + b"\xff" * 32, "truncated or damaged"),
    ],
)
def test_parse_idx_says_what_is_wrong(data, message):
    with pytest.raises(ValueError, match=message):
        parse_idx(data)
