"""Which arguments of a task are sent apart from it, once for all tasks."""

from __future__ import annotations

from typing import Any

LARGE = 100  # items


def is_large(value: Any) -> bool:
    """Whether ``value`` is worth a reference, as images, labels and the rows of folds are."""
    try:
        return len(value) >= LARGE
    except (AttributeError, TypeError):  # ensembles count what fit has not made yet
        return False
