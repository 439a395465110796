"""Errors as JSON: a status and one sentence."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

SENTENCES = {
    404: "This address does not exist. Valid addresses: /, /predict, /health and /model.",
    405: "This method is not allowed here. Use GET for /, /health and /model, POST for /predict.",
}


def error_response(
    status: int, sentence: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return an error with its sentence."""
    return JSONResponse({"status": status, "error": sentence}, status, headers)


async def on_http_error(_: Request, error: Exception) -> JSONResponse:
    """Respond to an HTTPException, from our code or from the router."""
    assert isinstance(error, HTTPException)
    sentence = SENTENCES.get(error.status_code, error.detail)
    return error_response(error.status_code, sentence, dict(error.headers or {}))


async def on_failure(_: Request, error: Exception) -> JSONResponse:
    """Respond to an unexpected error, which the server logs."""
    return error_response(500, "An internal error occurred. See the log of the server.")
