"""Model cards: Markdown that says what a classifier is, how it was trained, and how good it is.

Cards begin with metadata in YAML, as the Hugging Face Hub reads it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import nn

from skorch_mnist import recipes
from skorch_mnist._storage._model_file import StoredModel

CARD = "README.md"
FIRST_LINES = "---\nlibrary_name: skorch_mnist\n"
NAMED_RECIPES = ("FAST", "ACCURATE", "ROBUST")
NOT_SHOWN = ("callbacks", "device", "verbose")  # of no use to somebody else
MOST_EPOCHS, MOST_LABELS = 20, 100  # in a table
SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$])")


def model_card(
    stored: StoredModel,
    *,
    title: str,
    source: str,
    defaults: Mapping[str, Any],
    metrics: Mapping[str, float],
    dataset: str | None = None,
) -> str:
    """Return the card of a fitted classifier.

    Parameters
    ----------
    stored : StoredModel
    title : str
    source : str
        Repository or file, from which ``from_pretrained`` loads the classifier.
    defaults : mapping
        Default values of parameters, which the card leaves out.
    metrics : mapping of str to float
        Figures by name, such as the accuracy on test images.
    dataset : str or None, default=None
        What the metrics were measured on.
    """
    rejects = stored.rejection is not None
    module = "skorch_mnist.rejection" if rejects else "skorch_mnist"
    name = "RejectingClassifier" if rejects else "MNISTCNNClassifier"
    code = (
        f"from {module} import {name}\n\n"
        f'clf = {name}.from_pretrained("{source}")\nlabels = clf.predict(X)'
    )
    return document(
        title,
        metrics,
        dataset,
        {
            "Use": f"```python\n{code}\n```",
            "Input and output": input_and_output(stored),
            "Metrics": metrics_table(metrics, dataset),
            "Recipe": recipe(stored.params, defaults),
            "History": history(stored.history),
        },
    )


def document(
    title: str,
    metrics: Mapping[str, float],
    dataset: str | None,
    sections: Mapping[str, str],
) -> str:
    """Return metadata, title and sections; a section without content is left out."""
    parts = [
        metadata(title, metrics, dataset),
        f"# {plain(title)}",
        "A convolutional network for images, trained with skorch_mnist.",
        *(f"## {heading}\n\n{text}" for heading, text in sections.items() if text),
    ]
    return "\n\n".join(parts) + "\n"


def metadata(title: str, metrics: Mapping[str, float], dataset: str | None) -> str:
    """Return the metadata. JSON is YAML, so strings need no other quotes."""
    lines = ["pipeline_tag: image-classification", "tags: [pytorch, scikit-learn, skorch]"]
    if metrics and dataset:
        results = {
            "task": {"type": "image-classification"},
            "dataset": {"type": dataset, "name": dataset},
            "metrics": [{"type": name, "value": value} for name, value in metrics.items()],
        }
        lines.append(f"model-index: {json.dumps([{'name': title, 'results': [results]}])}")
    return FIRST_LINES + "\n".join([*lines, "---"])


def input_and_output(stored: StoredModel) -> str:
    """Return what the classifier takes and returns."""
    channels, height, width = stored.image_shape
    images = {1: "grayscale images", 3: "color images"}.get(channels, f"{channels}-channel images")
    low, high = stored.pixel_statistics.low, stored.pixel_statistics.high
    labels = [plain(label) for label in stored.classes[:MOST_LABELS].tolist()]
    more = len(stored.classes) - len(labels)
    text = (
        f"{images.capitalize()} of {height}x{width} pixels, {stored.input_format.dtype}, {low:g} "
        f"to {high:g}. It returns one of {len(stored.classes)} labels: {', '.join(labels)}"
    )
    text += f" and {more} more." if more else "."
    if stored.rejection is not None:
        return f"{text} Images of anything else get the label `clf.reject_label_`."
    return f"{text} An image of anything else gets one of these labels, too."


def metrics_table(metrics: Mapping[str, float], dataset: str | None) -> str:
    """Return the figures, or "" if there are none."""
    rows = [(name.replace("_", " "), number(value)) for name, value in metrics.items()]
    measured = f"Measured on {plain(dataset)}.\n\n" if dataset else ""
    return measured + table(("metric", "value"), rows) if rows else ""


def recipe(params: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """Return the parameters that are not defaults, named by the recipe that they contain."""
    changed = {
        name: value
        for name, value in params.items()
        if name not in NOT_SHOWN and not (name in defaults and value == defaults[name])
    }
    for name in NAMED_RECIPES:
        parts = getattr(recipes, name)
        if all(part in changed and changed[part] == value for part, value in parts.items()):
            changed = {key: value for key, value in changed.items() if key not in parts}
            first = f"The recipe `{name}` of `skorch_mnist.recipes`"
            break
    else:
        first = "The defaults of `MNISTCNNClassifier`"
    if not changed:
        return f"{first}."
    rows = [(plain(name), plain(described(value))) for name, value in changed.items()]
    return f"{first}, except for:\n\n{table(('parameter', 'value'), rows)}"


def history(epochs: Sequence[Mapping[str, Any]]) -> str:
    """Return losses and accuracy of the epochs, of some of them if there are many."""
    figures = ("train_loss", "valid_loss", "valid_acc")
    names = [name for name in figures if any(name in epoch for epoch in epochs)]
    step = -(-len(epochs) // MOST_EPOCHS) or 1
    chosen = [*epochs[:-1:step], *epochs[-1:]]
    rows = [
        (str(epoch["epoch"]), *(number(epoch[name]) if name in epoch else "" for name in names))
        for epoch in chosen
    ]
    return table(("epoch", *(name.replace("_", " ") for name in names)), rows) if rows else ""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def number(value: float) -> str:
    """Return a number with four digits after the point, or as it is if it is whole."""
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def described(value: Any) -> str:
    """Return the value of a parameter: the name of a class, the kind of an object."""
    if isinstance(value, type) or (callable(value) and hasattr(value, "__name__")):
        return str(value.__name__)
    if value is None or isinstance(value, (bool, int, float, str, tuple, list, dict)):
        return repr(value)
    kind = type(value).__name__
    return f"an instance of {kind}" if isinstance(value, nn.Module) else kind


def plain(text: Any) -> str:
    """Return text in one line in which nothing is Markdown or HTML."""
    return SPECIAL.sub(r"\\\1", " ".join(str(text).split()))
