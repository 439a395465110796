"""The command ``train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from .. import run_folder
from ..data import load_data
from ..document import CONFIG, document, warn_of_differences
from ..messages import Screen
from ..options import Json, Resume, TrainingOptions, output_dir, with_options
from ..training import prepare, say_data, train_and_write

FOLDER = "skorch_mnist_output"

EXAMPLES = (
    "skorch-mnist train",
    "skorch-mnist train --dataset fashion-mnist --recipe accurate --output-dir fashion",
    "skorch-mnist train --set module__dropout=0.3 --set optimizer=AdamW --max-epochs 20",
    "skorch-mnist train --config fashion/config.toml --output-dir again",
)


@with_options(TrainingOptions)
def train(
    options: TrainingOptions,
    folder: Annotated[Path, output_dir(FOLDER)] = Path(FOLDER),
    resume: Resume = None,
    json: Json = False,
) -> None:
    """Train and test a classifier, and write the model, its metrics and plots."""
    screen = Screen(json)
    config = options.read()
    clf = prepare(config, screen)
    run = run_folder.RunFolder(folder, [*run_folder.OF_TRAINING, CONFIG], screen)
    with run.opened(config.path):
        data = load_data(config.source, screen)
        say_data(data, screen)
        of_run = document(config, data, clf, {})
        warn_of_differences(config, clf, of_run)
        with run.kept({"command": "train", **of_run}, resume):
            metrics = train_and_write(clf, data, run, screen)
            run.write_run("train", of_run, clf)
    run.say_what_was_written()
    screen.result({"folder": str(folder.resolve()), "data": data.name, **metrics.as_json()})
