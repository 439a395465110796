"""Arguments of tasks that are sent apart from them, once for all tasks of a call."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from functools import partial
from numbers import Integral
from typing import Any

__all__ = ["SentOnce", "is_large"]

BYTES = 1000  # from which joblib sends arguments apart on Dask
ITEMS = 100  # of what does not tell its bytes


class SentOnce:
    """What calls of joblib's ``Parallel`` have sent; several may go on at once.

    Arrays may change from call to call, so that each sends its own. A reference is dropped with its
    value, as the tasks that have it keep it alive; those of lists and dicts, with the calls.

    Parameters
    ----------
    send : callable
        Sends a value, and returns the reference that stands for it.
    """

    def __init__(self, send: Callable[[Any], Any]) -> None:
        self.send = send
        self.n_calls = 0
        self.known: dict[tuple[str, int], tuple[Callable[[], Any], Any]] = {}

    def begin_call(self) -> None:
        """Count a call."""
        self.n_calls += 1

    def end_call(self) -> None:
        """Drop all references, if no other call goes on."""
        self.n_calls -= 1
        if self.n_calls <= 0:
            self.known.clear()

    def with_references(self, call_id: str, items: list[Any]) -> list[Any]:
        """Return tasks as joblib gives them, with references in the place of large arguments."""
        sent = partial(self.in_place_of, call_id)
        return [
            (task, list(map(sent, args)), {name: sent(value) for name, value in kwargs.items()})
            for task, args, kwargs in items
        ]

    def in_place_of(self, call_id: str, value: Any) -> Any:
        """Return ``value``, or the reference to it if it is large."""
        if not is_large(value):
            return value
        key = call_id, id(value)
        found = self.known.get(key)
        if found is None or found[0]() is not value:
            alive: Callable[[], Any]
            try:
                alive = weakref.ref(value, lambda _: self.known.pop(key, None))
            except TypeError:

                def alive() -> Any:
                    return value

            found = self.known[key] = alive, self.send(value)
        return found[1]


def is_large(value: Any) -> bool:
    """Whether ``value`` is sent apart, as images, labels, the rows of folds and weights are."""
    try:
        return has_many_items(value)
    except Exception:  # sizes are properties, which may raise anything
        return False


def has_many_items(value: Any) -> bool:
    """Return what ``is_large`` does, for values that tell their sizes."""
    if isinstance(value, Mapping):
        return any(map(has_many_items, value.values()))
    for count, limit in ("nbytes", BYTES), ("size", ITEMS):  # sparse matrices and frames have sizes
        n = getattr(value, count, None)
        if isinstance(n, Integral):
            return int(n) >= limit
    if not hasattr(value, "__len__"):
        return False
    return len(value) >= ITEMS or (
        isinstance(value, (list, tuple)) and any(map(has_many_items, value[:1]))
    )
