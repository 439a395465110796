"""The server: sockets, and connections with time limits."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import h11
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

IDLE = 10.0  # seconds for the headers of the first or next request to arrive
LONGEST = 120.0  # seconds from the headers to the end of the response
GRACE = 5  # seconds for responses when the server stops
LINGER = 2.0  # seconds for a client to read that its request was refused


class Connection(H11Protocol):
    """A connection that is closed if its client is too slow.

    uvicorn closes connections that are idle after a request, but not those that never send a
    request, or only a part of one.
    """

    _deadline: asyncio.TimerHandle | None = None
    _refused = False

    def connection_made(self, transport: Any) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        # uvicorn sends headers and body separately; otherwise, the body would be delayed by 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._after(IDLE, self._give_up)

    def data_received(self, data: bytes) -> None:
        """Start the time limit of a request when its headers are complete."""
        if self._refused:
            return
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._after(LONGEST, self.transport.abort)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._after(IDLE, self._give_up)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the time limit."""
        super().connection_lost(exc)
        if self._deadline is not None:
            self._deadline.cancel()

    def shutdown(self) -> None:
        """Close the connection when the server stops, if it does not wait for a response."""
        if self.cycle is not None and self.cycle.more_body and not self.cycle.response_complete:
            self.transport.abort()  # the rest of the body may never arrive
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Respond to data that is not an HTTP request."""
        self._refuse(400, "This is not a valid HTTP request.")

    def _give_up(self) -> None:
        if self.conn.trailing_data[0]:  # a part of a request
            self._refuse(408, f"The request did not arrive within {IDLE:g} seconds.")
        else:
            self.transport.abort()

    def _refuse(self, status: int, sentence: str) -> None:
        """Send an error in the same form as the application, and close the connection."""
        self._refused = True
        if self.cycle is not None:  # the application must not respond as well
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):  # a response is being sent
            self.transport.close()
            return
        body = json.dumps({"status": status, "error": sentence}).encode()
        headers = [("content-type", "application/json"), ("connection", "close")]
        for event in (
            h11.Response(status_code=status, headers=headers),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event))
        # If the connection was closed immediately, further data from the client would reset it
        # before the client has read the response.
        with suppress(OSError):  # the client has closed the connection
            self.transport.write_eof()
        self._after(LINGER, self.transport.abort)

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, action)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 selects a free port.

    Raises
    ------
    OSError
        If the address does not belong to this machine, or if the port is in use.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    return socket.create_server(address, family=family, backlog=1024)


def make_server(app: Any) -> Server:
    """Return a server; ``run(sockets=[...])`` runs it until it is interrupted."""
    for name in ("PIL", "python_multipart"):  # they log the content of pictures and forms
        logging.getLogger(name).setLevel(logging.CRITICAL)
    config = Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="error",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )
    return Server(config)
