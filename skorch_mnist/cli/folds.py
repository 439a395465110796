"""Train and test on folds, in one or several processes."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from .images import Images
from .messages import Screen, report

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from skorch_mnist.classifier import MNISTCNNClassifier


class Fold(NamedTuple):
    """The result of training on all folds but one."""

    accuracy: float  # on the images of that fold; NaN if training failed
    seconds: float  # of training
    history: list[dict[str, Any]]
    warnings: list[str]
    failure: str


def run_folds(
    estimators: Sequence[MNISTCNNClassifier], images: Images, n_folds: int
) -> Iterator[Fold]:
    """Yield the result of each fold of each estimator, in order.

    The folds are the same as in ``cross_val_score``. With one job, each training run starts when
    its result is requested.
    """
    # cross_validate and GridSearchCV return only after the last fold, so no fold could be shown
    # while the others train. They do not return the warnings of a fold or the message of a failure,
    # and GridSearchCV does not return the fitted estimators with their histories.
    from joblib import Parallel, delayed
    from sklearn.base import clone
    from sklearn.model_selection import StratifiedKFold

    splits = list(StratifiedKFold(n_folds).split(*images))
    # The images are separate arguments, so that joblib sends them to each worker only once.
    tasks = (delayed(run_fold)(clone(clf), *images, *rows) for clf in estimators for rows in splits)
    results: Iterator[Fold] = Parallel(return_as="generator")(tasks)
    return results


def run_fold(
    clf: MNISTCNNClassifier,
    X: NDArray[Any],
    y: NDArray[Any],
    train: NDArray[np.int64],
    test: NDArray[np.int64],
) -> Fold:
    """Train and test on one fold; the result includes warnings and the message of a failure."""
    accuracy, history, failure, start = math.nan, [], "", time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            clf.fit(X[train], y[train])
            history = [{**epoch, "batches": []} for epoch in clf.history_ or []]
        except (RuntimeError, TypeError, ValueError) as error:
            failure = str(error)
        seconds = time.perf_counter() - start
        if not failure:
            accuracy = float(clf.score(X[test], y[test]))
    messages = [str(one.message) for one in caught if issubclass(one.category, UserWarning)]
    return Fold(accuracy, seconds, history, messages, failure)


class Warnings:
    """Reports each warning of training runs once."""

    def __init__(self) -> None:
        self.known: set[str] = set()

    def report(self, fold: Fold) -> None:
        """Report the warnings that were not reported before."""
        for message in dict.fromkeys(fold.warnings):
            if message not in self.known:
                report("warning", message)
        self.known.update(fold.warnings)


def show_epochs(fold: Fold) -> None:
    """Print the epoch table of a fold in the same form as training in this process."""
    from skorch_mnist._progress import EpochTable, show

    table = EpochTable(sink=show).initialize()
    for epoch in fold.history:
        table.on_epoch_end(SimpleNamespace(history=[epoch], verbose=1))


class FoldsBar:
    """A progress bar over all training runs, above the bar of the current one."""

    def __init__(self, total: int, screen: Screen) -> None:
        from skorch_mnist._progress import TIME_LEFT, Bar

        self.bar = Bar(total=total, bar_format=TIME_LEFT, smoothing=0, disable=screen.as_json)

    def __enter__(self) -> Self:
        """Show the bar until the block ends."""
        return self

    def __exit__(self, *error: object) -> None:
        """Remove the bar."""
        self.bar.close()

    def describe(self, text: str) -> None:
        """Show which training run is in progress."""
        self.bar.set_description_str(f"{text}:")

    def update(self) -> None:
        """Count a finished training run."""
        self.bar.update()
