"""Read data frames of pandas, polars and Arrow, and Parquet files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._cache import DatasetError
from ._columns import read_columns
from ._content import Budget, File
from ._pictures import decode_column, is_picture
from ._values import Part, Shape, as_images, as_labels, as_pixels
from ._words import COLUMNS_OF_LABELS, role_of, some

_SHOWN = 6  # columns in a message


class Frame:
    """The columns of a data frame of pandas, polars or Arrow.

    Attributes
    ----------
    title, names, n_columns, words
        As in ``Columns``.
    """

    def __init__(self, frame: Any, title: str) -> None:
        self.title = title
        self.names: list[str] = [str(name) for name in _names(frame)]
        self.n_columns = len(self.names)
        self._frame = frame
        self.words = {k for k in range(self.n_columns) if self.column(k).dtype.kind not in "buif"}

    def __len__(self) -> int:
        return len(self._frame)

    def _series(self, number: int) -> Any:
        if hasattr(self._frame, "iloc"):
            return self._frame.iloc[:, number]
        if hasattr(self._frame, "get_column"):
            return self._frame.to_series(number)
        return self._frame.column(number)

    def column(self, number: int) -> NDArray[Any]:
        """Return a column, of shape (n,)."""
        values = np.asarray(self._series(number))
        if values.dtype.kind == "O" and len(values) and isinstance(values[0], (int, float)):
            try:
                return values.astype(np.float64)  # of nullable numbers
            except (TypeError, ValueError):
                return values
        return values

    def values(self, number: int) -> Iterable[Any]:
        """Yield the values of a column as Python objects."""
        series = self._series(number)
        for chunk in getattr(series, "chunks", [series]):
            yield from (chunk.to_pylist() if hasattr(chunk, "to_pylist") else chunk.to_list())

    def block(self, numbers: Sequence[int]) -> NDArray[Any]:
        """Return columns of numbers, of shape (n, n_numbers)."""
        columns = [self.column(k) for k in numbers]
        small = all(
            column.dtype.kind in "iu" and column.min() >= 0 and column.max() <= 255
            for column in columns
        )
        dtype = np.dtype(np.uint8) if small else np.result_type(*columns)
        rows = np.empty((len(self), len(columns)), dtype)
        for k, column in enumerate(columns):
            rows[:, k] = column
        return rows


def _names(frame: Any) -> Any:
    if hasattr(frame, "column_names"):
        return frame.column_names
    return frame.columns


def is_frame(value: Any) -> bool:
    """Whether a value is a data frame of pandas, polars or Arrow."""
    return hasattr(type(value), "columns") and (
        hasattr(value, "iloc") or hasattr(value, "get_column") or hasattr(value, "column_names")
    )


def read_frame(
    frame: Any, label: Any, image_shape: Shape | None, title: str, budget: Budget
) -> Part:
    """Return the images and labels of a data frame: columns of pixels, or one of pictures."""
    table = Frame(frame, title)
    if not len(table):
        raise DatasetError(f"{title} is empty.")
    pictures = [k for k in sorted(table.words) if is_picture(next(iter(table.values(k)), None))]
    if not pictures:
        return read_columns(table, label, image_shape)
    named = [k for k in pictures if role_of(table.names[k]) == "images"] or pictures
    if len(named) > 1:
        names = ", ".join(table.names[k] for k in named)
        raise DatasetError(f"{title} has several columns of pictures: {names}. Drop all but one.")
    (image,) = named
    images, notes = decode_column(
        table.values(image), len(table), budget, f"{title}, column {table.names[image]!r}"
    )
    pixels, note = as_pixels(as_images(images, image_shape, title), title)
    notes += [note] if note else []
    found = _column_of_labels(table, image, label)
    if found is None:
        return Part(pixels, None, notes=notes)
    name = table.names[found]
    labels, _ = as_labels(table.column(found), f"{title}, column {name!r},")
    source = f"pictures from column {table.names[image]!r}, labels from column {name!r}"
    return Part(pixels, labels, _class_names(frame, name), [source, *notes])


def _column_of_labels(table: Frame, image: int, label: Any) -> int | None:
    others = [k for k in range(table.n_columns) if k != image]
    columns = some([repr(name) for name in table.names], _SHOWN)
    if label is False:
        return None
    if label is not None:
        if label in table.names:
            return table.names.index(label)
        if isinstance(label, int) and -table.n_columns <= label < table.n_columns:
            return label % table.n_columns
        raise DatasetError(f"label={label!r} is not a column of {table.title}. Columns: {columns}.")
    lower = [name.lower() for name in table.names]
    named = [lower.index(known) for known in COLUMNS_OF_LABELS if known in lower]
    named = [k for k in named if k != image] or (others if len(others) == 1 else [])
    if not named and others:
        raise DatasetError(
            f"No column of labels was found in {table.title}. Columns: {columns}. "
            "Pass its name as label, or label=False if there is none."
        )
    return named[0] if named else None


def _class_names(frame: Any, column: str) -> list[str]:
    """Return the names of classes that Hugging Face stores in the metadata of an Arrow table."""
    metadata = getattr(getattr(frame, "schema", None), "metadata", None) or {}
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        names = features[column]["names"]
    except (KeyError, TypeError, ValueError):
        return []
    return [str(name) for name in names] if isinstance(names, list) else []


def read_parquet(file: File, label: Any, image_shape: Shape | None) -> Part:
    """Return the images and labels of a Parquet file."""
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise DatasetError(
            f"{file.name} is a Parquet file, which requires pyarrow: pip install pyarrow"
        ) from error

    with file.seekable() as stream:
        opened = parquet.ParquetFile(stream)
        metadata = opened.metadata
        groups = [metadata.row_group(k) for k in range(metadata.num_row_groups)]
        file.budget.take(sum(max(0, group.total_byte_size) for group in groups))
        file.budget.take(metadata.num_rows * metadata.num_columns)
        table = opened.read()
    return read_frame(table, label, image_shape, file.name, file.budget)
