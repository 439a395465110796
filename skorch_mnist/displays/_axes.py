"""The base class of displays, and the axes they draw on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES = 1.3  # side of a small image


class Display:
    """Base class of displays: ``plot``, and the attributes that it sets."""

    ax_: Axes
    axes_: list[Axes]  # one for each small image, if there are any
    figure_: Any

    def plot(self, *, ax: Axes | None = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw on; None creates a new figure.

        Returns
        -------
        Self
            The display, with ``ax_``, ``figure_`` and, if it shows small images, ``axes_``.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        self._draw(ax)
        return self

    def _draw(self, ax: Axes | None) -> None:
        raise NotImplementedError


def import_pyplot(display: Any) -> Any:
    """Return ``matplotlib.pyplot``; raise an ImportError that says how to install it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f'{type(display).__name__} requires matplotlib: pip install "skorch_mnist[plot]"'
        ) from error
    return plt


def new_or(display: Any, ax: Axes | None) -> Axes:
    """Return ``ax``, or the axes of a new figure."""
    plt = import_pyplot(display)
    if ax is not None:
        return ax
    axes: Axes = plt.subplots()[1]
    return axes


def image_grid(display: Any, ax: Axes | None, n_images: int, title_lines: int = 0) -> list[Any]:
    """Return axes for small images in rows, inside ``ax`` or a new figure."""
    plt = import_pyplot(display)
    n_columns = max(1, math.ceil(math.sqrt(n_images * 1.6)))
    n_rows = max(1, math.ceil(n_images / n_columns))
    if ax is None:
        size = n_columns * INCHES, n_rows * (INCHES + 0.18 * title_lines)
        figure = plt.figure(figsize=size, layout="constrained")
        ax = figure.subplots()
    ax.set_axis_off()
    display.ax_, display.figure_ = ax, ax.figure
    room = 0.12 * title_lines
    axes = []
    for number in range(n_images):
        row, column = divmod(number, n_columns)
        height, width = 1 / n_rows, 1 / n_columns
        place = column * width, 1 - (row + 1) * height, width * 0.92, height * (0.94 - room)
        small = ax.inset_axes(place)
        small.set_axis_off()
        axes.append(small)
    return axes


def shortened(label: str, length: int) -> str:
    """Return a label cut to at most ``length`` characters."""
    return label if len(label) <= length else f"{label[: length - 1]}…"


def as_shown(image: NDArray[Any]) -> NDArray[Any]:
    """Convert an image (channels, height, width) for ``imshow``: gray, or channels last."""
    if len(image) == 3:
        low, high = image.min(), image.max()
        color: NDArray[Any] = np.moveaxis((image - low) / max(high - low, 1e-12), 0, -1)
        return color
    gray: NDArray[Any] = image[0]
    return gray
