"""Fitted classifiers of others: in the package, on disk, or on the Hugging Face Hub."""
