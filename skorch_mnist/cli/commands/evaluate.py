"""The command ``evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import run_folder
from ..arguments import complete_dataset, some_path, some_text
from ..config import Source, read_file
from ..data import check_labels_known, check_size, load_data, load_test_images, resolved
from ..images import Images
from ..messages import Screen, report
from ..named_data import title_of
from ..options import DATA, OUTPUT, DataHome, Json, Label, Model, Preprocess, usage_errors
from ..report import write_report

if TYPE_CHECKING:
    from skorch_mnist.classifier import MNISTCNNClassifier

    from ..metrics import Metrics

Dataset = Annotated[
    str | None,
    typer.Option(
        metavar="DATA",
        help="Test images: a name or a path, as for train. If the run that trained the classifier "
        "has set images of this dataset aside, only these are used. Otherwise, the test images are "
        "used, or all images if there are none [dim](default: the dataset of this run, or auto)[/]",
        parser=some_text,
        autocompletion=complete_dataset,
        rich_help_panel=DATA,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.html",
        help=f"Report to write [dim](default: {run_folder.REPORT} next to the model)[/]",
        parser=some_path,
        rich_help_panel=OUTPUT,
    ),
]

EXAMPLES = (
    "skorch-mnist evaluate skorch_mnist_output",
    "skorch-mnist evaluate model.safetensors --dataset digits.csv --output digits.html",
)


def evaluate(
    model: Model,
    dataset: Dataset = None,
    data_home: DataHome = None,
    preprocess: Preprocess = False,
    label: Label = None,
    output: Output = None,
    json: Json = False,
) -> None:
    """Test a classifier, and write a self-contained HTML report."""
    from ..metrics import measure, predictions_of

    screen = Screen(json)
    loaded: Any = run_folder.load_rejecting(model)
    clf: MNISTCNNClassifier = getattr(loaded, "estimator_", loaded)
    path = run_folder.find_model(model)
    file = output or path.parent / run_folder.REPORT
    run = run_folder.RunFolder(file.parent, [file.name], screen, "--output")
    with run.opened():
        home = None if data_home is None else str(data_home)
        source = Source(dataset or "", None, home, bool(preprocess), label)
        name, images = images_of(path, source, screen)
        check_labels_known(images, clf.classes_.tolist(), "that the classifier does not know")
        check_size(images, clf)
        proba, accepted = predictions_of(loaded, images.X)
        metrics = measure(images.y, proba, clf.classes_, accepted)
        say_metrics(metrics, name, screen)
        write_report(file, clf, metrics, images, proba, name, path, accepted)
    screen.say(f"\nWritten to {file.resolve()}")
    screen.result({"report": str(file.resolve()), "data": name, **metrics.as_json()})


def images_of(model: Path, source: Source, screen: Screen) -> tuple[str, Images]:
    """Return the given test images, or those of the run that trained the model."""
    config = run_folder.config_of(model)
    with usage_errors():
        of_run = read_file(config).get("data", {}) if config else {}
    sha256 = of_run.pop("sha256", None)
    if source.dataset:
        return load_test_images(resolved(source), sha256, screen)
    options = {"data_home": source.data_home, "label": source.label}
    given = {name: value for name, value in options.items() if value is not None}
    if not of_run:
        return load_test_images(source._replace(dataset="auto"), None, screen)
    data = load_data(Source(**{**of_run, **given}), screen)
    if sha256 != data.sha256:
        report("warning", f"{data.name} has changed since the classifier was trained")
    return data.test_name, data.test


def say_metrics(metrics: Metrics, name: str, screen: Screen) -> None:
    """Print the metrics of all images and of each class."""
    screen.say(f"{metrics.n_images:,} images of {title_of(name)}, 95% intervals in brackets\n")
    value, low, high = metrics.accuracy
    interval = f"[{low:.4f}, {high:.4f}]"
    screen.say(f"Accuracy                    {value:.4f} {interval}", style="bold")
    screen.say(f"Macro F1                    {metrics.macro_f1:.4f}")
    screen.say(f"Log loss                    {metrics.log_loss:.4f}")
    screen.say(f"Expected calibration error  {metrics.expected_calibration_error:.4f}")
    if metrics.rejection is not None:
        for title, figure in zip(
            ("Accepted", "Accuracy if accepted"), metrics.rejection, strict=True
        ):
            screen.say(f"{title:<27} {figure.value:.4f} [{figure.low:.4f}, {figure.high:.4f}]")
    screen.say()
    screen.table(
        ["class", "images", "precision", "recall", "F1"],
        [
            [str(one.label), f"{one.n_images:,}", str(one.precision), str(one.recall), str(one.f1)]
            for one in metrics.classes
        ],
    )
