"""The command ``train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import run_folder
from ..arguments import some_path
from ..data import load_data
from ..document import CONFIG, document, warn_of_differences
from ..fine_tuning import find_start, prepare_to_continue, test_before, with_exemplars
from ..messages import Screen, UsageError
from ..options import TRAINING, Json, Resume, TrainingOptions, output_dir, with_options
from ..training import prepare, say_data, train_and_write

FOLDER = "skorch_mnist_output"

EXAMPLES = (
    "skorch-mnist train",
    "skorch-mnist train --dataset fashion-mnist --recipe accurate --output-dir fashion",
    "skorch-mnist train --set module__dropout=0.3 --set optimizer=AdamW --max-epochs 20",
    "skorch-mnist train --config fashion/config.toml --output-dir again",
    "skorch-mnist train --from digits --preprocess --dataset my_pictures --output-dir mine",
)

From = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="MODEL",
        help="Fitted classifier to train further: a model file, the output folder of train or "
        "search, or digits for the classifier that comes with skorch_mnist. If it reads digits, "
        "images that it already knows are added to yours.",
        parser=some_path,
        show_default=False,
        rich_help_panel=TRAINING,
    ),
]


@with_options(TrainingOptions)
def train(
    options: TrainingOptions,
    start_from: From = None,
    folder: Annotated[Path, output_dir(FOLDER)] = Path(FOLDER),
    resume: Resume = None,
    json: Json = False,
) -> None:
    """Train and test a classifier, and write the model, its metrics and plots."""
    screen = Screen(json)
    config = options.read()
    start, loaded = find_start(start_from, config), None
    if start is None:
        clf = prepare(config, screen)
    elif options.recipe is not None:
        raise UsageError("--recipe cannot be combined with --from, which keeps the network")
    else:
        loaded = run_folder.load_rejecting(Path(start.model))
        clf = prepare_to_continue(start, loaded, config, screen)
    run = run_folder.RunFolder(folder, [*run_folder.OF_TRAINING, CONFIG], screen)
    with run.opened(config.path):
        data = load_data(config.source, screen)
        say_data(data, screen)
        of_run = document(config, data, clf, {} if start is None else {"from": start._asdict()})
        warn_of_differences(config, clf, of_run)
        before = {}
        if loaded is not None:
            data = with_exemplars(clf, data, screen)
            before = test_before(loaded, data.test, screen)
        with run.kept({"command": "train", **of_run}, resume):
            metrics = train_and_write(clf, data, run, screen, loaded)
            run.write_run("train", of_run, clf)
    run.say_what_was_written()
    result = {"folder": str(folder.resolve()), "data": data.name, **before, **metrics.as_json()}
    screen.result(result)
