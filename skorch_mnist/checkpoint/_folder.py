"""The folder of a training run, which only one process can use at a time."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from filelock import FileLock, Timeout

from skorch_mnist._atomic import TEMPORARY

FILE, LOCK = "training.safetensors", ".lock"
PATIENCE = 10.0  # seconds; loader workers outlive a killed process for a moment


class TrainingFolder:
    """A folder with the checkpoint of one training run.

    Parameters
    ----------
    folder : Path
        It does not have to exist before ``take``.
    """

    def __init__(self, folder: Path) -> None:
        self.given = folder
        self.path = folder.resolve()  # a callback may change the working folder
        self.lock: FileLock | None = None

    @property
    def file(self) -> Path:
        """The checkpoint."""
        return self.path / FILE

    def take(self) -> None:
        """Create and lock the folder, and delete temporary files of a killed process.

        Raises
        ------
        ValueError
            If another process uses the folder.
        OSError
            If the folder cannot be written.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / LOCK, is_singleton=True)
        try:
            lock.acquire(timeout=PATIENCE)
        except Timeout as error:
            raise ValueError(
                f"Another process is training with the folder {self.given}. Use a different folder "
                "for each training run."
            ) from error
        self.lock = lock
        for left in self.path.iterdir():
            if re.fullmatch(TEMPORARY, left.name):
                left.unlink()

    def release(self) -> None:
        """Release the lock, so that other processes can use the folder."""
        if self.lock is not None:
            self.lock.release()
            self.lock = None

    def delete(self) -> None:
        """Delete the checkpoint, and the folder if nothing else is in it."""
        self.take()
        self.file.unlink(missing_ok=True)
        (self.path / LOCK).unlink(missing_ok=True)
        self.release()
        with contextlib.suppress(OSError):  # it contains other files, or is a link
            self.given.rmdir()
