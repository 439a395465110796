"""Checks of parameters and samples, and the label of rejected images."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from skorch_mnist._compat import validate_parameter_constraints
from skorch_mnist._inputs._pixels import as_array
from skorch_mnist._inputs._validation import check_images_and_labels, is_dataset


def check_params(rejecting: Any) -> np.random.RandomState:
    """Raise an error unless the parameters are valid; return the random state."""
    constraints, params = rejecting._parameter_constraints, rejecting.get_params(deep=False)
    validate_parameter_constraints(constraints, params, type(rejecting).__name__)
    random_state: np.random.RandomState = check_random_state(rejecting.random_state)
    return random_state


def check_samples(
    rejecting: Any, X: Any, y: Any, *, reset: bool
) -> tuple[Any, NDArray[Any], NDArray[Any]]:
    """Return X, its images of shape (n_samples, channels, height, width), and labels."""
    if is_dataset(X):
        raise ValueError(f"X must be an array of images; got {type(X).__name__}.")
    X = as_array(X)
    checked = check_images_and_labels(rejecting, X, y, reset=reset)
    if reset:
        rejecting.image_shape_ = checked.images.shape[1:]
    return X, checked.images, checked.y


def reject_label_for(classes: NDArray[Any], label: Any) -> Any:
    """Return the label of rejected images: ``label``, or a default that is not a class.

    Raises
    ------
    ValueError
        If the label is a class, or does not have the type of the classes.
    """
    kind = classes.dtype.kind
    if kind == "b":
        raise ValueError(
            "y contains booleans, so there is no value left for reject_label. Pass "
            "y.astype(int) or strings."
        )
    if label is None:
        return min(-1, int(classes[0]) - 1) if kind in "iuf" else "rejected"
    wanted, form = {"i": (Integral, "an integer"), "u": (Integral, "an integer")}.get(
        kind, (Real, "a number") if kind == "f" else (str, "a string")
    )
    if not isinstance(label, wanted) or label != label:  # nan is not equal to itself
        raise ValueError(
            f"reject_label={label!r} is not valid: it must be {form}, like the classes, {classes}."
        )
    if label in classes.tolist():
        raise ValueError(
            f"reject_label={label!r} is not valid: it must not be one of the classes, {classes}."
        )
    return label


def check_known(y: NDArray[Any], classes: NDArray[Any]) -> None:
    """Raise a ValueError for labels that were not in ``fit``."""
    if unknown := set(np.unique(y).tolist()) - set(classes.tolist()):
        raise ValueError(
            f"y has labels {sorted(unknown)} that are not among the classes {classes}. Call fit to "
            "learn new classes."
        )
