"""A fitted classifier as a file: our own, ONNX's or torch's exported program."""

from ._portable import PortableClassifier
from ._stored_params import ROLES

__all__ = [
    "ROLES",
    "PortableClassifier",
]
