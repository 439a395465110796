"""Speed, memory and accuracy of this package beside others, on full MNIST.

Run by hand, with nothing else on the machine, where MNIST is cached:

    python tests/benchmarks/speed.py

Every measurement is a process of its own; rounds of all contenders follow each other, so that a
machine that changes its pace changes it for all. The results go into ``docs/guide/benchmarks.md``,
between its markers, and the plot beside it. ``--only`` takes some contenders, to look at, and
writes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).resolve().parent


def measure(key: str, seed: int) -> dict[str, float]:
    """Train one contender in this process, and predict with it."""
    from contenders import ENTRIES, Data
    from memory import peak_since

    from skorch_mnist import fetch_mnist

    # Torch imports its compiler when it makes the first optimizer: two seconds, once in a process.
    torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])
    data = Data(*fetch_mnist(subset="train", return_X_y=True))
    X_test, y_test = fetch_mnist(subset="test", return_X_y=True)
    contender = ENTRIES[key].make(seed, data)
    with peak_since() as memory:
        start = time.perf_counter()
        contender.fit()
        fit = time.perf_counter() - start
    contender.predict(X_test[:100])
    start = time.perf_counter()
    predicted = contender.predict(X_test)
    predict = time.perf_counter() - start
    singles = []
    for row in range(200):
        start = time.perf_counter()
        contender.predict(X_test[row : row + 1])
        singles.append(time.perf_counter() - start)
    return {
        "fit": fit,
        "predict": predict,
        "single": statistics.median(singles),
        "memory": memory.bytes,
        "accuracy": float(np.mean(predicted == y_test)),
    }


def run_one(what: str, seed: int) -> dict[str, float]:
    """Measure a contender, a case of the scaling, or where the time goes."""
    if what == "profile":
        import where_time_goes

        return where_time_goes.measure()
    if "=" in what:
        import scaling

        return scaling.measure(what)
    return measure(what, seed)


def in_a_process(*arguments: str) -> dict[str, float]:
    """Run this file in a new process; return what it printed last."""
    command = [sys.executable, "-W", "ignore", str(Path(__file__).resolve()), *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(f"{' '.join(arguments)} failed:\n{run.stderr}")
    return json.loads(run.stdout.splitlines()[-1])


def rounds(keys: list[str], seeds: dict[str, int]) -> dict[str, list[dict[str, float]]]:
    """Measure each contender once a round, as often as it has seeds."""
    results: dict[str, list[dict[str, float]]] = defaultdict(list)
    for seed in range(max(seeds[key] for key in keys)):
        for key in keys:
            if seed < seeds[key]:
                results[key].append(in_a_process("--one", key, "--seed", str(seed)))
                print(json.dumps([key, seed, results[key][-1]]), flush=True)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="some contenders")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(run_one(args.one, args.seed)))
        return

    from contenders import ENTRIES
    from report import print_table, write_report
    from scaling import CASES

    keys = args.only or list(ENTRIES)
    results = rounds(keys, {key: entry.n_seeds for key, entry in ENTRIES.items()})
    print_table(results)
    if args.only:
        return
    scaling = {}
    for case in CASES:
        scaling[case] = in_a_process("--one", case)
        print(json.dumps([case, scaling[case]]), flush=True)
    profile = in_a_process("--one", "profile")
    write_report(results, scaling, profile)


if __name__ == "__main__":
    os.chdir(HERE)
    sys.path.insert(0, str(HERE))
    main()
