"""Checks of the arguments of displays."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from sklearn.utils.validation import check_is_fitted


def last_step(estimator: Any) -> Any:
    """Return the estimator at the end of a pipeline, or the estimator itself."""
    return estimator[-1] if hasattr(estimator, "steps") else estimator


def fitted_net(display: type, estimator: Any, attribute: str) -> Any:
    """Return the net in ``estimator``; raise a TypeError if there is none."""
    net = last_step(estimator)
    if hasattr(net, "fit"):
        check_is_fitted(net)
    if not hasattr(net, attribute):
        raise TypeError(
            f"{display.__name__} requires a fitted MNISTCNNClassifier; got {type(net).__name__}, "
            f"which does not have {attribute}. If this is a search, pass its best_estimator_."
        )
    return net


def check_positive(name: str, value: Any) -> None:
    """Raise a ValueError unless ``value`` is a positive integer."""
    if not isinstance(value, Integral) or int(value) < 1:
        raise ValueError(f"{name}={value!r} is not valid: it must be a positive integer.")


def refuse_estimator(display: Any, values: Any) -> None:
    """Raise a TypeError if an estimator was passed where a display takes values."""
    if hasattr(values, "fit"):
        name = type(display).__name__
        raise TypeError(
            f"{name} takes arrays, but got {type(values).__name__}. To draw a fitted classifier, "
            f"use {name}.from_estimator."
        )
