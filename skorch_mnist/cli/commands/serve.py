"""The command ``serve``."""

from __future__ import annotations

import importlib.util
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from ..arguments import some_path, some_text
from ..messages import Screen, report
from ..run_folder import is_pretrained, load_rejecting
from .predict import ModelOption

Host = Annotated[
    str,
    typer.Option(
        metavar="HOST",
        help="Name or address to listen on; 0.0.0.0 lets other machines in "
        "[dim](default: 127.0.0.1)[/]",
        parser=some_text,
        show_default=False,
    ),
]
Port = Annotated[
    int,
    typer.Option(
        metavar="PORT",
        help="Port to listen on; 0 takes a free one [dim](default: 8000)[/]",
        min=0,
        max=65535,
        show_default=False,
    ),
]
Keep = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Keep the digits that users correct on the page, by class, for train --from "
        "[dim](default: keep nothing)[/]",
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
    """Serve a page to draw digits on, and an API that reads pictures."""
    needed = ("starlette", "uvicorn", "python_multipart")
    if any(importlib.util.find_spec(name) is None for name in needed):
        raise ImportError('serve needs its extra: pip install "skorch_mnist[serve]"')
    import torch

    from skorch_mnist.serve._app import make_app
    from skorch_mnist.serve._examples import Examples
    from skorch_mnist.serve._guard import is_loopback
    from skorch_mnist.serve._reader import Reader
    from skorch_mnist.serve._server import listen, make_server

    try:
        sock = listen(host, port)
    except OSError as error:
        raise OSError(
            f"cannot listen on {host}, port {port} ({error.strerror}): choose another --host or "
            "--port"
        ) from error
    with sock, suppress(KeyboardInterrupt):
        torch.set_num_threads(1)  # requests run in parallel, and one image gains nothing from more
        own = None if model is None or is_pretrained(model) else load_rejecting(model)
        reader = Reader(own)
        examples = None if keep is None else Examples(keep, reader.classes)
        screen = Screen()
        name = f"[{host}]" if ":" in host else host
        screen.say(f"Serving on http://{name}:{sock.getsockname()[1]} (stop with Ctrl-C)")
        if not is_loopback(host):
            report("warning", "everyone who reaches this machine can send pictures")
        if keep is not None:
            screen.say(f"Corrected digits are kept in {keep.resolve()}")
        make_server(make_app(reader, host, examples)).run(sockets=[sock])
