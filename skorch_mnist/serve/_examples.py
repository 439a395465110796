"""The folder of examples: digits that users of the page corrected, by class."""

from __future__ import annotations

import io
import re
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from starlette.exceptions import HTTPException

from skorch_mnist._atomic import replace_file
from skorch_mnist._geometry import SIDE

MOST = 100_000  # files, about 100 MB


class Examples:
    """A folder with one subfolder per class, in the form that ``train --dataset`` reads.

    Parameters
    ----------
    folder : Path
        Created if missing.
    classes : list
        Labels of the classifier.

    Raises
    ------
    OSError
        If the folder cannot be written.
    ValueError
        If a label cannot be the name of a folder.
    """

    def __init__(self, folder: Path, classes: list[Any]) -> None:
        self.folder, self.names = folder, [str(label) for label in classes]
        for name in self.names:
            if not re.fullmatch(r"[\w-][\w .-]{0,99}", name):
                raise ValueError(
                    f"examples of the class {name!r} cannot be saved, because its name is not a "
                    "valid name for a folder"
                )
        for name in self.names:
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._count = sum(1 for name in self.names for _ in (folder / name).iterdir())

    def keep(self, given: dict[str, Any]) -> dict[str, Any]:
        """Write the image of a digit to the folder of its class.

        Parameters
        ----------
        given : dict
            ``label`` and ``pixels``, 28 rows of 28 numbers from 0 to 255.

        Returns
        -------
        dict
            The response of the server.

        Raises
        ------
        HTTPException
            400 if ``given`` is not valid, 507 if the folder is full.
        """
        name = str(given.get("label"))
        try:
            pixels = np.asarray(given.get("pixels"))
        except ValueError:  # rows of several lengths
            pixels = np.empty(0)
        if name not in self.names:
            raise HTTPException(400, f"label must be one of {', '.join(self.names)}.")
        is_image = pixels.shape == (SIDE, SIDE) and pixels.dtype.kind == "i"
        if not is_image or pixels.min() < 0 or pixels.max() > 255:
            raise HTTPException(400, "pixels must be 28 rows of 28 integers from 0 to 255.")
        if self._count >= MOST:
            raise HTTPException(507, f"The folder is full: it has {MOST:,} examples.")
        self._count += 1
        file = io.BytesIO()
        Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
        replace_file(self.folder / name / f"{uuid.uuid4().hex}.png", file.getbuffer())
        return {"kept": name}
