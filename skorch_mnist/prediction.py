"""Prediction: labels, probabilities and scores, from the logits of the network."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from skorch_mnist._inputs import LabelKeepingStream, is_stream, is_torch_data, labels_of
from skorch_mnist._net import first_output

__all__ = ["ImagePredictions"]


class ImagePredictions:
    """What a fitted net of images answers; its ``forward_iter`` gives logits, batch by batch."""

    classes_: NDArray[Any]
    forward_iter: Any

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable label of each image.

        Parameters
        ----------
        X : array-like, DataFrame, tensor, torch Dataset or SliceDataset
            Images as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,)
            Members of ``classes_``.
        """
        codes = self.predict_proba(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[codes]
        return labels

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like, DataFrame, tensor, torch Dataset or SliceDataset
            Images as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float64
            Softmax of the logits, in the order of ``classes_``.
        """
        probabilities: NDArray[np.float64] = torch.softmax(self._logits(X), dim=1).numpy()
        return probabilities

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the logarithm of ``predict_proba``, exact where a probability is near 0.

        Parameters
        ----------
        X : array-like, DataFrame, tensor, torch Dataset or SliceDataset
            Images as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float64
        """
        logarithms: NDArray[np.float64] = torch.log_softmax(self._logits(X), dim=1).numpy()
        return logarithms

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the confidence in each class: logits, shifted to be logarithms of probabilities.

        The shift, one number for each image, changes neither order nor softmax.

        Parameters
        ----------
        X : array-like, DataFrame, tensor, torch Dataset or SliceDataset
            Images as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or (n_samples,) for two classes, float64
            For two classes, the log-odds of the second: positive where ``predict`` gives it.
        """
        scores = self.predict_log_proba(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the accuracy of ``predict``.

        Parameters
        ----------
        X : array-like, DataFrame, tensor, torch Dataset or SliceDataset
            Images as in ``fit``.
        y : array-like of shape (n_samples,) or None, default=None
            True labels. None takes those of the data set ``X``.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights, not negative; None weighs all alike.

        Returns
        -------
        float
            Share of the images, in [0, 1], whose label is predicted.

        Raises
        ------
        ValueError
            If there are no labels.
        """
        if y is None and is_stream(X):
            X = LabelKeepingStream(X)
            y_pred, y = self.predict(X), X.labels
        else:
            y = labels_of(X) if y is None and is_torch_data(X) else y
            if y is None:
                raise ValueError("There are no labels: pass them as y.")
            y_pred = self.predict(X)
        return float(accuracy_score(y, y_pred, sample_weight=sample_weight))

    def _logits(self, X: Any) -> torch.Tensor:
        check_is_fitted(self)
        batches = self.forward_iter(X, device="cpu")  # skorch's caches replace this method
        return torch.cat([first_output(batch).detach().double() for batch in batches])
