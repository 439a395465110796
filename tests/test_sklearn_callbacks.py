"""The callbacks of scikit-learn."""

from __future__ import annotations

from functools import partial

import helpers
import numpy as np
import pytest
from helpers import quick
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

toy = partial(helpers.toy, shape=(36,))
callback = pytest.importorskip("sklearn.callback", reason="scikit-learn < 1.9 has no callbacks")


class Recorder:
    """Records its calls, and asks to stop after some epochs."""

    def __init__(self, stop_after=None):
        self.events, self.scores, self.stop_after = [], [], stop_after

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, metadata=None):
        self.events.append(f"begin {context.task_name}")
        self.metadata = metadata

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.events.append(f"end {context.task_name}")
        self.scores.append(fitted_estimator.score(X, y))
        return self.stop_after is not None and len(self.scores) == self.stop_after


def test_callbacks_are_called_for_every_epoch_and_can_score():
    X, y = toy()
    recorder = Recorder()
    clf = quick().set_callbacks(recorder).fit(X, y, np.ones(60))
    epochs = ["begin epoch", "end epoch"] * 2
    assert recorder.events == ["setup", "begin fit", *epochs, "end fit", "teardown"]
    assert recorder.scores[-1] == clf.score(X, y)
    assert recorder.metadata["sample_weight"].sum() == 60
    assert not {name for name in vars(clf) if name.startswith("_")} - {
        "_random_state",
        "_skl_callbacks",
    }


def test_callbacks_change_nothing():
    X, y = toy()
    expected = quick().fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(
        quick().set_callbacks(Recorder()).fit(X, y).predict_proba(X), expected
    )


def test_a_callback_can_stop_the_training():
    clf = quick(max_epochs=9).set_callbacks(Recorder(stop_after=2)).fit(*toy())
    assert clf.n_iter_ == 2


def test_teardown_is_called_after_an_error():
    X, y = toy()
    recorder = Recorder()
    with pytest.raises(ValueError, match="are not images"):
        quick().set_callbacks(recorder).fit(X[:, None, None, None], y)
    assert recorder.events[-1] == "teardown"


def test_scoring_monitor_of_scikit_learn():
    X, y = toy()
    monitor = callback.ScoringMonitor(scoring="accuracy")
    clf = quick().set_callbacks(monitor).fit(X, y)
    logs = monitor.get_logs().data
    scores = [entry["accuracy"] for entry in logs if entry["task_name"] == "epoch"]
    assert len(scores) == 2 and scores[-1] == clf.score(X, y)


def test_progress_bar_of_scikit_learn_in_a_grid_search(capsys):
    pytest.importorskip("rich")
    X, y = toy()
    pipeline = make_pipeline(StandardScaler(), quick())
    search = GridSearchCV(pipeline, {"mnistcnnclassifier__lr": [1e-3, 1e-2]}, cv=2)
    clone(search).set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(X, y)
    assert "MNISTCNNClassifier - fit" in capsys.readouterr().out
