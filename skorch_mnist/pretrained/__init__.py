"""The classifier that comes with the package, its card, and how it was built."""
