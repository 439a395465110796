"""The command ``predict``."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterator
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
    """The prediction for one digit."""

    image: str
    box: list[int]  # left, top, right, bottom in the upright picture
    label: Any
    probability: float
    runner_up: Any
    runner_up_probability: float


class Digits(NamedTuple):
    """What was found in one file, without the crops, which take memory."""

    boxes: NDArray[np.int64]
    images: NDArray[np.uint8]


class Polarity(Enum):
    """Whether ink is darker or lighter than its background."""

    AUTO = "auto"
    DARK_ON_LIGHT = "dark_on_light"
    LIGHT_ON_DARK = "light_on_dark"


Pictures = Annotated[list[str], typer.Argument(metavar="IMAGE", help="Picture files.")]
Page = Annotated[
    bool | None,
    typer.Option(
        "--page/--no-page",
        help="Read several digits in each picture row by row, or a single one "
        "[dim](default: decide from the picture)[/]",
        show_default=False,
    ),
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
    "skorch-mnist predict model.safetensors --json number.jpg sheet.jpg",
)


def predict(
    model: Model,
    images: Pictures,
    page: Page = None,
    polarity: PolarityOption = Polarity.AUTO,
    json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Read the digits in each picture, a drawing or photograph in any format that Pillow reads."""
    if json and as_csv:
        raise UsageError("--json and --csv cannot be combined")
    for name in images:
        if Path(name).is_dir():
            raise UsageError(f"{name} is a folder: give the pictures in it, {name}/*")
    screen = Screen(json)
    clf = load_reader(model)
    readings: list[Reading] = []
    failures = 0
    for name, found in found_in(images, page, polarity.value, quiet=json or as_csv):
        if isinstance(found, ValueError):
            report("error", found)
            failures += 1
        else:
            readings += read_digits(clf, name, *found)
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


def found_in(
    names: list[str], page: bool | None, polarity: str, quiet: bool
) -> Iterator[tuple[str, Digits | ValueError]]:
    """Yield the name of each file and its digits, or why there are none, with a progress bar."""
    from skorch_mnist._progress import TIME_LEFT, Bar, is_watched
    from skorch_mnist._threads import in_threads
    from skorch_mnist.pictures import NoDigitError, find_digits

    def find(name: str) -> Digits | ValueError:
        try:
            found = find_digits(name, page="auto" if page is None else page, polarity=polarity)
        except ValueError as error:
            return error
        return Digits(found.boxes, found.images) if len(found.images) else NoDigitError(name)

    with Bar(
        desc="pictures:",
        total=len(names),
        bar_format=TIME_LEFT,
        leave=False,
        disable=quiet or len(names) == 1 or not is_watched(),
    ) as bar:
        found = in_threads(find, ((name,) for name in names), n_jobs=-1)
        for name, digits in zip(names, found, strict=True):
            bar.update()
            yield name, digits


def read_digits(
    clf: MNISTCNNClassifier, name: str, boxes: NDArray[np.int64], images: NDArray[np.uint8]
) -> list[Reading]:
    """Return the reading of each digit in a file."""
    answers = answers_of(clf, images)
    return [Reading(name, box, *a) for box, a in zip(boxes.tolist(), answers, strict=True)]


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
    """Print a table for people, with the positions of digits if a picture has several."""
    if not readings:
        return
    width = max(len(one_line(reading.image)) for reading in readings)
    places = {(reading.image, *reading.box) for reading in readings}  # a file may be named twice
    count = Counter(image for image, *_ in places)
    for reading in readings:
        name = one_line(reading.image)
        place = " at {:>5} {:>5}".format(*reading.box)
        if max(count.values()) == 1:
            place = ""
        elif count[reading.image] == 1:
            place = " " * len(place)
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
        writer.writerow([reading.image, *reading.box, *reading[2:]])
