"""How single arguments are parsed, and completed in shells."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from .config import RECIPES
from .named_data import NAMES


class Backend(Enum):
    """What runs several training runs at the same time."""

    LOKY = "loky"
    DASK = "dask"


def some_text(text: str) -> str:
    """Parse a string; that of an unset shell variable is empty."""
    if not text:
        raise ValueError("an empty string is not a name, file or folder")
    return text


def some_path(text: str) -> Path:
    """Parse the name of a file or folder."""
    return Path(some_text(text))


def n_processes(text: str) -> int:
    """Parse a number of processes."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number == 0:
        raise ValueError(f"{text!r} is not a number of processes: give 1, 2... or -1 for all")
    return number


def complete_dataset(incomplete: str) -> list[str]:
    """Return the names of datasets that begin so; the shell knows the paths."""
    return [name for name in NAMES if name.startswith(incomplete)]


def complete_parameter(incomplete: str) -> list[str]:
    """Return the assignments of parameters that begin so."""
    from skorch_mnist.classifier import MNISTCNNClassifier

    names = [*MNISTCNNClassifier().get_params(deep=False), "module__dropout"]
    return [f"{name}=" for name in names if name.startswith(incomplete)]


def complete_recipe(incomplete: str) -> list[str]:
    """Return the names of recipes that begin so."""
    return [name for name in RECIPES if name.startswith(incomplete)]
