"""Read a path: find its files, recognize their formats, and read the images in them."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from ._array_files import arrays_in
from ._arrays import read_arrays
from ._cache import DatasetError
from ._content import File, files_in, find_files
from ._folders import PictureFormError
from ._frames import read_parquet
from ._kinds import kind_of, unknown
from ._named_pictures import NameTable, name_table, read_named
from ._pictures import read_bitmaps, read_pictures
from ._text import is_narrow, read_arff, read_libsvm, read_table
from ._values import Part, Shape, as_labels
from ._words import rest_of, role_of, some, subset_of

_TITLES = {
    "npy": "NumPy arrays (.npy)",
    "npz": "NumPy archive (.npz)",
    "idx": "IDX, the format of MNIST",
    "mat": "MATLAB file",
    "hdf5": "HDF5 file",
    "parquet": "Parquet file",
    "arff": "ARFF file",
    "libsvm": "libsvm text",
    "table": "table as text (CSV)",
    "bitmap": "text that draws images with 0 and 1",
    "picture": "pictures",
}
_ARRAYS = ("npy", "npz", "idx", "mat", "hdf5")
_SHOWN = 5  # files in a note

Parts = dict[str | None, Part]


def read_path(
    path: str, label: Any, sep: str | None, image_shape: Shape | None
) -> tuple[Parts, list[str]]:
    """Return the images of each subset, and notes on the format and on ignored files."""
    try:
        with ExitStack() as stack, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # libraries warn about damaged files
            files = find_files(path, stack)
            if not files:
                raise DatasetError(f"{path} does not contain any files.")
            alone = len(files) == 1 and not os.path.isdir(path)
            kinds, notes = _kinds(files, path)
            if alone and set(kinds) <= {"idx", "npy", "npz"}:
                kinds = _with_neighbors(kinds, path, stack)
            elif alone and "table" in kinds and (found := _name_table_alone(kinds, path, label)):
                kinds = found
            parts, left = _read_kinds(kinds, path, label, sep, image_shape)
    except DatasetError:
        raise
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}.") from error
    except Exception as error:  # libraries may raise anything for a damaged file
        raise DatasetError(
            f"{path} is damaged or has another format than expected: {type(error).__name__}: "
            f"{error}"
        ) from error
    if left:
        notes = [*notes, f"ignored: {_some(left)}"]
    kind = "picture" if "picture" in kinds else next(iter(kinds))
    return parts, [f"format: {_TITLES[kind]}", *notes]


def _some(names: Sequence[str]) -> str:
    return some([*dict.fromkeys(names)], _SHOWN)


def _kinds(files: Sequence[File], path: str) -> tuple[dict[str, list[File]], list[str]]:
    """Return the files of each kind, and notes on the files that are left out.

    Raises
    ------
    DatasetError
        If no file contains data; the message says why the first one cannot be read.
    """
    kinds: dict[str, list[File]] = {}
    refused: dict[str, DatasetError] = {}
    for file in files:
        inner = file.unpacked() if not _is_surely_picture(file) else file
        try:
            kind = kind_of(inner)
        except DatasetError as error:
            refused[file.name] = error
            continue
        if kind == "unknown":
            refused[file.name] = unknown(file.name if len(files) > 1 else path)
        else:
            kinds.setdefault(kind, []).append(inner)
    if not kinds:
        raise next(iter(refused.values()))
    if len(kinds) > 1 and "picture" in kinds:  # text files next to pictures may be notes
        for kind in ("bitmap", "libsvm"):
            refused.update({file.name: unknown(file.name) for file in kinds.pop(kind, [])})
    heic = [name for name, error in refused.items() if isinstance(error, PictureFormError)]
    without = [name for name in refused if name not in heic]
    left = {"ignored pictures in the format HEIC": heic, "ignored files without images": without}
    return kinds, [f"{what}: {_some(names)}" for what, names in left.items() if names]


def _is_surely_picture(file: File) -> bool:
    return file.name.lower().endswith((".png", ".jpg", ".jpeg"))


def _with_neighbors(
    kinds: dict[str, list[File]], path: str, stack: ExitStack
) -> dict[str, list[File]]:
    """Add the file of labels that belongs to a file of images, from the same folder."""
    ((kind, (file,)),) = kinds.items()
    arrays = [*arrays_in(file, kind)]
    if len(arrays) != 1 or arrays[0].name:
        return kinds
    (array,) = arrays
    if array.role != "images":
        raise DatasetError(f"{path} contains labels, not images. Pass the file of images.")
    found = [file]
    for name in sorted(os.listdir(os.path.dirname(path) or ".")):
        place = os.path.join(os.path.dirname(path), name)
        if name == os.path.basename(path) or not os.path.isfile(place):
            continue
        of_dataset = subset_of((name,)) == array.subset and rest_of(name) == array.dataset
        if role_of(name) == "labels" and of_dataset:
            (other,) = find_files(place, stack)
            if kind_of(other) == kind:
                found.append(other)
                break
    return {kind: found}


def _name_table_alone(
    kinds: dict[str, list[File]], path: str, label: Any
) -> dict[str, list[File]] | None:
    """Return the pictures that a table of names refers to, from its folder."""
    (table,) = kinds["table"]
    if not is_narrow(table):
        return None
    pictures = [file for file in files_in(os.path.dirname(path) or ".") if _is_surely_picture(file)]
    if not pictures or name_table(table, pictures, label) is None:
        return None
    return {"picture": pictures, "table": [table]}


# --- formats ----------------------------------------------------------------------------------


def _read_kinds(
    kinds: dict[str, list[File]],
    path: str,
    label: Any,
    sep: str | None,
    image_shape: Shape | None,
) -> tuple[Parts, list[str]]:
    """Return the images of each subset, and the names of ignored files or arrays."""
    if set(kinds) <= {"idx", "npy", "npz"}:
        arrays = [
            array for kind, files in kinds.items() for file in files
            for array in arrays_in(file, kind)
        ]  # fmt: skip
        parts, left = read_arrays(arrays, label, image_shape, path)
        return parts, [array.title for array in left]
    tables = kinds.get("table", [])
    if "picture" in kinds and set(kinds) <= {"picture", "table"}:
        named = [name_table(file, kinds["picture"], label) for file in tables]
        if all(named):
            return _read_pictures(kinds["picture"], [t for t in named if t], label, path)
        if any(named):
            tables = [file for file, found in zip(tables, named, strict=True) if not found]
    if len(kinds) > 1:
        shown = "; ".join(
            f"{len(files)} of {_TITLES[kind]}, such as {files[0].name}"
            for kind, files in kinds.items()
        )
        raise DatasetError(
            f"{path} contains files of several formats: {shown}. Pass the path of one of them."
        )
    ((kind, files),) = kinds.items()
    if kind in ("mat", "hdf5"):
        if len(files) > 1 and len({subset_of(file.parts) for file in files}) < len(files):
            raise _several(files, path)
        arrays = [array for file in files for array in arrays_in(file, kind)]
        parts, left = read_arrays(arrays, label, image_shape, path)
        return parts, [array.title for array in left]
    if kind == "bitmap":
        return _read_bitmaps(files, label, path)
    if kind == "picture":
        return _read_pictures(files, [], label, path)
    return _read_tables(kind, files, path, label, sep, image_shape)


def _several(files: Sequence[File], path: str) -> DatasetError:
    return DatasetError(
        f"{path} contains several datasets: {_some([file.name for file in files])}. Pass the path "
        "of one of them."
    )


def _read_tables(
    kind: str,
    files: Sequence[File],
    path: str,
    label: Any,
    sep: str | None,
    image_shape: Shape | None,
) -> tuple[Parts, list[str]]:
    """Read files with one image per row; several Parquet files may form one subset."""
    groups: dict[str | None, list[File]] = {}
    for file in files:
        groups.setdefault(subset_of(file.parts), []).append(file)
    if kind == "libsvm":
        if any(len(group) > 1 for group in groups.values()):
            raise _several(files, path)
        found = read_libsvm([file for (file,) in groups.values()], image_shape)
        return dict(zip(groups, found, strict=True)), []
    parts: Parts = {}
    left: list[str] = []
    for subset, group in groups.items():
        if kind == "parquet":
            _check_shards(group, path)
            parts[subset] = _joined([read_parquet(file, label, image_shape) for file in group])
            continue
        if kind == "table":  # such as sample_submission.csv from Kaggle
            others = [file for file in group if len(files) > 1 and is_narrow(file)]
            left += [file.name for file in others]
            group = [file for file in group if file not in others]
        if len(group) > 1:
            raise _several(group, path)
        for file in group:
            if kind == "arff":
                parts[subset] = read_arff(file, label, image_shape)
            else:
                parts[subset] = read_table(file, label, sep, image_shape)
            if "emnist" in file.parts[-1].lower():
                parts[subset] = _upright(parts[subset])
    if not parts:
        raise unknown(path)
    return parts, left


def _upright(part: Part) -> Part:
    note = "rows and columns were swapped, because EMNIST stores images transposed"
    images = np.ascontiguousarray(part.images.swapaxes(1, 2))
    return part._replace(images=images, notes=[*part.notes, note])


def _check_shards(files: Sequence[File], path: str) -> None:
    """Raise a DatasetError if a part of a dataset is missing, as in train-00000-of-00002."""
    numbers = [re.search(r"(\d{3,})-of-(\d{3,})", file.name) for file in files]
    announced = {int(found[2]) for found in numbers if found}
    if len(files) > 1 and not all(numbers):
        raise _several(files, path)
    if announced and announced != {len(files)}:
        raise DatasetError(
            f"{path} contains {len(files)} of {max(announced)} parts: "
            f"{_some([f.name for f in files])}. Add the missing ones."
        )


def _joined(parts: Sequence[Part]) -> Part:
    if len(parts) == 1:
        return parts[0]
    if len({part.images.shape[1:] for part in parts}) > 1:
        raise DatasetError("The files contain images of different sizes. Pass one of them.")
    labels = [part.labels for part in parts if part.labels is not None]
    return parts[0]._replace(
        images=np.concatenate([part.images for part in parts]),
        labels=np.concatenate(labels) if len(labels) == len(parts) else None,
    )


def _read_bitmaps(files: Sequence[File], label: Any, path: str) -> tuple[Parts, list[str]]:
    found = {file.name: read_bitmaps(file) for file in files}
    if any(labels for _, labels in found.values()):
        parts: Parts = {}
        for file in files:
            images, labels = found[file.name]
            subset = subset_of(file.parts)
            if subset in parts or not labels:
                raise _several(files, path)
            parts[subset] = Part(
                _stacked(images, file.name), np.array(labels, np.int64),
                notes=["labels from the lines below the images"],
            )  # fmt: skip
        return parts, []

    def read(chosen: Sequence[File]) -> tuple[Any, list[str]]:
        images = [image for file in chosen for image in found[file.name][0]]
        if len(images) != len(chosen):
            raise DatasetError(
                f"{path} has files with several images, but without labels below the images. Add "
                "the labels, or use one file per image."
            )
        return _stacked(images, path), []

    parts, left = read_named(files, read, label, path)
    return parts, [file.name for file in left]


def _stacked(images: Sequence[Any], name: str) -> Any:
    if len({image.shape for image in images}) > 1:
        raise DatasetError(f"{name} has images of different sizes. Make them the same size.")
    return np.stack(images)


def _read_pictures(
    pictures: Sequence[File], tables: Sequence[NameTable], label: Any, path: str
) -> tuple[Parts, list[str]]:
    if not tables:
        parts, left = read_named(pictures, read_pictures, label, path)
        return parts, [file.name for file in left]
    parts = {}
    named = set()
    for table in tables:
        subsets = [subset_of(file.parts[:-1]) or subset_of(table.file.parts)
                   for file in table.pictures]  # fmt: skip
        for subset in dict.fromkeys(subsets):
            if subset in parts:
                raise DatasetError(
                    f"{path} has several tables for {subset} images. Pass a folder with only one."
                )
            rows = [k for k, other in enumerate(subsets) if other == subset]
            images, notes = read_pictures([table.pictures[k] for k in rows])
            source = f"labels from {table.file.name}, {table.column}"
            labels, _ = as_labels([table.labels[k] for k in rows], table.file.name)
            parts[subset] = Part(images, labels, notes=[source, *notes])
        named |= {file.name for file in table.pictures}
    return parts, [file.name for file in pictures if file.name not in named]
