"""scikit-learn's own checks: all of them, none expected to fail."""

from __future__ import annotations

import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from skorch_mnist import MNISTCNNClassifier

WEIGHT_CHECK = "check_sample_weight_equivalence_on_dense_data"

# The checks' data are small tables. Rows that are no squares warn, as they should.
pytestmark = [
    pytest.mark.filterwarnings("ignore:X has rows of:UserWarning"),
    pytest.mark.filterwarnings("ignore:The brightest pixel:UserWarning"),
]


@parametrize_with_checks([MNISTCNNClassifier(max_epochs=100, train_split=None, verbose=0)])
def test_scikit_learn_checks(estimator, check):
    if check.func.__name__ == WEIGHT_CHECK:
        # A repeated row and a weight of 2 are the same only where no batch and no dropout is drawn:
        # scikit-learn switches the solver of its MLPClassifier for this check. With more epochs,
        # rounding to single precision grows beyond the seven digits that are compared.
        estimator = clone(estimator).set_params(
            max_epochs=5, batch_size=-1, module__channel_dropout=0.0, module__dropout=0.0
        )
    check(estimator)
