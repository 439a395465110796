"""The command line: ``skorch-mnist``, or ``python -m skorch_mnist``."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence

from skorch_mnist import __version__

from ._arguments import Parser
from ._messages import PROGRAM, report
from ._predict import add_predict
from ._train import add_train

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str or None, default=None
        Arguments; None takes those of the process.

    Returns
    -------
    int
        Exit status: 0 done, 1 failed, 2 bad arguments, 130 interrupted.
    """
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: report("warning", message)
            args = build_parser().parse_args(argv)
            args.command(args)
    except SystemExit as leave:  # argparse: 0 after --help, 2 after an error
        return int(leave.code or 0)
    except KeyboardInterrupt as interrupt:
        report("error", ": ".join(["interrupted", *map(str, interrupt.args)]))
        return 130
    except BrokenPipeError:  # the reader of our output, such as head, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ImportError, MemoryError, OSError, RuntimeError, ValueError) as error:
        report("error", error)
        return 1
    return 0


def build_parser() -> Parser:
    """Return the parser of all commands."""
    parser = Parser(
        prog=PROGRAM, description=sys.modules["skorch_mnist"].__doc__, allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_train(commands)
    add_predict(commands)
    return parser
