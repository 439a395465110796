"""The command ``search``."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import _run
from ._config import parse_grid, warn_of_differences
from ._data import Images, load_data
from ._folds import Fold, FoldsBar, Warnings, run_folds
from ._messages import Screen, report
from ._options import (
    TRAINING,
    Folds,
    Json,
    NJobs,
    OutputDir,
    Resume,
    TrainingOptions,
    usage_errors,
    with_options,
)
from ._training import named, prepare, say_data, shown, train_and_write, with_checkpoint
from ._values import to_toml

if TYPE_CHECKING:
    from skorch_mnist.classifier import MNISTCNNClassifier

FILES = (
    _run.CANDIDATES,
    _run.MODEL,
    _run.METRICS,
    _run.HISTORY,
    _run.LOSSES,
    _run.CONFUSIONS,
    _run.CONFIG,
)

Grid = Annotated[
    list[str] | None,
    typer.Option(
        "--grid",
        metavar="NAME=VALUE,VALUE...",
        help="Values of a parameter to try, such as lr=0.001,0.003; may be repeated: all "
        "combinations are candidates.",
        rich_help_panel=TRAINING,
    ),
]
NIter = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Try only so many candidates, drawn with the random state.",
        rich_help_panel=TRAINING,
    ),
]

MOST_SHOWN = 20  # candidates in the table

EXAMPLES = (
    "skorch-mnist search --grid lr=0.0003,0.001,0.003 --grid module__dropout=0.2,0.5 --folds 3",
    'skorch-mnist search --recipe fast --grid lr=0.003,0.01 --grid "module__widths=(8,16),(16,24)"',
)


@with_options(TrainingOptions)
def search(
    options: TrainingOptions,
    grid: Grid = None,
    n_iter: NIter = None,
    folds: Folds = None,
    n_jobs: NJobs = 1,
    output_dir: OutputDir = _run.DEFAULT,
    resume: Resume = False,
    json: Json = False,
) -> None:
    """Find the best parameters by cross-validation, train with them on all images, and test.

    Candidates are compared on folds of the training images; the images to test on choose nothing.
    """
    screen = Screen(json)
    config = options.read()
    section = config.sections.get("search", {})
    with usage_errors():
        values = parse_grid(grid or (), section)
        if not values:
            raise ValueError("there is nothing to search: give --grid NAME=VALUE,VALUE")
    clf = prepare(config, screen)
    candidates = list_candidates(clf, values, n_iter or section.get("n_iter"))
    n_folds = folds or section.get("folds", 3)
    run = _run.RunFolder(output_dir, FILES, screen)
    run.make_writable()
    data = load_data(config.source, screen)
    say_data(data, screen)
    screen.say(f"{len(candidates)} candidates, {n_folds} folds each.\n")
    warn_of_differences(config, clf, data.sha256)
    with run.going_on(resume):
        kept = with_checkpoint(clf, run, subfolders=True)
        rows = compare(kept, candidates, data.train, n_folds, n_jobs, screen)
        best = candidates[rows[0]["number"] - 1]
        clf.set_params(**best)
        screen.say("\nThe best, trained on all training images", style="bold")
        _, metrics = train_and_write(clf, data, run, screen)
        run.write_csv(_run.CANDIDATES, rows)
        sections = {"search": {"grid": to_toml("grid", values), "folds": n_folds}}
        if n_iter is not None:
            sections["search"]["n_iter"] = n_iter
        run.write_config("search", named(config, data), clf, data.sha256, sections)
    run.say_what_was_written()
    screen.result(
        {
            "folder": str(output_dir.resolve()),
            "data": data.name,
            "best_parameters": {name: to_toml(name, value) for name, value in best.items()},
            "candidates": rows,
            **metrics.as_json(),
        }
    )


def list_candidates(
    clf: MNISTCNNClassifier, grid: Mapping[str, Sequence[Any]], n_iter: int | None
) -> list[dict[str, Any]]:
    """Return all combinations, or some; raise a usage error if one is not valid."""
    from sklearn.base import clone
    from sklearn.model_selection import ParameterGrid, ParameterSampler

    with usage_errors():
        whole = ParameterGrid(dict(grid))
        if n_iter is None or n_iter >= len(whole):
            candidates = list(whole)
        else:
            candidates = list(ParameterSampler(dict(grid), n_iter, random_state=clf.random_state))
        for candidate in candidates:
            clone(clf).set_params(**candidate)._validate_params()
    return candidates


def compare(
    clf: MNISTCNNClassifier,
    candidates: Sequence[Mapping[str, Any]],
    images: Images,
    n_folds: int,
    n_jobs: int,
    screen: Screen,
) -> list[dict[str, Any]]:
    """Return a row for each candidate, the best first; show how they come in."""
    rows, warned = [], Warnings()
    with FoldsBar(len(candidates) * n_folds, screen) as bar:
        estimators = [candidate_of(clf, candidate, n_jobs, screen) for candidate in candidates]
        outcomes = run_folds(estimators, images, n_folds, n_jobs)
        for number, candidate in enumerate(candidates, start=1):
            folds = []
            for fold in range(1, n_folds + 1):
                bar.describe(f"candidate {number}/{len(candidates)}, fold {fold}/{n_folds}")
                folds.append(next(outcomes))
                warned.report(folds[-1])
                bar.update()
            rows.append(row_of(number, candidate, folds))
            screen.say(f"{number:>4}  {rows[-1]['parameters']}  {outcome(rows[-1])}")
            for failure in {fold.failure for fold in folds if fold.failure}:
                report("warning", f"candidate {number} failed: {failure}")
    rows.sort(key=lambda row: (row["mean"] is None, -(row["mean"] or 0.0)))
    if rows[0]["mean"] is None:
        raise ValueError("the training of every candidate failed")
    screen.say("\nThe best candidates: mean accuracy and spread of the folds", style="bold")
    screen.table(
        ["rank", "accuracy", "candidate", "parameters"],
        [
            [str(rank), outcome(row), str(row["number"]), row["parameters"]]
            for rank, row in enumerate(rows[:MOST_SHOWN], start=1)
        ],
        bold_row=0,
    )
    return rows


def candidate_of(
    clf: MNISTCNNClassifier, candidate: Mapping[str, Any], n_jobs: int, screen: Screen
) -> MNISTCNNClassifier:
    """Return the estimator of a candidate: with a bar where it is trained here, without a table."""
    from joblib import effective_n_jobs
    from sklearn.base import clone

    from skorch_mnist.progress import TrainingBar

    watched = effective_n_jobs(n_jobs) == 1 and not screen.as_json
    bars = [("bar", TrainingBar())] if watched else []
    copy: MNISTCNNClassifier = clone(clf)
    return copy.set_params(**candidate, verbose=0, callbacks=[*(clf.callbacks or []), *bars])


def row_of(number: int, candidate: Mapping[str, Any], folds: Sequence[Fold]) -> dict[str, Any]:
    """Return what is known of a candidate: its mean is None if one of its trainings failed."""
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


def outcome(row: Mapping[str, Any]) -> str:
    """Return mean and spread of a candidate as text."""
    return "failed" if row["mean"] is None else f"{row['mean']:.4f} ± {row['std']:.4f}"
