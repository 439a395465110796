"""The data sets that commands work on: by name, or from files and folders of one's own."""

from __future__ import annotations

import difflib
import hashlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ._config import Source
from ._messages import Screen

if TYPE_CHECKING:
    from numpy.typing import NDArray

SILENCE = 5.0  # seconds without an answer before "auto" gives up a mirror
PATIENCE = 30.0  # seconds for all downloads together before "auto" gives up

EMNIST = ("balanced", "byclass", "bymerge", "digits", "letters", "mnist")
NAMES = (
    "auto",
    "mnist",
    "fashion-mnist",
    "kmnist",
    "qmnist",
    *(f"emnist-{split}" for split in EMNIST),
    "digits",
)
TRAIN_FOLDERS, TEST_FOLDERS = ("train", "training"), ("test", "testing")
TEST_SHARE = 0.2  # of a data set that has no images for testing


TITLES = {
    "mnist": "MNIST",
    "fashion-mnist": "Fashion-MNIST",
    "kmnist": "Kuzushiji-MNIST",
    "qmnist": "QMNIST",
    **{f"emnist-{split}": f"EMNIST, {split}" for split in EMNIST},
    "digits": "scikit-learn's digits",
}


def title_of(name: str) -> str:
    """Return the name of a data set as texts write it."""
    return TITLES.get(name, name)


class Images(NamedTuple):
    """Images in flat rows, or in the layout of a folder of pictures, and their labels."""

    X: NDArray[Any]
    y: NDArray[Any]


class Parts(NamedTuple):
    """What a path holds: images that are set apart for testing, and the others."""

    train: Images | None
    test: Images | None


class Data(NamedTuple):
    """Images for training and for testing."""

    name: str
    train: Images
    test: Images

    @property
    def sha256(self) -> str:
        """Digest of all pixels and labels, in their order."""
        digest = hashlib.sha256()
        for X, y in (self.train, self.test):
            digest.update(f"{X.shape} {X.dtype} {y.tolist()}".encode())
            digest.update(X.tobytes())
        return digest.hexdigest()


def load_data(source: Source, screen: Screen) -> Data:
    """Load images for training and testing; say where "auto" has to do without MNIST.

    A fifth of a data set that has no images for testing is set aside, in each class alike, and the
    same each time.
    """
    if source.dataset in NAMES:
        check_alone(source)
        return load_by_name(source, screen)
    train, test = read_own(source)
    if train is None:
        raise ValueError(f"{source.dataset} has images to test on, and none to train on")
    if test is None:
        train, test = set_aside(train)
    check_labels_known(test, set(train.y.tolist()), "that are not among those to train on")
    return Data(source.dataset, train, test)


def load_test_images(source: Source, screen: Screen) -> tuple[str, Images]:
    """Load the images to test on: all of a data set that has no images set apart for that."""
    if source.dataset in NAMES:
        data = load_data(source, screen)
        return data.name, data.test
    train, test = read_own(source)
    images = test or train
    assert images is not None
    return source.dataset, images


def check_labels_known(images: Images, known: Iterable[Any], what: str) -> None:
    """Raise a ValueError for labels that are not known."""
    strangers = sorted(set(images.y.tolist()) - set(known), key=str)
    if strangers:
        raise ValueError(f"the images to test on have labels {what}: {strangers[:5]}")


def set_aside(images: Images) -> tuple[Images, Images]:
    """Split images into those to train on and a fifth to test on."""
    from sklearn.model_selection import train_test_split

    options = {"test_size": TEST_SHARE, "random_state": 0}
    try:
        parts = train_test_split(*images, stratify=images.y, **options)
    except ValueError:  # a class has one image
        parts = train_test_split(*images, **options)
    X_train, X_test, y_train, y_test = parts
    return Images(X_train, y_train), Images(X_test, y_test)


# --- by name ----------------------------------------------------------------------------------


def check_alone(source: Source) -> None:
    """Raise a ValueError for options that go with files of one's own alone."""
    for name in ("test_dataset", "preprocess"):
        if getattr(source, name):
            option = f"--{name.replace('_', '-')}"
            raise ValueError(
                f"{option} goes with a path: {source.dataset} has its images to test on, in "
                "MNIST's form"
            )


def load_by_name(source: Source, screen: Screen) -> Data:
    """Load one of the data sets that have names."""
    from skorch_mnist.datasets import DatasetError
    from skorch_mnist.datasets._download import PATIENT, Limits

    if source.dataset == "digits":
        return bundled_digits()
    if source.dataset == "mnist":
        return mnist(source.data_home, PATIENT)
    if source.dataset != "auto":
        return relative_of_mnist(source)
    try:
        return mnist(source.data_home, Limits(SILENCE, time.monotonic() + PATIENCE))
    except DatasetError as error:
        reason = str(error).splitlines()[0].rstrip(":.")
        screen.say(f"MNIST is not at hand: {reason} (--dataset mnist says why).")
        screen.say("The digits bundled with scikit-learn are used INSTEAD OF MNIST.")
        return bundled_digits()


def mnist(data_home: str | None, limits: Any) -> Data:
    """Load MNIST."""
    from skorch_mnist.datasets._fetch import load_mnist_arrays

    parts = []
    for subset in ("train", "test"):
        images, labels = load_mnist_arrays(subset, data_home=data_home, limits=limits)
        parts.append(Images(images.reshape(len(images), -1), labels))
    return Data("mnist", *parts)


def relative_of_mnist(source: Source) -> Data:
    """Load a data set of MNIST's family, its labels by name where they are no digits."""
    from skorch_mnist import datasets

    name, _, split = source.dataset.partition("-") if "emnist" in source.dataset else (
        source.dataset.replace("-", "_"), "", "",
    )  # fmt: skip
    fetch: Callable[..., Any] = getattr(datasets, f"fetch_{name}")
    options = {"split": split} if split else {}
    parts = [
        named(fetch(subset=subset, data_home=source.data_home, **options))
        for subset in ("train", "test")
    ]
    return Data(source.dataset, *parts)


def bundled_digits() -> Data:
    """Load scikit-learn's digits, a fifth of them to test on."""
    from skorch_mnist.datasets import load_digits28

    return Data("digits", *set_aside(Images(*load_digits28(return_X_y=True))))


def named(bunch: Any) -> Images:
    """Return the images of a bunch, and labels: the names of the classes, or their numbers."""
    import numpy as np

    names = np.asarray(bunch.target_names)
    numbers = all(name.lstrip("-").isdecimal() for name in bunch.target_names)
    _, height, width = bunch.images.shape
    X = bunch.data if height == width else bunch.images
    return Images(X, bunch.target if numbers else names[bunch.target])


# --- one's own --------------------------------------------------------------------------------


def read_own(source: Source) -> Parts:
    """Read images for training and testing from a path, or from two."""
    parts = read_path(source.dataset, source.preprocess)
    if source.test_dataset is None:
        return parts
    others = read_path(source.test_dataset, source.preprocess)
    return Parts(parts.train or parts.test, others.test or others.train)


def read_path(text: str, preprocess: bool) -> Parts:
    """Read a CSV file, a folder of IDX files, or a folder of pictures by class."""
    path = Path(text)
    if path.is_dir():
        pairs = idx_pairs(path)
        if pairs and preprocess:
            raise ValueError(f"--preprocess goes with pictures: {text} holds IDX files")
        return read_idx_folder(pairs) if pairs else read_pictures(path, preprocess)
    if not path.exists():
        nearest = difflib.get_close_matches(text, NAMES, n=1)
        hint = f" (did you mean {nearest[0]}?)" if nearest else ""
        raise ValueError(f"there is no data set {text}{hint}: give {', '.join(NAMES)}, or a path")
    if preprocess:
        raise ValueError(f"--preprocess goes with pictures: {text} is a file")
    from skorch_mnist.datasets import load_csv

    bunch: Any = load_csv(path)
    if bunch.target is None:
        raise ValueError(f"{text} has no labels: name a column label, class, target or y")
    return Parts(named(bunch), None)


def idx_pairs(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Find the files of images and labels in a folder, or in its ``MNIST/raw`` and the like."""
    pairs: dict[str, tuple[Path, Path]] = {}
    for place in (folder, folder / "raw", folder / "MNIST" / "raw"):
        for images in sorted(place.glob("*images*idx3*")):
            labels = images.with_name(
                images.name.replace("images", "labels").replace("idx3", "idx1")
            )
            others = [labels, labels.with_suffix(""), labels.with_name(f"{labels.name}.gz")]
            found = [path for path in others if path.is_file() and "idx1" in path.name]
            if found:
                for_test = images.name.startswith(("t10k", "test"))
                pairs.setdefault("test" if for_test else "train", (images, found[0]))
    return pairs


def read_idx_folder(pairs: dict[str, tuple[Path, Path]]) -> Parts:
    """Read the files that were found."""
    from skorch_mnist.datasets import load_idx

    found = {part: named(load_idx(*files)) for part, files in pairs.items()}
    return Parts(found.get("train"), found.get("test"))


def read_pictures(folder: Path, preprocess: bool) -> Parts:
    """Read pictures by class, from the folder itself or from its train and test folders."""
    inside = {path.name.lower(): path for path in folder.iterdir() if path.is_dir()}
    train = [inside[name] for name in TRAIN_FOLDERS if name in inside]
    test = [inside[name] for name in TEST_FOLDERS if name in inside]
    if not train and not test:
        return Parts(read_classes(folder, preprocess), None)
    return Parts(*(read_classes(part[0], preprocess) if part else None for part in (train, test)))


def read_classes(folder: Path, preprocess: bool) -> Images:
    """Read pictures in folders by class, as they are or in MNIST's form."""
    from skorch_mnist.datasets import DatasetError, load_image_folder

    if not preprocess:
        try:
            return named(load_image_folder(folder))
        except DatasetError as error:
            text = str(error).partition(". Take load_content=False")
            if not text[1]:
                raise
            raise ValueError(
                f"{text[0]}: --preprocess brings pictures into MNIST's form"
            ) from error
    from skorch_mnist.pictures import DigitPreprocessor

    bunch: Any = load_image_folder(folder, load_content=False)
    bunch.data = DigitPreprocessor().transform(bunch.filenames)
    bunch.images = bunch.data.reshape(-1, 28, 28)
    return named(bunch)
