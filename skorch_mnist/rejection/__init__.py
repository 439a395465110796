"""Classifiers that reject images which do not belong to any known class."""

from ._classifier import RejectingClassifier
from ._load import load

__all__ = ["RejectingClassifier", "load"]
