"""Read saved classifiers, with or without rejection."""

from __future__ import annotations

import os

from skorch_mnist.classifier import MNISTCNNClassifier

from ._classifier import RejectingClassifier
from ._files import read


def load(path: str | os.PathLike[str]) -> MNISTCNNClassifier | RejectingClassifier:
    """Read a file that ``save`` of either class wrote. No code in the file is run.

    Parameters
    ----------
    path : path-like
        File to read.

    Returns
    -------
    MNISTCNNClassifier or RejectingClassifier
        Fitted, of the class that was saved, with the same predictions. The parameter ``estimator``
        of a ``RejectingClassifier`` is an unfitted ``MNISTCNNClassifier``, so ``fit`` starts over;
        ``partial_fit`` continues training.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is damaged, was not written by ``save``, or has a newer format, or if its
        network does not come with the package. In this case, use ``MNISTCNNClassifier.load``.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from skorch_mnist.rejection import RejectingClassifier, load
    >>> clf = RejectingClassifier.from_pretrained("digits")
    >>> with TemporaryDirectory() as folder:
    ...     clf.save(f"{folder}/digits.safetensors")
    ...     type(load(f"{folder}/digits.safetensors")).__name__
    'RejectingClassifier'
    """
    classifier: MNISTCNNClassifier | RejectingClassifier = read(path, RejectingClassifier)
    return classifier
