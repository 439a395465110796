"""The training and test images of a command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .config import Source
from .images import Data, Images, split
from .messages import Screen
from .named_data import NAMES, load_by_name
from .own_data import read_own

if TYPE_CHECKING:
    from skorch_mnist.classifier import MNISTCNNClassifier

MOST_NAMED = 5  # labels in a message


def resolved(source: Source) -> Source:
    """Return the source with absolute paths and links resolved."""
    paths: dict[str, Any] = {
        name: str(Path(value).resolve())
        for name, value in source._asdict().items()
        if isinstance(value, str) and name != "label" and value not in NAMES
        if name == "data_home" or Path(value).exists()
    }
    return source._replace(**paths)


def load_data(source: Source, screen: Screen) -> Data:
    """Load training and test images; print a note if "auto" does not find MNIST.

    If a dataset has no test images, a fifth of each class is set aside. The split is deterministic.

    Raises
    ------
    UsageError
        If the dataset does not exist, or if options cannot be combined.
    ValueError, DatasetError
        If the dataset cannot be read, or its test images have labels that no training image has.
    """
    if source.dataset in NAMES:
        return load_by_name(source, screen)
    train, test = read_own(source)
    if train is None:
        raise ValueError(f"{source.dataset} has test images but no training images")
    if test is None:
        data = split(source.dataset, train)
    else:
        data = Data(source.dataset, train, test, source.test_dataset)
    check_labels_known(data.test, data.train.y.tolist(), "that no training image has")
    return data


def load_test_images(source: Source, run_sha256: str | None, screen: Screen) -> tuple[str, Images]:
    """Load test images; if a dataset does not have any, use all of its images.

    If the digest shows that the run used the same dataset, return the images that it set aside.
    """
    if source.dataset in NAMES:
        data = load_by_name(source, screen)
        return data.name, data.test
    train, test = read_own(source)
    if train is not None and test is None:
        aside = split(source.dataset, train) if run_sha256 and len(train.y) > 1 else None
        test = aside.test if aside and aside.sha256 == run_sha256 else train
    assert test is not None
    return source.dataset, test


def check_labels_known(
    images: Images, known: Sequence[Any], what: str, *, whose: str = "the test images"
) -> None:
    """Raise a ValueError for labels that are not known."""
    from skorch_mnist.datasets._words import some

    strangers = sorted(set(images.y.tolist()) - set(known), key=str)
    if strangers:
        shown, valid = (
            some([*map(repr, labels)], MOST_NAMED)
            for labels in (strangers, sorted(set(known), key=str))
        )
        raise ValueError(f"{whose} have labels {what}: {shown}. Known labels: {valid}")


def check_size(images: Images, clf: MNISTCNNClassifier) -> None:
    """Raise a ValueError unless the images have the size of those that the classifier takes."""
    from skorch_mnist._geometry import SIDE

    size, (_, *taken) = images.X.shape[1:], clf.image_shape_
    if size not in ((clf.n_features_in_,), tuple(taken)):
        hint = ": add --preprocess to convert pictures" if taken == [SIDE, SIDE] else ""
        raise ValueError(
            f"the images have {'x'.join(map(str, size))} pixels, but the classifier takes images "
            f"of {'x'.join(map(str, taken))}{hint}"
        )
