"""The command ``export``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from .. import run_folder
from ..arguments import some_path
from ..messages import Screen
from ..options import OUTPUT, Json, Model


class Format(Enum):
    """The format of an export."""

    ONNX = "onnx"
    TORCH = "torch"


SUFFIXES = {Format.ONNX: ".onnx", Format.TORCH: ".pt2"}

FormatOption = Annotated[
    Format,
    typer.Option(
        "--format",
        help="Export an ONNX model (onnx), which does not need Python or PyTorch, or a "
        "torch.export program (torch) [dim](default: onnx)[/]",
        show_default=False,
        rich_help_panel=OUTPUT,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="File to write [dim](default: next to the model, with the suffix .onnx or .pt2)[/]",
        parser=some_path,
        rich_help_panel=OUTPUT,
    ),
]

EXAMPLES = (
    "skorch-mnist export skorch_mnist_output",
    "skorch-mnist export model.safetensors --format torch --output model.pt2",
)


def export(
    model: Model,
    form: FormatOption = Format.ONNX,
    output: Output = None,
    json: Json = False,
) -> None:
    """Export a classifier, including the scaling of pixels, for programs without skorch_mnist."""
    import torch

    screen = Screen(json)
    clf = run_folder.load_classifier(model)
    path = run_folder.find_model(model)
    stem = path.stem if path.suffix == ".safetensors" else path.name
    file = output or path.with_name(stem + SUFFIXES[form])
    run = run_folder.RunFolder(file.parent, [file.name], screen, "--output")
    with run.opened():
        if form is Format.ONNX:
            clf.to_onnx(file)
        else:
            torch.export.save(clf.to_exported_program(), file)
    shape, dtype = clf.input_format_
    size = "x".join(map(str, shape))
    screen.say(f"Written to {file.resolve()}")
    screen.say(f"It takes any number of images with {size} pixels of type {dtype}, and returns "
               "labels and probabilities.")  # fmt: skip
    screen.result(
        {"file": str(file.resolve()), "format": form.value, "shape": list(shape), "dtype": dtype}
    )
