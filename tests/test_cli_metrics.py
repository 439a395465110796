"""Metrics and their confidence intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import f1_score, log_loss, precision_score, recall_score

from skorch_mnist.cli.metrics import f1_of, measure, share
from skorch_mnist.displays import ReliabilityDisplay


@pytest.fixture(scope="module")
def answers():
    """True labels, probabilities and classes; one class is rare and never predicted."""
    rng = np.random.default_rng(0)
    classes = np.array(["a", "b", "c", "d"])
    codes = np.append(rng.integers(0, 3, 200), 3)
    proba = rng.dirichlet([1, 1, 1], 201) * 0.9
    proba[np.arange(200), codes[:200]] += 0.8
    proba = np.hstack([proba, np.full((201, 1), 1e-6)])
    return classes[codes], proba / proba.sum(axis=1, keepdims=True), classes


def test_metrics_are_those_of_scikit_learn(answers):
    y, proba, classes = answers
    found, predicted = measure(*answers), classes[proba.argmax(axis=1)]
    options = {"average": None, "labels": classes, "zero_division": 0}
    for name, score in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        figures = [getattr(one, name).value for one in found.classes]
        np.testing.assert_allclose(figures, score(y, predicted, **options))
    assert found.accuracy.value == (y == predicted).mean()
    assert found.macro_f1 == pytest.approx(np.mean(f1_score(y, predicted, **options)))
    assert found.log_loss == pytest.approx(log_loss(y, proba, labels=classes))
    display = ReliabilityDisplay.from_predictions(y, proba, classes=classes)
    assert found.expected_calibration_error == display.expected_calibration_error_


def test_intervals_contain_the_metrics_and_are_wilson_intervals(answers):
    found = measure(*answers)
    for one in found.classes:
        for figure in (one.precision, one.recall, one.f1):
            assert 0 <= figure.low <= figure.value <= figure.high <= 1
    low, high = binomtest(7, 9).proportion_ci(0.95, method="wilson")
    assert share(7, 9) == (7 / 9, low, high)
    assert share(0, 0) == (0, 0, 1)


def test_intervals_have_their_stated_coverage():
    rng, true = np.random.default_rng(0), 0.9
    held = [share(int(n), 1000) for n in rng.binomial(1000, true, 2000)]
    assert 0.935 <= np.mean([one.low <= true <= one.high for one in held]) <= 0.965


def test_intervals_of_f1_are_those_of_the_jaccard_index(answers):
    found = measure(*answers)
    matrix = found.confusion_matrix
    for k, one in enumerate(found.classes):
        union = matrix[k].sum() + matrix[:, k].sum() - matrix[k, k]
        assert one.f1 == f1_of(share(int(matrix[k, k]), int(union)))


def test_intervals_of_f1_have_about_their_stated_coverage():
    rng, cells = np.random.default_rng(0), np.array([0.4, 0.1, 0.05, 0.45])
    true = 2 * cells[0] / (2 * cells[0] + cells[1] + cells[2])
    drawn = rng.multinomial(300, cells, 500)
    held = [f1_of(share(int(right), int(300 - neither))) for right, _, _, neither in drawn]
    assert 0.93 <= np.mean([one.low <= true <= one.high for one in held]) <= 0.97


def test_intervals_of_few_correct_answers_are_wide():
    codes = np.repeat(np.arange(62), 2)
    found = measure(codes, np.eye(62)[codes], np.arange(62))
    assert found.accuracy.value == found.macro_f1 == 1
    assert all(one.f1.value == 1 and one.f1.low < 0.6 for one in found.classes)


def test_probabilities_that_are_not_numbers_are_refused():
    with pytest.raises(ValueError, match="its training diverged"):
        measure(np.array([0, 1]), np.full((2, 2), np.nan), np.arange(2))
