"""Pictures whose labels are in the names of folders or files, or in a table of names."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._cache import DatasetError
from ._content import File
from ._kinds import PICTURES, decoded
from ._text import SEPARATORS, is_narrow
from ._values import Part, as_labels
from ._words import COLUMNS_OF_LABELS, is_neutral, subset_in, subset_of

Reader = Callable[[Sequence[File]], tuple[NDArray[np.uint8], list[str]]]
_LABELLED = re.compile(r"(?:num|label|lbl|digit|class)[-_ =]?(\d+|[A-Za-z])(?![^\W_])", re.I)
_SHOWN = 4  # names in a message


def read_named(
    files: Sequence[File], read: Reader, label: Any, title: str
) -> tuple[dict[str | None, Part], list[File]]:
    """Return the pictures of each subset, with labels from their names.

    Parameters
    ----------
    files : sequence of File
        Pictures.
    read : callable
        Reads pictures of one size.
    label : int or None
        Index of the word or number in the file names that is the label.
    title : str
        Name of the folder in messages.

    Returns
    -------
    parts : dict
    left : list of File
        Pictures outside of the folders of classes.
    """
    groups: dict[str | None, list[File]] = {}
    folders: dict[str | None, set[tuple[str, ...]]] = {}
    for file in files:
        of_subset = tuple(part for part in file.parts[:-1] if subset_in(part))
        subset = subset_of(of_subset)
        groups.setdefault(subset, []).append(file)
        folders.setdefault(subset, set()).add(of_subset)
    for subset, names in folders.items():
        if len(names) > 1:
            shown = ", ".join(sorted("/".join(name) for name in names))
            raise DatasetError(
                f"{title} has several folders of {subset} images: {shown}. Pass one of them."
            )
    classes = {subset: _classes(group) for subset, group in groups.items()}
    parts: dict[str | None, Part] = {}
    left: list[File] = []
    for subset, group in groups.items():
        labels, note, stray = _labels(group, classes[subset], label, title)
        chosen = [file for file in group if file not in stray] if stray else group
        left += stray
        images, notes = read(chosen)
        target = None if labels is None else as_labels(labels, title)[0]
        parts[subset] = Part(images, target, notes=[note, *notes] if note else notes)
    return parts, left


def _classes(files: Sequence[File]) -> list[str]:
    """Return the folder that is the class of each picture, or "" if there is none."""
    folders = [[part for part in file.parts[:-1] if not subset_in(part)] for file in files]
    while all(len(parts) > 1 for parts in folders) and len({parts[0] for parts in folders}) == 1:
        folders = [parts[1:] for parts in folders]
    classes = [parts[0] if parts else "" for parts in folders]
    return [""] * len(classes) if len({*classes}) == 1 and is_neutral(classes[0]) else classes


def _labels(
    files: Sequence[File], classes: Sequence[str], label: Any, title: str
) -> tuple[list[str] | None, str, list[File]]:
    """Return labels or None, their source, and pictures without a label."""
    named = [name for name in classes if name]
    if len({*named}) > 1 and 2 * len(named) > len(classes):
        stray = [file for file, name in zip(files, classes, strict=True) if not name]
        return named, "labels from the names of folders", stray
    stems = [file.parts[-1].rpartition(".")[0] or file.parts[-1] for file in files]
    labels, note = labels_in_names(stems, label, title)
    if labels is None and named and len({*classes}) == 1:
        return named, "labels from the name of the only folder", []
    return labels, note, []


def labels_in_names(stems: Sequence[str], label: Any, title: str) -> tuple[list[str] | None, str]:
    """Return the label in each name, or None if there is none, and a note on its position.

    The label is the number after a word such as "num" or "label", or the short number or word that
    is the same in many names, as in 7_00001.

    Raises
    ------
    DatasetError
        If it is not clear which number is the label.
    """
    found = [_LABELLED.search(stem) for stem in stems]
    if label is None and all(found):
        return [match[1] for match in found if match], "labels from the names of files"
    names = [re.findall(r"[^\W\d_]+|\d+", stem) for stem in stems]
    length = len(names[0])
    if any(len(parts) != length for parts in names):
        if label is not None:
            raise DatasetError(
                f"label={label!r} is not valid: the file names in {title} do not have the same "
                "form. Pass label=None."
            )
        return None, ""
    columns = list(zip(*names, strict=True))
    if label is not None:
        if not isinstance(label, int) or not -length <= label < length:
            raise DatasetError(
                f"label={label!r} is not valid: it must be an integer from 0 to {length - 1}, the "
                f"index of a word or number in names such as {stems[0]!r}."
            )
        return list(columns[label]), f"labels from part {label} of the names of files"
    counts = {k: len({*column}) for k, column in enumerate(columns)}
    numbers = [k for k, column in enumerate(columns) if all(part.isdigit() for part in column)]
    candidates = [
        k for k, column in enumerate(columns)
        if all(map(_may_be_label, column))
        and (counts[k] > 1 or k in numbers)
        and (counts[k] < len(stems) or any(j != k and j in numbers for j in counts))
    ]  # fmt: skip
    candidates.sort(key=lambda k: counts[k])
    if not candidates or (len(candidates) > 1 and len(stems) == 1):
        return None, ""
    if len(candidates) > 1 and counts[candidates[1]] < 2 * counts[candidates[0]]:
        raise DatasetError(
            f"The labels of {title} can be part {candidates[0]} or part {candidates[1]} of names "
            f"such as {', '.join(map(repr, stems[:_SHOWN]))}, where the first part is 0. Pass "
            f"label={candidates[0]} or label={candidates[1]}."
        )
    return list(columns[candidates[0]]), f"labels from part {candidates[0]} of the names of files"


def _may_be_label(part: str) -> bool:
    return not part.isdigit() or (len(part) <= 2 and (part == "0" or part[0] != "0"))


# --- a table of names -------------------------------------------------------------------------


class NameTable:
    """A table of names of pictures and their labels.

    Attributes
    ----------
    file : File
    pictures : list of File
    labels : list of str
    column : str
        Name of the column of labels.
    """

    def __init__(self, file: File, pictures: list[File], labels: list[str], column: str) -> None:
        self.file, self.pictures, self.labels, self.column = file, pictures, labels, column


def name_table(file: File, pictures: Sequence[File], label: Any) -> NameTable | None:
    """Return the table of names in a file, or None if it is another table.

    Raises
    ------
    DatasetError
        If it names pictures that do not exist, or if it is not clear which column has the labels.
    """
    if not is_narrow(file):
        return None
    rows = _rows(file)
    known = _by_name(pictures, subset_of(file.parts))
    hits = [
        sum(_slashes(row[k]) in known or row[k].lower().endswith(PICTURES) for row in rows[:100])
        for k in range(len(rows[0]))
    ]
    if max(hits) < min(len(rows), 100) / 2:
        return None
    names = hits.index(max(hits))
    header = rows[0] if _slashes(rows[0][names]) not in known else None
    column = _column_of_labels(file, header, len(rows[0]), names, label)
    found, labels, missing = [], [], []
    for row in rows[header is not None :]:
        name = _slashes(row[names])
        if name in known:
            found.append(known[name])
            labels.append(row[column].strip())
        else:
            missing.append(name)
    if missing:
        raise DatasetError(
            f"{file.name} lists {len(missing)} pictures that do not exist, such as "
            f"{', '.join(missing[:_SHOWN])}. Add them, or remove their rows."
        )
    return NameTable(file, found, labels, header[column] if header else f"column {column}")


def _slashes(name: str) -> str:
    return name.strip().replace("\\", "/")


def _rows(file: File) -> list[list[str]]:
    text = decoded(bytes(file.content()), file.name)
    for separator in SEPARATORS:
        rows = [row for row in csv.reader(text.splitlines(), delimiter=separator) if row]
        if rows and len(rows[0]) > 1 and len({len(row) for row in rows}) == 1:
            return rows
    return [[""]]


def _by_name(pictures: Sequence[File], subset: str | None) -> dict[str, File]:
    """Return pictures by path, and by name if it is unique in the subset of the table."""
    known: dict[str, File] = {}
    several = set()
    for file in pictures:
        if subset and subset_of(file.parts[:-1]) not in (subset, None):
            continue
        for name in {file.parts[-1], file.parts[-1].rpartition(".")[0]}:
            if name in known:
                several.add(name)
            known[name] = file
    for name in several:
        del known[name]
    for file in pictures:
        for start in range(len(file.parts) - 1):
            known.setdefault("/".join(file.parts[start:]), file)
    return known


def _column_of_labels(
    file: File, header: list[str] | None, n_columns: int, names: int, label: Any
) -> int:
    columns = [name.strip().lower() for name in header or ()]
    if isinstance(label, str) and header is not None and label in header:
        return header.index(label)
    if isinstance(label, int) and not isinstance(label, bool) and -n_columns <= label < n_columns:
        return label % n_columns
    named = [columns.index(known) for known in COLUMNS_OF_LABELS if known in columns]
    if label is None and (named or n_columns == 2):
        return named[0] if named else 1 - names
    raise DatasetError(
        f"{file.name} lists pictures, but the column of labels was not found. Columns: "
        f"{header or n_columns}. Pass its name as label."
    )
