"""What the command line says, and how."""

from __future__ import annotations

import io
import re
import sys
from typing import TextIO

PROGRAM = "skorch-mnist"


def say(text: str) -> None:
    """Print to standard output, whatever letters it lacks."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def report(kind: str, message: object) -> None:
    """Print one line to standard error."""
    print(f"{PROGRAM}: {kind}: {one_line(message)}", file=sys.stderr)


def one_line(message: object) -> str:
    """Return ``message`` without line breaks."""
    return " ".join(str(message).split())


class Plain(io.TextIOBase):
    """A stream that passes text on, if there is another, without colours but to a terminal."""

    COLOURS = re.compile(r"\x1b\[[0-9;]*m")

    def __init__(self, stream: TextIO | None) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write ``text``."""
        if self.stream is not None:
            encoding = getattr(self.stream, "encoding", None) or "utf-8"
            text = text.encode(encoding, "backslashreplace").decode(encoding)
            self.stream.write(text if self.stream.isatty() else self.COLOURS.sub("", text))
            self.stream.flush()
        return len(text)
