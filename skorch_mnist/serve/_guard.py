"""Checks of the origin of requests, and headers that restrict browsers."""

from __future__ import annotations

import re
import socket
from ipaddress import ip_address
from typing import Any

from starlette.datastructures import Headers, MutableHeaders

from ._errors import error_response

HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^\s:/@\[\]]+)(:\d{1,5})?")
# The page can only load its own files and connect to its own server. It shows the picture that a
# user has selected from memory.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Guard:
    """Refuses requests for other hosts and from other origins, and adds headers for browsers.

    Without the first check, another website could point its domain name to this machine (DNS
    rebinding), and read the responses of this server; numeric addresses are safe. Without the
    second check, another website could send requests on behalf of its visitors.

    Parameters
    ----------
    app : ASGI application
    host : str
        The name or address that the server listens on.
    """

    def __init__(self, app: Any, host: str) -> None:
        self.app = app
        self.on_loopback = is_loopback(host)
        self.names = {host.lower(), "localhost"}
        if not self.on_loopback:
            machine = socket.gethostname().lower()
            self.names |= {machine, f"{machine.partition('.')[0]}.local"}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._refusal(Headers(scope=scope))
        app = self.app if refusal is None else error_response(403, refusal)
        await app(scope, receive, send_with_headers)

    def _refusal(self, headers: Headers) -> str | None:
        host = headers.get("host", "").lower()
        match = HOST.fullmatch(host)
        if match is None or not self._is_ours(match["name"]):
            return (
                "The Host header is not valid: use localhost, or the name or address of the server."
            )
        origin = headers.get("origin", "").lower()
        if origin and origin not in (f"http://{host}", f"https://{host}"):
            return "The request comes from another website, which is not allowed."
        return None

    def _is_ours(self, name: str) -> bool:
        try:
            address = ip_address(name.strip("[]"))
        except ValueError:
            return name in self.names
        return address.is_loopback or not self.on_loopback


def is_loopback(host: str) -> bool:
    """Whether a host is reachable only from this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
