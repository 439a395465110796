"""Calibrated probabilities and scores, from the outputs of two classifiers.

``logits`` is an ndarray of shape (n_samples, n_classes): the logarithms of the probabilities of the
estimator. ``agreement`` is an ndarray of shape (n_samples,): the probability that the detector
assigns to the most probable label of the estimator.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from skorch_mnist._storage._model_file import N_QUANTILES

SHARES = np.linspace(0, 1, N_QUANTILES)  # levels of the quantiles of held-out scores
LARGEST_TEMPERATURE = 10.0
# If the detector disagrees, the temperature of an image is 1 + DOUBT times as high. Chosen on
# generated pictures, many of which differ from the training images of the network.
DOUBT = 1.5
# Weight of the estimator in a score, relative to the detector. Chosen on validation images: a
# higher weight rejects more of its mistakes, and a lower weight rejects more outliers.
OF_ESTIMATOR = 3

Array = NDArray[np.float64]


def softened(logits: Array, agreement: Array, temperature: float) -> Array:
    """Return logarithms of probabilities, less certain where the detector does not agree."""
    temperatures = temperature * (1 + DOUBT * (1 - agreement))
    log_proba: Array = log_softmax(logits / temperatures[:, None], axis=1)
    return log_proba


def scores_of(log_proba: Array, agreement: Array) -> Array:
    """Return the score of each image, at most 0."""
    scores: Array = OF_ESTIMATOR * log_proba.max(axis=1) + np.log(agreement)
    return scores


def best_temperature(logits: Array, agreement: Array, codes: NDArray[np.int64]) -> float:
    """Return the temperature that makes the true classes most probable."""
    rows = np.arange(len(codes))

    def loss(log_temperature: float) -> float:
        log_proba = softened(logits, agreement, math.exp(log_temperature))
        return float(
            log_temperature**2 - log_proba[rows, codes].sum()
        )  # a few images change it little

    limit = math.log(LARGEST_TEMPERATURE)
    best = minimize_scalar(loss, bounds=(-limit, limit), method="bounded")
    return float(math.exp(best.x))
