"""Training that starts from a fitted classifier."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .config import Config, check_classifier, lay_over
from .data import check_labels_known, check_size
from .images import Data, Images
from .messages import Screen, UsageError, report
from .options import usage_errors
from .run_folder import digest, find_model

if TYPE_CHECKING:
    from skorch_mnist.classifier import MNISTCNNClassifier
    from skorch_mnist.rejection import RejectingClassifier

NOT_KNOWN = "that the classifier does not know"
KNOWN_WELL = 0.9  # accuracy from which a classifier is assumed to know the exemplars


class Start(NamedTuple):
    """The classifier that training starts from.

    Attributes
    ----------
    model : str
        Absolute path of its file, or its name.
    sha256 : str
        Digest of the file.
    """

    model: str
    sha256: str


def find_start(given: Path | None, config: Config) -> Start | None:
    """Return the classifier to start from: the option, or else that of a repeated run."""
    from skorch_mnist._hub._repository import PRETRAINED

    of_run = config.sections.get("from", {})
    name = str(given) if given else of_run.get("model")
    if name is None:
        return None
    if name in PRETRAINED and not Path(name).exists():
        start = Start(name, digest(PRETRAINED[name]))
    else:
        path = find_model(Path(name)).resolve()
        try:
            start = Start(str(path), digest(path))
        except OSError as error:
            raise OSError(f"the model {path} cannot be read: {error.strerror}") from error
    if given is None and of_run.get("sha256") not in (None, start.sha256):
        report("warning", f"{start.model} has changed since the first run started from it")
    return start


def prepare_to_continue(
    start: Start, loaded: Any, config: Config, screen: Screen
) -> MNISTCNNClassifier:
    """Return the fitted classifier, without rejection, with the parameters for fine-tuning.

    Raises
    ------
    UsageError
        If a parameter is not valid, or would change the network.
    """
    from skorch_mnist.recipes import FINE_TUNE

    clf: MNISTCNNClassifier = getattr(loaded, "estimator_", loaded)
    own = clf.get_params(deep=False)
    params = dict(own)
    for layer in (FINE_TUNE, {"verbose": 2}, config.parameters, {"warm_start": True}):
        lay_over(params, layer)
    if screen.as_json:
        params["verbose"] = 0
    for name in params:
        if name.partition("__")[0] == "module" and params[name] != own.get(name):
            raise UsageError(
                f"{name} cannot be set, because --from keeps the network of {start.model}"
            )
    for name in own.keys() - params.keys():  # arguments of components that were replaced
        delattr(clf, name)
    with usage_errors():
        clf.set_params(**params)
        check_classifier(clf)
    return clf


def with_exemplars(clf: MNISTCNNClassifier, data: Data, screen: Screen) -> Data:
    """Add training images of digits, if the classifier reads digits, so that it remembers them.

    Raises
    ------
    ValueError
        If the data has labels that the classifier does not know, or images of another size.
    """
    import numpy as np

    from skorch_mnist.pretrained import load_exemplars

    known = clf.classes_.tolist()
    check_labels_known(data.train, known, NOT_KNOWN, whose="the images")
    check_labels_known(data.test, known, NOT_KNOWN)
    for images in (data.train, data.test):
        check_size(images, clf)
    X, y = load_exemplars(return_X_y=True)
    reads_digits = clf.image_shape_ == (1, 28, 28) and known == list(range(10))
    if not reads_digits or clf.score(X, y) < KNOWN_WELL:
        screen.say("The classifier trains only on your images, and may forget what it has learned.")
        return data
    own, labels = data.train
    screen.say(
        f"Added {len(y)} of the images that digits was trained on, so that the classifier does not "
        "forget them."
    )
    return data._replace(train=Images(np.concatenate([own, X]), np.concatenate([labels, y])))


def test_before(
    loaded: MNISTCNNClassifier | RejectingClassifier, images: Images, screen: Screen
) -> dict[str, float]:
    """Print and return the figures of the test images before training."""
    from .metrics import measure_classifier

    metrics = measure_classifier(loaded, images)
    before = {"accuracy_before": metrics.accuracy.value}
    screen.say(f"Test accuracy before training: {before['accuracy_before']:.4f}")
    if metrics.rejection is not None:
        before["accepted_before"] = metrics.rejection.accepted.value
        screen.say(f"Accepted before training: {before['accepted_before']:.4f}")
    clf: Any = getattr(loaded, "estimator_", loaded)
    screen.say(f"The epochs continue from {clf.n_iter_}, the last one of this classifier.\n")
    return before


def with_rejection(
    start: MNISTCNNClassifier | RejectingClassifier | None, clf: MNISTCNNClassifier, data: Data
) -> MNISTCNNClassifier | RejectingClassifier:
    """Return the trained classifier; if it rejected images before training, refit the rejection."""
    from sklearn.frozen import FrozenEstimator

    from skorch_mnist.rejection import RejectingClassifier

    if not isinstance(start, RejectingClassifier):
        return clf
    start.estimator_ = FrozenEstimator(clf)
    start.detector_.set_params(verbose=0)
    start.set_params(random_state=clf.random_state)
    refitted: RejectingClassifier = start.partial_fit(*data.train)
    return refitted
