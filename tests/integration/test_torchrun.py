"""One network trained by two real processes of this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from skorch_mnist import MNISTCNNClassifier

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).with_name("training_of_several.py")
ALIKE = [
    "gradients", "weighted_gradients", "single_image_left", "workers", "streamed", "watched",
    "lazily",
]  # fmt: skip
EQUAL = [
    *ALIKE, "defaults", "augmented_without_seed", "batch_norm", "frozen", "more_of_it",
    "own_accelerator", "stopped_by_one",
]  # fmt: skip


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What one process finds, and each of two that train together."""
    pytest.importorskip("accelerate", reason="Accelerate is not installed")
    folder = tmp_path_factory.mktemp("together")
    environment = {**os.environ, "PYTHONWARNINGS": "error::UserWarning", "OMP_NUM_THREADS": "1"}
    together = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    for start in (together, []):
        done = subprocess.run(
            [sys.executable, *start, str(SCRIPT), str(folder)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert "epoch" not in done.stdout
    read = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
    return SimpleNamespace(one=read["1-0"], first=read["2-0"], second=read["2-1"], folder=folder)


@pytest.mark.parametrize("trial", EQUAL)
def test_all_processes_have_the_same_network_and_history(trial, answers):
    kept = ("weights", "history", "score")
    first, second = (
        [found[trial][name] for name in kept] for found in (answers.first, answers.second)
    )
    assert first == second


@pytest.mark.parametrize("trial", ALIKE)
def test_gradients_are_those_of_whole_batches(trial, answers):
    """Without dropout, two find what one finds, but for rounding, which a large lr blows up."""
    together, alone = answers.first[trial], answers.one[trial]
    for here, there in zip(together["weights"], alone["weights"], strict=True):
        np.testing.assert_allclose(here, there, rtol=2e-3, atol=2e-5)
    losses = ([epoch[0] for epoch in one["history"]] for one in (together, alone))
    np.testing.assert_allclose(*losses, rtol=1e-4)


def test_two_processes_are_as_accurate_as_one(answers):
    together, alone = answers.first["defaults"]["score"], answers.one["defaults"]["score"]
    assert together > 0.9
    assert together == pytest.approx(alone, abs=0.03)


def test_dropout_is_different_in_each_process(answers):
    assert answers.first["defaults"]["history"] != answers.one["defaults"]["history"]


def test_each_process_reads_its_share_of_lazy_images(answers):
    n_images, n_passes = 200, 2  # one to learn the scale of the pixels, and an epoch
    slack = 5 + n_images  # those read for their labels and shape
    assert answers.one["lazily"]["read"] <= n_passes * n_images + slack
    saved = answers.one["lazily"]["read"] - answers.first["lazily"]["read"]
    assert saved == answers.one["lazily"]["read"] - answers.second["lazily"]["read"] == n_images / 2


def test_a_resumed_training_run_is_bit_identical(answers):
    for found in (answers.first, answers.second):
        assert found["resumed"]["resumed"] == found["resumed"]["whole"]
    assert answers.first["resumed"] == answers.second["resumed"]


def test_the_network_is_saved_once(answers):
    assert answers.first["saved"]["renamed"] == ["model-2.safetensors", "model-2.onnx"]
    assert answers.second["saved"]["renamed"] == []
    loaded = MNISTCNNClassifier.load(answers.folder / "model-2.safetensors")
    assert loaded.accelerator is None
    assert loaded.get_params()["max_epochs"] == 1


def test_accelerate_does_not_keep_the_network(answers):
    assert answers.first["own_accelerator"]["kept"] == 0


def test_processes_with_different_images_are_refused(answers):
    for found in (answers.first, answers.second):
        assert "have different images, labels, random_state or" in found["other_images"]


def test_different_splits_in_the_processes_are_refused(answers):
    for found in (answers.first, answers.second):
        assert "a fixed seed or its own generator" in found["unseeded_split"]
    assert answers.one["unseeded_split"] is None


def test_one_process_can_stop_all_processes(answers):
    assert len(answers.first["stopped_by_one"]["history"]) == 1


def test_all_processes_raise_an_error_if_the_folder_cannot_be_created(answers):
    names = {found["locked_folder"] for found in (answers.one, answers.first, answers.second)}
    assert len(names) == 1 and names != {None}
