"""Find the columns of pixels and the column of labels in tables with one image per row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ._cache import DatasetError
from ._values import Part, Shape, as_images, as_labels, as_pixels, fits
from ._words import COLUMNS_OF_LABELS, COLUMNS_WITHOUT_MEANING, some

_MOST_CLASSES = 100  # a longer column of 0, 1, 2... is an index
_MARGIN = 0.9  # fraction of the most frequent value in a column of pixels at the edge of images
_ALIKE, _UNLIKE = 0.6, 0.3  # correlation of a pixel with its neighbor, and of a label with a pixel
_SHOWN = 6  # values of a column in a message


class Columns(Protocol):
    """A table whose columns can be read.

    Attributes
    ----------
    title : str
        Name in messages.
    n_columns : int
    words : set of int
        The columns that do not contain numbers.
    names : list of str or None
        Names of the columns; None if there is no header.
    """

    title: str
    n_columns: int
    words: set[int]

    @property
    def names(self) -> list[str] | None: ...

    def column(self, number: int) -> NDArray[Any]:
        """Return a column, of shape (n,)."""

    def block(self, numbers: Sequence[int]) -> NDArray[Any]:
        """Return columns of numbers, of shape (n, n_numbers)."""


def read_columns(table: Columns, label: Any, image_shape: Shape | None) -> Part:
    """Return the images and labels of a table.

    Raises
    ------
    DatasetError
        If columns are missing, or if it is not clear which one contains the labels.
    """
    left = list(range(table.n_columns))
    notes = []
    chosen = _given(table, label)
    if chosen is None:
        chosen = _named(table)
    # A separator at the end of each line results in an empty column.
    words = [k for k in table.words if any(value != "" for value in table.column(k))]
    if chosen is None and label is not False and len(words) == 1:
        (chosen,) = words
    dropped = [
        k for k in left
        if k != chosen and (k in table.words or _lower(table, k) in COLUMNS_WITHOUT_MEANING
                            or _lower(table, k).startswith("unnamed:"))
    ]  # fmt: skip
    left = [k for k in left if k != chosen and k not in dropped]
    if fits(len(left), image_shape):
        pass
    elif chosen is not None or label is False:
        index = next((k for k in (left[:1] + left[-1:]) if _is_index(table, k)), None)
        if index is None or not fits(len(left) - 1, image_shape):
            raise _no_image(table, len(left), image_shape, [k for k in words if k != chosen])
        dropped.append(index)
    elif fits(len(left) - 1, image_shape):
        chosen = _label_among(table, left[0], left[-1], left)
        if chosen is None:
            dropped.append(left[0])
    elif fits(len(left) - 2, image_shape):
        index = next((k for k in (left[0], left[-1]) if _is_index(table, k)), None)
        if index is None:
            raise _no_image(table, len(left), image_shape)
        dropped.append(index)
        rest = [k for k in left if k != index]
        chosen = _label_among(table, rest[0], rest[-1], rest)
    else:
        raise _no_image(table, len(left), image_shape)
    left = [k for k in left if k != chosen and k not in dropped]
    pixels, note = as_pixels(
        as_images(table.block(left), image_shape, table.title), table.title, tabular=True
    )
    notes += [note] if note else []
    if dropped:
        notes.append(f"ignored {_titles(table, sorted(dropped))}")
    if chosen is None:
        return Part(pixels, None, notes=notes)
    labels, form = as_labels(table.column(chosen), f"{table.title}, {_titles(table, [chosen])},")
    source = f"labels from {_titles(table, [chosen])}" + (f", which are {form}" if form else "")
    return Part(pixels, labels, notes=[source, *notes])


def _lower(table: Columns, number: int) -> str:
    """Return the name of a column in lower case, or "-" if there is no header."""
    return "-" if table.names is None else table.names[number].strip().lower()


def _titles(table: Columns, numbers: Sequence[int]) -> str:
    """Return the names of columns for messages."""
    last = table.n_columns - 1
    names = [
        f'column "{table.names[k]}"' if table.names is not None
        else "the first column" if k == 0
        else "the last column" if k == last
        else f"column {k}"
        for k in numbers
    ]  # fmt: skip
    return ", ".join(names)


def _given(table: Columns, label: Any) -> int | None:
    """Return the column for the argument ``label``."""
    if label is None or label is False:
        return None
    if isinstance(label, str):
        names = table.names or []
        if label in names:
            return names.index(label)
    elif -table.n_columns <= label < table.n_columns:
        return int(label) % table.n_columns
    columns = f"0 to {table.n_columns - 1}"
    if table.names is not None:
        columns = some([repr(name) for name in table.names], _SHOWN)
    raise DatasetError(f"label={label!r} is not a column of {table.title}. Columns: {columns}.")


def _named(table: Columns) -> int | None:
    names = [_lower(table, k) for k in range(table.n_columns)] if table.names is not None else []
    return next((names.index(known) for known in COLUMNS_OF_LABELS if known in names), None)


def _is_index(table: Columns, number: int) -> bool:
    """Whether a column contains row numbers."""
    values = table.column(number)
    return len(values) > 1 and bool((np.diff(values) == 1).all() and values[0] in (0, 1))


def _no_image(
    table: Columns, n_columns: int, image_shape: Shape | None, words: Sequence[int] = ()
) -> DatasetError:
    expected = (
        "a square image. Expected a square number, such as 784, and optionally a column of labels, "
        f"named {', '.join(COLUMNS_OF_LABELS[:-1])} or {COLUMNS_OF_LABELS[-1]}, or in the first or "
        "last position. For other images, pass image_shape=(height, width) or (3, height, width)."
        if image_shape is None
        else f"an image of shape {image_shape}, with or without a column of labels."
    )
    return DatasetError(
        f"{table.title} has {n_columns} columns of pixels, which do not form {expected}"
        + (f" There are words in {_titles(table, words)}, perhaps the labels." if words else "")
    )


# --- labels without a name --------------------------------------------------------------------


def _label_among(table: Columns, first: int, last: int, left: Sequence[int]) -> int | None:
    """Return which of two columns contains the labels, or None if the first is an index.

    Raises
    ------
    DatasetError
        If it is not clear which one.
    """
    if len(table.column(first)) > _MOST_CLASSES and _is_index(table, first):
        return None
    candidates = [k for k in (first, last) if _may_be_labels(table.column(k))]
    if len(candidates) == 2:
        # A pixel is similar to its neighbor; a label is not.
        alike = {
            first: _correlation(table.column(first), table.column(left[1])),
            last: _correlation(table.column(last), table.column(left[-2])),
        }
        pixels = [k for k, value in alike.items() if value > _ALIKE]
        labels = [k for k, value in alike.items() if value < _UNLIKE]
        candidates = labels if len(pixels) == len(labels) == 1 else candidates
    if not candidates:  # all labels may be equal, in a file with one class or one row
        candidates = [k for k in (first, last) if _is_one_label(table.column(k))]
    if len(candidates) == 1:
        return candidates[0]
    shown = [
        ", ".join(f"{value:g}" for value in table.column(k)[:_SHOWN].tolist())
        for k in (first, last)
    ]
    raise DatasetError(
        f"The labels of {table.title} can be in the first column ({shown[0]}, ...) or in the last "
        f"({shown[1]}, ...). Pass label={first} or label={last - table.n_columns}, or name the "
        "column label in a header."
    )


def _may_be_labels(values: NDArray[Any]) -> bool:
    """Whether values look like class numbers, from -1, and no class has nearly all rows."""
    in_range = (values >= -1) & (values < _MOST_CLASSES)  # False for nan
    if not in_range.all() or (values != np.floor(values)).any():
        return False
    _, counts = np.unique(values, return_counts=True)
    return len(counts) > 1 and bool(counts.max() <= max(_MARGIN * len(values), 1))


def _is_one_label(values: NDArray[Any]) -> bool:
    return bool((values == values[:1]).all()) and 0 < values[0] < _MOST_CLASSES


def _correlation(one: NDArray[Any], other: NDArray[Any]) -> float:
    one, other = (values.astype(np.float64) - values.mean() for values in (one, other))
    spread = np.sqrt((one @ one) * (other @ other))
    return float(one @ other / spread) if spread else 0.0
