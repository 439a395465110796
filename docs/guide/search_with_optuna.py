"""Search for parameters with Optuna, in as many processes and on as many machines as you like.

All processes with the same storage and study share one search, until at least ``--trials`` trials
are done. A trial that is worse than the median of the others stops after an epoch. If a process
dies, another process starts its trial again.
"""

from __future__ import annotations

import argparse
import random
import time

import optuna
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.study import MaxTrialsCallback
from optuna.trial import TrialState
from optuna_integration import SkorchPruningCallback
from sqlalchemy.exc import SQLAlchemyError

from skorch_mnist import MNISTCNNClassifier, fetch_mnist, load_digits28


def open_storage(url: str, heartbeat: int) -> RDBStorage:
    """Return a database that records which trials are running.

    If several processes find a new database at once, one creates the tables. The others try again,
    each after a different time.
    """
    options = {
        "heartbeat_interval": heartbeat,
        "grace_period": 2 * heartbeat,
        "heartbeat_stale_trial_callback": RetryHeartbeatStaleTrialCallback(max_retry=3),
    }
    for seconds in (1, 2, 4):
        try:
            return RDBStorage(url, **options)
        except SQLAlchemyError:
            time.sleep(seconds * random.uniform(0.5, 1.5))
    return RDBStorage(url, **options)


def main() -> None:
    """Run trials of a study, and print the best one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--storage", default="sqlite:///optuna.db", help="URL of a database")
    parser.add_argument("--study", default="digits")
    parser.add_argument("--trials", type=int, default=20, help="of all processes together")
    parser.add_argument("--max-epochs", type=int, default=10)
    parser.add_argument("--heartbeat", type=int, default=60, help="seconds between heartbeats")
    parser.add_argument("--dataset", choices=["digits", "mnist"], default="digits")
    args = parser.parse_args()

    fetch = {"digits": load_digits28, "mnist": fetch_mnist}[args.dataset]
    X, y = fetch(return_X_y=True)

    def objective(trial: optuna.Trial) -> float:
        clf = MNISTCNNClassifier(
            lr=trial.suggest_float("lr", 1e-4, 3e-2, log=True),
            batch_size=trial.suggest_categorical("batch_size", [32, 64, 128]),
            module__dropout=trial.suggest_float("module__dropout", 0.0, 0.5),
            max_epochs=args.max_epochs,
            random_state=0,
            verbose=0,
            callbacks=[("pruning", SkorchPruningCallback(trial, "valid_acc"))],
        )
        clf.fit(X, y)
        return clf.history_[-1, "valid_acc"]

    study = optuna.create_study(
        study_name=args.study,
        storage=open_storage(args.storage, args.heartbeat),
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
        load_if_exists=True,
    )
    done = (TrialState.COMPLETE, TrialState.PRUNED)
    if len(study.get_trials(states=done)) < args.trials:
        study.optimize(objective, callbacks=[MaxTrialsCallback(args.trials, states=done)])

    print(f"{study.best_value:.4f} with {study.best_params}")


if __name__ == "__main__":
    main()
