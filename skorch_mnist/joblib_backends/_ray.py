"""Ray as a backend of joblib: images are sent once, and outcomes come one after the other."""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any

from ._sent import SentOnce

__all__ = ["register_ray"]

# A training takes a core, and is done again elsewhere when its process dies, as often as on Dask.
REMOTE_ARGS = {"num_cpus": 1, "max_restarts": 3, "max_task_retries": 3}


def register_ray() -> None:
    """Make ``joblib.parallel_config("ray", n_jobs=-1)`` send trainings to a Ray cluster.

    It is Ray's own backend with other defaults: each training takes one core, and one GPU where the
    cluster has some; the trainings of a process that dies are done again, up to three times. The
    cluster is the one that ``ray.init`` has connected with.

    Ray's ``register_ray`` sends the images with each task to other machines: its way to send them
    once needs a class that joblib 1.5 has no more. This one sends them once for each call of
    ``fit``.

    Raises
    ------
    ImportError
        If Ray is not installed.

    See Also
    --------
    ray.util.joblib.register_ray : What it takes the place of.

    Examples
    --------
    >>> import ray  # doctest: +SKIP
    >>> from joblib import parallel_config
    >>> ray.init("10.0.0.1:6379")  # doctest: +SKIP
    >>> register_ray()  # doctest: +SKIP
    >>> with parallel_config("ray", n_jobs=-1):  # doctest: +SKIP
    ...     search.fit(X, y)
    """
    if importlib.util.find_spec("ray") is None:
        raise ImportError('the backend ray needs Ray: pip install "skorch_mnist[ray]"')
    import ray
    from joblib import register_parallel_backend
    from ray.util.debug import log_once
    from ray.util.joblib import ray_backend

    class RayBackend(ray_backend.RayBackend):  # type: ignore[misc, unused-ignore]
        """Ray's backend, as ``register_ray`` describes it."""

        supports_return_generator = True

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call, unused-ignore]
            self._sent = SentOnce(ray.put)

        def effective_n_jobs(self, n_jobs: int) -> int:
            """Return the number of processes; -1 is one for each GPU, or else for each core."""
            resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call, unused-ignore]
            everywhere = int(resources.get("GPU", 0)) or int(resources["CPU"])
            n_jobs = everywhere if n_jobs == -1 else min(n_jobs, everywhere)
            return int(super().effective_n_jobs(n_jobs))  # type: ignore[no-untyped-call, unused-ignore]

        def configure(self, n_jobs: int = 1, *args: Any, **kwargs: Any) -> int:
            """Start the processes."""
            if not ray.is_initialized():
                ray.init()
            n_gpus = {"num_gpus": 1} if ray.cluster_resources().get("GPU") else {}  # type: ignore[no-untyped-call, unused-ignore]
            self.ray_remote_args = {**REMOTE_ARGS, **n_gpus, **(self.ray_remote_args or {})}
            n_jobs = self.effective_n_jobs(n_jobs)
            if n_jobs == 1:
                warnings.warn(
                    "There is one process to train on: joblib takes this one instead of Ray's.",
                    UserWarning,
                    stacklevel=2,
                )
            log_once("context_argument_warning")  # Ray would warn of joblib's own arguments
            return int(super().configure(n_jobs, *args, **kwargs))

        def submit(self, func: Any, callback: Any = None) -> Any:
            """Send tasks with references to images and labels, which are sent once."""
            items = self._sent.with_references(callback.parallel_call_id, func.items)
            func.items = [(run_fetched, (task, *args), kwargs) for task, args, kwargs in items]
            return super().submit(func, callback)

        def start_call(self) -> None:
            """Begin a call of joblib's ``Parallel``."""
            self._sent.begin_call()

        def stop_call(self) -> None:
            """Let the cluster forget what has been sent."""
            self._sent.end_call()

        def terminate(self) -> None:
            """End the processes at once: Ray reports an error for each that it asks to end."""
            if self._pool is not None:
                for actor, _ in self._pool._actor_pool:
                    ray.kill(actor)
                self._pool._actor_pool.clear()
            super().terminate()

    register_parallel_backend("ray", RayBackend)


def run_fetched(task: Any, *args: Any, **kwargs: Any) -> Any:
    """Run a task, with what its references stand for."""
    import ray

    def fetched(value: Any) -> Any:
        return ray.get(value) if isinstance(value, ray.ObjectRef) else value

    return task(*map(fetched, args), **{name: fetched(value) for name, value in kwargs.items()})
