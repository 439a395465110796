"""Images that are indexed by rows, in memory or read lazily, and their loader."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import numpy as np
import skorch.dataset
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset

from skorch_mnist._inputs._layouts import ImageShape, InputFormat
from skorch_mnist._inputs._pixels import PixelStatistics, pixel_statistics
from skorch_mnist._inputs._torch_data import labels_of
from skorch_mnist._inputs._validation import (
    Given,
    all_classes,
    check_images,
    check_images_and_labels,
    check_known,
    check_two_classes,
    check_weights,
    encode,
    is_dataset,
    refuse_containers,
)

from ._batch import LOADER_ARGUMENTS, as_it_is, check_batch_size, number_of_batches, tensor_of
from ._image_stream import ImageStream
from ._samplers import check_samplers
from ._share import Share
from ._split import split_rows

LARGEST_SHARE = 0.5  # of the free memory of a GPU, for the images
ROWS_PER_TRANSFER = 8192
ROWS_PER_HASH = 2048


class ImageDataset(skorch.dataset.Dataset):
    """Images that are indexed by rows, with their original labels and the codes for the criterion.

    Parameters
    ----------
    images : array of shape (n_samples, channels, height, width), any real dtype
        An ndarray, lazy images that are indexed by rows like one, or a tensor on a device.
    y : ndarray of shape (n_samples,) or None
        Original labels.
    codes : ndarray of shape (n_samples,), int64, or None
        Index of each label in ``classes_``.
    sample_weight : ndarray of shape (n_samples,), float32, or None
        Positive weights. If given, ``X`` of a batch is a dict of ``image`` and ``sample_weight``.

    Attributes
    ----------
    classes, input_format, image_shape :
        Set by ``for_training``; the estimator stores them.
    """

    classes: NDArray[Any]
    input_format: InputFormat
    image_shape: ImageShape

    def __init__(
        self,
        images: Any,
        y: NDArray[Any] | None = None,
        codes: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float32] | None = None,
    ) -> None:
        self.images = images
        self.labels = y
        self.codes = np.zeros(len(images), dtype=np.int64) if codes is None else codes
        self.sample_weight = sample_weight
        self.rows = np.arange(len(images))
        self._on_device: dict[torch.device, torch.Tensor] = {}  # shared with all subsets

    @classmethod
    def for_training(
        cls, estimator: Any, given: Given, *, known: NDArray[Any] | None, split: Any
    ) -> Self:
        """Check all images and labels, remove samples with weight 0, and encode the labels.

        Parameters
        ----------
        estimator : classifier
            Its parameter ``class_weight`` is used, and for streams also ``callbacks``,
            ``use_caching`` and ``verbose``.
        given : Given
            As in ``check_images_and_labels``. ``classes`` are all classes, or None.
        known : ndarray of shape (n_classes,) or None
            All classes of an earlier call, which the samples must match. If None, the format of the
            images is learned.
        split : float, callable or None
            The parameter ``train_split``.

        Raises
        ------
        ValueError
            If the samples are not valid, or if a parameter does not support them.
        """
        X, y, sample_weight, classes = given
        classes = all_classes(classes, known)
        images, input_format, y = check_images_and_labels(estimator, X, y, reset=known is None)
        check_known(y, classes)
        images, y, weight = check_weights(sample_weight, estimator.class_weight, images, y, classes)
        classes = np.unique(y) if classes is None else classes
        check_two_classes(classes, type(estimator).__name__)
        dataset = cls(images, y, encode(y, classes), weight)
        dataset.classes, dataset.input_format = classes, input_format
        dataset.image_shape = tuple(images.shape[1:])
        return dataset

    @classmethod
    def for_validation(cls, estimator: Any, X: Any, y: Any = None) -> Self:
        """Check images and labels of a separate validation set."""
        images, _, y = check_images_and_labels(estimator, X, y, reset=False)
        estimator.pixel_statistics_.check_range(images)
        return cls(images, y, encode(y, estimator.classes_))

    @classmethod
    def for_inspection(cls, estimator: Any, X: Any, y: Any) -> Self:
        """Check images, with ``y`` or the labels of a dataset if it has any."""
        if y is None and is_dataset(X):
            y = labels_of(X)
        if y is None:
            return cls.for_prediction(estimator, X)
        return cls.for_validation(estimator, X, y)

    @classmethod
    def for_prediction(cls, estimator: Any, X: Any) -> Self:
        """Check images without labels; warn if they do not look like those in ``fit``."""
        images = check_images(estimator, X).images
        estimator.pixel_statistics_.check_range(images)
        return cls(images)

    @classmethod
    def with_labels(cls, X: Any) -> tuple[Any, Any]:
        """Return ``X``, and a function that returns its labels after ``X`` was read.

        Raises
        ------
        ValueError
            If ``X`` does not have labels.
        """
        refuse_containers(X)
        labels = labels_of(X) if is_dataset(X) else None
        if labels is None:
            raise ValueError("X does not have labels: pass them as y.")
        return X, lambda: labels

    # --- the dataset interface of skorch ------------------------------------------------------

    @property
    def X(self) -> Any:  # noqa: N802
        """The images of these rows."""
        if len(self.rows) == len(self.images):
            return self.images
        return (
            self.images.only(self.rows) if hasattr(self.images, "only") else self.images[self.rows]
        )

    @property
    def y(self) -> NDArray[Any] | None:
        """The labels of these rows."""
        return None if self.labels is None else self.labels[self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> tuple[Any, torch.Tensor]:
        images, codes = self.take(np.array([number]))
        if isinstance(images, dict):
            return {key: value[0] for key, value in images.items()}, codes[0]
        return images[0], codes[0]

    # --- batches ------------------------------------------------------------------------------

    def take(self, numbers: Any, share: Share | None = None) -> tuple[Any, torch.Tensor]:
        """Gather a batch of images and codes; images keep their dtype if PyTorch supports it.

        If ``share`` is given, only the images of this process are read, but all codes and weights.
        """
        try:
            rows = self.rows[numbers]
        except IndexError as error:
            raise IndexError(
                f"{error}. A sampler must draw from the {len(self)} training samples. To use one "
                "that was created for all samples, set train_split=None."
            ) from None
        read = rows if share is None else rows[share.rows(len(rows))]
        if isinstance(self.images, torch.Tensor):
            images = self.images[torch.from_numpy(read).to(self.images.device)]
        else:
            images = tensor_of(self.images[read])
        codes = torch.from_numpy(self.codes[rows])
        if self.sample_weight is None:
            return images, codes
        weight = torch.from_numpy(self.sample_weight[rows])
        return {"image": images, "sample_weight": weight}, codes

    def loader(self, arguments: Mapping[str, Any], device: torch.device) -> Any:
        """Return an iterable of batches from the arguments of ``DataLoader``.

        If our own loader does not support an argument, a ``DataLoader`` fetches whole batches.
        """
        given = dict(arguments)
        if given["batch_size"] == -1:
            given["batch_size"] = len(self)
        if given.keys() <= LOADER_ARGUMENTS:
            return BatchLoader(self._moved_to(device), **given)
        if given.get("batch_sampler") is not None:
            given["batch_size"] = 1  # DataLoader requires this
        return self.fitting(DataLoader(WholeBatches(self), collate_fn=as_it_is, **given))

    def items(self, prefix: str) -> Self:
        """Return a dataset of single items, for the custom loader ``prefix``."""
        return self

    def fitting(self, loader: Any) -> Any:
        """Return ``loader``; raise a ValueError if its sampler draws from more samples."""
        check_samplers(loader, n_samples=len(self.images))
        return loader

    def _moved_to(self, device: torch.device) -> Self:
        """Return this dataset with its images on ``device``, if it is a CUDA GPU with free memory.

        The images are moved once, for all subsets. Lazy images are not moved.
        """
        if device.type != "cuda" or not isinstance(self.images, np.ndarray) or not len(self):
            return self
        if device not in self._on_device:
            dtype = tensor_of(self.images[:1].copy()).dtype
            free, _ = torch.cuda.mem_get_info(device)
            if self.images.size * dtype.itemsize > free * LARGEST_SHARE:
                return self
            images = torch.empty(self.images.shape, dtype=dtype, device=device)
            for start in range(0, len(images), ROWS_PER_TRANSFER):
                rows = slice(start, start + ROWS_PER_TRANSFER)
                images[rows] = tensor_of(self.images[rows].copy()).to(device)
            self._on_device[device] = images
        moved = copy.copy(self)
        moved.images = self._on_device[device]
        return moved

    # --- parts and statistics -----------------------------------------------------------------

    def subset(self, numbers: NDArray[np.integer]) -> Self:
        """Return some of these images, without copying them."""
        part = copy.copy(self)
        part.rows = self.rows[numbers]
        return part

    def split(
        self, fraction: float, random_state: np.random.RandomState
    ) -> tuple[Self, Self | None]:
        """Split the images into training and validation, stratified by class."""
        train, valid = split_rows(self.codes[self.rows], fraction, random_state)
        return self.subset(train), self.subset(valid) if len(valid) else None

    def pixel_statistics(self) -> PixelStatistics:
        """Return the scale of the pixels, computed in chunks."""
        weight = None if self.sample_weight is None else self.sample_weight[self.rows]
        return pixel_statistics(self.X, weight)

    def add_to(self, sha256: Any, known: set[int]) -> None:
        """Add the rows to a hash, and labels, weights and pixels unless they are in ``known``."""
        sha256.update(self.rows.astype(np.int64).data)
        if id(self.codes) in known:
            return
        known.add(id(self.codes))
        for part in (self.codes, self.sample_weight, self.images):
            if isinstance(part, np.ndarray):
                for start in range(0, len(part), ROWS_PER_HASH):
                    rows = np.ascontiguousarray(part[start : start + ROWS_PER_HASH])
                    sha256.update(rows.view(np.uint8).data)


# --- loaders ----------------------------------------------------------------------------------


class WholeBatches(Dataset[Any]):
    """An ``ImageDataset`` from which a ``DataLoader`` fetches a whole batch in one call.

    A ``DataLoader`` passes all indices of a batch to ``__getitems__`` if it is defined, so its
    ``collate_fn`` has nothing to do.
    """

    def __init__(self, dataset: ImageDataset) -> None:
        self.dataset = dataset
        self.share: Share | None = None

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitems__(self, numbers: list[int]) -> tuple[Any, torch.Tensor]:
        return self.dataset.take(numbers, self.share)


class BatchLoader:
    """Loader of an ``ImageDataset``, faster than a ``DataLoader`` without workers.

    Parameters
    ----------
    dataset : ImageDataset
    batch_size : int
    shuffle : bool
        Whether to shuffle the images in each pass, with ``generator``.
    drop_last : bool
        Whether to drop the last batch if it is incomplete.
    generator : torch.Generator or None
        If None, the global generator is used.

    Raises
    ------
    ValueError
        If ``batch_size`` is not a positive integer.
    """

    def __init__(
        self,
        dataset: ImageDataset,
        batch_size: Any,
        shuffle: bool = False,
        drop_last: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        self.dataset = dataset
        n_rows = len(dataset)
        self.batch_size = check_batch_size(batch_size)
        self.n_batches = number_of_batches(n_rows, self.batch_size, drop_last)
        self.shuffle = shuffle
        self.generator = generator
        self.share: Share | None = None

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[tuple[Any, torch.Tensor]]:
        order = np.arange(len(self.dataset))
        if self.shuffle:
            # Draw as DataLoader and RandomSampler do: first a seed for workers, then the order.
            torch.empty((), dtype=torch.int64).random_(generator=self.generator)
            order = torch.randperm(len(order), generator=self.generator).numpy()
            torch.randperm(len(order), generator=self.generator)  # RandomSampler draws it, unused
        for start in range(0, self.n_batches * self.batch_size, self.batch_size):
            yield self.dataset.take(order[start : start + self.batch_size], self.share)


# --- both kinds of datasets -------------------------------------------------------------------

# Both have the same methods, so training, prediction and checkpoints do not need to distinguish
# them: for_training, for_validation, for_inspection, for_prediction, with_labels; split, loader,
# items, pixel_statistics and add_to. ImageDataset documents them.
LabeledImages = ImageDataset | ImageStream


def dataset_class(X: Any) -> type[ImageDataset] | type[ImageStream]:
    """Return the class that reads ``X``."""
    return ImageStream if isinstance(X, IterableDataset) else ImageDataset


def own_form(dataset: Any) -> Any:
    """Convert a ``Subset`` of an ``ImageDataset`` to one; return anything else unchanged."""
    if not isinstance(dataset, Subset):
        return dataset
    whole = own_form(dataset.dataset)
    numbers = np.asarray(dataset.indices)
    return whole.subset(numbers) if isinstance(whole, ImageDataset) else dataset


def fingerprint(datasets: Iterable[Dataset[Any] | None], *facts: Any) -> str:
    """Return a hash of datasets, in this order, and of facts about them.

    The hash does not include the pixels of lazy images, and includes only the length of datasets
    that are not ours.
    """
    sha256 = hashlib.sha256(repr(list(facts)).encode())
    known: set[int] = set()
    for dataset in datasets:
        images = own_form(dataset)
        if isinstance(images, LabeledImages):
            images.add_to(sha256, known)
        else:
            length = None if dataset is None else len(dataset)  # type: ignore[arg-type]
            sha256.update(repr(length).encode())
    return sha256.hexdigest()
