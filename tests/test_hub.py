"""Sharing: uploads to a server that answers like the Hugging Face Hub, downloads, and cards."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import quick, toy, write_forged
from loopback_hub import running_hub
from sklearn.exceptions import NotFittedError
from torch import nn

from skorch_mnist import MNISTCNNClassifier
from skorch_mnist.cli import main
from skorch_mnist.recipes import FAST
from skorch_mnist.rejection import RejectingClassifier

constants = pytest.importorskip("huggingface_hub.constants")
# Of the HTTP library that huggingface_hub uses.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with running_hub() as server:
        # What HF_ENDPOINT, HF_HUB_CACHE and HF_HUB_DISABLE_XET do in a new process.
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, server.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", "hf_test")
        monkeypatch.chdir(tmp_path)
        yield server


@pytest.fixture(scope="module")
def clf():
    return quick().fit(*toy(classes=("ant", "bee", "cow")))


def card_of(hub, repo_id="me/digits"):
    return hub.repositories[repo_id][-1]["README.md"].decode()


def test_a_round_trip_gives_bit_identical_probabilities(hub, clf):
    X, _ = toy()
    clf.push_to_hub("me/digits")
    again = MNISTCNNClassifier.from_pretrained("me/digits")
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    assert set(hub.repositories["me/digits"][-1]) == {"model.safetensors", "README.md"}


def test_a_commit_is_loaded_again_after_later_ones(hub, clf):
    X, y = toy()
    first = clf.push_to_hub("me/digits")
    quick(random_state=1).fit(X, y).push_to_hub("me/digits")
    again = MNISTCNNClassifier.from_pretrained("me/digits", revision=first)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    newest = MNISTCNNClassifier.from_pretrained("me/digits")
    assert newest.classes_.tolist() == [0, 1, 2]


def test_a_local_path_wins_over_a_repository_of_the_same_name(hub, clf, tmp_path):
    quick(random_state=1).fit(*toy()).push_to_hub("me/digits")
    (tmp_path / "me" / "digits").mkdir(parents=True)
    clf.save("me/digits/model.safetensors")
    hub.requests.clear()
    assert MNISTCNNClassifier.from_pretrained("me/digits").classes_[0] == "ant"
    assert hub.requests == []
    with pytest.raises(ValueError, match="revision='main' is not valid"):
        MNISTCNNClassifier.from_pretrained("me/digits", revision="main")


def test_a_file_of_the_same_name_wins_over_a_repository(hub, clf, tmp_path):
    quick(random_state=1).fit(*toy()).push_to_hub("me/digits")
    (tmp_path / "me").mkdir()
    clf.save("me/digits")
    assert MNISTCNNClassifier.from_pretrained("me/digits").classes_[0] == "ant"


@pytest.mark.parametrize("revision", [None, "main"])
def test_a_folder_without_a_model_does_not_hide_a_repository(hub, clf, tmp_path, revision):
    clf.push_to_hub("me/digits")
    (tmp_path / "me" / "digits").mkdir(parents=True)
    again = MNISTCNNClassifier.from_pretrained("me/digits", revision=revision)
    assert again.classes_[0] == "ant"


def test_a_path_is_never_read_from_the_hub(hub, clf, tmp_path):
    clf.push_to_hub("me/digits")
    hub.requests.clear()
    with pytest.raises(ValueError, match=r"it must be .* an existing file or folder"):
        MNISTCNNClassifier.from_pretrained(Path("me/digits"))
    (tmp_path / "me" / "digits").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors"):
        MNISTCNNClassifier.from_pretrained(Path("me/digits"))
    assert hub.requests == []


def test_the_errors_name_a_folder_without_a_model(hub, tmp_path, monkeypatch):
    (tmp_path / "me" / "digits").mkdir(parents=True)
    missing = re.escape(f"{Path('me', 'digits', 'model.safetensors')} does not exist, and ")
    with pytest.raises(OSError, match=f"{missing}.* cannot be read from the Hub"):
        MNISTCNNClassifier.from_pretrained("me/digits")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=f"{missing}.* requires huggingface_hub"):
        MNISTCNNClassifier.from_pretrained("me/digits")


def test_a_file_from_the_hub_is_audited_like_any_other(hub, clf, tmp_path):
    clf.save(tmp_path / "model.safetensors")
    content = bytearray((tmp_path / "model.safetensors").read_bytes())
    content[-1] ^= 1
    hub.commit("me/digits", **{"model.safetensors": bytes(content)})
    with pytest.raises(ValueError, match="damaged or not a model file"):
        MNISTCNNClassifier.from_pretrained("me/digits")


def test_what_is_missing_on_the_hub_raises_an_error(hub, clf):
    hub.commit("me/empty", **{"README.md": b""})
    for name, revision in [("me/none", None), ("me/empty", None), ("me/empty", "v9")]:
        with pytest.raises(OSError, match=f"{name} cannot be read from the Hub. Check the name"):
            MNISTCNNClassifier.from_pretrained(name, revision=revision)


def test_a_hub_that_cannot_be_reached_is_an_error(hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OSError, match="me/digits cannot be read from the Hub"):
        MNISTCNNClassifier.from_pretrained("me/digits")


@pytest.mark.parametrize("clf", [quick(), RejectingClassifier(quick())])
def test_a_classifier_that_is_not_fitted_is_not_uploaded(hub, clf):
    with pytest.raises(NotFittedError):
        clf.push_to_hub("me/digits")
    assert hub.requests == []


def test_a_forged_file_on_the_hub_is_refused(hub, clf, tmp_path):
    path = tmp_path / "model.safetensors"
    clf.save(path)
    write_forged(path, lambda manifest: manifest["params"].update(optimizer={"class": "os.system"}))
    hub.commit("me/digits", **{"model.safetensors": path.read_bytes()})
    with pytest.raises(ValueError, match=r"'os\.system', which is not one of"):
        MNISTCNNClassifier.from_pretrained("me/digits")


def test_the_classifier_of_the_package_has_no_revisions():
    with pytest.raises(ValueError, match="revision='v1' is not valid"):
        MNISTCNNClassifier.from_pretrained("digits", revision="v1")


@pytest.mark.parametrize("private", [None, True])
def test_a_new_repository_is_private_if_asked(hub, clf, private):
    clf.push_to_hub("me/digits", private=private)
    assert hub.private["me/digits"] is private


def test_a_round_trip_keeps_the_rejection(hub, clf, digits):
    rejecting = RejectingClassifier.from_pretrained("digits").set_params(accept=0.9)
    commit = rejecting.push_to_hub("me/digits", metrics={"accuracy": 0.98765})
    again = RejectingClassifier.from_pretrained("me/digits", revision=commit)
    X = np.concatenate([digits[1][:30], 255 - digits[1][:10]])
    np.testing.assert_array_equal(again.score_samples(X), rejecting.score_samples(X))
    np.testing.assert_array_equal(again.predict(X), rejecting.predict(X))
    alone = MNISTCNNClassifier.from_pretrained("me/digits")
    np.testing.assert_array_equal(alone.predict(X), rejecting.estimator_.predict(X))
    assert "| accuracy | 0.9877 |" in card_of(hub)
    [code] = re.findall("```python\n(.*?)```", card_of(hub), re.DOTALL)
    exec(code, given := {"X": X})
    np.testing.assert_array_equal(given["labels"], again.set_params(accept=0.9).predict(X))


def test_a_classifier_without_rejection_is_not_one_with_it(hub, clf):
    clf.push_to_hub("me/plain")
    with pytest.raises(ValueError, match="it does not reject images"):
        RejectingClassifier.from_pretrained("me/plain")


def test_an_own_network_is_given_as_in_load(hub):
    X, y = toy()
    linear = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    clf = quick(module=linear).fit(X, y)
    clf.push_to_hub("me/digits")
    again = MNISTCNNClassifier.from_pretrained("me/digits", module=linear)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))


def test_the_error_without_huggingface_hub_names_the_extra(clf, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"skorch_mnist\[hub\]"):
        clf.push_to_hub("me/digits")


# --- cards ----------------------------------------------------------------------------------


def test_the_card_has_metrics_recipe_and_history(hub):
    X, y = toy(90, shape=(20, 20))
    clf = MNISTCNNClassifier(**{**FAST, "train_split": 0.2}, random_state=7, verbose=0).fit(X, y)
    clf.push_to_hub("me/digits", metrics={"accuracy": 0.98765})
    card = card_of(hub)
    assert 'MNISTCNNClassifier.from_pretrained("me/digits")' in card
    assert "| accuracy | 0.9877 |" in card
    assert "| random\\_state | 7 |" in card
    assert f"| 1 | {clf.history_[0, 'train_loss']:.4f} |" in card
    assert "20x20 pixels, uint8, 0 to 255" in card


def test_the_card_names_the_recipe(hub):
    clf = MNISTCNNClassifier(**FAST, verbose=0).fit(*toy(90, shape=(20, 20)))
    clf.push_to_hub("me/digits")
    assert "The recipe `FAST` of `skorch_mnist.recipes`." in card_of(hub)


def test_the_metadata_are_read_by_the_client_of_the_hub(hub, clf):
    from huggingface_hub import ModelCard

    clf.push_to_hub("me/digits", metrics={"accuracy": 0.5})
    data = ModelCard(card_of(hub)).data
    assert data.library_name == "skorch_mnist"
    assert data.pipeline_tag == "image-classification"


def test_the_folder_of_a_run_is_a_repository(hub, few_digits, tmp_path):
    from huggingface_hub import ModelCard

    assert main(["train", "--dataset", "digits", "--max-epochs", "1", "--output-dir", "run"]) == 0
    files = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    hub.commit("me/run", **files)
    one, other = map(MNISTCNNClassifier.from_pretrained, ("me/run", "run"))
    X, _ = toy(shape=(28, 28))
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    [accuracy, *_] = ModelCard(files["README.md"].decode()).data.eval_results
    assert accuracy.metric_type == "accuracy" and 0 < accuracy.metric_value <= 1


def test_a_cross_validation_has_a_card(hub, few_digits):
    np.savez("own.npz", *few_digits.train)
    options = ["--dataset", "own.npz", "--max-epochs", "1", "--folds", "2", "--output-dir", "run"]
    assert main(["cross-validate", *options]) == 0
    card = Path("run/README.md").read_text(encoding="utf-8")
    assert "# Cross-validation on own.npz" in card
    assert "| mean accuracy | 0." in card and "## Folds" in card
    assert str(Path.cwd()) not in card


def test_labels_do_not_break_the_card(hub):
    labels = ("<script>", "a | b", "new\nline")
    quick().fit(*toy(classes=labels)).push_to_hub("me/digits")
    card = card_of(hub)
    assert "\\<script\\>" in card and "a \\| b" in card and "new line" in card


def test_the_card_of_a_long_run_shows_some_epochs(hub):
    quick(max_epochs=45, module__dropout=0.0).fit(*toy(20)).push_to_hub("me/digits")
    rows = [line for line in card_of(hub).splitlines() if line.startswith(("| 1 ", "| 45 "))]
    assert len(rows) == 2
    assert card_of(hub).partition("## History")[2].count("\n| ") <= 24
