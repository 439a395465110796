"""The command line: what it writes, prints and refuses."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from helpers import assert_same_weights

import skorch_mnist
from skorch_mnist import MNISTCNNClassifier, cli, load_digits28
from skorch_mnist.cli import named_data

FILES = [
    "README.md",
    "config.toml",
    "confusion_matrix.png",
    "history.csv",
    "loss_curves.png",
    "metrics.json",
    "model.safetensors",
]
bundled_digits = named_data.bundled_digits
PNG = b"\x89PNG\r\n\x1a\n"


pytestmark = pytest.mark.usefixtures("few_digits")


@pytest.fixture(scope="module")
def run_once(tmp_path_factory):
    """Exit status, output and folder of one run on the digits."""
    folder = tmp_path_factory.mktemp("run") / "a folder" / "ünï-数字"
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        status = train("--max-epochs", "2", "--output-dir", folder)
    return status, out.getvalue(), folder


def train(*options, dataset="digits"):
    """Train for one epoch, unless ``options`` say otherwise."""
    arguments = ["--dataset", dataset, "--max-epochs", "1", *map(str, options)]
    return cli.main(["train", *arguments])


def error_of(capsys):
    """The one line on standard error."""
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("skorch-mnist: error: ")
    return line.removeprefix("skorch-mnist: error: ")


def python(*arguments, **options):
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, **options
    )


# --- a full run -----------------------------------------------------------------------------


def test_a_run_writes_its_files_and_prints_their_folder(run_once):
    status, out, folder = run_once
    assert status == 0
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert f"Written to {folder.resolve()}:" in out
    assert all(name in out for name in FILES)
    for name in FILES:
        assert (folder / name).read_bytes().startswith(PNG) is name.endswith(".png")


def test_a_run_shows_epochs_accuracy_and_confusions(run_once):
    _, out, _ = run_once
    assert "Data: scikit-learn's digits, 1,437 images for training and 360 for testing." in out
    assert re.search(r"epoch +train_loss +valid_acc +valid_loss +dur\n", out)
    table = out.partition("columns: predicted label)\n")[2].splitlines()[:11]
    counts = np.array([row.split()[1:] for row in table[1:]], dtype=int)
    accuracy = float(re.search(r"Test accuracy: (0\.\d{4}) on 360 images", out)[1])
    assert counts.sum() == 360
    assert accuracy == pytest.approx(counts.trace() / 360, abs=1e-4)


def test_the_saved_model_is_the_tested_one(run_once):
    _, out, folder = run_once
    clf = MNISTCNNClassifier.load(folder / "model.safetensors")
    assert clf.n_iter_ == 2
    digits = bundled_digits()
    assert f"Test accuracy: {clf.score(*digits.test):.4f} on" in out


def test_the_model_takes_rows_as_the_fetchers_give_them(run_once):
    _, _, folder = run_once
    clf = MNISTCNNClassifier.load(folder / "model.safetensors")
    assert clf.input_format_ == ((784,), "uint8")


def test_options_reach_the_classifier(tmp_path):
    options = ["--lr", 0.01, "--batch-size", 100, "--random-state", 7, "--device", "cpu"]
    assert train(*options, "--output-dir", tmp_path) == 0
    params = MNISTCNNClassifier.load(tmp_path / "model.safetensors").get_params()
    expected = {"lr": 0.01, "batch_size": 100, "random_state": 7, "device": "cpu", "max_epochs": 1}
    assert {name: params[name] for name in expected} == expected


def test_the_same_seed_gives_the_same_predictions(tmp_path):
    X, _ = load_digits28(return_X_y=True)
    answers = []
    for name in ("a", "b"):
        assert train("--output-dir", tmp_path / name) == 0
        clf = MNISTCNNClassifier.load(tmp_path / name / "model.safetensors")
        answers.append(clf.predict_proba(X[:50]))
    np.testing.assert_array_equal(*answers)


def test_results_of_an_earlier_run_are_replaced(tmp_path):
    for name in FILES:
        (tmp_path / name).write_text("old")
    (tmp_path / "README.md").write_text("---\nlibrary_name: skorch_mnist\n")  # of an earlier run
    (tmp_path / "notes.txt").write_text("mine")
    assert train("--output-dir", tmp_path) == 0
    assert all((tmp_path / name).stat().st_size > 100 for name in FILES)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_diverging_training_says_what_to_do(tmp_path, capsys):
    assert train("--lr", "1e30", "--output-dir", tmp_path) == 1
    assert "diverged in epoch 1: the loss became nan. Lower lr" in error_of(capsys)


def test_a_network_that_has_not_learned_is_not_written(tmp_path, capsys):
    options = ["--lr", "1e30", "--batch-size", 1000, "--set", "train_split=none"]
    assert train(*options, "--output-dir", tmp_path) == 1
    assert error_of(capsys).endswith("its training diverged: train it with a lower lr")
    assert list(tmp_path.iterdir()) == [tmp_path / "checkpoint"]


# --- where the data come from ---------------------------------------------------------------


def test_auto_without_mnist_prints_a_note_and_uses_the_digits(tmp_path, capsys):
    assert train("--output-dir", tmp_path / "out", dataset="auto") == 0
    first, second, third, *_ = capsys.readouterr().out.splitlines()
    expected = "MNIST is not cached and could not be downloaded (--dataset mnist shows why)."
    assert first == expected
    assert second == "Using the digits bundled with scikit-learn INSTEAD OF MNIST."
    assert third.startswith("Data: scikit-learn's digits")


def test_mnist_without_network_fails_in_one_line(tmp_path, capsys):
    home = tmp_path / "elsewhere"
    assert train("--data-home", home, dataset="mnist") == 1
    error = error_of(capsys)
    assert f"train-images-idx3-ubyte is not in {home / 'MNIST' / 'raw'}" in error
    assert "The download failed" in error and "Try again, or copy" in error


def test_a_damaged_cache_is_reported_and_not_changed(tmp_path, capsys):
    path = tmp_path / "home" / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"damaged")
    assert train(dataset="mnist") == 1
    assert f"{path} is damaged: expected 47040016 bytes, got 7" in error_of(capsys)
    assert path.read_bytes() == b"damaged"


def test_a_data_home_that_is_a_file(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert train("--data-home", tmp_path / "file", dataset="mnist") == 1
    assert str(tmp_path / "file") in error_of(capsys)


def test_mnist_is_used_from_the_data_home(tmp_path, monkeypatch, capsys):
    X, y = load_digits28(return_X_y=True)
    asked, limits = [], []

    def fetch(*, subset, data_home, return_X_y):
        asked.append((subset, data_home, *limits))
        return X[:100], y[:100]

    @contextlib.contextmanager
    def limited(silence, total):
        limits.append((silence, total))
        yield
        limits.clear()

    monkeypatch.setattr("skorch_mnist.datasets.fetch_mnist", fetch)
    monkeypatch.setattr("skorch_mnist.datasets.download_limits", limited)
    assert train("--data-home", "x", "--output-dir", tmp_path / "out", dataset="mnist") == 0
    home = str(Path("x").absolute())
    assert asked == [("train", home), ("test", home)]
    clf = MNISTCNNClassifier.load(tmp_path / "out" / "model.safetensors")
    assert clf.input_format_ == ((784,), "uint8")
    assert train("--output-dir", tmp_path / "out", dataset="auto") == 0
    assert asked[2:] == [("train", None, (5, 30)), ("test", None, (5, 30))]
    assert "Data: MNIST, 100 images for training" in capsys.readouterr().out


# --- bad arguments --------------------------------------------------------------------------

REFUSED = {  # what our message begins with
    "": "missing command",
    "train --lr 3 --set lr=2": "lr is set twice",
    "train --random-state -1": "random_state=-1 is not valid: it must be an integer from "
    "0 to 4294967295",
    "train --random-state 4294967296": "random_state=4294967296 is not valid: it must be an "
    "integer",
    "train --random-state none": "random_state=None is not valid: it must be an integer",
    "train --device gpu": "device='gpu' cannot be used on this machine (PyTorch does not know",
    "train --device meta": "device='meta' cannot be used on this machine",
    "train --device cuda:99": "device='cuda:99' cannot be used on this machine",
    "train --set lr": "'lr' is not valid: it must be NAME=VALUE, such as lr=0.002",
    "train --set =3": "'=3' is not valid: it must be NAME=VALUE, such as lr=0.002",
    "train --set speed=3": "'speed' is not a valid parameter. Valid parameters: accelerator, aug",
    "train --set batchsize=3": "'batchsize' is not a valid parameter. Did you mean 'batch_size'?",
    "train --set module__dropuot=0.3": "'module__dropuot' is not a valid parameter of MNISTCNN. "
    "Did you mean 'module__dropout'?",
    "train --set learning_rate=0.1": "'learning_rate' is not a valid parameter. Did you mean 'lr'?",
    "train --set class_weight={seven:2}": "'{seven:2}' is not valid: quote the strings in it",
    "search --grid class_weight={seven:2}": "'{seven:2}' is not valid: quote the strings in it",
    "train --set optimizer=Adm": "optimizer='Adm' is not valid: no Optimizer named 'Adm' was found "
    "in torch.optim. Did you mean Adam?",
    "train --set module=os.system": "module='os.system' is not valid: no Module named 'system'",
    "train --set module=nowhere.Net": "module='nowhere.Net' is not valid: nowhere cannot be "
    "imported",
    "train --set callbacks=disable": "callbacks='disable' is not valid",
    "train --recipe quick": "'quick' is not a recipe: it must be one of 'tutorial', 'fast'",
    "train --config nowhere.toml": "nowhere.toml cannot be read: ",
    "search": "--grid is missing: give at least one --grid NAME=VALUE,VALUE",
    "search --grid lr": "'lr' is not valid: it must be NAME=VALUE",
    "search --grid lr=0.1 --grid lr=0.2": "--grid lr is set twice: separate its values with commas",
    "search --grid verbose=0,1": "--grid verbose is not valid: this parameter cannot be searched",
    "search --grid device=cpu,cuda:99": "device='cuda:99' cannot be used on this machine",
    "search --grid lr=0.1 --backend dask": "--backend dask requires --address",
    "search --grid lr=0.1 --address tcp://x": "--address requires --backend dask",
    "predict model.safetensors seven.jpg": "model.safetensors is a model, not a picture: use "
    "--model model.safetensors",
    "train --dataset cifar": "cifar is neither a known dataset nor an existing file or",
    "train --dataset /dev/zero": "/dev/zero is neither a file nor a folder",
    "train --dataset digits --preprocess": "--preprocess is only for your own images",
    "train --set callbacks=EpochScoring": "a callback cannot be created: ",
}
REFUSED_BY_LIBRARIES = {  # a pattern of what the message of Typer or scikit-learn names
    "fly": "fly",
    "--speed": "--speed",
    "train now": r"\bnow\b",
    "train --max 3": "--max",
    "train --dataset": "--dataset",
    "train --random-state": "--random-state",
    "train --data-home": "--data-home",
    "train --output-dir=": "--output-dir.* the value is empty: give a name, file",
    "train --data-home=": "--data-home.* the value is empty: give a name, file",
    "train --dataset=": "--dataset.* the value is empty: give a name, file",
    "cross-validate --folds 1": "--folds.* '1' is not valid: it must be an integer of 2 or more",
    "cross-validate --folds few": "--folds.* 'few' is not valid: it must be an integer of 2",
    "cross-validate --n-jobs 0": "--n-jobs.* '0' is not valid: give a number of processes",
    "search --grid lr=0.1 --n-iter 0": "--n-iter.* '0' is not valid: it must be a positive integer",
    "predict a.png --accept 2": r"--accept.* '2' is not valid: it must be a number in \[0, 1\]",
    "predict a.png --accept nan": "--accept.* 'nan' is not valid: it must be a number",
    "serve --port 99999": "--port.* '99999' is not valid: it must be an integer from 0 to 65535",
    "evaluate": "MODEL",
    "predict": "IMAGE",
    "export": "MODEL",
    "export model --format tensorflow": "--format.*tensorflow",
    "train --max-epochs 0": "max_epochs",
    "train --max-epochs 1.5": "max_epochs",
    "train --lr 0": r"\blr\b",
    "train --lr -1": r"\blr\b",
    "train --lr nan": r"\blr\b",
    "train --lr inf": r"\blr\b",
    "train --lr fast": r"\blr\b",
    "train --batch-size 0": "batch_size",
    "search --grid lr=0.1,-1": r"\blr\b",
}


def assert_bad_arguments(line, pattern, capsys, tmp_path):
    """One line on standard error, status 2, and nothing written."""
    assert cli.main(line.split()) == 2
    error = error_of(capsys)
    assert re.search(pattern, error)
    assert error.endswith("--help)")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("line", REFUSED)
def test_bad_arguments_are_one_line_and_status_2(line, capsys, tmp_path):
    assert_bad_arguments(line, "^" + re.escape(REFUSED[line]), capsys, tmp_path)


@pytest.mark.parametrize("line", REFUSED_BY_LIBRARIES)
def test_errors_of_libraries_are_one_line_and_status_2(line, capsys, tmp_path):
    assert_bad_arguments(line, REFUSED_BY_LIBRARIES[line], capsys, tmp_path)


def test_line_breaks_in_arguments_stay_in_one_line(capsys):
    assert cli.main(["train", "first\nsecond"]) == 2
    assert "first" in error_of(capsys)


# --- what can go wrong ----------------------------------------------------------------------


@pytest.fixture
def fetch(monkeypatch):
    """Replace fetch_mnist by a function."""
    return lambda function: monkeypatch.setattr("skorch_mnist.datasets.fetch_mnist", function)


@pytest.fixture
def no_work(fetch):
    fetch(lambda **_: pytest.fail("work began"))


@pytest.mark.parametrize("folder", ["file", "file/below", "/proc/skorch_mnist"])
def test_unwritable_output_folder_fails_before_any_work(folder, no_work, capsys, tmp_path):
    (tmp_path / "file").write_text("mine")
    assert train("--output-dir", folder, dataset="mnist") == 1
    error = error_of(capsys)
    assert error.startswith(f"cannot write to the folder {folder} (")
    assert error.endswith("choose another with --output-dir")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_handwritten_readme_is_not_replaced(no_work, capsys, tmp_path):
    (tmp_path / "README.md").write_text("# My digits")
    assert train("--output-dir", tmp_path, dataset="mnist") == 1
    assert re.search(r"this run would overwrite .*README\.md: rename it", error_of(capsys))
    assert (tmp_path / "README.md").read_text() == "# My digits"


def test_the_card_has_the_metrics_and_the_parameters(run_once):
    _, out, folder = run_once
    card = (folder / "README.md").read_text(encoding="utf-8")
    accuracy = re.search(r"Test accuracy: (0\.\d{4}) on 360 images", out)[1]
    assert f"| accuracy | {accuracy} |" in card
    assert "| max\\_epochs | 2 |" in card
    assert 'MNISTCNNClassifier.from_pretrained("model.safetensors")' in card
    assert "| 2 |" in card.partition("## History")[2]


@pytest.mark.parametrize("name", FILES)
def test_folder_in_place_of_a_result_fails_before_any_work(name, no_work, capsys, tmp_path):
    (tmp_path / name).mkdir()
    assert train("--output-dir", tmp_path, dataset="mnist") == 1
    assert f"(Is a directory: {tmp_path / name})" in error_of(capsys)


def test_without_matplotlib_fails_before_any_work(no_work, monkeypatch, capsys, tmp_path):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find(name)
    )
    assert train(dataset="mnist") == 1
    assert error_of(capsys) == 'plots require matplotlib: pip install "skorch_mnist[plot]"'
    assert list(tmp_path.iterdir()) == []


def test_warnings_are_one_line_each(fetch, capsys):
    X, y = load_digits28(return_X_y=True)

    def warn(**_):
        warnings.warn("two\nlines", stacklevel=1)
        return X[:100], y[:100]

    fetch(warn)
    with warnings.catch_warnings():
        warnings.simplefilter("once")
        assert train(dataset="mnist") == 0
    assert capsys.readouterr().err == "skorch-mnist: warning: two lines\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError("no room"), "no room"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (RuntimeError("CUDA error\nsecond line"), "CUDA error second line"),
        (ValueError("bad value"), "bad value"),
    ],
)
def test_failures_are_one_line_and_status_1(error, line, fetch, capsys):
    def fail(**_):
        raise error

    fetch(fail)
    assert train(dataset="mnist") == 1
    assert error_of(capsys) == line


def test_bugs_are_not_hidden(fetch):
    def fail(**_):
        raise AttributeError("a bug")

    fetch(fail)
    with pytest.raises(AttributeError, match="a bug"):
        train(dataset="mnist")


def test_ctrl_c_while_training_exits_130_and_writes_nothing(tmp_path, capsys):
    notify = MNISTCNNClassifier.notify

    def interrupting(self, method_name, **arguments):
        notify(self, method_name, **arguments)
        if method_name == "on_batch_end":
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MNISTCNNClassifier, "notify", interrupting)
        assert train("--output-dir", tmp_path / "out") == 130
    assert capsys.readouterr().err.splitlines() == [
        "skorch-mnist: interrupted: no epoch was finished, so nothing was saved"
    ]
    assert not (tmp_path / "out").exists()


# --- interrupted runs -----------------------------------------------------------------------


def interrupt_in(epoch, *options):
    """Train four epochs, and press Ctrl-C in one of them."""
    notify = MNISTCNNClassifier.notify

    def interrupting(self, method_name, **arguments):
        notify(self, method_name, **arguments)
        if method_name == "on_batch_end" and len(self.history) == epoch:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MNISTCNNClassifier, "notify", interrupting)
        return train("--max-epochs", 4, *options)


def test_an_interrupted_run_prints_how_to_resume_and_resumes(tmp_path, capsys):
    assert train("--max-epochs", 4, "--output-dir", tmp_path / "whole") == 0
    capsys.readouterr()
    assert interrupt_in(3, "--output-dir", tmp_path / "out") == 130
    expected = (
        "interrupted: the finished epochs were saved; add --resume to the same command to continue"
    )
    assert capsys.readouterr().err == f"skorch-mnist: {expected}\n"
    assert train("--max-epochs", 4, "--output-dir", tmp_path / "out", "--resume") == 0
    assert f"Resuming after epoch 2, from {tmp_path / 'out'}" in capsys.readouterr().out
    out, whole = (
        MNISTCNNClassifier.load(tmp_path / name / "model.safetensors") for name in ("out", "whole")
    )
    assert_same_weights(out, whole)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES


def test_an_interrupted_run_is_not_replaced_by_mistake(tmp_path, capsys):
    assert interrupt_in(3, "--output-dir", tmp_path) == 130
    capsys.readouterr()
    assert train("--max-epochs", 4, "--output-dir", tmp_path) == 1
    assert error_of(capsys).endswith(
        "contains an interrupted run: add --resume to continue it, or --no-resume to start over"
    )
    assert train("--output-dir", tmp_path, "--no-resume") == 0
    assert "Resuming" not in capsys.readouterr().out
    assert not (tmp_path / "checkpoint").exists()


def test_resume_with_other_options_is_refused_without_losing_epochs(tmp_path, capsys):
    assert interrupt_in(2, "--output-dir", tmp_path) == 130
    capsys.readouterr()
    assert train("--max-epochs", 4, "--lr", 0.5, "--output-dir", tmp_path, "--resume") == 1
    assert "contains a different run: lr is 0.5, but was 0.001. Use the same options" in error_of(
        capsys
    )
    assert train("--max-epochs", 4, "--output-dir", tmp_path, "--resume") == 0


def test_resume_of_another_command_is_refused(tmp_path, capsys):
    assert interrupt_in(2, "--output-dir", tmp_path) == 130
    capsys.readouterr()
    options = ["--dataset", "digits", "--max-epochs", "4", "--output-dir", str(tmp_path)]
    assert cli.main(["cross-validate", *options, "--resume"]) == 1
    assert "contains a different run: command is cross-validate, but was train" in error_of(capsys)


def test_resume_without_an_interrupted_run_starts_a_new_one(tmp_path, capsys):
    for _ in range(2):
        assert train("--output-dir", tmp_path, "--resume") == 0
        assert (
            "There is no interrupted run to resume. Starting a new one." in capsys.readouterr().out
        )


def test_folder_called_checkpoint_is_not_emptied(tmp_path):
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "mine.ckpt").write_text("mine")
    assert train("--output-dir", tmp_path) == 0
    assert [path.name for path in (tmp_path / "checkpoint").iterdir()] == ["mine.ckpt"]


def test_second_run_in_the_same_folder_is_refused(tmp_path, capsys):
    with FileLock(tmp_path / ".lock"):
        assert train("--output-dir", tmp_path) == 1
    assert "another run is writing to" in error_of(capsys)
    assert train("--output-dir", tmp_path) == 0
    assert not (tmp_path / ".lock").exists()


def test_a_run_that_fails_leaves_no_empty_folder(tmp_path, capsys):
    assert train("--output-dir", tmp_path / "new" / "out", dataset="nowhere") == 2
    assert list(tmp_path.iterdir()) == []


def test_a_configuration_written_by_hand_is_not_replaced(tmp_path, capsys):
    path = tmp_path / "config.toml"
    path.write_text("# mine\n[parameters]\nmax_epochs = 1\n")
    assert train("--config", path, "--output-dir", tmp_path) == 1
    assert "would overwrite" in error_of(capsys)
    assert path.read_text().startswith("# mine")


# --- the terminal ---------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_colors_only_on_terminals(stream, monkeypatch):
    monkeypatch.setattr(sys, "stdout", stream())
    assert train() == 0
    assert ("\x1b[" in sys.stdout.getvalue()) is (stream is Terminal)


def test_a_progress_bar_only_on_terminals(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert train() == 0
    assert sys.stderr.getvalue() == ""


def test_a_path_with_letters_that_the_output_cannot_encode(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert train("--output-dir", "数字") == 0
    sys.stdout.flush()
    assert rb"\u6570\u5b57:" in raw.getvalue()


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_closed_stream_does_not_matter(name, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, name, None)
    assert train("--output-dir", tmp_path) == 0
    assert (tmp_path / "model.safetensors").exists()


# --- as a program ---------------------------------------------------------------------------


@pytest.mark.slow
def test_python_m_is_the_same_command(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # faster where cores are shared
    options = ["--dataset", "digits", "--max-epochs", "1", "--output-dir", str(tmp_path / "out")]
    done = python("-m", "skorch_mnist", "train", *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Written to {tmp_path / 'out'}:" in done.stdout


def test_help_and_version_import_no_heavy_libraries():
    code = (
        "import sys; from skorch_mnist.cli import main; "
        "statuses = [main(line.split()) for line in ('--help', '--version', 'train --help')]; "
        "heavy = {'torch', 'sklearn', 'skorch', 'matplotlib', 'numpy'} & set(sys.modules); "
        "print(statuses, heavy)"
    )
    done = python("-c", code)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "[0, 0, 0] set()"
    assert f"skorch-mnist {skorch_mnist.__version__}\n" in done.stdout


def test_help_shows_every_option_with_its_default(capsys):
    assert cli.main(["train", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    text = text.replace("│ ", "")
    for default in ("auto", "skorch_mnist_output", "10", "0.001", "64", "0"):
        assert f"(default: {default})" in text
    assert "(default: None)" not in text


@pytest.mark.slow
def test_a_closed_pipe_ends_the_run_quietly(tmp_path):
    arguments = [sys.executable, "-m", "skorch_mnist", "train", "--dataset", "digits"]
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 1
