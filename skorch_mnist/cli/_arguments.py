"""The kinds of arguments that commands take."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from ._messages import report


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print the error and leave with status 2."""
        report("error", f"{message} (see {self.prog} --help)")
        self.exit(2)


def whole_number(low: int, high: int | None = None) -> Callable[[str], int]:
    """Return a parser of whole numbers of at least ``low`` and at most ``high``."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if number < low or (high is not None and number > high):
            limits = f"at least {low}" if high is None else f"in {low}..{high}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {limits}")
        return number

    return parse


def positive_number(text: str) -> float:
    """Parse a finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def folder(text: str) -> Path:
    """Parse the name of a folder; the empty text of an unset shell variable is none."""
    if not text:
        raise argparse.ArgumentTypeError("an empty text is no folder")
    return Path(text)


def device_name(text: str) -> str:
    """Parse the name of a device that this machine has."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", text):  # torch knows some without weights
        raise argparse.ArgumentTypeError(f"{text!r} is not auto, cpu, cuda, cuda:NUMBER or mps")
    from skorch_mnist.devices import resolve_device

    try:
        resolve_device(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text
