"""The command ``serve``."""

from __future__ import annotations

import importlib.util
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..arguments import number_in, some_path
from ..messages import Screen, report
from ..run_folder import card_of, is_pretrained, load_rejecting
from .predict import ModelOption

if TYPE_CHECKING:
    from skorch_mnist.serve._examples import Examples


def some_host(text: str) -> str:
    """Parse a host name or address."""
    with suppress(UnicodeError):  # empty labels
        if text.encode("idna"):
            return text
    raise ValueError(f"{text!r} is not valid: it must be a host name or address")


Host = Annotated[
    str,
    typer.Option(
        metavar="HOST",
        help="Host name or address to listen on; 0.0.0.0 allows connections from other machines "
        "[dim](default: 127.0.0.1)[/]",
        parser=some_host,
        show_default=False,
    ),
]
Port = Annotated[
    int,
    typer.Option(
        metavar="PORT",
        help="Port to listen on; 0 selects a free port [dim](default: 8000)[/]",
        parser=number_in(int, 0, 65535, "an integer from 0 to 65535"),
        show_default=False,
    ),
]
Keep = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder for digits that users correct on the page, for training with train --from "
        "[dim](default: do not save them)[/]",
        parser=some_path,
    ),
]

EXAMPLES = (
    "skorch-mnist serve",
    "skorch-mnist serve --model skorch_mnist_output --port 9000 --keep corrected",
)


def serve(
    model: ModelOption = None, host: Host = "127.0.0.1", port: Port = 8000, keep: Keep = None
) -> None:
    """Serve a web page for drawing digits, and an API that reads pictures."""
    needed = ("starlette", "uvicorn", "python_multipart")
    if any(importlib.util.find_spec(name) is None for name in needed):
        raise ImportError('serve requires additional packages: pip install "skorch_mnist[serve]"')
    import torch

    from skorch_mnist.serve._app import make_app
    from skorch_mnist.serve._guard import is_loopback
    from skorch_mnist.serve._reader import Reader
    from skorch_mnist.serve._server import listen, make_server

    try:
        sock = listen(host, port)
    except OSError as error:
        # Other errors than those of the name repeat the address, as a tuple.
        reason = (
            error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        )
        raise OSError(
            f"cannot listen on {host}, port {port} ({reason}): choose another --host or --port"
        ) from error
    with sock, suppress(KeyboardInterrupt):
        torch.set_num_threads(1)  # requests run in parallel, and one image does not need more
        if model is None or is_pretrained(model):
            reader = Reader(None)
        else:
            reader = Reader(load_rejecting(model), card_of(model))
        examples = None if keep is None else open_examples(keep, reader.classes)
        screen = Screen()
        name = f"[{host}]" if ":" in host else host
        screen.say(f"Serving on http://{name}:{sock.getsockname()[1]} (stop with Ctrl-C)")
        if not is_loopback(host):
            report(
                "warning",
                "anyone who can connect to this machine can send pictures. From other machines, "
                "open the page with the name or IP address of this one",
            )
        if keep is not None:
            screen.say(f"Corrected digits are saved in {keep.resolve()}")
        make_server(make_app(reader, host, examples)).run(sockets=[sock])


def open_examples(folder: Path, classes: list[Any]) -> Examples:
    """Return a folder of examples; raise an OSError that names it if it cannot be created."""
    from skorch_mnist.serve._examples import Examples

    try:
        return Examples(folder, classes)
    except OSError as error:
        raise OSError(
            f"cannot write to the folder {folder} ({error.strerror}: {error.filename}): choose "
            "another with --keep"
        ) from error
