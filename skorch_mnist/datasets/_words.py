"""The meaning of names of files, folders, arrays and columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

SUBSETS = ("train", "validation", "test")  # the order in which they are returned
_SUBSETS = {
    "train": "train", "training": "train", "trn": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test", "tst": "test",
}  # fmt: skip
_IMAGES = {"x", "data", "digits", "features", "image", "images", "img", "imgs", "pictures",
           "pixels", "png", "jpg"}  # fmt: skip
_LABELS = {"class", "classes", "label", "labels", "lbl", "target", "targets", "y"}
_FILLER = {"arr", "array", "bz", "dataset", "file", "gz", "idx", "int", "npy", "npz", "numpy",
           "raw", "set", "ubyte", "xz"}  # fmt: skip
_COMPOUND = re.compile(r"(training|train|testing|test|images?|imgs?|labels?|targets?)")
COLUMNS_OF_LABELS = ("label", "labels", "class", "target", "y", "digit", "character", "category")
COLUMNS_WITHOUT_MEANING = ("", "id", "index", "idx", "image_id", "imageid", "no", "row")


def some(items: Sequence[str], n_shown: int) -> str:
    """Return the first items, and how many more there are."""
    more = f" and {len(items) - n_shown} more" if len(items) > n_shown else ""
    return ", ".join(items[:n_shown]) + more


@lru_cache(maxsize=1024)  # names of folders recur
def words_in(name: str) -> list[str]:
    """Return the words and numbers in a name, in lower case."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower().replace("t10k", " test ")
    return re.findall(r"[^\W\d_]+|\d+", _COMPOUND.sub(r" \1 ", spaced))


def subset_in(name: str) -> str | None:
    """Return the subset in a name, or None if there are none or several."""
    found = {_SUBSETS[word] for word in words_in(name) if word in _SUBSETS}
    return found.pop() if len(found) == 1 else None


def subset_of(parts: tuple[str, ...]) -> str | None:
    """Return the subset in the name or, if there is none, in the innermost folder."""
    return next(filter(None, map(subset_in, reversed(parts))), None)


def role_of(name: str) -> str | None:
    """Return "images" or "labels" if a name contains one of them, else None."""
    words = {*words_in(name)}
    images, labels = words & _IMAGES, words & _LABELS
    # "data" and "digits" often have no meaning, as in digits-labels.npy.
    if images and labels - {"classes"} and not images - {"data", "digits", "image", "x"}:
        return "labels"
    return None if bool(images) == bool(labels) else "images" if images else "labels"


def rest_of(name: str) -> tuple[str, ...]:
    """Return the words that identify a dataset: without subset, role, numbers and format."""
    known = {*_SUBSETS, *_IMAGES, *_LABELS, *_FILLER}
    return tuple(dict.fromkeys(
        word for word in words_in(name) if word not in known and not word.isdigit()
    ))  # fmt: skip


def is_neutral(name: str) -> bool:
    """Whether the name of a folder is not the class of the pictures in it."""
    return not set(words_in(name)) - _IMAGES - _FILLER - {"mnist"}
