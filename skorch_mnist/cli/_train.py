"""The command ``train``."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._arguments import device_name, folder, positive_number, whole_number
from ._data import PATIENCE, Digits, load_digits
from ._messages import Plain, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from skorch_mnist.checkpoint import ResumeCheckpoint
    from skorch_mnist.classifier import MNISTCNNClassifier

MODEL, LOSSES, CONFUSIONS = "model.safetensors", "loss_curves.png", "confusion_matrix.png"
CHECKPOINT = "checkpoint"


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
    train.add_argument(
        "--resume",
        action="store_true",
        help="go on with the training in the output folder, if there is one that was cut off; "
        "options and data must be the same",
    )


def run_train(args: argparse.Namespace) -> None:
    """Train, test, write."""
    check_matplotlib()
    make_writable(args.output_dir)
    if not args.resume:
        checkpoint_in(args.output_dir).discard()
    digits = load_digits(args.dataset, args.data_home)
    n_train, n_test = len(digits.X_train), len(digits.X_test)
    say(f"Data: {digits.name}, {n_train:,} images to train on and {n_test:,} to test on.")
    clf = fit(digits, args)
    predicted = clf.predict(digits.X_test)
    accuracy = (predicted == digits.y_test).mean()
    say(f"\nTest accuracy: {accuracy:.4f} on {n_test:,} images of {digits.name}.\n")
    say(confusion_table(digits.y_test, predicted))
    write_results(clf, digits, predicted, args.output_dir)
    checkpoint_in(args.output_dir).discard()
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


def checkpoint_in(folder: Path) -> ResumeCheckpoint:
    """Return the callback that keeps the training in the output folder."""
    from skorch_mnist.checkpoint import ResumeCheckpoint

    return ResumeCheckpoint(folder / CHECKPOINT, sink=say)


def fit(digits: Digits, args: argparse.Namespace) -> MNISTCNNClassifier:
    """Train with checkpoints and the table of epochs, and a bar where someone watches."""
    from skorch_mnist.classifier import MNISTCNNClassifier

    checkpoint = checkpoint_in(args.output_dir)
    clf = MNISTCNNClassifier(
        lr=args.lr,
        batch_size=args.batch_size,
        max_epochs=args.max_epochs,
        random_state=args.random_state,
        device=args.device,
        callbacks=[("checkpoint", checkpoint)],
        verbose=2 if sys.stderr is not None and sys.stderr.isatty() else 1,
    )
    try:
        with contextlib.redirect_stdout(Plain(sys.stdout)):
            clf.fit(digits.X_train, digits.y_train)
    except KeyboardInterrupt as interrupt:
        if not checkpoint.path_.exists():
            checkpoint.discard()
            raise
        raise KeyboardInterrupt(
            "the finished epochs are kept: the same command with --resume goes on"
        ) from interrupt
    return clf.set_params(callbacks=None)


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
