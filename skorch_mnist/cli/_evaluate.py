"""The command ``evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import _run
from ._arguments import some_path
from ._config import Source, read_file
from ._data import Images, check_labels_known, load_data, load_test_images, title_of
from ._messages import Screen, report
from ._options import OUTPUT, Json, Model, SourceOptions, usage_errors, with_options
from ._report import write_report

if TYPE_CHECKING:
    from ._metrics import Metrics

Output = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.html",
        help=f"Where to write the report [dim](default: {_run.REPORT} beside the model)[/]",
        parser=some_path,
        rich_help_panel=OUTPUT,
    ),
]

EXAMPLES = (
    "skorch-mnist evaluate skorch_mnist_output",
    "skorch-mnist evaluate model.safetensors --dataset digits.csv --output digits.html",
)


@with_options(SourceOptions)
def evaluate(
    options: SourceOptions,
    model: Model,
    output: Output = None,
    json: Json = False,
) -> None:
    """Test a classifier, and write a report: one page for any browser, without a network.

    Without --dataset, the images to test on are those of the run that has trained the classifier.
    """
    from ._metrics import measure

    screen = Screen(json)
    clf = _run.load_classifier(model)
    file = output or _run.find_model(model).parent / _run.REPORT
    run = _run.RunFolder(file.parent, [file.name], screen)
    run.make_writable()
    name, images = images_of(model, options, screen)
    check_labels_known(images, clf.classes_.tolist(), "that the classifier does not know")
    proba = clf.predict_proba(images.X)
    metrics = measure(images.y, proba, clf.classes_)
    say_metrics(metrics, name, screen)
    write_report(file, clf, metrics, images, proba, name, _run.find_model(model))
    screen.say(f"\nWritten to {file.resolve()}")
    screen.result({"report": str(file.resolve()), "data": name, **metrics.as_json()})


def images_of(model: Path, options: SourceOptions, screen: Screen) -> tuple[str, Images]:
    """Return the images to test on: those given, or else those of the run of the model."""
    config = _run.find_model(model).parent / _run.CONFIG
    with usage_errors():
        of_run = read_file(config).get("data", {}) if config.is_file() else {}
    sha256 = of_run.pop("sha256", None)
    given = {name: value for name, value in options.source.items() if value is not None}
    same = given.get("dataset") in (None, of_run.get("dataset")) and "test_dataset" not in given
    if same and of_run:
        data = load_data(Source(**{**of_run, **given}), screen)
        if sha256 not in (None, data.sha256):
            report(
                "warning", f"the data of {data.name} have changed since the classifier was trained"
            )
        return data.name, data.test
    return load_test_images(Source(**given), screen)


def say_metrics(metrics: Metrics, name: str, screen: Screen) -> None:
    """Print the figures of all images, and of each class."""
    screen.say(f"{metrics.n_images:,} images of {title_of(name)}; in brackets, 95 % intervals\n")
    screen.say(f"Accuracy                    {metrics.accuracy}", style="bold")
    screen.say(f"Macro F1                    {metrics.macro_f1}")
    screen.say(f"Log loss                    {metrics.log_loss:.4f}")
    screen.say(f"Expected calibration error  {metrics.expected_calibration_error:.4f}\n")
    screen.table(
        ["class", "images", "precision", "recall", "F1"],
        [
            [str(one.label), f"{one.n_images:,}", str(one.precision), str(one.recall), str(one.f1)]
            for one in metrics.classes
        ],
    )
