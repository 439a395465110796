"""Parsers of single arguments, and their completion in shells."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

from .config import RECIPES
from .named_data import NAMES


class Backend(Enum):
    """The backend that runs several training runs at the same time."""

    LOKY = "loky"
    DASK = "dask"


def some_text(text: str) -> str:
    """Parse a string; refuse an empty one, which an unset shell variable produces."""
    if not text:
        raise ValueError("the value is empty: give a name, file or folder")
    return text


def some_path(text: str) -> Path:
    """Parse the path of a file or folder."""
    return Path(some_text(text))


def n_processes(text: str) -> int:
    """Parse a number of processes."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number == 0:
        raise ValueError(
            f"{text!r} is not valid: give a number of processes, or -1 for one per core"
        )
    return number


def number_in(
    kind: Callable[[str], float], least: float, most: float, valid: str
) -> Callable[[str], Any]:
    """Return a parser of numbers in a range, which ``valid`` describes in its message."""

    def parse(text: str) -> float:
        try:
            number = kind(text)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            raise ValueError(f"{text!r} is not valid: it must be {valid}")
        return number

    return parse


def complete_dataset(incomplete: str) -> list[str]:
    """Return the dataset names with this prefix; the shell completes paths."""
    return [name for name in NAMES if name.startswith(incomplete)]


def complete_parameter(incomplete: str) -> list[str]:
    """Return the parameter assignments with this prefix."""
    from skorch_mnist.classifier import MNISTCNNClassifier

    names = [*MNISTCNNClassifier().get_params(deep=False), "module__dropout"]
    return [f"{name}=" for name in names if name.startswith(incomplete)]


def complete_recipe(incomplete: str) -> list[str]:
    """Return the recipe names with this prefix."""
    return [name for name in RECIPES if name.startswith(incomplete)]
