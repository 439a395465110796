"""Classifiers that know what they do not know: images of no known class are rejected."""

from ._classifier import RejectingClassifier
from ._load import load

__all__ = ["RejectingClassifier", "load"]
