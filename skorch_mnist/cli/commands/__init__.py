"""The commands, one per file.

Each module defines a function with the name of the module, which becomes the command, and
``EXAMPLES``, which its help shows.
"""

from . import cross_validate, evaluate, export, predict, search, serve, train

__all__ = ["COMMANDS"]

COMMANDS = (train, evaluate, predict, cross_validate, search, export, serve)
