"""Plots of fitted classifiers; matplotlib is imported when one is drawn."""

from ._attribution import AttributionDisplay
from ._filters import FiltersDisplay
from ._history import HistoryDisplay
from ._mistakes import MistakesDisplay
from ._reliability import ReliabilityDisplay

__all__ = [
    "AttributionDisplay",
    "FiltersDisplay",
    "HistoryDisplay",
    "MistakesDisplay",
    "ReliabilityDisplay",
]
