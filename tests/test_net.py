"""The hooks into skorch's loop: callbacks, interruption, devices in pickles."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import signal
import subprocess
import sys
import traceback
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import helpers
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_score
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    LRScheduler,
    TrainEndCheckpoint,
)
from skorch.helper import SliceDataset
from torch import nn
from torch.utils.data import RandomSampler

from skorch_mnist.network import MNISTCNN, BatchNormCNN

quick = partial(helpers.quick, max_epochs=3, batch_size=64)
toy = partial(helpers.toy, classes=("a", "b", "c"))


class At(Callback):
    """Does something at the end of the batches of an epoch."""

    def __init__(self, epoch, action):
        self.epoch, self.action = epoch, action

    def on_batch_end(self, net, training=True, **kwargs):
        if training and len(net.history) == self.epoch:
            self.action()


class StopAt(Callback):
    """Asks to stop training, as callbacks of skorch do."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise KeyboardInterrupt


def ctrl_c():
    signal.raise_signal(signal.SIGINT)


# --- interruption ---------------------------------------------------------------------------


def test_ctrl_c_is_raised_and_the_last_whole_epoch_is_kept():
    X, y = toy()
    clf = quick(max_epochs=5, callbacks=[At(3, ctrl_c)])
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X, y)
    assert clf.n_iter_ == 2
    np.testing.assert_array_equal(
        clf.predict_proba(X), quick(max_epochs=2).fit(X, y).predict_proba(X)
    )
    assert clf.set_params(callbacks=None, lr=1e-3).partial_fit(X, y).n_iter_ == 3


def test_ctrl_c_in_the_first_epoch_changes_nothing():
    X, y = toy()
    clf = quick(callbacks=[At(1, ctrl_c)])
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X, y)
    with pytest.raises(NotFittedError):
        clf.predict(X)
    assert {name for name in vars(clf) if name.endswith("_") or name.startswith("_")} == set()

    fitted = quick().fit(X, y)
    expected = fitted.predict_proba(X)
    with pytest.raises(KeyboardInterrupt):
        fitted.set_params(callbacks=[At(1, ctrl_c)]).fit(X, y)
    np.testing.assert_array_equal(fitted.predict_proba(X), expected)
    assert fitted.n_iter_ == 3


@pytest.mark.parametrize("method", ["partial_fit", "fit"])
def test_ctrl_c_in_the_first_epoch_of_more_training_changes_nothing(method):
    X, y = toy()
    clf = quick(warm_start=True).fit(X, y)
    expected = clf.predict_proba(X)
    clf.set_params(callbacks=[At(4, ctrl_c)])
    with pytest.raises(KeyboardInterrupt):
        getattr(clf, method)(X, y)
    np.testing.assert_array_equal(clf.predict_proba(X), expected)
    assert clf.n_iter_ == 3


def test_ctrl_c_ends_cross_validation():
    X, y = toy()
    with pytest.raises(KeyboardInterrupt):
        cross_val_score(quick(callbacks=[At(2, ctrl_c)]), X, y, cv=2, error_score=0.0)


def test_an_error_in_training_leaves_whole_epochs():
    X, y = toy()
    clf = quick(callbacks=[At(3, lambda: 1 / 0)])
    with pytest.raises(ZeroDivisionError):
        clf.fit(X, y)
    assert clf.n_iter_ == 2


def test_a_callback_stops_training_without_an_error():
    X, y = toy()
    assert quick(callbacks=[StopAt]).fit(X, y).n_iter_ == 2


def raise_interrupt(*_):
    raise KeyboardInterrupt


class StopOnCtrlC(Callback):
    """Asks to stop at the end of an epoch in which Ctrl-C was pressed, as graceful scripts do."""

    pressed = False

    def on_batch_end(self, net, **kwargs):
        if len(net.history) == 2:
            ctrl_c()

    def on_epoch_end(self, net, **kwargs):
        if StopOnCtrlC.pressed:
            raise KeyboardInterrupt


def test_ctrl_c_is_no_error_if_the_handler_does_not_raise(monkeypatch):
    X, y = toy()
    monkeypatch.setattr(StopOnCtrlC, "pressed", False)
    before = signal.signal(signal.SIGINT, lambda *_: setattr(StopOnCtrlC, "pressed", True))
    try:
        assert quick(callbacks=[StopOnCtrlC]).fit(X, y).n_iter_ == 2
    finally:
        signal.signal(signal.SIGINT, before)


class CtrlCInCallback(Callback):
    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            ctrl_c()


def test_ctrl_c_in_a_callback_is_raised():
    X, y = toy()
    clf = quick(callbacks=[CtrlCInCallback])
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X, y)
    assert clf.n_iter_ == 1


def test_the_signal_handler_is_restored():
    before = signal.getsignal(signal.SIGINT)
    quick(max_epochs=1).fit(*toy())
    assert signal.getsignal(signal.SIGINT) is before


def test_a_callback_stops_training_in_a_thread():
    X, y = toy()
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(quick(callbacks=[StopAt]).fit, X, y).result().n_iter_ == 2


def test_ctrl_c_in_a_loader_is_raised():
    X, y = toy()
    before = signal.signal(signal.SIGINT, raise_interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            quick(iterator_train=Interrupting).fit(X, y)
    finally:
        signal.signal(signal.SIGINT, before)


class Interrupting(torch.utils.data.DataLoader):
    """A loader in which Ctrl-C is pressed."""

    def __iter__(self):
        ctrl_c()
        return super().__iter__()


# --- callbacks of skorch --------------------------------------------------------------------


def test_scoring_callbacks_get_labels_and_agree_with_predict():
    X, y = toy()
    seen = []

    def accuracy(net, X, y):
        seen.append(set(y))
        return float(np.mean(net.predict(X) == y))

    clf = quick(
        callbacks=[
            ("cached", EpochScoring(accuracy, name="cached", lower_is_better=False)),
            ("fresh", EpochScoring(accuracy, name="fresh", use_caching=False)),
            ("train", EpochScoring("f1_macro", name="train_f1", on_train=True)),
            ("auc", EpochScoring("roc_auc_ovr", name="auc")),
            ("batch", BatchScoring("accuracy", name="batch")),
        ]
    ).fit(X, y)
    last = clf.history_[-1]
    assert last["valid_acc"] == last["cached"] == last["fresh"]
    assert last["batch"] == pytest.approx(last["valid_acc"])
    assert last["auc"] > 0.5 and last["train_f1"] > 0
    assert all(labels <= {"a", "b", "c"} for labels in seen)


def test_checkpoint_and_load_params(tmp_path):
    X, y = toy()
    checkpoint = Checkpoint(dirname=tmp_path, monitor="valid_loss_best", load_best=True)
    clf = quick(callbacks=[checkpoint]).fit(X, y)
    other = quick(random_state=1).fit(X, y)
    other.load_params(f_params=tmp_path / "params.pt")
    np.testing.assert_array_equal(clf.predict_proba(X), other.predict_proba(X))
    assert clf.device == "auto"


@pytest.mark.parametrize(
    "module", [MNISTCNN, BatchNormCNN, nn.Sequential(nn.Flatten(), nn.Linear(36, 3))]
)
def test_checkpoint_and_load_params_as_safetensors(module, tmp_path):
    X, y = toy()
    checkpoint = Checkpoint(dirname=tmp_path, f_optimizer=None, use_safetensors=True)
    clf = quick(module=module, callbacks=[checkpoint]).fit(X, y)
    helpers.assert_same_weights(clf, quick(module=module).fit(X, y))
    clf.save_params(tmp_path / "last", use_safetensors=True)
    other = quick(module=module, random_state=1).fit(X, y)
    other.load_params(tmp_path / "last", use_safetensors=True)
    np.testing.assert_array_equal(clf.predict_proba(X), other.predict_proba(X))
    with pytest.raises(NotFittedError):
        quick(module=module).save_params(tmp_path / "new", use_safetensors=True)


class Nested(Callback):
    """Fits another classifier in the middle of a training run, as another process does."""

    def __init__(self, *callbacks):
        self.callbacks = callbacks

    def on_epoch_end(self, net, **kwargs):
        quick(max_epochs=1, callbacks=list(self.callbacks)).fit(*toy())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Checkpoint, Checkpoint),
        (TrainEndCheckpoint, TrainEndCheckpoint),
        (partial(Checkpoint, f_params="{last_epoch[epoch]}.pt", f_criterion=None),) * 2,
        (Checkpoint, partial(TrainEndCheckpoint, fn_prefix="")),
    ],
)
def test_checkpoints_of_two_training_runs_in_the_same_files_are_noticed(one, other, tmp_path):
    clf = quick(max_epochs=1, callbacks=[one(dirname=tmp_path), Nested(other(dirname=tmp_path))])
    with pytest.warns(UserWarning, match=r"writing the same files: .*\.pt.* a different dirname"):
        clf.fit(*toy())


def test_checkpoints_in_other_files_or_one_after_another_are_not_noticed(tmp_path):
    callbacks = [Checkpoint(dirname=tmp_path), TrainEndCheckpoint(dirname=tmp_path)]
    apart = [
        Checkpoint(dirname=tmp_path / "apart"),
        Checkpoint(dirname=tmp_path, fn_prefix="apart_"),
        Checkpoint(dirname=tmp_path, f_params=None, f_optimizer=None, f_criterion=None).set_params(
            f_history=None, f_pickle="apart.pkl"
        ),
    ]
    clf = quick(max_epochs=1, callbacks=[*callbacks, Nested(*apart)])
    clf.fit(*toy()).fit(*toy())
    with pytest.raises(ZeroDivisionError):
        quick(callbacks=[*callbacks, At(1, lambda: 1 / 0)]).fit(*toy())
    clf.fit(*toy())


@pytest.mark.slow
def test_checkpoints_of_a_search_in_the_same_files_are_noticed(tmp_path):
    code = """
import os, sys, time
from pathlib import Path
from helpers import quick, toy
from sklearn.model_selection import cross_val_score
from skorch.callbacks import Callback, Checkpoint

class Meeting(Callback):
    def __init__(self, folder):
        self.folder = folder

    def on_train_begin(self, net, **kwargs):
        Path(self.folder, f"{os.getpid()}.here").touch()
        while len(list(Path(self.folder).glob("*.here"))) < 2:
            time.sleep(0.01)

folder = sys.argv[1]
clf = quick(max_epochs=1, callbacks=[Checkpoint(dirname=folder), Meeting(folder)])
cross_val_score(clf, *toy(), cv=2, n_jobs=2)
"""
    run = subprocess.run(
        [sys.executable, "-c", code, tmp_path],
        check=True,
        timeout=300,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert "Another training run is writing the same files" in run.stderr  # of one, or of both


def test_scheduler_and_early_stopping_of_skorch():
    X, y = toy()
    scheduler = LRScheduler("StepLR", step_size=1, gamma=0.1)
    stopping = EarlyStopping(monitor="train_loss", patience=2, threshold=10.0, threshold_mode="abs")
    clf = quick(max_epochs=9, callbacks=[scheduler, stopping]).fit(X, y)
    assert clf.n_iter_ == 3
    assert clf.optimizer_.param_groups[0]["lr"] < 1e-4


def test_callbacks_can_be_changed_and_disabled(capsys):
    X, y = toy()
    lines = []
    quick(verbose=1, callbacks__print_log__sink=lines.append).fit(X, y)
    assert len(lines) == 5
    quick(verbose=1, callbacks__print_log=None).fit(X, y)
    clf = quick(callbacks="disable").fit(X, y)
    assert clf.callbacks_ == [] and len(clf.history_) == 3
    assert capsys.readouterr().out == ""


class Setting(Callback):
    """Sets parameters of the net at the end of the first epoch."""

    def __init__(self, params):
        self.params = params

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 1:
            net.set_params(**self.params)


def test_callbacks_can_be_set_during_training():
    X, y = toy()
    setting = Setting({"callbacks": None, "verbose": 0})
    clf = quick(callbacks=[setting]).fit(X, y)
    assert clf.n_iter_ == 3
    assert clf.partial_fit(X, y).n_iter_ == 4
    assert setting not in dict(clf.callbacks_).values()


class Copying(Callback):
    """Keeps a shallow copy of the net, made in the middle of training."""

    def on_epoch_end(self, net, **kwargs):
        self.copy_ = copy.copy(net)


def test_a_copy_made_during_training_does_not_keep_the_images():
    X, y = toy()
    images = weakref.ref(X)
    copying = Copying()
    quick(callbacks=[copying]).fit(X, y)
    del X
    gc.collect()
    assert images() is None
    assert copying.copy_.n_iter_ == 3


# --- methods of skorch ----------------------------------------------------------------------


class Marked(nn.Module):
    """A network whose outputs tell whether it is in training mode."""

    def __init__(self):
        super().__init__()
        self.output = nn.Linear(36, 3)

    def forward(self, x):
        return self.output(x.flatten(1)) + 100 * self.training


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"iterator_train__shuffle": True, "iterator_train__drop_last": True},
        {"iterator_train__num_workers": 0},
        {"iterator_train__sampler": RandomSampler(range(48), num_samples=5)},
        {"augment": torch.zeros_like},
    ],
)
def test_forward_in_training_mode_keeps_all_rows_in_their_order(params):
    X, y = toy()
    clf = quick(module=Marked, batch_size=16, **params).fit(X, y)
    plain = clf.forward(X)
    assert len(plain) == 60 and not plain.requires_grad
    for X_same in (X, Listed(), Pairs(), SliceDataset(Listed())):
        outputs = clf.forward(X_same, training=True)
        assert outputs.requires_grad
        torch.testing.assert_close(outputs, plain + 100)
        assert torch.cat(list(clf.forward_iter(X_same, training=True))).equal(outputs)


def test_forward_in_training_mode_has_dropout():
    X, y = toy()
    clf = quick(max_epochs=1).fit(X, y)
    plain, first, second = (clf.forward(X, training=mode) for mode in (False, True, True))
    assert not first.equal(second)
    assert clf.forward(X).equal(plain)


class Pairs(torch.utils.data.IterableDataset):
    """A stream of images and labels."""

    def __iter__(self):
        X, y = toy()
        return zip(X, y, strict=True)


class Listed(torch.utils.data.Dataset):
    """Images and labels by index."""

    def __getitem__(self, row):
        X, y = toy()
        return X[row], y[row]

    def __len__(self):
        return 60


@pytest.mark.parametrize(
    "given",
    [
        lambda X, y: (X, y),
        lambda X, y: (X.reshape(60, -1).tolist(), y.tolist()),
        lambda X, y: (torch.from_numpy(X), pd.Series(y)),
        lambda X, y: (Listed(),),
        lambda X, y: (Listed(), y),
        lambda X, y: (torch.utils.data.Subset(Listed(), range(60)),),
        lambda X, y: (SliceDataset(Listed()),),
        lambda X, y: (Pairs(),),
    ],
)
def test_a_dataset_of_skorch_keeps_the_labels(given):
    X, y = toy()
    clf = quick().fit(X, y)
    batches = list(clf.get_iterator(clf.get_dataset(*given(X, y))))
    codes = np.concatenate([codes for _, codes in batches])
    np.testing.assert_array_equal(clf.classes_[codes], y)
    loss = sum(clf.validation_step(batch)["loss"].item() * len(batch[1]) for batch in batches) / 60
    assert loss == pytest.approx(log_loss(y, clf.predict_proba(X)), abs=1e-5)


def test_a_dataset_of_skorch_refuses_labels_that_do_not_fit():
    X, y = toy()
    clf = quick().fit(X, y)
    with pytest.raises(ValueError, match=r"y has labels \['z'\] that are not among the classes"):
        clf.get_dataset(X, np.where(y == "a", "z", y))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        clf.get_dataset(X, y[1:])
    with pytest.raises(ValueError, match=r"y must be None. Labels come from its items"):
        clf.get_dataset(Pairs(), y)


def test_a_dataset_of_skorch_may_lack_labels():
    X, y = toy()
    clf = quick().fit(X, y)
    (_, codes), *_ = clf.get_iterator(clf.get_dataset(X))
    assert not codes.any()
    strangers = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.full((60,), 9))
    np.testing.assert_array_equal(clf.predict(strangers), clf.predict(X))


@pytest.mark.parametrize("net", [quick(), quick(class_weight="balanced").initialize()])
def test_a_dataset_of_skorch_before_fit_has_classes_of_its_own(net):
    X, y = toy()
    before = set(vars(net))
    dataset = net.get_dataset(X, y)
    (_, codes), *_ = net.get_iterator(dataset)
    np.testing.assert_array_equal(dataset.classes[codes], y)
    assert set(vars(net)) == before


@pytest.mark.parametrize("initialized", [False, True])
def test_load_params_before_fit_points_to_load(initialized, tmp_path):
    X, y = toy()
    clf = quick(callbacks=[Checkpoint(dirname=tmp_path)]).fit(X, y)
    new = quick()
    if initialized:
        new.initialize()
    for files in (
        {"f_params": tmp_path / "params.pt"},
        {"f_params": tmp_path / "params.pt", "use_safetensors": True},
        {"f_history": tmp_path / "history.json"},
        {"checkpoint": Checkpoint(dirname=tmp_path)},
    ):
        with pytest.raises(NotFittedError, match=r"use save .*MNISTCNNClassifier\.load"):
            new.load_params(**files)
    new.partial_fit(X, y, classes=["a", "b", "c"]).load_params(f_params=tmp_path / "params.pt")
    helpers.assert_same_weights(new, clf)


@pytest.mark.parametrize("initialized", [False, True])
def test_learned_attributes_are_missing_before_fit(initialized):
    clf = quick().initialize() if initialized else quick()
    assert not hasattr(clf, "classes_")
    with pytest.raises(NotFittedError, match="has no classes_ yet: call fit first"):
        _ = clf.classes_
    images, batch = torch.zeros(1, 1, 28, 28), (torch.zeros(1, 1, 28, 28), torch.zeros(1).long())
    for method in (clf.predict, clf.forward, clf.infer):
        with pytest.raises(NotFittedError):
            method(images)
    for method in (clf.validation_step, clf.train_step):
        with pytest.raises(NotFittedError):
            method(batch)
    with pytest.raises(NotFittedError):
        list(clf.forward_iter(images, training=True))


# --- devices --------------------------------------------------------------------------------


def test_a_pickle_of_a_missing_device_goes_to_the_cpu():
    X, y = toy()
    clf = quick().fit(X, y)
    clf.device = "cuda:7"  # as if it had been fitted there
    if torch.cuda.device_count() > 7:
        pytest.skip("this machine has that device")
    with pytest.warns(UserWarning, match="is now on the CPU"):
        back = pickle.loads(pickle.dumps(clf))
    assert back.device == "cuda:7" and back.device_.type == "cpu"
    np.testing.assert_array_equal(back.predict_proba(X), clf.predict_proba(X))


def test_a_pickle_from_a_gpu_leaves_out_callbacks():
    clf = quick(early_stopping=True, callbacks=[LRScheduler()]).fit(*toy())
    assert "callbacks_" in clf.__getstate__()
    clf.device_ = torch.device("cuda")  # as if it had been fitted there
    assert not {"callbacks_", "optimizer_", "device_"} & clf.__getstate__().keys()
    back = copy.deepcopy(clf)
    assert back.set_params(warm_start=True).fit(*toy()).n_iter_ > clf.n_iter_


@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_model_of_a_gpu_is_loaded_where_there_is_none(tmp_path):
    X, y = toy()
    clf = quick(device="cuda", early_stopping=True, callbacks=[LRScheduler()]).fit(X, y)
    assert clf.device_.type == "cuda"
    (tmp_path / "clf").write_bytes(pickle.dumps(clf.set_params(device="auto")))
    clf.set_params(callbacks=None).save(tmp_path / "model")
    np.save(tmp_path / "X.npy", X)
    code = (
        "import pickle, numpy as np; from skorch_mnist import MNISTCNNClassifier; "
        "X = np.load('X.npy'); a = pickle.load(open('clf', 'rb')); "
        "b = MNISTCNNClassifier.load('model'); assert a.device_.type == b.device_.type == 'cpu'; "
        "np.save('a.npy', a.predict_proba(X)); np.save('b.npy', b.predict_proba(X))"
    )
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environment)
    for name in ("a.npy", "b.npy"):
        np.testing.assert_allclose(np.load(tmp_path / name), clf.predict_proba(X), atol=1e-5)


# --- faults ---------------------------------------------------------------------------------


class Fault(Callback):
    """Does something to the net before or after the steps of an epoch."""

    def __init__(self, epoch, action, hook="on_batch_end"):
        self.epoch, self.action, self.hook = epoch, action, hook

    def on_epoch_begin(self, net, **kwargs):
        self._maybe(net, "on_epoch_begin")

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self._maybe(net, "on_batch_end")

    def _maybe(self, net, hook):
        if hook == self.hook and len(net.history) == self.epoch:
            self.action(net)


def spoil_weights(net):
    with torch.no_grad():
        net.module_.output.bias[0] = float("nan")


@pytest.mark.parametrize(
    ("hook", "what"),
    [("on_epoch_begin", "the loss became nan"), ("on_batch_end", "a weight became nan or inf")],
)
def test_divergence_restores_the_last_good_weights(hook, what):
    X, y = toy()
    good = quick(max_epochs=2).fit(X, y)
    clf = quick(max_epochs=5, callbacks=[Fault(3, spoil_weights, hook)])
    message = f"Training diverged in epoch 3: {what}. Lower lr, which is 0.001. The classifier "
    with pytest.raises(ValueError, match=message + "keeps the weights of epoch 2"):
        clf.fit(X, y)
    assert clf.n_iter_ == 2
    np.testing.assert_array_equal(clf.predict_proba(X), good.predict_proba(X))
    assert clf.set_params(callbacks=None).partial_fit(X, y).n_iter_ == 3


def test_divergence_in_the_first_epoch_changes_nothing():
    X, y = toy()
    clf = quick(lr=1e30, precision="auto", augment=lambda images: images * float("inf"))
    advice = (
        r"Lower lr, which is 1e\+30, set precision='float32', or check that augment does not ret"
    )
    with pytest.raises(ValueError, match=advice) as caught:
        clf.fit(X, y)
    assert str(caught.value).endswith("The classifier was not changed.")
    assert not clf.__sklearn_is_fitted__()


class StopAtNan(Callback):
    """Asks to stop as soon as a loss is not a number."""

    def on_batch_end(self, net, loss, **kwargs):
        if not loss.isfinite():
            raise KeyboardInterrupt


def test_divergence_at_which_a_callback_stops_is_an_error():
    X, y = toy()
    clf = quick(max_epochs=5, callbacks=[Fault(3, spoil_weights, "on_epoch_begin"), StopAtNan])
    with pytest.raises(ValueError, match="diverged in epoch 3: a weight became nan or inf"):
        clf.fit(X, y)
    assert clf.n_iter_ == 2
    np.testing.assert_array_equal(
        clf.predict_proba(X), quick(max_epochs=2).fit(X, y).predict_proba(X)
    )


def test_callbacks_do_not_get_an_epoch_that_diverged(tmp_path):
    X, y = toy()
    checkpoint = Checkpoint(dirname=tmp_path, f_criterion=None)
    clf = quick(callbacks=[Fault(1, spoil_weights), checkpoint])
    with pytest.raises(ValueError, match="diverged in epoch 1"):
        clf.fit(X, y)
    assert list(tmp_path.glob("*.pt")) == []


class Full(nn.Module):
    """A network that runs out of memory if a batch is too large."""

    def __init__(self, n_most, n_most_in_evaluation):
        super().__init__()
        self.output = nn.Linear(36, 3)
        self.n_most, self.n_most_in_evaluation = n_most, n_most_in_evaluation

    def forward(self, x):
        if len(x) > (self.n_most if self.training else self.n_most_in_evaluation):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 8.00 GiB.")
        return self.output(x.flatten(1))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((16, 999), "A batch of 32 images does not fit into the memory of the device. Lower batch"),
        (
            (999, 11),
            r"A batch of 12 images does not.*\. Lower iterator_valid__batch_size\. CUDA out",
        ),
    ],
)
def test_out_of_memory_error_names_the_parameter_to_lower(sizes, message):
    X, y = toy()
    clf = quick(module=Full(*sizes), batch_size=32)
    with pytest.raises(torch.OutOfMemoryError, match=message):
        clf.fit(X, y)
    assert not clf.__sklearn_is_fitted__()


def test_out_of_memory_error_in_prediction():
    X, y = toy()
    clf = quick(module=Full(99, 20)).fit(X, y)
    with pytest.raises(
        torch.OutOfMemoryError, match=r"Lower iterator_valid__batch_size\. CUDA out"
    ):
        clf.predict(X)
    assert clf.set_params(iterator_valid__batch_size=20).predict(X).shape == y.shape


class Failing(torch.utils.data.Dataset):
    """Images of which a worker process cannot read one."""

    def __init__(self, X, y):
        self.X, self.targets = X, y

    def __len__(self):
        return len(self.X)

    def __getitem__(self, row):
        if torch.utils.data.get_worker_info() is not None and row == 7:
            raise OSError("the disk of the images is gone")
        return self.X[row], self.targets[row]


def test_a_failing_worker_changes_nothing():
    X, y = toy()
    clf = quick().fit(X, y)
    before = clf.predict_proba(X)
    clf.set_params(iterator_train__num_workers=1, train_split=None)
    with pytest.raises(OSError, match="the disk of the images is gone") as raised:
        clf.fit(Failing(X, y), y)
    traceback.clear_frames(raised.tb)  # ends the worker; the garbage collector takes 5 s for it
    assert clf.n_iter_ == 3
    np.testing.assert_array_equal(clf.predict_proba(X), before)


def test_two_training_runs_of_one_classifier_at_the_same_time_are_refused():
    X, y = toy()
    clf = quick().fit(X, y)
    clf.set_params(callbacks=[At(4, lambda: clf.partial_fit(X, y))])
    with pytest.raises(RuntimeError, match="is already being trained"):
        clf.partial_fit(X, y)
    assert clf.set_params(callbacks=None).partial_fit(X, y).n_iter_ == 4

    def train_in_thread():
        with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="another thread"):
            pool.submit(clf.fit, X, y).result()

    clf.set_params(callbacks=[At(5, train_in_thread)]).partial_fit(X, y)
    assert clf.n_iter_ == 5


def test_threads_can_predict_at_the_same_time():
    X, y = toy()
    clf = quick().fit(X, y)
    parts = [X[:20], X[20:], X[:1], X]
    expected = [clf.predict_proba(part) for part in parts]
    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda n: clf.predict_proba(parts[n % 4]), range(12))
        for number, answer in enumerate(answers):
            np.testing.assert_array_equal(answer, expected[number % 4])


# --- outputs that are not logits --------------------------------------------------------------


class Ending(nn.Module):
    """A linear network whose last step is a method named by ``end``."""

    def __init__(self, end, image_shape, n_classes):
        super().__init__()
        self.linear = nn.Linear(image_shape[1] * image_shape[2], n_classes)
        self.end = getattr(self, end)

    def forward(self, x):
        return self.end(self.linear(x.flatten(1)))

    def softmax(self, x):
        return x.softmax(1)

    def softmax_and_features(self, x):
        return x.softmax(1), x

    def softmax_in_evaluation(self, x):
        return x if self.training else x.softmax(1)

    def softmax_in_bfloat16(self, x):
        return x.bfloat16().softmax(1)

    def log_softmax(self, x):
        return x.log_softmax(1)

    def sigmoid(self, x):
        return x.sigmoid()

    def sum_of_one(self, x):
        return x - x.mean(1, keepdim=True) + 1 / x.shape[1]

    def one_row_of_probabilities(self, x):
        return torch.cat([x[:1].softmax(1), x[1:]])


@pytest.mark.parametrize("criterion", [nn.CrossEntropyLoss, nn.NLLLoss])
@pytest.mark.parametrize(
    "end", ["softmax", "softmax_and_features", "softmax_in_evaluation", "softmax_in_bfloat16"]
)
def test_a_network_that_returns_probabilities_warns_once(end, criterion):
    clf = quick(module=Ending, module__end=end, criterion=criterion)
    with pytest.warns(UserWarning, match=r"Ending seems to return probabilities.*logits") as warned:
        clf.fit(*toy())
    assert len(warned) == 1


@pytest.mark.parametrize(
    "end", ["log_softmax", "sigmoid", "sum_of_one", "one_row_of_probabilities"]
)
def test_a_network_that_returns_other_outputs_does_not_warn(end):
    X, y = toy()
    for params in ({}, {"criterion": nn.NLLLoss}):
        quick(module=Ending, module__end=end, **params).fit(X, y)
    quick(module=Ending, module__end=end).partial_fit(X, y, classes=["a", "b", "c"])


def test_one_image_does_not_tell_probabilities_from_logits():
    X, y = toy(n=1)
    clf = quick(module=Ending, module__end="softmax")
    clf.partial_fit(X, y, classes=["a", "b"])
    X, y = toy(n=8, classes=("a", "b"))
    with pytest.warns(UserWarning, match="logits"):
        clf.set_params(batch_size=1).partial_fit(X, y)
