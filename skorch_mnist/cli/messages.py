"""Printing: text, tables, JSON and error lines."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

PROGRAM = "skorch-mnist"
WIDE = 1000  # columns, so that nothing is truncated; the terminal wraps long lines


class UsageError(ValueError):
    """Raised if the command line is not valid; the exit status is 2."""


class InterruptedRunError(RuntimeError):
    """Raised if a run was interrupted; the exit status is 130."""


class Screen:
    """Standard output: text and tables for people, or only JSON for programs.

    Parameters
    ----------
    as_json : bool, default=False
        Whether only ``result`` prints, instead of ``say`` and ``table``.
    """

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json

    @property
    def console(self) -> Console:
        """The rich console, with colors only on a terminal, unless NO_COLOR is set."""
        from rich.console import Console

        return Console(markup=False, highlight=False, soft_wrap=True, width=WIDE)

    def say(self, text: str = "", style: str | None = None) -> None:
        """Print a line."""
        if not self.as_json:
            with above_bars():
                self.console.print(text, style=style)

    def table(
        self,
        header: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        left: Sequence[str] = (),
        bold_row: int | None = None,
    ) -> None:
        """Print a table; the first column and those in ``left`` are left-aligned."""
        from rich.table import Table

        if self.as_json:
            return
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
        for number, name in enumerate(header):
            to_right = number > 0 and name not in left
            table.add_column(name, justify="right" if to_right else "left", no_wrap=True)
        for number, row in enumerate(rows):
            table.add_row(*row, style="bold green" if number == bold_row else None)
        with above_bars():
            self.console.print(table)

    def result(self, value: Any) -> None:
        """Print a result as JSON."""
        if self.as_json and sys.stdout is not None:
            print(json.dumps(value, indent=1, ensure_ascii=False), flush=True)


def report(kind: str, message: object) -> None:
    """Print one line to standard error, above progress bars."""
    if sys.stderr is not None:
        with above_bars():
            print(f"{PROGRAM}: {kind}: {one_line(message)}", file=sys.stderr)


def above_bars() -> Any:
    """Return a context that hides progress bars while something is printed."""
    from tqdm.std import tqdm

    return tqdm.external_write_mode(file=sys.stdout)


def one_line(message: object) -> str:
    """Return ``message`` without line breaks, and with control characters escaped."""
    line = " ".join(str(message).split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def show_all_letters() -> None:
    """Escape characters that standard output or standard error cannot encode."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
