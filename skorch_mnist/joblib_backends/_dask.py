"""Dask as a backend of joblib: what a worker that dies has held is sent again."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

from joblib import register_parallel_backend
from joblib._dask import Batch, DaskDistributedBackend

from ._large import is_large

__all__ = ["register_dask"]

GRAPH_WARNING = "distributed.admin.large-graph-warning-threshold"


def register_dask() -> None:
    """Make ``joblib.parallel_config("dask", client=client)`` survive the death of workers.

    It is joblib's own backend, but for two things. joblib puts images, labels and the rows of folds
    on a worker, and where that worker dies before others have asked for them, the search is lost:
    here the scheduler keeps them, and sends them anew. They are sent once for each call of ``fit``,
    and not once for each task. And a search whose tasks cannot be sent, or kill one worker after
    the other, ends with the error, where joblib's would wait for ever. Searches within searches do
    likewise.

    Raises
    ------
    ImportError
        If Dask's ``distributed`` is not installed.

    Examples
    --------
    >>> from distributed import Client  # doctest: +SKIP
    >>> from joblib import parallel_config
    >>> client = Client("tcp://10.0.0.1:8786")  # doctest: +SKIP
    >>> register_dask()  # doctest: +SKIP
    >>> with parallel_config("dask", client=client):  # doctest: +SKIP
    ...     search.fit(X, y)
    """
    if importlib.util.find_spec("distributed") is None:
        raise ImportError('the backend dask needs Dask: pip install "skorch_mnist[dask]"')
    register_parallel_backend("dask", DaskBackend)


class DaskBackend(DaskDistributedBackend):  # type: ignore[misc, unused-ignore]
    """joblib's backend, as ``register_dask`` describes it."""

    def start_call(self) -> None:
        """Begin a call of joblib's ``Parallel``."""
        self._sent: dict[int, tuple[Any, Any]] = {}  # values live as long as their ids
        self._running: set[Any] = set()

    def stop_call(self) -> None:
        """Forget what the call has sent: arrays may change before the next."""
        self._sent.clear()

    def submit(self, func: Any, callback: Callable[[Any], None]) -> None:
        """Send tasks; ``callback`` gets their results, or the error that takes their place."""
        try:
            tasks = [
                (task, list(map(self._kept, args)), {k: self._kept(v) for k, v in kwargs.items()})
                for task, args, kwargs in func.items
            ]
            batch = RegisteredBatch(tasks)
            key = f"{batch!r}-{uuid4().hex}"
            future = self.client.submit(batch, tasks=tasks, key=key, **self.submit_kwargs)
        except Exception as error:  # they cannot be pickled, for instance
            callback(error)
            return
        self._running.add(future)
        future.add_done_callback(partial(self._done, callback))

    def _done(self, callback: Callable[[Any], None], future: Any) -> None:
        self._running.discard(future)
        try:
            outcome = future.result()
        except Exception as error:
            outcome = error
        callback(outcome)

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Have Dask cancel the tasks that have not begun."""
        self.client.cancel(list(self._running))

    def _kept(self, value: Any) -> Any:
        """Return a future of ``value``, if it is large; the same for each task."""
        import dask

        if not is_large(value):
            return value
        if id(value) in self.data_futures:  # the caller has sent it
            return self.data_futures[id(value)]
        if id(value) not in self._sent:
            key = f"{type(value).__name__}-{uuid4().hex}"
            with dask.config.set({GRAPH_WARNING: sys.maxsize}):
                self._sent[id(value)] = value, self.client.submit(Kept(value), key=key)
        return self._sent[id(value)][1]


class Kept:
    """A task that gives ``value``; Dask does it again where the outcome is lost."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self) -> Any:
        """Return the value."""
        return self.value


class RegisteredBatch(Batch):  # type: ignore[misc, unused-ignore]
    """Tasks whose own searches use the same backend."""

    def __call__(self, tasks: list[Any] | None = None) -> list[Any]:
        """Run the tasks, in a worker."""
        register_dask()
        return list(super().__call__(tasks))
