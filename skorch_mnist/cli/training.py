"""Train in a command, with checkpoints and printed results."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .config import Config, make_classifier
from .named_data import title_of
from .options import usage_errors

if TYPE_CHECKING:
    from skorch_mnist.classifier import MNISTCNNClassifier
    from skorch_mnist.rejection import RejectingClassifier

    from .images import Data
    from .messages import Screen
    from .metrics import Metrics
    from .run_folder import RunFolder

MOST_SHOWN = 12  # classes whose confusions are printed


def prepare(config: Config, screen: Screen) -> MNISTCNNClassifier:
    """Return the estimator with checked parameters, silent if only JSON is printed."""
    verbose = 0 if screen.as_json else config.parameters.get("verbose", 2)
    with usage_errors():
        clf: MNISTCNNClassifier = make_classifier({**config.parameters, "verbose": verbose})
    return clf


def with_checkpoint(
    clf: MNISTCNNClassifier, run: RunFolder, *, subfolders: bool = False
) -> MNISTCNNClassifier:
    """Return a copy of the estimator, fitted or not, that writes checkpoints."""
    kept = ("checkpoint", run.checkpoint(subfolders=subfolders))
    return copy.deepcopy(clf).set_params(callbacks=[*(clf.callbacks or []), kept])


def train_and_write(
    clf: MNISTCNNClassifier,
    data: Data,
    run: RunFolder,
    screen: Screen,
    start: MNISTCNNClassifier | RejectingClassifier | None = None,
) -> Metrics:
    """Train and test, write the files of ``RunFolder.write_training``, and return the metrics.

    If ``start`` rejects images, so does the classifier that is tested and written.
    """
    from .fine_tuning import with_rejection
    from .metrics import measure_classifier

    with parameter_errors():
        fitted = with_checkpoint(clf, run).fit(*data.train).set_params(callbacks=clf.callbacks)
    trained = with_rejection(start, fitted, data)
    metrics = measure_classifier(trained, data.test)
    accuracy, tested_on = metrics.accuracy, title_of(data.test_name)
    screen.say(
        f"\nTest accuracy: {accuracy.value:.4f} on {metrics.n_images:,} images of {tested_on}.",
        style="bold",
    )
    screen.say(f"95% interval: {accuracy.low:.4f} to {accuracy.high:.4f}")
    if metrics.rejection is not None:
        screen.say(f"Accepted: {metrics.rejection.accepted.value:.4f}")
    screen.say()
    say_confusions(metrics, screen)
    run.write_model(trained)
    run.write_training(fitted, metrics, data)
    run.write_card(fitted, metrics, data)
    return metrics


@contextmanager
def parameter_errors() -> Iterator[None]:
    """Turn the TypeError of a component that rejects its arguments into a ValueError."""
    try:
        yield
    except TypeError as error:
        if isinstance(error, ValueError):  # scikit-learn's InvalidParameterError is both
            raise
        raise ValueError(f"a parameter has the wrong type: {error}") from error


def say_data(data: Data, screen: Screen) -> None:
    """Print the datasets and their sizes."""
    n_train, n_test = len(data.train.y), len(data.test.y)
    of_test = "" if data.test_path is None else f" of {data.test_path}"
    screen.say(
        f"Data: {title_of(data.name)}, {n_train:,} images for training and {n_test:,}{of_test} for "
        "testing."
    )


def say_confusions(metrics: Metrics, screen: Screen) -> None:
    """Print the confusion matrix if it is not too wide."""
    labels = [str(one.label) for one in metrics.classes]
    if len(labels) > MOST_SHOWN:
        return
    screen.say("Confusion matrix (rows: true label, columns: predicted label)")
    rows = zip(labels, metrics.confusion_matrix.tolist(), strict=True)
    screen.table(["", *labels], [[label, *map(str, counts)] for label, counts in rows])


def shown(value: Any) -> str:
    """Return the value of a parameter as a string; for a class, its name."""
    return value.__name__ if isinstance(value, type) else str(value)
