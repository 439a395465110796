"""What the speed benchmark compares: each contender trains on MNIST, and predicts.

A contender is a function of a seed and the arrays of MNIST that returns a ``fit`` without arguments
and a ``predict`` of rows of uint8; what it does before ``fit`` is not measured.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
import torchvision
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC
from skorch import NeuralNetClassifier
from torch import nn

from skorch_mnist import MNISTCNN, MNISTCNNClassifier
from skorch_mnist.datasets._cache import data_home
from skorch_mnist.recipes import ACCURATE, FAST, ROBUST

EPOCHS = 10


class Data(NamedTuple):
    """Rows of uint8, and digits."""

    X_train: np.ndarray
    y_train: np.ndarray


class Contender(NamedTuple):
    """A training run to measure, and the prediction after it."""

    fit: Callable[[], object]
    predict: Callable[[np.ndarray], np.ndarray]


class TutorialNet(nn.Module):
    """The tutorial's network in torch's own layers, with plain dropout throughout."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5, padding=2)
        self.conv2 = nn.Conv2d(16, 32, 5, padding=2)
        self.channel_dropout = nn.Dropout(0.4)
        self.fc1 = nn.Linear(1568, 50)
        self.dropout = nn.Dropout(0.2)
        self.fc2 = nn.Linear(50, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(nn.functional.max_pool2d(self.conv1(x), 2))
        x = torch.relu(nn.functional.max_pool2d(self.conv2(x), 2))
        x = self.channel_dropout(x.flatten(1))
        x = self.dropout(torch.relu(self.fc1(x)))
        return self.fc2(x)


def device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


# --- this package ---------------------------------------------------------------------------


def ours(seed: int, data: Data, **params: Any) -> Contender:
    clf = MNISTCNNClassifier(random_state=seed, verbose=0).set_params(**params)
    return Contender(lambda: clf.fit(*data), clf.predict)


def fast(seed: int, data: Data) -> Contender:
    return ours(seed, data, **FAST)


def accurate(seed: int, data: Data) -> Contender:
    return ours(seed, data, **ACCURATE)


def robust(seed: int, data: Data) -> Contender:
    return ours(seed, data, **ROBUST)


# --- stock skorch ---------------------------------------------------------------------------


def stock(seed: int, **params: Any) -> NeuralNetClassifier:
    torch.manual_seed(seed)
    return NeuralNetClassifier(
        TutorialNet,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=64,
        max_epochs=EPOCHS,
        device=device(),
        verbose=0,
        **params,
    )


def as_images(X: np.ndarray) -> np.ndarray:
    return X.reshape(-1, 1, 28, 28).astype(np.float32) / 255


def recipe(seed: int, data: Data, workers: int) -> Contender:
    """The unchanged tutorial: the torchvision dataset, read image by image."""
    dataset = torchvision.datasets.MNIST(
        data_home(), train=True, transform=torchvision.transforms.ToTensor(), download=True
    )
    net = stock(seed, iterator_train__num_workers=workers, iterator_valid__num_workers=0)
    return Contender(
        lambda: net.fit(dataset, y=dataset.targets), lambda X: net.predict(as_images(X))
    )


def recipe_without_workers(seed: int, data: Data) -> Contender:
    return recipe(seed, data, workers=0)


def recipe_with_workers(seed: int, data: Data) -> Contender:
    return recipe(seed, data, workers=4)


def stock_on_arrays(seed: int, data: Data) -> Contender:
    net = stock(seed)
    return Contender(
        lambda: net.fit(as_images(data.X_train), data.y_train), lambda X: net.predict(as_images(X))
    )


# --- bare loops -----------------------------------------------------------------------------


def bare_loop(seed: int, data: Data, network: Callable[[], nn.Module] = MNISTCNN) -> Contender:
    """The work of the defaults, written out: the limit for any library around this network."""
    torch.manual_seed(seed)
    on = torch.device(device())
    net = network().to(on, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)
    cross_entropy = nn.functional.cross_entropy
    images = torch.from_numpy(data.X_train.reshape(-1, 1, 28, 28)).to(on)
    labels = torch.from_numpy(data.y_train).to(on)
    mean, std = data.X_train.mean(), data.X_train.std()

    def scaled(pixels: torch.Tensor) -> torch.Tensor:
        return pixels.float().sub_(mean).div_(std)

    def fit() -> None:
        order = torch.randperm(len(images), device=on)
        train, valid = order[12_000:], order[:12_000]
        for _ in range(EPOCHS):
            net.train()
            shuffled = train[torch.randperm(len(train), device=on)]
            total = 0.0
            for rows in shuffled.split(64):
                optimizer.zero_grad()
                loss = cross_entropy(net(scaled(images[rows])), labels[rows])
                loss.backward()
                optimizer.step()
                total += loss.detach() * len(rows)
            net.eval()
            valid_loss, n_right = 0.0, 0
            with torch.no_grad():
                for rows in valid.split(128):
                    logits = net(scaled(images[rows])).float()
                    valid_loss += cross_entropy(logits, labels[rows], reduction="sum")
                    n_right += (logits.argmax(1) == labels[rows]).sum()
            float(total), float(valid_loss), int(n_right)

    def predict(X: np.ndarray) -> np.ndarray:
        pixels = torch.from_numpy(X.reshape(-1, 1, 28, 28))
        with torch.no_grad():
            parts = [net(scaled(part.to(on))).softmax(1).cpu() for part in pixels.split(128)]
        return torch.cat(parts).argmax(1).numpy()

    return Contender(fit, predict)


def bare_loop_of_torch_layers(seed: int, data: Data) -> Contender:
    return bare_loop(seed, data, TutorialNet)


# --- scikit-learn ---------------------------------------------------------------------------


def scikit_learn(estimator: Any, data: Data) -> Contender:
    pipeline = make_pipeline(FunctionTransformer(lambda X: X / np.float32(255)), estimator)
    return Contender(lambda: pipeline.fit(*data), pipeline.predict)


def mlp(seed: int, data: Data) -> Contender:
    return scikit_learn(MLPClassifier(random_state=seed, early_stopping=True), data)


def svc(seed: int, data: Data) -> Contender:
    return scikit_learn(SVC(C=10, cache_size=2000), data)


def boosted_trees(seed: int, data: Data) -> Contender:
    return scikit_learn(HistGradientBoostingClassifier(random_state=seed), data)


class Entry(NamedTuple):
    """A line of the table: what it is called, how it is made, and with how many seeds."""

    name: str
    make: Callable[[int, Data], Contender]
    n_seeds: int


ENTRIES = {
    "recipe-4": Entry("tutorial's recipe, 4 workers", recipe_with_workers, 1),
    "recipe-0": Entry("tutorial's recipe, no workers", recipe_without_workers, 2),
    "defaults": Entry("`MNISTCNNClassifier()`", ours, 3),
    "bare": Entry("bare PyTorch loop, `MNISTCNN`", bare_loop, 3),
    "bare-torch": Entry("bare PyTorch loop, PyTorch layers", bare_loop_of_torch_layers, 1),
    "fast": Entry("`MNISTCNNClassifier(**FAST)`", fast, 10),
    "stock-arrays": Entry("stock skorch on arrays", stock_on_arrays, 1),
    "mlp": Entry("`MLPClassifier(early_stopping=True)`", mlp, 3),
    "svc": Entry("`SVC(C=10)`, RBF kernel", svc, 1),
    "trees": Entry("`HistGradientBoostingClassifier()`", boosted_trees, 1),
    "accurate": Entry("`MNISTCNNClassifier(**ACCURATE)`", accurate, 3),
    "robust": Entry("`MNISTCNNClassifier(**ROBUST)`", robust, 3),
}
