"""The command ``predict``."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ._messages import Plain, one_line, report, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from skorch_mnist.classifier import MNISTCNNClassifier

_EXAMPLE = """\
example:
  skorch-mnist train
  skorch-mnist predict skorch_mnist_output/model.safetensors seven.jpg photos/*.png"""


class Reading(NamedTuple):
    """What was read from one picture, or from one digit on a page."""

    image: str
    box: list[int] | None  # left, top, right, bottom, of a digit on a page
    label: Any
    probability: float
    runner_up: Any
    runner_up_probability: float


def add_predict(commands: Any) -> None:
    """Add the command ``predict``."""
    predict = commands.add_parser(
        "predict",
        help="read the digits in pictures",
        description="Read the digit in each picture, a drawing or photograph in any format that "
        "Pillow reads, with a classifier that train, or MNISTCNNClassifier.save, has written.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    predict.set_defaults(command=run_predict)
    predict.add_argument("model", type=Path, metavar="MODEL", help="file of the classifier")
    predict.add_argument("images", nargs="+", metavar="IMAGE", help="files of pictures")
    predict.add_argument(
        "--page", action="store_true",
        help="find several digits in each picture, and read them row by row",
    )  # fmt: skip
    predict.add_argument(
        "--polarity",
        choices=["auto", "dark_on_light", "light_on_dark"],
        default="auto",
        help="whether ink is darker or lighter than its ground (default: auto)",
    )
    form = predict.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="write a JSON array")
    form.add_argument("--csv", action="store_true", help="write comma-separated values")


def run_predict(args: argparse.Namespace) -> None:
    """Read every picture that can be read, then fail if one could not."""
    clf = load_classifier(args.model)
    readings: list[Reading] = []
    failures = 0
    for name in args.images:
        try:
            readings += read_picture(clf, name, args.page, args.polarity)
        except ValueError as error:
            report("error", error)
            failures += 1
    if args.json:
        say(json.dumps([reading._asdict() for reading in readings], indent=1))
    elif args.csv:
        write_csv(readings)
    else:
        write_text(readings)
    if failures:
        raise RuntimeError(f"{failures} of {len(args.images)} pictures could not be read")


def load_classifier(path: Path) -> MNISTCNNClassifier:
    """Load a classifier, and raise ValueError if it does not take images like MNIST's."""
    from skorch_mnist.classifier import MNISTCNNClassifier

    try:
        clf = MNISTCNNClassifier.load(path)
    except OSError as error:
        raise OSError(f"the model {path} cannot be read: {error.strerror or error}") from error
    if clf.image_shape_ != (1, 28, 28):
        shape = "x".join(map(str, clf.image_shape_))
        raise ValueError(f"{path} reads images of {shape}, but pictures are made 1x28x28, as MNIST")
    return clf


def read_picture(clf: MNISTCNNClassifier, name: str, page: bool, polarity: str) -> list[Reading]:
    """Return what the classifier reads in a file."""
    from skorch_mnist.pictures import DigitPreprocessor, PictureError, find_digits
    from skorch_mnist.pictures._preprocessor import no_digit

    if not page:
        images = DigitPreprocessor(polarity=polarity).transform([name])
        return [Reading(name, None, *answer) for answer in answers_of(clf, images)]
    found = find_digits(name, polarity=polarity)
    if not len(found.images):
        raise PictureError(no_digit(name))
    answers = answers_of(clf, found.images)
    boxes = found.boxes.tolist()
    return [Reading(name, box, *answer) for box, answer in zip(boxes, answers, strict=True)]


def answers_of(
    clf: MNISTCNNClassifier, images: NDArray[np.uint8]
) -> list[tuple[Any, float, Any, float]]:
    """Return label, probability, runner-up and its probability of each image."""
    high = clf.pixel_statistics_.high
    scaled = images if high > 1 else images / 255  # as the classifier knows them
    probabilities = clf.predict_proba(scaled)
    order = probabilities.argsort(axis=1)
    answers = []
    for row, (second, first) in zip(probabilities, order[:, -2:], strict=True):
        labels = [clf.classes_[k].item() for k in (first, second)]
        answers.append((labels[0], float(row[first]), labels[1], float(row[second])))
    return answers


def write_text(readings: list[Reading]) -> None:
    """Print a table for people."""
    if not readings:
        return
    width = max(len(one_line(reading.image)) for reading in readings)
    for reading in readings:
        name = one_line(reading.image)
        place = "" if reading.box is None else " at {:>5} {:>5}".format(*reading.box)
        say(
            f"{name:<{width}}{place}  {reading.label}  {reading.probability:6.1%}  "
            f"(or {reading.runner_up}  {reading.runner_up_probability:6.1%})"
        )


def write_csv(readings: list[Reading]) -> None:
    """Print comma-separated values, the box as four columns."""
    writer = csv.writer(Plain(sys.stdout), lineterminator="\n")
    image, _, *rest = Reading._fields
    writer.writerow([image, "left", "top", "right", "bottom", *rest])
    for reading in readings:
        corners: list[Any] = reading.box or [""] * 4
        writer.writerow([reading.image, *corners, *reading[2:]])
