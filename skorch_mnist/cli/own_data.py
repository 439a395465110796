"""Your own images, from files and folders."""

from __future__ import annotations

import difflib
import glob
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .config import Source
from .images import Parts, named
from .messages import UsageError
from .named_data import NAMES

TRAIN_FOLDERS, TEST_FOLDERS = ("train", "training"), ("test", "testing")


def read_own(source: Source) -> Parts:
    """Read training and test images from one or two paths."""
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
            raise UsageError(f"--preprocess is for pictures: {text} contains IDX files")
        return read_idx_folder(pairs) if pairs else read_pictures(path, preprocess)
    if not path.exists():
        nearest = difflib.get_close_matches(text, NAMES, n=1)
        hint = f" (did you mean {nearest[0]}?)" if nearest else ""
        raise UsageError(f"{text} is not a dataset{hint}: give {', '.join(NAMES)}, or a path")
    if not path.is_file():
        raise UsageError(f"{text} is neither a file nor a folder")
    if preprocess:
        raise UsageError(f"--preprocess is for pictures: {text} is a file")
    from skorch_mnist.datasets import load_csv

    bunch: Any = load_csv(path)
    if bunch.target is None:
        raise ValueError(f"{text} has no labels: name a column label, class, target or y")
    return in_parts({"train": bunch})


def idx_pairs(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Find the files of images and labels in a folder, its ``raw`` or its ``MNIST/raw``.

    The names are those of MNIST and its relatives: test images have "t10k" or "test" in them.
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
                    f"{folder} contains several datasets: {known[0].name} and {images.name}. Give "
                    "each its own folder"
                )
            if labels and not known:
                pairs[part] = images, labels[0]
    return pairs


def read_idx_folder(pairs: Mapping[str, tuple[Path, Path]]) -> Parts:
    """Read the files that were found."""
    from skorch_mnist.datasets import load_idx

    return in_parts({part: load_idx(*files) for part, files in pairs.items()})


def in_parts(bunches: Mapping[str, Any]) -> Parts:
    """Return bunches as parts whose labels have the same type."""
    return Parts(**dict(zip(bunches, named(*bunches.values()), strict=True)))


def read_pictures(folder: Path, preprocess: bool) -> Parts:
    """Read pictures in folders by class, which may be inside train and test folders."""
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
    """Read pictures in folders by class, unchanged or converted to the form of MNIST."""
    from skorch_mnist.datasets import PictureFormError, load_image_folder

    if not preprocess:
        try:
            return load_image_folder(folder)
        except PictureFormError as error:
            raise ValueError(
                f"{error.fault}: --preprocess converts pictures to the form of MNIST"
            ) from error
    from skorch_mnist.pictures import DigitPreprocessor

    bunch: Any = load_image_folder(folder, load_content=False)
    bunch.data = DigitPreprocessor(n_jobs=-1).transform(bunch.filenames)
    bunch.images = bunch.data.reshape(-1, 28, 28)
    return bunch
