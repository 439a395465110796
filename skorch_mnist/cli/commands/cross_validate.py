"""The command ``cross-validate``."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from .. import plots, run_folder
from ..arguments import Backend
from ..data import load_data
from ..document import CONFIG, document, warn_of_differences
from ..folds import Fold, FoldsBar, Warnings, run_folds, show_epochs
from ..images import Images
from ..messages import Screen
from ..named_data import title_of
from ..options import (
    Address,
    BackendOption,
    Json,
    NJobs,
    Resume,
    TrainingOptions,
    folds,
    output_dir,
    with_options,
)
from ..training import prepare, with_checkpoint
from ..workers import Workers

if TYPE_CHECKING:
    from skorch_mnist.classifier import MNISTCNNClassifier

FILES = (
    run_folder.FOLDS,
    run_folder.METRICS,
    run_folder.HISTORY,
    run_folder.LOSSES,
    run_folder.CARD,
    CONFIG,
)
FOLDER, N_FOLDS = "skorch_mnist_folds", 5

EXAMPLES = (
    "skorch-mnist cross-validate",
    "skorch-mnist cross-validate --folds 10 --n-jobs 2 --recipe fast --output-dir fast",
)


@with_options(TrainingOptions)
def cross_validate(
    options: TrainingOptions,
    n_folds: Annotated[int | None, folds(N_FOLDS)] = None,
    n_jobs: NJobs = None,
    backend: BackendOption = Backend.LOKY,
    address: Address = None,
    folder: Annotated[Path, output_dir(FOLDER)] = Path(FOLDER),
    resume: Resume = None,
    json: Json = False,
) -> None:
    """Estimate the accuracy by cross-validation on the training images.

    The folds are the same as in cross_val_score: stratified, in the order of the images.
    """
    screen = Screen(json)
    config = options.read()
    clf = prepare(config, screen)
    section = config.sections.get("cross_validation", {})
    n_folds = n_folds or section.get("folds", N_FOLDS)
    workers = Workers(n_jobs or section.get("n_jobs", 1), backend, address)
    workers.check(resume)
    run = run_folder.RunFolder(folder, FILES, screen)
    with run.opened(config.path):
        data = load_data(config.source, screen)
        screen.say(f"Data: {title_of(data.name)}, {len(data.train.y):,} images in {n_folds} folds.")
        sections = {"cross_validation": {"folds": n_folds, "n_jobs": workers.n_jobs}}
        of_run = document(config, data, clf, sections)
        warn_of_differences(config, clf, of_run)
        with run.kept({"command": "cross-validate", **of_run}, resume):
            kept = with_checkpoint(clf, run, subfolders=True) if workers.keep_trainings else clf
            with workers.connected():
                results = list(show_folds(kept, data.train, n_folds, workers, screen))
            name = run_folder.public_title(data.name)
            summary = write_folds(run, results, f"Loss on {n_folds} folds of {name}")
            run.write_card_of_folds(clf, summary, name)
            run.write_run("cross-validate", of_run, clf)
    screen.say()
    screen.table(
        ["fold", "accuracy", "seconds"],
        [
            [f"{k}", f"{fold.accuracy:.4f}", f"{fold.seconds:.1f}"]
            for k, fold in enumerate(results, 1)
        ],
    )
    mean, std = summary["mean"], summary["std"]
    screen.say(f"\nMean accuracy: {mean:.4f} ± {std:.4f}", style="bold")
    run.say_what_was_written()
    screen.result({"folder": str(folder.resolve()), "data": data.name, **summary})


def write_folds(run: run_folder.RunFolder, results: Sequence[Fold], title: str) -> dict[str, Any]:
    """Write the results of all folds, and return them in JSON types."""
    accuracies = [fold.accuracy for fold in results]
    rows = [
        {"fold": number, "accuracy": fold.accuracy, "seconds": round(fold.seconds, 3)}
        for number, fold in enumerate(results, start=1)
    ]
    summary = {
        "folds": rows,
        "mean": statistics.fmean(accuracies),
        "std": statistics.pstdev(accuracies),
    }
    histories = [fold.history for fold in results]
    run.write_csv(run_folder.FOLDS, rows)
    run.write_json(run_folder.METRICS, summary)
    run.write_csv(run_folder.HISTORY, run_folder.history_rows(histories))
    plots.history(histories, "loss", title).savefig(run.path / run_folder.LOSSES, dpi=150)
    return summary


def show_folds(
    clf: MNISTCNNClassifier, images: Images, n_folds: int, workers: Workers, screen: Screen
) -> Iterator[Fold]:
    """Yield the result of each fold, and show its epoch table."""
    here = workers.are_here  # the table is printed during training
    warned = Warnings()
    with FoldsBar(n_folds, screen) as bar:
        results = run_folds([clf], images, n_folds)
        for number in range(1, n_folds + 1):
            bar.describe(f"fold {number}/{n_folds}")
            if here:
                screen.say(f"\nFold {number} of {n_folds}", style="bold")
            fold = next(results)
            warned.report(fold)
            if fold.failure:
                raise ValueError(fold.failure)
            if not here:
                screen.say(f"\nFold {number} of {n_folds}", style="bold")
                if not screen.as_json:
                    show_epochs(fold)
            screen.say(f"Accuracy on this fold: {fold.accuracy:.4f}")
            bar.update()
            yield fold
