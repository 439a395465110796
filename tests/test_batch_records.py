"""Records of batches: kept if a callback watches them; the means are the same either way."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import quick, toy
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    GradientNormClipping,
    LRScheduler,
    PassthroughScoring,
    PrintLog,
    ProgressBar,
    TrainEndCheckpoint,
)
from torch import nn

from skorch_mnist import MNISTCNNClassifier


class Watching(Callback):
    """Sees the loss of every batch as soon as it is there."""

    def on_train_begin(self, net, **kwargs):
        self.losses = []

    def on_batch_end(self, net, training, **kwargs):
        name = "train_loss" if training else "valid_loss"
        self.losses.append(net.history[-1, "batches", -1, name])


class AtTheEnd(Callback):
    """Looks at the batches when the epoch is over."""

    def on_epoch_end(self, net, **kwargs):
        self.losses = net.history[-1, "batches", :, "train_loss"]
        self.sizes = net.history[-1, "batches", :, "train_batch_size"]


def fit(**params):
    return quick(**params).fit(*toy(50))


@pytest.mark.parametrize(
    "callback",
    [
        Watching(),
        BatchScoring("accuracy"),
        ProgressBar(),
        LRScheduler("ReduceLROnPlateau", monitor="train_loss", step_every="batch"),
        type("EpochScoringOfMine", (EpochScoring,), {})("accuracy"),
    ],
)
def test_records_are_kept_for_callbacks_that_watch_batches(callback):
    assert len(fit(callbacks=[callback]).history_[-1, "batches"]) == 3 + 1


@pytest.mark.parametrize(
    "params",
    [
        {"lr_schedule": "one_cycle"},
        {"early_stopping": True},
        {"verbose": 2},
        *(
            {"callbacks": [callback]}
            for callback in (
                AtTheEnd(),
                Callback(),
                Checkpoint(f_params=None, f_optimizer=None, f_criterion=None, f_history=None),
                EarlyStopping(),
                EpochScoring("accuracy"),
                EpochTimer(),
                GradientNormClipping(1),
                LRScheduler("StepLR", step_size=2, step_every="batch"),
                PassthroughScoring("valid_loss"),
                PrintLog(),
            )
        ),
    ],
)
def test_records_are_dropped_if_no_callback_reads_them(params):
    assert len(fit(**params).history_[-1, "batches"]) == 1


def test_only_the_last_record_of_an_epoch_is_kept_if_no_callback_reads_them():
    clf = fit()
    assert [len(epoch["batches"]) for epoch in clf.history_] == [1, 1]
    assert clf.history_[-1, "batches", -1].keys() == {"valid_loss", "valid_batch_size"}
    assert clf.history_[:, "train_batch_count"] == [3, 3]
    assert all(isinstance(loss, float) for loss in clf.history_[:, "train_loss"])


def test_callbacks_that_read_losses_get_them_after_each_batch():
    watching = Watching()
    clf = fit(callbacks=[watching])
    assert len(watching.losses) == 2 * (3 + 1)
    assert all(type(loss) is float for loss in watching.losses)
    assert clf.history_[-1, "batches", :, "train_batch_size"] == [16, 16, 8]


def test_callbacks_get_all_batches_at_the_end_of_an_epoch():
    at_the_end = AtTheEnd()
    clf = fit(callbacks=[at_the_end])
    assert at_the_end.sizes == [16, 16, 8]
    assert all(type(loss) is float for loss in at_the_end.losses)
    mean = np.average(at_the_end.losses, weights=at_the_end.sizes)
    assert clf.history_[-1, "train_loss"] == pytest.approx(mean)


def test_means_do_not_depend_on_whether_a_callback_watches():
    keys = ["train_loss", "valid_loss", "valid_acc", "train_batch_count", "valid_batch_count"]
    assert fit().history_[:, keys] == fit(callbacks=[Watching()]).history_[:, keys]


@pytest.mark.parametrize("callback", [TrainEndCheckpoint, Checkpoint])
def test_checkpoints_of_skorch_work_without_records(tmp_path, callback):
    clf = fit(callbacks=[callback(dirname=tmp_path)])
    assert (tmp_path / "train_end_params.pt").exists() or (tmp_path / "params.pt").exists()
    assert clf.n_iter_ == 2


def test_best_epoch_is_loaded_without_a_history_file(tmp_path):
    checkpoint = Checkpoint(dirname=tmp_path, load_best=True, f_history=None)
    assert fit(callbacks=[checkpoint]).n_iter_ == 2


@pytest.mark.parametrize("params", [{"callbacks": "disable"}, {"callbacks__train_loss": None}])
def test_losses_are_kept_if_no_callback_averages_them(params):
    clf = fit(**params)
    assert len(clf.history_[-1, "batches", :, "train_loss"]) == 3


def test_hooks_of_a_subclass_get_the_loss_of_each_batch():
    seen = []

    class Hooked(MNISTCNNClassifier):
        def on_batch_end(self, net, batch=None, training=False, **kwargs):
            super().on_batch_end(net, batch, training, **kwargs)
            seen.append(net.history[-1, "batches", -1])

    Hooked(max_epochs=1, batch_size=16, random_state=0, verbose=0).fit(*toy(50))
    assert [type(record.get("train_loss")) for record in seen[:3]] == [float] * 3


class LossInArray(nn.CrossEntropyLoss):
    """A loss that returns an array of one number."""

    def forward(self, logits, codes):
        return super().forward(logits, codes).reshape(1)


def test_loss_of_shape_1_is_recorded():
    plain, in_array = fit(), fit(criterion=LossInArray)
    assert in_array.history_[:, "train_loss"] == plain.history_[:, "train_loss"]
