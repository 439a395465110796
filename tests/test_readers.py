"""The readers of IDX files, CSV files, data frames and folders."""

from __future__ import annotations

import gzip
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from misbehaving_mirror import to_idx
from PIL import Image

from skorch_mnist import load_digits28
from skorch_mnist.datasets import DatasetError, load_csv, load_frame, load_idx, load_image_folder

IMAGES, LABELS = load_digits28().images[:20], load_digits28().target[:20]


def check(bunch, labels=LABELS):
    np.testing.assert_array_equal(bunch.images, IMAGES, strict=True)
    np.testing.assert_array_equal(bunch.data, IMAGES.reshape(20, 784), strict=True)
    assert np.shares_memory(bunch.data, bunch.images)
    if labels is None:
        assert bunch.target is None
        assert bunch.target_names == []
    else:
        np.testing.assert_array_equal(bunch.target, labels.astype(np.int64), strict=True)
        assert bunch.target_names == [str(label) for label in np.unique(labels)]


# IDX


@pytest.fixture
def idx(tmp_path):
    images, labels = tmp_path / "images", tmp_path / "labels"
    images.write_bytes(to_idx(IMAGES))
    labels.write_bytes(to_idx(LABELS.astype(np.uint8)))
    return images, labels


def test_load_idx_reads_files_and_archives(idx):
    images, labels = idx
    check(load_idx(images, labels))
    check(load_idx(images), labels=None)
    images.write_bytes(gzip.compress(images.read_bytes()))
    check(load_idx(str(images), labels))
    X, y = load_idx(images, labels, return_X_y=True)
    assert (X.shape, y.shape) == ((20, 784), (20,))


def test_load_idx_takes_the_first_column_of_labels(idx):
    images, labels = idx
    rows = np.stack([LABELS.astype(np.int32)] * 8, axis=1)
    rows[:, 1:] = -1
    labels.write_bytes(to_idx(rows))
    check(load_idx(images, labels))


def test_load_idx_says_what_is_wrong(idx, tmp_path):
    images, labels = idx
    with pytest.raises(DatasetError, match=r"labels holds uint8 of shape \(20,\); expected images"):
        load_idx(labels)
    with pytest.raises(DatasetError, match="expected labels: integers"):
        load_idx(images, images)
    labels.write_bytes(to_idx(LABELS[:5].astype(np.uint8)))
    with pytest.raises(DatasetError, match=r"holds 20 images, but .*labels holds 5 labels"):
        load_idx(images, labels)
    with pytest.raises(DatasetError, match="nowhere cannot be read: No such file"):
        load_idx(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="return_X_y=1 is not valid"):
        load_idx(images, return_X_y=1)


def test_load_idx_rejects_a_header_that_announces_more_than_the_file_holds(tmp_path):
    huge = bytes([0, 0, 8, 3]) + b"\x7f\xff\xff\xff" * 3
    path = tmp_path / "huge"
    path.write_bytes(huge)
    packed = tmp_path / "huge.gz"
    packed.write_bytes(gzip.compress(huge))
    bomb = tmp_path / "bomb.gz"
    bomb.write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 100]) + bytes(50_000_000)))
    tracemalloc.start()
    with pytest.raises(DatasetError, match=r"its header announces .* bytes, but it has 16"):
        load_idx(path)
    with pytest.raises(DatasetError, match="bytes of gzip cannot hold"):
        load_idx(packed)
    with pytest.raises(DatasetError, match=r"holds more than the expected 108 bytes"):
        load_idx(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


# CSV


def write_csv(path, header, columns, quote=""):
    lines = [",".join(f"{quote}{name}{quote}" for name in header)] if header else []
    lines += [",".join(str(value) for value in row) for row in columns]
    path.write_text("\n".join(lines) + "\n")
    return path


ROWS = np.column_stack([LABELS, IMAGES.reshape(20, 784)])


def test_load_csv_reads_the_files_of_kaggle_and_others(tmp_path):
    kaggle = ["label", *(f"pixel{k}" for k in range(784))]
    check(load_csv(write_csv(tmp_path / "kaggle.csv", kaggle, ROWS)))
    check(load_csv(write_csv(tmp_path / "quoted.csv", kaggle, ROWS, quote='"')))
    check(load_csv(write_csv(tmp_path / "plain.csv", [], ROWS)))
    check(load_csv(write_csv(tmp_path / "test.csv", kaggle[1:], ROWS[:, 1:])), labels=None)
    last = [*kaggle[1:], "class"]
    check(load_csv(write_csv(tmp_path / "last.csv", last, np.roll(ROWS, -1, axis=1))))
    text = (tmp_path / "kaggle.csv").read_text()
    (tmp_path / "windows.csv").write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))
    check(load_csv(tmp_path / "windows.csv"))
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(text.encode()))
    check(load_csv(tmp_path / "packed.csv.gz"))
    X, y = load_csv(str(tmp_path / "kaggle.csv"), return_X_y=True)
    assert (X.shape, y.shape) == ((20, 784), (20,))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label,a,b,c,d\n1,2,3,4,x\n", "not a table of integers"),
        ("label,a,b,c,d\n1,2,3\n1,2,3,4,5\n", "not a table of integers"),
        ("1,2,3,4,256\n", r"has 256 in row 0, pixel 3; expected integers from 0 to 255"),
        ("1,2,3,-4,5\n", r"has -4 in row 0, pixel 2"),
        ("1,2,3\n", "has 3 columns of pixels, which do not make a square image. Expected .* 784"),
    ],
)
def test_load_csv_says_what_is_wrong(tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(DatasetError, match=message):
        load_csv(path)
    with pytest.raises(DatasetError, match="cannot be read: No such file"):
        load_csv(tmp_path / "nowhere.csv")


def test_load_csv_recognizes_the_header_and_the_index_of_pandas(tmp_path):
    frame, path = pd.DataFrame(np.full((2, 4), 9)), tmp_path / "pandas.csv"
    frame.to_csv(path, index=False)
    assert load_csv(path).data.tolist() == [[9] * 4] * 2
    frame.to_csv(path)
    with pytest.raises(DatasetError, match="has an index column"):
        load_csv(path)


@pytest.mark.parametrize("read", [load_idx, load_csv, load_image_folder])
@pytest.mark.parametrize("path", [None, 0, b"bytes"])
def test_anything_other_than_a_path_is_an_error(read, path):
    with pytest.raises(ValueError, match="is not valid: it must be a path"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"label,a\n", b"\xff\xfe\x00", b"\x1f\x8b not gzip"])
def test_load_csv_of_anything_other_than_a_table_is_an_error(tmp_path, content):
    for name in ("bad.csv", "bad.csv.gz"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DatasetError):
            load_csv(tmp_path / name)


# Frames


def test_load_frame_reads_the_frame_of_openml(tmp_path):
    frame = pd.DataFrame(
        IMAGES.reshape(20, 784).astype(np.int64), columns=[f"pixel{k + 1}" for k in range(784)]
    )
    check(load_frame(frame), labels=None)
    frame["class"] = pd.Categorical(LABELS.astype(str))
    check(load_frame(frame))
    X, y = load_frame(frame, return_X_y=True)
    assert (X.shape, y.shape) == ((20, 784), (20,))


def test_load_frame_numbers_classes_with_names():
    frame = pd.DataFrame(np.zeros((3, 4), int)).assign(label=["seven", "one", "seven"])
    bunch = load_frame(frame)
    assert bunch.target.tolist() == [1, 0, 1]
    assert bunch.target_names == ["one", "seven"]


def test_load_frame_reads_float_labels_and_nullable_pixels():
    frame = pd.DataFrame(np.zeros((3, 4), int)).assign(label=[7.0, 1.0, 10.0])
    assert load_frame(frame).target.tolist() == [7, 1, 10]
    nullable = pd.DataFrame(np.full((2, 4), 9), dtype="UInt8")
    assert (load_frame(nullable).data == 9).all()


def test_load_frame_says_what_is_wrong():
    frame = pd.DataFrame(np.zeros((2, 4)))
    with pytest.raises(DatasetError, match="frame must be a pandas DataFrame; got ndarray"):
        load_frame(frame.to_numpy())
    with pytest.raises(DatasetError, match="missing labels in its column 'label'"):
        load_frame(frame.assign(label=[None, "1"]))
    with pytest.raises(DatasetError, match=r"has 0.5 in row 0, pixel 0"):
        load_frame(frame + 0.5)
    with pytest.raises(DatasetError, match="has nan in row 0"):
        load_frame(frame * np.nan)
    with pytest.raises(DatasetError, match="5 columns of pixels"):
        load_frame(frame.assign(other=1))
    with pytest.raises(DatasetError, match="pixels that are not numbers"):
        load_frame(frame.astype(str) + "x")


# Folders


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "digits"
    for number, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True)):
        path = root / str(label) / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    (root / "0" / "notes.txt").write_text("no picture")
    (root / "0" / ".hidden.png").write_bytes(b"no picture")
    (root / ".cache").mkdir()
    return root


def test_load_image_folder_reads_a_folder_for_each_class(folder):
    bunch = load_image_folder(folder)
    order = np.argsort(LABELS, kind="stable")
    np.testing.assert_array_equal(bunch.images, IMAGES[order], strict=True)
    np.testing.assert_array_equal(bunch.target, LABELS[order].astype(np.int64), strict=True)
    assert bunch.target_names == list("0123456789")
    assert bunch.filenames[0].endswith("00.png")
    X, y = load_image_folder(folder, return_X_y=True)
    assert (X.shape, y.shape) == ((20, 784), (20,))
    paths, y = load_image_folder(folder, load_content=False, return_X_y=True)
    assert paths == bunch.filenames
    assert load_image_folder(folder, load_content=False).target.tolist() == y.tolist()


def test_load_image_folder_numbers_classes_with_names(folder):
    (folder / "0").rename(folder / "zero")
    bunch = load_image_folder(folder)
    assert bunch.target_names == [*"123456789", "zero"]
    assert bunch.target.max() == 9
    (folder / "empty").mkdir()  # classes are numbered by their folders
    assert load_image_folder(folder).target_names == [*"123456789", "empty", "zero"]
    assert load_image_folder(folder).target.max() == 10


def test_load_image_folder_says_what_is_wrong(folder, tmp_path):
    with pytest.raises(DatasetError, match="nowhere is not a folder"):
        load_image_folder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"holds no pictures in folders by class. Expected"):
        load_image_folder(tmp_path / "empty")
    (folder / "9" / ".ipynb_checkpoints").mkdir()
    Image.new("L", (30, 20)).save(folder / "9" / ".ipynb_checkpoints" / "copy.png")
    assert len(load_image_folder(folder).target) == 20
    for mode in ("I;16", "RGBA"):
        Image.new(mode, (28, 28)).save(folder / "9" / "other.png")
        with pytest.raises(DatasetError, match="more than gray or color"):
            load_image_folder(folder)
    Image.new("L", (30, 20)).save(folder / "9" / "other.png")
    with pytest.raises(DatasetError, match=r"is 30x20 pixels, but .* 28x28. Use load_content"):
        load_image_folder(folder)
    (folder / "9" / "other.png").write_bytes(b"damaged")
    with pytest.raises(DatasetError, match=r"other\.png cannot be read"):
        load_image_folder(folder)
    with pytest.raises(ValueError, match="load_content='no' is not valid"):
        load_image_folder(folder, load_content="no")


def test_links_to_folders_of_pictures_are_followed(tmp_path):
    elsewhere = tmp_path / "elsewhere" / "deeper"
    elsewhere.mkdir(parents=True)
    Image.fromarray(np.eye(4, dtype=np.uint8)).save(elsewhere / "one.png")
    (tmp_path / "root" / "7").mkdir(parents=True)
    (tmp_path / "root" / "7" / "linked").symlink_to(elsewhere)
    (tmp_path / "root" / "8").symlink_to(elsewhere)
    _, y = load_image_folder(tmp_path / "root", return_X_y=True)
    assert y.tolist() == [7, 8]
