"""One network on several processes, with two real ones on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skorch_mnist import MNISTCNNClassifier
from skorch_mnist._batches import Share
from skorch_mnist._processes import Processes
from skorch_mnist._progress import is_first_process

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
def answers(tmp_path_factory, loopback):
    """What one process finds, and each of two that train together."""
    pytest.importorskip("accelerate", reason="Accelerate is not installed")
    folder = tmp_path_factory.mktemp("together")
    environment = {**os.environ, "PYTHONWARNINGS": "error::UserWarning", "OMP_NUM_THREADS": "1"}
    together = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    for start in (together, []):
        with loopback:
            done = subprocess.run(
                [sys.executable, *start, str(SCRIPT), str(folder)],
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
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


def test_dropout_draws_other_numbers_in_each_process(answers):
    assert answers.first["defaults"]["history"] != answers.one["defaults"]["history"]


def test_each_process_reads_its_share_of_lazy_images(answers):
    n_images, n_passes = 200, 2  # one to learn the scale of the pixels, and an epoch
    slack = 5 + n_images  # those read for their labels and shape
    assert answers.one["lazily"]["read"] <= n_passes * n_images + slack
    saved = answers.one["lazily"]["read"] - answers.first["lazily"]["read"]
    assert saved == answers.one["lazily"]["read"] - answers.second["lazily"]["read"] == n_images / 2


def test_a_training_that_was_cut_off_goes_on_to_the_bit(answers):
    for found in (answers.first, answers.second):
        assert found["resumed"]["resumed"] == found["resumed"]["whole"]
    assert answers.first["resumed"] == answers.second["resumed"]


def test_the_network_is_saved_once(answers):
    assert answers.first["saved"]["renamed"] == ["model-2.safetensors", "model-2.onnx"]
    assert answers.second["saved"]["renamed"] == []
    loaded = MNISTCNNClassifier.load(answers.folder / "model-2.safetensors")
    assert loaded.accelerator is None
    assert loaded.get_params()["max_epochs"] == 1


def test_accelerate_keeps_no_network(answers):
    assert answers.first["own_accelerator"]["kept"] == 0


def test_processes_with_other_images_are_refused(answers):
    for found in (answers.first, answers.second):
        assert "have different images, labels or random_state" in found["other_images"]


# --- in one process ---------------------------------------------------------------------------


@given(n_rows=st.integers(1, 300), n_processes=st.integers(1, 9))
def test_shares_are_a_partition_and_differ_by_one_at_most(n_rows, n_processes):
    shares = [Share(rank, n_processes) for rank in range(n_processes)]
    sizes = shares[0].sizes(n_rows)
    assert sum(sizes) == n_rows and max(sizes) - min(sizes) <= 1
    read = [np.arange(n_rows)[share.rows(n_rows)] for share in shares]
    assert all(len(rows) for rows in read)
    taken = np.concatenate([rows[:size] for rows, size in zip(read, sizes, strict=True)])
    assert taken.tolist() == list(range(n_rows))


def accelerator(**facts):
    known = {
        "distributed_type": SimpleNamespace(value="NO"),
        "mixed_precision": "no",
        "gradient_accumulation_steps": 1,
        "num_processes": 1,
        "gather": print,
        "prepare_model": print,
    }
    return SimpleNamespace(**{**known, **facts})


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"distributed_type": SimpleNamespace(value="FSDP")}, "the distributed type FSDP"),
        ({"mixed_precision": "fp16"}, "set precision='bfloat16'"),
        ({"gradient_accumulation_steps": 4}, "Set a larger batch_size"),
    ],
)
def test_an_accelerator_that_does_more_than_is_known_is_refused(facts, message):
    with pytest.raises(ValueError, match=message):
        Processes.of(accelerator(**facts), "auto")


def test_a_split_of_each_process_is_refused(answers):
    for found in (answers.first, answers.second):
        assert "a seed or a generator of its own" in found["unseeded_split"]
    assert answers.one["unseeded_split"] is None


def test_one_process_may_end_the_training_of_all(answers):
    assert len(answers.first["stopped_by_one"]["history"]) == 1


def test_all_processes_hear_of_a_folder_that_cannot_be_made(answers):
    names = {found["locked_folder"] for found in (answers.one, answers.first, answers.second)}
    assert len(names) == 1 and names != {None}


def test_an_accelerator_that_sees_one_process_of_several_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="2 processes were started, of which accelerator sees 1"):
        Processes.of(accelerator(), "auto")


def test_a_device_of_ones_own_and_an_accelerator_are_refused(digits):
    X, _, y, _ = digits
    clf = MNISTCNNClassifier(accelerator=accelerator(), device="cpu")
    with pytest.raises(ValueError, match="Leave device='auto'"):
        clf.fit(X, y)


def test_something_else_than_an_accelerator_is_refused(digits):
    X, _, y, _ = digits
    with pytest.raises(ValueError, match="The 'accelerator' parameter"):
        MNISTCNNClassifier(accelerator=2).fit(X, y)


def test_without_accelerate_the_error_says_how_to_install_it(digits, monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    X, _, y, _ = digits
    with pytest.raises(ImportError, match=r'pip install "skorch_mnist\[accelerate\]"'):
        MNISTCNNClassifier(accelerator="auto").fit(X, y)


def test_a_process_alone_is_the_first():
    assert is_first_process()
