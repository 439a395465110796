"""The images that commands work on, for training and for testing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .config import Source
from .images import Data, Images, split
from .messages import Screen
from .named_data import NAMES, load_by_name
from .own_data import read_own

MOST_NAMED = 5  # labels in a message


def resolved(source: Source) -> Source:
    """Return the source with the paths that links and relative names stand for."""
    paths: dict[str, Any] = {
        name: str(Path(value).resolve())
        for name, value in source._asdict().items()
        if isinstance(value, str) and value not in NAMES
        if name == "data_home" or Path(value).exists()
    }
    return source._replace(**paths)


def load_data(source: Source, screen: Screen) -> Data:
    """Load images for training and testing; say where "auto" has to do without MNIST.

    A fifth of a data set that has no images for testing is set aside, in each class alike, and the
    same each time.

    Raises
    ------
    UsageError
        If there is no such data set, or options do not go together.
    ValueError, DatasetError
        If it cannot be read, or its images for testing have labels of their own.
    """
    if source.dataset in NAMES:
        return load_by_name(source, screen)
    train, test = read_own(source)
    if train is None:
        raise ValueError(f"{source.dataset} has images to test on, and none to train on")
    data = Data(source.dataset, train, test) if test else split(source.dataset, train)
    check_labels_known(data.test, data.train.y.tolist(), "that are not among those to train on")
    return data


def load_test_images(source: Source, run_sha256: str | None, screen: Screen) -> tuple[str, Images]:
    """Load images to test on: all of a data set that has none set apart for that.

    Of the data of a run, known by their digest, they are those that were set aside.
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


def check_labels_known(images: Images, known: Sequence[Any], what: str) -> None:
    """Raise a ValueError for labels that are not known."""
    strangers = sorted(set(images.y.tolist()) - set(known), key=str)
    if strangers:
        raise ValueError(
            f"the images to test on have labels {what}: {some(strangers)}; known are "
            f"{some(sorted(set(known), key=str))}"
        )


def some(labels: Sequence[Any]) -> str:
    """Return the first of some labels as text."""
    dots = ", ..." if len(labels) > MOST_NAMED else ""
    return ", ".join(repr(label) for label in labels[:MOST_NAMED]) + dots
