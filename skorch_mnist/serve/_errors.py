"""Errors as JSON: a status and one sentence."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse


def error_response(
    status: int, sentence: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return an error with its sentence."""
    return JSONResponse({"status": status, "error": sentence}, status, headers)


async def on_http_error(request: Request, error: Exception) -> JSONResponse:
    """Respond to an HTTPException, from our code or from the router."""
    assert isinstance(error, HTTPException)
    sentence, headers = error.detail, dict(error.headers or {})
    if error.status_code == 404:
        addresses = [route.path for route in request.app.routes if "." not in route.path]
        sentence = f"This address does not exist: the addresses are {', '.join(addresses)}."
    elif error.status_code == 405:
        sentence = f"This address does not support this method: use {headers['Allow']}."
    return error_response(error.status_code, sentence, headers)


async def on_failure(_: Request, error: Exception) -> JSONResponse:
    """Respond to an unexpected error, which the server logs."""
    return error_response(500, "An internal error occurred: see the log of the server.")
