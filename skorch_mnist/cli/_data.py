"""The data sets that commands work on: by name, or from files and folders of one's own."""

from __future__ import annotations

import difflib
import glob
import hashlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ._config import Source
from ._messages import Screen, UsageError

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
MOST_NAMED = 5  # labels in a message


TITLES = {
    "mnist": "MNIST",
    "fashion-mnist": "Fashion-MNIST",
    "kmnist": "Kuzushiji-MNIST",
    "qmnist": "QMNIST",
    **{f"emnist-{split}": f"EMNIST, {split}" for split in EMNIST},
    "digits": "scikit-learn's digits",
}


def resolved(source: Source) -> Source:
    """Return the source with the paths that links and relative names stand for."""
    paths: dict[str, Any] = {
        name: str(Path(value).resolve())
        for name, value in source._asdict().items()
        if isinstance(value, str) and value not in NAMES
        if name == "data_home" or Path(value).exists()
    }
    return source._replace(**paths)


def title_of(name: str) -> str:
    """Return the name of a data set as texts write it."""
    return TITLES.get(name, name)


class Images(NamedTuple):
    """Images in flat rows, or in the layout of a folder of pictures, and their labels."""

    X: NDArray[Any]
    y: NDArray[Any]


class Parts(NamedTuple):
    """What a path holds: images that are set apart for testing, and the others."""

    train: Images | None = None
    test: Images | None = None


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


def split(name: str, images: Images) -> Data:
    """Split images into those to train on and a fifth of each class, or one, to test on."""
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
        raise ValueError(f"{name} has no class of two images: none can be set aside to test on")
    return Data(name, Images(X[train], y[train]), Images(X[test], y[test]))


# --- by name ----------------------------------------------------------------------------------


def load_by_name(source: Source, screen: Screen) -> Data:
    """Load one of the data sets that have names."""
    from skorch_mnist.datasets import DatasetError
    from skorch_mnist.datasets._download import PATIENT, Limits

    for name in ("test_dataset", "preprocess"):
        if getattr(source, name):
            raise UsageError(
                f"--{name.replace('_', '-')} goes with the path of images of your own, not with "
                f"{source.dataset}, which has images to test on and MNIST's form"
            )
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

    name, options = source.dataset.replace("-", "_"), {}
    if source.dataset.startswith("emnist-"):
        name, options = "emnist", {"split": source.dataset.removeprefix("emnist-")}
    fetch: Callable[..., Any] = getattr(datasets, f"fetch_{name}")
    parts = [
        fetch(subset=subset, data_home=source.data_home, **options) for subset in ("train", "test")
    ]
    return Data(source.dataset, *named(*parts))


def bundled_digits() -> Data:
    """Load scikit-learn's digits, a fifth of them to test on."""
    from skorch_mnist.datasets import load_digits28

    return split("digits", Images(*load_digits28(return_X_y=True)))


def named(*bunches: Any) -> list[Images]:
    """Return the images of bunches, and labels: the names of the classes, or their numbers."""
    labels = [labels_of(bunch) for bunch in bunches]
    if any(y.dtype.kind == "U" for y in labels):
        labels = [y.astype(str) for y in labels]
    parts = []
    for bunch, y in zip(bunches, labels, strict=True):
        _, height, width = bunch.images.shape
        parts.append(Images(bunch.data if height == width else bunch.images, y))
    return parts


def labels_of(bunch: Any) -> NDArray[Any]:
    """Return the labels of a bunch: words, where not all names of the classes are numbers."""
    import numpy as np

    target: NDArray[Any] = bunch.target
    if all(name.lstrip("-").isdecimal() for name in bunch.target_names):
        return target
    words: NDArray[Any] = np.asarray(bunch.target_names)[target]
    return words


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
            raise UsageError(f"--preprocess goes with pictures: {text} holds IDX files")
        return read_idx_folder(pairs) if pairs else read_pictures(path, preprocess)
    if not path.exists():
        nearest = difflib.get_close_matches(text, NAMES, n=1)
        hint = f" (did you mean {nearest[0]}?)" if nearest else ""
        raise UsageError(f"there is no data set {text}{hint}: give {', '.join(NAMES)}, or a path")
    if not path.is_file():
        raise UsageError(f"{text} is neither a file nor a folder")
    if preprocess:
        raise UsageError(f"--preprocess goes with pictures: {text} is a file")
    from skorch_mnist.datasets import load_csv

    bunch: Any = load_csv(path)
    if bunch.target is None:
        raise ValueError(f"{text} has no labels: name a column label, class, target or y")
    return in_parts({"train": bunch})


def idx_pairs(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Find the files of images and labels in a folder, or in its ``MNIST/raw`` and the like.

    Names are those of MNIST and its relatives: images for testing have "t10k" or "test" in theirs.
    """
    pairs: dict[str, tuple[Path, Path]] = {}
    for place in (folder, folder / "raw", folder / "MNIST" / "raw"):
        for images in sorted(place.glob("*images*idx3*")):  # unpacked files before archives
            before = images.name.partition("images")[0]
            part = "test" if re.search(r"t10k|test", before) else "train"
            labels = sorted(place.glob(f"{glob.escape(before)}labels*idx*"))
            known = pairs.get(part)
            if known and known[0].name.partition("images")[0] != before:
                raise ValueError(
                    f"{folder} holds several data sets: {known[0].name} and {images.name}. Give "
                    "each a folder of its own"
                )
            if labels and not known:
                pairs[part] = images, labels[0]
    return pairs


def read_idx_folder(pairs: Mapping[str, tuple[Path, Path]]) -> Parts:
    """Read the files that were found."""
    from skorch_mnist.datasets import load_idx

    return in_parts({part: load_idx(*files) for part, files in pairs.items()})


def in_parts(bunches: Mapping[str, Any]) -> Parts:
    """Return bunches as parts, their labels of one kind."""
    return Parts(**dict(zip(bunches, named(*bunches.values()), strict=True)))


def read_pictures(folder: Path, preprocess: bool) -> Parts:
    """Read pictures by class, from the folder itself or from its train and test folders."""
    inside = {path.name.lower(): path for path in folder.iterdir() if path.is_dir()}
    found = {
        part: inside[name]
        for part, names in (("train", TRAIN_FOLDERS), ("test", TEST_FOLDERS))
        for name in names
        if name in inside
    }
    folders = found or {"train": folder}
    return in_parts({part: read_classes(path, preprocess) for part, path in folders.items()})


def read_classes(folder: Path, preprocess: bool) -> Any:
    """Read pictures in folders by class, as they are or in MNIST's form."""
    from skorch_mnist.datasets import DatasetError, load_image_folder

    if not preprocess:
        try:
            return load_image_folder(folder)
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
    return bunch
