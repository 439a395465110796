"""Dask as a backend of joblib: what a worker that dies has held is sent again."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import threading
from typing import Any
from uuid import uuid4

from joblib import register_parallel_backend
from joblib._dask import Batch, DaskDistributedBackend
from joblib._utils import _TracebackCapturingWrapper

from ._sent import SentOnce

__all__ = ["register_dask"]

GRAPH_WARNING = "distributed.admin.large-graph-warning-threshold"
CONFIG = threading.Lock()  # dask's, which all threads share


def register_dask() -> None:
    """Make ``joblib.parallel_config("dask", client=client)`` survive the death of workers.

    It is joblib's own backend, but for two things. joblib puts images, labels and the rows of folds
    on a worker, and where that worker dies before others have asked for them, the search is lost:
    here the scheduler keeps them, and sends them anew. They are sent once for each call of ``fit``,
    and not once for each task. And a search whose tasks cannot be sent, or kill one worker after
    the other, ends with the error, where joblib's would wait for ever. Searches within searches do
    likewise. joblib's option ``scatter`` is not needed, and has no effect.

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

    def __init__(self, *, scatter: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self._sent = SentOnce(self._keep)
        self._running: dict[Any, Any] = {}

    def start_call(self) -> None:
        """Begin a call of joblib's ``Parallel``."""
        self._sent.begin_call()

    def stop_call(self) -> None:
        """Let the cluster forget what has been sent."""
        self._sent.end_call()

    def submit(self, func: Any, callback: Any) -> None:
        """Send tasks; ``callback`` gets their results, or the error that takes their place."""
        try:
            tasks = self._sent.with_references(callback.parallel_call_id, func.items)
            batch = RegisteredBatch(tasks)
            key = f"{batch!r}-{uuid4().hex}"
            run = _TracebackCapturingWrapper(batch)
            future = self.client.submit(run, tasks=tasks, key=key, **self.submit_kwargs)
        except Exception as error:  # they cannot be pickled, for instance
            callback(error)
            return
        self._running[future] = callback
        future.add_done_callback(self._done)

    def _done(self, future: Any) -> None:
        callback = self._running.pop(future)
        try:
            outcome = future.result()
        except BaseException as error:  # in Dask's thread, which it would end
            outcome = error
        callback(outcome)

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Have Dask cancel the tasks that have not begun, of the calls that are given up."""
        running = list(self._running.items())
        with contextlib.suppress(Exception):  # the client may be closed
            self.client.cancel([future for future, call in running if call.parallel._aborting])

    def _keep(self, value: Any) -> Any:
        """Return a future of ``value``."""
        import dask

        key = f"{type(value).__name__}-{uuid4().hex}"
        with CONFIG, dask.config.set({GRAPH_WARNING: sys.maxsize}):
            return self.client.submit(Kept(value), key=key)


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
