"""Read the bodies of requests, within limits, and only into memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

MOST_AT_ONCE = 100  # requests with a body
MOST_HELD = 200_000_000  # bytes of all bodies together
TIMEOUT = 30.0  # seconds for a body to arrive


class Bodies:
    """Reads bodies, and counts the bytes that are in memory."""

    def __init__(self) -> None:
        self._requests = self._held = 0

    @asynccontextmanager
    async def of(self, request: Request, most: int) -> AsyncIterator[bytes]:
        """Yield the body of a request, and count it until the request is answered.

        Raises
        ------
        HTTPException
            400 if the body is incomplete, 408 if it does not arrive in time, 413 if it has more
            than ``most`` bytes, 503 if the server is busy.
        """
        if self._requests >= MOST_AT_ONCE:
            raise busy()
        self._requests += 1
        chunks: list[bytes] = []
        try:
            await self._receive(request, most, chunks)
            yield b"".join(chunks)
        finally:
            self._requests -= 1
            self._held -= sum(map(len, chunks))

    async def _receive(self, request: Request, most: int, chunks: list[bytes]) -> None:
        size = int(request.headers.get("content-length", 0))
        check_size(size, most)
        size = 0
        try:
            async with asyncio.timeout(TIMEOUT):
                async for chunk in request.stream():
                    size += len(chunk)
                    check_size(size, most)
                    if self._held + len(chunk) > MOST_HELD:
                        raise busy()
                    self._held += len(chunk)
                    chunks.append(chunk)
        except TimeoutError as error:
            raise HTTPException(
                408, f"The request did not arrive within {TIMEOUT:g} seconds."
            ) from error
        except ClientDisconnect as error:
            raise HTTPException(400, "The body of the request is incomplete.") from error


def check_size(size: int, most: int) -> None:
    """Raise an HTTPException for a body of more than ``most`` bytes."""
    if size > most:
        raise HTTPException(413, f"This is too large: at most {most:,} bytes can be sent.")


def busy() -> HTTPException:
    """Return the error of a busy server."""
    return HTTPException(503, "The server is busy: try again later.", {"Retry-After": "1"})
