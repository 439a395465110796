"""Return datasets in the requested form, and check arguments."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch


def description(name: str) -> str:
    """Return the origin, split and license of a dataset, from a file in ``descr``."""
    return (files("skorch_mnist.datasets") / "descr" / f"{name}.txt").read_text("utf-8")


def check_flags(**flags: object) -> None:
    """Raise a ValueError that names the first argument that is not a bool."""
    for name, value in flags.items():
        if not isinstance(value, (bool, np.bool_)):
            raise ValueError(f"{name}={value!r} is not valid: it must be True or False.")


def check_path(name: str, path: object) -> str:
    """Return a path as a string; raise a ValueError that names the argument if it is not a path."""
    if not isinstance(path, (str, os.PathLike)):
        raise ValueError(
            f"{name}={path!r} is not valid: it must be a path, not {type(path).__name__}."
        )
    return str(os.fspath(path))


def check_choice(name: str, value: object, valid: Sequence[str]) -> None:
    """Raise a ValueError if an argument is not one of its valid values."""
    if not isinstance(value, str) or value not in valid:
        choices = ", ".join(map(repr, valid))
        raise ValueError(f"{name}={value!r} is not valid: it must be one of {choices}.")


def present(
    images: NDArray[np.uint8],
    target: NDArray[Any] | None,
    descr: str,
    target_names: Sequence[str] | None = None,
    *,
    return_X_y: bool,
    as_slice_dataset: bool = False,
) -> Bunch | tuple[Any, Any]:
    """Return images (n, height, width) and target (n,) in the requested form.

    If ``target_names`` is None, the labels are used as names.
    """
    data: Any = images.reshape(len(images), math.prod(images.shape[1:]))
    if as_slice_dataset:
        from skorch.dataset import Dataset
        from skorch.helper import SliceDataset

        data = SliceDataset(Dataset(images, target))
    if return_X_y:
        return data, target
    if target_names is None:
        target_names = [] if target is None else [str(label) for label in np.unique(target)]
    return Bunch(
        data=data, images=images, target=target, target_names=list(target_names), DESCR=descr
    )
