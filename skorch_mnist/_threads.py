"""Process several pictures at a time in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from joblib import Parallel, delayed, effective_n_jobs

Result = TypeVar("Result")

_AT_ONCE = 8  # items per thread; more would be only a little faster, and pictures may be large


def in_threads(
    function: Callable[..., Result], items: Iterable[tuple[Any, ...]], n_jobs: int | None
) -> Iterator[Result]:
    """Call a function with the arguments in each item, and yield the results in order.

    Items are read lazily. ``n_jobs`` has the same meaning as in scikit-learn.
    """
    n_threads = effective_n_jobs(n_jobs)
    # Open files and Pillow images cannot be sent to processes.
    parallel = Parallel(n_jobs=n_jobs, require="sharedmem")
    waiting = iter(items)
    while batch := list(islice(waiting, _AT_ONCE * n_threads if n_threads > 1 else 1)):
        if len(batch) == 1:
            yield function(*batch[0])
        else:
            yield from parallel(delayed(function)(*item) for item in batch)
