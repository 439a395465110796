"""The command line: ``skorch-mnist``, or ``python -m skorch_mnist``."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer

from skorch_mnist import __version__

from ._compat import usage_message
from .commands import COMMANDS
from .messages import PROGRAM, InterruptedRunError, UsageError, report, show_all_letters

__all__ = ["main"]

Version = Annotated[bool, typer.Option("--version", help="Show the version and exit.")]


def describe(context: typer.Context, version: Version = False) -> None:
    """Train, test and use a convolutional network on MNIST and datasets shaped like it."""
    if version:
        print(f"{PROGRAM} {__version__}")
    elif context.invoked_subcommand is None:
        context.fail("missing command")


def make_app() -> typer.Typer:
    """Return the application with all commands."""
    app = typer.Typer(
        rich_markup_mode="rich", context_settings={"help_option_names": ["-h", "--help"]}
    )
    app.callback(invoke_without_command=True)(describe)
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2]
        examples = "\n\n".join(["Examples:", *(f"$ {line}" for line in module.EXAMPLES)])
        app.command(name.replace("_", "-"), epilog=examples)(getattr(module, name))
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str or None, default=None
        Arguments. If None, those of the process.

    Returns
    -------
    int
        Exit status: 0 for success, 1 for failure, 2 for invalid arguments, 130 if interrupted.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    show_all_letters()
    command = typer.main.get_command(make_app())
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: report("warning", message)
            status = command.main(arguments, prog_name=PROGRAM, standalone_mode=False)
    except typer.TyperException as error:  # invalid arguments
        context = getattr(error, "ctx", None)
        place = PROGRAM if context is None else context.command_path
        report("error", f"{usage_message(error)} (see {place} --help)")
        return error.exit_code
    except UsageError as error:
        report("error", f"{str(error).rstrip('.')} (see {PROGRAM} {arguments[0]} --help)")
        return 2
    except InterruptedRunError as error:
        report("interrupted", error)
        return 130
    except BrokenPipeError:  # the program that reads our output, such as head, has exited
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except SystemExit as end:
        return int(end.code or 0)
    except (ImportError, MemoryError, OSError, RuntimeError, ValueError) as error:
        report("error", error)
        return 1
    if status == 130:
        report("interrupted", "nothing was written")
    return status or 0
