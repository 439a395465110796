"""The reader for folders of pictures, one folder per class."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from ._bunch import check_flags, check_path, present
from ._cache import DatasetError
from ._values import as_labels


class PictureFormError(DatasetError):
    """Raised if pictures differ in size, have other channels than gray or color, or are in HEIC.

    Attributes
    ----------
    fault : str
        The picture, and what is wrong with it.
    """

    def __init__(self, fault: str) -> None:
        super().__init__(
            f"{fault}. Use load_image_folder(path, load_content=False) and a DigitPreprocessor, "
            "which converts all pictures to the form of MNIST."
        )
        self.fault = fault


HEIC = (".heic", ".heif")  # pictures of iPhones
_PICTURES = (".bmp", ".gif", *HEIC, ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def load_image_folder(
    path: str | os.PathLike[str], *, load_content: bool = True, return_X_y: bool = False
) -> Bunch | tuple[Any, Any]:
    """Load pictures from a folder with one subfolder per class.

    Parameters
    ----------
    path : path
        ``path/7/some_name.png`` is a picture of the class "7". Hidden files, and files without the
        extension of a picture, are ignored.
    load_content : bool, default=True
        Whether to read the pictures. They must have the same size, as in MNIST saved as PNG files.
        If False, only ``filenames`` are returned, for :class:`skorch_mnist.DigitPreprocessor`,
        which reads pictures of any kind and size.
    return_X_y : bool, default=False
        Whether to return ``(data, target)``, or ``(filenames, target)`` if
        ``load_content=False``.

    Returns
    -------
    sklearn.utils.Bunch
        As for :func:`load_idx`, and ``filenames`` : list of str. The labels are the names of the
        folders: integers if all of them are integers, otherwise strings. ``target_names`` also
        lists folders without pictures.
    (data, target) : tuple if ``return_X_y`` is True

    Raises
    ------
    DatasetError
        If the folder does not exist, if it does not contain classes and pictures, or if a picture
        cannot be read.
    PictureFormError
        If the pictures differ in size, have other channels than gray or color, or are in HEIC. This
        is a subclass of ``DatasetError``.

    Examples
    --------
    >>> from skorch_mnist.datasets import load_image_folder
    >>> paths, y = load_image_folder(
    ...     "my_digits", load_content=False, return_X_y=True
    ... )  # doctest: +SKIP
    """
    check_flags(load_content=load_content, return_X_y=return_X_y)
    root = Path(check_path("path", path))
    if not root.is_dir():
        raise DatasetError(
            f"{root} is not a folder. Pass the folder that has one subfolder per class."
        )
    classes = sorted(p.name for p in root.iterdir() if p.is_dir() and _is_visible(p.name))
    labels, _ = as_labels(classes, str(root))
    found = _files_by_class(root, dict(zip(classes, labels, strict=True))) if classes else []
    if not found:
        raise DatasetError(
            f"{root} does not contain folders of pictures. Expected files such as "
            f"{root / '7' / 'name.png'}; valid extensions are {', '.join(_PICTURES)}."
        )
    filenames = [file for file, _ in found]
    target = np.array([label for _, label in found])
    target_names = [str(label) for label in np.unique(labels)]
    if not load_content:
        if return_X_y:
            return filenames, target
        return Bunch(filenames=filenames, target=target, target_names=target_names)
    images = _read_alike(filenames)
    bunch = present(images, target, f"Pictures from {root}.", target_names, return_X_y=return_X_y)
    if isinstance(bunch, Bunch):
        bunch.filenames = filenames
    return bunch


def _is_visible(name: str) -> bool:
    return not name.startswith((".", "__"))


def _files_by_class(root: Path, labels: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return each picture with the label of its folder."""
    from torchvision.datasets.folder import make_dataset  # takes a second, which few need

    def is_picture(file: str) -> bool:
        parts = Path(file).relative_to(root).parts
        return file.lower().endswith(_PICTURES) and all(map(_is_visible, parts))

    pictures = make_dataset(root, labels, is_valid_file=is_picture, allow_empty=True)
    return [(file, label) for file, label in pictures if os.path.isfile(file)]


def _read_alike(filenames: Sequence[str]) -> NDArray[np.uint8]:
    """Return pictures of the same size in gray, (n, height, width)."""
    from PIL import Image

    images: list[NDArray[np.uint8]] = []
    for name in filenames:
        if name.lower().endswith(HEIC):
            raise PictureFormError(f"{name} has the format HEIC")
        try:
            with Image.open(name) as picture:
                size = picture.height, picture.width
                if images and size != images[0].shape:
                    raise PictureFormError(
                        f"{name} is {size[1]}x{size[0]} pixels, but {filenames[0]} is "
                        f"{images[0].shape[1]}x{images[0].shape[0]}"
                    )
                if picture.mode[0] in "IF" or picture.has_transparency_data:
                    raise PictureFormError(
                        f"{name} has {picture.mode} pixels, but must be gray or color"
                    )
                images.append(np.asarray(picture.convert("L")))
        except DatasetError:
            raise
        except Exception as error:  # a decoder may raise anything for a damaged file
            raise DatasetError(f"{name} cannot be read: {error}. Remove or replace it.") from error
    return np.stack(images)
