"""The output folder of a run, and its files."""

from __future__ import annotations

import copy
import csv
import hashlib
import importlib.util
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import plots
from .document import CONFIG, FIRST_LINE, changed_entries, dumps, environment
from .messages import InterruptedRunError, Screen
from .named_data import TITLES

if TYPE_CHECKING:
    from skorch_mnist.checkpoint import ResumeCheckpoint
    from skorch_mnist.classifier import MNISTCNNClassifier
    from skorch_mnist.rejection import RejectingClassifier

    from .images import Data
    from .metrics import Metrics

MODEL, METRICS, HISTORY = "model.safetensors", "metrics.json", "history.csv"
LOSSES, CONFUSIONS = "loss_curves.png", "confusion_matrix.png"
FOLDS, CANDIDATES, REPORT = "folds.csv", "candidates.csv", "report.html"
CARD = "README.md"
OF_TRAINING = (MODEL, METRICS, HISTORY, LOSSES, CONFUSIONS, CARD)
CHECKPOINT, RUN, LOCK = "checkpoint", "run.json", ".lock"

MEANINGS = {
    CANDIDATES: "accuracy of each candidate, best first",
    FOLDS: "accuracy and duration of each fold",
    MODEL: "the trained classifier, for {loader}",
    METRICS: "accuracy and other metrics",
    HISTORY: "losses and other values of each epoch",
    LOSSES: "training and validation loss of each epoch",
    CONFUSIONS: "the confusion matrix",
    CARD: "the card of the run, for other people",
    CONFIG: "configuration to repeat the run with --config",
}


class RunFolder:
    """The output folder of a run.

    Parameters
    ----------
    path : Path
    names : sequence of str
        Files that the run will write.
    screen : Screen
    option : str, default="--output-dir"
        The option that selects another folder, for error messages.
    """

    def __init__(
        self, path: Path, names: Sequence[str], screen: Screen, option: str = "--output-dir"
    ) -> None:
        self.path, self.names, self.screen, self.option = path, names, screen, option
        self.loader = "MNISTCNNClassifier.load"

    @contextmanager
    def opened(self, config: Path | None = None) -> Iterator[None]:
        """Create and lock the folder; remove it afterward if it is empty.

        Raises
        ------
        ImportError, OSError
            Before any work, if plots cannot be drawn, or if the folder is not writable.
        RuntimeError
            If another run is writing to it, or if a handwritten ``config`` would be replaced.
        """
        from filelock import FileLock, Timeout

        if any(name.endswith((".png", ".html")) for name in self.names):
            check_matplotlib()
        self._check_config(config)
        self._check_card()
        created = [path for path in (self.path, *self.path.parents) if not path.exists()]
        self._check_writable()
        lock = FileLock(self.path / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise RuntimeError(
                f"another run is writing to {self.path}: choose another folder with {self.option}"
            ) from error
        try:
            yield
        finally:
            with suppress(OSError):  # on Windows, while it is open
                (self.path / LOCK).unlink(missing_ok=True)
            lock.release()
            for path in created:
                with suppress(OSError):  # not empty
                    path.rmdir()

    def _check_config(self, config: Path | None) -> None:
        target = self.path / CONFIG
        if config is None or CONFIG not in self.names or not target.exists():
            return
        if config.resolve() == target.resolve() and not target.read_text().startswith(FIRST_LINE):
            raise self._overwriting(config)

    def _check_card(self) -> None:
        from skorch_mnist._hub._card import FIRST_LINES

        card = self.path / CARD
        if CARD not in self.names or not card.is_file():
            return
        if not card.read_text(encoding="utf-8", errors="replace").startswith(FIRST_LINES):
            raise self._overwriting(card)

    def _overwriting(self, file: Path) -> RuntimeError:
        return RuntimeError(
            f"this run would overwrite {file}: rename it, or choose another folder with "
            f"{self.option}"
        )

    def _check_writable(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
            for name in self.names:
                if (self.path / name).exists():
                    (self.path / name).open("r+b").close()
        except OSError as error:
            raise OSError(
                f"cannot write to the folder {self.path} ({error.strerror}: {error.filename}): "
                f"choose another with {self.option}"
            ) from error

    # --- resuming ---------------------------------------------------------------------------

    def checkpoint(self, *, subfolders: bool = False) -> ResumeCheckpoint:
        """Return the callback that saves training runs in the folder."""
        from skorch_mnist.checkpoint import ResumeCheckpoint

        folder = self.path / CHECKPOINT
        return ResumeCheckpoint(folder, sink=self.screen.say, subfolders=subfolders)

    @contextmanager
    def kept(self, run: Mapping[str, Any], resume: bool | None) -> Iterator[None]:
        """Keep the checkpoints of an interrupted run, and resume it.

        Parameters
        ----------
        run : mapping
            The document that identifies the run, in JSON types.
        resume : bool or None
            Whether to resume. If None, an interrupted run raises an error.
        """
        folder = self.path / CHECKPOINT
        interrupted = any(folder.rglob("*.safetensors"))
        if interrupted and resume is None:
            raise RuntimeError(
                f"{self.path} contains an interrupted run: add --resume to continue it, or "
                "--no-resume to start over"
            )
        if interrupted and resume:
            self._check_same(run)
        else:
            self.discard()
            if resume:
                self.screen.say("There is no interrupted run to resume. Starting a new one.")
            folder.mkdir(exist_ok=True)
            (folder / RUN).write_text(json.dumps(run), encoding="utf-8")
        try:
            yield
        except KeyboardInterrupt as interrupt:
            if any(folder.rglob("*.safetensors")):
                raise InterruptedRunError(
                    "the finished epochs were saved; add --resume to the same command to continue"
                ) from interrupt
            self.discard()
            raise InterruptedRunError("no epoch was finished, so nothing was saved") from interrupt
        self.discard()

    def _check_same(self, run: Mapping[str, Any]) -> None:
        try:
            before = json.loads((self.path / CHECKPOINT / RUN).read_text(encoding="utf-8"))
        except (OSError, ValueError):  # the checkpoint of each training run is checked again
            return
        if changes := changed_entries(json.loads(json.dumps(run)), before):
            raise RuntimeError(
                f"{self.path} contains a different run: {changes}. Use the same options and data "
                "to resume it, or add --no-resume to start over"
            )

    def discard(self) -> None:
        """Delete the checkpoints."""
        (self.path / CHECKPOINT / RUN).unlink(missing_ok=True)
        for subfolders in (True, False):
            self.checkpoint(subfolders=subfolders).discard()

    # --- files ------------------------------------------------------------------------------

    def write_run(self, command: str, run: Mapping[str, Any], clf: MNISTCNNClassifier) -> None:
        """Write the configuration that repeats the run, with the digest of its model."""
        model = self.path / MODEL
        of_model = {"model": {"sha256": digest(model)}} if MODEL in self.names else {}
        text = dumps(command, {**run, **of_model, "environment": environment(clf)})
        (self.path / CONFIG).write_text(text, encoding="utf-8")

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

    def write_model(self, clf: MNISTCNNClassifier | RejectingClassifier) -> None:
        """Write the classifier."""
        clf.save(self.path / MODEL)
        if hasattr(clf, "reject_label_"):
            self.loader = "skorch_mnist.rejection.load"

    def write_training(self, clf: MNISTCNNClassifier, metrics: Metrics, data: Data) -> None:
        """Write the metrics, the history and two plots."""
        self.write_json(METRICS, metrics.as_json())
        histories = [clf.history_ or []]
        self.write_csv(HISTORY, history_rows(histories))
        title = f"Loss on {public_title(data.name)}"
        plots.history(histories, "loss", title).savefig(self.path / LOSSES, dpi=150)
        tested_on = public_title(data.test_name)
        title = f"Test images of {tested_on}, accuracy {metrics.accuracy.value:.4f}"
        plots.confusions(metrics, title).savefig(self.path / CONFUSIONS, dpi=150)

    def write_card(self, clf: MNISTCNNClassifier, metrics: Metrics, data: Data) -> None:
        """Write the card of the model in the folder, whose metrics are those of the test images."""
        from skorch_mnist._hub._card import model_card
        from skorch_mnist._storage._model_file import read_model

        card = model_card(
            read_model(self.path / MODEL)._replace(params=clf.get_params(deep=False)),
            title=f"Classifier of {public_title(data.name)}",
            source=MODEL,
            defaults=type(clf)().get_params(deep=False),
            metrics={
                "accuracy": metrics.accuracy.value,
                "f1": metrics.macro_f1,
                "log_loss": metrics.log_loss,
                "expected_calibration_error": metrics.expected_calibration_error,
            },
            dataset=f"{metrics.n_images:,} test images of {public_title(data.test_name)}",
        )
        (self.path / CARD).write_text(card, encoding="utf-8")

    def write_card_of_folds(
        self, clf: MNISTCNNClassifier, summary: Mapping[str, Any], name: str
    ) -> None:
        """Write the card of a cross-validation, which does not have a model."""
        from skorch_mnist._hub import _card

        folds = [(f"{one['fold']}", _card.number(one["accuracy"])) for one in summary["folds"]]
        metrics = {"mean_accuracy": summary["mean"], "standard_deviation": summary["std"]}
        sections = {
            "Metrics": _card.metrics_table(metrics, f"{len(folds)} folds of {name}"),
            "Folds": _card.table(("fold", "accuracy"), folds),
            "Recipe": _card.recipe(clf.get_params(deep=False), type(clf)().get_params(deep=False)),
        }
        card = _card.document(f"Cross-validation on {name}", {}, None, sections)
        (self.path / CARD).write_text(card, encoding="utf-8")

    def say_what_was_written(self) -> None:
        """Print the names of the files."""
        self.screen.say(f"\nWritten to {self.path.resolve()}:")
        for name in self.names:
            self.screen.say(f"  {name:<22} {MEANINGS[name].format(loader=self.loader)}")


def public_title(name: str) -> str:
    """Return the name of a dataset for other people: of a path, only the last part."""
    return TITLES.get(name, Path(name).name)


def check_matplotlib() -> None:
    """Raise an ImportError before any work if plots cannot be drawn."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ImportError('plots require matplotlib: pip install "skorch_mnist[plot]"')


def history_rows(histories: Sequence[Any]) -> list[dict[str, Any]]:
    """Return one row per epoch, with the fold number if there are several histories."""
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
    """Return the file of a classifier: ``path``, or the one in the output folder of a run."""
    if not path.is_dir():
        return path
    if (path / MODEL).exists():
        return path / MODEL
    if (path / CHECKPOINT).is_dir():
        raise FileNotFoundError(
            f"the run in {path} was interrupted: repeat its command with --resume"
        )
    if (path / FOLDS).exists():
        raise FileNotFoundError(
            f"{path} contains a cross-validation, which does not save a classifier"
        )
    raise FileNotFoundError(
        f"{path} does not contain {MODEL}: give the output folder of train or search, or a model "
        "file"
    )


def config_of(model: Path) -> Path | None:
    """Return the configuration of the run that wrote a model, if it is in the same folder."""
    path = model.parent / CONFIG
    with suppress(OSError, UnicodeDecodeError):
        text = path.read_text(encoding="utf-8")
        if text.startswith(FIRST_LINE) and digest(model) in text:
            return path
    return None


def card_of(path: Path) -> str | None:
    """Return the card of a classifier, if it is in the output folder of the run that wrote it."""
    config = config_of(find_model(path))
    if config is None or not (config.parent / CARD).is_file():
        return None
    return (config.parent / CARD).read_text(encoding="utf-8", errors="replace")


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_pretrained(path: Path) -> bool:
    """Return whether ``path`` is the name of a classifier that comes with the package."""
    from skorch_mnist._hub._repository import PRETRAINED

    return str(path) in PRETRAINED and not path.exists()


def load_classifier(path: Path) -> MNISTCNNClassifier:
    """Load a classifier from a file or an output folder, or a pretrained one by its name."""
    loaded: Any = load_rejecting(path)
    classifier: MNISTCNNClassifier = getattr(loaded, "estimator_", loaded)
    return classifier


def load_rejecting(path: Path) -> MNISTCNNClassifier | RejectingClassifier:
    """Load a classifier with its rejection, if it has one."""
    from skorch_mnist.pictures._judge import pretrained
    from skorch_mnist.rejection import load

    if is_pretrained(path):
        return copy.deepcopy(pretrained())  # which may be trained further
    model = find_model(path)
    try:
        loaded = load(model)
    except OSError as error:
        raise OSError(f"the model {model} cannot be read: {error.strerror or error}") from error
    for clf in (loaded, getattr(loaded, "estimator_", loaded)):
        vars(clf).pop("feature_names_in_", None)  # images of commands do not have column names
    return loaded
