"""Labels of rejected images, and checks of labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def reject_label_for(classes: NDArray[Any], label: Any) -> Any:
    """Return the label of rejected images, of the type of the classes unless it is given."""
    if label is None:
        if classes.dtype.kind == "b":
            raise ValueError(
                "y holds booleans, which leave no label for rejected images: pass y.astype(int), "
                "or strings."
            )
        label = min(-1, int(classes[0]) - 1) if classes.dtype.kind in "iuf" else "rejected"
    if label in classes.tolist():
        raise ValueError(
            f"reject_label={label!r} is not valid: it must not be one of the classes, {classes}."
        )
    return label


def check_known(y: NDArray[Any], classes: NDArray[Any]) -> None:
    """Raise a ValueError for labels that were not in ``fit``."""
    if unknown := set(np.unique(y).tolist()) - set(classes.tolist()):
        raise ValueError(
            f"y has labels {sorted(unknown)} that are not in classes_: {classes}. Call fit to "
            "learn other classes."
        )
