"""The files of each dataset: their sources, sizes and hashes."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Archive:
    """A published file.

    Attributes
    ----------
    name : str
        Name on the mirrors and in the cache.
    size : int
        Bytes.
    sha256 : str
        SHA-256, in hexadecimal.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class DataFile:
    """One file of a dataset, in the IDX format.

    Attributes
    ----------
    name : str
        Name of the unpacked file.
    size : int
        Bytes of the unpacked file.
    archive : Archive
        The gzip file with this file or, with ``member``, the zip file.
    sha256 : str or None
        SHA-256 of the unpacked file, in hexadecimal; None if it is not published.
    member : str or None
        Path of the gzip file within the zip file.
    """

    name: str
    size: int
    archive: Archive
    sha256: str | None = None
    member: str | None = None


@dataclass(frozen=True)
class Source:
    """A published dataset.

    Attributes
    ----------
    folder : str
        The folder in ``data_home``, the same as in torchvision, so that both share one copy.
    mirrors : tuple of str
        URLs of folders, each with a trailing slash, tried in this order.
    files : dict of str to tuple of DataFile
        The images, then the labels, of each subset.
    target_names : tuple of str
        The names of the classes.
    descr : str
        The file in ``descr`` with its origin, license and split.
    first_label : int
        The label of the first class in the files.
    transposed : bool
        Whether the images are transposed in the files.
    """

    folder: str
    mirrors: tuple[str, ...]
    files: dict[str, tuple[DataFile, DataFile]]
    target_names: tuple[str, ...]
    descr: str
    first_label: int = 0
    transposed: bool = False


IMAGE_HEADER, LABEL_HEADER, PIXELS = 16, 8, 28 * 28

_DIGITS = tuple(string.digits)
_GARMENTS = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
    "Ankle boot",
)  # fmt: skip
_HIRAGANA = tuple("おきすつなはまやれを")

_MNIST_FILES = {
    "train-images-idx3-ubyte": IMAGE_HEADER + 60_000 * PIXELS,
    "train-labels-idx1-ubyte": LABEL_HEADER + 60_000,
    "t10k-images-idx3-ubyte": IMAGE_HEADER + 10_000 * PIXELS,
    "t10k-labels-idx1-ubyte": LABEL_HEADER + 10_000,
}
# Labels are rows of eight 32-bit integers; the first one is the class.
_QMNIST_FILES = {
    "qmnist-train-images-idx3-ubyte": IMAGE_HEADER + 60_000 * PIXELS,
    "qmnist-train-labels-idx2-int": 12 + 60_000 * 8 * 4,
    "qmnist-test-images-idx3-ubyte": IMAGE_HEADER + 60_000 * PIXELS,
    "qmnist-test-labels-idx2-int": 12 + 60_000 * 8 * 4,
}


def _gzip_files(
    sizes: dict[str, int],
    archives: Sequence[tuple[int, str]],
    hashes: Sequence[str | None] = (None, None, None, None),
) -> dict[str, tuple[DataFile, DataFile]]:
    """Return the files of a dataset: training images and labels, then test images and labels.

    Parameters
    ----------
    sizes : dict of str to int
        Name and bytes of each unpacked file.
    archives : sequence of (int, str)
        Bytes and SHA-256 of each archive.
    hashes : sequence of str or None
        SHA-256 of each unpacked file; None if it is not published.
    """
    train_images, train_labels, test_images, test_labels = (
        DataFile(name, size, Archive(f"{name}.gz", *archive), sha256)
        for (name, size), archive, sha256 in zip(sizes.items(), archives, hashes, strict=True)
    )
    return {"train": (train_images, train_labels), "test": (test_images, test_labels)}


# TensorFlow Datasets publishes the SHA-256 of these archives in
# tensorflow_datasets/url_checksums. torchvision lists the same archives by MD5.

MNIST = Source(
    "MNIST/raw",
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",  # used by torchvision
        "https://storage.googleapis.com/cvdf-datasets/mnist/",  # used by TensorFlow Datasets
        "https://dataset.bj.bcebos.com/mnist/",  # used by PaddlePaddle
        "https://raw.githubusercontent.com/fgnt/mnist/master/",
    ),
    _gzip_files(
        _MNIST_FILES,
        (
            (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        ),
        (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    _DIGITS,
    "mnist",
)

FASHION_MNIST = Source(
    "FashionMNIST/raw",
    (
        "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",  # the authors
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "https://dataset.bj.bcebos.com/fashion_mnist/",  # used by PaddlePaddle
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",  # used by Keras
    ),
    _gzip_files(
        _MNIST_FILES,
        (
            (26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        ),
        (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
    _GARMENTS,
    "fashion_mnist",
)

KMNIST = Source(
    "KMNIST/raw",
    (
        "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",  # the authors
        "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/KMNIST/",  # used by Swift
        "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",  # used by torchvision; files are verified
    ),
    _gzip_files(
        _MNIST_FILES,
        (
            (18_165_135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
            (29_497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
            (3_041_136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
            (5_120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
        ),
    ),
    _HIRAGANA,
    "kmnist",
)

QMNIST = Source(
    "QMNIST/raw",
    (
        "https://raw.githubusercontent.com/facebookresearch/qmnist/master/",  # used by torchvision
        "https://github.com/facebookresearch/qmnist/raw/main/",
    ),
    _gzip_files(
        _QMNIST_FILES,
        (
            (9_704_059, "9e26a7bf1683614e065d7b76460ccd52807165b3f22561fb782bd9f38c52b51d"),
            (463_024, "2c05dc77f6b916b38e455e97ab129a42a444f3dbef09b278a366f82904e0dd9f"),
            (9_742_279, "43fc22bf7498b8fc98de98369d72f752d0deabc280a43a7bcc364ab19e57b375"),
            (526_800, "9fbcbe594c3766fdf4f0b15c5165dc0d1e57ac604e01422608bb72c906030d06"),
        ),
    ),
    _DIGITS,
    "qmnist",
)

_EMNIST_ZIP = Archive(
    "gzip.zip",
    561_753_746,
    "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
)

# Numbers of training and test images, from https://arxiv.org/abs/1702.05373, table II. Those of
# "letters" are from the published files, which contain more images than the paper says.
EMNIST_SPLITS = {
    "balanced": (112_800, 18_800),
    "byclass": (697_932, 116_323),
    "bymerge": (697_932, 116_323),
    "digits": (240_000, 40_000),
    "letters": (124_800, 20_800),
    "mnist": (60_000, 10_000),
}

_CHARACTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
# Small letters keep a class of their own if their shape differs from the capital letter.
_MERGED = string.digits + string.ascii_uppercase + "abdefghnqrt"
_EMNIST_NAMES = {
    "balanced": tuple(_MERGED),
    "byclass": tuple(_CHARACTERS),
    "bymerge": tuple(_MERGED),
    "digits": _DIGITS,
    "letters": tuple(string.ascii_lowercase),
    "mnist": _DIGITS,
}


def _emnist_file(name: str, size: int) -> DataFile:
    return DataFile(name, size, _EMNIST_ZIP, member=f"gzip/{name}.gz")


# This is the only address of this archive in public sources. Western Sydney University publishes
# another archive, emnist-gzip.zip, with another SHA-256; the hashes of its files are not published.
EMNIST = {
    split: Source(
        "EMNIST/raw",
        ("https://biometrics.nist.gov/cs_links/EMNIST/",),
        {
            subset: (
                _emnist_file(
                    f"emnist-{split}-{subset}-images-idx3-ubyte", IMAGE_HEADER + n * PIXELS
                ),
                _emnist_file(f"emnist-{split}-{subset}-labels-idx1-ubyte", LABEL_HEADER + n),
            )
            for subset, n in zip(("train", "test"), counts, strict=True)
        },
        _EMNIST_NAMES[split],
        "emnist",
        first_label=int(split == "letters"),
        transposed=True,
    )
    for split, counts in EMNIST_SPLITS.items()
}
