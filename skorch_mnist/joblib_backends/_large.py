"""Which arguments of a task are sent apart from it, once for all tasks."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

__all__ = ["is_large"]

BYTES = 1000  # from which joblib sends arguments apart on Dask
ITEMS = 100  # of what does not tell its bytes


def is_large(value: Any) -> bool:
    """Whether ``value`` is sent apart, as images, labels, the rows of folds and weights are."""
    if isinstance(value, Mapping):
        return any(map(is_large, value.values()))
    for count, limit in ("nbytes", BYTES), ("size", ITEMS):  # sparse matrices and frames have sizes
        n = getattr(value, count, None)
        if isinstance(n, Integral):
            return int(n) >= limit
    try:
        n_items = len(value)
    except (AttributeError, TypeError):  # ensembles count what fit has not made yet
        return False
    return n_items >= ITEMS or (isinstance(value, (list, tuple)) and any(map(is_large, value[:1])))
