"""Pictures to the form of MNIST: every kind of input, disturbances, and accuracy."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from synthetic_pictures import RULINGS, draw_picture

from skorch_mnist import DigitPreprocessor, MNISTCNNClassifier, load_digits28
from skorch_mnist.pictures import PictureError, find_digits
from skorch_mnist.recipes import FAST


def seven(height=200, width=160, ink=30, paper=235):
    """A gray picture of a 7, made of two strokes."""
    picture = np.full((height, width), paper, np.uint8)
    picture[40:50, 50:110] = ink
    for row in range(40, 160):
        left = 105 - (row - 40) * 40 // 120
        picture[row, left - 5 : left + 5] = ink
    return picture


def transform(picture, **parameters):
    (row,) = DigitPreprocessor(**parameters).transform([picture])
    return row.reshape(28, 28)


@pytest.fixture(scope="module")
def images():
    return load_digits28().images[:10]


# scikit-learn


with warnings.catch_warnings():
    # scikit-learn cannot generate pictures, and warns about it.
    warnings.simplefilter("ignore")
    checks = parametrize_with_checks([DigitPreprocessor()])


@checks
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_it_is_stateless_and_can_be_cloned():
    pre = DigitPreprocessor(polarity="dark_on_light", on_error="warn", max_pixels=10**6)
    assert clone(pre).get_params() == pre.get_params()
    np.testing.assert_array_equal(pre.transform(seven()), pre.fit([]).transform(seven()))
    assert pre.get_feature_names_out().shape == (784,)
    assert pre.set_output(transform="pandas").transform([seven()]).shape == (1, 784)


def test_a_pipeline_reads_paths(tmp_path, fitted):
    paths = [tmp_path / "0.png", tmp_path / "1.png"]
    for number, path in enumerate(paths):
        Image.fromarray(seven(ink=30 + number)).save(path)
    pipe = make_pipeline(DigitPreprocessor(), fitted)
    assert pipe.predict(paths).shape == (2,)
    assert pipe.predict(pd.Series([str(path) for path in paths])).shape == (2,)
    assert pipe.predict(pd.DataFrame({"path": paths})).shape == (2,)
    again = make_pipeline(DigitPreprocessor(), clone(fitted).set_params(train_split=None))
    assert again.fit(paths, ["a", "b"]).predict(paths).shape == (2,)


# The form


def test_the_digit_is_fitted_and_centered_as_in_mnist():
    image = transform(seven())
    assert image.dtype == np.uint8
    rows, columns = np.nonzero(image > 20)
    assert np.ptp(rows) + 1 in (20, 21)
    assert np.ptp(columns) + 1 < 15  # the aspect is kept
    mass = image / image.sum()
    assert mass.sum(axis=1) @ np.arange(28) == pytest.approx(14, abs=0.2)
    assert mass.sum(axis=0) @ np.arange(28) == pytest.approx(14, abs=0.2)
    assert image.max() == 255
    assert ((image > 0) & (image < 255)).sum() > 20  # anti-aliased
    assert (np.median(image), image[0].max(), image[:, 0].max()) == (0, 0, 0)


@pytest.mark.parametrize("width", [2, 6, 12, 24])
def test_thin_and_thick_strokes_give_strokes_of_similar_width(width):
    picture = np.full((240, 240), 230, np.uint8)
    picture[40:200, 120 - width // 2 : 120 + width // 2] = 20
    image = transform(picture)
    assert 1.4 <= image[14].sum() / 255 <= 4.5


def test_a_lopsided_digit_is_not_cut_off():
    picture = np.full((200, 200), 255, np.uint8)
    picture[20:40, 20:180] = 0
    picture[20:180, 20:24] = 0
    rows, columns = np.nonzero(transform(picture))
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) in [(20, 20), (21, 21), (20, 21), (21, 20)]


def test_images_in_the_form_of_mnist_hardly_change(images):
    X = DigitPreprocessor().transform(images).reshape(-1, 28, 28)
    correlations = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(images, X, strict=True)]
    assert min(correlations) > 0.8


# Valid input


def variants():
    gray = seven()
    color = np.stack([gray] * 3, axis=-1)
    alpha = np.zeros((*gray.shape, 4), np.uint8)
    alpha[..., 3] = np.where(gray < 100, 255, 0)
    white = alpha.copy()
    white[..., :3] = 255
    yield "color", color
    yield "one channel", gray[..., None]
    yield "gray and alpha", np.stack([gray, np.full_like(gray, 255)], axis=-1)
    yield "black ink on nothing", alpha
    yield "white ink on nothing", white
    yield "0 to 1", gray / 255
    yield "16 bits", gray.astype(np.uint16) * 257
    yield "yes or no", gray > 100
    yield "0 or 1", (gray > 100).astype(np.uint8)
    yield "inverted", 255 - gray
    yield "signed bytes", (gray < 100).astype(np.int8)
    yield "large", np.kron(gray, np.ones((8, 8), np.uint8))
    yield "small", np.asarray(Image.fromarray(gray).resize((40, 50), Image.Resampling.BOX))
    yield "tiny in the middle of nowhere", np.pad(gray[::4, ::4], 900, constant_values=235)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"):
        yield f"PIL {mode}", Image.fromarray(color).convert("L").convert(mode)


@pytest.mark.parametrize(("kind", "picture"), [*variants()])
def test_every_kind_of_picture_gives_the_same_image(kind, picture):
    expected, image = transform(seven()).astype(float), transform(picture).astype(float)
    assert np.corrcoef(expected.ravel(), image.ravel())[0, 1] > 0.95


@pytest.mark.parametrize(
    ("pictures", "n"),
    [
        (seven(), 1),
        (np.stack([seven()] * 3, axis=-1), 1),
        (Image.fromarray(seven()), 1),
        (np.stack([seven()] * 5), 5),
        (np.stack([np.stack([seven()] * 3, axis=-1)] * 5), 5),
        ([seven(), Image.fromarray(seven()), seven(300, 180)], 3),
        ([], 0),
    ],
)
def test_one_picture_or_many(pictures, n):
    assert DigitPreprocessor().transform(pictures).shape == (n, 784)


def test_the_orientation_of_the_camera_is_applied(tmp_path):
    turned = Image.fromarray(seven()).rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate by 90 degrees to the right to see it upright"
    turned.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    upright, image = transform(seven()), transform(tmp_path / "turned.jpg")
    assert np.corrcoef(upright.ravel(), image.ravel())[0, 1] > 0.97


# Invalid input


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.full((50, 60), 128, np.uint8), "picture 0 does not show a digit"),
        (np.zeros((50, 60, 4), np.uint8), "picture 0 does not show a digit"),
        (np.zeros((0, 5)), "is not a picture"),
        (np.zeros((3, 4, 5, 6)), r"shape \(3, 4, 5, 6\), is not a picture"),
        (np.full((30, 30), np.nan), "values from nan to nan"),
        (np.full((30, 30), -1.0), "values from -1.0"),
        (np.full((30, 30), "a"), "type <U1"),
        (np.zeros((5, 784)), "too narrow a strip"),
        (object(), "is not a picture"),
        ("nowhere.png", "nowhere.png cannot be read: No such file"),
        (".", "cannot be read: Is a directory"),
    ],
)
def test_the_error_names_the_invalid_picture(picture, message):
    with pytest.raises(PictureError, match=message):
        DigitPreprocessor().transform([picture])
    with pytest.warns(UserWarning, match=message):
        rows = DigitPreprocessor(on_error="warn").transform([picture, seven()])
    assert not rows[0].any()
    np.testing.assert_array_equal(rows[1], DigitPreprocessor().transform(seven())[0])


def test_one_bad_path_does_not_stop_a_batch(tmp_path):
    Image.fromarray(seven()).save(tmp_path / "seven.png")
    bad = ["x" * 300 + ".png", str(tmp_path / "seven.png" / "x.png"), "x\0.png"]
    for name in bad:
        with pytest.raises(PictureError, match="cannot be read"):
            transform(name)
    with pytest.warns(UserWarning, match="cannot be read"):
        rows = DigitPreprocessor(on_error="warn").transform([*bad, tmp_path / "seven.png"])
    assert rows.any(axis=1).tolist() == [False, False, False, True]


def test_noise_is_not_a_digit():
    rng = np.random.default_rng(0)
    for _ in range(5):
        paper = rng.normal(200, 8, (300, 400)) - np.linspace(0, 60, 400)
        with pytest.raises(PictureError, match="does not show a digit"):
            transform(paper.clip(0, 255))


def test_damaged_files_are_named(tmp_path):
    for suffix in ("png", "jpg", "gif"):
        path = tmp_path / f"digit.{suffix}"
        Image.fromarray(seven()).save(path)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(PictureError, match=f"{suffix} is damaged"):
            transform(path)
    path.write_bytes(b"digit")
    with pytest.raises(PictureError, match=r"not a picture that Pillow can read\. Try PNG or JPEG"):
        transform(path)


def test_decompression_bombs_are_rejected_before_decoding(tmp_path, monkeypatch):
    path = tmp_path / "bomb.png"
    Image.new("1", (10_001, 10_000)).save(path)
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(Image.Image, "load", None)
    with pytest.raises(PictureError, match=r"bomb.png has more than 100,000,000 pixels"):
        transform(path)
    with pytest.raises(PictureError, match="more than 10,000 pixels"):
        transform(Image.new("L", (200, 200)), max_pixels=10_000)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"polarity": "black"}, "polarity='black' is not valid: it must be one of auto, dark_on"),
        ({"on_error": "ignore"}, "on_error='ignore' is not valid: it must be \"raise\" or"),
        ({"max_pixels": 0}, "max_pixels=0 is not valid: it must be a positive"),
        ({"max_pixels": True}, "max_pixels=True is not valid"),
    ],
)
def test_the_error_names_the_invalid_parameter(parameters, message):
    with pytest.raises(ValueError, match=message):
        DigitPreprocessor(**parameters).fit([])
    with pytest.raises(ValueError, match=message):
        DigitPreprocessor(**parameters).transform([])
    if "on_error" not in parameters:
        with pytest.raises(ValueError, match=message):
            find_digits(seven(), **parameters)


@pytest.mark.parametrize(
    "pictures", [5, None, b"bytes", {"a": 1}, np.array("a.png"), io.BytesIO(b"bytes")]
)
def test_anything_other_than_pictures_is_an_error(pictures):
    with pytest.raises(ValueError, match="pictures have 2 columns"):
        DigitPreprocessor().transform(pd.DataFrame({"a": ["x"], "b": ["y"]}))
    with pytest.raises(ValueError, match="pictures of type"):
        DigitPreprocessor().transform(pictures)


@settings(max_examples=30, deadline=None)
@given(
    arrays(np.uint8, st.tuples(*[st.integers(1, 30)] * 2, st.sampled_from([1, 2, 3, 4])))
    | arrays(np.uint8, st.tuples(*[st.integers(1, 30)] * 2))
)
def test_any_array_is_an_image_or_a_clear_error(picture):
    try:
        image = transform(picture)
    except PictureError:
        return
    assert image.shape == (28, 28)
    assert image.max() > 100


# Disturbances


def test_polarity_can_be_set():
    dark = transform(seven(), polarity="dark_on_light")
    np.testing.assert_array_equal(dark, transform(seven()))
    light = transform(255 - seven(), polarity="light_on_dark")
    assert np.corrcoef(dark.ravel(), light.ravel())[0, 1] > 0.97


def test_a_stroke_across_the_picture_is_not_a_ruling():
    one = np.full((400, 300), 245, np.uint8)
    one[20:380, 145:155] = 30
    assert (transform(one)[4:24, 14] > 0).all()


@pytest.mark.parametrize("table", [30, 60])
@pytest.mark.parametrize("share", [0.6, 0.9])
def test_a_sheet_of_paper_on_a_table_is_read(table, share):
    height, width = (int(side / share) for side in (400, 320))
    picture = np.full((height, width), table, np.uint8)
    top, left = (height - 400) // 2, (width - 320) // 2
    picture[top : top + 400, left : left + 320] = np.kron(seven(), np.ones((2, 2), np.uint8))
    assert np.corrcoef(transform(seven()).ravel(), transform(picture).ravel())[0, 1] > 0.95


@pytest.mark.parametrize("slope", [0.0, 0.05])
def test_ruled_lines_are_removed(slope):
    picture = seven().astype(float)
    rows, columns = np.indices(picture.shape)
    lines = ((rows + slope * columns) % 22 < 2) | ((columns - slope * rows) % 22 < 2)
    picture[lines] = np.minimum(picture[lines], 150)
    clean, ruled = transform(seven()).astype(float), transform(picture).astype(float)
    assert np.corrcoef(clean.ravel(), ruled.ravel())[0, 1] > 0.93


def test_a_shadow_is_removed():
    picture = seven().astype(float)
    picture[:, :70] *= 0.6
    assert np.corrcoef(transform(seven()).ravel(), transform(picture).ravel())[0, 1] > 0.95


def test_a_frame_around_the_digit_is_ignored():
    picture = seven()
    picture[[15, 16, 180, 181], 20:140] = 30
    picture[15:182, [20, 21, 138, 139]] = 30
    assert np.corrcoef(transform(seven()).ravel(), transform(picture).ravel())[0, 1] > 0.95


def test_stages_are_the_intermediate_results():
    stages = DigitPreprocessor().stages(seven())
    assert stages.picture.shape[:2] == stages.ink.shape
    assert stages.picture.dtype == stages.image.dtype == np.uint8
    assert stages.ink.min() >= 0 and stages.ink.max() <= 1
    assert stages.digit.max() == 1
    np.testing.assert_array_equal(stages.image, transform(seven()))


# Pages


def page(boxes, height=300, width=400):
    picture = np.full((height, width), 240, np.uint8)
    for left, top, right, bottom in boxes:
        picture[top:bottom, left:right] = 30
    return picture


def test_digits_are_found_in_reading_order():
    boxes = [(40, 30, 48, 90), (150, 36, 160, 100), (250, 25, 256, 80), (45, 160, 53, 220)]
    found = find_digits(page(boxes[::-1]))
    np.testing.assert_allclose(found.boxes, boxes, atol=4)
    assert found.images.shape == (4, 28, 28)
    for (left, top, right, bottom), crop in zip(found.boxes, found.crops, strict=True):
        assert crop.shape == (bottom - top, right - left, 3)


def test_parts_are_joined_and_dirt_and_frames_ignored():
    digit, bar = (100, 100, 110, 160), (100, 90, 130, 97)
    dirt = (300, 200, 305, 205)
    picture = page([digit, bar, dirt, (200, 95, 210, 160)])
    picture[[60, 61, 190, 191], 60:160] = 30
    picture[60:192, [60, 61, 158, 159]] = 30
    found = find_digits(picture)
    assert len(found.boxes) == 2
    np.testing.assert_allclose(found.boxes[0], (100, 90, 130, 160), atol=4)


def test_a_blank_page_has_no_digits():
    found = find_digits(np.full((200, 300), 250, np.uint8))
    assert found.boxes.shape == (0, 4)
    assert found.images.shape == (0, 28, 28)
    assert found.crops == []


def test_find_digits_refuses_several_pages():
    with pytest.raises(ValueError, match="image must be a single picture; got list"):
        find_digits([seven()])
    with pytest.raises(PictureError, match=r"nowhere\.png cannot be read"):
        find_digits("nowhere.png")


# Accuracy


@pytest.fixture(scope="module")
def reader(mnist):
    X_train, _, y_train, _ = mnist
    return MNISTCNNClassifier(**FAST, random_state=0, verbose=0).fit(X_train, y_train)


@pytest.mark.parametrize("ruling", RULINGS)
@pytest.mark.parametrize("light_on_dark", [False, True])
def test_synthetic_pictures_are_drawn_as_requested(images, ruling, light_on_dark):
    rng = np.random.default_rng(0)
    picture = draw_picture(images[0], rng, ruling=ruling, light_on_dark=light_on_dark)
    assert picture.dtype == np.uint8
    assert (np.median(picture) < 90) == light_on_dark


@pytest.mark.slow
def test_pictures_of_digits_are_read_nearly_as_well_as_the_digits(reader, mnist):
    _, X_test, _, y_test = mnist
    n = 200
    images = X_test[:n].reshape(-1, 28, 28)
    # The parameters of the preprocessing were chosen with other seeds and with training images.
    pictures = [draw_picture(images[i], np.random.default_rng([2026, i])) for i in range(n)]
    resized = np.array([Image.fromarray(p).convert("L").resize((28, 28)) for p in pictures])
    plain = reader.score(X_test[:n], y_test[:n])
    read = reader.score(DigitPreprocessor(on_error="warn").transform(pictures), y_test[:n])
    with pytest.warns(UserWarning, match="X looks inverted"):
        naive = reader.score(resized, y_test[:n])
    assert read >= plain - 0.02
    assert read >= naive + 0.5
