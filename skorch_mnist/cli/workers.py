"""The processes that train: this one, others on this machine, or those of a Dask cluster."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from .arguments import Backend
from .messages import UsageError

PATIENCE = 20.0  # seconds to wait for a cluster to answer


class Workers(NamedTuple):
    """The number of processes that train, and the backend that starts them."""

    n_jobs: int = 1
    backend: Backend = Backend.LOKY
    address: str | None = None

    def check(self, resume: bool | None) -> None:
        """Raise a UsageError for options that cannot be combined, an ImportError without Dask."""
        if self.backend is not Backend.DASK:
            if self.address is not None:
                raise UsageError("--address requires --backend dask")
            return
        if self.address is None:
            raise UsageError(
                "--backend dask requires --address, the address of the scheduler, such as "
                "tcp://10.0.0.1:8786"
            )
        if resume:
            raise UsageError(
                "--resume requires --backend loky, because the machines of a cluster may not share "
                "a folder"
            )
        if importlib.util.find_spec("distributed") is None:
            raise ImportError('--backend dask requires Dask: pip install "skorch_mnist[dask]"')

    @property
    def keep_trainings(self) -> bool:
        """Whether checkpoints can be written to the folder of the run: not on a cluster."""
        return self.backend is Backend.LOKY

    @property
    def are_here(self) -> bool:
        """Whether training runs execute in this process, one after another."""
        from joblib import effective_n_jobs

        return self.backend is Backend.LOKY and effective_n_jobs(self.n_jobs) == 1

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Make joblib send its tasks to the workers.

        Raises
        ------
        OSError
            If the cluster cannot be reached.
        """
        from joblib import parallel_config

        if self.backend is Backend.LOKY:
            with parallel_config("loky", n_jobs=self.n_jobs):
                yield
            return
        from distributed import Client

        from skorch_mnist.clusters import NAME, register_dask

        register_dask()
        try:
            client: Any = Client(self.address, timeout=PATIENCE)  # type: ignore[no-untyped-call, unused-ignore]
        except (OSError, ValueError) as error:
            raise OSError(
                f"cannot connect to the Dask scheduler at {self.address}: {error}"
            ) from error
        with client, parallel_config(NAME, client=client, n_jobs=-1):
            yield
