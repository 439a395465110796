"""The commands evaluate, cross-validate, search and export."""

from __future__ import annotations

import base64
import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import confusion_matrix, f1_score, log_loss, precision_score, recall_score
from sklearn.model_selection import GridSearchCV, cross_val_score

from skorch_mnist import MNISTCNNClassifier, cli, load_digits28
from skorch_mnist.displays import ReliabilityDisplay
from skorch_mnist.rejection import RejectingClassifier

pytestmark = pytest.mark.usefixtures("few_digits")
QUICK = ["--dataset", "digits", "--max-epochs", "1"]


def run(command, *options):
    return cli.main([command, *map(str, options)])


def result_of(capsys):
    """What was printed as JSON, and nothing beside it."""
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


def error_of(capsys):
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("skorch-mnist: error: ")
    return line.removeprefix("skorch-mnist: error: ")


def read_csv(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def write_csv(name, X, y):
    rows = [",".join(map(str, [label, *image])) for image, label in zip(X, y, strict=True)]
    Path(name).write_text("\n".join(rows))


@pytest.fixture
def model(fitted, tmp_path):
    path = tmp_path / "model" / "model.safetensors"
    path.parent.mkdir()
    fitted.save(path)
    return path


# --- evaluate ---------------------------------------------------------------------------------


class Page(HTMLParser):
    """The tags, texts and addresses of a page."""

    def __init__(self, text):
        super().__init__()
        self.open, self.images, self.texts, self.addresses = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.addresses += [attributes[name] for name in ("src", "href") if name in attributes]
        if tag == "img":
            self.images.append(attributes)
        elif tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data.strip())


def test_evaluate_writes_a_self_contained_page(model, few_digits, capsys):
    assert run("evaluate", model, "--dataset", "digits") == 0
    path = model.parent / "report.html"
    assert f"Written to {path.resolve()}" in capsys.readouterr().out
    text = path.read_text()
    page = Page(text)
    assert page.addresses and all(one.startswith("data:image/svg+xml;") for one in page.addresses)
    assert "http" not in re.sub(r"data:image[^\"]*", "", text).replace("http-equiv", "")
    assert "default-src 'none'" in text and "url(" not in text
    titles = ["Confusion matrix", "Reliability", "Mistakes", "History: loss", "History: accuracy"]
    assert [image["alt"].partition(".")[0] for image in page.images] == titles
    for image in page.images:
        picture = base64.b64decode(image["src"].partition("base64,")[2])
        root = ElementTree.fromstring(picture)
        assert root.tag.endswith("svg") and len(list(root.iter())) > 50
    for title in titles:
        assert title in page.texts


def test_evaluate_reports_what_was_rejected(few_digits, capsys):
    strict = RejectingClassifier.from_pretrained("digits").set_params(accept=0.9)
    strict.save("strict.safetensors")
    assert run("evaluate", "strict.safetensors", "--dataset", "digits") == 0
    text = capsys.readouterr().out
    assert "Accepted  " in text and "Accuracy if accepted  " in text
    page = Path("report.html").read_text(encoding="utf-8")
    assert "Rejected" in page
    assert run("evaluate", "digits", "--dataset", "digits", "--output", "o.html", "--json") == 0
    figures = result_of(capsys)["rejection"]
    assert 0.5 < figures["accepted"]["value"] <= 1
    assert 0.5 < figures["accuracy"]["value"] <= 1


def test_the_page_shows_the_metrics_of_each_class(model, few_digits, capsys):
    assert run("evaluate", model, "--dataset", "digits", "--json") == 0
    found = result_of(capsys)
    clf, (X, y) = MNISTCNNClassifier.load(model), few_digits.test
    predicted, proba = clf.predict(X), clf.predict_proba(X)
    assert found["n_images"] == len(y)
    assert found["accuracy"]["value"] == clf.score(X, y)
    assert found["macro_f1"] == pytest.approx(f1_score(y, predicted, average="macro"))
    assert found["log_loss"] == pytest.approx(log_loss(y, proba))
    assert found["confusion_matrix"] == confusion_matrix(y, predicted).tolist()
    reliability = ReliabilityDisplay.from_predictions(y, proba, classes=clf.classes_)
    assert found["expected_calibration_error"] == reliability.expected_calibration_error_
    scores = {"precision": precision_score, "recall": recall_score, "f1": f1_score}
    for name, score in scores.items():
        expected = score(y, predicted, average=None, zero_division=0)
        assert [one[name]["value"] for one in found["classes"]] == pytest.approx(expected)
    texts = " ".join(Page((model.parent / "report.html").read_text()).texts)
    for one, label in zip(found["classes"], clf.classes_, strict=True):
        precision = one["precision"]
        assert (one["label"], one["n_images"]) == (label, (y == label).sum())
        row = f"{label} {one['n_images']} {precision['value']:.4f} [{precision['low']:.4f}, "
        assert row in texts


def test_evaluate_shows_the_metrics_within_80_columns(model, capsys):
    assert run("evaluate", model, "--dataset", "digits") == 0
    out = capsys.readouterr().out
    assert re.search(r"^Accuracy +0\.\d{4} \[0\.\d{4}, [01]\.\d{4}\]$", out, re.M)
    row = r"^\d +\d+( +[01]\.\d{3} \[[01]\.\d{3}, [01]\.\d{3}\]){3}$"
    assert len(re.findall(row, out, re.M)) == 10
    assert all(len(line) <= 80 for line in out.splitlines() if "Written" not in line)


def test_a_run_is_evaluated_on_its_own_test_images(tmp_path, capsys, few_digits):
    assert run("train", *QUICK, "--output-dir", tmp_path / "run") == 0
    capsys.readouterr()
    assert run("evaluate", tmp_path / "run", "--json") == 0
    found = result_of(capsys)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert found["data"] == "digits" and found["report"] == str(tmp_path / "run" / "report.html")
    assert {name: found[name] for name in metrics} == metrics


@pytest.mark.slow
def test_training_images_are_not_test_images(tmp_path, few_digits, capsys):
    X, y = few_digits.train
    write_csv("own.csv", X, y)
    write_csv("copy.csv", X, y)
    write_csv("other.csv", X[::-1], y[::-1])
    assert run("train", "--dataset", "own.csv", "--max-epochs", 1, "--output-dir", "run") == 0
    capsys.readouterr()
    spelled = f"../{tmp_path.name}/own.csv"
    numbers = {"own.csv": 24, spelled: 24, "copy.csv": 24, "other.csv": 120}
    for dataset, n_images in numbers.items():
        assert run("evaluate", "run", "--dataset", dataset, "--json") == 0
        assert result_of(capsys)["n_images"] == n_images


@pytest.mark.parametrize(
    "command",
    [
        "train",
        pytest.param("search", marks=pytest.mark.slow),
        pytest.param("train --from digits", marks=pytest.mark.slow),
    ],
)
def test_results_name_the_file_of_test_images(command, few_digits, capsys):
    write_csv("own.csv", *few_digits.train)
    write_csv("other.csv", *few_digits.test)
    grid = ["--grid", "lr=0.001", "--folds", 2] if command == "search" else []
    data = ["--dataset", "own.csv", "--test-dataset", "other.csv", "--output-dir", "run"]
    assert run(*command.split(), *data, *grid, "--max-epochs", 1) == 0
    path = Path("other.csv").resolve()
    out = capsys.readouterr().out
    assert f"120 images for training and 60 of {path} for testing." in out
    assert re.search(rf"Test accuracy: \S+ on 60 images of {re.escape(str(path))}\.", out)
    card = Path("run", "README.md").read_text()
    assert "# Classifier of own.csv" in card and "60 test images of other.csv" in card
    assert str(path.parent) not in card
    assert run("evaluate", "run") == 0
    assert f"60 images of {path}" in capsys.readouterr().out


@pytest.mark.slow
def test_the_configuration_of_another_run_is_not_that_of_the_model(few_digits, capsys):
    assert run("train", *QUICK, "--output-dir", "mix") == 0
    write_csv("own.csv", *few_digits.train)
    options = ["--folds", 2, "--max-epochs", 1, "--output-dir", "mix"]
    assert run("cross-validate", "--dataset", "own.csv", *options) == 0
    capsys.readouterr()
    assert run("evaluate", "mix", "--dataset", "digits", "--json") == 0
    assert result_of(capsys)["data"] == "digits"
    assert run("evaluate", "mix", "--data-home", "nowhere") == 0
    assert "INSTEAD OF MNIST" in capsys.readouterr().out


def test_labels_and_names_may_be_formulas_and_long(tmp_path, few_digits, capsys):
    names = np.array(["$\\frac$" if k % 2 else f"{k}" + "x" * 60 for k in range(10)])
    X, y = few_digits.train
    for number, (image, label) in enumerate(zip(X, names[y], strict=True)):
        folder = tmp_path / "$x_$" / label.replace("\\", "-")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.reshape(28, 28)).save(folder / f"{number}.png")
    quick = ["--max-epochs", 1, "--output-dir", "out"]
    assert run("train", "--dataset", "$x_$", *quick) == 0
    assert run("evaluate", "out") == 0
    assert capsys.readouterr().err == ""


def test_labels_are_escaped_in_html(tmp_path, digits):
    X_train, X_test, y_train, _ = digits
    names = np.array(["<b>bold</b>" if label == 1 else "A & B" for label in range(10)])
    clf = MNISTCNNClassifier(max_epochs=1, random_state=0, verbose=0)
    clf.fit(X_train, names[y_train]).save(tmp_path / "model.safetensors")
    folder = tmp_path / "own"
    (folder / "A & B").mkdir(parents=True)
    Image.fromarray(X_test[0].reshape(28, 28)).save(folder / "A & B" / "1.png")
    assert run("evaluate", tmp_path / "model.safetensors", "--dataset", folder) == 0
    text = (tmp_path / "report.html").read_text()
    assert "&lt;b&gt;bold&lt;/b&gt;" in text and "<b>bold" not in text
    assert "A &amp; B" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere cannot be read: No such file"),
        (
            ["{folder}"],
            "{folder} does not contain model.safetensors: give the output folder of train",
        ),
        ([__file__], Path(__file__).name),
        (
            ["{model}", "--dataset", "other.csv"],
            "that the classifier does not know: 77. Known labels: 0, 1",
        ),
        (["{model}", "--dataset", "digits", "--output", "/proc/x/report.html"], "cannot write"),
    ],
)
def test_evaluate_raises_errors(arguments, message, model, tmp_path, capsys):
    (tmp_path / "other.csv").write_text("77," + ",".join(["0"] * 784) + "\n")
    names = {"folder": tmp_path, "model": model}
    assert run("evaluate", *(one.format(**names) for one in arguments)) == 1
    assert message.format(**names) in error_of(capsys)
    assert not (model.parent / "report.html").exists()


# --- cross-validate ---------------------------------------------------------------------------


def test_cross_validate_repeats_cross_val_score(tmp_path, few_digits, capsys):
    assert run("cross-validate", *QUICK, "--folds", 2, "--output-dir", tmp_path, "--json") == 0
    found = result_of(capsys)
    clf = MNISTCNNClassifier(max_epochs=1, random_state=0, verbose=0)
    scores = cross_val_score(clf, *few_digits.train, cv=2)
    assert [fold["accuracy"] for fold in found["folds"]] == scores.tolist()
    assert (found["mean"], found["std"]) == pytest.approx((scores.mean(), scores.std()))
    files = [
        "README.md",
        "config.toml",
        "folds.csv",
        "history.csv",
        "loss_curves.png",
        "metrics.json",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    assert [float(row["accuracy"]) for row in read_csv(tmp_path / "folds.csv")] == scores.tolist()
    history = read_csv(tmp_path / "history.csv")
    assert [(row["fold"], row["epoch"]) for row in history] == [("1", "1"), ("2", "1")]


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_cross_validate_shows_each_fold_then_mean_and_spread(n_jobs, tmp_path, capfd):
    options = ["--folds", 2, "--n-jobs", n_jobs, "--output-dir", tmp_path]
    assert run("cross-validate", *QUICK, *options) == 0
    out, err = capfd.readouterr()
    assert err == ""
    lines = [line for line in out.splitlines() if line]
    assert lines[0] == "Data: scikit-learn's digits, 120 images in 2 folds."
    for number, first in ((1, 1), (2, 6)):
        assert lines[first] == f"Fold {number} of 2"
        assert lines[first + 1].split()[0] == "epoch" and lines[first + 3].split()[0] == "1"
        accuracy = lines[first + 4].rpartition(" ")[2]
        assert lines[first + 4].startswith("Accuracy on this fold: ")
        assert lines[11 + number].split()[:2] == [str(number), accuracy]
    assert re.fullmatch(r"Mean accuracy: 0\.\d{4} ± 0\.\d{4}", lines[14])


def test_cross_validate_is_repeated_by_its_configuration(tmp_path, capsys):
    folder = tmp_path / "a"
    assert run("cross-validate", *QUICK, "--folds", 3, "--output-dir", folder, "--json") == 0
    first = result_of(capsys)["folds"]
    config = ["--config", folder / "config.toml", "--output-dir", tmp_path / "b"]
    assert run("cross-validate", *config, "--json") == 0
    again = result_of(capsys)["folds"]
    assert [fold["accuracy"] for fold in again] == [fold["accuracy"] for fold in first]


def test_a_fold_that_diverges_is_an_error(tmp_path, capsys):
    options = ["--folds", 2, "--output-dir", tmp_path, "--lr", "1e30", "--max-epochs", 2]
    assert run("cross-validate", *QUICK, *options, "--json") == 1
    assert "diverged" in error_of(capsys) or "its training diverged" in error_of(capsys)


# --- search -----------------------------------------------------------------------------------


def test_search_gives_the_results_of_grid_search_and_trains_the_best(tmp_path, few_digits, capsys):
    grid = {"lr": [1e-3, 1e-2], "batch_size": [8, 32]}
    options = ["--grid", "lr=0.001,0.01", "--grid", "batch_size=8,32", "--folds", 2]
    assert run("search", *QUICK, *options, "--output-dir", tmp_path, "--json") == 0
    found = result_of(capsys)
    clf = MNISTCNNClassifier(max_epochs=1, random_state=0, verbose=0)
    search = GridSearchCV(clf, grid, cv=2).fit(*few_digits.train)
    assert found["best_parameters"] == search.best_params_
    means = sorted(search.cv_results_["mean_test_score"], reverse=True)
    assert [row["mean"] for row in found["candidates"]] == pytest.approx(means)
    assert found["accuracy"]["value"] == search.score(*few_digits.test)
    best = MNISTCNNClassifier.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(
        best.predict_proba(few_digits.test.X), search.predict_proba(few_digits.test.X)
    )
    assert len(read_csv(tmp_path / "candidates.csv")) == 4
    again = tmp_path / "again"
    assert run("train", "--config", tmp_path / "config.toml", "--output-dir", again) == 0
    assert (
        MNISTCNNClassifier.load(again / "model.safetensors").score(*few_digits.test)
        == found["accuracy"]["value"]
    )


@pytest.mark.slow
def test_search_in_processes_shows_the_same(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    shown = []
    for n_jobs in (1, 2):
        options = ["--grid", "lr=0.001,0.01", "--folds", 2, "--n-jobs", n_jobs]
        assert run("search", *QUICK, *options, "--output-dir", tmp_path / str(n_jobs)) == 0
        out, err = capfd.readouterr()
        assert err == ""
        shown.append(re.findall(r"^ +[12]  lr=[\d.]+  0\.\d{4} ± 0\.\d{4}$", out, re.M))
    assert len(shown[0]) == len(shown[1]) == 2


def test_a_failed_candidate_is_the_last_and_not_an_error(tmp_path, capsys):
    options = ["--grid", "lr=1e30,0.001", "--folds", 2, "--max-epochs", 2]
    assert run("search", *QUICK, *options, "--output-dir", tmp_path) == 0
    out, err = capsys.readouterr()
    assert "   1  lr=1e+30  failed" in out
    assert "warning: candidate 1 failed: " in err
    rows = read_csv(tmp_path / "candidates.csv")
    assert [row["number"] for row in rows] == ["2", "1"] and rows[1]["mean"] == ""


def test_a_search_in_which_all_fail_is_an_error(tmp_path, capsys):
    options = ["--grid", "lr=1e30,1e31", "--folds", 2, "--max-epochs", 2]
    assert run("search", *QUICK, *options, "--output-dir", tmp_path) == 1
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .endswith("error: every candidate failed: see the warnings above")
    )


def test_n_iter_draws_candidates_with_the_seed(tmp_path, capsys):
    options = ["--grid", "lr=0.001,0.002,0.004,0.008", "--n-iter", 2, "--folds", 2]
    found = []
    for name in ("a", "b"):
        assert run("search", *QUICK, *options, "--output-dir", tmp_path / name, "--json") == 0
        found.append([row["parameters"] for row in result_of(capsys)["candidates"]])
    assert len(set(found[0])) == 2 and found[0] == found[1]


@pytest.mark.slow
def test_n_iter_is_repeated_by_its_configuration(tmp_path, capsys):
    options = ["--grid", "lr=0.001,0.002,0.004", "--grid", "random_state=1,2", "--n-iter", 2]
    assert run("search", *QUICK, *options, "--folds", 2, "--output-dir", "a", "--json") == 0
    first = result_of(capsys)["candidates"]
    assert run("search", "--config", "a/config.toml", "--output-dir", "b", "--json") == 0
    again = result_of(capsys)["candidates"]
    for row in (*first, *again):
        del row["seconds"]
    assert first == again and len(first) == 2


def test_a_candidate_of_the_wrong_type_is_the_last(tmp_path, capsys):
    options = ["--grid", "module__dropout=abc,0.5", "--folds", 2, "--output-dir", "out"]
    assert run("search", *QUICK, *options) == 0
    assert "warning: candidate 1 failed" in capsys.readouterr().err


def test_json_is_the_only_output_whatever_verbose_is(tmp_path, capsys):
    assert run("train", *QUICK, "--set", "verbose=2", "--output-dir", "out", "--json") == 0
    assert result_of(capsys)["data"] == "digits"


def test_search_is_repeated_by_its_configuration(tmp_path, capsys):
    options = ["--grid", "optimizer=Adam,AdamW", "--grid", "augment=none", "--folds", 2]
    assert run("search", *QUICK, *options, "--output-dir", tmp_path / "a", "--json") == 0
    first = result_of(capsys)
    config = ["--config", tmp_path / "a" / "config.toml", "--output-dir", tmp_path / "b"]
    assert run("search", *config, "--json") == 0
    again = result_of(capsys)
    for name in ("best_parameters", "accuracy", "confusion_matrix"):
        assert again[name] == first[name]


# --- export -----------------------------------------------------------------------------------


def test_export_to_onnx(model, few_digits, capsys):
    onnxruntime = pytest.importorskip("onnxruntime")
    assert run("export", model) == 0
    path = model.with_suffix(".onnx")
    assert f"Written to {path}" in capsys.readouterr().out
    session = onnxruntime.InferenceSession(str(path))
    labels, proba = session.run(None, {"X": few_digits.test.X})
    clf = MNISTCNNClassifier.load(model)
    assert labels.tolist() == clf.predict(few_digits.test.X).tolist()
    np.testing.assert_allclose(proba, clf.predict_proba(few_digits.test.X), atol=1e-5)


def test_export_to_torch(model, few_digits, tmp_path, capsys):
    path = tmp_path / "there" / "own.pt2"
    assert run("export", model, "--format", "torch", "--output", path, "--json") == 0
    assert result_of(capsys) == {
        "file": str(path), "format": "torch", "shape": [784], "dtype": "uint8"
    }  # fmt: skip
    codes, _ = torch.export.load(path).module()(torch.from_numpy(few_digits.test.X))
    clf = MNISTCNNClassifier.load(model)
    assert clf.classes_[codes.numpy()].tolist() == clf.predict(few_digits.test.X).tolist()


def test_exports_of_two_versions_do_not_replace_each_other(model, capsys):
    for name in ("digits.v1", "digits.v2"):
        shutil.copy(model, model.with_name(name))
        assert run("export", model.with_name(name), "--format", "torch") == 0
    assert {path.name for path in model.parent.glob("*.pt2")} == {"digits.v1.pt2", "digits.v2.pt2"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folds.csv", "contains a cross-validation, which does not save a classifier"),
        ("checkpoint/run.json", "was interrupted: repeat its command with --resume"),
    ],
)
def test_folders_without_a_model_say_why(name, message, tmp_path, capsys):
    (tmp_path / "out" / name).parent.mkdir(parents=True)
    (tmp_path / "out" / name).write_text("")
    assert run("export", tmp_path / "out") == 1
    assert message in error_of(capsys)


def test_export_to_an_unwritable_path(model, capsys):
    assert run("export", model, "--output", "/proc/x/model.onnx") == 1
    assert error_of(capsys).endswith("choose another with --output")


# --- as processes -----------------------------------------------------------------------------


def process(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "skorch_mnist", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def test_commands_return_their_status(model, tmp_path, capfd):
    quick = [*QUICK, "--output-dir", tmp_path / "out", "--json"]
    for arguments in (
        ["evaluate", model, "--dataset", "digits", "--json"],
        ["export", model, "--format", "torch", "--json"],
        ["cross-validate", *quick, "--folds", 2, "--recipe", "fast"],
    ):
        assert run(*arguments) == 0
        assert isinstance(result_of(capfd), dict)
    for arguments, status in (
        (["evaluate", "nowhere"], 1),
        (["export", "nowhere"], 1),
        (["cross-validate", "--dataset", model, "--output-dir", tmp_path / "out"], 1),
        (["search", "--dataset", "digits"], 2),
    ):
        assert run(*arguments) == status
        out, err = capfd.readouterr()
        assert (out, len(err.splitlines())) == ("", 1)


@pytest.mark.slow
def test_processes_end_with_their_status(model):
    done = process("evaluate", model, "--dataset", "digits", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert isinstance(json.loads(done.stdout), dict)
    for arguments, status in ((["evaluate", "nowhere"], 1), (["search", "--dataset", "digits"], 2)):
        done = process(*arguments)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (status, "", 1)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["cross-validate", "search"])
def test_an_interrupted_process_resumes(command, tmp_path, capsys):
    grid = ["--grid", "lr=0.001,0.002"] if command == "search" else []
    write_csv("own.csv", *load_digits28(return_X_y=True))
    options = ["--dataset", "own.csv", "--max-epochs", 2, "--folds", 2, *grid, "--output-dir"]
    arguments = [sys.executable, "-u", "-m", "skorch_mnist", command, *options, "out"]
    waits_for = "Accuracy on" if command == "cross-validate" else "   1  lr=0.001"
    with subprocess.Popen(
        [*map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        for line in running.stdout:
            if line.startswith(waits_for):
                running.send_signal(signal.SIGINT)
                break
        _, err = running.communicate()
    assert running.returncode == 130
    expected = (
        "interrupted: the finished epochs were saved; add --resume to the same command to continue"
    )
    assert expected in err.splitlines()[-1]
    assert list((tmp_path / "out" / "checkpoint").glob("training-*/training.safetensors"))
    found = []
    for last in (["out", "--resume"], ["whole"]):
        assert run(command, *options, *last, "--json") == 0
        found.append(result_of(capsys))
    key = "mean" if command == "cross-validate" else "confusion_matrix"
    assert found[0][key] == found[1][key]
    assert not (tmp_path / "out" / "checkpoint").exists()


def test_no_color_is_respected():
    done = process("--help", NO_COLOR="1", FORCE_COLOR="1")
    assert done.returncode == 0 and "\x1b[3" not in done.stdout


# --- completion in shells ---------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_a_script_for_completion(shell, monkeypatch, capsys):
    monkeypatch.setenv("_SKORCH_MNIST_COMPLETE", f"source_{shell}")
    assert cli.main([]) == 0
    assert "skorch-mnist" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("cross", "cross-validate"),
        ("train --dataset k", "kmnist"),
        ("train --recipe a", "accurate"),
        ("train --set batch_s", "batch_size="),
    ],
)
def test_commands_datasets_recipes_and_parameters_are_completed(
    words, completed, monkeypatch, capsys
):
    monkeypatch.setenv("_SKORCH_MNIST_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"skorch-mnist {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split())))
    assert cli.main([]) == 0
    assert capsys.readouterr().out.split() == [completed]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium on this machine")
def test_chromium_shows_all_pictures_of_the_page(model, tmp_path):
    assert run("evaluate", model, "--dataset", "digits") == 0
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    options += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    script = (
        "<script>const broken = [...document.images].filter(i => !i.naturalWidth).length;"
        "document.title = `${document.images.length} pictures, ${broken} broken`</script></body>"
    )
    text = (model.parent / "report.html").read_text()
    text = text.replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'")
    page = tmp_path / "page.html"
    page.write_text(text.replace("</body>", script))
    done = subprocess.run(
        ["chromium", *options, f"--user-data-dir={tmp_path}/profile", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "<title>5 pictures, 0 broken</title>" in done.stdout
