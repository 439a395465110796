"""Read text with one image per line: CSV with any separator, ARFF and libsvm."""

from __future__ import annotations

import csv
import io
import itertools
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._cache import DatasetError
from ._columns import read_columns
from ._content import File
from ._kinds import decoded, encoding_of
from ._values import Part, Shape, as_images, as_labels, as_pixels, side_of

SEPARATORS = (",", ";", "\t", " ")
_ROWS = 2048  # lines to parse at a time
_SAMPLE = 40  # lines that show the types of the columns
_FEWEST = 16  # columns of a table of images; a smaller table may list pictures
_EDGES = 3  # columns at both ends that may be labels or an index
_SIDES = (8, 16, 20, 28, 32, 48, 64)  # common sides of images


class TextTable:
    """A table from a text file: numbers and, in a few columns, words.

    Attributes
    ----------
    title, names, n_columns, words
        As in ``Columns``.
    """

    def __init__(
        self, file: File, names: list[str] | None, n_columns: int, words: set[int]
    ) -> None:
        self.title, self.budget = file.name, file.budget
        self.names, self.n_columns, self.words = names, n_columns, words
        named = {k for k, name in enumerate(names or ()) if not re.fullmatch(r"\D*\d+\D*\d*", name)}
        # Columns that may have large numbers are kept apart; the others are most of the table.
        edges = {*range(_EDGES), *range(n_columns - _EDGES, n_columns)}
        self.apart = sorted({k for k in edges | words if 0 <= k < n_columns} | {*sorted(named)[:9]})
        self.inner = [k for k in range(n_columns) if k not in {*self.apart}]
        self._vocabulary: dict[int, dict[str, int]] = {k: {} for k in words}
        self._chunks: list[tuple[NDArray[Any], NDArray[Any]]] = []

    def converters(self) -> dict[int | str, Callable[[str], float]]:
        """Return functions that number the words of columns."""
        return {
            k: lambda word, known=known: known.setdefault(word.strip(), len(known))  # type: ignore[misc]
            for k, known in self._vocabulary.items()
        }

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows of numbers, (n, n_columns)."""
        # The inner columns are usually adjacent, so that nothing is copied.
        first, last = (self.inner[0], self.inner[-1]) if self.inner else (0, -1)
        are_neighbors = last - first == len(self.inner) - 1
        inner = rows[:, first : last + 1] if are_neighbors else rows[:, self.inner]
        apart = rows[:, self.apart]
        if rows.dtype == np.float64:
            inner = inner.astype(np.float32)
        elif rows.dtype != np.uint8 and inner.size and inner.min() >= 0 and inner.max() <= 255:
            inner = inner.astype(np.uint8)
        self.budget.take(inner.nbytes + apart.nbytes)
        self._chunks.append((apart, inner))

    def __len__(self) -> int:
        return sum(len(inner) for _, inner in self._chunks)

    def column(self, number: int) -> NDArray[Any]:
        """Return a column, of shape (n,)."""
        if number not in self.apart:
            place = self.inner.index(number)
            return np.concatenate([inner[:, place] for _, inner in self._chunks])
        place = self.apart.index(number)
        values: NDArray[Any] = np.concatenate([apart[:, place] for apart, _ in self._chunks])
        if number in self.words:
            return np.array([*self._vocabulary[number]], dtype=str)[values.astype(np.int64)]
        return values

    def block(self, numbers: Sequence[int]) -> NDArray[Any]:
        """Return columns of numbers, of shape (n, n_numbers)."""
        places = {k: place for place, k in enumerate(numbers)}
        apart = [k for k in self.apart if k in places]
        dtype = np.result_type(*{inner.dtype for _, inner in self._chunks})
        for k in apart:
            values = self.column(k)
            if dtype == np.uint8 and not (values.min() >= 0 and values.max() <= 255):
                dtype = np.dtype(np.int64)
        rows = np.empty((len(self), len(numbers)), dtype)
        inner = [k for k in self.inner if k in places]
        if inner:
            first, last = places[inner[0]], places[inner[-1]]
            is_run = last - first == len(inner) - 1 and len(inner) == len(self.inner)
            where: Any = slice(first, last + 1) if is_run else [places[k] for k in inner]
            which: Any = slice(None) if is_run else [self.inner.index(k) for k in inner]
            start = 0
            for _, chunk in self._chunks:
                rows[start : start + len(chunk), where] = chunk[:, which]
                start += len(chunk)
        for k in apart:
            rows[:, places[k]] = self.column(k)
        return rows


# --- CSV --------------------------------------------------------------------------------------


def read_table(file: File, label: Any, sep: str | None, image_shape: Shape | None) -> Part:
    """Return the images and labels of a CSV file."""
    lines = sample_of(file)
    separator = _separator(lines, sep, file.name)
    rows = split_lines(lines, separator)
    n_columns = len(rows[0])
    if n_columns == 1 and sep is not None:
        raise DatasetError(
            f"{file.name} has a single column if sep={sep!r}. Pass its separator, or None to "
            "detect it."
        )
    header = _has_header(rows)
    names = [name.strip() for name in rows[0]] if header else None
    words = _words(rows[1:] if header else rows)
    with file.stream() as binary, _text(binary, file) as stream:
        while header and not stream.readline().strip():
            pass  # blank lines above the header
        table = TextTable(file, names, n_columns, words)
        return _read_rows(table, stream, separator, rows[header:], label, image_shape)


def _text(binary: Any, file: File) -> io.TextIOWrapper:
    return io.TextIOWrapper(binary, encoding=encoding_of(file.start()))


def sample_of(file: File) -> list[str]:
    """Return the first lines of a text file that are not blank."""
    text = decoded(file.start(), file.name)
    lines = text.splitlines()
    if len(lines) > 1 and not text.endswith(("\n", "\r")) and len(file.start()) >= 2**20:
        lines.pop()  # it may be incomplete
    lines = [line for line in itertools.islice(lines, 200) if line.strip()][: _SAMPLE + 1]
    if not lines:
        raise DatasetError(f"{file.name} is empty.")
    return lines


def is_narrow(file: File) -> bool:
    """Whether a table has too few columns for images."""
    line = sample_of(file)[0]
    return max(line.count(separator) for separator in SEPARATORS) < _FEWEST


def split_lines(lines: Sequence[str], separator: str) -> list[list[str]]:
    """Return the fields of each line."""
    if separator == " ":
        return [line.split() for line in lines]
    return list(csv.reader(lines, delimiter=separator))


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _separator(lines: Sequence[str], sep: str | None, name: str) -> str:
    """Return the separator for which most fields are numbers."""
    if sep is not None:
        return sep
    found = {}
    for separator in SEPARATORS:
        try:
            rows = split_lines(lines, separator)
        except csv.Error:
            continue
        if len(rows[0]) > 1 and len({len(row) for row in rows}) == 1:
            numbers = sum(map(_is_number, rows[-1]))
            if numbers >= len(rows[-1]) - 3 and numbers:
                found[separator] = numbers
    if not found and len(lines) == 1:
        raise DatasetError(f"{name} does not contain images, only {lines[0][:40]!r}.")
    if not found:
        raise DatasetError(
            f"{name} is not a table of numbers: its lines must have the same number of fields, "
            "separated by commas, semicolons, tabs or spaces, with decimal points. If the "
            "separator was not recognized, pass it as sep."
        )
    return max(found, key=lambda separator: found[separator])


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first line is a header: words, or the numbers of the columns."""
    first = [field.strip() for field in rows[0]]
    numbers = [name for name in first if _is_number(name)]
    if len(numbers) > 1 and numbers in (
        [str(k) for k in range(len(numbers))],  # the default names in pandas
        [str(k + 1) for k in range(len(numbers))],  # and in R
    ):
        return True
    return len(numbers) < len(first) / 2


def _words(rows: Sequence[Sequence[str]]) -> set[int]:
    """Return the columns that do not contain numbers."""
    if not rows:
        return set()
    return {k for k in range(len(rows[0])) if not all(_is_number(row[k]) for row in rows)}


def _read_rows(
    table: TextTable,
    stream: Iterator[str],
    separator: str,
    sample: Sequence[Sequence[str]],
    label: Any,
    image_shape: Shape | None,
) -> Part:
    """Parse all rows; the names and words of the table come from a sample."""
    numbers = [k for k in range(table.n_columns) if k not in table.words]
    dtypes: list[Any] = [np.uint8, np.int32, np.float64]  # tried in this order
    if any(re.search(r"[^\s\d+-]", row[k]) for row in sample for k in numbers):
        dtypes = dtypes[2:]
    if len(table.words) > 3:
        bad = sorted(table.words)
        raise DatasetError(
            f"{table.title} is not a table of numbers: columns {bad[:4]} contain, for example, "
            f"{[sample[0][k] for k in bad[:4]]}. Remove columns that are not pixels or labels."
        )
    done = 0
    while True:
        lines = list(itertools.islice(stream, _ROWS))
        if not lines:
            break
        rows = None
        while rows is None:
            try:
                rows = _parsed(lines, separator, table, dtypes[0])
            except (ValueError, OverflowError) as error:
                if len(dtypes) == 1:
                    place = str(error).partition("; use `usecols`")[0]
                    raise DatasetError(
                        f"{table.title} is not a table of numbers: {place}, after {done} lines."
                    ) from error
                dtypes = dtypes[1:]  # also for the following rows
        done += len(lines)
        if rows.size:
            table.append(rows)
    if not table:
        raise DatasetError(f"{table.title} does not contain images.")
    return read_columns(table, label, image_shape)


def _parsed(lines: list[str], separator: str, table: TextTable, dtype: Any) -> NDArray[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # loadtxt warns if all lines are blank
        rows: NDArray[Any] = np.loadtxt(
            lines,
            dtype,
            comments=None,
            delimiter=None if separator == " " else separator,
            converters=table.converters(),
            ndmin=2,
            quotechar='"',
        )
    if rows.size and rows.shape[1] != table.n_columns:
        raise ValueError(f"expected {table.n_columns} columns, got {rows.shape[1]}")
    return rows


# --- ARFF -------------------------------------------------------------------------------------


def read_arff(file: File, label: Any, image_shape: Shape | None) -> Part:
    """Return the images and labels of an ARFF file, the format of Weka and OpenML.

    References
    ----------
    https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/
    """
    names: list[str] = []
    words: set[int] = set()
    with file.stream() as binary, _text(binary, file) as stream:
        for line in stream:
            if re.match(r"\s*@data\b", line, re.IGNORECASE):
                break
            if found := re.match(r"\s*@attribute\s+('[^']*'|\"[^\"]*\"|\S+)\s+(.*)", line, re.I):
                if _holds_words(found[2].strip()):
                    words.add(len(names))
                names.append(found[1].strip("'\""))
        rows = (line for line in stream if line.strip() and not line.startswith("%"))
        first = next(rows, "")
        if first.startswith("{"):
            raise DatasetError(
                f"{file.name} is a sparse ARFF file, which is not supported. Save it as a dense "
                "one (in Weka, with the filter SparseToNonSparse) or as CSV."
            )
        table = TextTable(file, names, len(names), words)
        lines = (line.replace("'", '"') for line in itertools.chain([first], rows) if line)
        sample = [first.strip().split(",")]
        if len(sample[0]) != len(names):
            raise DatasetError(
                f"{file.name} is damaged: it has {len(names)} attributes, but {len(sample[0])} "
                "values in its first row."
            )
        return _read_rows(table, lines, ",", sample, label, image_shape)


def _holds_words(kind: str) -> bool:
    """Whether the type of an attribute is not numeric, such as {yes, no}."""
    if not kind.startswith("{"):
        return bool(re.match("string|date", kind, re.IGNORECASE))
    return not all(_is_number(value.strip(" '\"")) for value in kind.strip("{}").split(","))


# --- libsvm -----------------------------------------------------------------------------------


def read_libsvm(files: Sequence[File], image_shape: Shape | None) -> list[Part]:
    """Return the images and labels of libsvm files that belong together.

    The files do not contain the number of pixels, because pixels that are 0 are omitted.
    """
    from sklearn.datasets import load_svmlight_file

    from_0 = any(re.search(rb"zero-based|[ \t]0:", file.start()) for file in files)
    loaded = [load_svmlight_file(io.BytesIO(file.content()), zero_based=from_0) for file in files]
    n_found = max(rows.shape[1] for rows, _ in loaded)
    n_pixels = _n_pixels(n_found, image_shape, files[0].name)
    parts = []
    for file, (rows, labels) in zip(files, loaded, strict=True):
        file.budget.take(rows.shape[0] * n_pixels)
        dense = np.zeros((rows.shape[0], n_pixels), _dtype_of(rows.data))
        for start in range(0, len(dense), _ROWS):
            chunk = rows[start : start + _ROWS]
            dense[start : start + _ROWS, : chunk.shape[1]] = chunk.toarray()
        images = as_images(dense, image_shape, file.name)
        pixels, note = as_pixels(images, file.name)
        target, _ = as_labels(labels, file.name)
        side = "x".join(map(str, images.shape[1:3]))
        notes = [
            "labels from the first field of each line",
            f"pixels are counted from {int(not from_0)}"
            + ("" if from_0 else ", as in libsvm, because no pixel 0 was found"),
            f"{side} pixels, because the last nonzero pixel is number {n_found - from_0}",
        ]
        parts.append(Part(pixels, target, notes=[*notes, *([note] if note else [])]))
    return parts


def _dtype_of(values: NDArray[Any]) -> Any:
    whole = (values == np.floor(values)).all() and values.min(initial=0) >= 0
    return np.uint8 if whole and values.max(initial=0) <= 255 else np.float32


def _n_pixels(n_found: int, image_shape: Shape | None, name: str) -> int:
    if image_shape is not None:
        n_pixels = int(np.prod(image_shape))
        if n_found > n_pixels:
            raise DatasetError(
                f"{name} has a pixel with number {n_found}, but image_shape={image_shape} has only "
                f"{n_pixels} pixels. Pass a larger image_shape."
            )
        return n_pixels
    if side_of(n_found):
        return n_found
    smallest = int(np.ceil(np.sqrt(n_found)))
    usual = next((side for side in _SIDES if side >= smallest), None)
    if usual != smallest:
        raise DatasetError(
            f"The size of the images in {name} is not clear: the last nonzero pixel is number "
            f"{n_found}, so it can be {smallest}x{smallest}"
            + (f" or {usual}x{usual}" if usual else "")
            + " pixels. Pass image_shape=(height, width)."
        )
    return smallest * smallest
