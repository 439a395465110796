"""The command line: ``skorch-mnist``, or ``python -m skorch_mnist``."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import math
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TextIO

from skorch_mnist import __version__

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from skorch_mnist.classifier import MNISTCNNClassifier

__all__ = ["main"]

PROGRAM = "skorch-mnist"
MODEL, LOSSES, CONFUSIONS = "model.safetensors", "loss_curves.png", "confusion_matrix.png"
SILENCE = 5.0  # seconds without an answer before "auto" gives up a mirror
PATIENCE = 30.0  # seconds for all downloads together before "auto" gives up


class Digits(NamedTuple):
    """Images and labels, for training and for testing."""

    name: str
    X_train: NDArray[np.uint8]
    X_test: NDArray[np.uint8]
    y_train: NDArray[np.int64]
    y_test: NDArray[np.int64]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str or None, default=None
        Arguments; None takes those of the process.

    Returns
    -------
    int
        Exit status: 0 done, 1 failed, 2 bad arguments, 130 interrupted.
    """
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: report("warning", message)
            args = build_parser().parse_args(argv)
            args.command(args)
    except SystemExit as leave:  # argparse: 0 after --help, 2 after an error
        return int(leave.code or 0)
    except KeyboardInterrupt:
        report("error", "interrupted")
        return 130
    except BrokenPipeError:  # the reader of our output, such as head, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ImportError, MemoryError, OSError, RuntimeError, ValueError) as error:
        report("error", error)
        return 1
    return 0


# --- arguments ------------------------------------------------------------------------------


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print the error and leave with status 2."""
        report("error", f"{message} (see {self.prog} --help)")
        self.exit(2)


def build_parser() -> Parser:
    """Return the parser of all commands."""
    parser = Parser(
        prog=PROGRAM, description=sys.modules["skorch_mnist"].__doc__, allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_train(commands)
    return parser


def add_train(commands: Any) -> None:
    """Add the command ``train``."""
    train = commands.add_parser(
        "train",
        help="train on MNIST, test, and write the model and two plots",
        description="Train a convolutional network on MNIST, test it, and write the model and two "
        "plots. Where MNIST cannot be had, the digits bundled with scikit-learn take its place.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    train.set_defaults(command=run_train, data_home=None)
    train.add_argument(
        "--dataset",
        choices=["auto", "mnist", "digits"],
        default="auto",
        help="auto takes MNIST where it is cached or can be downloaded within "
        f"{PATIENCE:.0f} seconds, else the digits",
    )
    train.add_argument(
        "--output-dir", type=folder, default=Path("skorch_mnist_output"), metavar="FOLDER",
        help="where to write; created if missing",
    )  # fmt: skip
    train.add_argument("--max-epochs", type=whole_number(1), default=10, metavar="N", help="epochs")
    train.add_argument(
        "--lr", type=positive_number, default=1e-3, metavar="RATE", help="learning rate"
    )
    train.add_argument(
        "--batch-size",
        type=whole_number(1, 2**31 - 1),
        default=64,
        metavar="N",
        help="images in a batch",
    )
    train.add_argument(
        "--random-state", type=whole_number(0, 2**32 - 1), default=0, metavar="SEED",
        help="seed of everything random",
    )  # fmt: skip
    train.add_argument(
        "--device", type=device_name, default="auto", help="auto, cpu, cuda, cuda:NUMBER or mps"
    )
    train.add_argument(
        "--data-home", type=folder, default=argparse.SUPPRESS, metavar="FOLDER",
        help="folder that holds MNIST, or is to hold it (default: $SKORCH_MNIST_HOME, else the "
        "user's cache)",
    )  # fmt: skip


def whole_number(low: int, high: int | None = None) -> Callable[[str], int]:
    """Return a parser of whole numbers of at least ``low`` and at most ``high``."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if number < low or (high is not None and number > high):
            limits = f"at least {low}" if high is None else f"in {low}..{high}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {limits}")
        return number

    return parse


def positive_number(text: str) -> float:
    """Parse a finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def folder(text: str) -> Path:
    """Parse the name of a folder; the empty text of an unset shell variable is none."""
    if not text:
        raise argparse.ArgumentTypeError("an empty text is no folder")
    return Path(text)


def device_name(text: str) -> str:
    """Parse the name of a device that this machine has."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", text):  # torch knows some without weights
        raise argparse.ArgumentTypeError(f"{text!r} is not auto, cpu, cuda, cuda:NUMBER or mps")
    from skorch_mnist.devices import resolve_device

    try:
        resolve_device(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


# --- train ----------------------------------------------------------------------------------


def run_train(args: argparse.Namespace) -> None:
    """Train, test, write."""
    check_matplotlib()
    make_writable(args.output_dir)
    digits = load_digits(args.dataset, args.data_home)
    n_train, n_test = len(digits.X_train), len(digits.X_test)
    say(f"Data: {digits.name}, {n_train:,} images to train on and {n_test:,} to test on.")
    clf = fit(digits, args)
    predicted = clf.predict(digits.X_test)
    accuracy = (predicted == digits.y_test).mean()
    say(f"\nTest accuracy: {accuracy:.4f} on {n_test:,} images of {digits.name}.\n")
    say(confusion_table(digits.y_test, predicted))
    write_results(clf, digits, predicted, args.output_dir)
    say(f"\nWritten to {args.output_dir.resolve()}:")
    say(f"  {MODEL:<22} the classifier; read it with MNISTCNNClassifier.load")
    say(f"  {LOSSES:<22} training and validation loss of each epoch")
    say(f"  {CONFUSIONS:<22} true against predicted digits")


def check_matplotlib() -> None:
    """Raise ImportError, before any work, if the plots could not be drawn."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ImportError('the plots need matplotlib: pip install "skorch_mnist[plot]"')


def make_writable(folder: Path) -> None:
    """Create ``folder``, and raise OSError, before any work, if nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        for name in (MODEL, LOSSES, CONFUSIONS):
            if (folder / name).exists():
                (folder / name).open("r+b").close()
    except OSError as error:
        raise OSError(
            f"cannot write to the output folder {folder} ({error.strerror}: {error.filename}): "
            "choose another with --output-dir"
        ) from error


def load_digits(dataset: str, data_home: Path | None) -> Digits:
    """Load the data set; "auto" says so where it has to do without MNIST."""
    from skorch_mnist.datasets import DatasetError

    if dataset == "digits":
        return bundled_digits()
    if dataset == "mnist":
        return mnist(data_home)
    try:
        return mnist(data_home, timeout=SILENCE, deadline=PATIENCE)
    except DatasetError as error:
        reason = str(error).splitlines()[0].rstrip(":.")
        say(f"MNIST is not at hand: {reason} (--dataset mnist says why).")
        say("The digits bundled with scikit-learn are used INSTEAD OF MNIST.")
        return bundled_digits()


def mnist(data_home: Path | None, **limits: Any) -> Digits:
    """Load MNIST."""
    from skorch_mnist.datasets._mnist import load_mnist_arrays

    X_train, y_train = load_mnist_arrays("train", data_home=data_home, **limits)
    X_test, y_test = load_mnist_arrays("test", data_home=data_home, **limits)
    return Digits("MNIST", X_train, X_test, y_train, y_test)


def bundled_digits() -> Digits:
    """Load scikit-learn's digits, a fifth of them to test on."""
    from sklearn.model_selection import train_test_split

    from skorch_mnist.datasets import load_digits28

    X, y = load_digits28(return_X_y=True)
    parts = train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)
    return Digits("scikit-learn's digits", *parts)


def fit(digits: Digits, args: argparse.Namespace) -> MNISTCNNClassifier:
    """Train with the table of epochs, and a progress bar where someone watches."""
    from skorch_mnist.classifier import MNISTCNNClassifier

    clf = MNISTCNNClassifier(
        lr=args.lr,
        batch_size=args.batch_size,
        max_epochs=args.max_epochs,
        random_state=args.random_state,
        device=args.device,
        verbose=2 if sys.stderr is not None and sys.stderr.isatty() else 1,
    )
    with contextlib.redirect_stdout(Plain(sys.stdout)):
        clf.fit(digits.X_train, digits.y_train)
    return clf


class Plain(io.TextIOBase):
    """A stream that passes text on, if there is another, without colours but to a terminal."""

    COLOURS = re.compile(r"\x1b\[[0-9;]*m")

    def __init__(self, stream: TextIO | None) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write ``text``."""
        if self.stream is not None:
            self.stream.write(text if self.stream.isatty() else self.COLOURS.sub("", text))
            self.stream.flush()
        return len(text)


def confusion_table(y_true: NDArray[np.int64], y_pred: NDArray[np.int64]) -> str:
    """Return the confusion matrix as text."""
    from sklearn.metrics import confusion_matrix

    rows = confusion_matrix(y_true, y_pred, labels=range(10))
    lines = ["Confusion matrix (rows: true digit, columns: predicted digit)"]
    lines.append("     " + "".join(f"{digit:>5}" for digit in range(10)))
    lines += [f"{digit:>5}" + "".join(f"{n:>5}" for n in row) for digit, row in enumerate(rows)]
    return "\n".join(lines)


def write_results(
    clf: MNISTCNNClassifier, digits: Digits, predicted: NDArray[np.int64], folder: Path
) -> None:
    """Write the model and the plots."""
    from matplotlib.figure import Figure
    from sklearn.metrics import ConfusionMatrixDisplay

    from skorch_mnist.displays import HistoryDisplay

    clf.save(folder / MODEL)
    figure = Figure(layout="constrained")
    display = HistoryDisplay.from_estimator(clf, ax=figure.subplots())
    display.ax_.set_title(f"Loss on {digits.name}")
    figure.savefig(folder / LOSSES, dpi=150)
    figure = Figure(figsize=(6, 6), layout="constrained")
    matrix = ConfusionMatrixDisplay.from_predictions(
        digits.y_test, predicted, ax=figure.subplots(), colorbar=False, cmap="Blues"
    )
    accuracy = (predicted == digits.y_test).mean()
    matrix.ax_.set_title(f"Test images of {digits.name}, accuracy {accuracy:.4f}")
    figure.savefig(folder / CONFUSIONS, dpi=150)


# --- messages -------------------------------------------------------------------------------


def say(text: str) -> None:
    """Print to standard output, whatever letters it lacks."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def report(kind: str, message: object) -> None:
    """Print one line to standard error."""
    print(f"{PROGRAM}: {kind}: {one_line(message)}", file=sys.stderr)


def one_line(message: object) -> str:
    """Return ``message`` without line breaks."""
    return " ".join(str(message).split())
