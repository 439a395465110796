"""The folder of a run, and what is written into it."""

from __future__ import annotations

import csv
import importlib.util
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import _config, _plots
from ._messages import Screen

if TYPE_CHECKING:
    from skorch_mnist.checkpoint import ResumeCheckpoint
    from skorch_mnist.classifier import MNISTCNNClassifier

    from ._metrics import Metrics

MODEL, METRICS, HISTORY = "model.safetensors", "metrics.json", "history.csv"
LOSSES, CONFUSIONS = "loss_curves.png", "confusion_matrix.png"
CONFIG, REPORT = _config.FILE, "report.html"
CHECKPOINT = "checkpoint"
FOLDS, CANDIDATES = "folds.csv", "candidates.csv"
DEFAULT = Path("skorch_mnist_output")

MEANINGS = {
    MODEL: "the classifier; read it with MNISTCNNClassifier.load",
    METRICS: "accuracy and other figures, for programs",
    HISTORY: "what was recorded in each epoch",
    LOSSES: "training and validation loss of each epoch",
    CONFUSIONS: "true against predicted labels",
    CONFIG: "data, parameters and versions, to repeat it with --config",
    REPORT: "all of it on one page, for any browser",
    FOLDS: "accuracy and duration of each fold",
    CANDIDATES: "accuracy of each candidate, the best first",
}


class RunFolder:
    """The output folder of a run.

    Parameters
    ----------
    path : Path
    names : sequence of str
        Files that the run is going to write.
    screen : Screen
    """

    def __init__(self, path: Path, names: Sequence[str], screen: Screen) -> None:
        self.path, self.names, self.screen = path, names, screen

    def make_writable(self) -> None:
        """Create it, and raise OSError, before any work, if nothing can be written there."""
        if any(name.endswith((".png", ".html")) for name in self.names):
            check_matplotlib()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
            for name in self.names:
                if (self.path / name).exists():
                    (self.path / name).open("r+b").close()
        except OSError as error:
            raise OSError(
                f"cannot write to the output folder {self.path} "
                f"({error.strerror}: {error.filename}): choose another with --output-dir"
            ) from error

    def checkpoint(self, *, subfolders: bool = False) -> ResumeCheckpoint:
        """Return the callback that keeps the trainings of the run in its folder."""
        from skorch_mnist.checkpoint import ResumeCheckpoint

        folder = self.path / CHECKPOINT
        return ResumeCheckpoint(folder, sink=self.screen.say, subfolders=subfolders)

    @contextmanager
    def going_on(self, resume: bool) -> Iterator[None]:
        """Keep the checkpoints of a run that is cut off, and say how to go on with it."""
        if not resume:
            self.discard_checkpoints()
        try:
            yield
        except KeyboardInterrupt as interrupt:
            if not list((self.path / CHECKPOINT).rglob("*.safetensors")):
                self.discard_checkpoints()
                raise
            raise InterruptedRunError(
                "the finished epochs are kept: the same command with --resume goes on"
            ) from interrupt
        self.discard_checkpoints()

    def discard_checkpoints(self) -> None:
        """Delete what was kept to go on with."""
        for subfolders in (True, False):
            self.checkpoint(subfolders=subfolders).discard()

    def say_what_was_written(self) -> None:
        """Name the files."""
        self.screen.say(f"\nWritten to {self.path.resolve()}:")
        for name in self.names:
            self.screen.say(f"  {name:<22} {MEANINGS[name]}")

    def write_config(
        self,
        command: str,
        config: _config.Config,
        clf: MNISTCNNClassifier,
        sha256: str,
        sections: Mapping[str, Any] | None = None,
    ) -> None:
        """Write what repeats the run."""
        text = _config.dumps(command, config, clf, sha256, sections or {})
        (self.path / CONFIG).write_text(text, encoding="utf-8")

    # --- files ------------------------------------------------------------------------------

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file."""
        (self.path / name).write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")

    def write_csv(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write a table."""
        names = list(dict.fromkeys(name for row in rows for name in row))
        with (self.path / name).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    def write_training(self, clf: MNISTCNNClassifier, metrics: Metrics, name: str) -> None:
        """Write the model, its figures, its history and two plots."""
        clf.save(self.path / MODEL)
        self.write_json(METRICS, metrics.as_json())
        histories = [clf.history_ or []]
        self.write_csv(HISTORY, history_rows(histories))
        _plots.history(histories, "loss", f"Loss on {name}").savefig(self.path / LOSSES, dpi=150)
        title = f"Test images of {name}, accuracy {metrics.accuracy.value:.4f}"
        _plots.confusions(metrics, title).savefig(self.path / CONFUSIONS, dpi=150)


class InterruptedRunError(RuntimeError):
    """A run that was interrupted, and can go on."""


def check_matplotlib() -> None:
    """Raise ImportError, before any work, if the plots could not be drawn."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ImportError('the plots need matplotlib: pip install "skorch_mnist[plot]"')


def history_rows(histories: Sequence[Any]) -> list[dict[str, Any]]:
    """Return what was recorded in each epoch, of several trainings with the number of the fold."""
    rows = [
        {"fold": fold, **{name: value for name, value in epoch.items() if name != "batches"}}
        for fold, history in enumerate(histories, start=1)
        for epoch in history
    ]
    if len(histories) == 1:
        for row in rows:
            del row["fold"]
    return rows


# --- finding a run ----------------------------------------------------------------------------


def find_model(path: Path) -> Path:
    """Return the file of a classifier: ``path``, or the one in that folder."""
    return path / MODEL if path.is_dir() else path


def load_classifier(path: Path) -> MNISTCNNClassifier:
    """Load a classifier from a file or from the folder of a run."""
    from skorch_mnist.classifier import MNISTCNNClassifier

    model = find_model(path)
    try:
        return MNISTCNNClassifier.load(model)
    except OSError as error:
        raise OSError(f"the model {model} cannot be read: {error.strerror or error}") from error
