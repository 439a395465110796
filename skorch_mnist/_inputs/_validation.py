"""Check inputs of all kinds, and convert them to images and labels in canonical form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    column_or_1d,
    validate_data,
)
from torch.utils.data import DataLoader

from skorch_mnist._compat import check_sample_weight, check_y
from skorch_mnist._geometry import SIDE

from ._layouts import InputFormat, check_column_names, known_layout, learn_layout
from ._pixels import as_array, refuse_unread_images, to_array
from ._torch_data import TORCH_DATA, DatasetImages, images_of, labels_in, labels_of


class Given(NamedTuple):
    """The arguments of ``fit`` or ``partial_fit``."""

    X: Any
    y: Any
    sample_weight: Any
    classes: Any = None  # all classes, an argument of partial_fit


class CheckedImages(NamedTuple):
    """Images in canonical form, and their original format.

    Attributes
    ----------
    images : array of shape (n_samples, channels, height, width), in the dtype of ``X``
    input_format : InputFormat
    y : ndarray of shape (n_samples,) or None
    """

    images: Any
    input_format: InputFormat
    y: Any = None


def check_images_and_labels(estimator: Any, X: Any, y: Any, *, reset: bool) -> CheckedImages:
    """Check images with labels.

    Parameters
    ----------
    estimator : estimator
        If ``reset``, scikit-learn sets its ``n_features_in_`` and ``feature_names_in_``. Otherwise,
        ``X`` is compared with them and with ``image_shape_``.
    X : array-like, DataFrame, tensor, Dataset or SliceDataset
    y : array-like of shape (n_samples,) or None
        If None, the labels of the dataset ``X`` are used.
    reset : bool
        Whether to learn the format of the images, or to compare it with the learned one.

    Raises
    ------
    ValueError
        If images or labels are not valid; scikit-learn raises most of these errors.
    """
    refuse_containers(X)
    if is_dataset(X):
        images = images_of(X)
        y = labels_of(X) if y is None else y
        X = images
        if y is None:
            raise ValueError("The dataset X does not have labels: pass them as y.")
    if is_dataset(y):
        y = labels_in(y)
    refuse_one_hot(y)
    if isinstance(X, DatasetImages):
        checked = check_lazy_images(estimator, X, reset=reset)
        y = check_y(as_array(y), estimator=estimator)
        check_consistent_length(X, y)
        checked = checked._replace(y=y)
    else:
        checked = _check_array(estimator, X, reset, y=y)
    check_classification_targets(checked.y)
    return checked


def check_images(estimator: Any, X: Any) -> CheckedImages:
    """Check images against those of ``fit``; see ``check_images_and_labels``."""
    refuse_containers(X)
    if is_dataset(X):
        X = images_of(X)
    if isinstance(X, DatasetImages):
        return check_lazy_images(estimator, X, reset=False)
    return _check_array(estimator, X, reset=False)


def check_lazy_images(estimator: Any, images: Any, *, reset: bool) -> CheckedImages:
    """Check images that are read lazily; only the first one is read."""
    n_pixels = math.prod(images.item_shape)
    if reset:
        estimator.n_features_in_ = n_pixels
    elif n_pixels != estimator.n_features_in_:
        raise _other_size(f"{n_pixels} features", estimator)
    if reset:
        layout = learn_layout(images.item_shape, estimator.image_shape)
    else:
        layout = known_layout(images.item_shape, estimator.image_shape_)
    return CheckedImages(images.arranged(layout), InputFormat.of(images.item_shape, images.dtype))


def _check_array(estimator: Any, X: Any, reset: bool, **labels: Any) -> CheckedImages:
    X, labels = as_array(X), {name: as_array(y) for name, y in labels.items()}
    shape = np.shape(X)  # works for None, too, which scikit-learn refuses later
    item_shape = shape[1:]
    if reset:
        refuse_unread_images(X)
    elif math.prod(item_shape) != estimator.n_features_in_:
        refuse_unread_images(X)
        refuse_other_images(X, shape, estimator)
    flat = X.reshape(len(X), math.prod(item_shape)) if len(item_shape) > 1 else X
    # In such rows, scikit-learn would find nothing, in a tenth of the time of a prediction.
    integers = type(flat) is np.ndarray and flat.dtype.kind in "biu" and flat.flags.c_contiguous
    plain = not reset and not labels and not hasattr(estimator, "feature_names_in_")
    if plain and integers and flat.size and flat.shape[1:] == (estimator.n_features_in_,):
        checked = flat
    elif len(item_shape) > 1 and not reset and not labels:  # images do not have column names
        checked = check_array(flat, order="C", input_name="X", estimator=estimator)
    else:
        checked = validate_data(estimator, flat, reset=reset, dtype="numeric", order="C", **labels)
    pixels, y = checked if labels else (checked, None)
    if pixels.dtype == object:  # from polars or Arrow; scikit-learn converts only pandas
        pixels = check_array(pixels, input_name="X", estimator=estimator)
    if pixels.dtype.kind in "mM":  # dates and times, which scikit-learn accepts
        raise ValueError(f"X has dtype {pixels.dtype}, but pixels must be real numbers.")
    if len(item_shape) < 2:  # a data frame or a list of rows
        item_shape = pixels.shape[1:]
    if reset:
        check_column_names(getattr(estimator, "feature_names_in_", ()), estimator.image_shape)
        layout = learn_layout(item_shape, estimator.image_shape)
    else:
        layout = known_layout(item_shape, estimator.image_shape_)
    images = layout.arrange(pixels.reshape(len(pixels), *item_shape))
    return CheckedImages(images, InputFormat.of(item_shape, pixels.dtype), y)


def is_dataset(X: Any) -> bool:
    """Whether ``X`` yields its images one by one, as datasets of PyTorch and Hugging Face do."""
    return isinstance(X, TORCH_DATA) or hasattr(type(X), "with_format")


def refuse_containers(X: Any) -> None:
    """Raise a ValueError for a loader, a single PIL image or a dict of images."""
    if isinstance(X, DataLoader):
        raise ValueError(
            "X is a DataLoader, but the classifier creates its own. Pass the dataset, and set the "
            "arguments of the loader as parameters: batch_size, iterator_train__num_workers and so "
            "on."
        )
    if hasattr(X, "getbands"):
        raise ValueError(
            "X is a single PIL image, but must contain one image per row. Pass np.asarray(X)[None] "
            "if it has the size of the training images. skorch_mnist.read_digits and "
            "DigitPreprocessor read pictures of any size."
        )
    if isinstance(X, Mapping):
        raise ValueError(
            f"X is a {type(X).__name__} with the keys {list(X)[:10]}, but must contain only the "
            "images. Pass the images as X, their labels as y, and weights as sample_weight."
        )


def refuse_one_hot(y: Any) -> None:
    """Raise a ValueError for one-hot encoded labels."""
    shape: Any = np.shape(y) if isinstance(y, (list, tuple)) else getattr(y, "shape", ())
    if is_dataset(y) or len(shape) != 2 or shape[1] < 2:
        return
    columns = y.toarray() if hasattr(y, "toarray") else to_array(y)
    ones, zeros = (columns == 1).sum(axis=1), (columns == 0).sum(axis=1)
    if len(columns) and (ones == 1).all() and (ones + zeros == columns.shape[1]).all():
        raise ValueError(
            f"y is one-hot encoded, with shape {columns.shape}, but must contain one label per "
            "image. Pass np.argmax(y, axis=1). The same applies to the labels of a dataset."
        )


def refuse_other_images(X: Any, shape: tuple[int, ...], estimator: Any) -> None:
    """Raise a ValueError for one image, or for an array of images of another size than in fit."""
    channels, height, width = estimator.image_shape_
    gray = [(height, width)] if channels == 1 else []
    flat = (estimator.n_features_in_,)
    if shape in [*gray, (channels, height, width), (height, width, channels), flat]:
        raise ValueError(
            f"X is a single image of shape {shape}, but must contain one image per row. Reshape "
            "your data: pass X[None]."
        )
    if isinstance(X, np.ndarray) and X.dtype.kind in "buif" and len(shape) > 1:
        what = f"{shape[1]} features" if len(shape) == 2 else f"images of shape {shape[1:]}"
        raise _other_size(what, estimator)


def _other_size(what: str, estimator: Any) -> ValueError:
    shape = estimator.image_shape_
    hint = " To read a picture of any size, use skorch_mnist.read_digits."
    return ValueError(
        f"X has {what}, but {type(estimator).__name__} is expecting {estimator.n_features_in_} "
        f"features as input, images of shape {shape}." + hint * (shape == (1, SIDE, SIDE))
    )


# --- classes ----------------------------------------------------------------------------------


def all_classes(classes: Any, known: NDArray[Any] | None) -> NDArray[Any] | None:
    """Return all classes if they are known in advance, else None.

    Parameters
    ----------
    classes : array-like of shape (n_classes,) or None
        The argument of ``partial_fit``.
    known : ndarray of shape (n_classes,) or None
        The classes of an earlier call.

    Raises
    ------
    ValueError
        If ``classes`` and ``known`` differ.
    """
    named = None if classes is None else np.unique(column_or_1d(classes))
    if known is not None and named is not None and not np.array_equal(named, known):
        raise ValueError(
            f"classes={named} is not valid: the classes of the first call were {known}."
        )
    return named if known is None else known


def check_known(y: NDArray[Any], classes: NDArray[Any] | None) -> None:
    """Raise a ValueError for labels that are not among ``classes``, if these are known."""
    if classes is not None and len(strangers := np.setdiff1d(y, classes)):
        raise ValueError(f"y has labels {strangers} that are not among the classes {classes}.")


def check_two_classes(classes: NDArray[Any], name: str) -> None:
    """Raise a ValueError if there is only one class."""
    if len(classes) < 2:
        raise ValueError(
            f"{name} requires at least 2 classes, but y contains only one class: {classes[0]}."
        )


def encode(y: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.int64]:
    """Return the index of each label in ``classes``, which must contain all labels."""
    check_known(y, classes)
    return np.searchsorted(classes, y).astype(np.int64)


def are_codes(classes: NDArray[Any]) -> bool:
    """Whether each of the ascending labels is its own index."""
    return classes.dtype.kind in "iu" and classes[0] == 0 and classes[-1] == len(classes) - 1


# --- weights ----------------------------------------------------------------------------------


def check_weights(
    sample_weight: Any, class_weight: Any, images: Any, y: NDArray[Any], classes: Any = None
) -> tuple[Any, NDArray[Any], NDArray[np.float32] | None]:
    """Remove samples with weight 0, and return the weights of the others.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,), number or None
    class_weight : dict, "balanced" or None
        "balanced" counts the remaining samples. Classes that are missing from a dict have weight 1.
    images : array of shape (n_samples, ...)
    y : ndarray of shape (n_samples,)
    classes : ndarray of shape (n_classes,) or None
        All classes; some may be missing from ``y``. If None, the classes in ``y``.

    Returns
    -------
    images, y : as given, without the samples with weight 0
    weight : ndarray of float32 or None
        Product of sample weight and class weight, at most 1; None if neither is given.
    """
    weight = None
    if sample_weight is not None:
        weight = check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
        rows = np.flatnonzero(weight)
        if not len(rows):
            raise ValueError("sample_weight is 0 for all samples: at least one must be positive.")
        if len(rows) < len(y):
            images = images.only(rows) if hasattr(images, "only") else images[rows]
            y, weight = y[rows], weight[rows]
    if class_weight is not None:
        labels, rows, counts = np.unique(y, return_inverse=True, return_counts=True)
        classes = labels if classes is None else classes
        of_label = weights_of_labels(class_weight, labels, counts, classes)[rows]
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
        Unique.
    counts : ndarray of shape (n_labels,)
        Samples with each label.
    classes : ndarray of shape (n_classes,)
        All classes; some may be missing from ``labels``.

    Raises
    ------
    ValueError
        If weights are negative, not finite or all 0, or if a key is not a class.
    """
    if class_weight == "balanced":
        weights: NDArray[np.float64] = counts.sum() / (len(labels) * counts)
    else:  # compute_class_weight of scikit-learn confuses the labels "1" and 1
        strangers = class_weight.keys() - set(classes)
        if strangers and set(classes) - class_weight.keys():  # else a split may miss these labels
            raise ValueError(
                f"class_weight={class_weight!r} is not valid: {list(strangers)} are not among the "
                f"classes {classes.tolist()}."
            )
        weights = np.array([class_weight.get(label, 1.0) for label in labels], np.float64)
    if not np.isfinite(weights).all() or weights.min() < 0 or not weights.any():
        raise ValueError(
            f"class_weight={class_weight!r} is not valid: weights must be finite and not negative, "
            "and at least one must be positive."
        )
    return weights
