"""The command ``cross-validate``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from . import _plots, _run
from ._config import warn_of_differences
from ._data import Images, load_data, title_of
from ._folds import Fold, FoldsBar, Warnings, run_folds, show_epochs
from ._messages import Screen
from ._options import Folds, Json, NJobs, OutputDir, Resume, TrainingOptions, with_options
from ._training import named, prepare, with_checkpoint

if TYPE_CHECKING:
    from skorch_mnist.classifier import MNISTCNNClassifier

FILES = (_run.FOLDS, _run.METRICS, _run.HISTORY, _run.LOSSES, _run.CONFIG)


EXAMPLES = (
    "skorch-mnist cross-validate",
    "skorch-mnist cross-validate --folds 10 --n-jobs 2 --recipe fast --output-dir fast",
)


@with_options(TrainingOptions)
def cross_validate(
    options: TrainingOptions,
    folds: Folds = None,
    n_jobs: NJobs = 1,
    output_dir: OutputDir = _run.DEFAULT,
    resume: Resume = False,
    json: Json = False,
) -> None:
    """Train and test on each fold of the training images, and show how much the accuracy varies.

    Folds are those of scikit-learn's cross_val_score: each class alike, in the order of the images.
    """
    import numpy as np

    screen = Screen(json)
    config = options.read()
    clf = prepare(config, screen)
    n_folds = folds or config.sections.get("cross_validation", {}).get("folds", 5)
    run = _run.RunFolder(output_dir, FILES, screen)
    run.make_writable()
    data = load_data(config.source, screen)
    screen.say(f"Data: {title_of(data.name)}, {len(data.train.y):,} images in {n_folds} folds.")
    warn_of_differences(config, clf, data.sha256)
    with run.going_on(resume):
        kept = with_checkpoint(clf, run, subfolders=True)
        results = list(show_folds(kept, data.train, n_folds, n_jobs, screen))
        scores = np.array([fold.accuracy for fold in results])
        rows = [
            {"fold": number, "accuracy": fold.accuracy, "seconds": round(fold.seconds, 3)}
            for number, fold in enumerate(results, start=1)
        ]
        summary = {"folds": rows, "mean": float(scores.mean()), "std": float(scores.std())}
        histories = [fold.history for fold in results]
        run.write_csv(_run.FOLDS, rows)
        run.write_json(_run.METRICS, summary)
        run.write_csv(_run.HISTORY, _run.history_rows(histories))
        title = f"Loss on {n_folds} folds of {title_of(data.name)}"
        _plots.history(histories, "loss", title).savefig(output_dir / _run.LOSSES, dpi=150)
        sections = {"cross_validation": {"folds": n_folds}}
        run.write_config("cross-validate", named(config, data), clf, data.sha256, sections)
    screen.say()
    screen.table(
        ["fold", "accuracy", "seconds"],
        [[f"{row['fold']}", f"{row['accuracy']:.4f}", f"{row['seconds']:.1f}"] for row in rows],
    )
    screen.say(f"\nMean accuracy: {scores.mean():.4f} ± {scores.std():.4f}", style="bold")
    run.say_what_was_written()
    screen.result({"folder": str(output_dir.resolve()), "data": data.name, **summary})


def show_folds(
    clf: MNISTCNNClassifier, images: Images, n_folds: int, n_jobs: int, screen: Screen
) -> Iterator[Fold]:
    """Yield what comes out of each fold, and show its table of epochs."""
    from joblib import effective_n_jobs

    here = effective_n_jobs(n_jobs) == 1  # the table is printed while the training goes on
    warned = Warnings()
    with FoldsBar(n_folds, screen) as bar:
        outcomes = run_folds([clf], images, n_folds, n_jobs)
        for number in range(1, n_folds + 1):
            bar.describe(f"fold {number}/{n_folds}")
            if here:
                screen.say(f"\nFold {number} of {n_folds}", style="bold")
            fold = next(outcomes)
            warned.report(fold)
            if fold.failure:
                raise ValueError(fold.failure)
            if not here:
                screen.say(f"\nFold {number} of {n_folds}", style="bold")
            if not here and not screen.as_json:
                show_epochs(fold)
            screen.say(f"Accuracy on the images of the fold: {fold.accuracy:.4f}")
            bar.update()
            yield fold
