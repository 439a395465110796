"""What the command line borrows from other libraries without a promise of theirs."""

from __future__ import annotations

from typing import Any

__all__ = ["usage_message"]


def usage_message(error: Any) -> str:
    """Return what an error of usage says, as one clause.

    typer puts "Value error, " in front of the message of a ValueError that a parser of ours has
    raised, and has no attribute for the message alone. Without this, errors would say it twice.
    """
    message: str = error.format_message()
    return message.rstrip(".").replace("Value error, ", "")
