"""Read forms of type multipart/form-data in memory, without writing files."""

from __future__ import annotations

from typing import Any, NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.exceptions import HTTPException

MOST_PARTS = 10


class Upload(NamedTuple):
    """A file in a form."""

    name: str
    content: bytes


def upload_in(body: bytes, content_type: str) -> Upload:
    """Return the file in a form.

    Raises
    ------
    HTTPException
        400 if the form is not valid, or does not have exactly one file.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    form = _Form()
    try:
        parser = MultipartParser(boundary, form.callbacks())  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise HTTPException(400, "The form is not valid multipart/form-data.") from error
    if len(form.uploads) != 1:
        raise HTTPException(400, f"The form has {len(form.uploads)} files: send one picture.")
    return form.uploads[0]


class _Form:
    """Collects the files of a form while it is parsed."""

    def __init__(self) -> None:
        self.uploads: list[Upload] = []
        self._parts = 0
        self._name = self._value = self._disposition = self._content = bytearray()

    def callbacks(self) -> dict[str, Any]:
        """Return the callbacks for the parser."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_part_data": lambda data, start, end: self._content.extend(data[start:end]),
            "on_part_end": self._end,
        }

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise FormParserError(f"more than {MOST_PARTS} parts")
        self._name, self._value = bytearray(), bytearray()
        self._disposition, self._content = bytearray(), bytearray()

    def _end_header(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        self._name, self._value = bytearray(), bytearray()

    def _end(self) -> None:
        name = parse_options_header(bytes(self._disposition))[1].get(b"filename")
        if name is not None:
            self.uploads.append(Upload(name.decode(errors="replace"), bytes(self._content)))
