"""Trainings on the worker processes of a real cluster."""

from __future__ import annotations

import json
import os
import signal
import threading
import time

import numpy as np
import pytest
import torch
from joblib import parallel_config
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_val_score

from skorch_mnist import MNISTCNNClassifier, cli
from skorch_mnist.cli import _folds

distributed = pytest.importorskip("distributed", reason="Dask is not installed")
psutil = pytest.importorskip("psutil")

GRID = {"lr": [1e-3, 1e-2], "batch_size": [32, 64]}


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes of one thread each, and a scheduler; they go when the tests end."""
    before = processes()
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as running:
        yield running
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not (left := processes() - before):
            break
        time.sleep(0.2)
    assert not left


def processes():
    """The processes that this one has started, but for those of Python's that end with it."""
    found = set()
    for child in psutil.Process().children(recursive=True):
        try:
            line = " ".join(child.cmdline())
        except psutil.NoSuchProcess:
            continue
        if "resource_tracker" not in line and "forkserver" not in line:
            found.add(child.pid)
    return found


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster) as connected:
        connected.wait_for_workers(2, timeout=30)
        yield connected


@pytest.fixture
def one_thread():
    """As workers have: sums depend on the number of threads."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def quick(**params):
    return MNISTCNNClassifier(**{"max_epochs": 1, "random_state": 0, "verbose": 0, **params})


# --- in Python --------------------------------------------------------------------------------


def test_grid_search_gives_what_one_process_gives(client, digits, one_thread, capfd):
    X, _, y, _ = digits
    here = GridSearchCV(quick(), GRID, cv=2).fit(X, y)
    with parallel_config("dask", client=client):
        there = GridSearchCV(quick(verbose=2), GRID, cv=2).fit(X, y)
    np.testing.assert_array_equal(
        there.cv_results_["mean_test_score"], here.cv_results_["mean_test_score"]
    )
    assert there.best_params_ == here.best_params_
    assert "images/s" not in capfd.readouterr().err


def test_cross_val_score_gives_what_one_process_gives(client, digits, one_thread):
    X, _, y, _ = digits
    here = cross_val_score(quick(), X, y, cv=3)
    with parallel_config("dask", client=client):
        there = cross_val_score(quick(), X, y, cv=3)
    assert there.tolist() == here.tolist()


def test_successive_halving_of_epochs_gives_what_one_process_gives(client, digits, one_thread):
    X, _, y, _ = digits

    def search():
        return HalvingGridSearchCV(
            quick(), {"lr": [1e-4, 1e-3, 1e-2]}, resource="max_epochs", min_resources=1,
            max_resources=3, factor=3, cv=2, random_state=0,
        )  # fmt: skip

    here = search().fit(X, y)
    with parallel_config("dask", client=client):
        there = search().fit(X, y)
    assert here.n_resources_ == there.n_resources_ == [1, 3]
    assert here.best_params_ == there.best_params_
    assert there.best_estimator_.n_iter_ == 3


def test_data_are_sent_once_however_many_candidates_there_are(client):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (20_000, 784), dtype=np.uint8)
    y = np.arange(len(X)) % 2

    def bytes_sent(n_candidates):
        before = psutil.net_io_counters(pernic=True)["lo"].bytes_sent
        grid = {"random_state": list(range(n_candidates))}
        clf = quick(batch_size=4096, module=Small, train_split=None)
        with parallel_config("dask", client=client):
            GridSearchCV(clf, grid, cv=2, refit=False, scoring=constant).fit(X, y)
        return psutil.net_io_counters(pernic=True)["lo"].bytes_sent - before

    bytes_sent(1)
    few, many = bytes_sent(2), bytes_sent(8)
    assert many - few < 0.5 * X.nbytes
    assert many < 4 * X.nbytes  # to the scheduler or a worker, and to the other worker


class Small(torch.nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.output = torch.nn.Linear(784, n_classes)

    def forward(self, x):
        return self.output(x.flatten(1))


def constant(clf, X, y):
    return 1.0


def test_a_worker_that_is_killed_does_not_lose_the_search(client, digits, one_thread):
    X, _, y, _ = digits
    grid = {"lr": [1e-3, 2e-3, 4e-3]}
    here = GridSearchCV(quick(max_epochs=4), grid, cv=2, refit=False).fit(X, y)
    searching, killed = threading.Event(), []
    pid = next(iter(client.run(os.getpid).values()))

    def kill_one():
        searching.wait()
        while not any(client.processing().values()):
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        killed.append(searching.is_set())

    thread = threading.Thread(target=kill_one)
    thread.start()
    with parallel_config("dask", client=client):
        searching.set()
        there = GridSearchCV(quick(max_epochs=4), grid, cv=2, refit=False).fit(X, y)
        searching.clear()
    thread.join()
    assert killed == [True]
    np.testing.assert_array_equal(
        there.cv_results_["mean_test_score"], here.cv_results_["mean_test_score"]
    )


# --- on the command line ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "options"),
    [("cross-validate", []), ("search", ["--grid", "lr=0.001,0.01"])],
)
def test_commands_give_what_one_process_gives(
    command, options, cluster, client, few_digits, one_thread, capsys
):
    quick = [command, "--dataset", "digits", "--max-epochs", "1", "--folds", "2", "--json"]
    found = []
    address = cluster.scheduler_address
    for folder, where in (("a", []), ("b", ["--backend", "dask", "--address", address])):
        assert cli.main([*quick, *options, "--output-dir", folder, *where]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        found.append(json.loads(out))
    if command == "cross-validate":
        here, there = ([fold["accuracy"] for fold in one["folds"]] for one in found)
    else:
        here, there = (one["confusion_matrix"] for one in found)
    assert here == there
    assert not os.path.exists("b/checkpoint")


def test_a_cluster_that_does_not_answer_is_an_error(few_digits, capsys, monkeypatch):
    monkeypatch.setattr(_folds, "PATIENCE", 0.5)
    options = ["--dataset", "digits", "--backend", "dask", "--address", "tcp://127.0.0.1:9"]
    assert cli.main(["cross-validate", *options]) == 1
    assert "the cluster at tcp://127.0.0.1:9 does not answer" in capsys.readouterr().err


def test_without_dask_the_error_says_how_to_install_it(few_digits, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    options = ["--dataset", "digits", "--backend", "dask", "--address", "tcp://127.0.0.1:9"]
    assert cli.main(["cross-validate", *options]) == 1
    assert 'pip install "skorch_mnist[dask]"' in capsys.readouterr().err


def test_resume_goes_with_processes_of_this_machine(few_digits, capsys):
    options = ["--backend", "dask", "--address", "tcp://127.0.0.1:9", "--resume"]
    assert cli.main(["cross-validate", *options]) == 2
    assert "--resume goes with --backend loky" in capsys.readouterr().err
