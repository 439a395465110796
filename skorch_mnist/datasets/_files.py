"""The files of each data set, where they come from, and what they must contain: data only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataFile:
    """One file of a data set, published as a gzip archive ``NAME.gz``.

    Attributes
    ----------
    name : str
        Name of the unpacked file.
    size : int
        Bytes of the unpacked file.
    sha256 : str
        SHA-256 of the unpacked file, in hexadecimal.
    archive_sha256 : str
        SHA-256 of the archive, in hexadecimal.
    archive_size : int
        Bytes of the archive.
    """

    name: str
    size: int
    sha256: str
    archive_sha256: str
    archive_size: int

    @property
    def archive_name(self) -> str:
        """Name of the archive, on the mirrors and in the cache."""
        return f"{self.name}.gz"


# The folder inside a data home: torchvision's layout, so that both share one copy.
MNIST_FOLDER = "MNIST/raw"

# Tried in this order. The first is torchvision's own mirror, the second TensorFlow Datasets'.
MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)

# For each subset the images, then the labels. The archives are those of
# http://yann.lecun.com/exdb/mnist/, byte for byte; torchvision lists the same ones by MD5.
MNIST = {
    "train": (
        DataFile(
            name="train-images-idx3-ubyte",
            size=47_040_016,
            sha256="ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            archive_sha256="440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            archive_size=9_912_422,
        ),
        DataFile(
            name="train-labels-idx1-ubyte",
            size=60_008,
            sha256="65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            archive_sha256="3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            archive_size=28_881,
        ),
    ),
    "test": (
        DataFile(
            name="t10k-images-idx3-ubyte",
            size=7_840_016,
            sha256="0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            archive_sha256="8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            archive_size=1_648_877,
        ),
        DataFile(
            name="t10k-labels-idx1-ubyte",
            size=10_008,
            sha256="ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            archive_sha256="f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            archive_size=4_542,
        ),
    ),
}
