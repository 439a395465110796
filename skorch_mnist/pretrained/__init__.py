"""Fitted classifiers that come with the package, each with a card that describes it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["MODELS", "model_path"]

#: Names of the classifiers. ``"digits"`` reads digits in the form of MNIST.
MODELS = ("digits",)


def model_path(name: str) -> Path:
    """Return the path of the file of a classifier; its card, in Markdown, is next to it.

    Parameters
    ----------
    name : {"digits"}
        A member of ``MODELS``.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        If there is no such classifier.

    See Also
    --------
    skorch_mnist.MNISTCNNClassifier.from_pretrained : Load it.
    """
    if name not in MODELS:
        valid = ", ".join(f'"{model}"' for model in MODELS)
        raise ValueError(f"name={name!r} is not valid: it must be one of {valid}")
    return Path(__file__).with_name(f"{name}.safetensors")
