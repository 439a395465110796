"""The classifier that comes with the package, the digits it learns from, and its script."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers import assert_same_weights
from hypothesis import given, settings
from hypothesis import strategies as st

import skorch_mnist
from skorch_mnist import DigitPreprocessor, MNISTCNNClassifier, load_digits28
from skorch_mnist.pretrained import EXEMPLARS, _printed, build, load_exemplars
from skorch_mnist.pretrained._drawn import draw_digit
from skorch_mnist.pretrained._pictured import enlarged, picture_of
from skorch_mnist.pretrained._printed import font_files, print_character
from skorch_mnist.recipes import FINE_TUNE

PRETRAINED = {"digits": Path(skorch_mnist.__file__).parent / "pretrained" / "digits.safetensors"}
few = settings(deadline=None, max_examples=40)
digits_and_seeds = given(digit=st.integers(0, 9), seed=st.integers(0, 2**31))


@pytest.fixture(scope="module")
def pretrained():
    return MNISTCNNClassifier.from_pretrained("digits")


@pytest.mark.parametrize("path", PRETRAINED.values(), ids=list(PRETRAINED))
def test_every_model_is_a_small_file_with_a_card(path):
    assert path.stat().st_size <= 1_000_000
    assert path.with_suffix(".md").read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("name", ["digts", "", "digits.safetensors", None, ["digits"]])
def test_the_error_for_an_unknown_name_lists_the_names(name):
    with pytest.raises(ValueError, match=r"name=.* is not valid: it must be \"digits\""):
        MNISTCNNClassifier.from_pretrained(name)


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


# --- generated digits ------------------------------------------------------------------------


@few
@digits_and_seeds
def test_a_drawn_digit_is_ink_of_about_the_height(digit, seed):
    ink = draw_digit(digit, 60.0, np.random.default_rng(seed))
    assert ink.dtype == np.float32 and ink.min() == 0 and ink.max() == 1
    rows = np.flatnonzero((ink > 0.5).any(axis=1))
    assert 40 < np.ptp(rows) < 100
    edges = ink[0].max(), ink[-1].max(), ink[:, 0].max(), ink[:, -1].max()
    assert max(edges) == 0  # nothing is cut off


@few
@digits_and_seeds
def test_a_seed_draws_the_same_digit_and_picture_again(digit, seed):
    first, again = (
        picture_of(draw_digit(digit, 40.0, rng), rng)
        for rng in (np.random.default_rng(seed), np.random.default_rng(seed))
    )
    np.testing.assert_array_equal(first, again)


@few
@digits_and_seeds
def test_a_digit_is_found_in_its_picture(digit, seed):
    rng = np.random.default_rng(seed)
    ink = draw_digit(digit, 40.0, rng)
    picture = picture_of(ink, rng)
    assert picture.dtype == np.uint8 and np.all(np.array(picture.shape) > ink.shape)
    assert DigitPreprocessor().transform([picture]).any()


def test_forms_of_a_digit_differ():
    rng = np.random.default_rng(0)
    assert len({draw_digit(1, 40.0, rng).tobytes() for _ in range(20)}) == 20


def test_an_image_of_mnist_keeps_its_shape_when_it_is_enlarged(digits):
    image, rng = digits[0][0].reshape(28, 28), np.random.default_rng(0)
    for _ in range(20):
        ink = enlarged(image, rng)
        assert ink.dtype == np.float32 and 0 <= ink.min() < 0.1 and 0.9 < ink.max() <= 1
        assert ink.shape[0] == ink.shape[1] >= 28


def test_fonts_name_the_packages_that_are_missing(monkeypatch):
    nothing = subprocess.CompletedProcess([], 1, stdout="")
    monkeypatch.setattr(_printed.shutil, "which", lambda name: "/usr/bin/dpkg")
    monkeypatch.setattr(_printed.subprocess, "run", lambda *args, **kwargs: nothing)
    with pytest.raises(
        FileNotFoundError, match=r"apt-get install .*fonts-3270 fonts-adf-accanthis"
    ):
        font_files(np.random.default_rng(0))
    monkeypatch.setattr(_printed.shutil, "which", lambda name: None)
    with pytest.raises(FileNotFoundError, match="Debian packages"):
        font_files(np.random.default_rng(0))


def test_a_printed_digit_has_the_height_of_the_font_that_was_asked_for():
    font = pytest.importorskip("matplotlib").get_data_path() + "/fonts/ttf/DejaVuSans.ttf"
    ink = print_character("8", font, 30.0, np.random.default_rng(0))
    assert ink.shape[0] == 30 and 10 < ink.shape[1] < 30
    assert ink.dtype == np.float32 and ink.max() > 0.9


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.* of generated outliers:UserWarning")  # from so few images
def test_the_script_builds_the_same_file_again(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(_printed, "FAMILIES", ["3270", "adf-accanthis"])
    try:
        font_files(np.random.default_rng(0))
    except FileNotFoundError as error:
        pytest.skip(str(error))
    monkeypatch.setattr(build, "fetch_mnist", lambda **_: (digits[0], digits[2]))
    monkeypatch.setattr(build, "N_DRAWN", 50)
    monkeypatch.setattr(build, "N_PICTURED", 50)
    monkeypatch.setattr(build, "N_DOTTED", 50)
    monkeypatch.setattr(build, "ROBUST", {**build.ROBUST, "max_epochs": 1})
    monkeypatch.setattr(build, "N_MNIST", len(digits[0]))
    for name in ("first", "again"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr("sys.argv", ["build", str(tmp_path / name / "model")])
        build.main()
    for path in (Path("model"), *EXEMPLARS):
        first, again = ((tmp_path / name / path.name) for name in ("first", "again"))
        assert first.read_bytes() == again.read_bytes()


# --- training it further ---------------------------------------------------------------------


def test_exemplars_are_images_of_all_digits_that_it_reads(pretrained):
    bunch = load_exemplars()
    assert bunch.data.shape == (600, 784) and bunch.data.dtype == np.uint8
    np.testing.assert_array_equal(np.bincount(bunch.target), 60)
    assert pretrained.score(bunch.data, bunch.target) > 0.99
    assert sum(path.stat().st_size for path in EXEMPLARS) < 200_000


@pytest.mark.slow
def test_fine_tuning_halves_the_errors_on_a_handwriting_and_forgets_little(pretrained, mnist):
    X, y = load_digits28(return_X_y=True)
    X_known, y_known = load_exemplars(return_X_y=True)
    _, X_test, _, y_test = mnist
    before = pretrained.score(X_test, y_test)
    errors = []
    for seed in range(3):
        rows = np.random.default_rng(seed).permutation(len(y))
        few = np.concatenate([rows[y[rows] == digit][:10] for digit in range(10)])
        others = np.setdiff1d(rows, few)
        tuned = MNISTCNNClassifier.from_pretrained("digits")
        tuned.set_params(**FINE_TUNE, random_state=seed)
        tuned.fit(np.concatenate([X[few], X_known]), np.concatenate([y[few], y_known]))
        errors.append([1 - clf.score(X[others], y[others]) for clf in (pretrained, tuned)])
        assert before - tuned.score(X_test, y_test) < 0.003
    first, last = np.mean(errors, axis=0)
    assert last <= 0.5 * first
