"""Plots of fitted classifiers. Only drawing a plot imports matplotlib."""

from ._attribution import AttributionDisplay
from ._filters import FiltersDisplay
from ._history import HistoryDisplay, recorded_kinds
from ._mistakes import MistakesDisplay
from ._reliability import ReliabilityDisplay, expected_calibration_error

__all__ = [
    "AttributionDisplay",
    "FiltersDisplay",
    "HistoryDisplay",
    "MistakesDisplay",
    "ReliabilityDisplay",
    "expected_calibration_error",
    "recorded_kinds",
]
