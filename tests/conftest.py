"""Fixtures that several test modules share."""

from __future__ import annotations

import functools
import os
import signal
import sys
from pathlib import Path

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in what a shell starts with &
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: small networks gain nothing from more

import pytest
from matplotlib.figure import Figure
from misbehaving_mirror import running_mirror
from sklearn.model_selection import train_test_split

from skorch_mnist import MNISTCNNClassifier, fetch_mnist, load_digits28
from skorch_mnist.cli import named_data, plots
from skorch_mnist.cli.images import Images
from skorch_mnist.datasets import DatasetError

bundled_digits = functools.cache(named_data.bundled_digits)


@pytest.fixture(autouse=True)
def figures_closed():
    """No figures stay open: matplotlib warns when there are many."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(scope="session")
def digits():
    """X_train, X_test, y_train, y_test of the bundled digits, rows of uint8."""
    X, y = load_digits28(return_X_y=True)
    return train_test_split(X, y, train_size=600, stratify=y, random_state=0)


@pytest.fixture(scope="session")
def fitted(digits):
    """A fitted classifier; tests must not change it."""
    X_train, _, y_train, _ = digits
    return MNISTCNNClassifier(max_epochs=3, random_state=0, verbose=0).fit(X_train, y_train)


@pytest.fixture(scope="session")
def mnist():
    """X_train, X_test, y_train, y_test of MNIST, rows of uint8."""
    try:
        X_train, y_train = fetch_mnist(return_X_y=True, download_if_missing=False)
        X_test, y_test = fetch_mnist(subset="test", return_X_y=True, download_if_missing=False)
    except DatasetError as error:
        home = os.environ.get("SKORCH_MNIST_HOME")
        if home and any(Path(home, "MNIST", "raw").glob("*")):  # it is damaged or incomplete
            raise
        pytest.skip(f"MNIST is not cached: {error}")
    return X_train, X_test, y_train, y_test


@pytest.fixture
def mirror(monkeypatch):
    """A mirror on loopback that misbehaves as it is asked to."""
    monkeypatch.setenv("NO_PROXY", "*")
    with running_mirror() as server:
        yield server


@pytest.fixture
def few_digits(tmp_path, monkeypatch):
    """No MNIST cached, no network, an empty working folder, and few digits for the command line."""
    whole = bundled_digits()
    few = whole._replace(
        train=Images(whole.train.X[:120], whole.train.y[:120]),
        test=Images(whole.test.X[:60], whole.test.y[:60]),
    )
    monkeypatch.setattr(named_data, "bundled_digits", lambda: few)
    monkeypatch.setattr(plots, "new_figure", lambda *size: Figure(size))  # quicker without a layout
    monkeypatch.setattr(plots, "MOST_MISTAKES", 4)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKORCH_MNIST_HOME", str(tmp_path / "home"))
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    return few
