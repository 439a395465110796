"""The readers of pairs of IDX files, and of folders of pictures by class."""

from __future__ import annotations

import gzip
import tracemalloc

import numpy as np
import pytest
from misbehaving_mirror import to_idx
from PIL import Image

from skorch_mnist import load_digits28, load_images
from skorch_mnist.datasets import DatasetError, load_csv, load_idx, load_image_folder

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
    with pytest.raises(
        DatasetError, match=r"labels contains uint8 of shape \(20,\); expected images"
    ):
        load_idx(labels)
    with pytest.raises(DatasetError, match="expected labels: integers"):
        load_idx(images, images)
    labels.write_bytes(to_idx(LABELS[:5].astype(np.uint8)))
    with pytest.raises(DatasetError, match=r"has 20 images, but .*labels has 5 labels"):
        load_idx(images, labels)
    with pytest.raises(DatasetError, match="nowhere cannot be read: No such file"):
        load_idx(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="return_X_y=1 is not valid"):
        load_idx(images, return_X_y=1)


def test_load_idx_rejects_a_header_with_a_larger_size_than_the_file(tmp_path):
    huge = bytes([0, 0, 8, 3]) + b"\x7f\xff\xff\xff" * 3
    path = tmp_path / "huge"
    path.write_bytes(huge)
    packed = tmp_path / "huge.gz"
    packed.write_bytes(gzip.compress(huge))
    bomb = tmp_path / "bomb.gz"
    bomb.write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 100]) + bytes(50_000_000)))
    tracemalloc.start()
    with pytest.raises(DatasetError, match=r"expected .* bytes according to its header, got 16"):
        load_idx(path)
    with pytest.raises(DatasetError, match="bytes of gzip cannot unpack to"):
        load_idx(packed)
    with pytest.raises(DatasetError, match=r"has more than the expected 108 bytes"):
        load_idx(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


# Paths


@pytest.mark.parametrize("read", [load_idx, load_csv, load_image_folder])
@pytest.mark.parametrize("path", [None, 0, b"bytes"])
def test_anything_other_than_a_path_is_an_error(read, path):
    with pytest.raises(ValueError, match="is not valid: it must be a path"):
        read(path)


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


def test_names_of_folders_are_the_labels(folder):
    (folder / "0").rename(folder / "zero")
    bunch = load_image_folder(folder)
    assert bunch.target_names == [*"123456789", "zero"]
    assert bunch.target.tolist() == [*np.sort(LABELS[LABELS > 0]).astype(str), "zero", "zero"]
    np.testing.assert_array_equal(load_images(folder).target, bunch.target, strict=True)
    (folder / "empty").mkdir()
    assert load_image_folder(folder).target_names == [*"123456789", "empty", "zero"]


def test_load_image_folder_says_what_is_wrong(folder, tmp_path):
    with pytest.raises(DatasetError, match="nowhere is not a folder"):
        load_image_folder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"does not contain folders of pictures. Expected"):
        load_image_folder(tmp_path / "empty")
    (folder / "9" / ".ipynb_checkpoints").mkdir()
    Image.new("L", (30, 20)).save(folder / "9" / ".ipynb_checkpoints" / "copy.png")
    assert len(load_image_folder(folder).target) == 20
    for mode in ("I;16", "RGBA"):
        Image.new(mode, (28, 28)).save(folder / "9" / "other.png")
        with pytest.raises(DatasetError, match="must be gray or color"):
            load_image_folder(folder)
    Image.new("L", (30, 20)).save(folder / "9" / "other.png")
    with pytest.raises(DatasetError, match=r"is 30x20 pixels, but .* 28x28. Use load_im"):
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
