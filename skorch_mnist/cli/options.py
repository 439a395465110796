"""Options that several commands share."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from .arguments import (
    Backend,
    complete_dataset,
    complete_parameter,
    complete_recipe,
    n_processes,
    number_in,
    some_path,
    some_text,
)
from .config import RECIPES, Config, Source, read_config
from .data import resolved
from .messages import UsageError

DATA, TRAINING, OUTPUT = "Data", "Training", "Output"


def shorthand(meaning: str, default: str, metavar: str) -> Any:
    """Return the option for a single parameter."""
    return typer.Option(
        help=f"{meaning} [dim](default: {default})[/]", metavar=metavar, rich_help_panel=TRAINING
    )


def output_dir(default: str) -> Any:
    """Return the option for the output folder."""
    return typer.Option(
        "--output-dir",
        metavar="FOLDER",
        help=f"Output folder, created if missing [dim](default: {default})[/]",
        parser=some_path,
        show_default=False,
        rich_help_panel=OUTPUT,
    )


def folds(default: int) -> Any:
    """Return the option for the number of folds."""
    return typer.Option(
        "--folds",
        parser=number_in(int, 2, math.inf, "an integer of 2 or more"),
        metavar="N",
        help=f"Number of folds of the training images [dim](default: {default})[/]",
        rich_help_panel=TRAINING,
    )


Json = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON.", rich_help_panel=OUTPUT)
]
Resume = Annotated[
    bool | None,
    typer.Option(
        "--resume/--no-resume",
        help="Resume the interrupted run in the output folder, with the same options and data, or "
        "start over.",
        show_default=False,
        rich_help_panel=OUTPUT,
    ),
]
NJobs = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Number of processes that train at the same time; -1 means one per core "
        "[dim](default: 1)[/]",
        parser=n_processes,
        rich_help_panel=TRAINING,
    ),
]
BackendOption = Annotated[
    Backend,
    typer.Option(
        "--backend",
        help="Train in processes on this machine (loky) or on a cluster (dask) "
        "[dim](default: loky)[/]",
        show_default=False,
        rich_help_panel=TRAINING,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Address of the Dask scheduler, such as tcp://10.0.0.1:8786.",
        parser=some_text,
        rich_help_panel=TRAINING,
    ),
]
Model = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL",
        help="Model file, output folder of train or search, or digits for the classifier that "
        "comes with skorch_mnist.",
        parser=some_path,
        show_default=False,
    ),
]


DataHome = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder for datasets that are loaded by name [dim](default: $SKORCH_MNIST_HOME, or "
        "your cache folder)[/]",
        parser=some_path,
        rich_help_panel=DATA,
    ),
]
Preprocess = Annotated[
    bool | None,
    typer.Option(
        "--preprocess",
        help="Convert drawings and photographs of any size to the form of MNIST. They must be in "
        "one folder for each class.",
        rich_help_panel=DATA,
    ),
]
Label = Annotated[
    str | None,
    typer.Option(
        metavar="NAME_OR_NUMBER",
        help="Location of the labels in your own images, if they are not found: the name or number "
        "of a column, where -1 is the last one, or the number of a part of the file names.",
        parser=some_text,
        rich_help_panel=DATA,
    ),
]


@dataclass
class TrainingOptions:
    """The data and parameters of a training run."""

    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="mnist, fashion-mnist, kmnist, qmnist, emnist-SPLIT or digits; the path of your "
            "own images, such as a CSV file, a folder of IDX files, or a folder of pictures by "
            "class; or auto for MNIST if available, else digits [dim](default: auto)[/]",
            parser=some_text,
            autocompletion=complete_dataset,
            rich_help_panel=DATA,
        ),
    ] = None
    test_dataset: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="Path of your own test images, if they are separate [dim](default: a fifth of "
            "the dataset, unless it has test images)[/]",
            parser=some_text,
            rich_help_panel=DATA,
        ),
    ] = None
    data_home: DataHome = None
    preprocess: Preprocess = None
    label: Label = None
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Set of tuned parameters: {', '.join(RECIPES)}.",
            autocompletion=complete_recipe,
            rich_help_panel=TRAINING,
        ),
    ] = None
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Set any parameter of MNISTCNNClassifier, such as module__dropout=0.3, "
            "augment=affine, optimizer=AdamW or train_split=none. Can be repeated.",
            autocompletion=complete_parameter,
            rich_help_panel=TRAINING,
        ),
    ] = None
    max_epochs: Annotated[str | None, shorthand("Number of epochs.", "10", "N")] = None
    lr: Annotated[str | None, shorthand("Learning rate.", "0.001", "RATE")] = None
    batch_size: Annotated[str | None, shorthand("Images per batch.", "64", "N")] = None
    random_state: Annotated[str | None, shorthand("Random seed.", "0", "SEED")] = None
    device: Annotated[
        str | None, shorthand("auto, cpu, cuda, cuda:NUMBER or mps.", "auto", "DEVICE")
    ] = None
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.toml",
            help="Read data and parameters from a file, such as config.toml of an earlier run. "
            "Options override it.",
            parser=some_path,
            rich_help_panel=TRAINING,
        ),
    ] = None

    def read(self) -> Config:
        """Return the configuration; raise a UsageError if it is not valid."""
        names = ("max_epochs", "lr", "batch_size", "random_state", "device")
        shorthands = {name: getattr(self, name) for name in names}
        source = {name: getattr(self, name) for name in Source._fields}
        if self.data_home is not None:
            source["data_home"] = str(self.data_home)
        with usage_errors():
            config = read_config(
                self.config, self.recipe, self.assignments or (), shorthands, source
            )
        return config._replace(source=resolved(config.source))


@contextmanager
def usage_errors() -> Iterator[None]:
    """Turn a ValueError into a UsageError, with exit status 2."""
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error)) from error


def with_options(options: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Replace the first argument of a command with one option per field of ``options``."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        fields = [field.name for field in dataclasses.fields(options)]
        hints = get_type_hints(options, include_extras=True)
        own = get_type_hints(command, include_extras=True)
        _, *others = inspect.signature(command).parameters.values()
        shared = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hints[name]
            )
            for name in fields
        ]
        rest = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=own[parameter.name])
            for parameter in others
        ]

        @functools.wraps(command)
        def wrapper(**given: Any) -> None:
            of_options = {name: given.pop(name) for name in fields}
            command(options(**of_options), **given)

        wrapper.__signature__ = inspect.Signature([*shared, *rest])  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in (*shared, *rest)}
        return wrapper

    return decorate
