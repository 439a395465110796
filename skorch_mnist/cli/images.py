"""Images with their labels, and their split into training and test images."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEST_SHARE = 0.2  # of a dataset without test images


class Images(NamedTuple):
    """Images in flat rows, or in the layout of a folder of pictures, and their labels."""

    X: NDArray[Any]
    y: NDArray[Any]


class Parts(NamedTuple):
    """The contents of a path: its training images, and its test images."""

    train: Images | None = None
    test: Images | None = None


class Data(NamedTuple):
    """Training and test images.

    Attributes
    ----------
    name : str
        Name or path of the training images.
    train, test : Images
    test_path : str or None
        Path of the test images, if they are separate.
    """

    name: str
    train: Images
    test: Images
    test_path: str | None = None

    @property
    def test_name(self) -> str:
        """Name or path of the test images."""
        return self.test_path or self.name

    @property
    def sha256(self) -> str:
        """Digest of all pixels and labels, in their order."""
        digest = hashlib.sha256()
        for X, y in (self.train, self.test):
            digest.update(f"{X.shape} {X.dtype} {y.tolist()}".encode())
            digest.update(X.tobytes())
        return digest.hexdigest()


def split(name: str, images: Images) -> Data:
    """Set aside a fifth of each class as test images, at least one if the class has two."""
    import numpy as np
    from sklearn.model_selection import train_test_split

    X, y = images
    try:
        train, test = train_test_split(
            np.arange(len(y)), test_size=TEST_SHARE, random_state=0, stratify=y
        )
    except ValueError:  # a fifth is less than one of each class
        rng = np.random.default_rng(0)
        parts: list[Any] = []
        for label in np.unique(y):
            rows = rng.permutation(np.flatnonzero(y == label))
            parts.append(rows[: max(1, round(TEST_SHARE * len(rows)))] if len(rows) > 1 else [])
        test = np.concatenate(parts).astype(int)
        train = np.setdiff1d(np.arange(len(y)), test)
    if not len(test):
        raise ValueError(
            f"{name} has only one image of each class, so no test images can be set aside: add "
            "images, or give --test-dataset"
        )
    return Data(name, Images(X[train], y[train]), Images(X[test], y[test]))


def named(*bunches: Any) -> list[Images]:
    """Return images of bunches with their labels: class names, or numbers."""
    labels = [labels_of(bunch) for bunch in bunches]
    if any(y.dtype.kind == "U" for y in labels):
        labels = [y.astype(str) for y in labels]
    parts = []
    for bunch, y in zip(bunches, labels, strict=True):
        _, height, width = bunch.images.shape
        parts.append(Images(bunch.data if height == width else bunch.images, y))
    return parts


def labels_of(bunch: Any) -> NDArray[Any]:
    """Return the labels of a bunch: numbers, or names if it has names for the numbers."""
    import numpy as np

    target: NDArray[Any] = bunch.target
    if target.dtype.kind == "U" or all(n.lstrip("-").isdecimal() for n in bunch.target_names):
        return target
    words: NDArray[Any] = np.asarray(bunch.target_names)[target]
    return words
