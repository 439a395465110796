"""The command ``predict``."""

from __future__ import annotations

import csv
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from ..messages import Screen, UsageError, one_line, report
from ..options import OUTPUT, Json, Model
from ..run_folder import load_classifier

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from skorch_mnist.classifier import MNISTCNNClassifier


class Reading(NamedTuple):
    """The prediction for one picture, or for one digit on a page."""

    image: str
    box: list[int] | None  # left, top, right, bottom, of a digit on a page
    label: Any
    probability: float
    runner_up: Any
    runner_up_probability: float


class Polarity(Enum):
    """Whether ink is darker or lighter than its background."""

    AUTO = "auto"
    DARK_ON_LIGHT = "dark_on_light"
    LIGHT_ON_DARK = "light_on_dark"


Pictures = Annotated[list[str], typer.Argument(metavar="IMAGE", help="Picture files.")]
Page = Annotated[
    bool,
    typer.Option("--page", help="Find several digits in each picture, and read them row by row."),
]
PolarityOption = Annotated[
    Polarity,
    typer.Option(
        "--polarity",
        help="Whether ink is darker or lighter than its background [dim](default: auto)[/]",
        show_default=False,
    ),
]
Csv = Annotated[
    bool,
    typer.Option("--csv", help="Print comma-separated values.", rich_help_panel=OUTPUT),
]

EXAMPLES = (
    "skorch-mnist predict skorch_mnist_output seven.jpg photos/*.png",
    "skorch-mnist predict model.safetensors --page --json sheet.jpg",
)


def predict(
    model: Model,
    images: Pictures,
    page: Page = False,
    polarity: PolarityOption = Polarity.AUTO,
    json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Read the digit in each picture, a drawing or photograph in any format that Pillow reads."""
    if json and as_csv:
        raise UsageError("--json and --csv cannot be combined")
    for name in images:
        if Path(name).is_dir():
            raise UsageError(f"{name} is a folder: give the pictures in it, {name}/*")
    screen = Screen(json)
    clf = load_reader(model)
    readings: list[Reading] = []
    failures = 0
    for name in images:
        try:
            readings += read_picture(clf, name, page, polarity.value)
        except ValueError as error:
            report("error", error)
            failures += 1
    if as_csv:
        write_csv(readings)
    else:
        write_text(readings, screen)
    screen.result([reading._asdict() for reading in readings])
    if failures:
        raise RuntimeError(f"{failures} of {len(images)} pictures could not be read")


def load_reader(path: Path) -> MNISTCNNClassifier:
    """Load a classifier, and raise ValueError if it does not take 28x28 images."""
    clf = load_classifier(path)
    if clf.image_shape_ != (1, 28, 28):
        shape = "x".join(map(str, clf.image_shape_))
        raise ValueError(f"{path} reads images of {shape}, but pictures are converted to 1x28x28")
    return clf


def read_picture(clf: MNISTCNNClassifier, name: str, page: bool, polarity: str) -> list[Reading]:
    """Return the readings of a file."""
    from skorch_mnist.pictures import DigitPreprocessor, NoDigitError, find_digits

    if not page:
        images = DigitPreprocessor(polarity=polarity).transform([name])
        return [Reading(name, None, *answer) for answer in answers_of(clf, images)]
    found = find_digits(name, polarity=polarity)
    if not len(found.images):
        raise NoDigitError(name)
    answers = answers_of(clf, found.images)
    boxes = found.boxes.tolist()
    return [Reading(name, box, *answer) for box, answer in zip(boxes, answers, strict=True)]


def answers_of(
    clf: MNISTCNNClassifier, images: NDArray[np.uint8]
) -> list[tuple[Any, float, Any, float]]:
    """Return label, probability, runner-up and its probability of each image."""
    high = clf.pixel_statistics_.high
    scaled = images if high > 1 else images / 255  # the scale the classifier was trained on
    probabilities = clf.predict_proba(scaled)
    order = probabilities.argsort(axis=1)
    answers = []
    for row, (second, first) in zip(probabilities, order[:, -2:], strict=True):
        labels = [clf.classes_[k].item() for k in (first, second)]
        answers.append((labels[0], float(row[first]), labels[1], float(row[second])))
    return answers


def write_text(readings: list[Reading], screen: Screen) -> None:
    """Print a table for people."""
    if not readings:
        return
    width = max(len(one_line(reading.image)) for reading in readings)
    for reading in readings:
        name = one_line(reading.image)
        place = "" if reading.box is None else " at {:>5} {:>5}".format(*reading.box)
        screen.say(
            f"{name:<{width}}{place}  {reading.label}  {reading.probability:6.1%}  "
            f"(or {reading.runner_up}  {reading.runner_up_probability:6.1%})"
        )


def write_csv(readings: list[Reading]) -> None:
    """Print comma-separated values, the box as four columns."""
    if sys.stdout is None:
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    image, _, *rest = Reading._fields
    writer.writerow([image, "left", "top", "right", "bottom", *rest])
    for reading in readings:
        corners: list[Any] = reading.box or [""] * 4
        writer.writerow([reading.image, *corners, *reading[2:]])
