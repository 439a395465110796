"""The learning rate during training and after it."""

from __future__ import annotations

import itertools
import pickle
from typing import ClassVar

import numpy as np
import pytest
import torch
from helpers import quick, toy
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from skorch.callbacks import Callback, Checkpoint, LoadInitState, LRScheduler
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    OneCycleLR,
    SequentialLR,
)

from skorch_mnist._learning_rate import one_cycle


class Rates(Callback):
    """Collects the learning rates of all groups at each step."""

    def on_train_begin(self, net, **kwargs):
        self.of_steps = []

    def on_grad_computed(self, net, **kwargs):
        self.of_steps.append([group["lr"] for group in net.optimizer_.param_groups])


class Interrupting(Callback):
    def on_batch_end(self, net, training, **kwargs):
        if training and len(net.history) == 2:
            raise RuntimeError("in the middle of a cycle")


def cycling(**params):
    defaults = {"lr_schedule": "one_cycle", "batch_size": 12, "max_epochs": 5, "train_split": None}
    return quick(**{**defaults, **params})


@given(st.floats(0, 1))
def test_the_rate_is_between_0_and_the_peak(done):
    assert 0 <= one_cycle(done) <= 1


def test_the_rate_rises_for_three_tenths_and_falls_to_0():
    assert (one_cycle(0.0), one_cycle(0.3)) == (0, 1)
    assert one_cycle(1.0) == pytest.approx(0, abs=1e-12)
    course = [one_cycle(share) for share in np.linspace(0, 1, 1001)]
    assert all(a < b for a, b in itertools.pairwise(course[:301]))
    assert all(a > b for a, b in itertools.pairwise(course[300:]))


def test_a_fit_is_one_cycle_with_lr_as_its_peak():
    rates = Rates()
    cycling(lr=0.01, callbacks=[rates]).fit(*toy())
    course = np.ravel(rates.of_steps)
    assert len(course) == 25
    np.testing.assert_allclose(course, [0.01 * one_cycle((i + 0.5) / 25) for i in range(25)])


def test_groups_keep_their_own_peaks():
    rates = Rates()
    groups = [("output*", {"lr": 0.1})]
    cycling(lr=0.01, optimizer__param_groups=groups, callbacks=[rates]).fit(*toy())
    first, second = np.array(rates.of_steps).T
    np.testing.assert_allclose(first, second * 10)


def test_lr_is_restored_after_training():
    clf = cycling(lr=0.01).fit(*toy())
    assert clf.optimizer_.param_groups[0]["lr"] == clf.lr == 0.01


def test_lr_is_restored_after_training_has_failed():
    clf = cycling(lr=0.01, callbacks=[Interrupting()])
    with pytest.raises(RuntimeError, match="in the middle of a cycle"):
        clf.fit(*toy())
    assert len(clf.history_) == 1
    assert clf.optimizer_.param_groups[0]["lr"] == 0.01


@pytest.mark.parametrize("way", ["warm start", "partial_fit"])
def test_more_training_is_a_cycle_of_its_own(way):
    rates = Rates()
    clf = cycling(max_epochs=2, callbacks=[rates], warm_start=True).fit(*toy())
    whole = rates.of_steps
    if way == "warm start":
        clf.fit(*toy())
        assert rates.of_steps == whole
    else:
        clf.partial_fit(*toy())
        expected = [[clf.lr * one_cycle((i + 0.5) / 5)] for i in range(5)]
        np.testing.assert_allclose(rates.of_steps, expected)


def test_an_iterator_without_len_is_refused_before_the_first_step():
    class Endless:
        def __init__(self, dataset, batch_size):
            self.dataset = dataset

        def __iter__(self):
            yield self.dataset[0][0][None], self.dataset[0][1][None]

    rates = Rates()
    with pytest.raises(
        ValueError, match=r"the Endless that iterator_train returned does not have a length"
    ):
        cycling(iterator_train=Endless, callbacks=[rates]).fit(*toy())
    assert rates.of_steps == []


def test_a_schedule_needs_callbacks():
    with pytest.raises(
        ValueError, match="lr_schedule='one_cycle' cannot be combined with callbacks='disable'"
    ):
        cycling(callbacks="disable").fit(*toy())


def test_an_unknown_schedule_is_refused():
    with pytest.raises(ValueError, match="'lr_schedule'"):
        cycling(lr_schedule="cosine").fit(*toy())


def test_a_schedule_can_be_switched_on_and_off():
    rates = Rates()
    clf = cycling(callbacks=[rates]).fit(*toy())
    clf.set_params(lr_schedule=None).fit(*toy())
    assert np.unique(rates.of_steps).tolist() == [clf.lr]
    assert isinstance(clf.optimizer_, torch.optim.Adam)


def test_best_weights_from_mid_cycle_do_not_lower_the_peak(tmp_path):
    rates = Rates()
    best = Checkpoint(dirname=tmp_path, load_best=True, monitor="valid_loss_best")
    clf = cycling(lr=0.01, train_split=0.2, callbacks=[best, rates]).fit(*toy())
    clf.set_params(callbacks=[rates]).partial_fit(*toy())
    assert max(np.ravel(rates.of_steps)) > 0.009


def test_loading_the_best_epoch_restores_the_peak(tmp_path):
    best = Checkpoint(dirname=tmp_path, load_best=True, monitor="valid_loss_best")
    clf = cycling(lr=0.01, train_split=0.2, callbacks=[best]).fit(*toy())
    assert clf.optimizer_.param_groups[0]["lr"] == 0.01
    other = cycling(lr=0.01, lr_schedule=None).fit(*toy())
    other.load_params(checkpoint=best)  # the state of the optimizer is one of mid-cycle
    other.partial_fit(*toy())
    assert other.optimizer_.param_groups[0]["lr"] == 0.01


def test_a_scheduler_can_follow_a_cycle():
    rates = Rates()
    clf = cycling(lr=0.01, max_epochs=2, warm_start=True).fit(*toy())
    step = LRScheduler("StepLR", step_size=1, gamma=0.1)
    clf.set_params(lr_schedule=None, callbacks=[step, rates]).fit(*toy())
    # The schedule counts the epochs of the cycle too.
    np.testing.assert_allclose(np.ravel(rates.of_steps), [0.0001] * 5 + [0.00001] * 5)


# --- schedulers of skorch -------------------------------------------------------------------


def in_two_parts(optimizer, last_epoch):
    parts = [ConstantLR(optimizer, 0.1, 2), ExponentialLR(optimizer, 0.5)]
    return SequentialLR(optimizer, parts, [2], last_epoch)


def reciprocal(epoch):
    return 1 / (1 + epoch)


SCHEDULES = {
    "StepLR": {"step_size": 2, "gamma": 0.1},
    "ExponentialLR": {"gamma": 0.5},
    "CosineAnnealingLR": {"T_max": 6},
    "LambdaLR": {"lr_lambda": reciprocal},
    "CyclicLR": {"base_lr": 1e-4, "max_lr": 0.1, "step_size_up": 7, "step_every": "batch"},
    "ReduceLROnPlateau": {"monitor": "train_batch_count", "patience": 1},
    "WarmRestartLR": {"base_period": 2},
    CosineAnnealingWarmRestarts: {"T_0": 2},
    OneCycleLR: {"max_lr": 0.1, "total_steps": 40, "step_every": "batch"},
    in_two_parts: {},
}
GROUPS = [("output*", {"lr": 0.1})]


class Steps(Callback):
    """Collects the rates and momenta of all groups at each step, in a list that pickles share."""

    taken: ClassVar = []

    def on_grad_computed(self, net, **kwargs):
        for group in net.optimizer_.param_groups:
            self.taken.append((group["lr"], *group["betas"]))


def scheduled(policy, **params):
    Steps.taken.clear()
    callbacks = [LRScheduler(policy, **SCHEDULES[policy]), Steps()]
    defaults = {"train_split": None, "lr": 0.01, "optimizer__param_groups": GROUPS}
    return quick(callbacks=callbacks, **{**defaults, **params})


def as_it_is(clf):
    return clf


def pickled(clf):
    return pickle.loads(pickle.dumps(clf))


def with_callbacks_made_again(clf):
    return clf.set_params(verbose=0)


@pytest.mark.parametrize(
    "between",
    [
        pickled,
        pytest.param(as_it_is, marks=pytest.mark.slow),
        pytest.param(with_callbacks_made_again, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("policy", SCHEDULES)
def test_a_schedule_continues_across_calls(policy, between):
    scheduled(policy, max_epochs=4).fit(*toy())
    whole = Steps.taken.copy()
    clf = scheduled(policy)
    for _ in range(4):
        clf = between(clf.partial_fit(*toy(), classes=range(3)))
    assert Steps.taken == whole
    clf = scheduled(policy, max_epochs=2, warm_start=True).fit(*toy())
    between(clf).fit(*toy())
    assert Steps.taken == whole


@pytest.mark.parametrize("policy", ["StepLR", "CyclicLR"])
def test_a_schedule_continues_after_an_error(policy, monkeypatch):
    scheduled(policy, max_epochs=4).fit(*toy())
    whole = Steps.taken.copy()
    clf = scheduled(policy, max_epochs=3, warm_start=True)
    clf.callbacks.append(Interrupting())
    with pytest.raises(RuntimeError, match="in the middle of a cycle"):
        clf.fit(*toy())
    del Steps.taken[len(whole) // 4 :]
    monkeypatch.setattr(Interrupting, "on_batch_end", Callback.on_batch_end)
    clf.fit(*toy())
    assert Steps.taken == whole


@pytest.mark.parametrize("policy", ["StepLR", "CosineAnnealingLR"])
def test_a_schedule_continues_from_a_checkpoint_of_skorch(policy, tmp_path):
    scheduled(policy, max_epochs=4).fit(*toy())
    whole = Steps.taken.copy()
    last = Checkpoint(dirname=tmp_path, monitor=None)
    clf = scheduled(policy)
    clf.set_params(callbacks=[*clf.callbacks, last]).fit(*toy())
    clf = clone(clf).set_params(callbacks=[LoadInitState(last), *clf.callbacks[:2]])
    assert clf.fit(*toy()).n_iter_ == 4
    assert Steps.taken == whole


def test_a_new_rate_counts_from_the_next_epoch():
    clf = scheduled("StepLR", optimizer__param_groups=()).fit(*toy())
    clf.partial_fit(*toy()).set_params(lr=0.5).partial_fit(*toy()).partial_fit(*toy())
    np.testing.assert_allclose(clf.history_[:, "event_lr"], [0.01, 0.01, 0.001, 0.5, 0.05])


def test_a_schedule_works_with_an_accelerator():
    pytest.importorskip("accelerate")
    clf = scheduled("StepLR", accelerator="auto", optimizer__param_groups=()).fit(*toy())
    assert clf.partial_fit(*toy()).accelerator == "auto"
    np.testing.assert_allclose(clf.history_[:, "event_lr"], [0.01, 0.01, 0.001])


def test_lr_can_be_changed_between_training_runs():
    rates = Rates()
    clf = cycling(lr=0.01, callbacks=[rates]).fit(*toy())
    clf.set_params(lr=0.1).partial_fit(*toy())
    assert 0.09 < max(np.ravel(rates.of_steps)) <= 0.1


@pytest.mark.parametrize("policy", ["StepLR", "ReduceLROnPlateau"])
def test_two_schedules_are_refused(policy):
    step = {"step_size": 2} if policy == "StepLR" else {}
    clf = cycling(callbacks=[LRScheduler(policy, **step)])
    with pytest.raises(ValueError, match="because both set the learning rate"):
        clf.fit(*toy())
