"""Export classifiers as one graph, from raw pixels to labels and probabilities."""

from __future__ import annotations

import copy
import importlib.util
import io
import os
import warnings
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from skorch_mnist._atomic import replace_file
from skorch_mnist._batches._batch import first_output
from skorch_mnist._inputs._layouts import ImageShape, InputFormat, known_layout
from skorch_mnist._inputs._pixels import PixelStatistics

OPSET = 18  # from ONNX 1.13; ONNX Runtime supports it since 1.14
EXAMPLES = 2  # torch.export would treat a batch size of 1 as a constant


class WholeClassifier(nn.Module):
    """All steps of a fitted classifier, from pixels to probabilities, as one module on the CPU.

    Parameters
    ----------
    network : torch.nn.Module
        Copied.
    input_format, image_shape, statistics :
        Attributes that ``fit`` has learned.
    """

    def __init__(
        self,
        network: nn.Module,
        input_format: InputFormat,
        image_shape: ImageShape,
        statistics: PixelStatistics,
    ) -> None:
        super().__init__()
        network = copy.deepcopy(network).to("cpu").to(memory_format=torch.contiguous_format)
        self.network = network.eval().requires_grad_(False)
        self.input_format = input_format
        self.layout = known_layout(input_format.shape, image_shape)
        self.statistics = statistics

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the index of each label in ``classes_``, and the probabilities."""
        if self.layout.channels_last:
            pixels = pixels.movedim(-1, 1).contiguous()
        pixels = pixels.to(torch.float32)
        if self.layout.padding:
            pixels = nn.functional.pad(pixels, (0, self.layout.padding))
        images = pixels.reshape(-1, *self.layout.image_shape)
        logits = first_output(self.network(self.statistics.standardize(images)))
        probabilities = torch.softmax(logits.float(), dim=1)
        return probabilities.argmax(dim=1), probabilities


def exported_program(classifier: WholeClassifier) -> torch.export.ExportedProgram:
    """Return a classifier as a ``torch.export`` program for batches of any size."""
    shape, dtype = classifier.input_format
    examples = torch.zeros(EXAMPLES, *shape, dtype=getattr(torch, dtype))
    n_samples = torch.export.Dim("n_samples")
    try:
        with torch.no_grad():
            return torch.export.export(classifier, (examples,), dynamic_shapes=({0: n_samples},))
    except Exception as error:  # PyTorch raises many kinds
        name = type(classifier.network).__name__
        raise ValueError(f"torch.export cannot export the network {name}: {error}") from error


def write_onnx(
    path: str | os.PathLike[str], classifier: WholeClassifier, classes: NDArray[Any]
) -> None:
    """Write a classifier to ``path`` as an ONNX model that returns labels."""
    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(f'to_onnx requires {missing[0]}: pip install "skorch_mnist[onnx]"')
    labels = onnx_labels(classes)
    program = exported_program(classifier)
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")  # the exporter uses deprecated functions
        exported: Any = torch.onnx.export(
            program,
            input_names=["X"],
            output_names=["code", "probabilities"],
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    replace_file(path, with_labels(exported.model_proto, labels, classifier).SerializeToString())


def onnx_labels(classes: NDArray[Any]) -> NDArray[Any]:
    """Return labels in a dtype that ONNX supports: strings, integers, booleans or float64."""
    kind = classes.dtype.kind
    if kind == "U" or (kind == "O" and all(isinstance(label, str) for label in classes)):
        return classes.astype(object)
    if kind not in "biuf":
        raise ValueError(
            f"Labels of dtype {classes.dtype} cannot be exported to ONNX. Fit with numbers, "
            "strings or booleans."
        )
    if kind == "f":
        return classes.astype(np.float64)
    return classes.astype(classes.dtype.newbyteorder("="))


def with_labels(model: Any, labels: NDArray[Any], classifier: WholeClassifier) -> Any:
    """Make an ONNX model return labels instead of their codes."""
    from onnx import TensorProto, helper, numpy_helper

    if labels.dtype == object:
        strings = [label.encode() for label in labels]
        tensor = helper.make_tensor("classes", TensorProto.STRING, labels.shape, strings)
    else:
        tensor = numpy_helper.from_array(labels, "classes")
    graph = model.graph
    graph.initializer.append(tensor)
    graph.node.append(helper.make_node("Gather", ["classes", "code"], ["label"]))
    probabilities = next(output for output in graph.output if output.name == "probabilities")
    outputs = [
        helper.make_tensor_value_info("label", tensor.data_type, [None]),
        copy.deepcopy(probabilities),
    ]
    del graph.output[:]
    graph.output.extend(outputs)
    for value in (*graph.input, *graph.output):  # the exporter chooses a name such as s81
        value.type.tensor_type.shape.dim[0].dim_param = "n_samples"
    del graph.value_info[:]  # they use that name, too
    statistics = classifier.statistics
    facts = {
        "pixels": f"{statistics.low:g} to {statistics.high:g}",
        "image_shape": "x".join(map(str, classifier.layout.image_shape)),
    }
    helper.set_model_props(model, facts)
    model.producer_name = "skorch_mnist"
    return model
