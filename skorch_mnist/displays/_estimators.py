"""What displays ask of the estimators that they are given."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from sklearn.utils.validation import check_is_fitted


def last_step(estimator: Any) -> Any:
    """Return the estimator at the end of a pipeline, or the estimator itself."""
    return estimator[-1] if hasattr(estimator, "steps") else estimator


def fitted_net(display: type, estimator: Any, attribute: str) -> Any:
    """Return the net in ``estimator``; raise a TypeError for what is no net."""
    net = last_step(estimator)
    if hasattr(net, "fit"):
        check_is_fitted(net)
    if not hasattr(net, attribute):
        raise TypeError(
            f"{display.__name__} takes a fitted MNISTCNNClassifier; got a {type(net).__name__}, "
            f"which has no {attribute}. Of a search, pass best_estimator_."
        )
    return net


def check_positive(name: str, value: Any) -> None:
    """Raise a ValueError for what is no positive whole number."""
    if not isinstance(value, Integral) or int(value) < 1:
        raise ValueError(f"{name} must be a whole number of at least 1; got {value!r}.")
