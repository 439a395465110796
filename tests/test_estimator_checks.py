"""scikit-learn's own checks: all of them, none expected to fail."""

from __future__ import annotations

import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from skorch_mnist import MNISTCNNClassifier

WEIGHT_CHECK = "check_sample_weight_equivalence_on_dense_data"

# The checks use small tables. Rows that cannot be square images cause warnings, as they should.
pytestmark = [
    pytest.mark.filterwarnings("ignore:X has rows of:UserWarning"),
    pytest.mark.filterwarnings("ignore:The brightest pixel:UserWarning"),
]


@parametrize_with_checks([MNISTCNNClassifier(max_epochs=20, lr=0.01, train_split=None, verbose=0)])
def test_scikit_learn_checks(estimator, check):
    if check.func.__name__ == WEIGHT_CHECK:
        # Repeating a row equals a weight of 2 only without random batches and dropout, which is why
        # scikit-learn changes the solver of its MLPClassifier for this check. Longer training lets
        # the rounding errors of single precision grow beyond the seven digits that are compared.
        estimator = clone(estimator).set_params(
            max_epochs=5, lr=1e-3, batch_size=-1,
            module__channel_dropout=0.0, module__dropout=0.0,
        )  # fmt: skip
    check(estimator)
