"""The classifier that rejects images which do not belong to any known class."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skorch_mnist._compat import HasMethods, Interval, rows_of
from skorch_mnist._hub._repository import pretrained_file, upload
from skorch_mnist._inputs._validation import check_images
from skorch_mnist._storage._model_file import write_model
from skorch_mnist.classifier import MNISTCNNClassifier

from ._calibration import SHARES, best_temperature, scores_of, softened
from ._checks import check_known, check_params, check_samples, reject_label_for
from ._detector import check_rejection, held_out_rows, new_detector, seed, train_detector
from ._files import read, to_stored

LEAST = 1e-30  # a probability of 0 has no logarithm


def _both_have_partial_fit(rejecting: RejectingClassifier) -> bool:
    estimators = (rejecting.estimator, rejecting.detector or MNISTCNNClassifier)
    return all(hasattr(estimator, "partial_fit") for estimator in estimators)


class RejectingClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Classifier that rejects images which do not belong to any known class.

    A second classifier, the detector, learns one more class: generated outliers, such as noise,
    scribbles and pieces of images. An image is accepted if the detector agrees with the label of
    ``estimator``, and ``estimator`` is confident in it.

    Parameters
    ----------
    estimator : classifier
        Classifier of the images, with ``predict_proba``. To keep a fitted one, wrap it in
        ``sklearn.frozen.FrozenEstimator``, and fit with images that it was not trained on.
    detector : classifier or None, default=None
        Classifier that distinguishes outliers from images of the classes. It is trained on images
        of shape (n_samples, channels, height, width) with the codes 0 to n_classes, where n_classes
        stands for outliers. If None, a small ``MNISTCNNClassifier`` is used.
    accept : float in [0, 1], default=0.99
        Fraction of images of known classes to accept. A new value takes effect without fitting.
    reject_label : object, default=None
        Label of rejected images, which must not be a class. If None, -1 for numbers (or one less
        than the lowest class, if that is negative), and "rejected" for strings.
    random_state : int, RandomState instance or None, default=None
        Controls the held-out images, the outliers, and both classifiers unless they have a
        ``random_state`` of their own. Pass an int for reproducible results.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in ascending order, without ``reject_label_``.
    estimator_, detector_ :
        The fitted classifiers.
    reject_label_ : object
        Label of rejected images.
    threshold_ : float
        Score below which an image is rejected.
    temperature_ : float
        Divisor of the logits of ``estimator``; 2.5 times as high if the detector disagrees.
    score_quantiles_ : ndarray of shape (1001,)
        Scores of the held-out images in ascending order, in steps of 0.1%.
    n_features_in_, feature_names_in_ :
        Number of pixels per image, and names of the columns of a data frame.
    image_shape_ : tuple of int
        Channels, height and width.

    See Also
    --------
    load : Read a saved classifier.
    sklearn.calibration.CalibratedClassifierCV : Calibrate probabilities without rejection.

    Notes
    -----
    ``fit`` holds out a tenth of the images to set the threshold and the temperature: at least 200
    images, but at most a third of them. ``partial_fit`` never raises the threshold, and keeps the
    temperature of a frozen ``estimator``. A score is the log-probability that the detector assigns
    to the label of ``estimator``, plus three times the calibrated one of ``estimator``.

    References
    ----------
    D. Hendrycks, M. Mazeika, T. Dietterich, "Deep anomaly detection with outlier exposure", 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from skorch_mnist import MNISTCNNClassifier, load_digits28
    >>> from skorch_mnist.rejection import RejectingClassifier
    >>> X, y = load_digits28(return_X_y=True)
    >>> clf = MNISTCNNClassifier(max_epochs=5, random_state=0, verbose=0)
    >>> rejecting = RejectingClassifier(clf, random_state=0).fit(X[:800], y[:800])
    >>> rejecting.score(X[1500:], y[1500:]) > 0.8
    True
    >>> noise = np.random.default_rng(0).integers(0, 256, (3, 784), dtype=np.uint8)
    >>> rejecting.predict(noise)
    array([-1, -1, -1])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "detector": [HasMethods(["fit", "predict_proba"]), None],
        "accept": [Interval(Real, 0, 1, closed="both")],
        "reject_label": "no_validation",
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        detector: Any = None,
        accept: float = 0.99,
        reject_label: Any = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.detector = detector
        self.accept = accept
        self.reject_label = reject_label
        self.random_state = random_state

    # --- training -----------------------------------------------------------------------------

    def fit(self, X: Any, y: ArrayLike, outliers: Any = None) -> Self:
        """Fit the estimator and the detector, and set the threshold.

        Parameters
        ----------
        X : array-like, DataFrame or tensor of shape (n_samples, ...)
            Images of the known classes, as for ``MNISTCNNClassifier.fit``.
        y : array-like of shape (n_samples,)
            Labels: numbers or strings.
        outliers : array-like of shape (n_outliers, ...) or None, default=None
            Images like ``X`` that do not belong to any class, added to the generated ones.

        Returns
        -------
        self : RejectingClassifier

        Raises
        ------
        ValueError
            If a parameter, ``X``, ``y`` or ``outliers`` is not valid.

        Warns
        -----
        UserWarning
            If most of some generated outliers are accepted.
        """
        random_state = check_params(self)
        X, images, y = check_samples(self, X, y, reset=True)
        self.classes_ = np.unique(y)
        self.reject_label_ = reject_label_for(self.classes_, self.reject_label)
        self.estimator_ = clone(self.estimator)
        self.detector_ = new_detector() if self.detector is None else clone(self.detector)
        return self._learn(X, y, images, outliers, random_state, "fit")

    @available_if(_both_have_partial_fit)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: ArrayLike, outliers: Any = None) -> Self:
        """Train a fitted classifier for one more epoch; lower the threshold if new images need it.

        Parameters
        ----------
        X, y, outliers :
            As in ``fit``. Some classes may be missing from ``y``.

        Returns
        -------
        self : RejectingClassifier

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If ``fit`` was not called.
        ValueError
            As in ``fit``, or if ``y`` has other classes.
        """
        check_is_fitted(self)
        random_state = check_params(self)
        X, images, y = check_samples(self, X, y, reset=False)
        check_known(y, self.classes_)
        return self._learn(X, y, images, outliers, random_state, "partial_fit")

    @property
    def image_shape(self) -> Any:
        """Shape of images in flat rows, as set in ``estimator``; None assumes squares."""
        return getattr(self.estimator, "image_shape", None)

    @property
    def pixel_statistics_(self) -> Any:
        """Scale of the pixels, if ``estimator_`` is an ``MNISTCNNClassifier``."""
        return self.estimator_.pixel_statistics_

    def _learn(
        self,
        X: Any,
        y: NDArray[Any],
        images: NDArray[Any],
        outliers: Any,
        random_state: np.random.RandomState,
        how: str,
    ) -> Self:
        """Train both classifiers on most of the images, and calibrate them on the others."""
        seed((self.estimator_, self.detector_), random_state)
        codes = np.searchsorted(self.classes_, y)
        train, held_out = held_out_rows(codes, random_state)
        frozen = isinstance(self.estimator_, FrozenEstimator)
        if not frozen:  # whose partial_fit would train it
            getattr(self.estimator_, how)(rows_of(X, train), y[train])
        given = None if outliers is None else check_images(self, outliers).images
        rng = np.random.default_rng(random_state.randint(2**31 - 1))
        shown, taught = images[train], codes[train]
        train_detector(self.detector_, how, shown, taught, given, len(self.classes_), rng)
        X, codes = rows_of(X, held_out), codes[held_out]
        if how == "fit" or not frozen:
            self.temperature_ = best_temperature(*self._logits_and_agreement(X), codes)
        quantiles = np.quantile(self.score_samples(X), SHARES)
        earlier = quantiles if how == "fit" else self.score_quantiles_  # whose images stay accepted
        self.score_quantiles_: NDArray[np.float64] = np.minimum(quantiles, earlier)
        check_rejection(self, images[held_out], codes)
        return self

    # --- prediction ---------------------------------------------------------------------------

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable label of each image, or ``reject_label_``.

        Parameters
        ----------
        X : array-like, DataFrame or tensor of shape (n_samples, ...)
            Images as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        log_proba, scores = self._log_proba_and_scores(X)
        labels = self.classes_[log_proba.argmax(axis=1)]
        return np.where(scores >= self.threshold_, labels, np.asarray(self.reject_label_))

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class, assuming that the image belongs to one.

        Parameters
        ----------
        X : array-like, DataFrame or tensor of shape (n_samples, ...)
            Images as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float64
            Calibrated probabilities in the order of ``classes_``, also for rejected images.
        """
        return np.exp(self._log_proba_and_scores(X)[0])

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Return a score for each image; higher is more normal.

        Parameters
        ----------
        X : array-like, DataFrame or tensor of shape (n_samples, ...)
            Images as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,), float64
            At most 0. Images with a score below ``threshold_`` are rejected.
        """
        return self._log_proba_and_scores(X)[1]

    def score_accepted(self, X: Any, y: ArrayLike) -> float:
        """Return the accuracy on accepted images; ``score`` counts rejections as mistakes.

        Parameters
        ----------
        X : array-like, DataFrame or tensor of shape (n_samples, ...)
            Images as in ``fit``.
        y : array-like of shape (n_samples,)
            True labels.

        Returns
        -------
        float
            In [0, 1], or nan if all images are rejected.
        """
        labels = self.predict(X)
        accepted = labels != self.reject_label_
        if not accepted.any():
            return float("nan")
        return float(accuracy_score(np.asarray(y)[accepted], labels[accepted]))

    @property
    def threshold_(self) -> float:
        """Score below which an image is rejected; it depends on ``accept``."""
        check_is_fitted(self)
        if self.accept == 1:
            return -math.inf
        return float(np.interp(1 - self.accept, SHARES, self.score_quantiles_))

    def _log_proba_and_scores(self, X: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return logarithms of calibrated probabilities, and the score of each image."""
        logits, agreement = self._logits_and_agreement(X)
        log_proba = softened(logits, agreement, self.temperature_)
        return log_proba, scores_of(log_proba, agreement)

    def _logits_and_agreement(self, X: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return logits of ``estimator``, and the probability of its labels by the detector."""
        check_is_fitted(self)
        images = check_images(self, X).images
        given = self.estimator_.predict_proba(X), self.detector_.predict_proba(images)
        by_estimator, by_detector = (np.asarray(p, dtype=float).clip(LEAST) for p in given)
        codes = by_estimator.argmax(axis=1)
        return np.log(by_estimator), by_detector[np.arange(len(codes)), codes]

    # --- files --------------------------------------------------------------------------------

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

    @classmethod
    def from_pretrained(cls, name: str | os.PathLike[str], *, revision: str | None = None) -> Self:
        """Load a fitted classifier from the package, a folder or the Hugging Face Hub.

        Parameters
        ----------
        name, revision :
            As in ``MNISTCNNClassifier.from_pretrained``. "digits" also rejects what is not a digit.

        Raises
        ------
        ValueError
            As for ``MNISTCNNClassifier.from_pretrained``, or if the classifier does not reject.

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

    def push_to_hub(
        self,
        repo_id: str,
        *,
        metrics: Mapping[str, float] | None = None,
        private: bool | None = None,
    ) -> str:
        """Upload the fitted classifier to the Hugging Face Hub, with a model card.

        Parameters as in ``MNISTCNNClassifier.push_to_hub``, errors as there and in ``save``.

        Returns
        -------
        str
            Hash of the commit, for ``from_pretrained(repo_id, revision=...)``.
        """
        defaults = MNISTCNNClassifier().get_params(deep=False)
        return upload(repo_id, to_stored(self), defaults=defaults, metrics=metrics, private=private)
