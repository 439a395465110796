"""The application: the page and the API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any

from joblib import effective_n_jobs
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ._bodies import Bodies, busy
from ._errors import on_failure, on_http_error
from ._examples import Examples
from ._form import upload_in
from ._guard import Guard
from ._reader import MOST_PIXELS, Reader, json_object

MOST_PICTURE = 20_000_000  # bytes of a picture, as a file or in a form
MOST_JSON = 5_000_000  # bytes; parsed, they may take twenty times as much memory
PATIENCE = 60.0  # seconds for a response
PAGE = {  # files of the page by address
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


def make_app(reader: Reader, host: str, examples: Examples | None) -> Guard:
    """Return the application.

    Parameters
    ----------
    reader : Reader
    host : str
        The name or address that the server listens on.
    examples : Examples or None
        Folder for digits that users correct.
    """
    api = Api(reader, examples)
    routes = [
        *(Route(address, file_of_page(*file)) for address, file in PAGE.items()),
        Route("/health", api.health),
        Route("/model", api.model),
        Route("/predict", api.predict, methods=["POST"]),
    ]
    if examples is not None:
        routes.append(Route("/examples", api.keep, methods=["POST"]))
    handlers: Any = {HTTPException: on_http_error, Exception: on_failure}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return Guard(app, host)


def file_of_page(name: str, media_type: str) -> Callable[[Request], Response]:
    """Return an endpoint that responds with a file of the page."""
    content = (files("skorch_mnist.serve") / "page" / name).read_bytes()

    async def answer(_: Request) -> Response:
        return Response(content, media_type=media_type)

    return answer  # type: ignore[return-value]


class Api:
    """Endpoints of the API.

    Parameters
    ----------
    reader : Reader
    examples : Examples or None
    """

    def __init__(self, reader: Reader, examples: Examples | None) -> None:
        self._reader, self._examples, self._bodies = reader, examples, Bodies()
        n_cores = effective_n_jobs(-1)
        # Arrays take milliseconds, and should not wait for pictures.
        self._for_pictures = ThreadPoolExecutor(n_cores)
        self._for_arrays = ThreadPoolExecutor(n_cores)

    async def health(self, _: Request) -> Response:
        """Report that the server is running."""
        return JSONResponse({"status": "ok"})

    async def model(self, _: Request) -> Response:
        """Describe the classifier, and the limits for requests."""
        return JSONResponse(
            self._reader.about
            | {
                "limits": {"bytes": MOST_PICTURE, "pixels": MOST_PIXELS},
                "keeps_examples": self._examples is not None,
            }
        )

    async def predict(self, request: Request) -> Response:
        """Read a picture or arrays."""
        content_type = request.headers.get("content-type", "")
        kind = content_type.partition(";")[0].strip().lower()
        with_details = details_in(request)
        if kind == "application/json":
            if with_details:
                raise HTTPException(400, "details is only for pictures, not for arrays.")
            async with self._bodies.of(request, MOST_JSON) as body:
                return await in_thread(self._for_arrays, self._reader.instances, body)
        async with self._bodies.of(request, MOST_PICTURE) as body:
            name, content = (None, body)
            if kind == "multipart/form-data":
                name, content = upload_in(body, content_type)
            return await in_thread(
                self._for_pictures, self._reader.picture, name, content, with_details
            )

    async def keep(self, request: Request) -> Response:
        """Save the image of a digit that a user corrected."""
        assert self._examples is not None
        async with self._bodies.of(request, MOST_JSON) as body:
            return await in_thread(self._for_arrays, self._examples.keep, json_object(body))


def details_in(request: Request) -> bool:
    """Return whether a query asks for details.

    Raises
    ------
    HTTPException
        400 if the query has other parameters or values.
    """
    for name, value in request.query_params.multi_items():
        if name != "details":
            raise HTTPException(
                400, f"{name!r} is not a valid parameter: the only one is details, true or false."
            )
        if value not in ("true", "false"):
            raise HTTPException(400, f"details={value!r} is not valid: it must be true or false.")
    return request.query_params.get("details") == "true"


async def in_thread(
    pool: ThreadPoolExecutor, function: Callable[..., Any], *arguments: Any
) -> Response:
    """Call a function in a thread, and return its result as JSON.

    Raises
    ------
    HTTPException
        503 if it takes too long, because there are too many tasks, or if the server stops. A
        waiting task is dropped.
    """
    result = asyncio.get_running_loop().run_in_executor(pool, function, *arguments)
    try:
        async with asyncio.timeout(PATIENCE):
            return JSONResponse(await result)
    except (TimeoutError, asyncio.CancelledError) as error:
        raise busy() from error
