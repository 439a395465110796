"""Predictions of the server for pictures and arrays."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import numpy as np
from PIL import UnidentifiedImageError
from starlette.exceptions import HTTPException

from skorch_mnist._geometry import SIDE
from skorch_mnist.classifier import MNISTCNNClassifier
from skorch_mnist.pictures import PictureError
from skorch_mnist.pictures._judge import pretrained
from skorch_mnist.pictures._reading import DamagedPictureError, HeicError
from skorch_mnist.reading import as_json, check_classifier, classify, read_closely
from skorch_mnist.rejection import RejectingClassifier

MOST_PIXELS = 25_000_000  # per picture; phones take pictures with 12 or 24 million
N_PIXELS = SIDE * SIDE
SHAPES = ((N_PIXELS,), (SIDE, SIDE), (1, SIDE, SIDE), (SIDE, SIDE, 1))  # of an instance
DISTRIBUTIONS = ("skorch_mnist", "numpy", "scikit-learn", "skorch", "torch", "pillow")


class Reader:
    """Reads pictures and arrays with a classifier, for several threads at the same time.

    Parameters
    ----------
    classifier : MNISTCNNClassifier, RejectingClassifier or None
        If None, the one that comes with the package.
    card : str or None, default=None
        Model card of the classifier, if it is not the one that comes with the package.

    Attributes
    ----------
    classes : list
        The labels as Python scalars.
    about : dict
        Description of the classifier for ``/model``.

    Raises
    ------
    ValueError
        If the classifier was not fitted on images in the form of MNIST.
    """

    def __init__(
        self,
        classifier: MNISTCNNClassifier | RejectingClassifier | None,
        card: str | None = None,
    ) -> None:
        self.classifier = self._for_arrays = pretrained() if classifier is None else classifier
        check_classifier(self.classifier)
        self.classes: list[Any] = np.asarray(self.classifier.classes_).tolist()
        known = self.classifier.pixel_statistics_
        if classifier is None:  # which accepts more in pictures than in arrays
            self._for_arrays = RejectingClassifier.from_pretrained("digits")
            card = (files("skorch_mnist.pretrained") / "digits.md").read_text(encoding="utf-8")
        self.about = {
            "classes": self.classes,
            "input": {"shape": [SIDE, SIDE], "lowest": known.low, "highest": known.high},
            "versions": {"python": platform.python_version()}
            | {name: version(name) for name in DISTRIBUTIONS},
            "card": card,
        }

    def picture(self, name: str | None, content: bytes, with_details: bool) -> list[dict[str, Any]]:
        """Return the digits in a picture as ``skorch-mnist predict --json`` prints them.

        Parameters
        ----------
        name : str or None
        content : bytes
            Content of a picture file.
        with_details : bool
            Whether to add the image of each digit in the form of MNIST, as rows of pixels from 0
            (paper) to 255 (ink), and the probability of each class.

        Raises
        ------
        HTTPException
            400 if the picture cannot be read.
        """
        if not content:
            raise HTTPException(400, "The picture is empty: send the content of its file.")
        try:
            reading = read_closely(
                content, self.classifier, page="auto", polarity="auto", max_pixels=MOST_PIXELS
            )
        except DamagedPictureError as error:  # its message is that of a decoder
            raise HTTPException(
                400, "The picture is damaged or incomplete: send it again, or another one."
            ) from error
        except HeicError as error:
            raise HTTPException(
                400,
                "The picture has the format HEIC: send a PNG or JPEG file, or install pillow-heif "
                "on the server.",
            ) from error
        except PictureError as error:
            raise HTTPException(400, fault_of(content, error)) from error
        answer = as_json(name, reading.digits)
        if with_details:
            details = zip(answer["digits"], reading.images, reading.probabilities, strict=True)
            for digit, image, probabilities in details:
                digit |= {"pixels": image.tolist(), "probabilities": probabilities.tolist()}
        return [answer]

    def instances(self, body: bytes) -> dict[str, Any]:
        """Return a prediction for each array in ``{"instances": [...]}``.

        Raises
        ------
        HTTPException
            400 if the arrays are not images in the form of MNIST.
        """
        labels, probabilities = classify(self._rows(body), self._for_arrays)
        return {
            "predictions": [
                {"label": label, "probability": float(row.max())}
                for label, row in zip(labels, probabilities, strict=True)
            ]
        }

    def _rows(self, body: bytes) -> Any:
        known = self.classifier.pixel_statistics_
        valid = (
            f"28 rows of 28 numbers, or 784 numbers, from {known.low:g} (paper) to {known.high:g} "
            "(ink)"
        )
        given = json_object(body).get("instances")
        try:
            images = np.asarray(given if isinstance(given, list) else None)
        except ValueError as error:  # rows of several lengths
            raise HTTPException(400, f"All instances must have the same shape: {valid}.") from error
        if not images.size or images.dtype.kind not in "iuf" or images.shape[1:] not in SHAPES:
            raise HTTPException(400, f'Send {{"instances": [...]}}, where each one is {valid}.')
        lowest, highest = float(images.min()), float(images.max())
        if not (known.low <= lowest and highest <= known.high):  # or not a number
            found = f"range from {lowest:g} to {highest:g}" if lowest == lowest else "contain NaN"
            raise HTTPException(400, f"The numbers {found}: send {valid}.")
        if 0 < highest - known.low <= (known.high - known.low) / 255:
            raise HTTPException(
                400, f"The largest number is {highest:g}, which is too faint: send {valid}."
            )
        return images.reshape(len(images), N_PIXELS)


def fault_of(content: bytes, error: PictureError) -> str:
    """Return what is wrong with a body that cannot be read as a picture."""
    if not isinstance(error.__cause__, UnidentifiedImageError):
        return (
            f"The picture has more than {MOST_PIXELS:,} pixels, or is too narrow for a digit: "
            "resize or crop it."
        )
    if content.lstrip().startswith(b"{"):
        return "This is JSON, not a picture: add the header Content-Type: application/json."
    return "The picture is not in a supported format: send a PNG or JPEG file."


def json_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body; raise an HTTPException if it is not valid."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "The body is not valid JSON.") from error
    if not isinstance(value, dict):
        raise HTTPException(400, "The body must be a JSON object.")
    return value
