"""Size, speed and agreement of exported classifiers, on full MNIST, beside ``predict_proba``.

Run by hand, with nothing else on the machine: ``python tests/benchmarks/exported.py``. The 8-bit
models are made by ONNX Runtime's own quantization, calibrated with 500 training images.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantType,
    quant_pre_process,
    quantize_dynamic,
    quantize_static,
)

from skorch_mnist import MNISTCNNClassifier, fetch_mnist
from skorch_mnist.recipes import FAST

ROUNDS = 5
BATCH = 128  # what predict_proba takes


class Calibration(CalibrationDataReader):
    """Training images, a hundred at a time."""

    def __init__(self, X: np.ndarray) -> None:
        self.batches = iter(np.split(X, 5))

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self.batches, None)
        return None if batch is None else {"X": batch}


def runner(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda X: session.run(["probabilities"], {"X": X})[0]


def in_batches(predict: Callable[[np.ndarray], np.ndarray], X: np.ndarray) -> np.ndarray:
    return np.concatenate([predict(X[start : start + BATCH]) for start in range(0, len(X), BATCH)])


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def contenders(clf: MNISTCNNClassifier, X: np.ndarray, folder: Path) -> dict[str, tuple]:
    """Return a function of images, and the size of its file, by name."""
    clf.save(folder / "model")
    clf.to_onnx(folder / "float32")
    torch.export.save(clf.to_exported_program(), folder / "program.pt2")
    quant_pre_process(folder / "float32", folder / "prepared")
    quantize_dynamic(folder / "prepared", folder / "dynamic", weight_type=QuantType.QUInt8)
    quantize_static(folder / "prepared", folder / "static", Calibration(X[:500]))
    program = clf.to_exported_program().module()
    runs = {
        "`predict_proba`": (clf.predict_proba, "model"),
        "`torch.export`": (lambda X: program(torch.from_numpy(X))[1].numpy(), "program.pt2"),
        "ONNX, float32": (runner(folder / "float32"), "float32"),
        "ONNX, 8-bit weights of linear layers": (runner(folder / "dynamic"), "dynamic"),
        "ONNX, 8-bit throughout": (runner(folder / "static"), "static"),
    }
    return {name: (run, (folder / file).stat().st_size) for name, (run, file) in runs.items()}


def main() -> None:
    X, y = fetch_mnist(return_X_y=True)
    X_test, y_test = fetch_mnist(subset="test", return_X_y=True)
    print("| | size | accuracy | largest difference | 10,000 images | one image |")
    print("|---|---|---|---|---|---|")
    for title, params in (("defaults", {}), ("`FAST`", FAST)):
        clf = MNISTCNNClassifier(random_state=0, verbose=0).set_params(**params).fit(X, y)
        with tempfile.TemporaryDirectory() as folder:
            runs = contenders(clf, X, Path(folder))
            expected = clf.predict_proba(X_test)
            whole = {name: [] for name in runs}
            for _ in range(ROUNDS):
                for name, (run, _) in runs.items():
                    whole[name].append(seconds(lambda run=run: in_batches(run, X_test)))
            for name, (run, size) in runs.items():
                found = in_batches(run, X_test)
                accuracy = (clf.classes_[found.argmax(1)] == y_test).mean()
                one = statistics.median(
                    seconds(lambda run=run, n=n: run(X_test[n : n + 1])) for n in range(200)
                )
                print(
                    f"| {title}: {name} | {size / 1e3:.0f} kB | {accuracy:.4f} | "
                    f"{np.abs(found - expected).max():.1e} | "
                    f"{statistics.median(whole[name]):.2f} s | {one * 1e3:.2f} ms |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
