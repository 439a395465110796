"""Input checks: arrays, frames, tensors and data sets in, canonical images and labels out."""

from __future__ import annotations

import math
import warnings
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    _check_y,
    check_consistent_length,
    validate_data,
)
from torch.utils.data import DataLoader

from ._layouts import (
    ImageShape,
    InputFormat,
    Layout,
    check_image_shape,
    infer_layout,
    known_layout,
)
from ._streams import StreamedImages
from ._torch_data import (
    DatasetImages,
    images_of,
    is_torch_data,
    labels_of,
    to_array,
)

__all__ = [
    "check_images",
    "check_images_and_labels",
    "check_pixel_range",
    "check_stream",
    "check_weights",
    "weights_of_labels",
]

Images = TypeVar("Images", DatasetImages, StreamedImages)


def refuse_loader(X: Any) -> None:
    """Raise a ValueError for a ``DataLoader``, which many pass first."""
    if isinstance(X, DataLoader):
        raise ValueError(
            "X is a DataLoader, which the classifier makes itself. Pass its data set; its "
            "arguments are parameters: batch_size, iterator_train__num_workers and the like."
        )


def check_images_and_labels(
    estimator: Any, X: Any, y: Any, *, reset: bool = True
) -> tuple[Any, ImageShape, NDArray[Any]]:
    """Check the input of ``fit``.

    Parameters
    ----------
    estimator : estimator
        Gets ``n_features_in_``, ``feature_names_in_`` and ``input_format_``; its ``image_shape``
        decides the shape.
    X : array-like, DataFrame, tensor, torch Dataset or SliceDataset
    y : array-like of shape (n_samples,) or None for a data set with labels
    reset : bool
        Whether to learn the shape, or to compare with what was learned.

    Returns
    -------
    images : array of shape (n_samples, channels, height, width), in the dtype of ``X``
    image_shape : tuple of (channels, height, width)
    y : ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        In scikit-learn's words where it has any.
    """
    refuse_loader(X)
    if is_torch_data(X):
        images = images_of(X)
        y = labels_of(X) if y is None else y
        X = images
        if y is None:
            raise ValueError("The data set X has no labels: pass them as y.")
    if is_torch_data(y):
        y = labels_of(y, getattr(y, "idx", 1))
    if isinstance(X, DatasetImages):
        images, shape = _check_dataset(estimator, X, reset)
        y = _check_y(_label_array(y), estimator=estimator)
        check_consistent_length(X, y)
    else:
        images, shape, y = _check_array(estimator, X, reset, y=_label_array(y))
    check_classification_targets(y)
    return images, shape, y


def check_images(estimator: Any, X: Any) -> Any:
    """Check the input of ``predict`` against what ``fit`` saw; return canonical images."""
    refuse_loader(X)
    if is_torch_data(X):
        X = images_of(X)
    if isinstance(X, DatasetImages):
        return _check_dataset(estimator, X, reset=False)[0]
    return _check_array(estimator, X, reset=False)[0]


def check_stream(
    estimator: Any, X: Any, y: Any = None, sample_weight: Any = None, *, reset: bool
) -> tuple[StreamedImages, ImageShape]:
    """Check the first image of a stream, and that nothing comes with it that goes by number.

    Parameters
    ----------
    estimator, reset :
        As for ``check_images_and_labels``.
    X : IterableDataset
    y, sample_weight :
        Must be None.

    Returns
    -------
    images : StreamedImages
    image_shape : tuple of (channels, height, width)
    """
    for name, value in {"y": y, "sample_weight": sample_weight}.items():
        if value is not None:
            raise ValueError(
                f"X is a stream, whose images have no numbers, so {name} must be None: its items "
                "are (image, label), and class_weight may weigh them."
            )
    return _check_dataset(estimator, StreamedImages(X), reset)


def check_weights(
    sample_weight: Any, class_weight: Any, images: Any, y: NDArray[Any], classes: Any = None
) -> tuple[Any, NDArray[Any], NDArray[np.float32] | None]:
    """Leave out samples of weight 0, and weigh the others.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,), number or None
    class_weight : dict, "balanced" or None
        "balanced" counts the samples that are left. Classes that a dict lacks weigh 1.
    images : array of shape (n_samples, ...)
    y : ndarray of shape (n_samples,)
    classes : ndarray of shape (n_classes,) or None
        All classes, of which ``y`` may lack some; None takes those of ``y``.

    Returns
    -------
    images, y : as given, without the samples of weight 0
    weight : ndarray of float32 or None
        Weight of sample and class together, the largest 1; None where neither is given.
    """
    weight = None
    if sample_weight is not None:
        weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
        rows = np.flatnonzero(weight)
        if not len(rows):
            raise ValueError("All samples have sample_weight 0: at least one must be positive.")
        if len(rows) < len(y):
            lazy = isinstance(images, DatasetImages)
            images = images.only(rows) if lazy else images[rows]
            y, weight = y[rows], weight[rows]
    if class_weight is not None:
        labels, rows, counts = np.unique(y, return_inverse=True, return_counts=True)
        all_classes = labels if classes is None else classes
        of_label = weights_of_labels(class_weight, labels, counts, all_classes)[rows]
        weight = of_label if weight is None else weight * of_label
    if weight is None:
        return images, y, None
    return images, y, (weight / weight.max()).astype(np.float32)  # any scale fits into float32


def weights_of_labels(
    class_weight: Any, labels: NDArray[Any], counts: NDArray[np.int64], classes: NDArray[Any]
) -> NDArray[np.float64]:
    """Return the weight of each label.

    Parameters
    ----------
    class_weight : dict or "balanced"
    labels : ndarray of shape (n_labels,)
        Each once.
    counts : ndarray of shape (n_labels,)
        Samples with each label.
    classes : ndarray of shape (n_classes,)
        All classes, of which ``labels`` may lack some.

    Raises
    ------
    ValueError
        If weights are negative, not finite or all 0.
    """
    of_classes = compute_class_weight(class_weight, classes=classes, y=labels)
    weights: NDArray[np.float64] = of_classes[np.searchsorted(classes, labels)]
    if class_weight == "balanced":  # for which each label was one sample
        weights = weights * counts.sum() / (len(labels) * counts)
    if not np.isfinite(weights).all() or weights.min() < 0 or not weights.any():
        raise ValueError(
            f"class_weight={class_weight!r} must give weights of at least 0, not all of them 0."
        )
    return weights


def check_pixel_range(images: Any, fitted: tuple[float, float], fitted_mean: float) -> None:
    """Warn where images are on another scale than those seen in ``fit``.

    A factor of eight tells 0..1, 0..16 and 0..255 apart. Both the brightest pixel and the mean must
    be beyond it: faint images have a mean, and scalers of features let single pixels through.
    Data with negative values were standardized, and their extremes say nothing. Of images that are
    read lazily, the first stands for all.
    """
    low, high = fitted
    if isinstance(images, (DatasetImages, StreamedImages)):
        images = images.first
    if low < 0 or images.size == 0:
        return
    brightest = float(images.max())
    brighter, fainter = brightest > high * 8, 0 < brightest < high / 8
    if not brighter and not fainter:
        return
    mean = float(images.mean(dtype=np.float64))
    if mean > fitted_mean * 8 if brighter else 0 < mean < fitted_mean / 8:
        warnings.warn(
            f"The brightest pixel of X is {brightest:g}, while the classifier was fitted on "
            f"pixels in {low:g}..{high:g}: predictions will be poor. Bring X to the scale of the "
            "training images.",
            UserWarning,
            stacklevel=2,
        )


def _label_array(y: Any) -> Any:
    return y if y is None or hasattr(y, "iloc") else to_array(y)


def _check_dataset(estimator: Any, images: Images, reset: bool) -> tuple[Images, ImageShape]:
    n_pixels = math.prod(images.item_shape)
    if reset:
        estimator.n_features_in_ = n_pixels
        estimator.input_format_ = InputFormat.of(images.item_shape, images.dtype)
    elif n_pixels != estimator.n_features_in_:
        raise ValueError(
            f"X has {n_pixels} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input."
        )
    layout = _layout(estimator, images.item_shape, reset)
    return images.arranged(layout), layout.image_shape


def _check_array(
    estimator: Any, X: Any, reset: bool, **labels: Any
) -> tuple[NDArray[Any], ImageShape, Any]:
    if not hasattr(X, "iloc") and not hasattr(X, "toarray"):
        X = to_array(X)
    item_shape = tuple(X.shape[1:])
    flat = X.reshape(len(X), math.prod(item_shape)) if len(item_shape) > 1 else X
    checked = validate_data(estimator, flat, reset=reset, dtype="numeric", order="C", **labels)
    pixels, y = checked if labels else (checked, None)
    if pixels.dtype.kind in "mM":  # scikit-learn takes them for numeric
        raise ValueError(f"X holds {pixels.dtype}, not pixels. Pass real numbers.")
    if len(item_shape) < 2:  # a frame or a list of rows
        item_shape = pixels.shape[1:]
    if reset:
        estimator.input_format_ = InputFormat.of(item_shape, pixels.dtype)
    layout = _layout(estimator, item_shape, reset)
    images = layout.arrange(pixels.reshape(len(pixels), *item_shape))
    return images, layout.image_shape, y


def _layout(estimator: Any, item_shape: tuple[int, ...], reset: bool) -> Layout:
    """Return how items are read; in ``fit``, warn where rows are padded."""
    if not reset:
        return known_layout(item_shape, estimator.image_shape_)
    given = estimator.image_shape
    layout = infer_layout(item_shape, None if given is None else check_image_shape(given))
    if layout.padding:
        n_pixels, side = item_shape[0], layout.image_shape[1]
        hint = " Was a label column left in X?" if n_pixels == 785 else ""
        warnings.warn(
            f"X has rows of {n_pixels} pixels, which is no square: they are padded with zeros to "
            f"{side}x{side}. Set image_shape=(height, width) or (channels, height, width) if the "
            f"images have another shape.{hint}",
            UserWarning,
            stacklevel=2,
        )
    return layout
