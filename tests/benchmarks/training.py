"""Training on full MNIST: the tutorial's recipe, MLPClassifier and the defaults, side by side.

Run by hand, with nothing else on the machine, where MNIST is cached:

    python tests/benchmarks/training.py --seeds 3

Each round trains the recipe (stock skorch on torchvision's data set), then the defaults, with the
same number of epochs. Results go to docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import platform
import time

import numpy as np
import skorch
import torch
import torchvision
from sklearn.neural_network import MLPClassifier
from skorch import NeuralNetClassifier
from torch import nn

from skorch_mnist import MNISTCNNClassifier, fetch_mnist
from skorch_mnist.datasets._cache import data_home


class TutorialNet(nn.Module):
    """The tutorial's network, with plain dropout throughout."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5, padding=2)
        self.conv2 = nn.Conv2d(16, 32, 5, padding=2)
        self.channel_dropout = nn.Dropout(0.4)
        self.fc1 = nn.Linear(1568, 50)
        self.dropout = nn.Dropout(0.2)
        self.fc2 = nn.Linear(50, 10)

    def forward(self, x):
        x = torch.relu(nn.functional.max_pool2d(self.conv1(x), 2))
        x = torch.relu(nn.functional.max_pool2d(self.conv2(x), 2))
        x = self.channel_dropout(x.flatten(1))
        x = self.dropout(torch.relu(self.fc1(x)))
        return self.fc2(x)


def recipe(seed: int, epochs: int, workers: int) -> tuple[float, float]:
    """Seconds of ``fit``, and accuracy on the test set."""
    torch.manual_seed(seed)
    to_tensor = torchvision.transforms.ToTensor()
    root = data_home()
    train = torchvision.datasets.MNIST(root, train=True, transform=to_tensor, download=True)
    test = torchvision.datasets.MNIST(root, train=False, transform=to_tensor, download=True)
    net = NeuralNetClassifier(
        TutorialNet,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=64,
        max_epochs=epochs,
        iterator_train__num_workers=workers,
        iterator_valid__num_workers=workers,
        verbose=0,
    )
    start = time.perf_counter()
    net.fit(train, y=train.targets)
    seconds = time.perf_counter() - start
    return seconds, float(np.mean(net.predict(test) == test.targets.numpy()))


def defaults(seed: int, epochs: int, **params: object) -> tuple[float, float]:
    """Seconds of ``fit``, and accuracy on the test set."""
    X_train, y_train = fetch_mnist(subset="train", return_X_y=True)
    X_test, y_test = fetch_mnist(subset="test", return_X_y=True)
    clf = MNISTCNNClassifier(max_epochs=epochs, random_state=seed, verbose=0, **params)
    start = time.perf_counter()
    clf.fit(X_train, y_train)
    return time.perf_counter() - start, float(clf.score(X_test, y_test))


def mlp(seed: int) -> tuple[float, float]:
    """MLPClassifier with its defaults, on pixels in 0..1."""
    X_train, y_train = fetch_mnist(subset="train", return_X_y=True)
    X_test, y_test = fetch_mnist(subset="test", return_X_y=True)
    clf = MLPClassifier(random_state=seed, early_stopping=True)
    start = time.perf_counter()
    clf.fit(X_train / 255, y_train)
    return time.perf_counter() - start, float(clf.score(X_test / 255, y_test))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 4])
    args = parser.parse_args()
    print(
        f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, skorch {skorch.__version__}"
    )
    for seed in range(args.seeds):
        for workers in args.workers:
            seconds, accuracy = recipe(seed, args.epochs, workers)
            print(
                f"seed {seed}  recipe, {workers} workers  {seconds:6.1f} s  {accuracy:.4f}",
                flush=True,
            )
        seconds, accuracy = defaults(seed, args.epochs)
        print(f"seed {seed}  defaults           {seconds:6.1f} s  {accuracy:.4f}", flush=True)
        seconds, accuracy = mlp(seed)
        print(f"seed {seed}  MLPClassifier      {seconds:6.1f} s  {accuracy:.4f}", flush=True)


if __name__ == "__main__":
    main()
