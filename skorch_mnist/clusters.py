"""Run searches on a Dask cluster that survive the loss of workers."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from numbers import Integral
from typing import Any
from uuid import uuid4

from joblib import parallel_config, register_parallel_backend

from skorch_mnist._compat import joblib_dask, joblib_gave_up

__all__ = ["register_dask"]

NAME = "skorch_mnist_dask"  # joblib already has a backend named "dask"
GRAPH_WARNING = "distributed.admin.large-graph-warning-threshold"
JOBLIB = joblib_dask()
Backend: Any = JOBLIB.backend
Batch: Any = JOBLIB.batch
CONFIG = threading.Lock()  # the configuration of Dask, which all threads share
BYTES = 1000  # size from which arguments are sent separately from their tasks, as in joblib
ITEMS = 100  # the same for values whose size in bytes is not known


def register_dask() -> None:
    """Register the joblib backend ``"skorch_mnist_dask"``, which survives the loss of workers.

    It extends the ``"dask"`` backend of joblib, which stores images, labels and the rows of the
    folds on one worker until others request them, so a search is lost if this worker is killed.
    Here, the scheduler keeps them and sends them again. They are sent once per call to ``fit``, not
    once per task. Tasks that cannot be sent, or that kill one worker after another, end the search
    with an error instead of blocking it forever. Nested searches use the same backend. The
    ``scatter`` option of joblib is accepted, but has no effect.

    Raises
    ------
    ImportError
        If ``distributed`` is not installed; the extra ``dask`` installs it.

    Examples
    --------
    >>> from distributed import Client  # doctest: +SKIP
    >>> from joblib import parallel_config
    >>> client = Client("tcp://10.0.0.1:8786")  # doctest: +SKIP
    >>> register_dask()  # doctest: +SKIP
    >>> with parallel_config("skorch_mnist_dask", client=client):  # doctest: +SKIP
    ...     search.fit(X, y)
    """
    if importlib.util.find_spec("distributed") is None:
        raise ImportError(f'The backend {NAME} requires Dask: pip install "skorch_mnist[dask]"')
    register_parallel_backend(NAME, DaskBackend)


class DaskBackend(Backend):  # type: ignore[misc, unused-ignore]
    """The backend of joblib, with the differences that ``register_dask`` describes."""

    def __init__(self, *, scatter: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self._sent = SentOnce(self._keep)
        self._running: dict[Any, Any] = {}

    def get_nested_backend(self) -> tuple[DaskBackend, int]:
        """Return the backend of searches within tasks."""
        return DaskBackend(client=self.client), -1

    def start_call(self) -> None:
        """Begin a call of ``joblib.Parallel``."""
        self._sent.begin_call()

    def stop_call(self) -> None:
        """Release the values that were sent to the cluster."""
        self._sent.end_call()

    def submit(self, func: Any, callback: Any) -> None:
        """Send tasks; ``callback`` receives their results or an error."""
        try:
            tasks = self._sent.with_references(callback.parallel_call_id, func.items)
            batch = RegisteredBatch(tasks)
            key = f"{batch!r}-{uuid4().hex}"
            run = JOBLIB.run_with_traceback(batch)
            future = self.client.submit(run, tasks=tasks, key=key, **self.submit_kwargs)
        except Exception as error:  # for example, if they cannot be pickled
            callback(error)
            return
        self._running[future] = callback
        future.add_done_callback(self._done)

    def _done(self, future: Any) -> None:
        callback = self._running.pop(future)
        try:
            result = future.result()
        except BaseException as error:  # it would end the Dask thread
            result = error
        callback(result)

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Cancel the waiting tasks of calls that joblib has aborted."""
        running = list(self._running.items())
        given_up = [future for future, callback in running if joblib_gave_up(callback)]
        with contextlib.suppress(Exception):  # the client may be closed
            self.client.cancel(given_up)

    def _keep(self, value: Any) -> Any:
        """Return a future of ``value``."""
        import dask

        key = f"{type(value).__name__}-{uuid4().hex}"
        with CONFIG, dask.config.set({GRAPH_WARNING: sys.maxsize}):
            return self.client.submit(Kept(value), key=key)


class Kept:
    """A task that returns ``value``; Dask runs it again if the result is lost."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self) -> Any:
        """Return the value."""
        return self.value


class RegisteredBatch(Batch):  # type: ignore[misc, unused-ignore]
    """Tasks whose nested searches use the same backend instead of the one of joblib."""

    def __call__(self, tasks: list[Any] | None = None) -> list[Any]:
        """Run the tasks, in a worker."""
        register_dask()
        with parallel_config(NAME):
            return [task(*args, **kwargs) for task, args, kwargs in tasks or []]


class SentOnce:
    """Values that calls of ``joblib.Parallel`` have sent; several calls may run at once.

    Arrays may change between calls, so each call sends its own. A reference is dropped together
    with its value, which the tasks that use it keep alive. References to lists and dicts are
    dropped when the calls end.

    Parameters
    ----------
    send : callable
        Sends a value, and returns a reference to it.
    """

    def __init__(self, send: Callable[[Any], Any]) -> None:
        self.send = send
        self.n_calls = 0
        self.known: dict[tuple[str, int], tuple[Callable[[], Any], Any]] = {}

    def begin_call(self) -> None:
        """Count a call."""
        self.n_calls += 1

    def end_call(self) -> None:
        """Drop all references, unless another call is running."""
        self.n_calls -= 1
        if self.n_calls <= 0:
            self.known.clear()

    def with_references(self, call_id: str, items: list[Any]) -> list[Any]:
        """Return the joblib tasks, with large arguments replaced by references."""
        sent = partial(self.in_place_of, call_id)
        return [
            (task, list(map(sent, args)), {name: sent(value) for name, value in kwargs.items()})
            for task, args, kwargs in items
        ]

    def in_place_of(self, call_id: str, value: Any) -> Any:
        """Return ``value``, or a reference to it if it is large."""
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
    """Whether to send ``value`` separately, like images, labels, rows of folds and weights."""
    try:
        return has_many_items(value)
    except Exception:  # sizes are properties, which may raise anything
        return False


def has_many_items(value: Any) -> bool:
    """Implement ``is_large`` for values with known sizes."""
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
