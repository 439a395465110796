"""Files of classifiers that reject images, on disk and on the Hugging Face Hub."""

from __future__ import annotations

import os
from collections.abc import Mapping
from numbers import Integral
from typing import Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from skorch_mnist._hub._repository import pretrained_file, upload
from skorch_mnist._storage._model_file import (
    StoredModel,
    StoredRejection,
    loading,
    read_model,
    write_model,
)
from skorch_mnist.classifier import MNISTCNNClassifier

from ._labels import reject_label_for


class SavedInFiles:
    """The methods of a ``RejectingClassifier`` that write and read files."""

    estimator: Any
    estimator_: Any

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the fitted classifier to one file, without pickle.

        ``MNISTCNNClassifier.load`` reads only the wrapped classifier from this file.

        Parameters
        ----------
        path : path-like
            File to write, in safetensors format. An existing file is replaced atomically.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        TypeError
            If ``estimator`` or ``detector`` is not an ``MNISTCNNClassifier``.
        ValueError
            If a network, its labels or ``reject_label`` cannot be stored.
        OSError
            If the file cannot be written.
        """
        write_model(path, to_stored(self))

    def push_to_hub(
        self,
        repo_id: str,
        *,
        metrics: Mapping[str, float] | None = None,
        private: bool | None = None,
    ) -> str:
        """Upload the fitted classifier to the Hugging Face Hub, with a model card.

        Parameters
        ----------
        repo_id, metrics, private :
            As in ``MNISTCNNClassifier.push_to_hub``, which describes the files and how to log in.

        Returns
        -------
        str
            Hash of the commit, for ``from_pretrained(repo_id, revision=...)``.

        Raises
        ------
        sklearn.exceptions.NotFittedError, TypeError, ValueError
            As in ``save``.
        ImportError, huggingface_hub.errors.HfHubHTTPError
            As in ``MNISTCNNClassifier.push_to_hub``.
        """
        stored = to_stored(self)
        defaults = MNISTCNNClassifier.__init__.__kwdefaults__ or {}
        return upload(repo_id, stored, defaults=defaults, metrics=metrics or {}, private=private)

    @classmethod
    def from_pretrained(cls, name: str, *, revision: str | None = None) -> Self:
        """Return a fitted one of the package, of a folder, or of the Hugging Face Hub.

        Parameters
        ----------
        name, revision :
            As in ``MNISTCNNClassifier.from_pretrained``. "digits" also rejects what is not a digit.

        Raises
        ------
        ValueError
            As there, or if the file holds a classifier that does not reject images.

        Examples
        --------
        >>> import numpy as np
        >>> from skorch_mnist.rejection import RejectingClassifier
        >>> clf = RejectingClassifier.from_pretrained("digits")
        >>> clf.predict(np.zeros((1, 784), dtype=np.uint8))
        array([-1])
        """
        rejecting: Self = read(pretrained_file(name, revision), cls)
        if not isinstance(rejecting, cls):
            raise ValueError(f"{name} cannot be loaded: it does not reject images.")
        for estimator in (rejecting.estimator, rejecting.estimator_):
            estimator.set_params(verbose=0)
        return rejecting


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
        rejecting._check_params()
        rejecting.estimator_, rejecting.detector_ = clf, fitted
        rejecting.temperature_, rejecting.score_quantiles_ = temperature, quantiles
        for learned in ("classes_", "image_shape_", "n_features_in_", "feature_names_in_"):
            if hasattr(clf, learned):
                setattr(rejecting, learned, getattr(clf, learned))
        rejecting.reject_label_ = reject_label_for(clf.classes_, rejecting.reject_label)
    return rejecting
