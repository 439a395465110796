"""Labeled images, and the batches that a network learns from."""
