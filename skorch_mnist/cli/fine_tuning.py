"""Training that starts from a fitted classifier."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .config import Config, check_classifier, lay_over
from .data import check_labels_known
from .images import Data, Images
from .messages import Screen, UsageError, report
from .options import usage_errors
from .run_folder import digest, find_model, load_classifier, load_rejecting

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


def prepare_to_continue(start: Start, config: Config, screen: Screen) -> MNISTCNNClassifier:
    """Load the fitted classifier, and set its parameters for fine-tuning.

    Raises
    ------
    UsageError
        If a parameter is not valid, or would change the network.
    """
    from skorch_mnist.recipes import FINE_TUNE

    clf = load_classifier(Path(start.model))
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
        If the data has labels that the classifier does not know.
    """
    import numpy as np

    from skorch_mnist.pretrained import load_exemplars

    known = clf.classes_.tolist()
    check_labels_known(data.train, known, NOT_KNOWN, whose="the images")
    check_labels_known(data.test, known, NOT_KNOWN)
    X, y = load_exemplars(return_X_y=True)
    reads_digits = clf.image_shape_ == (1, 28, 28) and known == list(range(10))
    if not reads_digits or clf.score(X, y) < KNOWN_WELL:
        screen.say("The classifier trains only on your images, and may forget what it has learned.")
        return data
    own, labels = data.train
    if own.shape[1:] != X.shape[1:]:
        return data  # fit raises an error
    screen.say(f"Added {len(y)} images of digits, so that the classifier does not forget them.")
    return data._replace(train=Images(np.concatenate([own, X]), np.concatenate([labels, y])))


def with_rejection(
    start: Start, clf: MNISTCNNClassifier, data: Data
) -> MNISTCNNClassifier | RejectingClassifier:
    """Return the trained classifier; if it rejected images before training, refit the rejection."""
    from sklearn.frozen import FrozenEstimator

    from skorch_mnist.rejection import RejectingClassifier

    rejecting = load_rejecting(Path(start.model))
    if not isinstance(rejecting, RejectingClassifier):
        return clf
    rejecting.estimator_ = FrozenEstimator(clf)
    rejecting.detector_.set_params(verbose=0)
    rejecting.set_params(random_state=clf.random_state)
    refitted: RejectingClassifier = rejecting.partial_fit(*data.train)
    return refitted
