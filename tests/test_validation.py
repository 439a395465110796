"""Input checks: one canonical form from every input, weights, and what is refused."""

from __future__ import annotations

import re
from collections import UserDict
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import skorch.dataset
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import Bunch
from sklearn.utils.class_weight import compute_sample_weight
from skorch.helper import SliceDataset
from torch.utils.data import DataLoader, TensorDataset

from skorch_mnist import load_digits28
from skorch_mnist._inputs._pixels import PixelStatistics, pixel_statistics
from skorch_mnist._inputs._streams import StreamedImages
from skorch_mnist._inputs._torch_data import DatasetImages
from skorch_mnist._inputs._validation import check_images, check_images_and_labels, check_weights

quick = settings(deadline=None, max_examples=50)
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 4, 4), dtype=np.uint8)
FLAT = PIXELS.reshape(6, -1)
Y = np.array([0, 1, 2, 0, 1, 2])


def check_range(images, fitted, mean):
    """Warn if images are on another scale than fitted ones in this range with this mean."""
    PixelStatistics(mean, 1.0, *fitted).check_range(images)


class Estimator(ClassifierMixin, BaseEstimator):
    """The smallest estimator that can be checked."""

    def __init__(self, image_shape=None):
        self.image_shape = image_shape


def check(X=FLAT, y=Y, image_shape=None):
    """Images, shape and labels, as in a first fit."""
    images, _, y = check_images_and_labels(Estimator(image_shape), X, y, reset=True)
    return images, tuple(images.shape[1:]), y


def fitted(X=FLAT, image_shape=None):
    """An estimator that has seen ``X``."""
    estimator = Estimator(image_shape)
    y = np.arange(len(X)) % 2
    images, _, _ = check_images_and_labels(estimator, X, y, reset=True)
    estimator.image_shape_ = tuple(images.shape[1:])
    return estimator


FORMS = {
    "images": PIXELS,
    "flat": FLAT,
    "channels first": PIXELS[:, None],
    "channels last": PIXELS[..., None],
    "Fortran order": np.asfortranarray(PIXELS),
    "strided": np.repeat(PIXELS, 2, axis=0)[::2],
    "reversed": PIXELS[::-1].copy()[::-1],
    "nested lists": PIXELS.tolist(),
    "list of arrays": list(PIXELS),
    "list of tensors": list(torch.as_tensor(PIXELS)),
    "object": FLAT.astype(object),
    "float16": PIXELS.astype(np.float16),
    "float64": PIXELS.astype(np.float64),
    "big-endian": PIXELS.astype(">i2"),
    "tensor": torch.as_tensor(PIXELS),
    "tensor with gradient": torch.as_tensor(PIXELS).float().requires_grad_(),
    "bfloat16 tensor": torch.as_tensor(PIXELS).bfloat16(),
    "frame": pd.DataFrame(FLAT),
    "frame of mixed dtypes": pd.DataFrame(FLAT).astype({0: "float32", 1: "int64"}),
    "frame of UInt8": pd.DataFrame(FLAT).astype("UInt8"),
    "frame of Float64": pd.DataFrame(FLAT).astype("Float64"),
    "tensor dataset": TensorDataset(torch.as_tensor(PIXELS), torch.as_tensor(Y)),
    "skorch dataset": skorch.dataset.Dataset(PIXELS, Y),
    "slice": SliceDataset(skorch.dataset.Dataset(FLAT, Y)),
    "lazy slice": SliceDataset(TensorDataset(torch.as_tensor(FLAT), torch.as_tensor(Y))),
}


@pytest.fixture(params=FORMS)
def form(request):
    return FORMS[request.param]


def as_array(images):
    return images[:] if isinstance(images, DatasetImages) else images


# --- images ---------------------------------------------------------------------------------


def test_every_form_gives_the_same_images(form):
    images, shape, y = check(form)
    assert shape == (1, 4, 4) and images.shape == (6, 1, 4, 4)
    np.testing.assert_array_equal(as_array(images), PIXELS[:, None])
    np.testing.assert_array_equal(y, Y)


def test_every_form_is_accepted_in_predict(form):
    for estimator in (fitted(), fitted(form)):
        assert estimator.n_features_in_ == 16
        np.testing.assert_array_equal(
            as_array(check_images(estimator, form).images), PIXELS[:, None]
        )


@quick
@given(
    shape=st.tuples(st.sampled_from([1, 3]), st.integers(4, 7), st.integers(4, 7)),
    dtype=st.sampled_from(["bool", "u1", "i2", "u2", "i8", "f2", "f4", "f8", ">f4"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_channels_last_and_flat_rows_are_the_same_images(shape, dtype, seed):
    images = (np.random.default_rng(seed).random((4, *shape)) * 100).astype(dtype)
    y = np.arange(4) % 2
    for X in (images, np.moveaxis(images, 1, -1), images.reshape(4, -1)):
        checked, found, _ = check(X, y, image_shape=shape)
        assert found == shape
        np.testing.assert_array_equal(checked, images, strict=True)


@pytest.mark.parametrize("X", [PIXELS, FLAT, PIXELS[:, None], torch.as_tensor(PIXELS)])
def test_bytes_in_C_order_are_not_copied(X):  # noqa: N802, the order is called C
    images = check(X)[0]
    assert np.shares_memory(images, np.asarray(X)) and images.dtype == np.uint8
    assert np.shares_memory(check_images(fitted(), X).images, np.asarray(X))


def test_names_of_a_frame_are_learned_and_compared():
    frame = pd.DataFrame(FLAT).add_prefix("pixel")
    estimator = fitted(frame)
    assert estimator.feature_names_in_.tolist() == frame.columns.tolist()
    with pytest.raises(ValueError):  # noqa: PT011, scikit-learn writes the message
        check_images(estimator, frame.iloc[:, ::-1])


def test_images_do_not_need_the_names_of_columns():
    estimator = fitted(pd.DataFrame(FLAT).add_prefix("pixel"))
    for images in (PIXELS, PIXELS / 255):
        np.testing.assert_array_equal(check_images(estimator, images).images[:, 0], images)
    with pytest.warns(UserWarning, match=type(estimator).__name__):  # by scikit-learn
        check_images(estimator, FLAT)


def polars_frame(columns):
    return pytest.importorskip("polars").DataFrame(columns)


def arrow_table(columns):
    return pytest.importorskip("pyarrow").table(columns)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
@pytest.mark.parametrize("table", [polars_frame, arrow_table])
def test_tables_keep_their_names_and_dtype(table, dtype):
    columns = {f"pixel{k}": FLAT[:, k].astype(dtype) for k in range(16)}
    X = table(columns)
    estimator = fitted(X)
    assert estimator.feature_names_in_.tolist() == list(columns)
    images = check_images(estimator, X).images
    np.testing.assert_array_equal(images, PIXELS[:, None].astype(dtype), strict=True)
    check_images(estimator, pd.DataFrame(columns))
    for other in [dict(reversed(columns.items())), {f"x{k}": v for k, v in columns.items()}]:
        with pytest.raises(ValueError, match=r"^The feature names should match"):
            check_images(estimator, table(other))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        check_images(estimator, FLAT)


@pytest.mark.parametrize("table", [polars_frame, arrow_table])
def test_objects_in_a_table_become_numbers(table):
    columns = {f"pixel{k}": FLAT[:, k] for k in range(16)}
    X = table({**columns, "pixel3": [Decimal(int(value)) for value in FLAT[:, 3]]})
    np.testing.assert_array_equal(check(X)[0], PIXELS[:, None])


@pytest.mark.parametrize("column", [["a"] * 6, [None] * 6, [True, None] * 3], ids=str)
@pytest.mark.parametrize("table", [polars_frame, arrow_table])
def test_tables_of_other_values_are_refused(table, column):
    X = table({**{f"pixel{k}": FLAT[:, k] for k in range(15)}, "other": column})
    with pytest.raises(ValueError):  # noqa: PT011, scikit-learn writes the message
        check(X)


@quick
@given(n_pixels=st.integers(1, 120).filter(lambda n: int(n**0.5) ** 2 != n))
def test_rows_that_do_not_form_a_square_are_padded_with_a_warning(n_pixels):
    X = np.arange(2 * n_pixels, dtype=np.uint8).reshape(2, -1) + 1
    side = int(n_pixels**0.5) + 1
    with pytest.warns(UserWarning, match=f"^X has {n_pixels} pixels per row, .* {side}x{side}"):
        estimator = fitted(X)
    images = check_images(estimator, X).images
    assert images.shape == (2, 1, side, side) and images.dtype == np.uint8
    np.testing.assert_array_equal(images.reshape(2, -1)[:, :n_pixels], X)
    assert not images.reshape(2, -1)[:, n_pixels:].any()


@pytest.mark.parametrize(
    ("n_pixels", "hint"), [(785, " If X still contains the label column, drop it."), (786, "")]
)
def test_785_pixels_suggest_a_label_column(n_pixels, hint):
    message = (
        f"X has {n_pixels} pixels per row, which do not form a square image: rows are padded with "
        "zeros to 29x29. If the images have another shape, set image_shape to (height, width) or "
        f"(channels, height, width).{hint}"
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        check(np.zeros((6, n_pixels)))


# --- images that are refused ----------------------------------------------------------------

REFUSED = {  # no message: scikit-learn or NumPy writes it
    "sparse matrix": (scipy.sparse.csr_matrix(FLAT), TypeError, None),
    "sparse array": (scipy.sparse.csr_array(FLAT), TypeError, None),
    "complex rows": (FLAT * 1j, ValueError, None),
    "complex images": (PIXELS * 1j, ValueError, None),
    "strings": (np.full((6, 16), "a"), ValueError, None),
    "bytes": (np.full((6, 16), b"a"), ValueError, None),
    "string objects": (np.full((6, 16), "a", object), ValueError, None),
    "objects": (np.full((6, 16), {}), TypeError, None),
    "datetimes": (
        FLAT.astype("M8[s]"),
        ValueError,
        r"^X has dtype datetime64\[s\], but pixels must be",
    ),
    "durations": (PIXELS.astype("m8[s]"), ValueError, r"^X has dtype timedelta64\[s\], but pixels"),
    "dated frame": (pd.DataFrame(FLAT.astype("M8[s]")), ValueError, "^X has dtype datetime64"),
    "one row": (FLAT[0], ValueError, None),
    "scalar": (3, ValueError, None),
    "nothing": (None, ValueError, None),
    "series": (pd.Series(FLAT[0]), ValueError, None),
    "no rows": (FLAT[:0], ValueError, None),
    "no images": (PIXELS[:0], ValueError, None),
    "no pixels": (FLAT[:, :0], ValueError, None),
    "images of no pixels": (PIXELS[:, :0], ValueError, None),
    "NaN": (np.full((6, 16), np.nan), ValueError, None),
    "infinity": (np.full((6, 4, 4), np.inf), ValueError, None),
    "missing value": (
        pd.DataFrame(FLAT).astype("Int64").mask(FLAT[2, 3] == FLAT),
        ValueError,
        None,
    ),
    "five axes": (PIXELS[:, None, None], ValueError, r"^X has \w+ of shape \(1, 1, 4, 4\), "),
    "ragged": ([[1, 2], [3]], ValueError, None),
}


@pytest.mark.parametrize(("X", "error", "message"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("method", ["fit", "predict"])
def test_data_without_images_is_refused(X, error, message, method):
    with pytest.raises(error, match=message):
        check(X) if method == "fit" else check_images(fitted(), X).images


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (FLAT[:, :15], ""),
        (PIXELS[:, :3], ""),
        (PIXELS.reshape(6, 2, 8), "X has images of shape (2, 8), but (channels, height, width)"),
        (
            TensorDataset(torch.zeros(3, 5, 5)),
            "X has 25 features, but Estimator is expecting 16 features as input",
        ),
        (
            TensorDataset(torch.zeros(3, 2, 8)),
            "X has images of shape (2, 8), but (channels, height, width) = (1, 4, 4) is expected",
        ),
    ],
)
def test_images_of_another_size_than_in_fit_are_refused(X, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        check_images(fitted(), X)


def test_image_shape_that_does_not_match_is_refused():
    with pytest.raises(ValueError, match=r"image_shape=\(1, 5, 5\) requires 25"):
        check(image_shape=(5, 5))
    with pytest.raises(ValueError, match=r"^image_shape=\(4\.0, 4\) is not valid: it must be"):
        check(image_shape=(4.0, 4))


# --- labels ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "y",
    [
        list("abcabc"),
        np.array(list("abcabc")),
        pd.Series(list("abcabc")),
        pd.Series(list("abcabc"), dtype="category"),
        torch.as_tensor(Y),
        Y.astype(float),
        Y > 0,
        pd.Series(Y, dtype="Int64"),
        SliceDataset(skorch.dataset.Dataset(FLAT, Y), idx=1),
    ],
    ids=lambda y: f"{type(y).__name__} {getattr(y, 'dtype', '')}",
)
@pytest.mark.parametrize("X", [FLAT, TensorDataset(torch.as_tensor(PIXELS))])
def test_labels_of_any_kind_become_an_array(X, y):
    labels = check(X, y)[2]
    assert isinstance(labels, np.ndarray) and labels.shape == (6,)
    given = Y if isinstance(y, SliceDataset) else np.asarray(y)
    assert labels.tolist() == given.tolist()


@pytest.mark.parametrize("labels", [Y, list("abcabc")], ids=["numbers", "text"])
@pytest.mark.parametrize("table", [polars_frame, arrow_table])
def test_labels_may_be_a_column_of_a_table(table, labels):
    assert check(FLAT, table({"label": labels})["label"])[2].tolist() == list(labels)


@pytest.mark.parametrize(
    "y",
    [Y[:5], np.c_[Y, Y], 3, Y + 0.5, np.where(Y, np.nan, 1.0)],
    ids=["too few", "two columns", "scalar", "fractions", "nan"],
)
@pytest.mark.parametrize("X", [FLAT, TensorDataset(torch.as_tensor(PIXELS))], ids=["array", "lazy"])
def test_bad_labels_are_refused(X, y):
    with pytest.raises(ValueError):  # noqa: PT011, scikit-learn writes the message
        check(X, y)


ONE_HOT = np.eye(3)[Y]


@pytest.mark.parametrize(
    "y",
    [
        ONE_HOT,
        ONE_HOT.astype(bool),
        ONE_HOT.tolist(),
        torch.as_tensor(ONE_HOT),
        pd.get_dummies(pd.Series(list("abcabc"))),
        scipy.sparse.csr_array(ONE_HOT),
        TensorDataset(torch.as_tensor(PIXELS), torch.as_tensor(ONE_HOT)),
    ],
    ids=lambda y: type(y).__name__,
)
@pytest.mark.parametrize("X", [FLAT, TensorDataset(torch.as_tensor(PIXELS))], ids=["array", "lazy"])
def test_one_hot_labels_are_refused_with_advice(X, y):
    with pytest.raises(
        ValueError, match=r"^y is one-hot encoded, with shape \(6, 3\), .* np\.argmax\(y"
    ):
        check(X, y)


def test_one_hot_labels_are_refused_by_score_and_in_datasets(fitted):
    dataset = TensorDataset(torch.as_tensor(PIXELS), torch.as_tensor(ONE_HOT))
    with pytest.raises(ValueError, match=r"^y is one-hot"):
        check(dataset, None)
    with pytest.raises(ValueError, match=r"^y is one-hot"):
        fitted.score(np.zeros((6, 784)), ONE_HOT)


@pytest.mark.parametrize("y", [ONE_HOT + 0.1, np.c_[Y + 1, Y * 0], ONE_HOT * 2])
def test_other_columns_are_not_treated_as_one_hot(y):
    with pytest.raises(ValueError, match="1d array"):
        check(FLAT, y)


def test_missing_labels_are_refused():
    with pytest.raises(ValueError):  # noqa: PT011, scikit-learn writes the message
        check(FLAT, None)
    for data in (TensorDataset(torch.as_tensor(PIXELS)), skorch.dataset.Dataset(PIXELS)):
        with pytest.raises(
            ValueError, match=r"^The dataset X does not have labels: pass them as y\.$"
        ):
            check(data, None)


def test_an_empty_dataset_is_refused_before_its_labels_are_read():
    with pytest.raises(ValueError, match=re.escape("Found array with 0 sample(s)")):
        check(TensorDataset(torch.zeros(0, 4, 4), torch.zeros(0)), None)


# --- weights --------------------------------------------------------------------------------

weights = arrays(np.float64, 6, elements=st.sampled_from([0.0, 0.25, 1.0, 3.0]))


@quick
@given(weight=weights.filter(lambda weight: weight.any()), lazy=st.booleans())
def test_rows_with_weight_0_are_removed(weight, lazy):
    data = TensorDataset(torch.as_tensor(PIXELS), torch.as_tensor(Y))
    images = check(data if lazy else PIXELS)[0]
    kept, y, out = check_weights(weight, None, images, Y)
    rows = weight > 0
    np.testing.assert_array_equal(as_array(kept), PIXELS[rows][:, None])
    np.testing.assert_array_equal(y, Y[rows])
    assert out.dtype == np.float32 and out.max() == 1
    np.testing.assert_allclose(out, weight[rows] / weight.max(), rtol=1e-6)


@quick
@given(
    weight=weights.filter(lambda weight: weight.any()),
    class_weight=st.sampled_from(["balanced", {0: 2.0, 1: 0.5, 2: 1.0}]),
)
def test_classes_are_counted_after_rows_are_removed(weight, class_weight):
    rows = weight > 0
    if class_weight != "balanced":
        class_weight = {code: class_weight[code] for code in np.unique(Y[rows])}
    _, y, out = check_weights(weight, class_weight, FLAT, Y)
    expected = weight[rows] * compute_sample_weight(class_weight, Y[rows])
    np.testing.assert_allclose(out, expected / expected.max(), rtol=1e-6)
    without = check_weights(weight[rows], class_weight, FLAT[rows], Y[rows])
    np.testing.assert_array_equal(y, without[1])
    np.testing.assert_array_equal(out, without[2])


@quick
@given(exponent=st.integers(-120, 120))
def test_scale_of_weights_does_not_matter(exponent):
    weight = np.array([1.0, 2, 3, 4, 5, 6])
    expected = check_weights(weight, None, FLAT, Y)[2]
    scaled = check_weights(weight * 10.0**exponent, None, FLAT, Y)[2]
    np.testing.assert_allclose(scaled, expected, rtol=1e-6)


def test_without_weights_nothing_is_copied():
    images, y, weight = check_weights(None, None, FLAT, Y)
    assert images is FLAT and y is Y and weight is None
    assert check_weights(np.ones(6), None, FLAT, Y)[0] is FLAT


@pytest.mark.parametrize("weight", [2, np.full(6, 2), [2] * 6, pd.Series([2.0] * 6)])
def test_weights_of_any_kind_become_float32(weight):
    out = check_weights(weight, None, FLAT, Y)[2]
    np.testing.assert_array_equal(out, np.ones(6, np.float32), strict=True)


@pytest.mark.parametrize(
    "weight",
    [[1] * 5, [1] * 5 + [-1], [1] * 5 + [np.nan], [1] * 5 + [np.inf], np.ones((6, 2)), np.zeros(6)],
    ids=["too few", "negative", "nan", "infinity", "two columns", "zeros"],
)
def test_bad_weights_are_refused(weight):
    with pytest.raises(ValueError):  # noqa: PT011, scikit-learn writes the message
        check_weights(weight, None, FLAT, Y)


@pytest.mark.parametrize(
    "class_weight", [{0: -1, 1: 1, 2: 1}, {0: np.nan}, {0: np.inf}, {0: 0, 1: 0, 2: 0}]
)
def test_bad_class_weights_are_refused(class_weight):
    message = (
        f"class_weight={class_weight!r} is not valid: weights must be finite and not negative, "
        "and at least one must be positive."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        check_weights(None, class_weight, FLAT, Y)


@pytest.mark.parametrize("names", [["0", "1", "2"], [False, True], [-1, 0, 7], [0.0, 1.0, 2.0]])
@pytest.mark.parametrize("dtype", [None, object])
def test_class_weights_support_labels_of_any_type(names, dtype):
    y = np.array(names, dtype)[Y % len(names)]
    out = check_weights(None, {names[1]: 0.5}, FLAT, y)[2]
    np.testing.assert_array_equal(out, np.where(y == names[1], 0.5, 1.0))


def test_class_weights_of_labels_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match=r"\['1'\] are not among the classes \[0, 1, 2\]"):
        check_weights(None, {0: 2, "1": 2}, FLAT, Y)
    out = check_weights(None, {0: 2, 1: 4, 2: 4, 3: 8}, FLAT, Y)[2]  # a split may lack class 3
    np.testing.assert_array_equal(out, np.where(Y == 0, 0.5, 1.0))


# --- range of pixels ------------------------------------------------------------------------


@quick
@given(high=st.floats(1e-3, 1e5), factor=st.floats(1 / 64, 64))
def test_images_more_than_eight_times_brighter_or_fainter_warn(high, factor):
    images = np.array([[0.0, high * factor]])
    if 0.126 < factor < 7.99:
        check_range(images, (0.0, high), high / 2)
    elif not 0.124 < factor < 8.01:
        with pytest.warns(UserWarning, match=r"^The brightest pixel of X is .* to the range of"):
            check_range(images, (0.0, high), high / 2)


def test_the_warning_names_both_ranges():
    message = (
        "The brightest pixel of X is 1, but the classifier was fitted on pixels from 0 to 255: "
        "predictions will be poor. Rescale X to the range of the training images."
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        check_range(np.ones((1, 1, 2, 2)), (0.0, 255.0), 30.0)


@pytest.mark.parametrize(
    ("images", "fitted_range"),
    [
        (np.zeros((1, 4)), (0.0, 255.0)),
        (np.full((1, 4), -3.0), (0.0, 255.0)),
        (np.zeros((0, 4)), (0.0, 255.0)),
        (np.full((1, 4), 100.0), (-1.0, 2.0)),
        (DatasetImages([(PIXELS[0] * 0, 0)]), (0.0, 255.0)),
    ],
    ids=["black", "negative", "empty", "fitted on standardized", "lazy"],
)
def test_images_without_a_known_scale_do_not_warn(images, fitted_range):
    check_range(images, fitted_range, 1.0)


ALL_DIGITS, LABELS = load_digits28(return_X_y=True)
DIGITS = ALL_DIGITS.reshape(-1, 28, 28)[:200]
RANGES = {  # of pixels, and what makes them of bytes
    "0..255": lambda X: X,
    "0..1": lambda X: X / 255,
    "-1..1": lambda X: X / 127.5 - 1,
    "standardized": lambda X: (X - 39.9) / 75.3,
    "bool": lambda X: X > 127,
}


@pytest.mark.parametrize("swapped", [False, True], ids=["light on dark", "dark on light"])
@pytest.mark.parametrize("change", RANGES.values(), ids=RANGES)
def test_many_inverted_images_warn(change, swapped):
    images, inverted = change(DIGITS), change(255 - DIGITS)
    if swapped:
        images, inverted = inverted, images
    statistics = pixel_statistics(images)
    statistics.check_range(images)
    for few in (inverted[:1], inverted[:9], inverted[:0]):
        statistics.check_range(few)
    for many in (inverted, inverted[:10], DatasetImages(list(inverted))):
        with pytest.warns(
            UserWarning, match=r"^The mean of the pixels in X is .* X looks inverted"
        ):
            statistics.check_range(many)


def test_the_warning_says_how_to_invert(fitted):
    message = "X looks inverted, and predictions will be poor. If it is inverted, pass 255 - X."
    with pytest.warns(UserWarning, match=re.escape(message)):
        fitted.predict(255 - DIGITS)


@quick
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(10, 60), bold=st.booleans())
def test_images_of_one_class_do_not_look_inverted(seed, n, bold):
    rng = np.random.default_rng(seed)
    images = rng.choice(ALL_DIGITS[rng.integers(10) == LABELS], n)
    pixel_statistics(ALL_DIGITS[:500]).check_range(np.where(images > 0, 255, 0) if bold else images)


@pytest.mark.parametrize(
    ("fitted_range", "mean", "images"),
    [
        ((0.0, 255.0), 120.0, np.full((50, 4), 255.0)),  # neither dark nor bright
        ((0.0, 255.0), 30.0, np.linspace(0, 255, 100).reshape(25, 4)),  # gray
        ((0.0, 255.0), 30.0, np.full((50, 4), 500.0)),  # another scale
        ((3.0, 3.0), 3.0, np.full((50, 4), 3.0)),  # all equal
        ((0.0, 1e6), 0.2, np.ones((50, 4))),  # one bright pixel in all training images
    ],
)
def test_other_images_do_not_look_inverted(fitted_range, mean, images):
    check_range(images, fitted_range, mean)


@pytest.mark.parametrize("read", [DatasetImages, StreamedImages])
def test_the_first_of_lazy_images_shows_their_scale(read):
    with pytest.warns(UserWarning, match=r"^The brightest pixel of X is 1, but"):
        check_range(read([(np.ones((2, 2)), 0), (np.ones((2, 2)), 1)]), (0.0, 255.0), 30.0)


@pytest.mark.parametrize("passed", [("fit", 1), ("predict", 0)], ids=lambda passed: passed[0])
def test_a_loader_is_refused(passed, fitted):
    method, n_labels = passed
    loader = DataLoader(TensorDataset(torch.as_tensor(PIXELS)))
    clf = clone(fitted) if n_labels else fitted
    with pytest.raises(ValueError, match=r"X is a DataLoader, .* Pass the dataset"):
        getattr(clf, method)(loader, *[Y] * n_labels)


@pytest.mark.parametrize("kind", [dict, Bunch, UserDict], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("method", ["fit", "predict", "score"])
def test_a_dict_is_refused_with_its_keys(kind, method, fitted):
    clf = clone(fitted) if method == "fit" else fitted
    message = (
        f"X is a {kind.__name__} with the keys ['data', 'target'], but must contain only the images"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        getattr(clf, method)(kind(data=FLAT, target=Y))


COLOR = np.zeros((6, 3, 4, 4))
SINGLE = {
    "gray": (PIXELS, PIXELS[0]),
    "image of rows": (FLAT, PIXELS[0]),
    "row": (FLAT, FLAT[0]),
    "tensor": (PIXELS, torch.as_tensor(PIXELS[0])),
    "lists": (PIXELS, PIXELS[0].tolist()),
    "channel last": (PIXELS, PIXELS[0, ..., None]),
    "color": (COLOR, COLOR[0]),
    "color, channels last": (COLOR, COLOR[0].transpose(1, 2, 0)),
}


@pytest.mark.parametrize(("X", "image"), SINGLE.values(), ids=SINGLE)
def test_a_single_image_is_refused(X, image):
    shape = np.asarray(image).shape
    estimator = fitted(X)
    message = f"X is a single image of shape {shape}, but must contain one image per row."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}.* pass X\\[None\\]"):
        check_images(estimator, image)
    assert len(check_images(estimator, np.asarray(image)[None]).images) == 1


@pytest.mark.parametrize("mode", ["L", "RGB", "1"])
def test_a_single_pil_image_is_refused(mode):
    image = Image.fromarray(PIXELS[0]).convert(mode)
    for check_one in (lambda: check(image, Y[:1]), lambda: check_images(fitted(), image)):
        with pytest.raises(ValueError, match=r"^X is a single PIL image, .*read_digits and Dig"):
            check_one()


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("mnist.csv", "^X is the path 'mnist.csv', .*load_images, a picture with .*read_digits"),
        (Path("seven.jpg"), "^X is the path 'seven.jpg'"),
        (["7.png", "8.png"], r"^X contains paths, such as '7\.png', .* DigitPreprocessor\.$"),
        ("lazy frame", r"^X is a LazyFrame, .* Pass X\.collect\(\)\.$"),
    ],
    ids=["dataset", "picture", "pictures", "lazy frame"],
)
def test_images_that_were_not_read_are_refused(X, message):
    if X == "lazy frame":
        X = polars_frame({f"pixel{k}": FLAT[:, k] for k in range(16)}).lazy()
    for check_one in (lambda: check(X), lambda: check_images(fitted(), X)):
        with pytest.raises(ValueError, match=message):
            check_one()


@pytest.mark.parametrize("shape", [(60, 80), (2, 60, 80), (60, 80, 3)])
def test_large_pictures_are_refused_with_the_name_of_their_reader(shape):
    estimator = fitted(np.zeros((2, 784)))
    with pytest.raises(ValueError, match=r"^X has .* is expecting 784 .*read_digits\.$"):
        check_images(estimator, np.zeros(shape))


@pytest.mark.parametrize("name", ["{}x{}", "pixel{1}", "{}_{}"])
@pytest.mark.parametrize("table", [pd.DataFrame, polars_frame])
def test_columns_that_are_sorted_as_text_are_refused(name, table):
    columns = {name.format(k // 12, k): np.zeros(6, np.uint8) for k in range(144)}
    check(table(columns))
    with pytest.raises(ValueError, match=r"^The columns of X are sorted as text: '\w+' is foll"):
        check(table({name: columns[name] for name in sorted(columns)}))


@pytest.mark.parametrize("label", ["label", "Class"])
def test_a_column_of_labels_in_the_images(label):
    frame = pd.DataFrame(FLAT).add_prefix("pixel").assign(**{label: Y})
    for image_shape in (None, (4, 4)):
        with pytest.raises(ValueError, match=f"^X has the column '{label}' in addition to 16 col"):
            check(frame, image_shape=image_shape)
    with pytest.warns(UserWarning, match=f"^X has the column '{label}', which is used as a pixel"):
        check(frame.iloc[:, 1:])


def test_one_gray_image_with_its_channel_is_a_batch_of_one():
    assert check_images(fitted(), PIXELS[:1]).images.shape == (1, 1, 4, 4)
    assert check_images(fitted(np.eye(2)[:, :1], (1, 1)), [[3.0]]).images.shape == (1, 1, 1, 1)


def test_single_bright_pixels_do_not_warn():
    images = np.full((10, 100), 0.3)
    images[0, 0] = 255  # a pixel that was 0 or 1 in all training images, through MinMaxScaler
    check_range(images, (0.0, 1.0), 0.3)


def test_rows_of_a_dataset_are_padded_like_those_of_an_array():
    rows = np.arange(18, dtype=np.float32).reshape(6, 3)
    dataset = TensorDataset(torch.as_tensor(rows), torch.as_tensor(Y))
    with pytest.warns(UserWarning, match="padded with zeros to 2x2"):
        expected, _, _ = check(rows)
    with pytest.warns(UserWarning, match="padded with zeros to 2x2"):
        images, shape, _ = check(dataset, None)
    assert shape == (1, 2, 2)
    np.testing.assert_array_equal(images[:], expected)


def test_labels_may_be_any_part_of_the_items():
    dataset = TensorDataset(torch.as_tensor(PIXELS), torch.zeros(6), torch.as_tensor(Y))
    for labels in (SliceDataset(dataset, idx=2), TensorDataset(torch.zeros(6), torch.as_tensor(Y))):
        np.testing.assert_array_equal(check(PIXELS, labels)[2], Y)
