"""Convert drawn and photographed digits to the form of MNIST."""

from __future__ import annotations

from ._digits import Kind, Stages
from ._page import FoundDigits, find_digits
from ._preprocessor import DigitPreprocessor
from ._reading import NoDigitError, PictureError

__all__ = [
    "DigitPreprocessor",
    "FoundDigits",
    "Kind",
    "NoDigitError",
    "PictureError",
    "Stages",
    "find_digits",
]
