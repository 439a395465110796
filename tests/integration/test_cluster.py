"""Searches and cross-validation on a Dask cluster of two real worker processes."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial

import numpy as np
import pytest
import torch
from helpers import quick
from joblib import Parallel, delayed, parallel_config
from joblib.parallel import get_active_backend
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_val_score

from skorch_mnist import cli
from skorch_mnist.clusters import register_dask

psutil = pytest.importorskip("psutil")

pytestmark = pytest.mark.slow

quick = partial(quick, max_epochs=1, batch_size=64)
GRID = {"lr": [1e-3, 1e-2], "batch_size": [32, 64]}


class OnDask:
    """Two worker processes of one thread each."""

    def __init__(self, stack):
        self.distributed = pytest.importorskip("distributed", reason="Dask is not installed")
        running = self.distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
        )
        self.address = stack.enter_context(running).scheduler_address

    @contextmanager
    def connected(self):
        with self.distributed.Client(self.address) as client:
            client.wait_for_workers(2, timeout=90)
            register_dask()
            with parallel_config("skorch_mnist_dask", client=client):
                yield

    def busy_workers(self):
        """The numbers of the processes, as soon as one of them trains."""
        with self.distributed.Client(self.address) as client:
            while not any(client.processing().values()):
                time.sleep(0.05)
            return list(client.run(os.getpid).values())


@pytest.fixture(scope="module")
def cluster():
    """A cluster of two processes that train; they end with the tests."""
    before = processes()
    with ExitStack() as stack:
        yield OnDask(stack)
    deadline = time.monotonic() + 20
    while (left := processes() - before) and time.monotonic() < deadline:
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
def one_thread():
    """As workers have: sums depend on the number of threads."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


# --- in Python --------------------------------------------------------------------------------


def test_grid_search_gives_the_results_of_one_process(cluster, digits, one_thread, capfd):
    X, _, y, _ = digits
    here = GridSearchCV(quick(), GRID, cv=2).fit(X, y)
    with cluster.connected():
        there = GridSearchCV(quick(verbose=2), GRID, cv=2).fit(X, y)
    np.testing.assert_array_equal(
        there.cv_results_["mean_test_score"], here.cv_results_["mean_test_score"]
    )
    assert there.best_params_ == here.best_params_
    assert "images/s" not in capfd.readouterr().err


def test_cross_val_score_gives_the_results_of_one_process(cluster, digits, one_thread):
    X, _, y, _ = digits
    here = cross_val_score(quick(), X, y, cv=3)
    with cluster.connected():
        there = cross_val_score(quick(), X, y, cv=3)
    assert there.tolist() == here.tolist()


def test_successive_halving_of_epochs_gives_the_results_of_one_process(cluster, digits, one_thread):
    X, _, y, _ = digits

    def search():
        return HalvingGridSearchCV(
            quick(), {"lr": [1e-4, 1e-3, 1e-2]}, resource="max_epochs", min_resources=1,
            max_resources=3, factor=3, cv=2, random_state=0,
        )  # fmt: skip

    here = search().fit(X, y)
    with cluster.connected():
        there = search().fit(X, y)
    assert here.n_resources_ == there.n_resources_ == [1, 3]
    assert here.best_params_ == there.best_params_
    assert there.best_estimator_.n_iter_ == 3


def test_data_is_sent_once_for_any_number_of_candidates(cluster, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (8_000, 784), dtype=np.uint8)
    y = np.arange(len(X)) % 2
    tcp = cluster.distributed.comm.tcp.TCP
    write, sent = tcp.write, []

    async def counting(self, *args, **kwargs):
        n_bytes = await write(self, *args, **kwargs)
        sent.append(n_bytes)
        return n_bytes

    monkeypatch.setattr(tcp, "write", counting)

    def bytes_sent(n_candidates):
        sent.clear()
        grid = {"random_state": list(range(n_candidates))}
        clf = quick(batch_size=4096, module=Small, train_split=None)
        with cluster.connected():
            GridSearchCV(clf, grid, cv=2, refit=False, scoring=constant).fit(X, y)
        return sum(sent)

    few, many = bytes_sent(2), bytes_sent(8)
    # From here to the scheduler, which is in this process too, and from there to the workers.
    assert X.nbytes < few < 2.5 * X.nbytes
    assert many - few < 0.1 * X.nbytes


class Small(torch.nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.output = torch.nn.Linear(784, n_classes)

    def forward(self, x):
        return self.output(x.flatten(1))


def constant(clf, X, y):
    return 1.0


def test_workers_that_are_killed_do_not_lose_the_search(cluster, digits, one_thread):
    X, _, y, _ = digits
    grid = {"lr": [1e-3, 2e-3, 4e-3]}
    here = GridSearchCV(quick(max_epochs=2), grid, cv=2, refit=False).fit(X, y)
    killed = []

    def kill_all():
        for pid in cluster.busy_workers():
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    with cluster.connected():
        thread = threading.Thread(target=kill_all, daemon=True)
        thread.start()
        there = GridSearchCV(quick(max_epochs=2), grid, cv=2, refit=False).fit(X, y)
    thread.join(30)
    assert killed and not any(map(psutil.pid_exists, killed))
    np.testing.assert_array_equal(
        there.cv_results_["mean_test_score"], here.cv_results_["mean_test_score"]
    )


def test_a_search_within_a_cross_validation_survives_a_worker(cluster, digits, one_thread):
    X, _, y, _ = digits
    search = GridSearchCV(quick(), {"lr": [1e-3, 1e-2]}, cv=2)
    here = cross_val_score(search, X, y, cv=2)
    killed = []

    def kill_one():
        pids = cluster.busy_workers()
        with cluster.distributed.Client(cluster.address) as client:
            while len(client.who_has()) < 12:  # images, labels and rows of the searches within too
                time.sleep(0.05)
        os.kill(pids[0], signal.SIGKILL)
        killed.append(pids[0])

    with cluster.connected():
        thread = threading.Thread(target=kill_one, daemon=True)
        thread.start()
        there = cross_val_score(search, X, y, cv=2, error_score="raise")
    thread.join(30)
    assert killed
    assert there.tolist() == here.tolist()


def name_of_backend():
    return type(get_active_backend()[0]).__name__


def test_searches_within_tasks_use_the_same_backend(cluster):
    with cluster.connected():
        here = name_of_backend()
        assert Parallel()([delayed(name_of_backend)()]) == [here] == ["DaskBackend"]


class Unsendable:
    def __init__(self):
        self.lock = threading.Lock()

    def __call__(self, clf, X, y):
        return 1.0


def test_unpicklable_tasks_raise_an_error(cluster, digits):
    X, _, y, _ = digits
    with cluster.connected(), pytest.raises(TypeError, match=r"[Cc]ould not serialize|pickle"):
        GridSearchCV(quick(), GRID, cv=2, scoring=Unsendable()).fit(X, y)


def fail_or_wait(i):
    if i == 0:
        raise ValueError("this one fails")
    time.sleep(5)


def test_remaining_tasks_are_cancelled_after_an_error(cluster):
    with cluster.connected():
        with pytest.raises(ValueError, match="this one fails"):
            Parallel()(delayed(fail_or_wait)(i) for i in range(4))
        with cluster.distributed.Client(cluster.address) as client:
            deadline = time.monotonic() + 3
            while any(client.processing().values()) and time.monotonic() < deadline:
                time.sleep(0.1)
            assert not any(client.processing().values())


def test_arrays_that_change_between_two_calls_are_sent_again(cluster):
    values = np.zeros(1000)
    with cluster.connected(), Parallel() as parallel:
        assert parallel([delayed(np.sum)(values)]) == [0]
        values += 1
        assert parallel([delayed(np.sum)(values)]) == [1000]


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, BaseException])
def test_errors_of_tasks_are_raised_and_no_worker_dies(error, cluster):
    with cluster.connected():
        before = Parallel()([delayed(os.getpid)()] * 8)
        with pytest.raises(error, match="of the task"):
            Parallel()([delayed(give_up)(error)])
        assert set(Parallel()([delayed(os.getpid)()] * 8)) <= set(before)


def give_up(error):
    raise error("of the task")


def test_aborting_a_call_does_not_affect_another_call(cluster):
    values = np.arange(1000)
    with cluster.connected():
        one, other = (
            Parallel(return_as="generator", pre_dispatch="all", batch_size=1)(
                delayed(slow_sum)(values + i) for i in range(6)
            )
            for _ in range(2)
        )
        assert next(one) == values.sum()
        with pytest.warns(UserWarning, match="have been cancelled"):
            one.close()
        assert list(other) == [values.sum() + 1000 * i for i in range(6)]


def slow_sum(values):
    time.sleep(0.2)
    return values.sum()


def test_the_cluster_is_empty_and_the_dask_configuration_unchanged_afterwards(cluster, digits):
    import dask

    X, _, y, _ = digits
    before = dask.config.get("distributed.admin.large-graph-warning-threshold")
    with cluster.connected():
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda _: GridSearchCV(quick(), GRID, cv=2).fit(X, y), range(2)))
        assert dask.config.get("distributed.admin.large-graph-warning-threshold") == before
        with cluster.distributed.Client(cluster.address) as client:
            deadline = time.monotonic() + 5
            while client.who_has() and time.monotonic() < deadline:
                time.sleep(0.05)
            assert not client.who_has()


# --- on the command line ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "options"),
    [("cross-validate", []), ("search", ["--grid", "lr=0.001,0.01"])],
)
def test_commands_give_the_results_of_one_process(
    command, options, cluster, few_digits, one_thread, capsys
):
    quick = [command, "--dataset", "digits", "--max-epochs", "1", "--folds", "2", "--json"]
    found = []
    there = ["--backend", "dask", "--address", cluster.address]
    capsys.readouterr()
    for folder, where in (("a", []), ("b", there)):
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


def test_tasks_that_kill_every_worker_raise_an_error(cluster):
    """The last one: killed workers may take long to start again."""
    with cluster.connected(), pytest.raises(Exception, match="died"):
        Parallel()(delayed(os._exit)(9) for _ in range(2))
