"""Feed mutated model files to ``load``: it must raise our error or be correct, and run no code.

Half of the files are damaged byte by byte. The other half are forged: their manifest or tensors
are changed, and then sealed with a hash that fits, as somebody would who means harm. An audit hook
fails the run if a load opens a file for writing, starts a process, opens a socket, compiles or
imports code. Run by hand: ``python tests/benchmarks/fuzz_model_file.py --files 100000``.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from fuzz_idx import mutate

from skorch_mnist import MNISTCNNClassifier
from skorch_mnist._compat import uncompiled
from skorch_mnist._storage._model_file import FORMAT, KEY
from skorch_mnist._storage._stored_params import COMPILE_ARGUMENTS
from skorch_mnist._storage._tensor_file import digest, read_tensors
from skorch_mnist.network import BatchNormCNN

FORBIDDEN = {
    "compile", "import", "os.exec", "os.fork", "os.posix_spawn", "os.remove", "os.rename",
    "os.system", "pickle.find_class", "shutil.rmtree", "socket.connect", "subprocess.Popen",
}  # fmt: skip
POOL = [
    None, True, False, 0, 1, -1, 2**31, 2**63, 10**40, 0.5, -0.0, 1e308, float("nan"), float("inf"),
    "", "a", "cuda", "auto", "os.system", "torch.nn.Linear", "affine", "balanced", "|O", "<U9",
    "disable", [], {}, [0], [1, 6, 6], {"tuple": [1, 2]}, {"dict": [[0, 1]]},
    {"class": "os.system"},
    {"class": "torch.optim.SGD"}, {"class": "torch.nn.NLLLoss"}, {"class": "torch.nn.Module"},
    {"class": "torch.utils.data.DataLoader"}, {"dict": [[[1], 2]]}, {"tensor": "0"}, "x" * 10_000,
]  # fmt: skip
watching = False
violations: list[str] = []


def audit(event: str, arguments: tuple) -> None:
    """Note what a load must not do."""
    if not watching:
        return
    if event == "compile" and arguments[1] == "<unknown>":
        return  # inspect.signature of something built in: parsed, not compiled
    flags = os.O_WRONLY | os.O_RDWR | os.O_CREAT
    if event in FORBIDDEN or (event == "open" and (arguments[2] or 0) & flags):
        violations.append(f"{event}{arguments}")


def places(value, path=()):
    """Yield the path of every item in nested lists and dicts."""
    yield path
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(item, (*path, key))


def forge(manifest, weights, rng):
    """Change one to three things in a manifest, or in the weights."""
    manifest, weights = copy.deepcopy(manifest), dict(weights)
    for _ in range(rng.randint(1, 3)):
        if rng.random() < 0.15:
            forge_weights(weights, rng)
            continue
        *parents, key = rng.choice([path for path in places(manifest) if path])
        inner = manifest
        for parent in parents:
            inner = inner[parent]
        kind = rng.randrange(5)
        if kind == 0:
            del inner[key]
        elif kind == 1 and isinstance(inner, dict):
            inner[
                rng.choice(
                    [
                        "module__widths",
                        "lr",
                        "history_",
                        "compile__backend",
                        "compile__options",
                        "iterator_valid__num_workers",
                        "iterator_valid__sampler",
                        "iterator_valid__prefetch_factor",
                        "fit",
                        "x",
                        key,
                    ]
                )
            ] = copy.deepcopy(rng.choice(POOL))
        elif kind == 2 and isinstance(inner[key], (int, float)) and inner[key] is not None:
            inner[key] = inner[key] * rng.choice([-1, 0, 2, 0.5, 10**9])
        elif kind == 3 and isinstance(inner[key], list) and len(inner[key]) < 5000:
            inner[key] = inner[key] * rng.choice([2, 1000])
        else:
            inner[key] = copy.deepcopy(rng.choice(POOL))
    return manifest, weights


def forge_weights(weights, rng):
    name = rng.choice([*weights])
    kind = rng.randrange(5)
    if kind == 0:
        del weights[name]
    elif kind == 1:
        weights[f"{name}.x"] = torch.zeros(2)
    elif kind == 2:
        weights[name] = weights[name].reshape(-1)
    elif kind == 3:
        weights[name] = weights[name].to(rng.choice([torch.float64, torch.int8, torch.bfloat16]))
    else:
        weights[name] = weights[name] * float("nan")
    if not weights:
        weights["x"] = torch.zeros(1)


def sealed(manifest, weights):
    manifest = {**manifest, "sha256": digest(manifest, weights)}
    return safetensors.torch.save(weights, metadata={KEY: json.dumps(manifest)})


def expect_right(clf, manifest, weights):
    """Check that what was loaded is what the file says, and that it predicts."""
    assert list(clf.image_shape_) == manifest["image_shape"]
    assert clf.classes_.tolist() == manifest["classes"]["labels"]
    assert clf.pixel_statistics_._asdict() == manifest["pixel_statistics"]
    assert len(clf.history_) == len(manifest["history"])
    state = uncompiled(clf).state_dict()
    for name, tensor in weights.items():
        assert torch.equal(state[name], tensor)
    clf.module_ = uncompiled(clf)  # nothing is compiled for two images
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        probabilities = clf.predict_proba(np.zeros((2, clf.n_features_in_), dtype=np.uint8))
    assert probabilities.shape == (2, len(clf.classes_))
    assert np.allclose(probabilities.sum(1), 1)


def model_files(folder):
    """Write small model files of both networks; return their bytes and their parts."""
    rng = np.random.RandomState(0)
    X, y = rng.randint(0, 256, size=(30, 36)).astype(np.uint8), np.arange(30) % 3
    kinds = [
        {"class_weight": {0: 1.0, 1: 0.5, 2: 2}, "optimizer": torch.optim.SGD},
        {"module": BatchNormCNN, "module__widths": (4, 8), "lr_schedule": "one_cycle"},
    ]
    for number, params in enumerate(kinds):
        clf = MNISTCNNClassifier(max_epochs=2, random_state=0, verbose=0, **params)
        clf.fit(X, np.array(["a", "b", "c"])[y] if number else y).save(folder / "good")
        yield (folder / "good").read_bytes(), read_tensors(folder / "good", KEY, FORMAT)


def load(path):
    """Load under the eye of the audit hook."""
    global watching
    watching = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return MNISTCNNClassifier.load(path)
    finally:
        watching = False


def main():
    """Print what came of the mutated files; fail at the first that is neither."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--random-state", type=int, default=0)
    args = parser.parse_args()
    rng, bytes_rng = random.Random(args.random_state), np.random.default_rng(args.random_state)
    outcomes = Counter()
    for mode in COMPILE_ARGUMENTS["mode"]:
        torch.compile(torch.nn.Linear(1, 1), mode=mode)  # torch imports its compiler
    sys.addaudithook(audit)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        goods = list(model_files(folder))
        path = folder / "mutated"
        for number in range(args.files):
            content, (manifest, weights) = goods[number // 2 % 2]
            if number == 500:  # after all that is imported once
                violations.clear()
                before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                start = time.monotonic()
            kind = ("damaged", "forged")[number % 2]
            if kind == "damaged":
                content = mutate(content, bytes_rng)
            else:
                manifest, weights = forge(manifest, weights, rng)
                try:
                    content = sealed(manifest, weights)
                except Exception as error:
                    raise SystemExit(f"the fuzzer cannot seal: {error!r}") from error
            path.write_bytes(content)
            slow = time.monotonic()
            try:
                clf = load(path)
            except ValueError as error:
                if not str(error).startswith(str(path)):
                    raise AssertionError("an error that does not name the file") from error
                outcomes[f"{kind}, refused"] += 1
            else:
                outcomes[f"{kind}, read"] += 1
                expect_right(clf, manifest, weights)
            assert time.monotonic() - slow < 10, f"file {number} took long"
            if number >= 500:
                assert not violations, violations[:3]
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    seconds = time.monotonic() - start
    print(f"{args.files:,} files in {seconds:.0f} s: {dict(outcomes)}; memory grew {grown} KiB")
    assert grown < 100_000


if __name__ == "__main__":
    main()
