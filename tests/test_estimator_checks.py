"""scikit-learn's own checks: all of them, none expected to fail."""

from __future__ import annotations

import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch.optim import SGD

from skorch_mnist import MNISTCNN, MNISTCNNClassifier

WEIGHT_CHECK = "check_sample_weight_equivalence_on_dense_data"

# The checks use small tables. Rows that cannot be square images cause warnings, as they should.
pytestmark = [
    pytest.mark.filterwarnings("ignore:X has .* pixels per row:UserWarning"),
    pytest.mark.filterwarnings("ignore:The brightest pixel:UserWarning"),
]


class InDoublePrecision(MNISTCNN):
    def __init__(self, image_shape, n_classes):
        super().__init__(image_shape, n_classes, channel_dropout=0.0, dropout=0.0)
        self.double()

    def forward(self, images):
        return super().forward(images.double())


@parametrize_with_checks([MNISTCNNClassifier(max_epochs=20, lr=0.01, train_split=None, verbose=0)])
def test_scikit_learn_checks(estimator, check):
    if check.func.__name__ == WEIGHT_CHECK:
        # Repeating a row equals a weight of 2 only without random batches and dropout, which is why
        # scikit-learn changes the solver of its MLPClassifier for this check. It compares seven
        # digits of the features, more than single precision keeps, and Adam makes steps of one
        # length out of gradients that are nothing but rounding errors.
        estimator = clone(estimator).set_params(
            module=InDoublePrecision, optimizer=SGD, max_epochs=5, batch_size=-1
        )
    check(estimator)
