"""Data for the command line: by name, and from files and folders."""

from __future__ import annotations

import gzip
import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skorch_mnist import MNISTCNNClassifier
from skorch_mnist.cli import data, main, named_data
from skorch_mnist.cli import images as cli_images
from skorch_mnist.cli.config import Source
from skorch_mnist.cli.messages import Screen
from skorch_mnist.datasets import DatasetError, PictureFormError, fetch_emnist, load_image_folder

pytestmark = pytest.mark.usefixtures("few_digits")
SILENT = Screen(as_json=True)


@pytest.fixture
def images():
    """Twenty images of two classes, and their labels."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (20, 28, 28), dtype=np.uint8), np.repeat([3, 8], 10)


def load(path, **options):
    return data.load_data(Source(str(path), **options), SILENT)


def write_idx(path, array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wb") as stream:
        stream.write(header + array.astype(np.uint8).tobytes())


def write_csv(path, X, y):
    rows = [",".join(map(str, [label, *image.ravel()])) for image, label in zip(X, y, strict=True)]
    path.write_text("\n".join(rows) + "\n")


def write_pictures(folder, X, y):
    for number, (image, label) in enumerate(zip(X, y, strict=True)):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / str(label) / f"{number:02}.png")


def pairs(images):
    """Images and labels as a set, since files may come in another order."""
    return {(x.tobytes(), label) for x, label in zip(images.X, images.y.tolist(), strict=True)}


def expected(X, y):
    return {(x.tobytes(), label) for x, label in zip(X, y.tolist(), strict=True)}


# --- files and folders ------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("inside", ["", "MNIST/raw", "raw"])
def test_a_folder_of_idx_files(images, tmp_path, suffix, inside):
    X, y = images
    folder = tmp_path / "own" / inside
    folder.mkdir(parents=True)
    for part, rows in (("train", slice(0, 20, 2)), ("t10k", slice(1, 20, 2))):
        write_idx(folder / f"{part}-images-idx3-ubyte{suffix}", X[rows])
        write_idx(folder / f"{part}-labels-idx1-ubyte{suffix}", y[rows])
    found = load(tmp_path / "own")
    assert pairs(found.train) == expected(X[::2], y[::2])
    assert pairs(found.test) == expected(X[1::2], y[1::2])
    assert found.train.X.shape == (10, 784)


def test_a_fixed_fifth_of_each_class_in_a_csv_file_is_set_aside(images, tmp_path):
    write_csv(tmp_path / "own.csv", *images)
    found, again = load(tmp_path / "own.csv"), load(tmp_path / "own.csv")
    assert np.bincount(found.test.y).tolist() == [0, 0, 0, 2, 0, 0, 0, 0, 2]
    assert pairs(found.train) | pairs(found.test) == expected(*images)
    assert pairs(found.train) & pairs(found.test) == set()
    assert found.sha256 == again.sha256
    np.testing.assert_array_equal(found.test.X, again.test.X)


def test_a_csv_file_with_another_one_for_testing(images, tmp_path):
    X, y = images
    write_csv(tmp_path / "train.csv", X, y)
    write_csv(tmp_path / "test.csv", X[:3], y[:3])
    found = load(tmp_path / "train.csv", test_dataset=str(tmp_path / "test.csv"))
    assert len(found.train.y) == 20 and pairs(found.test) == expected(X[:3], y[:3])


def test_a_folder_of_pictures_by_class(images, tmp_path):
    write_pictures(tmp_path / "own", *images)
    found = load(tmp_path / "own")
    assert pairs(found.train) | pairs(found.test) == expected(*images)


def test_a_folder_of_pictures_in_train_and_test(images, tmp_path):
    X, y = images
    write_pictures(tmp_path / "own" / "train", X[2:], y[2:])
    write_pictures(tmp_path / "own" / "test", X[:2], y[:2])
    found = load(tmp_path / "own")
    assert pairs(found.train) == expected(X[2:], y[2:])
    assert pairs(found.test) == expected(X[:2], y[:2])


def test_validation_images_are_reported_as_not_used(images, tmp_path, capsys):
    X, y = images
    write_pictures(tmp_path / "own" / "training", X[4:], y[4:])
    write_pictures(tmp_path / "own" / "val", X[2:4], y[2:4])
    write_pictures(tmp_path / "own" / "testing", X[:2], y[:2])
    (tmp_path / "own" / "README.md").write_text("Digits.")
    found = load(tmp_path / "own")
    assert pairs(found.train) == expected(X[4:], y[4:])
    assert pairs(found.test) == expected(X[:2], y[:2])
    left, validation = capsys.readouterr().err.splitlines()
    assert "ignored files without images: README.md" in left
    assert "the validation images are ignored" in validation


@pytest.mark.parametrize("name", ["mnist.npz", "mnist.zip"])
def test_any_file_that_load_images_opens(name, images, tmp_path):
    X, y = images
    stored = {"x_train": X[5:], "y_train": y[5:], "x_test": X[:5], "y_test": y[:5]}
    np.savez(tmp_path / "mnist.npz", **stored)
    (tmp_path / "mnist.npz").rename(tmp_path / name)
    found = load(tmp_path / name)
    assert pairs(found.train) == expected(X[5:], y[5:])
    assert pairs(found.test) == expected(X[:5], y[:5])


def test_classes_that_are_not_numbers_keep_their_names(images, tmp_path):
    X, y = images
    write_pictures(tmp_path / "own", X, np.where(y == 3, "cat", "dog"))
    assert set(load(tmp_path / "own").train.y.tolist()) == {"cat", "dog"}


def test_drawings_are_converted_to_the_form_of_mnist(tmp_path):
    for label, box in (("1", (90, 40, 110, 260)), ("7", (40, 40, 160, 60))):
        for number in range(3):
            picture = Image.new("L", (200 + number, 300), 240)
            picture.paste(20, box)
            (tmp_path / "own" / label).mkdir(parents=True, exist_ok=True)
            picture.save(tmp_path / "own" / label / f"{number}.png")
    with pytest.raises(
        ValueError,
        match=r"301x|20\dx300.*add --preprocess to convert pictures to the form of MNIST",
    ):
        load(tmp_path / "own")
    found = load(tmp_path / "own", preprocess=True)
    assert found.train.X.shape == (4, 784) and found.train.X.max() == 255
    assert (found.train.X[:, 0] == 0).all()  # ink is bright
    blank = io.BytesIO()
    Image.new("L", (50, 50), 255).save(blank, "PNG")
    path = tmp_path / "own" / "7" / "2.png"
    for content, fault in (
        (path.read_bytes()[:100], r"2\.png is damaged: "),
        (blank.getvalue(), r"no digit was found in .*2\.png"),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"{fault}.*: remove or replace this picture$"):
            load(tmp_path / "own", preprocess=True)


@pytest.fixture
def heic(tmp_path):
    """A folder of pictures of one and seven, and one of the sevens in HEIC."""
    for label, box in (("1", (90, 40, 110, 260)), ("7", (40, 40, 160, 60))):
        picture = Image.new("L", (200, 300), 240)
        picture.paste(20, box)
        write_pictures(tmp_path / "own", [np.asarray(picture)] * 2, [label] * 2)
    return tmp_path / "own" / "7" / "IMG_1.HEIC"


def test_heic_pictures_are_read(heic):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.from_pillow(Image.open(heic.parent / "00.png").convert("RGB")).save(heic)
    found = load(heic.parents[1], preprocess=True)
    assert [*found.train.y, *found.test.y].count(7) == 3


def test_heic_pictures_are_not_left_out_without_pillow_heif(heic, monkeypatch):
    load(heic.parents[1], preprocess=True)  # registers pillow-heif once if it is installed
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != "HEIF"])
    heic.write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(ValueError, match=r"IMG_1\.HEIC has the format HEIC\. Install pillow-heif"):
        load(heic.parents[1], preprocess=True)
    with pytest.raises(ValueError, match=r"IMG_1\.HEIC has the format HEIC: add --preprocess"):
        load(heic)


def test_heic_pictures_among_others_are_named(heic, capsys):
    heic.write_bytes(b"\0\0\0\x18ftypheic")
    load(heic.parents[1])
    assert "ignored pictures in the format HEIC: 7/IMG_1.HEIC" in capsys.readouterr().err
    with pytest.raises(PictureFormError, match=r"IMG_1\.HEIC has the format HEIC\. Use"):
        load_image_folder(heic.parents[1])


def test_images_that_are_not_square_keep_their_shape(tmp_path):
    (tmp_path / "own").mkdir()
    X = np.zeros((10, 20, 30), np.uint8)
    write_idx(tmp_path / "own" / "train-images-idx3-ubyte", X)
    write_idx(tmp_path / "own" / "train-labels-idx1-ubyte", np.arange(10) % 2)
    assert load(tmp_path / "own").train.X.shape == (8, 20, 30)


def test_all_images_of_a_path_are_test_images(images, tmp_path):
    write_csv(tmp_path / "own.csv", *images)
    name, found = data.load_test_images(Source(str(tmp_path / "own.csv")), None, SILENT)
    assert (name, len(found.y)) == (str(tmp_path / "own.csv"), 20)


def test_training_images_of_a_run_are_recognized_by_their_content(images, tmp_path):
    write_csv(tmp_path / "own.csv", *images)
    write_csv(tmp_path / "copy.csv", *images)
    of_run = load(tmp_path / "own.csv")
    _, found = data.load_test_images(Source(str(tmp_path / "copy.csv")), of_run.sha256, SILENT)
    assert pairs(found) == pairs(of_run.test)


def test_file_names_of_the_relatives_of_mnist_are_known(images, tmp_path):
    X, y = images
    for prefix in ("emnist-digits-", "qmnist-"):
        folder = tmp_path / prefix
        folder.mkdir()
        for part, rows in (("train", slice(0, 15)), ("test", slice(15, 20))):
            stored = X[rows].swapaxes(1, 2) if "emnist" in prefix else X[rows]
            write_idx(folder / f"{prefix}{part}-images-idx3-ubyte", stored)
            suffix = "idx1-ubyte" if "emnist" in prefix else "idx2-int"
            labels = y[rows] if "emnist" in prefix else np.tile(y[rows, None], (1, 8))
            write_idx(folder / f"{prefix}{part}-labels-{suffix}", labels)
        found = load(folder)
        assert (len(found.train.y), len(found.test.y)) == (15, 5)
        assert pairs(found.test) == expected(X[15:], y[15:])


def test_unpacked_files_and_their_archives_are_the_same_data(images, tmp_path):
    for suffix in ("", ".gz"):
        write_idx(tmp_path / f"train-images-idx3-ubyte{suffix}", images[0])
        write_idx(tmp_path / f"train-labels-idx1-ubyte{suffix}", images[1])
    assert len(load(tmp_path).train.y) == 16


def test_every_class_is_tested_even_where_a_fifth_is_less_than_one_of_each(tmp_path):
    X = np.arange(40 * 784).reshape(40, 28, 28).astype(np.uint8)
    write_csv(tmp_path / "own.csv", X, np.append(np.repeat(np.arange(13), 3), 13))
    found = load(tmp_path / "own.csv")
    assert np.bincount(found.test.y).tolist() == [1] * 13
    assert np.bincount(found.train.y).tolist() == [2] * 13 + [1]


def test_labels_have_the_same_type_in_both_parts(images, tmp_path):
    X, y = images
    write_pictures(tmp_path / "own" / "train", X, np.where(y == 3, "1", "a"))
    write_pictures(tmp_path / "own" / "test", X[:2], np.array(["1", "1"]))
    found = load(tmp_path / "own")
    assert set(found.train.y.tolist()) == {"1", "a"} and found.test.y.tolist() == ["1", "1"]


# --- by name ----------------------------------------------------------------------------------


def test_every_name_stands_for_a_dataset(monkeypatch):
    asked = []

    def fetch(**options):
        asked.append(options)
        X = np.zeros((4, 784), np.uint8)
        names = ["0", "a"]
        return data_bunch(X, np.arange(4) % 2, names)

    for name in ("emnist", "fashion_mnist", "kmnist", "qmnist"):
        monkeypatch.setattr(f"skorch_mnist.datasets.fetch_{name}", fetch)
    for name in named_data.NAMES:
        if name not in ("auto", "mnist", "digits"):
            found = data.load_data(Source(name, data_home="x"), SILENT)
            assert found.name == name and found.train.y.tolist() == ["0", "a", "0", "a"]
    assert [options["split"] for options in asked if "split" in options] == [
        split for split in named_data.EMNIST for _ in range(2)
    ]
    assert {options["subset"] for options in asked} == {"train", "test"}
    assert {options["data_home"] for options in asked} == {"x"}


def data_bunch(X, y, names):
    from sklearn.utils import Bunch

    return Bunch(data=X, images=X.reshape(-1, 28, 28), target=y, target_names=names)


def test_labels_are_numbers_where_the_names_are_digits(few_digits):
    assert few_digits.train.y.dtype == np.int64


def test_the_splits_of_emnist_are_those_of_the_fetcher():
    valid = ", ".join(map(repr, named_data.EMNIST))
    with pytest.raises(ValueError, match=rf"it must be one of {valid}\.$"):
        fetch_emnist(split="nothing")


@pytest.mark.parametrize("label", [pytest.param("0", marks=pytest.mark.slow), "-1"])
def test_the_column_of_labels_can_be_given(label, few_digits):
    X, y = few_digits.train
    other = (y + 1) % 5
    rows = np.column_stack([y, X[:, :-1], other])  # either column can hold the labels
    np.savetxt("two.csv", rows, "%d", delimiter=",")
    with pytest.raises(DatasetError, match=r"Pass label=0 or label=-1"):
        load("two.csv")
    options = ["--dataset", "two.csv", "--label", label, "--max-epochs", "1", "--json"]
    assert main(["train", *options]) == 0
    assert main(["evaluate", "skorch_mnist_output"]) == 0  # the label is part of the configuration
    clf = MNISTCNNClassifier.load("skorch_mnist_output/model.safetensors")
    assert set(clf.classes_) == set(y if label == "0" else other)


def test_the_label_of_a_configuration_can_be_replaced(few_digits, capsys):
    X, y = few_digits.train
    np.savetxt("two.csv", np.column_stack([y, X[:, :-1], (y + 1) % 10]), "%d", delimiter=",")
    options = ["--label", "0", "--max-epochs", "1", "--output-dir", "first"]
    assert main(["train", "--dataset", "two.csv", *options]) == 0
    config = ["--config", "first/config.toml", "--output-dir", "second"]
    assert main(["train", *config, "--label", "-1"]) == 0
    assert 'label = "-1"' in Path("second/config.toml").read_text()
    capsys.readouterr()
    assert main(["evaluate", "first", "--label", "-1"]) == 0
    assert "has changed since the classifier was trained" in capsys.readouterr().err


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            Source("cifar"),
            "cifar is neither a known dataset nor an existing file or folder. Known datasets:",
        ),
        (Source("fashion_mnist"), r"\(did you mean fashion-mnist\?\)"),
        (Source("mnist", test_dataset="x.csv"), "--test-dataset is only for your own images"),
        (Source("digits", preprocess=True), "--preprocess is only for your own images"),
        (
            Source("own.csv", preprocess=True),
            "--preprocess requires a folder of pictures, but own.csv",
        ),
        (Source("idx", preprocess=True), "idx does not contain folders of pictures"),
        (
            Source("unlabelled.csv"),
            "no labels were found in unlabelled.csv: if there are any, give the name or number",
        ),
        (Source("digits", label="y"), "--label is only for your own images"),
        (Source("own.csv", preprocess=True, label="0"), "--label has no effect with --preprocess"),
        (Source("own.csv", label="kind"), "label='kind' is not a column"),
        (Source("one.png"), "one.png has only one image, without a label: skorch-mnist predict"),
        (Source("only_test"), "only_test has test images but no training images"),
        (Source("two"), "two contains several datasets: a-train-images-idx3-ubyte of shape"),
        (
            Source("one.csv"),
            "one.csv has only one image of each class, so no test images can be set aside",
        ),
        (Source("/dev/zero"), "/dev/zero is neither a file nor a folder"),
        (Source("empty"), "empty does not contain any files"),
        (
            Source("own.csv", test_dataset="other.csv"),
            "that no training image has: 5. Known labels",
        ),
        (
            Source("own.csv", test_dataset="nowhere.csv"),
            "nowhere.csv is neither a known",
        ),
    ],
)
def test_bad_sources_are_refused(source, message, images):
    X, y = images
    write_csv(Path("own.csv"), X, y)
    write_csv(Path("other.csv"), X[:4], np.full(4, 5))
    rows = [",".join(map(str, image.ravel())) for image in X]
    Path("unlabelled.csv").write_text("\n".join(rows))
    write_csv(Path("one.csv"), X[:1], y[:1])
    Image.fromarray(X[0]).save("one.png")
    for name in ("idx", "only_test", "empty", "two"):
        Path(name).mkdir()
    write_idx(Path("idx/train-images-idx3-ubyte"), X)
    write_idx(Path("idx/train-labels-idx1-ubyte"), y)
    write_idx(Path("only_test/t10k-images-idx3-ubyte"), X)
    write_idx(Path("only_test/t10k-labels-idx1-ubyte"), y)
    for prefix in ("a", "b"):
        write_idx(Path(f"two/{prefix}-train-images-idx3-ubyte"), X)
        write_idx(Path(f"two/{prefix}-train-labels-idx1-ubyte"), y)
    with pytest.raises((ValueError, DatasetError), match=message):
        data.load_data(source, SILENT)


def test_the_digest_depends_on_images_labels_and_order(few_digits):
    X, y = few_digits.train
    other = [
        few_digits._replace(train=cli_images.Images(X[::-1], y[::-1])),
        few_digits._replace(train=cli_images.Images(X, y[::-1])),
        few_digits._replace(train=cli_images.Images(X.astype(np.int32), y)),
        few_digits._replace(test=few_digits.train),
    ]
    assert len({one.sha256 for one in [few_digits, *other]}) == 5
