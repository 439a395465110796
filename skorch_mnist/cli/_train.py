"""The command ``train``."""

from __future__ import annotations

from . import _run
from ._config import warn_of_differences
from ._data import load_data
from ._messages import Screen
from ._options import Json, OutputDir, Resume, TrainingOptions, with_options
from ._training import named, prepare, say_data, train_and_write

FILES = (_run.MODEL, _run.METRICS, _run.HISTORY, _run.LOSSES, _run.CONFUSIONS, _run.CONFIG)

EXAMPLES = (
    "skorch-mnist train",
    "skorch-mnist train --dataset fashion-mnist --recipe accurate --output-dir fashion",
    "skorch-mnist train --set module__dropout=0.3 --set optimizer=AdamW --max-epochs 20",
    "skorch-mnist train --config fashion/config.toml --output-dir again",
)


@with_options(TrainingOptions)
def train(
    options: TrainingOptions,
    output_dir: OutputDir = _run.DEFAULT,
    resume: Resume = False,
    json: Json = False,
) -> None:
    """Train a classifier, test it, and write the model, its figures and plots."""
    screen = Screen(json)
    config = options.read()
    clf = prepare(config, screen)
    run = _run.RunFolder(output_dir, FILES, screen)
    run.make_writable()
    data = load_data(config.source, screen)
    say_data(data, screen)
    warn_of_differences(config, clf, data.sha256)
    with run.going_on(resume):
        _, metrics = train_and_write(clf, data, run, screen)
        run.write_config("train", named(config, data), clf, data.sha256)
    run.say_what_was_written()
    screen.result({"folder": str(output_dir.resolve()), "data": data.name, **metrics.as_json()})
