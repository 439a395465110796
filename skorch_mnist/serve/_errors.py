"""Errors as JSON: a status and one sentence."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

SENTENCES = {
    404: "This server has no such address: it answers /, /predict, /health and /model.",
    405: "The method is not valid here: GET the page, /health and /model, and POST to /predict.",
}


def error_response(
    status: int, sentence: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return an error with its sentence."""
    return JSONResponse({"status": status, "error": sentence}, status, headers)


async def on_http_error(_: Request, error: Exception) -> JSONResponse:
    """Answer an error that was raised on purpose, here or by the router."""
    assert isinstance(error, HTTPException)
    sentence = SENTENCES.get(error.status_code, error.detail)
    return error_response(error.status_code, sentence, dict(error.headers or {}))


async def on_failure(_: Request, error: Exception) -> JSONResponse:
    """Answer an error that nobody expected, which the server logs."""
    return error_response(500, "The server failed to answer: its log says why.")
