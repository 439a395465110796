"""Digits in pictures, read without training."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import quick, slow_unless, toy
from PIL import Image, ImageDraw
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC
from synthetic_pictures import draw_picture

from skorch_mnist import DigitPreprocessor, MNISTCNNClassifier, read_digits
from skorch_mnist.pictures import PictureError, find_digits
from skorch_mnist.reading import Digit
from skorch_mnist.rejection import RejectingClassifier


def seven(height=300, width=200, ink=40, paper=230):
    """A gray picture of a 7, the only digit in it."""
    picture = np.full((height, width), paper, np.uint8)
    picture[60:80, 50:150] = ink
    for row in range(60, 240):
        picture[row, 145 - row // 4 : 165 - row // 4] = ink
    return picture


BOX = (50, 60, 150, 240)


@pytest.fixture(scope="module")
def page():
    """A picture of three sevens in a row."""
    return np.concatenate([seven()] * 3, axis=1)


@pytest.fixture(scope="module")
def pretrained():
    return RejectingClassifier.from_pretrained("digits")


# What is read


def test_a_digit_has_a_label_a_probability_and_a_box():
    [digit] = read_digits(seven())
    assert isinstance(digit, Digit)
    assert digit == (7, digit.probability, digit.box)
    assert type(digit.label) is int and type(digit.probability) is float
    assert 0.5 < digit.probability <= 1
    assert all(type(side) is int for side in digit.box)
    assert digit.box == pytest.approx(BOX, abs=2)


def test_digits_are_those_of_find_digits_and_of_the_classifier(page, pretrained):
    found = find_digits(page)
    probabilities = pretrained.predict_proba(found.images)
    digits = read_digits(page)
    assert [digit.label for digit in digits] == pretrained.predict(found.images).tolist()
    assert [digit.probability for digit in digits] == probabilities.max(axis=1).tolist()
    assert [digit.box for digit in digits] == [tuple(box) for box in found.boxes.tolist()]


def star():
    """A picture of a star."""
    picture = Image.new("L", (300, 300), 230)
    draw = ImageDraw.Draw(picture)
    angles = np.radians(np.arange(0, 180, 45))
    for x, y in zip(90 * np.cos(angles), 90 * np.sin(angles), strict=True):
        draw.line([150 - x, 150 - y, 150 + x, 150 + y], fill=40, width=18)
    return np.asarray(picture)


def scribbled(picture):
    """A picture with a star to the right of its digits."""
    return np.concatenate([picture, star()], axis=1)


@pytest.mark.parametrize("page", [True, False, "auto"])
def test_an_image_that_is_not_a_digit_has_the_label_none(page):
    [digit] = read_digits(star(), page=page)
    assert digit.label is None
    assert 0 <= digit.probability <= 1


def test_what_is_not_a_digit_is_left_out_beside_digits(page):
    digits = read_digits(scribbled(page), page=True)
    assert [digit.label for digit in digits] == [7, 7, 7]


def test_accept_moves_the_threshold(page, pretrained):
    picture = scribbled(page)
    assert None not in [digit.label for digit in read_digits(picture, accept=1)]
    assert {digit.label for digit in read_digits(picture, accept=0)} == {None}
    clf = RejectingClassifier.from_pretrained("digits").set_params(accept=0.0)
    assert {digit.label for digit in read_digits(picture, classifier=clf)} == {None}
    assert None not in [d.label for d in read_digits(picture, classifier=clf, accept=1)]
    assert clf.accept == 0


@pytest.mark.parametrize("accept", [-0.1, 1.5, "0.9"])
def test_accept_is_a_fraction(page, accept):
    with pytest.raises(ValueError, match=r"accept=.* is not valid: it must be a number in"):
        read_digits(page, accept=accept)


def test_accept_needs_a_classifier_that_rejects(page, fitted):
    with pytest.raises(ValueError, match="does not reject images"):
        read_digits(page, classifier=fitted, accept=0.9)


def test_a_page_is_read_in_order(page):
    assert [digit.label for digit in read_digits(page)] == [7, 7, 7]
    lefts = [digit.box[0] for digit in read_digits(page, page=True)]
    assert lefts == pytest.approx([50, 250, 450], abs=4)


def test_arguments_reach_find_digits(page):
    assert len(read_digits(page, page=False)) == 1
    assert read_digits(255 - seven(), polarity="light_on_dark")[0].label == 7
    content = io.BytesIO()
    Image.fromarray(seven()).save(content, "PNG")
    with pytest.raises(PictureError, match="pixels"):
        read_digits(content.getvalue(), max_pixels=1000)


@pytest.mark.parametrize("page", [True, False, "auto"])
def test_a_picture_without_a_digit_gives_an_empty_list(page):
    assert read_digits(np.full((200, 300), 250, np.uint8), page=page) == []


@pytest.mark.slow
def test_digits_of_mnist_in_pictures_are_read(mnist):
    _, X_test, _, y_test = mnist
    labels = []
    for number, image in enumerate(X_test[:60].reshape(-1, 28, 28)):
        picture = draw_picture(image, np.random.default_rng([5, number]), kind="plain")
        labels.append([digit.label for digit in read_digits(picture, page=False)])
    assert np.mean([found == [label] for found, label in zip(labels, y_test, strict=False)]) > 0.9


# Pictures


def test_every_kind_of_picture_is_taken(tmp_path):
    path = tmp_path / "seven.png"
    image = Image.fromarray(seven())
    image.save(path)
    content = path.read_bytes()
    sources = [path, str(path), content, memoryview(content), io.BytesIO(content), image]
    sources += [seven() / 255, np.stack([seven()] * 3), np.stack([seven()] * 3, axis=-1)]
    [expected] = read_digits(seven())
    for source in sources:
        [digit] = read_digits(source)
        assert (digit.label, digit.box) == (expected.label, expected.box)
        assert digit.probability == pytest.approx(expected.probability, abs=0.01)
    with path.open("rb") as file:
        assert read_digits(file) == read_digits(path)
        assert not file.closed


def test_boxes_are_in_the_upright_picture(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.fromarray(seven()).rotate(90, expand=True)
    turned.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    [digit] = read_digits(tmp_path / "turned.jpg")
    assert digit.label == 7
    assert digit.box == pytest.approx(BOX, abs=4)


@pytest.mark.parametrize(
    "picture",
    ["nowhere.png", __file__, Path(__file__).parent, b"", b"text", io.BytesIO(b"text")],
    ids=["missing", "text file", "folder", "no bytes", "bytes", "file"],
)
def test_a_picture_that_cannot_be_read_is_named(picture):
    name = str(picture) if isinstance(picture, (str, Path)) else "the picture"
    with pytest.raises(PictureError, match=re.escape(name)):
        read_digits(picture)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.full((30, 40), -1.0), r"^the picture of shape \(30, 40\) has values from -1.0 to -1.0"),
        (np.full((30, 40), "a"), r"^the picture of shape \(30, 40\) has values of type <U1"),
        (np.zeros((0, 5)), r"^the picture has type ndarray and shape \(0, 5\)"),
        (np.zeros((10, 784)), r"^the picture is 784 pixels wide and 10 pixels high"),
        (np.zeros((5, 28, 28)), r"^Expected a single picture, got ndarray of shape \(5, 28, 28\)"),
    ],
)
def test_errors_about_arrays_show_the_shape(picture, message):
    with pytest.raises(ValueError, match=message):
        read_digits(picture)


@pytest.mark.parametrize("pictures", [["a.png", "b.png"], None, {"a.png"}, 7])
def test_a_single_picture_is_taken(pictures):
    with pytest.raises(ValueError, match="Expected a single picture"):
        read_digits(pictures)


@pytest.mark.parametrize(
    ("parameter", "value"), [("page", "yes"), ("polarity", "black"), ("max_pixels", 0)]
)
def test_bad_values_are_refused(parameter, value):
    with pytest.raises(ValueError, match=f"{parameter}={value!r} is not valid"):
        read_digits(seven(), **{parameter: value})


# The classifier


def test_threads_may_read_at_the_same_time(page):
    pictures = [page, seven()]
    expected = [read_digits(one) for one in pictures]
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(read_digits, pictures * 3)) == expected * 3


@pytest.mark.slow
def test_the_pretrained_classifier_is_loaded_once_by_all_threads():
    code = """
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from skorch_mnist import read_digits
from skorch_mnist.rejection import RejectingClassifier

loads, load = [], RejectingClassifier.from_pretrained
RejectingClassifier.from_pretrained = lambda name: loads.append(name) or load(name)
picture = np.full((100, 100), 240, np.uint8)
picture[20:80, 46:54] = 30
read_digits(np.full((100, 100), 240, np.uint8))
assert not loads  # there was nothing to read
with ThreadPoolExecutor(8) as threads:
    found = list(threads.map(read_digits, [picture] * 8))
assert found == [read_digits(picture)] * 8
assert len(loads) == 1, loads
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_another_classifier(page, fitted):
    found = find_digits(page)
    digits = read_digits(page, classifier=fitted)
    assert [digit.label for digit in digits] == fitted.predict(found.images).tolist()
    assert [digit.probability for digit in digits] == pytest.approx(
        fitted.predict_proba(found.images).max(axis=1), rel=1e-9
    )


@pytest.mark.parametrize("reject", [False, True])
def test_a_classifier_fitted_on_a_data_frame_does_not_warn(reject, page, digits):
    X, _, y, _ = digits
    frame = pd.DataFrame(X).add_prefix("pixel")
    frame, y = frame[:200], y[:200]
    clf = quick(max_epochs=1).fit(frame, y)
    if reject:
        clf = RejectingClassifier(FrozenEstimator(clf), accept=1).fit(frame, y)
    assert len(read_digits(page, classifier=clf)) == 3  # warnings are errors


def test_labels_are_python_scalars(page, digits):
    X, y = digits[0][:200], digits[2][:200]
    for names in (np.array([f"digit {label}" for label in y]), y % 2 == 0, y.astype(float)):
        clf = quick(max_epochs=1).fit(X, names)
        kind = type(names[0].item())
        assert {type(digit.label) for digit in read_digits(page, classifier=clf)} == {kind}
    clf = LogisticRegression(tol=100).fit(X, y.astype(str).astype(object))
    assert {type(digit.label) for digit in read_digits(page, classifier=clf)} == {str}


SCALES = {
    "unit": (1 / 255, 0),
    "floats": (1, 0),
    "standardized": (1 / (255 * 0.3081), -0.1307 / 0.3081),
    "16 bits": (257, 0),
}


@pytest.mark.parametrize("scale_and_shift", slow_unless({"unit", "standardized"}, SCALES))
def test_pixels_are_brought_to_the_scale_of_training(fitted, digits, page, scale_and_shift):
    X, _, y, _ = digits
    scale, shift = scale_and_shift
    scaled = clone(fitted).fit(X * float(scale) + shift, y)
    for one, other in zip(
        read_digits(page, classifier=fitted), read_digits(page, classifier=scaled), strict=True
    ):
        assert one.label == other.label
        assert one.probability == pytest.approx(other.probability, abs=0.05)


def test_a_classifier_of_dark_digits_triggers_a_warning(digits, page):
    X, y = digits[0][:200], digits[2][:200]
    for inverted in (255 - X, 1 - X / 255, -X.astype(float)):
        clf = quick(max_epochs=1).fit(inverted, y)
        with pytest.warns(
            UserWarning, match=r"dark digits on a light .* inverted images, -?\d+ - X"
        ):
            read_digits(page, classifier=clf)


def test_pipelines_and_searches_get_pixels_up_to_255(digits, page):
    X, y = digits[0][:300], digits[2][:300]
    found = find_digits(page).images.reshape(-1, 784)
    pipe = make_pipeline(MinMaxScaler(), quick()).fit(X, y)
    search = GridSearchCV(quick(), {"lr": [1e-3]}, cv=2).fit(X, y)
    linear = make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=20, tol=0.1)).fit(X, y)
    for clf in (pipe, search, linear):
        labels = [digit.label for digit in read_digits(page, classifier=clf)]
        assert labels == clf.predict(found).tolist()


def test_a_classifier_fitted_on_images_is_taken(digits, page):
    X, y = digits[0][:200], digits[2][:200]
    for shape in ((28, 28), (1, 28, 28), (28, 28, 1)):
        clf = quick(max_epochs=1).fit(X.reshape(-1, *shape), y)
        assert len(read_digits(page, classifier=clf)) == 3


@pytest.mark.parametrize(
    "make",
    [
        MNISTCNNClassifier,
        lambda: make_pipeline(MinMaxScaler(), MNISTCNNClassifier()),
        lambda: GridSearchCV(MNISTCNNClassifier(), {"lr": [1]}),
        LogisticRegression,
    ],
    ids=["classifier", "pipeline", "search", "linear"],
)
def test_an_unfitted_classifier_is_refused(make):
    with pytest.raises(NotFittedError, match=r"is not fitted yet. Call fit before passing it"):
        read_digits(seven(), classifier=make())


@pytest.mark.parametrize(
    "classifier", ["digits", MNISTCNNClassifier, SVC(), MinMaxScaler(), 7], ids=repr
)
def test_objects_that_are_not_classifiers_are_refused(classifier):
    with pytest.raises(TypeError, match=r"(?s)classifier=.* is not valid: .* predict_proba"):
        read_digits(seven(), classifier=classifier)


@pytest.mark.parametrize("shape", [(3, 28, 28), (20, 20), (1, 14, 56), (28, 27)])
def test_a_classifier_of_other_images_is_refused_before_any_work(shape):
    clf = quick(max_epochs=1, image_shape=shape).fit(*toy(shape=(int(np.prod(shape)),)))
    with pytest.raises(
        ValueError, match=r"was fitted on images of shape .* converted to \(1, 28, 28\)"
    ):
        read_digits("nowhere.png", classifier=clf)


def test_other_numbers_of_features_are_refused():
    clf = make_pipeline(MinMaxScaler(), LogisticRegression()).fit(*toy(shape=(64,)))
    with pytest.raises(ValueError, match="was fitted on images with 64 pixels"):
        read_digits("nowhere.png", classifier=clf)


def test_a_preprocessor_in_the_pipeline_is_refused(fitted):
    pipe = make_pipeline(DigitPreprocessor(), fitted)
    with pytest.raises(ValueError, match=r"Pass only the steps after it, as in classifier\[1:\]"):
        read_digits(seven(), classifier=pipe)
    assert len(read_digits(seven(), classifier=pipe[1:])) == 1
