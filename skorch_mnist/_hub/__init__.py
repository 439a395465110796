"""Fitted classifiers in the package, on disk and on the Hugging Face Hub, and their cards."""
