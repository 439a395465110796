"""Checkpoints: resume an interrupted training run."""

from ._resume import ResumeCheckpoint

__all__ = ["ResumeCheckpoint"]
