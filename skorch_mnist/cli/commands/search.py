"""The command ``search``."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import run_folder
from ..arguments import Backend, number_in
from ..config import check_classifier, parse_grid
from ..data import load_data
from ..document import CONFIG, document, stated, warn_of_differences
from ..folds import Fold, FoldsBar, Warnings, run_folds
from ..images import Images
from ..messages import Screen, report
from ..options import (
    TRAINING,
    Address,
    BackendOption,
    Json,
    NJobs,
    Resume,
    TrainingOptions,
    folds,
    output_dir,
    usage_errors,
    with_options,
)
from ..training import prepare, say_data, shown, train_and_write, with_checkpoint
from ..values import to_toml
from ..workers import Workers

if TYPE_CHECKING:
    from skorch_mnist.classifier import MNISTCNNClassifier

FILES = (run_folder.CANDIDATES, *run_folder.OF_TRAINING, CONFIG)
FOLDER, N_FOLDS = "skorch_mnist_search", 3
MOST_SHOWN = 20  # candidates in the table

Grid = Annotated[
    list[str] | None,
    typer.Option(
        "--grid",
        metavar="NAME=VALUE,VALUE...",
        help="Values to try for a parameter, such as lr=0.001,0.003. Can be repeated, to try all "
        "combinations.",
        rich_help_panel=TRAINING,
    ),
]
NIter = Annotated[
    int | None,
    typer.Option(
        parser=number_in(int, 1, math.inf, "a positive integer"),
        metavar="N",
        help="Try only N random candidates, which are the same in each run.",
        rich_help_panel=TRAINING,
    ),
]

EXAMPLES = (
    "skorch-mnist search --grid lr=0.0003,0.001,0.003 --grid module__dropout=0.2,0.5 --folds 3",
    'skorch-mnist search --recipe fast --grid lr=0.003,0.01 --grid "module__widths=(8,16),(16,24)"',
)


@with_options(TrainingOptions)
def search(
    options: TrainingOptions,
    grid: Grid = None,
    n_iter: NIter = None,
    n_folds: Annotated[int | None, folds(N_FOLDS)] = None,
    n_jobs: NJobs = None,
    backend: BackendOption = Backend.LOKY,
    address: Address = None,
    folder: Annotated[Path, output_dir(FOLDER)] = Path(FOLDER),
    resume: Resume = None,
    json: Json = False,
) -> None:
    """Find the best parameters by cross-validation, then train and test with them.

    Candidates are compared on folds of the training images, without the test images.
    """
    screen = Screen(json)
    config = options.read()
    section = config.sections.get("search", {})
    with usage_errors():
        values = parse_grid(grid or (), section)
        if not values:
            raise ValueError("--grid is missing: give at least one --grid NAME=VALUE,VALUE")
    clf = prepare(config, screen)
    n_iter = n_iter or section.get("n_iter")
    n_folds = n_folds or section.get("folds", N_FOLDS)
    workers = Workers(n_jobs or section.get("n_jobs", 1), backend, address)
    workers.check(resume)
    candidates = list_candidates(clf, values, n_iter)
    settings = {"grid": to_toml("grid", values), "folds": n_folds, "n_jobs": workers.n_jobs}
    sections = {"search": settings if n_iter is None else {**settings, "n_iter": n_iter}}
    run = run_folder.RunFolder(folder, FILES, screen)
    with run.opened(config.path):
        data = load_data(config.source, screen)
        say_data(data, screen)
        screen.say(f"{len(candidates)} candidates, {n_folds} folds each.\n")
        of_run = document(config, data, clf, sections)
        warn_of_differences(config, clf, of_run)
        with run.kept({"command": "search", **of_run}, resume):
            kept = with_checkpoint(clf, run, subfolders=True) if workers.keep_trainings else clf
            with workers.connected():
                rows = compare(kept, candidates, data.train, n_folds, workers, screen)
            best = candidates[rows[0]["number"] - 1]
            clf.set_params(**best)
            screen.say("\nTraining the best candidate on all training images", style="bold")
            metrics = train_and_write(clf, data, run, screen)
            run.write_csv(run_folder.CANDIDATES, rows)
            run.write_run("search", {**of_run, "parameters": stated(clf)}, clf)
    run.say_what_was_written()
    screen.result(
        {
            "folder": str(folder.resolve()),
            "data": data.name,
            "best_parameters": {name: to_toml(name, value) for name, value in best.items()},
            "candidates": rows,
            **metrics.as_json(),
        }
    )


def list_candidates(
    clf: MNISTCNNClassifier, grid: Mapping[str, Sequence[Any]], n_iter: int | None
) -> list[dict[str, Any]]:
    """Return all combinations or a sample; raise a UsageError if one is not valid."""
    from sklearn.base import clone
    from sklearn.model_selection import ParameterGrid, ParameterSampler

    with usage_errors():
        whole = ParameterGrid(dict(grid))
        if n_iter is None or n_iter >= len(whole):
            candidates = list(whole)
        else:
            candidates = list(ParameterSampler(dict(grid), n_iter, random_state=0))
        for candidate in candidates:
            check_classifier(clone(clf).set_params(**candidate))
    return candidates


def compare(
    clf: MNISTCNNClassifier,
    candidates: Sequence[Mapping[str, Any]],
    images: Images,
    n_folds: int,
    workers: Workers,
    screen: Screen,
) -> list[dict[str, Any]]:
    """Return a row for each candidate, best first; print each one when it is finished."""
    rows, warned = [], Warnings()
    watched = workers.are_here and not screen.as_json
    with FoldsBar(len(candidates) * n_folds, screen) as bar:
        estimators = [candidate_of(clf, candidate, watched) for candidate in candidates]
        results = run_folds(estimators, images, n_folds)
        for number, candidate in enumerate(candidates, start=1):
            folds = []
            for fold in range(1, n_folds + 1):
                bar.describe(f"candidate {number}/{len(candidates)}, fold {fold}/{n_folds}")
                folds.append(next(results))
                warned.report(folds[-1])
                bar.update()
            rows.append(row_of(number, candidate, folds))
            screen.say(f"{number:>4}  {rows[-1]['parameters']}  {accuracy_of(rows[-1])}")
            for failure in {fold.failure for fold in folds if fold.failure}:
                report("warning", f"candidate {number} failed: {failure}")
    rows.sort(key=lambda row: (row["mean"] is None, -(row["mean"] or 0.0)))
    if rows[0]["mean"] is None:
        raise ValueError("every candidate failed: see the warnings above")
    screen.say("\nBest candidates, with mean and standard deviation of the folds", style="bold")
    screen.table(
        ["rank", "accuracy", "candidate", "parameters"],
        [
            [str(rank), accuracy_of(row), str(row["number"]), row["parameters"]]
            for rank, row in enumerate(rows[:MOST_SHOWN], start=1)
        ],
        left=["parameters"],
        bold_row=0,
    )
    return rows


def candidate_of(
    clf: MNISTCNNClassifier, candidate: Mapping[str, Any], watched: bool
) -> MNISTCNNClassifier:
    """Return the estimator of a candidate, without an epoch table, and with a bar if watched."""
    from sklearn.base import clone

    from skorch_mnist._progress import TrainingBar

    bars = [("bar", TrainingBar())] if watched else []
    copy: MNISTCNNClassifier = clone(clf)
    return copy.set_params(**candidate, verbose=0, callbacks=[*(clf.callbacks or []), *bars])


def row_of(number: int, candidate: Mapping[str, Any], folds: Sequence[Fold]) -> dict[str, Any]:
    """Return the row of a candidate; its mean is None if a fold failed."""
    accuracies = [fold.accuracy for fold in folds]
    failed = any(fold.failure for fold in folds)
    return {
        "number": number,
        "parameters": " ".join(f"{name}={shown(value)}" for name, value in candidate.items()),
        "mean": None if failed else statistics.fmean(accuracies),
        "std": None if failed else statistics.pstdev(accuracies),
        **{f"fold_{k}": fold.accuracy for k, fold in enumerate(folds, 1) if not failed},
        "seconds": round(sum(fold.seconds for fold in folds), 3),
    }


def accuracy_of(row: Mapping[str, Any]) -> str:
    """Return the mean and standard deviation of the accuracy of a candidate as a string."""
    return "failed" if row["mean"] is None else f"{row['mean']:.4f} ± {row['std']:.4f}"
