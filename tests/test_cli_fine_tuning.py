"""``train --from``: a fitted classifier is trained further."""

from __future__ import annotations

import contextlib
import io
import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import assert_same_weights, quick
from outliers import outliers
from PIL import Image
from synthetic_pictures import draw_print
from torch.optim import AdamW

from skorch_mnist import DigitPreprocessor, MNISTCNNClassifier, cli, load_digits28, rejection
from skorch_mnist.pretrained import load_exemplars

pytestmark = pytest.mark.usefixtures("few_digits")


def write_pictures(folder, X, y):
    """Write pictures by class: enlarged, dark on light."""
    for i, (image, label) in enumerate(zip(X.reshape(-1, 28, 28), y, strict=True)):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(255 - np.pad(image, 6)).resize((80, 80))
        picture.save(folder / str(label) / f"{i}.png")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Four pictures of each digit, 28x28 once they are preprocessed."""
    folder = tmp_path_factory.mktemp("pictures")
    X, y = load_digits28(return_X_y=True)
    rows = np.concatenate([np.flatnonzero(y == digit)[:4] for digit in range(10)])
    write_pictures(folder, X[rows], y[rows])
    return str(folder)


@pytest.fixture(scope="module")
def tuned(pictures, tmp_path_factory):
    """Folder and output of a run that trains the pretrained classifier further."""
    folder = tmp_path_factory.mktemp("tuned")
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert train("--preprocess", "--dataset", pictures, folder=folder) == 0
    return folder, out.getvalue()


@pytest.fixture(scope="module")
def rejecting(tmp_path_factory):
    """File of a small classifier that rejects images."""
    path = tmp_path_factory.mktemp("rejecting") / "model.safetensors"
    X, y = load_digits28(return_X_y=True)
    clf = quick(max_epochs=1, optimizer=AdamW, optimizer__weight_decay=0.1)
    clf = rejection.RejectingClassifier(clf, accept=1, random_state=0)
    clf.fit(pd.DataFrame(X[:300]).add_prefix("pixel"), y[:300]).save(path)
    return path


@pytest.fixture
def own(tmp_path):
    """File of a hundred images."""
    X, y = load_digits28(return_X_y=True)
    np.savez_compressed(tmp_path / "own.npz", images=X[:100], labels=y[:100])
    return "own.npz"


def train(*options, start="digits", folder="tuned"):
    command = ["train", "--from", start, "--max-epochs", "1", "--output-dir", folder, *options]
    return cli.main([*map(str, command)])


def error_of(capsys):
    *_, line = capsys.readouterr().err.splitlines()
    assert line.startswith("skorch-mnist: error: ")
    return line


def load(folder="tuned"):
    return MNISTCNNClassifier.load(Path(folder) / "model.safetensors")


def test_the_pretrained_classifier_learns_pictures(tuned):
    folder, out = tuned
    assert "Added 600 of the images that digits was trained on" in out
    assert "Test accuracy before training: " in out
    assert re.search(r"^Accepted before training: [01]\.\d{4}$", out, re.MULTILINE)
    assert re.search(r"^Accepted: [01]\.\d{4}$", out, re.MULTILINE)
    assert "model.safetensors      the trained classifier, for skorch_mnist.rejection.load" in out
    before = MNISTCNNClassifier.from_pretrained("digits")
    after = load(folder)
    assert after.n_iter_ == before.n_iter_ + 1
    assert f"The epochs continue from {before.n_iter_}, the last one" in out
    assert after.pixel_statistics_ == before.pixel_statistics_
    X, y = load_exemplars(return_X_y=True)
    assert after.score(X, y) > 0.95
    start = tomllib.loads((folder / "config.toml").read_text())["from"]
    assert start["model"] == "digits" and len(start["sha256"]) == 64


def test_what_was_accepted_before_is_still_accepted(tuned):
    folder, _ = tuned
    after = rejection.load(folder / "model.safetensors")
    before = rejection.RejectingClassifier.from_pretrained("digits").set_params(accept=0.995)
    assert after.accept == before.accept and after.threshold_ <= before.threshold_
    assert_same_weights(after.estimator_, load(folder))
    prints = [draw_print(i % 10, np.random.default_rng([3, i])) for i in range(40)]
    X = DigitPreprocessor().transform(prints)  # other digits than those of the pictures
    assert after.score_samples(X).mean() > before.score_samples(X).mean() - 0.015
    assert np.mean(after.predict(X) != -1) >= np.mean(before.predict(X) != -1)
    assert (after.predict(np.zeros((2, 784), np.uint8)) == -1).all()
    assert np.mean(after.predict(outliers("shapes", 100, seed=0)) == -1) > 0.9


def test_json_has_the_figures_before_and_after(rejecting, own, capsys):
    assert train("--dataset", own, "--json", start=rejecting) == 0
    out, err = capsys.readouterr()
    assert err == ""
    result = json.loads(out)
    assert 0 <= result["accuracy_before"] <= 1 and 0 <= result["accepted_before"] <= 1
    assert 0 <= result["rejection"]["accepted"]["value"] <= 1
    assert result["rejection"] == json.loads(Path("tuned/metrics.json").read_text())["rejection"]


@pytest.mark.slow
def test_a_run_is_repeated_by_its_configuration(pictures):
    assert train("--preprocess", "--dataset", pictures) == 0
    assert cli.main(["train", "--config", "tuned/config.toml", "--output-dir", "again"]) == 0
    one, other = (rejection.load(f"{name}/model.safetensors") for name in ("tuned", "again"))
    assert_same_weights(one.estimator_, other.estimator_)
    assert_same_weights(one.detector_, other.detector_)
    np.testing.assert_array_equal(one.score_quantiles_, other.score_quantiles_)


@pytest.mark.slow
def test_a_run_is_resumed_to_the_same_weights(pictures, monkeypatch, capsys):
    options = "--preprocess", "--dataset", pictures, "--set", "max_epochs=3"
    command = ["train", "--from", "digits", *options, "--output-dir"]
    assert cli.main([*command, "whole"]) == 0
    epochs = []

    def interrupt(self, *args, **kwargs):
        epochs.append(1)
        if len(epochs) == 3:
            raise KeyboardInterrupt
        return run_single_epoch(self, *args, **kwargs)

    run_single_epoch = MNISTCNNClassifier.run_single_epoch
    with monkeypatch.context() as patch:
        patch.setattr(MNISTCNNClassifier, "run_single_epoch", interrupt)
        assert cli.main([*command, "parts"]) != 0
    assert "--resume" in capsys.readouterr().err
    assert cli.main([*command, "parts", "--resume"]) == 0
    assert_same_weights(load("whole"), load("parts"))


def test_a_folder_of_a_run_and_other_classes(tmp_path, capsys):
    X, y = load_digits28(return_X_y=True)
    few = y < 3
    X, y = X[few][:90], np.array(["none", "one", "two"])[y[few][:90]]
    Path("run").mkdir()
    quick(max_epochs=1).fit(X, y).save("run/model.safetensors")
    for label in set(y):
        Path("words", label).mkdir(parents=True)
    for i, (image, label) in enumerate(zip(X.reshape(-1, 28, 28), y, strict=True)):
        Image.fromarray(image).save(Path("words", label, f"{i}.png"))
    assert train("--dataset", "words", start="run") == 0
    out = capsys.readouterr().out
    assert "may forget what it has learned" in out and "for MNISTCNNClassifier.load" in out
    assert "Accepted" not in out
    assert load().n_iter_ == 2
    assert tomllib.loads(Path("tuned/config.toml").read_text())["from"]["model"] == str(
        Path("run/model.safetensors").resolve()
    )


def test_names_of_columns_are_not_expected(rejecting, own, tmp_path, capsys):
    assert rejection.load(rejecting).feature_names_in_[0] == "pixel0"
    assert train("--dataset", own, start=rejecting) == 0
    report = ["--output", str(tmp_path / "report.html")]
    assert cli.main(["evaluate", str(rejecting), "--dataset", own, *report]) == 0
    assert capsys.readouterr().err == ""


def test_parameters_of_fine_tuning_can_be_set(rejecting, own):
    options = ["--set", "augment=none", "--set", "optimizer=SGD", "--lr", "0.01"]
    assert train("--dataset", own, *options, start=rejecting) == 0
    tuned = load()
    assert tuned.augment is None and tuned.lr == 0.01
    assert tuned.optimizer.__name__ == "SGD"
    assert not hasattr(tuned, "optimizer__weight_decay")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--set", "module__widths=(8, 16)"],
            "module__widths cannot be set, because --from keeps the network of digits",
        ),
        (
            ["--set", "module=MNISTCNN"],
            "module cannot be set, because --from keeps the network of digits",
        ),
        (["--recipe", "fast"], "--recipe cannot be combined with --from"),
        (["--lr", "-1"], "lr"),
    ],
)
def test_bad_options_are_refused_before_any_work(options, message, pictures, capsys):
    assert train("--preprocess", "--dataset", pictures, *options) == 2
    assert message in error_of(capsys)
    assert not Path("tuned").exists()


def test_a_missing_model_is_named(pictures, capsys):
    assert train("--preprocess", "--dataset", pictures, start="missing.safetensors") == 1
    assert "missing.safetensors cannot be read" in error_of(capsys)


def test_labels_that_the_classifier_does_not_know_are_refused(tmp_path, capsys):
    X, y = load_digits28(return_X_y=True)
    write_pictures(tmp_path / "more", X[:20], y[:20] + 5)
    assert train("--preprocess", "--dataset", "more") == 1
    message = error_of(capsys)
    assert "the images have labels that the classifier does not know: 10, 11" in message
    assert not Path("tuned").exists()


def test_images_of_another_size_are_refused(tmp_path, capsys):
    for label in ("0", "1"):
        Path("small", label).mkdir(parents=True)
        for i in range(5):
            Image.new("L", (20, 20), i).save(Path("small", label, f"{i}.png"))
    for command in (["train", "--from", "digits"], ["evaluate", "digits", "--output", "a.html"]):
        assert cli.main([*command, "--dataset", "small"]) == 1
        message = error_of(capsys)
        assert "400 pixels" in message and "28x28: add --preprocess" in message
