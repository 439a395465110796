"""Where displays draw: the axes of the user, or a new figure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES = 1.3  # height and width of a small image


class Display:
    """What the displays have in common: ``plot``, and the attributes that it sets."""

    ax_: Axes
    axes_: list[Axes]  # of small images, if there are several
    figure_: Any

    def plot(self, *, ax: Axes | None = None) -> Self:
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None makes a new figure.

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
    """Return matplotlib's pyplot; raise an ImportError that says how to install it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f'{type(display).__name__} needs matplotlib: pip install "skorch_mnist[plot]".'
        ) from error
    return plt


def new_or(display: Any, ax: Axes | None) -> Axes:
    """Return ``ax``, or that of a new figure."""
    plt = import_pyplot(display)
    if ax is not None:
        return ax
    axes: Axes = plt.subplots()[1]
    return axes


def image_grid(display: Any, ax: Axes | None, n_images: int, title_lines: int = 0) -> list[Any]:
    """Return an axes for each of some small images, in rows, within ``ax`` or in a new figure."""
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


def shortened(text: str, most: int) -> str:
    """Return a text of at most so many letters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def as_shown(image: NDArray[Any]) -> NDArray[Any]:
    """Return an image (channels, height, width) as matplotlib takes it: grey, or colours last."""
    if len(image) == 3:
        low, high = image.min(), image.max()
        colours: NDArray[Any] = np.moveaxis((image - low) / max(high - low, 1e-12), 0, -1)
        return colours
    grey: NDArray[Any] = image[0]
    return grey
