"""The learning rate during training and after it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from helpers import quick, toy
from hypothesis import given
from hypothesis import strategies as st
from skorch.callbacks import Callback, Checkpoint, LRScheduler

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
        ValueError, match=r"the Endless that iterator_train makes does not have a len\(\)"
    ):
        cycling(iterator_train=Endless, callbacks=[rates]).fit(*toy())
    assert rates.of_steps == []


def test_a_schedule_needs_callbacks():
    with pytest.raises(ValueError, match="lr_schedule='one_cycle' is a callback"):
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
    # skorch's scheduler counts the epochs of the cycle too.
    np.testing.assert_allclose(np.ravel(rates.of_steps), [0.001] * 5 + [0.0001] * 5)


def test_lr_can_be_changed_between_training_runs():
    rates = Rates()
    clf = cycling(lr=0.01, callbacks=[rates]).fit(*toy())
    clf.set_params(lr=0.1).partial_fit(*toy())
    assert 0.09 < max(np.ravel(rates.of_steps)) <= 0.1


@pytest.mark.parametrize("policy", ["StepLR", "ReduceLROnPlateau"])
def test_two_schedules_are_refused(policy):
    step = {"step_size": 2} if policy == "StepLR" else {}
    clf = cycling(callbacks=[LRScheduler(policy, **step)])
    with pytest.raises(ValueError, match="would both set the learning rate"):
        clf.fit(*toy())
