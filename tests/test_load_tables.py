"""Tables with one image per row: CSV as it comes, ARFF, libsvm, and what is ambiguous."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.datasets import dump_svmlight_file, load_digits

from skorch_mnist import load_digits28, load_images
from skorch_mnist.datasets import DatasetError, load_csv, load_frame

DIGITS = load_digits28()
X, Y = DIGITS.data[:20], DIGITS.target[:20]
SMALL, SMALL_Y = load_digits(return_X_y=True)
SMALL = SMALL.astype(np.uint8)
PIXELS = [f"pixel{k}" for k in range(784)]
HEADERS = {
    "none": None,
    "Kaggle": ["label", *PIXELS],
    "Redmon": ["label", *(f"{row}x{column}" for row in range(1, 29) for column in range(1, 29))],
    "capitals": ["Label", *PIXELS],
    "class": ["class", *PIXELS],
    "pandas": ["label", *map(str, range(784))],
    "numbers": [str(k) for k in range(785)],
    "R": [f"V{k + 1}" for k in range(785)],
}


def check(found, X=X, y=Y):
    """Compare a bunch with rows of pixels and labels."""
    np.testing.assert_array_equal(found.data, X, strict=True)
    if y is None:
        assert found.target is None
    else:
        np.testing.assert_array_equal(found.target, y.astype(np.int64), strict=True)
        assert "Labels from" in found.DESCR


def write(path, rows, header=None, sep=",", end="\n", encoding="utf-8", quote=""):
    lines = [sep.join(f"{quote}{name}{quote}" for name in header)] if header else []
    lines += [sep.join(f"{quote}{value}{quote}" for value in row) for row in rows]
    path.write_bytes((end.join(lines) + end).encode(encoding))
    return path


FIRST, LAST = np.column_stack([Y, X]), np.column_stack([X, Y])


@pytest.mark.parametrize(("sep", "header"), [
    *((",", header) for header in HEADERS),
    *((sep, header) for sep in (";", "\t", " ", ", ", "  ") for header in ("none", "Kaggle")),
])  # fmt: skip
@pytest.mark.parametrize("is_last", [False, True])
def test_separators_headers_and_places_of_labels(sep, header, is_last, tmp_path):
    names = HEADERS[header]
    if is_last and names and header not in ("numbers", "R"):
        names = [*names[1:], names[0]]
    path = write(tmp_path / "x.csv", LAST if is_last else FIRST, names, sep)
    check(load_images(path))
    check(load_csv(path))
    check(load_images(path, label=-1 if is_last else 0))


@pytest.mark.parametrize("options", [
    {"end": "\r\n"}, {"end": "\r\n", "encoding": "utf-8-sig"}, {"encoding": "utf-16"},
    {"quote": '"'}, {"encoding": "utf-16", "sep": "\t", "end": "\r\n", "quote": '"'},
])  # fmt: skip
@pytest.mark.parametrize("header", ["none", "Kaggle"])
def test_files_of_spreadsheets(options, header, tmp_path):
    check(load_images(write(tmp_path / "x.csv", FIRST, HEADERS[header], **options)))


@pytest.mark.parametrize(("suffix", "pack"), [
    (".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress), ("", gzip.compress),
])  # fmt: skip
def test_compressed_files(suffix, pack, tmp_path):
    content = write(tmp_path / "x.csv", FIRST, HEADERS["Kaggle"]).read_bytes()
    path = tmp_path / f"packed.csv{suffix}"
    path.write_bytes(pack(content))
    check(load_csv(path))
    with zipfile.ZipFile(tmp_path / "x.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.csv", content)
    check(load_csv(tmp_path / "x.csv.zip"))


@pytest.mark.parametrize("name", [None, "", "id", "index", "Unnamed: 0", "ImageId"])
def test_index_columns_are_ignored(name, tmp_path):
    for start in (0, 1):
        index = np.arange(len(Y)) + start
        if name is not None:
            rows, header = np.column_stack([index, FIRST]), [name, *HEADERS["Kaggle"]]
            found = load_images(write(tmp_path / "x.csv", rows, header))
            assert f'Ignored column "{name}"' in found.DESCR
            check(found)
            header = [name, *PIXELS]
            check(
                load_images(write(tmp_path / "x.csv", rows[:, [0, *range(2, 786)]], header)), y=None
            )
        for rows in ([index, FIRST], [index, LAST], [FIRST, index]):
            check(load_images(write(tmp_path / "x.csv", np.column_stack(rows))))


def test_files_that_pandas_writes(tmp_path):
    frame = pd.DataFrame(X).assign(label=Y)
    for index in (True, False):
        frame.to_csv(tmp_path / "x.csv", index=index)
        check(load_csv(tmp_path / "x.csv"))
        frame.astype(float).to_csv(tmp_path / "floats.csv", index=index)
        check(load_csv(tmp_path / "floats.csv"))
    (pd.DataFrame(X) / 255).assign(label=Y).to_csv(tmp_path / "fractions.csv")
    check(load_csv(tmp_path / "fractions.csv"))
    assert "multiplied by 255" in load_csv(tmp_path / "fractions.csv").DESCR
    frame.drop(columns="label").to_csv(tmp_path / "test.csv", index=False)
    check(load_csv(tmp_path / "test.csv"), y=None)


def test_separators_at_the_end_of_lines(tmp_path):
    lines = [",".join(map(str, row)) + "," for row in FIRST]
    (tmp_path / "x.csv").write_text("\n\n" + "\n".join(lines))
    check(load_images(tmp_path / "x.csv"))
    lines = [" ".join(f"{value:.4f}" for value in row) + " " for row in LAST]
    (tmp_path / "x.txt").write_text("\n".join(lines) + "\n\n")
    check(load_images(tmp_path / "x.txt"))


def test_labels_that_are_words(tmp_path):
    words = np.array(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    )
    for columns in ([words[Y], X], [X, words[Y]]):
        found = load_images(write(tmp_path / "x.csv", np.column_stack(columns)))
        np.testing.assert_array_equal(found.data, X)
        assert found.target_names == sorted(words)
        np.testing.assert_array_equal(found.target, words[Y], strict=True)
        assert "The labels are strings." in found.DESCR


def test_one_label_and_one_row(tmp_path):
    check(load_images(write(tmp_path / "x.csv", FIRST[Y == 5])), X[Y == 5], Y[Y == 5])
    check(load_images(write(tmp_path / "x.csv", LAST[5:6])), X[5:6], Y[5:6])


def test_a_headerless_file_of_uci_with_the_label_last(tmp_path):
    path = write(tmp_path / "optdigits.tra", np.column_stack([SMALL, SMALL_Y]))
    check(load_images(path), SMALL, SMALL_Y)
    assert "Labels from the last column" in load_images(path).DESCR
    path = write(tmp_path / "first.csv", np.column_stack([SMALL_Y, SMALL]))
    check(load_images(path), SMALL, SMALL_Y)


def test_an_ambiguous_file_shows_both_readings(tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 17, (50, 16), dtype=np.uint8)
    labels = rng.integers(0, 10, 50)
    path = write(tmp_path / "noise.csv", np.column_stack([labels, noise]))
    shown = rf"first column \({labels[0]}, {labels[1]}, .*\) or in the last \({noise[0, -1]}, .*\)"
    with pytest.raises(DatasetError, match=shown + r"\. Pass label=0 or label=-1"):
        load_images(path)
    check(load_images(path, label=0), noise, labels)
    assert load_images(path, label=-1).target.tolist() == noise[:, -1].tolist()
    for frame in (pd.read_csv(path, header=None), pl.read_csv(path, has_header=False)):
        with pytest.raises(DatasetError, match="Pass label=0 or label=-1"):
            load_frame(frame)
        check(load_frame(frame, label=0), noise, labels)
    zeros = write(tmp_path / "zeros.csv", np.zeros((3, 17), int))
    with pytest.raises(DatasetError, match="Pass label=0 or label=-1"):
        load_images(zeros)


def test_labels_are_distinguished_from_pixels_at_the_edge(tmp_path):
    rng = np.random.default_rng(0)
    smooth = np.cumsum(rng.integers(-3, 4, (200, 16)), axis=1) + 50
    labels = rng.integers(0, 10, 200)
    for columns in ([labels, smooth], [smooth, labels]):
        path = write(tmp_path / "x.csv", np.column_stack(columns))
        check(load_images(path), smooth.astype(np.uint8), labels)


def test_images_that_are_not_square(tmp_path):
    rows = np.column_stack([Y, X[:, :600]])
    path = write(tmp_path / "x.csv", rows)
    with pytest.raises(DatasetError, match=r"has 601 columns of pixels, .*image_shape=\(height"):
        load_images(path)
    found = load_images(path, image_shape=(20, 30))
    assert found.images.shape == (20, 20, 30)
    check(found, X[:, :600])
    color = load_images(path, image_shape=(3, 10, 20))
    assert color.images.shape == (20, 10, 20, 3)
    np.testing.assert_array_equal(color.images[..., 1].reshape(20, -1), X[:, 200:400])


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("5,2,3,4,x\n1,2,3,4,5\n", {"label": 0}, "has 4 columns|5 columns|3 columns"),
        ("label,a,b,c,d\n1,2,3\n1,2,3,4,5\n", {}, "must have the same number of fields"),
        ("1,2,3,4,5\n" * 60 + "1,2,3\n", {"label": 0}, "number of columns changed"),
        ("1,2,3,4,256\n2,2,3,4,5\n", {"label": 0}, "has 256 in row 0, pixel 3; expected integers"),
        ("1,2,3,-4,5\n", {"label": 0}, "has -4 in row 0, pixel 2"),
        ("1,2,3,nan,5\n", {"label": 0}, "has nan in image 0"),
        (
            "label,a,b,c,d\n1,2,3,4,5\n",
            {"label": "y"},
            "label='y' is not a column of .*'label', 'a'",
        ),
        (
            "7,2,3,4,5\n",
            {"label": 5},
            "label=5 is not a column of x.csv. Columns: 0 to 4",
        ),
        (
            ",".join(f"1x{k}" for k in range(9)) + "\n" + ",".join("123456789") + "\n",
            {"label": "y"},
            r"Columns: '1x0', '1x1', '1x2', '1x3', '1x4', '1x5' and 3 more\.$",
        ),
        ("7,2,3,4,5\n", {"sep": ";"}, "has a single column if sep=';'"),
        (
            "9,2,3,4,one\n5,6,7,8,two\n",
            {"label": 0},
            r"has 3 columns .* There are words in the last column, perhaps the labels\.$",
        ),
        ("7,2,3\n", {}, "has 3 columns of pixels, which do not form a square image. Expected"),
        ("7,2,3,4,5\n", {"image_shape": (2, 3)}, r"an image of shape \(2, 3\)"),
        ("0,5;0,25;0,75;1,0;3\n" * 3, {}, "with decimal points"),
        ("label,a,b,c,d\n", {}, "does not contain images"),
        ("a,b,c,d\nx,y,z,w\n", {}, "not a table of numbers|is not known"),
    ],
)
def test_the_error_says_what_is_wrong(text, arguments, message, tmp_path):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        load_images(tmp_path / "x.csv", **arguments)


@pytest.mark.parametrize("content", [b"label,a\n\xff", "é".encode("latin-1") + b",1,2,3,4\n"])
def test_text_that_is_not_utf_8(content, tmp_path):
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(DatasetError):
        load_images(tmp_path / "x.csv")


def test_train_and_test_tables_of_kaggle(tmp_path):
    write(tmp_path / "train.csv", FIRST, HEADERS["Kaggle"])
    write(tmp_path / "test.csv", X[:7], PIXELS)
    write(tmp_path / "sample_submission.csv", [[1, 0], [2, 0]], ["ImageId", "Label"])
    found = load_images(tmp_path)
    check(found)
    assert found.subsets == {"train": slice(0, 20)}
    assert "Ignored: sample_submission.csv" in found.DESCR
    assert 'Ignored: 7 images for test, subset="test", because they have no labels' in found.DESCR
    check(load_images(tmp_path, subset="test"), X[:7], None)
    write(tmp_path / "mnist_train.csv", FIRST)
    with pytest.raises(DatasetError, match=r"several datasets: mnist_train.csv, train.csv\. Pass"):
        load_images(tmp_path)


def test_tables_of_emnist_are_upright(tmp_path):
    swapped = X.reshape(-1, 28, 28).swapaxes(1, 2).reshape(-1, 784)
    path = write(tmp_path / "emnist-digits-train.csv", np.column_stack([Y, swapped]))
    check(load_images(path))
    assert "Rows and columns were swapped" in load_images(path).DESCR


# ARFF and libsvm


def test_arff_of_openml(tmp_path):
    header = ["% a comment", "@RELATION mnist_784", ""]
    header += [f"@ATTRIBUTE pixel{k + 1} real" for k in range(784)]
    rows = [",".join(map(str, row)) for row in LAST]
    numbers = [*header, "@ATTRIBUTE class {0,1,2,3,4,5,6,7,8,9}", "@DATA", *rows, ""]
    (tmp_path / "mnist_784.arff").write_text("\n".join(numbers))
    check(load_images(tmp_path / "mnist_784.arff"))
    rows = [",".join([*map(str, pixels), f"'digit {y}'"]) for pixels, y in zip(X, Y, strict=True)]
    words = [*header, "@attribute 'class' {'digit 0','digit 1'}", "@data", *rows]
    (tmp_path / "words.arff").write_text("\n".join(words))
    assert load_images(tmp_path / "words.arff").target.tolist() == [f"digit {y}" for y in Y]
    (tmp_path / "sparse.arff").write_text("\n".join([*numbers[:-22], "@data", "{0 5, 784 1}"]))
    with pytest.raises(DatasetError, match="is a sparse ARFF file"):
        load_images(tmp_path / "sparse.arff")


def test_arff_is_what_scipy_reads(tmp_path):
    from scipy.io import arff

    lines = ["@relation small", *(f"@attribute p{k} numeric" for k in range(64))]
    lines += ["@attribute class {0,1,2,3,4,5,6,7,8,9}", "@data"]
    lines += [",".join(map(str, [*row, y])) for row, y in zip(SMALL[:50], SMALL_Y, strict=False)]
    (tmp_path / "small.arff").write_text("\n".join(lines))
    records, _ = arff.loadarff(tmp_path / "small.arff")
    found = load_images(tmp_path / "small.arff")
    assert found.target.tolist() == [int(record["class"]) for record in records]
    np.testing.assert_array_equal(found.data, [[*record][:64] for record in records.tolist()])


@pytest.mark.parametrize("zero_based", [False, True])
@pytest.mark.parametrize("scale", [1, 255])
def test_libsvm(zero_based, scale, tmp_path):
    rows = X.copy()
    rows[0, 779] = 1  # the last pixel of MNIST that is not 0
    path = str(tmp_path / "mnist")
    dump_svmlight_file(rows / scale, Y, path, zero_based=zero_based, comment="written by a test")
    found = load_images(path)
    check(found, rows)
    assert f"Pixels are counted from {int(not zero_based)}" in found.DESCR
    rows[0, 0] = 1
    dump_svmlight_file(rows / scale, Y, path, zero_based=zero_based)
    check(load_images(path), rows)
    assert "28x28 pixels, because the last nonzero pixel is number" in found.DESCR


def test_libsvm_does_not_say_how_large_images_are(tmp_path):
    images = X.reshape(-1, 28, 28).copy()
    images[:, 25:] = 0
    dump_svmlight_file(
        images.reshape(-1, 784).astype(float), Y, str(tmp_path / "x"), zero_based=False
    )
    with pytest.raises(DatasetError, match=r"so it can be 27x27 or 28x28 pixels\. Pass imag"):
        load_images(tmp_path / "x")
    check(load_images(tmp_path / "x", image_shape=(28, 28)), images.reshape(-1, 784))
    (tmp_path / "huge").write_text("1 99999999999:1\n")
    with pytest.raises(DatasetError):
        load_images(tmp_path / "huge", image_shape=(28, 28))


# Frames


@pytest.mark.parametrize("make", [lambda f: f, pl.from_pandas, pa.Table.from_pandas])
@pytest.mark.parametrize(
    "dtype",
    [
        np.uint8,
        pytest.param("UInt8", marks=pytest.mark.slow),
        pytest.param(np.int64, marks=pytest.mark.slow),
        pytest.param(np.float32, marks=pytest.mark.slow),
    ],
)
def test_frames_follow_the_rules_of_csv_files(make, dtype):
    frame = pd.DataFrame(X, columns=PIXELS, dtype=dtype)
    check(load_frame(make(frame)), y=None)
    check(load_frame(make(frame.assign(label=Y))))
    check(load_frame(make(frame.assign(zzz=Y))))
    check(load_frame(make(frame.assign(zzz=Y)), label="zzz"))
    frame.insert(0, "id", np.arange(len(Y)))
    frame.insert(1, "Class", Y.astype(str))
    check(load_frame(make(frame)))
