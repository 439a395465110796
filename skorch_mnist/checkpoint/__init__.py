"""Trainings that go on after they were cut off."""

from ._resume import ResumeCheckpoint

__all__ = ["ResumeCheckpoint"]
