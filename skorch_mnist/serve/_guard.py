"""The guard of the server: who may send requests, and what browsers may do with the answers."""

from __future__ import annotations

import re
import socket
from ipaddress import ip_address
from typing import Any

from starlette.datastructures import Headers, MutableHeaders

from ._errors import error_response

HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^\s:/@\[\]]+)(:\d{1,5})?")
# The page loads its own files and talks to its own server, nothing else. The picture that a user
# chose is shown from memory.
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

    Without the first check, a page of a stranger could point its own name to this machine (DNS
    rebinding), and so read what this server answers. Addresses of numbers cannot be pointed
    elsewhere. Without the second, a page could send requests in the name of its visitors.

    Parameters
    ----------
    app : ASGI application
    host : str
        What the server listens on, a name or an address.
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
            return "The header Host names another server: use the address that the server printed."
        origin = headers.get("origin", "").lower()
        if origin and origin not in (f"http://{host}", f"https://{host}"):
            return "The request comes from a page of another server."
        return None

    def _is_ours(self, name: str) -> bool:
        try:
            address = ip_address(name.strip("[]"))
        except ValueError:
            return name in self.names
        return address.is_loopback or not self.on_loopback


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches a host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
