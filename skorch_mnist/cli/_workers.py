"""Where trainings run: in this process, in others of this machine, or on a cluster."""

from __future__ import annotations

import importlib.util
import logging
import socket
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout
from typing import Any, NamedTuple

from ._arguments import Backend
from ._messages import Screen, UsageError

PATIENCE = 20.0  # seconds until a cluster that does not answer is given up


class Cluster(NamedTuple):
    """What a backend needs."""

    module: str
    title: str
    address: str


CLUSTERS = {
    Backend.DASK: Cluster("distributed", "Dask", "tcp://10.0.0.1:8786"),
    Backend.RAY: Cluster("ray", "Ray", "10.0.0.1:6379"),
}


class Workers(NamedTuple):
    """Processes that train: how many, and what starts them."""

    n_jobs: int = 1
    backend: Backend = Backend.LOKY
    address: str | None = None

    def check(self, resume: bool | None) -> None:
        """Raise a UsageError for options that do not go together, an ImportError for a lack."""
        name, cluster = self.backend.value, CLUSTERS.get(self.backend)
        if cluster is None:
            if self.address is not None:
                raise UsageError("--address goes with --backend dask or ray")
            return
        if self.address is None:
            raise UsageError(
                f"--backend {name} needs the --address of its cluster, such as {cluster.address}"
            )
        if self.backend is Backend.RAY and self.address.startswith("tcp://"):
            raise UsageError(
                f"--address of a Ray cluster has no tcp://: it is like {cluster.address}, or "
                "begins with ray://"
            )
        if resume:
            raise UsageError(
                "--resume goes with --backend loky: the machines of a cluster share no folder"
            )
        if importlib.util.find_spec(cluster.module) is None:
            raise ImportError(
                f'the backend {name} needs {cluster.title}: pip install "skorch_mnist[{name}]"'
            )

    @property
    def keep_trainings(self) -> bool:
        """Whether trainings can be kept in the folder of the run: not on other machines."""
        return self.backend is Backend.LOKY

    @property
    def are_here(self) -> bool:
        """Whether trainings run in this process, one after the other."""
        from joblib import effective_n_jobs

        return self.backend is Backend.LOKY and effective_n_jobs(self.n_jobs) == 1

    @contextmanager
    def connected(self, screen: Screen) -> Iterator[None]:
        """Have joblib send its tasks there.

        Raises
        ------
        OSError
            If the cluster cannot be reached.
        """
        from joblib import parallel_config

        # Ray prints its errors, that a process has died for instance.
        aside = redirect_stdout(sys.stderr) if screen.as_json else nullcontext()
        with aside, self._cluster() as config, parallel_config(self.backend.value, **config):
            yield

    def _cluster(self) -> AbstractContextManager[dict[str, Any]]:
        """Connect with the cluster, if there is one; give what joblib is to know of it."""
        if self.backend is Backend.DASK:
            return on_dask(self.address)
        if self.backend is Backend.RAY:
            return on_ray(self.address)
        return nullcontext({"n_jobs": self.n_jobs})


@contextmanager
def on_dask(address: str | None) -> Iterator[dict[str, Any]]:
    """Connect with a Dask cluster, as ``register_dask`` says."""
    from distributed import Client

    from skorch_mnist.joblib_backends import register_dask

    try:
        client = Client(address, timeout=PATIENCE)  # type: ignore[no-untyped-call, unused-ignore]
    except (OSError, ValueError) as error:
        raise unreachable(address, error) from error
    register_dask()
    with client:
        yield {"client": client, "n_jobs": -1}


@contextmanager
def on_ray(address: str | None) -> Iterator[dict[str, Any]]:
    """Connect with a Ray cluster, as ``register_ray`` says."""
    import ray

    from skorch_mnist.joblib_backends import register_ray

    host, _, port = str(address).rpartition(":")
    try:
        if host and port.isdigit() and "://" not in host:
            socket.create_connection(
                (host.strip("[]"), int(port)), PATIENCE
            ).close()  # Ray waits for minutes
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        if "authentication" in f"{error} {error.__cause__} {error.__context__}".lower():
            raise OSError(
                f"the cluster at {address} asks for a token: set RAY_AUTH_MODE=token, and "
                "RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to the token that its machines have"
            ) from error
        raise unreachable(address, error) from error
    try:
        register_ray()
        yield {"n_jobs": -1}
    finally:
        ray.shutdown()


def unreachable(address: str | None, error: Exception) -> OSError:
    """Return the error of a cluster that does not answer."""
    return OSError(f"the cluster at {address} does not answer: {error}")
