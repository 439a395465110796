"""What processes that train one network together find; started by test_torchrun.py.

Each process writes the answers of all trials as JSON into a file named after its rank.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from skorch.callbacks import Callback, Freezer
from skorch.dataset import ValidSplit
from torch.utils.data import Dataset, IterableDataset

from skorch_mnist import MNISTCNNClassifier, load_digits28
from skorch_mnist.checkpoint import ResumeCheckpoint
from skorch_mnist.network import BatchNormCNN

RANK, N_PROCESSES = (int(os.environ.get(name, n)) for name, n in (("RANK", 0), ("WORLD_SIZE", 1)))
X, y = load_digits28(return_X_y=True)
X_test, y_test, X, y = X[1001:], y[1001:], X[:1001], y[:1001]
PLAIN = {"module__channel_dropout": 0.0, "module__dropout": 0.0, "optimizer": torch.optim.SGD}


def classifier(**params):
    # With accelerator, one process is a training of several with one share.
    defaults = {"max_epochs": 2, "random_state": 0, "verbose": 0, "accelerator": "auto"}
    return MNISTCNNClassifier(**{**defaults, **params})


def described(clf):
    """Weights as numbers, history without times, and predictions."""
    weights = torch.cat(
        [p.detach().reshape(-1).double() for p in clf.module_.state_dict().values()]
    )
    kept = ("train_loss", "valid_loss", "valid_acc")
    return {
        "weights": [float(weights.sum()), float(weights.abs().sum()), weights[::997].tolist()],
        "history": [[epoch.get(name) for name in kept] for epoch in clf.history_],
        "score": float(clf.score(X_test, y_test)),
    }


class Lazy(Dataset):
    """Images that are read one by one; it counts them."""

    n_read = 0

    def __len__(self):
        return 200

    def __getitem__(self, number):
        Lazy.n_read += 1
        return X[number].reshape(28, 28), int(y[number])


class Crash(Callback):
    _armed = False

    def on_epoch_end(self, net, **kwargs):
        if Crash._armed and len(net.history) == 2:
            raise RuntimeError("cut off")


class Predicting(Callback):
    """Predicts in the first process alone, as callbacks that log do."""

    def on_epoch_end(self, net, **kwargs):
        if RANK == 0:
            net.predict(X_test[:5])


def gradients():
    """Plain descent without dropout: weights follow the gradients of whole batches."""
    return described(classifier(**PLAIN, lr=0.01).fit(X, y))


def weighted_gradients():
    weight = np.random.default_rng(0).uniform(0, 2, len(y))
    params = {**PLAIN, "lr": 0.01, "class_weight": {3: 5.0}, "criterion__label_smoothing": 0.1}
    return described(classifier(**params).fit(X, y, sample_weight=weight))


def single_image_left():
    """129 images in batches of 64: the last has one, and the second process none."""
    params = {**PLAIN, "lr": 0.01, "train_split": None}
    return described(classifier(**params).fit(X[:129], y[:129]))


def workers():
    return described(classifier(**PLAIN, lr=0.01, iterator_train__num_workers=1).fit(X, y))


class Stream(IterableDataset):
    """Images that come one after the other."""

    def __iter__(self):
        return zip(X[:300].reshape(-1, 28, 28), y[:300].tolist(), strict=True)


def streamed():
    return described(classifier(**PLAIN, lr=0.01).fit(Stream()))


def watched():
    """A callback that watches each batch."""

    class Watching(Callback):
        def on_batch_end(self, net, **kwargs):
            pass

    return described(classifier(**PLAIN, lr=0.01, callbacks=[Watching()]).fit(X, y))


def defaults():
    return described(classifier(max_epochs=8).fit(X, y))


def augmented_without_seed():
    params = {"augment": "affine", "early_stopping": True, "random_state": None, "max_epochs": 3}
    return described(classifier(**params, callbacks=[Predicting()]).fit(X, y))


def batch_norm():
    return described(classifier(module=BatchNormCNN, max_epochs=1).fit(X[:200], y[:200]))


def frozen():
    callbacks = [Freezer("*conv1*")]
    clf = classifier(module=Named, callbacks=callbacks, train_split=None).fit(X[:300], y[:300])
    return described(clf)


class Named(torch.nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.conv1 = torch.nn.Linear(784, 20)
        self.output = torch.nn.Linear(20, n_classes)

    def forward(self, x):
        return self.output(torch.relu(self.conv1(x.flatten(1))))


def lazily():
    params = {**PLAIN, "lr": 0.01, "train_split": None, "batch_size": 20, "max_epochs": 1}
    clf = classifier(**params)
    Lazy.n_read = 0
    clf.fit(Lazy())
    return {**described(clf), "read": Lazy.n_read}


def more_of_it():
    """partial_fit, and a warm start."""
    clf = classifier(warm_start=True, max_epochs=1)
    clf.partial_fit(X[:300], y[:300], classes=np.unique(y)).partial_fit(X[300:600], y[300:600])
    return described(clf.fit(X, y))


def resumed():
    def training(folder):
        callbacks = [ResumeCheckpoint(FOLDER / f"{folder}-{N_PROCESSES}"), Crash()]
        return classifier(max_epochs=4, callbacks=callbacks)

    whole = training("whole").fit(X, y)
    Crash._armed = True
    with contextlib.suppress(RuntimeError):
        training("resumed").fit(X, y)
    Crash._armed = False
    clf = training("resumed").fit(X, y)
    return {"whole": described(whole), "resumed": described(clf)}


def saved():
    """Which files this process opens to write."""
    opened = []

    def watch(event, arguments):
        if event == "os.rename":
            opened.append(Path(arguments[1]).name)

    clf = classifier(max_epochs=1).fit(X[:300], y[:300])
    sys.addaudithook(watch)
    clf.save(FOLDER / f"model-{N_PROCESSES}.safetensors")
    clf.to_onnx(FOLDER / f"model-{N_PROCESSES}.onnx")
    return {"renamed": opened, "accelerator": clf.accelerator, **described(clf)}


def unseeded_split():
    try:
        classifier(train_split=ValidSplit(0.2, stratified=True, random_state=RANK)).fit(X, y)
    except ValueError as error:
        return str(error)


class StopsTheSecond(Callback):
    def on_epoch_end(self, net, **kwargs):
        if RANK == N_PROCESSES - 1:
            raise KeyboardInterrupt


def stopped_by_one():
    callbacks = [("stop", StopsTheSecond())]
    return described(classifier(max_epochs=5, callbacks=callbacks).fit(X[:300], y[:300]))


def locked_folder():
    """The folder cannot be made: the first process alone finds that out."""
    (FOLDER / "file").touch()
    try:
        classifier(callbacks=[ResumeCheckpoint(FOLDER / "file" / "x")]).fit(X[:300], y[:300])
    except OSError as error:
        return type(error).__name__


def own_accelerator():
    accelerator = Accelerator(cpu=True)
    clf = classifier(accelerator=accelerator, max_epochs=1).fit(X[:300], y[:300])
    return {"kept": len(accelerator._models), **described(clf)}


def other_images():
    try:
        classifier().fit(X[: 300 + RANK], y[: 300 + RANK])
    except ValueError as error:
        return str(error)


TRIALS = [
    gradients, weighted_gradients, single_image_left, workers, streamed, watched, defaults,
    augmented_without_seed, batch_norm, frozen, lazily, more_of_it, resumed, saved, own_accelerator,
    other_images, unseeded_split, stopped_by_one, locked_folder,
]  # fmt: skip

if __name__ == "__main__":
    FOLDER = Path(sys.argv[1])
    torch.set_num_threads(1)
    answers = {trial.__name__: trial() for trial in TRIALS}
    (FOLDER / f"{N_PROCESSES}-{RANK}.json").write_text(json.dumps(answers))
    if N_PROCESSES > 1:
        torch.distributed.destroy_process_group()
