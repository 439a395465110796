"""Undocumented behavior of other libraries that the command line depends on."""

from __future__ import annotations

from typing import Any

__all__ = ["usage_message"]


def usage_message(error: Any) -> str:
    """Return the message of a usage error as one clause.

    typer prefixes the message of a ValueError from one of our parsers with "Value error, ", and
    does not provide the original message. Without this, the prefix would appear in our error lines.
    """
    message: str = error.format_message()
    return message.rstrip(".").replace("Value error, ", "")
