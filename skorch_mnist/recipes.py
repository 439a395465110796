"""Parameters of ``MNISTCNNClassifier`` that work well together: ``MNISTCNNClassifier(**FAST)``.

A recipe is a plain dict of constructor parameters. Add or change parameters as in any dict:
``MNISTCNNClassifier(**FAST, random_state=0)``, ``MNISTCNNClassifier(**{**FAST, "max_epochs": 3})``.
All recipes were chosen on a validation split of the training images of MNIST, and on generated
images. Their results are on the benchmarks page.
"""

from __future__ import annotations

from typing import Any

from torch.optim import AdamW

from skorch_mnist.network import BatchNormCNN

__all__ = ["ACCURATE", "FAST", "FINE_TUNE", "ROBUST", "TUTORIAL"]

#: The defaults, as in the tutorial "train a CNN with skorch for MNIST digit recognition": ten
#: epochs of ``MNISTCNN``.
TUTORIAL: dict[str, Any] = {}

#: One epoch of a small network: 99.0% accuracy on MNIST in less than 1/30 of the tutorial's time.
FAST: dict[str, Any] = {
    "module": BatchNormCNN,
    "module__widths": (16, 24),
    "module__padding": False,
    "module__dropout": 0.0,
    "lr": 1e-2,
    "lr_schedule": "one_cycle",
    "batch_size": 128,
    "max_epochs": 1,
    "train_split": None,
}

#: A wider network, trained with augmented images: 99.7% accuracy on MNIST.
ACCURATE: dict[str, Any] = {
    "module": BatchNormCNN,
    "module__shifted_copies": True,
    "criterion__label_smoothing": 0.1,
    "optimizer": AdamW,
    "optimizer__weight_decay": 1e-2,
    "lr": 3e-3,
    "lr_schedule": "one_cycle",
    "batch_size": 128,
    "max_epochs": 18,
    "train_split": None,
    "augment": "affine",
}

#: The network of ``ACCURATE``, trained for digits from other people, pens, papers and cameras.
ROBUST: dict[str, Any] = {
    "module": BatchNormCNN,
    "module__dropout": 0.1,
    "criterion__label_smoothing": 0.02,
    "optimizer": AdamW,
    "optimizer__weight_decay": 1e-2,
    "lr": 3e-3,
    "lr_schedule": "one_cycle",
    "batch_size": 128,
    "max_epochs": 10,
    "train_split": None,
    "augment": "robust",
}

#: Trains a fitted classifier further, on about a hundred new images and some that it already knows:
#: ``clf.set_params(**FINE_TUNE).fit(X, y)``. The network and the other parameters do not change.
FINE_TUNE: dict[str, Any] = {
    "warm_start": True,
    "lr": 1e-3,
    "lr_schedule": "one_cycle",
    "batch_size": 128,
    "max_epochs": 15,
    "train_split": None,
    "augment": "affine",
}
