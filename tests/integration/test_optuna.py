"""The example of a search with Optuna: a study in a real database, that processes share."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from skorch_mnist import MNISTCNNClassifier

optuna = pytest.importorskip("optuna", reason="Optuna is not installed")
integration = pytest.importorskip("optuna_integration")

pytestmark = pytest.mark.slow
EXAMPLE = Path(__file__).parents[2] / "docs" / "guide" / "search_with_optuna.py"
N_TRIALS = 5


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """The URL of a new database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/study.db"
        return
    with PostgreSQL() as server:
        yield server.url


class PostgreSQL:
    """A server of its own on loopback, with an empty database."""

    def __enter__(self):
        pytest.importorskip("psycopg")
        debians = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
        folders = [*debians, Path(shutil.which("initdb") or "").parent]
        programs = [folder for folder in folders if (folder / "initdb").exists()]
        if not programs:
            pytest.skip("PostgreSQL is not installed")
        # It refuses to run as root, and wants a folder of its own.
        self.user = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}
        made = subprocess.run(
            ["mktemp", "-d"], **self.user, check=True, capture_output=True, text=True
        )
        self.folder = made.stdout.strip()
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **self.user}
        data = ["-D", f"{self.folder}/data"]
        initdb = [programs[0] / "initdb", *data, "-A", "trust", "-U", "tester"]
        subprocess.run(initdb, check=True, **quiet)
        options = ["-p", str(port), "-k", self.folder, "-h", "127.0.0.1"]
        self.process = subprocess.Popen([programs[0] / "postgres", *data, *options], **quiet)
        ready = [programs[0] / "pg_isready", "-h", "127.0.0.1", "-p", str(port)]
        deadline = time.monotonic() + 30
        while subprocess.run(ready, **quiet).returncode:
            assert time.monotonic() < deadline and self.process.poll() is None
            time.sleep(0.1)
        self.url = f"postgresql+psycopg://tester@127.0.0.1:{port}/postgres"
        return self

    def __exit__(self, *error):
        self.process.send_signal(signal.SIGINT)  # a fast shutdown
        self.process.wait(20)
        shutil.rmtree(self.folder)


def start(url):
    options = ["--storage", url, "--trials", str(N_TRIALS), "--max-epochs", "1", "--heartbeat", "1"]
    return subprocess.Popen(
        [sys.executable, str(EXAMPLE), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def trials(url, *states):
    storage = optuna.storages.RDBStorage(url)
    try:
        found = optuna.load_study(study_name="digits", storage=storage).get_trials()
    except KeyError:  # no study yet
        return []
    finally:
        storage.remove_session()
        storage.engine.dispose()
    return [trial for trial in found if not states or trial.state in states]


def test_a_study_outlives_a_killed_process_and_is_shared_by_others(url):
    running, complete, pruned, failed = (
        getattr(optuna.trial.TrialState, name) for name in ("RUNNING", "COMPLETE", "PRUNED", "FAIL")
    )
    first = start(url)
    deadline = time.monotonic() + 60
    while not (trials(url, complete, pruned) and trials(url, running)):
        assert time.monotonic() < deadline and first.poll() is None
        time.sleep(0.1)
    first.kill()
    first.communicate()
    [cut_off] = trials(url, running)

    others = [start(url), start(url)]
    for process in others:
        out, err = process.communicate(timeout=100)
        assert process.returncode == 0, err[-2000:]
        assert re.search(r"Trial \d+ (finished|pruned)", err)
        assert re.match(r"0\.\d{4} with \{", out)
    done = trials(url, complete, pruned)
    assert N_TRIALS <= len(done) <= N_TRIALS + 1  # the second may be at work at the end
    assert trials(url, failed)[0].number == cut_off.number
    again = [trial for trial in trials(url) if trial.system_attrs.get("failed_trial") is not None]
    assert 1 <= len(again) <= len(others)  # both may find it at once
    for trial in again:
        assert trial.system_attrs["failed_trial"] == cut_off.number
        assert cut_off.params.items() <= trial.params.items()  # it may have had no time for all


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_processes_may_find_a_new_database_at_once(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLE.parent)
    open_storage = importlib.import_module("search_with_optuna").open_storage
    with ThreadPoolExecutor(4) as threads:
        for storage in threads.map(open_storage, [f"sqlite:///{tmp_path}/study.db"] * 4, [60] * 4):
            storage.engine.dispose()


def test_a_trial_is_pruned_after_an_epoch(digits):
    X, _, y, _ = digits
    fitted = []

    def objective(trial):
        pruning = integration.SkorchPruningCallback(trial, "valid_acc")
        clf = MNISTCNNClassifier(
            lr=trial.suggest_float("lr", 1e-4, 1e-2), callbacks=[pruning], random_state=0, verbose=0
        )
        fitted.append(clf)
        clf.fit(X, y)

    study = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(lower=1.1))
    study.optimize(objective, n_trials=1)
    [trial] = study.trials
    assert trial.state == optuna.trial.TrialState.PRUNED
    assert list(trial.intermediate_values) == [0]
    assert not fitted[0].__sklearn_is_fitted__()
