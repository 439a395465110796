"""The scikit-learn check of array API dispatch, which needs a variable before SciPy is imported."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CHECK = "check_array_api_input"
CODE = f"""
import warnings
from sklearn.utils.estimator_checks import estimator_checks_generator
from skorch_mnist import MNISTCNNClassifier

warnings.simplefilter("ignore")
clf = MNISTCNNClassifier(max_epochs=20, lr=0.01, train_split=None, verbose=0)
checks = [
    check for estimator, check in estimator_checks_generator(clf)
    if check.func.__name__.startswith("{CHECK}")
]
for check in checks:
    check(clf)
print(len(checks), "passed")
"""


@pytest.mark.slow
def test_tensors_pass_the_check_of_array_api_dispatch():
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    run = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, env=environment, check=False
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout.split()[0]) > 0
