"""Interrupted training runs resume bit for bit, or are refused with a clear message."""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from filelock import FileLock
from helpers import assert_same_weights, quick, slow_unless, toy, weights_of
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, EarlyStopping, EpochScoring, Freezer, LRScheduler
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, RandomSampler, WeightedRandomSampler
from torchvision.transforms.v2 import RandomRotation

from skorch_mnist import MNISTCNNClassifier
from skorch_mnist.checkpoint import ResumeCheckpoint, _folder
from skorch_mnist.network import BatchNormCNN

FILE = "training.safetensors"
X, Y = toy(90, shape=(36,))


class Killed(BaseException):
    """Like the end of a process: nothing is written after it."""


class KillAt(Callback):
    """Die in an epoch, at a batch of training, or at its end."""

    def __init__(self, epoch, batch=None):
        self.epoch, self.batch = epoch, batch

    def get_params(self, deep=True):
        return {}  # it belongs to no training

    def on_train_begin(self, net, **kwargs):
        self.n_batches = 0

    def on_epoch_begin(self, net, **kwargs):
        self.n_batches = 0

    def on_batch_end(self, net, training=False, **kwargs):
        self.n_batches += training
        if len(net.history) == self.epoch and self.n_batches == self.batch:
            raise Killed

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epoch and self.batch is None:
            raise Killed


def classifier(folder, *callbacks, **params):
    kept = [] if folder is None else [ResumeCheckpoint(folder)]
    return quick(callbacks=[*kept, *callbacks], **{"max_epochs": 5, **params})


def everything(clf):
    """Return all results of a training run except the durations."""
    epochs = [
        {name: value for name, value in epoch.items() if name != "dur"} for epoch in clf.history_
    ]
    weights = {name: weight.tolist() for name, weight in weights_of(clf).items()}
    return epochs, weights, repr(clf.optimizer_.state_dict())


def interrupted(folder, *callbacks, epoch=3, batch=2, **params):
    """Train, and die in ``epoch``."""
    clf = classifier(folder, *callbacks, KillAt(epoch, batch), **params)
    with pytest.raises(Killed):
        clf.fit(X, Y)


def same_call(folder, *callbacks, **params):
    """Repeat the interrupted call, without the interruption."""
    return classifier(folder, *callbacks, KillAt(-1, 2), **params).fit(X, Y)


class Averaging(Callback):
    """Keep a mean of the weights, which takes their place in the end."""

    def on_train_begin(self, net, **kwargs):
        self.mean_ = AveragedModel(net.module_)
        self.seen_ = {1, 2}

    def on_epoch_end(self, net, **kwargs):
        self.mean_.update_parameters(net.module_)
        self.seen_ |= {len(net.history) + 5}

    def on_train_end(self, net, **kwargs):
        weights = net.module_.state_dict()
        for name, tensor in self.mean_.module.state_dict().items():
            weights[name].mul_(0.5).add_(tensor, alpha=0.5)  # not the same if done twice


class Counting(nn.Module):
    """A network with a buffer that state_dict leaves out."""

    def __init__(self, n_classes):
        super().__init__()
        self.output = nn.Linear(36, n_classes)
        self.register_buffer("count", torch.ones(1), persistent=False)

    def forward(self, x):
        if self.training:
            self.count += 1
        return self.output(x.flatten(1)) / self.count


class Drawing(nn.Module):
    """An augmentation that draws from torch's generator."""

    def forward(self, images):
        return images + torch.randn_like(images)


SETTINGS = {
    "defaults": ({}, list),
    "batch normalization": ({"module": BatchNormCNN, "module__widths": (4, 8)}, list),
    "weights that average": ({"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9}, list),
    "parameters in groups": (
        {"optimizer__param_groups": [("conv*", {"lr": 0.01})], "optimizer__amsgrad": True},
        list,
    ),
    "no validation": ({"train_split": None}, list),
    "one cycle": ({"lr_schedule": "one_cycle"}, list),
    "early stopping": ({"early_stopping": True, "n_iter_no_change": 3}, list),
    "augmentation": ({"augment": "affine"}, list),
    "own augmentation": ({"augment": Drawing()}, list),
    "loader of torch": ({"iterator_train__pin_memory": False}, list),
    "another loader": ({"iterator_train": DataLoader, "iterator_train__shuffle": False}, list),
    "generator of numpy": ({"random_state": "RandomState"}, list),
    "class weights": ({"class_weight": "balanced"}, list),
    "steps of a schedule": ({}, lambda: [LRScheduler("StepLR", step_size=2, gamma=0.5)]),
    "schedule of batches": (
        {},
        lambda: [LRScheduler("CyclicLR", base_lr=1e-4, max_lr=1e-2, step_every="batch")],
    ),
    "schedule of a score": (
        {},
        lambda: [LRScheduler("ReduceLROnPlateau", monitor="valid_loss", patience=0)],
    ),
    "another score": ({}, lambda: [EpochScoring("f1_macro", name="f1", lower_is_better=False)]),
    "frozen weights": ({"optimizer": torch.optim.SGD}, lambda: [Freezer("conv*", at=2)]),
    "mean of the weights": ({"optimizer": torch.optim.SGD}, lambda: [Averaging()]),
    "sampler with a generator": ({"iterator_train__sampler": "RandomSampler"}, list),
    "buffers that are not saved": ({"module": "Counting"}, list),
    "callback after the checkpoint": (
        {"max_epochs": 8},
        lambda: [EarlyStopping("valid_loss", patience=3, threshold=0.5, load_best=True)],
    ),
}
IN_FAST_TIER = (  # one for each part of a checkpoint
    "batch normalization",
    "early stopping",
    "own augmentation",
    "generator of numpy",
    "schedule of batches",
    "sampler with a generator",
    "buffers that are not saved",
)


@pytest.mark.parametrize(
    "moments",  # epoch, and batch or the end of the epoch
    [[(2, 1), (3, None)], pytest.param([(1, None), (3, 4)], marks=pytest.mark.slow)],
    ids=["two", "two more"],
)
@pytest.mark.parametrize("name", slow_unless(IN_FAST_TIER, {name: name for name in SETTINGS}))
def test_a_resumed_run_has_the_same_result_as_an_uninterrupted_one(name, moments, tmp_path):
    params, callbacks = SETTINGS[name]

    def given():
        made = {
            "RandomState": lambda: np.random.RandomState(7),
            "RandomSampler": lambda: RandomSampler(range(72), generator=torch.Generator()),
            "Counting": lambda: Counting,
        }
        return {
            key: made[value]() if isinstance(value, str) and value in made else value
            for key, value in params.items()
        }

    whole = same_call(None, *callbacks(), **given())
    assert len(whole.history) > 3
    for epoch, batch in moments:
        folder = tmp_path / f"{epoch} {batch}"
        interrupted(folder, *callbacks(), epoch=epoch, batch=batch, **given())
        assert everything(same_call(folder, *callbacks(), **given())) == everything(whole)


def test_a_resumed_run_starts_after_the_last_finished_epoch(tmp_path, capsys):
    interrupted(tmp_path, epoch=3)
    same_call(tmp_path, verbose=1)
    out = capsys.readouterr().out
    assert f"Resuming after epoch 2, from {tmp_path}." in out
    assert [line.split()[0] for line in out.splitlines() if line[:7].strip().isdigit()] == [
        "3", "4", "5",
    ]  # fmt: skip


def test_a_run_may_be_interrupted_many_times(tmp_path):
    whole = everything(same_call(None))
    for epoch, batch in [(1, 1), (1, 3), (2, 1), (4, 2), (5, None)]:
        interrupted(tmp_path, epoch=epoch, batch=batch)
    assert everything(same_call(tmp_path)) == whole


def test_a_finished_run_gives_its_result_without_training(tmp_path, capsys):
    callbacks = [LRScheduler("StepLR", step_size=2), Averaging()]
    first = everything(same_call(tmp_path, *callbacks, early_stopping=True))
    content = (tmp_path / FILE).read_bytes()
    again = same_call(tmp_path, *callbacks, early_stopping=True, verbose=1)
    assert everything(again) == first
    assert (
        f"The training run in {tmp_path} already finished, after epoch 5" in capsys.readouterr().out
    )
    assert (tmp_path / FILE).read_bytes() == content
    np.testing.assert_array_equal(
        again.predict(X), again.classes_[again.predict_proba(X).argmax(1)]
    )


def test_an_error_in_a_resumed_run_leaves_the_last_saved_epoch(tmp_path):
    interrupted(tmp_path, epoch=3)
    clf = classifier(tmp_path, KillAt(3, 1))
    with pytest.raises(Killed):
        clf.fit(X, Y)
    assert clf.n_iter_ == 2
    assert clf.predict(X).shape == Y.shape


def test_a_checkpoint_does_not_change_the_result(tmp_path):
    assert everything(classifier(tmp_path).fit(X, Y)) == everything(classifier(None).fit(X, Y))


# --- other training runs --------------------------------------------------------------------


OTHERS = {
    "lr": ({"lr": 0.01}, {}, "lr is 0.01, but was 0.001"),
    "epochs": ({"max_epochs": 6}, {}, "max_epochs is 6, but was 5"),
    "seed": ({"random_state": 1}, {}, "random_state is 1, but was 0"),
    "network": (
        {"module": BatchNormCNN},
        {},
        "module is 'skorch_mnist.network.BatchNormCNN', but was",
    ),
    "nested": ({"module__dropout": 0.1}, {}, "module__dropout is 0.1, but was None"),
    "schedule": ({"lr_schedule": "one_cycle"}, {}, "lr_schedule is 'one_cycle', but was None"),
    "pixel": ({}, {"X": np.where(np.arange(X.size).reshape(X.shape) == 999, 1, X)}, "images, la"),
    "rows": ({}, {"X": X[:60], "y": Y[:60]}, "its images, labels or sample weights are different"),
    "order": ({}, {"X": X[::-1].copy(), "y": Y[::-1].copy()}, "or in a different order"),
    "labels": ({}, {"y": Y + 1}, "its images, labels or sample weights are different"),
    "label": (
        {},
        {"y": np.where(np.arange(90) == 80, 0, Y)},
        "its images, labels or sample weights",
    ),
    "weights": (
        {},
        {"sample_weight": np.linspace(1, 2, 90)},
        "its images, labels or sample weights",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_run_is_refused_and_the_checkpoint_is_kept(name, tmp_path):
    params, data, message = OTHERS[name]
    interrupted(tmp_path)
    content = (tmp_path / FILE).read_bytes()
    clf = classifier(tmp_path, KillAt(-1, 2), **params)
    with pytest.raises(ValueError, match=message) as caught:
        clf.fit(**{"X": X, "y": Y, **data})
    assert str(caught.value).startswith(f"{tmp_path} contains a different training run: ")
    assert (tmp_path / FILE).read_bytes() == content
    assert not clf.__sklearn_is_fitted__()


def rotated(degrees):
    return lambda images: torch.rot90(images, degrees // 90, (2, 3))


OBJECTS = {
    "settings of a criterion": lambda n: {"criterion": nn.CrossEntropyLoss(label_smoothing=n / 10)},
    "weights of classes": lambda n: {"criterion__weight": torch.tensor([1.0, 1.0, float(n)])},
    "partial": lambda n: {"optimizer": functools.partial(torch.optim.SGD, momentum=n / 10)},
    "function": lambda n: {"augment": rotated(90 * n)},
    "code": lambda n: {"augment": (lambda x: x + 1) if n == 1 else (lambda x: x * 2)},
    "transform": lambda n: {"augment": RandomRotation(n * 10)},
    "sampler": lambda n: {"iterator_train__sampler": WeightedRandomSampler([n / 2] * 72, 72)},
    "callback": lambda n: {"callbacks__Freezer__at": n},
    "schedule": lambda n: {"callbacks__LRScheduler__lr_lambda": lambda epoch: 1 / (epoch + n)},
}


def changeable():
    """Callbacks that OBJECTS change."""
    return [Freezer("x*", at=3), LRScheduler("LambdaLR", lr_lambda=lambda epoch: 0.5)]


def interrupt_each(folder):
    for name, make in OBJECTS.items():
        interrupted(folder / name, *changeable(), **make(1))


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_and_functions_are_told_apart(name, tmp_path):
    interrupted(tmp_path, *changeable(), **OBJECTS[name](1))
    with pytest.raises(ValueError, match="contains a different training"):
        same_call(tmp_path, *changeable(), **OBJECTS[name](2))
    assert same_call(tmp_path, *changeable(), **OBJECTS[name](1)).n_iter_ == 5


@pytest.mark.slow
def test_another_process_recognizes_objects_and_functions(tmp_path):
    code = (
        "import pathlib, sys; sys.path.insert(0, sys.argv[1]);"
        "import test_checkpoint;"
        "test_checkpoint.interrupt_each(pathlib.Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "1"})
    for name, make in OBJECTS.items():
        assert same_call(tmp_path / name, *changeable(), **make(1)).n_iter_ == 5


class Unseeded(BatchNormCNN):
    count = itertools.count()

    def __init__(self, image_shape, n_classes):
        super().__init__(image_shape, n_classes, widths=(4,))
        nn.init.constant_(self.output.bias, next(self.count))


def test_other_initial_weights_are_refused(tmp_path):
    interrupted(tmp_path, module=Unseeded)
    with pytest.raises(ValueError, match="it began with different weights"):
        same_call(tmp_path, module=Unseeded)


@pytest.mark.parametrize("policy", ["StepLR", "ReduceLROnPlateau"])
def test_a_warm_start_is_resumed_with_its_schedule(policy, tmp_path):
    settings = {"step_size": 2} if policy == "StepLR" else {"patience": 0, "threshold": 9.0}
    schedule = [LRScheduler(policy, **settings)]

    def warm(folder, epoch):
        clf = quick(callbacks=[*schedule], max_epochs=3).fit(X, Y)
        clf.callbacks += [ResumeCheckpoint(folder), KillAt(epoch, 2)]
        return clf.set_params(callbacks=clf.callbacks, warm_start=True, max_epochs=4)

    whole = warm(tmp_path / "whole", -1).fit(X, Y)
    with pytest.raises(Killed):
        warm(tmp_path / "resumed", 6).fit(X, Y)
    resumed = warm(tmp_path / "resumed", -1).fit(X, Y)
    assert resumed.n_iter_ == 7
    assert everything(resumed) == everything(whole)


def test_a_new_warm_start_does_not_print_that_it_resumes(tmp_path, capsys):
    clf = quick(max_epochs=1).fit(X, Y)
    callbacks = [ResumeCheckpoint(tmp_path)]
    clf.set_params(callbacks=callbacks, warm_start=True, verbose=1, max_epochs=2).fit(X, Y)
    assert "Resuming" not in capsys.readouterr().out


def test_a_second_training_in_the_same_folder_is_refused(tmp_path):
    clf = classifier(tmp_path, warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="contains a different training"):
        clf.fit(X, Y)
    assert clf.n_iter_ == 5


def test_partial_fit_is_refused(tmp_path):
    with pytest.raises(ValueError, match="ResumeCheckpoint does not support partial_fit"):
        classifier(tmp_path / "new").partial_fit(X, Y, classes=[0, 1, 2])
    assert not (tmp_path / "new").exists()


def test_other_nets_are_refused(tmp_path):
    net = NeuralNetClassifier(nn.Linear, callbacks=[ResumeCheckpoint(tmp_path)], verbose=0)
    net.set_params(module__in_features=36, module__out_features=3, criterion=nn.CrossEntropyLoss)
    with pytest.raises(TypeError, match="requires an MNISTCNNClassifier; got NeuralNetClassifier"):
        net.fit(X.astype(np.float32), Y)


def test_two_checkpoints_are_refused(tmp_path):
    with pytest.raises(ValueError, match="callbacks can contain only one ResumeCheckpoint"):
        classifier(tmp_path, ("another", ResumeCheckpoint(tmp_path / "b"))).fit(X, Y)


def test_a_random_state_is_required(tmp_path):
    with pytest.raises(ValueError, match="ResumeCheckpoint requires a random_state"):
        classifier(tmp_path / "new", random_state=None).fit(X, Y)
    assert not (tmp_path / "new").exists()


def test_verbose_may_change(tmp_path, capsys):
    interrupted(tmp_path)
    same_call(tmp_path, verbose=2)
    assert capsys.readouterr().out


# --- files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [0, 100, -1])
def test_a_truncated_checkpoint_is_refused(keep, tmp_path):
    interrupted(tmp_path)
    content = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(content[:keep])
    with pytest.raises(
        ValueError, match=r"is damaged or not a checkpoint\. Delete it to start over"
    ):
        same_call(tmp_path)


def test_a_model_file_is_not_a_checkpoint(fitted, tmp_path):
    fitted.save(tmp_path / FILE)
    with pytest.raises(ValueError, match="is damaged or not a checkpoint"):
        same_call(tmp_path)
    interrupted(tmp_path / "other")
    with pytest.raises(ValueError, match="is damaged or not a model file"):
        MNISTCNNClassifier.load(tmp_path / "other" / FILE)


def test_newer_format_is_refused(tmp_path):
    interrupted(tmp_path)
    with safetensors.safe_open(tmp_path / FILE, "pt") as file:
        [(key, manifest)] = file.metadata().items()
    metadata = {key: json.dumps({**json.loads(manifest), "format": 2})}
    tensors = safetensors.torch.load((tmp_path / FILE).read_bytes())
    (tmp_path / FILE).write_bytes(safetensors.torch.save(tensors, metadata=metadata))
    with pytest.raises(
        ValueError, match=r"has format 2, but this version of .* reads only 1\. Ins"
    ):
        same_call(tmp_path)


def test_a_full_disk_skips_checkpoints_and_does_not_stop_training(tmp_path, monkeypatch, capsys):
    replace = Path.replace

    class Full(KillAt):
        epochs = (2, 3)

        def on_epoch_end(self, net, **kwargs):
            full = len(net.history) in self.epochs

            def fail(path, target):
                if full:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return replace(path, target)

            monkeypatch.setattr(Path, "replace", fail)
            super().on_epoch_end(net, **kwargs)

    with (
        pytest.warns(UserWarning, match=r"checkpoint after epoch 2 could not.*No space left"),
        pytest.raises(Killed),
    ):
        classifier(tmp_path, Full(3, 2)).fit(X, Y)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []
    Full.epochs = ()
    resumed = classifier(tmp_path, Full(-1), verbose=1).fit(X, Y)
    assert everything(resumed) == everything(classifier(None, Full(-1)).fit(X, Y))
    assert "Resuming after epoch 1" in capsys.readouterr().out


def test_an_impossible_folder_is_an_error(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match="file"):
        classifier(tmp_path / "file" / "folder").fit(X, Y)
    with pytest.raises(OSError, match="/proc"):
        classifier("/proc/folder").fit(X, Y)


def test_the_folder_is_created_and_holds_one_file(tmp_path):
    classifier(tmp_path / "a" / "b").fit(X, Y)
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == [".lock", FILE]


def test_leftovers_of_a_killed_process_are_deleted(tmp_path):
    left, mine = tmp_path / f".{'0f' * 16}.part", tmp_path / ".download.part"
    for path in (left, mine):
        path.write_bytes(b"half")
    classifier(tmp_path).fit(X, Y)
    assert not left.exists() and mine.exists()


def test_discard_deletes_nothing_else(tmp_path):
    folder = tmp_path / "run"
    (folder / "other").mkdir(parents=True)
    callback = ResumeCheckpoint(folder)
    classifier(folder).fit(X, Y)
    callback.discard()
    assert [path.name for path in folder.iterdir()] == ["other"]
    (folder / "other").rmdir()
    callback.discard()
    assert not folder.exists()
    callback.discard()


def test_a_callback_may_change_the_working_folder(tmp_path, monkeypatch):
    class Moves(KillAt):
        def on_epoch_end(self, net, **kwargs):
            (tmp_path / "else" / "run").mkdir(parents=True, exist_ok=True)
            os.chdir(tmp_path / "else")
            super().on_epoch_end(net, **kwargs)

    monkeypatch.chdir(tmp_path)
    with pytest.raises(Killed):
        classifier("run", Moves(4)).fit(X, Y)
    os.chdir(tmp_path)
    assert list((tmp_path / "else" / "run").iterdir()) == []
    assert classifier("run", Moves(-1), verbose=0).fit(X, Y).n_iter_ == 5


def test_folder_in_use_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(_folder, "PATIENCE", 0.1)
    with (
        FileLock(tmp_path / ".lock"),
        pytest.raises(ValueError, match="Another process is training with the folder"),
    ):
        classifier(tmp_path).fit(X, Y)
    classifier(tmp_path).fit(X, Y)


def lock_is_taken(lock):
    try:
        lock.acquire(timeout=0)
    except TimeoutError:
        return True
    lock.release()
    return False


@pytest.mark.parametrize("epoch", [1, 3])
def test_folder_is_free_after_an_error(epoch, tmp_path):
    interrupted(tmp_path, epoch=epoch)
    assert not lock_is_taken(FileLock(tmp_path / ".lock"))


def test_the_file_contains_no_pickle(tmp_path):
    interrupted(tmp_path, LRScheduler("StepLR", step_size=2), early_stopping=True)
    content = (tmp_path / FILE).read_bytes()
    header = int.from_bytes(content[:8], "little")
    assert content[8:9] == b"{" and b"PK\x03\x04" not in content[:header]


# --- with others ----------------------------------------------------------------------------


def test_classifier_with_a_checkpoint_can_be_pickled_and_cloned(tmp_path):
    clf = classifier(tmp_path).fit(X, Y)
    again = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    assert clone(clf).get_params()["callbacks__ResumeCheckpoint__folder"] == tmp_path


def test_history_that_cannot_be_stored_is_an_error(tmp_path):
    class Records(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.history.record("what", object())

    clf = classifier(tmp_path, Records())
    with pytest.raises(
        ValueError, match="cannot save this training run: a object is not plain data"
    ):
        clf.fit(X, Y)


class Late(Callback):
    """A callback that makes what has a state after the beginning."""

    def on_train_begin(self, net, **kwargs):
        self.mean_ = None

    def on_epoch_end(self, net, **kwargs):
        self.mean_ = self.mean_ or AveragedModel(net.module_)


class Counts(Callback):
    def on_epoch_end(self, net, **kwargs):
        self.counts_ = Counter([len(net.history)])


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (Late(), "the AveragedModel in mean_ of Late did not exist when training began"),
        (Counts(), "the Counter in counts_ of Counts is not plain data"),
    ],
)
def test_callbacks_that_could_not_resume_are_errors(callback, message, tmp_path):
    with pytest.raises(ValueError, match=f"cannot save this training run: {message}"):
        classifier(tmp_path, callback).fit(X, Y)


@pytest.mark.parametrize(
    "value", [torch.eye(2).to_sparse(), np.ones(2, dtype=np.longdouble), {"a": Counter()}]
)
def test_history_with_unusual_numbers_is_an_error(value, tmp_path):
    class Records(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.history.record("what", value)

    with pytest.raises(ValueError, match="cannot save this training run: "):
        classifier(tmp_path, Records()).fit(X, Y)


def test_sink_may_be_any_function(tmp_path):
    lines = []
    classifier(tmp_path, verbose=1, callbacks__print_log__sink=lines.append).fit(X, Y)
    assert len(lines) == 7


def test_history_keeps_arrays(tmp_path):
    class Records(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.history.record("confusion", np.full((2, 2), len(net.history), dtype=">i4"))

    interrupted(tmp_path, Records())
    confusions = same_call(tmp_path, Records()).history[:, "confusion"]
    assert [confusion.tolist() for confusion in confusions] == [[[n, n]] * 2 for n in range(1, 6)]


PROGRAM = """
import sys
import numpy as np
from skorch_mnist import MNISTCNNClassifier, load_digits28
from skorch_mnist.checkpoint import ResumeCheckpoint

X, y = load_digits28(return_X_y=True)
clf = MNISTCNNClassifier(
    max_epochs=6, random_state=0, augment="affine", callbacks=[ResumeCheckpoint(sys.argv[1])]
)
clf.fit(X[:400], y[:400]).set_params(callbacks=None).save(sys.argv[2])
"""


@pytest.mark.slow
def test_a_killed_process_resumes(tmp_path):
    def process(folder):
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, tmp_path / folder, tmp_path / f"{folder}.model"],
            stdout=subprocess.DEVNULL,
        )

    assert process("whole").wait() == 0
    for delay in (0, 0.1):
        killed = process("killed")
        written = (tmp_path / "killed" / FILE).stat().st_mtime_ns if delay else 0
        while not newer(tmp_path / "killed" / FILE, written) and killed.poll() is None:
            time.sleep(0.005)
        time.sleep(delay)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    assert not (tmp_path / "killed.model").exists()
    assert process("killed").wait() == 0
    whole, resumed = (
        MNISTCNNClassifier.load(tmp_path / f"{name}.model") for name in ("whole", "killed")
    )
    assert_same_weights(whole, resumed)
    assert whole.history[:, "valid_loss"] == resumed.history[:, "valid_loss"]


def newer(path, than):
    try:
        return os.stat(path).st_mtime_ns > than
    except FileNotFoundError:
        return False


# --- many training runs in one folder -------------------------------------------------------


@contextlib.contextmanager
def counting_epochs():
    """The number of epochs that are trained within the block."""
    count, notify = [], MNISTCNNClassifier.notify

    def counting(self, method_name, **arguments):
        count.extend([1] * (method_name == "on_epoch_begin"))
        notify(self, method_name, **arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MNISTCNNClassifier, "notify", counting)
        yield count


def test_an_interrupted_search_repeats_no_finished_run(tmp_path):
    grid = {"lr": [1e-3, 1e-2], "module__dropout": [0.1, 0.5]}
    kept = ResumeCheckpoint(tmp_path / "kept", subfolders=True)

    def search(*callbacks):
        clf = classifier(None, *callbacks, max_epochs=2)
        return GridSearchCV(clf, grid, cv=2, refit=False).fit(X, Y)

    with counting_epochs() as count, pytest.MonkeyPatch.context() as patch:
        fit = MNISTCNNClassifier.fit_loop
        patch.setattr(
            MNISTCNNClassifier,
            "fit_loop",
            lambda self, *a, **k: interrupt() if len(count) == 10 else fit(self, *a, **k),
        )
        with pytest.raises(KeyboardInterrupt):
            search(kept)
    with counting_epochs() as count:
        found = search(kept)
    assert len(count) == 2 * (8 - 5)
    np.testing.assert_array_equal(
        found.cv_results_["mean_test_score"], search().cv_results_["mean_test_score"]
    )
    kept.discard()
    assert list(tmp_path.iterdir()) == []


def interrupt():
    raise KeyboardInterrupt


@pytest.mark.slow
def test_processes_share_a_folder_with_subfolders(tmp_path, capfd):
    kept = ResumeCheckpoint(tmp_path, subfolders=True)
    clf = classifier(None, kept, max_epochs=2, verbose=1)
    scores = cross_val_score(clf, X, Y, cv=4, n_jobs=2)
    assert len(list(tmp_path.iterdir())) == 4
    with counting_epochs() as count:
        again = cross_val_score(clone(clf).set_params(verbose=0), X, Y, cv=4)
    assert count == []
    np.testing.assert_array_equal(scores, again)
    assert cross_val_score(clf, X, Y, cv=4, n_jobs=2).tolist() == scores.tolist()
    assert capfd.readouterr().out == ""  # of worker processes


def test_discard_leaves_other_files(tmp_path):
    kept = ResumeCheckpoint(tmp_path, subfolders=True)
    classifier(None, kept, max_epochs=1).fit(X, Y)
    [folder] = tmp_path.iterdir()
    (folder / "mine.txt").write_text("mine")
    (tmp_path / "training-of-mine").mkdir()
    kept.discard()
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted(
        [folder.name, "mine.txt", "training-of-mine"]
    )


# --- checkpoints of earlier versions --------------------------------------------------------


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11),
    reason="functions are compared by their bytecode, and the file was written by Python 3.11",
)
@pytest.mark.parametrize("subfolders", [False, True])
def test_a_checkpoint_of_format_1_is_resumed(subfolders, tmp_path):
    """It was written after the first of three epochs, by version 0.1.0 of November 2026.

    The name of its subfolder is a hash of all that is compared.
    """
    pixels = (np.arange(90 * 36) * 37 % 256).astype(np.uint8).reshape(90, 36)
    folder = tmp_path / "training-922895995379cbc6" if subfolders else tmp_path
    folder.mkdir(exist_ok=True)
    shutil.copy(Path(__file__).parent / "data" / "checkpoint_format_1.safetensors", folder / FILE)
    lines = []
    checkpoint = ResumeCheckpoint(tmp_path, sink=lines.append, subfolders=subfolders)
    clf = MNISTCNNClassifier(
        module=BatchNormCNN, module__widths=(4,), max_epochs=3, random_state=0, verbose=1,
        lr_schedule="one_cycle", device="cpu", callbacks=[checkpoint],
    )  # fmt: skip
    clf.fit(pixels, np.arange(90) % 3)
    assert clf.n_iter_ == 3
    assert f"Resuming after epoch 1, from {tmp_path}." in lines
