"""Your own images, from files and folders."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .config import Source
from .images import Images, Parts, named
from .messages import UsageError, report
from .named_data import NAMES

TRAIN_FOLDERS, TEST_FOLDERS = ("train", "training"), ("test", "testing")


def read_own(source: Source) -> Parts:
    """Read training and test images from one or two paths."""
    if source.preprocess and source.label is not None:
        raise UsageError("--label has no effect with --preprocess: folders name the labels")
    parts = read_path(source.dataset, source)
    if source.test_dataset is None:
        return parts
    others = read_path(source.test_dataset, source)
    return Parts(parts.train or parts.test, others.test or others.train)


def read_path(text: str, source: Source) -> Parts:
    """Read a file, folder or archive, or convert a folder of pictures by class."""
    path = Path(text)
    if not path.exists():
        nearest = difflib.get_close_matches(text, NAMES, n=1)
        hint = f" (did you mean {nearest[0]}?)" if nearest else ""
        raise UsageError(
            f"{text} is neither a known dataset nor an existing file or folder{hint}. Known "
            f"datasets: {', '.join(NAMES)}"
        )
    if not path.is_file() and not path.is_dir():
        raise UsageError(f"{text} is neither a file nor a folder")
    if source.preprocess:
        if not path.is_dir():
            raise UsageError(f"--preprocess requires a folder of pictures, but {text} is a file")
        return convert_pictures(path)
    from skorch_mnist.datasets import PictureFormError, load_images

    try:
        bunch: Any = load_images(path, label=as_label(source.label))
    except PictureFormError as error:
        raise ValueError(
            f"{error.fault}: add --preprocess to convert pictures to the form of MNIST"
        ) from error
    if bunch.target is None:
        if len(bunch.images) == 1:
            raise ValueError(
                f"{text} has only one image, without a label: skorch-mnist predict reads pictures"
            )
        raise ValueError(
            f"no labels were found in {text}: if there are any, give the name or number of their "
            "column with --label. Training and testing require labels"
        )
    for line in bunch.DESCR.splitlines():
        if line.startswith("Ignored"):
            report("warning", f"{text}: {line[0].lower()}{line[1:].rstrip('.')}")
    (images,) = named(bunch)
    rows = bunch.subsets
    if "validation" in rows:
        report(
            "warning",
            f"{text}: the validation images are ignored, because some of the training images are "
            "set aside for validation",
        )
    if not rows:
        return Parts(images)
    return Parts(**{
        part: Images(images.X[rows[part]], images.y[rows[part]])
        for part in Parts._fields if part in rows
    })  # fmt: skip


def as_label(text: str | None) -> int | str | None:
    """Return the location of the labels as ``load_images`` expects it: an index or a name."""
    try:
        return None if text is None else int(text)
    except ValueError:
        return text


def in_parts(bunches: Mapping[str, Any]) -> Parts:
    """Return bunches as parts whose labels have the same type."""
    return Parts(**dict(zip(bunches, named(*bunches.values()), strict=True)))


def convert_pictures(folder: Path) -> Parts:
    """Convert pictures in folders by class, which may be inside train and test folders."""
    inside = {path.name.lower(): path for path in folder.iterdir() if path.is_dir()}
    found = {
        part: inside[name]
        for part, names in (("train", TRAIN_FOLDERS), ("test", TEST_FOLDERS))
        for name in names
        if name in inside
    }
    folders = found or {"train": folder}
    return in_parts({part: convert_classes(path) for part, path in folders.items()})


def convert_classes(folder: Path) -> Any:
    """Convert pictures in folders by class to the form of MNIST."""
    from skorch_mnist.datasets import load_image_folder
    from skorch_mnist.pictures import DigitPreprocessor, NoDigitError, PictureError
    from skorch_mnist.pictures._reading import HeicError

    bunch: Any = load_image_folder(folder, load_content=False)
    try:
        bunch.data = DigitPreprocessor(n_jobs=-1).transform(bunch.filenames)
    except HeicError:  # which can be read after an installation
        raise
    except PictureError as error:
        fault = str(error).rstrip(".")
        if isinstance(error, NoDigitError):  # its advice is for read_digits
            fault = f"no digit was found in {error.args[0]}"
        raise ValueError(f"{fault}: remove or replace this picture") from error
    bunch.images = bunch.data.reshape(-1, 28, 28)
    return bunch
