"""The report on a classifier: a single, self-contained HTML page."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from skorch_mnist import __version__

from . import plots
from .document import environment
from .images import Images
from .named_data import title_of
from .values import to_toml

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from skorch_mnist.classifier import MNISTCNNClassifier

    from .metrics import Metrics

TEMPLATE = "report.html"


class Picture(NamedTuple):
    """A figure of the report."""

    title: str
    text: str
    address: str  # data URL that contains the figure
    wide: bool = False


def write_report(
    path: Path,
    clf: MNISTCNNClassifier,
    metrics: Metrics,
    images: Images,
    proba: NDArray[Any],
    name: str,
    model: Path,
    accepted: NDArray[Any] | None = None,
) -> None:
    """Write the report on the predictions ``proba`` for ``images``."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    templates = Environment(
        loader=PackageLoader("skorch_mnist.cli", ""),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = templates.get_template(TEMPLATE).render(
        title=f"{title_of(name)}: {metrics.accuracy.value:.2%} correct",
        name=title_of(name),
        model=model.name,
        metrics=metrics,
        pictures=draw(clf, metrics, images, proba, accepted),
        parameters=stated_parameters(clf),
        environment=environment(clf),
        n_wrong=metrics.n_images - int(metrics.confusion_matrix.trace()),
        n_weights=sum(weights.numel() for weights in clf.module_.parameters()),
        version=__version__,
    )
    path.write_text(text, encoding="utf-8")


def draw(
    clf: MNISTCNNClassifier,
    metrics: Metrics,
    images: Images,
    proba: NDArray[Any],
    accepted: NDArray[Any] | None,
) -> list[Picture]:
    """Draw the figures."""
    error = metrics.expected_calibration_error
    pictures = [
        Picture(
            "Confusion matrix",
            "Rows are true labels, columns are predicted labels.",
            address_of(plots.confusions(metrics)),
        ),
        Picture(
            "Reliability",
            "Accuracy of the predictions with a given probability. A perfectly calibrated "
            "classifier is on the diagonal. Points with few predictions are uncertain. The mean "
            f"distance, weighted by the number of predictions, is {error:.4f}.",
            address_of(plots.reliability(images, proba, clf.classes_)),
        ),
        Picture(
            "Mistakes",
            "The wrong predictions with the highest probability.",
            address_of(plots.mistakes(images, proba, clf.classes_, clf.image_shape_)),
            wide=True,
        ),
    ]
    if accepted is not None and not accepted.all():
        figure = plots.rejected(images, accepted, clf.image_shape_)
        text = "The first images that the classifier rejected, with their true label."
        pictures.append(Picture("Rejected", text, address_of(figure), wide=True))
    histories = [clf.history_ or []]
    for kind in plots.recorded_kinds(histories):
        text = "Values recorded after each training epoch."
        address = address_of(plots.history(histories, kind))
        pictures.append(Picture(f"History: {kind}", text, address))
    return pictures


def address_of(figure: Figure) -> str:
    """Return a data URL that contains the figure as SVG."""
    import matplotlib as mpl

    stream = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "skorch_mnist"}):  # identical ids in each file
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(stream.getvalue()).decode()


def stated_parameters(clf: MNISTCNNClassifier) -> dict[str, str]:
    """Return the parameters that differ from the defaults, as strings."""
    defaults = type(clf)().get_params(deep=False)
    return {
        name: str(to_toml(name, value))
        for name, value in clf.get_params(deep=False).items()
        if name not in ("callbacks", "verbose")
        and (name not in defaults or defaults[name] != value)
    }
