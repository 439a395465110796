"""Recognize the format of a file by its content."""

from __future__ import annotations

import codecs
import re

from ._cache import DatasetError
from ._content import File
from ._folders import HEIC, PictureFormError

PICTURES = (
    ".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff",
    ".webp",
)  # fmt: skip

_MAGIC = (
    (b"\x93NUMPY", "npy"),
    (b"MATLAB 5.0", "mat"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"MATLAB 7.3", "hdf5"),
    (b"PAR1", "parquet"),
    (b"\x89PNG", "picture"),
    (b"\xff\xd8\xff", "picture"),
    (b"GIF8", "picture"),
    (b"II*\0", "picture"),
    (b"MM\0*", "picture"),
)
_PICKLES = re.compile(rb"\x80[\x02-\x05]|\(?c[\w.]+\n\w+\n|\([dl]p\d")
_LIBSVM = re.compile(r"[-+]?[\d.]+(e[-+]?\d+)?([ \t]+\d+:[-+\d.e]+)+\s*(#.*)?", re.IGNORECASE)
_BITMAP = re.compile(r"[01]{8,}")
_FORMATS = (
    ".npz, .npy, .mat, HDF5, Parquet, IDX, CSV, ARFF, libsvm, pictures in folders, and archives "
    "of these"
)
TO_CONVERT = (
    "If you trust its source, load it in Python, and save its arrays with "
    "numpy.savez_compressed(path, x_train=..., y_train=..., x_test=..., y_test=...)."
)


def kind_of(file: File) -> str:
    """Return the format of a file, or "unknown".

    Raises
    ------
    DatasetError
        If the format is known, but not supported; the message says why.
    """
    if file.name.lower().endswith(PICTURES):
        return "picture"
    if file.name.lower().endswith(HEIC):
        raise PictureFormError(f"{file.name} has the format HEIC")
    start = file.start()
    for magic, kind in _MAGIC:
        if start.startswith(magic):
            return kind
    if start.startswith(b"PK"):
        return _kind_of_zip(file)
    if _PICKLES.match(start) or file.name.lower().endswith((".pkl", ".pickle", ".joblib")):
        raise DatasetError(
            f"{file.name} is a pickle, which can run any code when it is loaded. {TO_CONVERT}"
        )
    if start[:2] == b"\0\0" and len(start) > 3 and 8 <= start[2] <= 14 and 1 <= start[3] <= 8:
        return "idx"
    if file.name.lower().endswith(".mat") and b"\0" in start[:64]:
        return "mat"  # version 4, which has no magic number
    if start[:1] == b"P" and start[1:2] in b"123456" and start[2:3].isspace():
        return "picture"
    return _kind_of_text(file)


def _kind_of_zip(file: File) -> str:
    if b"[Content_Types].xml" in file.start()[:200]:
        raise DatasetError(f"{file.name} is an Excel or Office file. Save the table as CSV.")
    if b"data.pkl" in file.start():
        raise DatasetError(
            f"{file.name} is a PyTorch file, a pickle, which can run any code when it is loaded. "
            f"{TO_CONVERT}"
        )
    return "npz"


def _kind_of_text(file: File) -> str:
    try:
        text = decoded(file.start(), file.name)
    except DatasetError:
        return "unknown"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or "\0" in text:
        return "unknown"
    if lines[0].startswith("version https://git-lfs"):
        raise DatasetError(
            f"{file.name} is a Git LFS pointer, not the file itself. Run git lfs pull."
        )
    if re.match(r"<(!doctype|html)", lines[0], re.IGNORECASE):
        raise DatasetError(f"{file.name} is a web page, not data. Download the file itself.")
    if any(line[:9].lower() == "@relation" for line in lines):
        return "arff"
    if sum(bool(_BITMAP.fullmatch(line)) for line in lines) > len(lines) / 2:
        return "bitmap"
    if _LIBSVM.fullmatch(next((line for line in lines if line[0] != "#"), "")):
        return "libsvm"
    return "table" if any(is_row(line) for line in lines[:3]) else "unknown"


def is_row(line: str) -> bool:
    """Whether a line looks like a row of a table."""
    return bool(re.search(r"[\w\"'.][,;\t][\s\"'\w-]|^([-\d.]+\s+){2}", line))


def encoding_of(start: bytes) -> str:
    """Return the encoding of a text from its byte order mark."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-8-sig"


def decoded(start: bytes, name: str) -> str:
    """Return the start of a text; its last character may be incomplete."""
    try:
        decoder = codecs.getincrementaldecoder(encoding_of(start))()
        return decoder.decode(start)
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"{name} is neither UTF-8 nor UTF-16 text: {error}. Save it as UTF-8."
        ) from error


def unknown(name: str) -> DatasetError:
    """Return the error for a file of unknown format."""
    return DatasetError(f"The format of {name} is not known. Supported formats: {_FORMATS}.")
