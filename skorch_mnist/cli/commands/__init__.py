"""The commands, one per file.

Each module has a function of its own name, which typer makes a command of, and ``EXAMPLES``: lines
that its help shows.
"""

from . import cross_validate, evaluate, export, predict, search, train

__all__ = ["COMMANDS"]

COMMANDS = (train, evaluate, predict, cross_validate, search, export)
