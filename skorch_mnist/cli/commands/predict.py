"""The command ``predict``."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..arguments import number_in, some_path
from ..messages import Screen, UsageError, one_line, report
from ..options import OUTPUT, Json
from ..run_folder import MODEL, is_pretrained, load_rejecting

if TYPE_CHECKING:
    from skorch_mnist.classifier import MNISTCNNClassifier
    from skorch_mnist.reading import Digit
    from skorch_mnist.rejection import RejectingClassifier


class Polarity(Enum):
    """Whether ink is darker or lighter than its background."""

    AUTO = "auto"
    DARK_ON_LIGHT = "dark_on_light"
    LIGHT_ON_DARK = "light_on_dark"


Pictures = Annotated[list[str], typer.Argument(metavar="IMAGE", help="Picture files.")]
ModelOption = Annotated[
    Path | None,
    typer.Option(
        metavar="MODEL",
        help="Model file, output folder of train or search, or digits for the classifier that "
        "comes with skorch_mnist [dim](default: digits)[/]",
        parser=some_path,
    ),
]
Page = Annotated[
    bool | None,
    typer.Option(
        "--page/--no-page",
        help="Read several digits in each picture, or only one "
        "[dim](default: decide based on the picture)[/]",
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
Accept = Annotated[
    float | None,
    typer.Option(
        metavar="SHARE",
        help="Fraction of digits to accept. The others, and images that are not digits, are marked "
        "as such. 1 accepts everything [dim](default: value of the classifier, 0.995 for "
        "digits)[/]",
        parser=number_in(float, 0, 1, "a number in [0, 1]"),
    ),
]
Csv = Annotated[
    bool,
    typer.Option("--csv", help="Print comma-separated values.", rich_help_panel=OUTPUT),
]

TABLES = (".csv", ".tsv", ".arff", ".parquet", ".npy", ".npz", ".mat", ".h5", ".hdf5")

EXAMPLES = (
    "skorch-mnist predict seven.jpg photos/*.png",
    "skorch-mnist predict number.jpg sheet.jpg --model skorch_mnist_output --json",
)


def predict(
    images: Pictures,
    model: ModelOption = None,
    page: Page = None,
    polarity: PolarityOption = Polarity.AUTO,
    accept: Accept = None,
    json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Read the digits in pictures: drawings, scans or photographs in any common format."""
    if json and as_csv:
        raise UsageError("--json and --csv cannot be combined")
    check_names(images)
    from skorch_mnist.pictures import NoDigitError
    from skorch_mnist.reading import as_json
    from skorch_mnist.rejection import RejectingClassifier

    screen = Screen(json)
    clf = None if model is None or is_pretrained(model) else load_rejecting(model)
    if accept is not None and not (clf is None or isinstance(clf, RejectingClassifier)):
        raise UsageError(
            f"--accept requires a classifier that rejects images, which {model} does not do"
        )
    digits: list[tuple[str, Digit]] = []
    results: list[dict[str, Any]] = []
    failures = 0
    for name, found in read_all(images, clf, page, polarity.value, accept, quiet=json or as_csv):
        if isinstance(found, ValueError):
            report("error", found)
            failures += 1
        else:
            if not found:
                report("error", NoDigitError(name))
                failures += 1
            digits += [(name, digit) for digit in found]
            results.append(as_json(name, found))
    if as_csv:
        write_csv(digits)
    else:
        write_text(digits, screen)
    screen.result(results)
    if failures == len(images) == 1:
        raise typer.Exit(1)  # the error was reported
    if failures:
        raise RuntimeError(f"{failures} of {len(images)} pictures could not be read")


def check_names(images: list[str]) -> None:
    """Raise a UsageError for a model, a dataset or a folder among the pictures."""
    for name in images:
        path = Path(name)
        if name.endswith(".safetensors") or (path / MODEL).exists() or is_pretrained(path):
            raise UsageError(f"{name} is a model, not a picture: use --model {name}")
        if name.lower().endswith(TABLES):
            raise UsageError(
                f"{name} is a dataset, not a picture: skorch-mnist evaluate reads it if it has "
                "labels, and load_images in Python"
            )
        if path.is_dir():
            raise UsageError(f"{name} is a folder: pass the pictures in it, such as {name}/*")


def read_all(
    names: list[str],
    clf: MNISTCNNClassifier | RejectingClassifier | None,
    page: bool | None,
    polarity: str,
    accept: float | None,
    quiet: bool,
) -> Iterator[tuple[str, list[Digit] | ValueError]]:
    """Yield each file name with its digits or the error, and show a progress bar."""
    from skorch_mnist._progress import TIME_LEFT, Bar
    from skorch_mnist._threads import in_threads
    from skorch_mnist.pictures import PictureError
    from skorch_mnist.reading import read_digits

    def read(name: str) -> list[Digit] | ValueError:
        try:
            return read_digits(
                name,
                classifier=clf,
                page="auto" if page is None else page,
                polarity=polarity,
                accept=accept,
            )
        except PictureError as error:
            return error

    with Bar(
        desc="pictures:",
        total=len(names),
        bar_format=TIME_LEFT,
        disable=quiet or len(names) == 1,
    ) as bar:
        found = in_threads(read, ((name,) for name in names), n_jobs=-1)
        for name, digits in zip(names, found, strict=True):
            bar.update()
            yield name, digits


def write_text(digits: list[tuple[str, Digit]], screen: Screen) -> None:
    """Print a table for people, with the positions of digits if a picture has several."""
    if not digits:
        return
    width = max(len(one_line(name)) for name, _ in digits)
    # A file may be listed twice.
    count = Counter(name for name, _ in {(name, digit.box) for name, digit in digits})
    for name, digit in digits:
        place = " at {:>5} {:>5}".format(*digit.box)
        if max(count.values()) == 1:
            place = ""
        elif count[name] == 1:
            place = " " * len(place)
        if digit.label is None:
            screen.say(f"{one_line(name):<{width}}{place}  not a digit")
        else:
            label = one_line(digit.label)
            screen.say(f"{one_line(name):<{width}}{place}  {label}  {digit.probability:6.1%}")


def write_csv(digits: list[tuple[str, Digit]]) -> None:
    """Print comma-separated values, with the box in four columns; the label can be empty."""
    if sys.stdout is None:
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["image", "label", "probability", "left", "top", "right", "bottom"])
    for name, (label, probability, box) in digits:
        writer.writerow([name, label, probability, *box])
