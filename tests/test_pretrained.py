"""The classifiers that come with the package."""

from __future__ import annotations

import socket

import numpy as np
import pytest
from helpers import assert_same_weights

from skorch_mnist import MNISTCNNClassifier, load_digits28
from skorch_mnist.pretrained import MODELS, model_path


@pytest.fixture(scope="module")
def pretrained():
    return MNISTCNNClassifier.from_pretrained("digits")


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_a_small_file_with_a_card(name):
    path = model_path(name)
    assert path.stem == name
    assert path.stat().st_size <= 1_000_000
    assert path.with_suffix(".md").read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("name", ["digts", "", "digits.safetensors", None])
@pytest.mark.parametrize("find", [model_path, MNISTCNNClassifier.from_pretrained])
def test_the_error_for_an_unknown_name_lists_the_names(find, name):
    with pytest.raises(ValueError, match=r"name=.* is not valid: it must be one of \"digits\""):
        find(name)


def test_the_model_of_digits_takes_images_of_mnist(pretrained):
    np.testing.assert_array_equal(pretrained.classes_, range(10))
    assert pretrained.image_shape_ == (1, 28, 28)
    assert pretrained.n_features_in_ == 784
    assert pretrained.pixel_statistics_.low == 0 and pretrained.pixel_statistics_.high == 255


def test_the_model_of_digits_reads_mnist(pretrained, mnist):
    _, X_test, _, y_test = mnist
    assert pretrained.score(X_test[:2000], y_test[:2000]) >= 0.98


def test_no_network_access_is_needed(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    MNISTCNNClassifier.from_pretrained("digits")


def test_a_subclass_gets_its_own_type():
    class Mine(MNISTCNNClassifier):
        pass

    assert type(Mine.from_pretrained("digits")) is Mine


def test_each_call_returns_a_new_classifier(pretrained):
    other = MNISTCNNClassifier.from_pretrained("digits")
    assert other is not pretrained
    assert_same_weights(other, pretrained)


def test_it_is_silent_and_can_be_trained_further(digits, tmp_path, capfd):
    X, _, y, _ = digits
    clf = MNISTCNNClassifier.from_pretrained("digits")
    assert clf.verbose == 0
    epochs = clf.n_iter_
    clf.partial_fit(X[:64], y[:64])
    clf.set_params(warm_start=True, max_epochs=1).fit(X[:64], y[:64])
    assert clf.n_iter_ == epochs + 2
    clf.save(tmp_path / "more.safetensors")
    assert_same_weights(MNISTCNNClassifier.load(tmp_path / "more.safetensors"), clf)
    assert capfd.readouterr() == ("", "")


def test_it_reads_other_handwriting(pretrained):
    X, y = load_digits28(return_X_y=True)
    assert pretrained.score(X, y) > 0.9
