"""Files of classifiers that reject images."""

from __future__ import annotations

import os
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from skorch_mnist._storage._model_file import StoredModel, StoredRejection, loading, read_model
from skorch_mnist.classifier import MNISTCNNClassifier

from ._checks import check_params, reject_label_for


def to_stored(rejecting: Any) -> StoredModel:
    """Return the content of the file of a fitted one; ``save`` documents the errors."""
    check_is_fitted(rejecting)
    stored = []
    for name in ("estimator", "detector"):
        fitted = getattr(rejecting, f"{name}_")
        clf = fitted.estimator if isinstance(fitted, FrozenEstimator) else fitted
        if not isinstance(clf, MNISTCNNClassifier):
            raise TypeError(
                f"{name}={clf!r} cannot be saved: it must be an MNISTCNNClassifier, which can be "
                "wrapped in a FrozenEstimator. Use joblib or skops for other estimators."
            )
        stored.append(clf._to_stored())
    label, seed = rejecting.reject_label, rejecting.random_state
    label = label.item() if isinstance(label, np.generic) else label
    if not (label is None or type(label) in (int, float, str)):
        raise ValueError(
            f"reject_label={label!r} cannot be saved: it must be a number, a string or None."
        )
    params = {
        "accept": float(rejecting.accept),
        "reject_label": label,
        "random_state": int(seed) if isinstance(seed, Integral) else None,
    }
    model, detector = stored
    rejection = StoredRejection(
        detector, params, rejecting.temperature_, rejecting.score_quantiles_
    )
    return model._replace(rejection=rejection)


def read(path: str | os.PathLike[str], rejecting_class: Any) -> Any:
    """Read a file; return an ``MNISTCNNClassifier`` or an instance of ``rejecting_class``."""
    stored = read_model(path)
    with loading(path):
        clf = MNISTCNNClassifier._of_stored(stored)
        if stored.rejection is None:
            return clf
        detector, params, temperature, quantiles = stored.rejection
        fitted = MNISTCNNClassifier._of_stored(detector)
        rejecting = rejecting_class(clone(clf), detector=clone(fitted), **params)
        check_params(rejecting)
        rejecting.estimator_, rejecting.detector_ = clf, fitted
        rejecting.temperature_, rejecting.score_quantiles_ = temperature, quantiles
        for learned in ("classes_", "image_shape_", "n_features_in_", "feature_names_in_"):
            if hasattr(clf, learned):
                setattr(rejecting, learned, getattr(clf, learned))
        rejecting.reject_label_ = reject_label_for(clf.classes_, rejecting.reject_label)
    return rejecting
