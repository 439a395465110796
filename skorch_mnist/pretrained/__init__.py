"""The classifier that comes with the package, its card, its exemplars, and its build script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sklearn.utils import Bunch

from skorch_mnist.datasets import load_idx

__all__ = ["load_exemplars"]

EXEMPLARS = tuple(
    Path(__file__).with_name(f"digits-{part}.gz")
    for part in ("images-idx3-ubyte", "labels-idx1-ubyte")
)


def load_exemplars(*, return_X_y: bool = False) -> Bunch | tuple[Any, Any]:
    """Load some training images of the pretrained classifier, for training it further.

    A network that learns new images forgets the old ones unless it sees some of them again [1]_.
    There are 60 images of each digit: 40 from MNIST, and 20 printed or drawn.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a ``Bunch``.

    Returns
    -------
    sklearn.utils.Bunch
        ``data`` : ndarray of shape (600, 784), dtype uint8, from 0 (background) to 255.
        ``images`` : ndarray of shape (600, 28, 28), dtype uint8, a view of the same memory.
        ``target`` : ndarray of shape (600,), dtype int64, the digits.
        ``target_names`` : list of str, the labels.
        ``DESCR`` : str.
    (data, target) : tuple, if ``return_X_y`` is True

    See Also
    --------
    skorch_mnist.recipes.FINE_TUNE : Parameters for training a fitted classifier further.

    References
    ----------
    .. [1] A. Robins, "Catastrophic forgetting, rehearsal and pseudorehearsal", Connection Science
       7(2), 1995.

    Examples
    --------
    >>> from skorch_mnist.pretrained import load_exemplars
    >>> X, y = load_exemplars(return_X_y=True)
    >>> X.shape
    (600, 784)
    """
    return load_idx(*EXEMPLARS, return_X_y=return_X_y)
