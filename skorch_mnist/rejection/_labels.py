"""Labels of rejected images, and checks of labels."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
