"""Arrays in files: NumPy, IDX, MATLAB and HDF5, and objects that hold images."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import struct
import subprocess
import sys
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.io
import torch
from misbehaving_mirror import to_idx
from PIL import Image
from pyarrow import parquet
from torchvision import transforms
from torchvision.datasets import MNIST

from skorch_mnist import load_digits28, load_images
from skorch_mnist.datasets import DatasetError

DIGITS = load_digits28()
X, Y = DIGITS.images[:30], DIGITS.target[:30]
TRAIN, TEST = slice(0, 20), slice(20, 30)
FLAT = X.reshape(30, 784)


def check(found, images=X, labels=Y, subsets=None):
    """Compare a bunch with images and labels."""
    np.testing.assert_array_equal(found.images, images, strict=True)
    np.testing.assert_array_equal(found.data, images.reshape(len(images), -1), strict=True)
    assert np.shares_memory(found.data, found.images)
    if labels is None:
        assert found.target is None
        assert "No labels were found" in found.DESCR
    else:
        np.testing.assert_array_equal(found.target, labels.astype(np.int64), strict=True)
    if subsets is not None:
        assert found.subsets == subsets
    assert "Format: " in found.DESCR or "Images read from a " in found.DESCR


BOTH = {"train": TRAIN, "test": TEST}


def check_both(path):
    """Compare what is at a path with images for training and testing."""
    check(load_images(path), subsets=BOTH)
    check(load_images(path, subset="test"), X[TEST], Y[TEST], {"test": slice(0, 10)})
    X_train, y_train = load_images(path, subset="train", return_X_y=True)
    np.testing.assert_array_equal(X_train, FLAT[TRAIN], strict=True)
    np.testing.assert_array_equal(y_train, Y[TRAIN])
    assert "20 train, 10 test" in load_images(path).DESCR


# NumPy


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),  # Keras
        ("train_images", "train_labels", "test_images", "test_labels"),  # MedMNIST
        ("X_train", "Y_train", "X_test", "Y_test"),
        ("trainImages", "trainLabels", "testImages", "testLabels"),
        ("training_data", "training_targets", "testing_data", "testing_targets"),
        ("xtrain", "ytrain", "xtest", "ytest"),
    ],
)
def test_npz_with_training_and_test_images(save, names, tmp_path):
    arrays = (X[TRAIN], Y[TRAIN], X[TEST], Y[TEST])
    save(tmp_path / "mnist.npz", **dict(zip(names, arrays, strict=True)))
    check_both(tmp_path / "mnist.npz")


@pytest.mark.parametrize("names", [("images", "labels"), ("X", "y"), ("data", "target"),
                                   ("arr_0", "arr_1"), ("a", "b")])  # fmt: skip
@pytest.mark.parametrize(
    "images", [X, FLAT, X[..., None], X[:, None], FLAT[..., None], FLAT / 255, FLAT.astype("f4")]
)
def test_npz_with_two_arrays(names, images, tmp_path):
    np.savez(tmp_path / "digits.npz", **dict(zip(names, (images, Y), strict=True)))
    found = load_images(tmp_path / "digits.npz")
    check(found, subsets={})
    assert f"digits.npz: {names[1]}" in found.DESCR


def test_labels_in_a_column_or_one_hot(tmp_path):
    np.savez(tmp_path / "column.npz", images=X, labels=Y[:, None])
    check(load_images(tmp_path / "column.npz"))
    np.savez(tmp_path / "hot.npz", images=X, labels=np.eye(10)[Y])
    check(load_images(tmp_path / "hot.npz"))
    assert "one-hot" in load_images(tmp_path / "hot.npz").DESCR
    np.savez(tmp_path / "several.npz", images=X, labels=np.ones((30, 10)))
    with pytest.raises(DatasetError, match=r"labels of shape \(30, 10\); expected one label"):
        load_images(tmp_path / "several.npz")


def test_validation_images_are_between_training_and_test_images(tmp_path):
    np.savez(
        tmp_path / "medmnist.npz",
        test_images=X[20:], test_labels=Y[20:], val_images=X[15:20], val_labels=Y[15:20],
        train_images=X[:15], train_labels=Y[:15],
    )  # fmt: skip
    subsets = {"train": slice(0, 15), "validation": slice(15, 20), "test": slice(20, 30)}
    check(load_images(tmp_path / "medmnist.npz"), subsets=subsets)
    found = load_images(tmp_path / "medmnist.npz", subset="validation")
    check(found, X[15:20], Y[15:20])


def test_one_array_without_labels(tmp_path):
    np.save(tmp_path / "cat.npy", FLAT)  # as Quick, Draw! stores its drawings
    check(load_images(tmp_path / "cat.npy"), labels=None)
    assert load_images(tmp_path / "cat.npy", return_X_y=True)[1] is None


@pytest.mark.parametrize(
    ("images", "labels"),
    [("X.npy", "y.npy"), ("images.npy", "labels.npy"), ("train_images.npy", "train_labels.npy")],
)
def test_pairs_of_npy_files(images, labels, tmp_path):
    np.save(tmp_path / images, X)
    np.save(tmp_path / labels, Y)
    check(load_images(tmp_path))
    check(load_images(tmp_path / images))
    with pytest.raises(DatasetError, match="contains labels, not images"):
        load_images(tmp_path / labels)


def test_four_npy_files_in_folders(tmp_path):
    for name, rows in (("train", TRAIN), ("test", TEST)):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "images.npy", X[rows])
        np.save(tmp_path / name / "labels.npy", Y[rows])
    check_both(tmp_path)


def test_four_npz_files_of_one_array_each(tmp_path):
    for name, rows in (("train", TRAIN), ("test", TEST)):  # as KMNIST is published
        np.savez_compressed(tmp_path / f"kmnist-{name}-imgs.npz", X[rows])
        np.savez_compressed(tmp_path / f"kmnist-{name}-labels.npz", Y[rows])
    check_both(tmp_path)


def test_color_images_stay_in_color(tmp_path):
    color = np.stack([X, X // 2, X // 3], axis=-1)
    np.savez(tmp_path / "path.npz", train_images=color, train_labels=Y)
    check(load_images(tmp_path / "path.npz"), color)
    np.savez(tmp_path / "first.npz", train_images=color.transpose(0, 3, 1, 2), train_labels=Y)
    check(load_images(tmp_path / "first.npz"), color)


def test_pixels_on_other_scales_stay_as_they_are(tmp_path):
    for images in (X.astype(np.uint16) * 257, FLAT / 127.5 - 1, X // 16):
        np.savez(tmp_path / "x.npz", images=images, labels=Y)
        found = load_images(tmp_path / "x.npz").data
        assert found.dtype == (np.float32 if images.dtype == np.float64 else images.dtype)
        np.testing.assert_allclose(found, images.reshape(30, 784), rtol=1e-6)


def test_pixels_from_0_to_1_are_multiplied(tmp_path):
    np.savez(tmp_path / "bool.npz", images=X > 100, labels=Y)
    check(load_images(tmp_path / "bool.npz"), np.where(X > 100, 255, 0).astype(np.uint8))
    assert "multiplied by 255" in load_images(tmp_path / "bool.npz").DESCR
    np.savez(tmp_path / "rounded.npz", images=np.round(X / 255, 3), labels=Y)
    check(load_images(tmp_path / "rounded.npz"))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": X, "labels": Y[:9]}, r"has 30 images, but .*labels has 9 labels"),
        ({"images": X, "a": X[:9]}, None),
        ({"a": X, "b": X[:9]}, "several datasets: x.npz: a of shape"),
        ({"labels": Y}, "No images were found in .* It has x.npz: labels of shape"),
        ({"images": np.full((3, 28, 28), np.nan)}, r"nan in image 0, pixel \[0, 0\]"),
        ({"images": np.zeros((3, 783))}, "783 pixels per image, which do not form a square"),
        ({"images": np.zeros((3, 2, 28, 28))}, r"has shape \(3, 2, 28, 28\). Expected images"),
        ({"images": X.astype(complex)}, "No images were found"),
        ({"images": X, "labels": np.full(30, np.nan)}, "missing labels"),
        ({"images": X[:0], "labels": Y[:0]}, "No images were found"),
    ],
)
def test_arrays_that_do_not_match(arrays, message, tmp_path):
    np.savez(tmp_path / "x.npz", **arrays)
    if message is None:
        load_images(tmp_path / "x.npz")
        return
    with pytest.raises(DatasetError, match=message):
        load_images(tmp_path / "x.npz")


def test_the_argument_label_names_an_array(tmp_path):
    np.savez(tmp_path / "x.npz", images=X, labels=Y, coarse=Y // 5)
    check(load_images(tmp_path / "x.npz"))
    assert "Ignored: x.npz: coarse" in load_images(tmp_path / "x.npz").DESCR
    check(load_images(tmp_path / "x.npz", label="coarse"), labels=Y // 5)
    with pytest.raises(
        DatasetError, match="label='fine' is not valid: it must be the name of one of"
    ):
        load_images(tmp_path / "x.npz", label="fine")


# Pickles


def test_pickles_are_refused_with_a_way_to_convert_them(tmp_path):
    content = pickle.dumps(((X, Y), (X, Y)))
    (tmp_path / "mnist.pkl.gz").write_bytes(gzip.compress(content))
    (tmp_path / "mnist.data").write_bytes(content)
    for protocol in range(6):
        (tmp_path / f"{protocol}.bin").write_bytes(pickle.dumps((X, Y), protocol))
    torch.save((torch.from_numpy(X), torch.from_numpy(Y)), tmp_path / "training.pt")
    np.save(tmp_path / "objects.npy", np.array([X[0], None], object))
    np.savez(tmp_path / "objects.npz", images=np.array([X[0], None], object))
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(DatasetError, match=r"pickle.*can run any code.*savez_compressed"):
            load_images(path)


# IDX


IDX_NAMES = [
    "train-images-idx3-ubyte", "train-images.idx3-ubyte", "TRAIN-IMAGES-IDX3-UBYTE",
    "train_images_idx3_ubyte", "train-images.idx", "train-images",
    "train-images-idx3-ubyte/train-images-idx3-ubyte", "emnist-digits-train-images-idx3-ubyte",
]  # fmt: skip


def write_idx(folder, name, rows, pack=bytes, suffix=""):
    """Write two IDX files, whose names derive from that of the training images."""
    labels = name.replace("images", "labels").replace("IMAGES", "LABELS")
    labels = labels.replace("idx3", "idx1").replace("IDX3", "IDX1")
    images = X[rows].swapaxes(1, 2) if "emnist" in name else X[rows]
    for path, array in ((name, images), (labels, Y[rows].astype(np.uint8))):
        if rows == TEST:
            train, test = ("TRAIN", "T10K") if "TRAIN" in path else ("train", "t10k")
            path = path.replace(train, "test" if "emnist" in path else test)
        place = Path(folder, path + suffix)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(pack(to_idx(np.ascontiguousarray(array))))


@pytest.mark.parametrize("name", IDX_NAMES)
@pytest.mark.parametrize(
    ("pack", "suffix"),
    [(bytes, ""), (gzip.compress, ".gz"), (bz2.compress, ".bz2"), (lzma.compress, ".xz")],
)
def test_idx_files_of_every_name(name, pack, suffix, tmp_path):
    write_idx(tmp_path / "MNIST" / "raw", name, TRAIN, pack, suffix)
    write_idx(tmp_path / "MNIST" / "raw", name, TEST, pack, suffix)
    check_both(tmp_path)
    if "/" not in name:
        path = tmp_path / "MNIST" / "raw" / (name + suffix)
        check(load_images(path), X[TRAIN], Y[TRAIN])


def test_idx_files_next_to_their_archives_are_read_once(tmp_path):
    write_idx(tmp_path, "train-images.idx3-ubyte", TRAIN)
    write_idx(tmp_path, "train-images-idx3-ubyte", TRAIN, gzip.compress, ".gz")
    write_idx(tmp_path, "train-images-idx3-ubyte/train-images-idx3-ubyte", TRAIN)
    found = load_images(tmp_path)
    check(found, X[TRAIN], Y[TRAIN])
    assert "Ignored: train-images-idx3-ubyte" in found.DESCR


def test_labels_of_qmnist(tmp_path):
    rows = np.stack([Y.astype(np.int32)] * 8, axis=1)
    rows[:, 1:] = -1
    (tmp_path / "qmnist-train-images-idx3-ubyte").write_bytes(to_idx(X))
    (tmp_path / "qmnist-train-labels-idx2-int").write_bytes(to_idx(rows))
    check(load_images(tmp_path))


def test_several_datasets_in_a_folder_are_an_error(tmp_path):
    for prefix in ("emnist-digits-", "emnist-mnist-"):
        write_idx(tmp_path, f"{prefix}train-images-idx3-ubyte", TRAIN)
    with pytest.raises(DatasetError, match="contains several datasets: emnist-digits-train-im"):
        load_images(tmp_path)
    check(load_images(tmp_path / "emnist-mnist-train-images-idx3-ubyte"), X[TRAIN], Y[TRAIN])


def test_a_damaged_idx_file(tmp_path):
    (tmp_path / "images-idx3-ubyte").write_bytes(to_idx(X)[:-1])
    with pytest.raises(
        DatasetError, match="expected 23536 bytes according to its header, got 23535"
    ):
        load_images(tmp_path)


# MATLAB


def test_mat_files(tmp_path):
    original = {"data": FLAT.T, "label": Y[None].astype(float), "mldata_descr_ordering": ["a"]}
    scipy.io.savemat(tmp_path / "mnist-original.mat", original, do_compression=True)
    check(load_images(tmp_path / "mnist-original.mat"))
    scipy.io.savemat(tmp_path / "x.mat", {"X": X.transpose(1, 2, 0), "y": Y[:, None]})
    check(load_images(tmp_path / "x.mat"))
    scipy.io.savemat(tmp_path / "old.mat", {"X": FLAT, "y": Y}, format="4")
    check(load_images(tmp_path / "old.mat"))


@pytest.mark.parametrize("dtype", ["u1", "i2", ">u2", "f2", "f4", ">f4", "f8", ">f8"])
def test_images_in_column_major_order(dtype):
    rows = np.concatenate([X] * 20).astype(dtype)  # more than one block
    for in_rows in (rows, np.repeat(rows[..., None], 3, axis=3)):
        expected = load_images({"X": in_rows}).images
        for order in ([0, 1, 2, 3], [0, 2, 1, 3], [1, 2, 0, 3]):  # of the axes in memory
            axes = order[: in_rows.ndim]
            moved = np.ascontiguousarray(in_rows.transpose(axes)).transpose(np.argsort(axes))
            found = load_images({"X": np.asfortranarray(moved)}).images
            np.testing.assert_array_equal(found, expected, strict=True)
            np.testing.assert_array_equal(load_images({"X": moved}).images, expected, strict=True)
            assert found.flags.c_contiguous


def test_the_struct_of_emnist(tmp_path):
    def part(rows):
        images = X[rows].swapaxes(1, 2).reshape(-1, 784)
        return {"images": images, "labels": Y[rows, None], "writers": Y[rows, None]}

    mapping = np.column_stack([np.arange(10), np.arange(48, 58)])
    struct = {"train": part(TRAIN), "test": part(TEST), "mapping": mapping}
    scipy.io.savemat(tmp_path / "emnist-digits.mat", {"dataset": struct})
    check_both(tmp_path / "emnist-digits.mat")
    assert "Rows and columns were swapped" in load_images(tmp_path / "emnist-digits.mat").DESCR


def test_one_array_for_each_class(tmp_path):
    arrays = {}
    for name, rows in (("train", TRAIN), ("test", TEST)):
        arrays |= {f"{name}{k}": FLAT[rows][Y[rows] == k] for k in range(10)}
    scipy.io.savemat(tmp_path / "mnist_all.mat", arrays)
    found = load_images(tmp_path / "mnist_all.mat")
    order = [k for rows in (TRAIN, TEST) for k in np.argsort(Y[rows], kind="stable") + rows.start]
    check(found, X[order], Y[order], BOTH)
    assert "One array for each class" in found.DESCR


def element(order, kind, content):
    return struct.pack(f"{order}2I", kind, len(content)) + content + bytes(-len(content) % 8)


def mat(order, *variables):
    """Return a MATLAB file; a variable has a name, a class, a shape, a type and its content."""
    file = b"MATLAB 5.0 MAT-file".ljust(126) + {"<": b"IM", ">": b"MI"}[order]
    for name, of_class, shape, kind, content in variables:
        parts = (
            (6, struct.pack(f"{order}2I", of_class, 0)),
            (5, struct.pack(f"{order}{len(shape)}i", *shape)),
            (1, name.encode()),
            (kind, content),
        )
        file += element(order, 14, b"".join(element(order, *part) for part in parts))
    return file


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("kind", "encoding"),
    [(1, "ascii"), (2, "ascii"), (4, "utf-16"), (16, "utf-8"), (17, "utf-16"), (18, "utf-32")],
)
def test_words_in_mat_files_of_any_byte_order(order, kind, encoding, tmp_path):
    words = [("zéro" if encoding != "ascii" else "zero", "one")[label % 2] for label in Y]
    letters = np.array([[*word.ljust(4)] for word in words])
    text = "".join(letters.ravel(order="F"))
    if encoding[-2:] in ("16", "32"):
        encoding += {"<": "-le", ">": "-be"}[order]
    pixels = FLAT.astype(f"{order}u2").tobytes(order="F")
    (tmp_path / "x.mat").write_bytes(mat(
        order,
        ("X", 11, FLAT.shape, 4, pixels),
        ("y", 4, letters.shape, kind, text.encode(encoding)),
        ("note", 4, (1, 4), 16, b""),  # MATLAB leaves out spaces
        ("empty", 4, (30, 0), 16, b""),
        ("", 9, (1, 8), 2, bytes(8)),  # the workspace of functions
    ))  # fmt: skip
    found = load_images(tmp_path / "x.mat")
    np.testing.assert_array_equal(found.images, X, strict=True)
    assert found.target.tolist() == words


def test_mat_files_with_types_that_are_not_valid(tmp_path):
    path = tmp_path / "x.mat"
    scipy.io.savemat(path, {"X": FLAT, "y": Y})
    content = path.read_bytes()
    for place, value in ((145, 8), (176, 0x80), (177, 0x80), (176, 14)):  # flags, and a type
        damaged = bytearray(content)
        damaged[place] = value
        path.write_bytes(damaged)
        with pytest.raises(DatasetError, match=r"damaged, complex, sparse or an object|is damaged"):
            load_images(path)
    for value in (FLAT + 1j, scipy.sparse.csr_array(FLAT)):
        scipy.io.savemat(path, {"X": value, "y": Y})
        with pytest.raises(DatasetError, match="damaged, complex, sparse or an object"):
            load_images(path)


@pytest.mark.parametrize("do_compression", [False, True])
def test_truncated_mat_files(do_compression, tmp_path):
    path = tmp_path / "x.mat"
    scipy.io.savemat(path, {"X": FLAT}, do_compression=do_compression)
    content = path.read_bytes()
    for stop in (*range(129, len(content), len(content) // 20), len(content) - 1):
        path.write_bytes(content[:stop])
        with pytest.raises(DatasetError, match=r"is truncated|is damaged"):
            load_images(path)


def test_mat_files_with_false_sizes_and_checksums(tmp_path):
    path = tmp_path / "x.mat"
    content = mat("<", ("X", 9, FLAT.shape, 2, FLAT.tobytes(order="F")))
    header, unpacked = content[:128], content[128:]
    packed = zlib.compress(unpacked)
    huge = struct.pack("<2I", 14, 2**31)
    for stored, message in (
        (packed, None),
        (zlib.compress(unpacked[:-8]), "does not unpack to"),
        (zlib.compress(unpacked + bytes(8)), "does not unpack to"),
        (zlib.compress(huge + unpacked[8:]), "unpack to more than"),
        (zlib.compress(b""), "is damaged"),
        (packed[:-1] + bytes([packed[-1] ^ 1]), "is damaged"),
    ):
        path.write_bytes(header + struct.pack("<2I", 15, len(stored)) + stored)
        if message is None:
            check(load_images(path), labels=None)
            continue
        with pytest.raises(DatasetError, match=message):
            load_images(path)
    path.write_bytes(header + huge + unpacked[8:])
    with pytest.raises(DatasetError, match="unpack to more than"):
        load_images(path)
    path.write_bytes(mat("<", ("X", 9, (30, 785), 2, FLAT.tobytes())))
    with pytest.raises(DatasetError, match="is damaged"):
        load_images(path)


@pytest.mark.parametrize("do_compression", [False, True])
def test_mat_files_are_copied_at_most_once(do_compression, tmp_path):
    rows = np.tile(FLAT, (400, 1))
    scipy.io.savemat(tmp_path / "x.mat", {"X": rows}, do_compression=do_compression)
    tracemalloc.start()
    try:
        found = load_images(tmp_path / "x.mat")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(found.data, rows)
    assert peak < 2.3 * rows.nbytes


# HDF5


def test_hdf5_files(tmp_path):
    with h5py.File(tmp_path / "keras.h5", "w") as file:
        for name, rows in (("train", TRAIN), ("test", TEST)):
            file.create_dataset(f"x_{name}", data=X[rows], compression="gzip")
            file[f"y_{name}"] = Y[rows]
    check_both(tmp_path / "keras.h5")
    with h5py.File(tmp_path / "usps.h5", "w") as file:
        for name, rows in (("train", TRAIN), ("test", TEST)):
            file[f"{name}/data"] = FLAT[rows] / 255
            file[f"{name}/target"] = Y[rows]
    check_both(tmp_path / "usps.h5")
    with h5py.File(tmp_path / "words.h5", "w") as file:
        file["images"], file["labels"] = X, [f"digit {label}" for label in Y]
    assert load_images(tmp_path / "words.h5").target.tolist() == [f"digit {label}" for label in Y]


def test_matlab_files_of_version_7_3(tmp_path):
    with h5py.File(tmp_path / "x.mat", "w", userblock_size=512) as file:
        file["X"], file["y"] = X.transpose(0, 2, 1), Y[None]  # MATLAB: 28 x 28 x 30, 30 x 1
    with open(tmp_path / "x.mat", "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(116) + bytes(8) + b"\0\2IM")
    check(load_images(tmp_path / "x.mat"))


def test_hdf5_does_not_lead_to_other_files(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(784 * 30))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["images"] = X
    with h5py.File(tmp_path / "links.h5", "w") as file:
        file["images"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "images")
        file.create_dataset("raw_images", (30, 784), "u1", external=str(tmp_path / "secret"))
    with pytest.raises(DatasetError, match="No images were found"):
        load_images(tmp_path / "links.h5")


# Parquet and frames


def png(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def hugging_face(rows, names=None):
    """Return a table as Hugging Face stores MNIST."""
    images = [{"bytes": png(image), "path": None} for image in X[rows]]
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    table = pa.table({"image": pa.array(images, kind), "label": Y[rows]})
    if names:
        label = f'{{"names": {names}, "_type": "ClassLabel"}}'.replace("'", '"')
        metadata = f'{{"info": {{"features": {{"label": {label}}}}}}}'
        table = table.replace_schema_metadata({"huggingface": metadata})
    return table


def test_parquet_files_of_hugging_face(tmp_path):
    (tmp_path / "mnist").mkdir()
    for name, rows in (("train", TRAIN), ("test", TEST)):
        parquet.write_table(
            hugging_face(rows), tmp_path / "mnist" / f"{name}-00000-of-00001.parquet"
        )
    check_both(tmp_path)
    path = tmp_path / "mnist" / "test-00000-of-00001.parquet"
    check(load_images(path), X[TEST], Y[TEST])
    names = [f"n{k}" for k in range(10)]
    parquet.write_table(hugging_face(TEST, names), path)
    found = load_images(path)
    check(found, X[TEST], Y[TEST])
    assert found.target_names == names
    assert "The labels are the numbers of the names in target_names." in found.DESCR


def test_parts_of_parquet_files(tmp_path):
    for k in range(3):
        rows = slice(10 * k, 10 * k + 10)
        parquet.write_table(hugging_face(rows), tmp_path / f"train-0000{k}-of-00003.parquet")
    check(load_images(tmp_path))
    (tmp_path / "train-00001-of-00003.parquet").unlink()
    with pytest.raises(DatasetError, match="contains 2 of 3 parts"):
        load_images(tmp_path)


def test_parquet_files_of_arrays_and_columns(tmp_path):
    arrays = pa.table({"image": pa.array(X.tolist()), "label": Y})
    parquet.write_table(arrays, tmp_path / "arrays.parquet")
    check(load_images(tmp_path / "arrays.parquet"))
    frame = pd.DataFrame(FLAT).rename(columns=str).assign(label=Y)
    frame.to_parquet(tmp_path / "columns.parquet")
    check(load_images(tmp_path / "columns.parquet"))


def test_parquet_without_the_pictures(tmp_path):
    table = pa.table({"image": [{"bytes": None, "path": "/etc/passwd"}], "label": [1]})
    parquet.write_table(table, tmp_path / "paths.parquet")
    with pytest.raises(DatasetError, match=r"row 0 contains .* instead of a picture"):
        load_images(tmp_path / "paths.parquet")


@pytest.mark.parametrize("make", [lambda f: f, pl.from_pandas, pa.Table.from_pandas])
def test_data_frames_are_loaded_directly(make):
    frame = pd.DataFrame(FLAT, columns=[f"pixel{k + 1}" for k in range(784)])
    frame["class"] = Y.astype(str)
    check(load_images(make(frame)))
    frame["class"] = [f"n{label}" for label in Y]
    found = load_images(make(frame))
    assert found.target.tolist() == [f"n{label}" for label in Y]
    assert found.target_names == [f"n{label}" for label in range(10)]
    pictures = pd.DataFrame({"image": [png(image) for image in X], "label": Y})
    check(load_images(make(pictures)))


def test_the_bunch_of_openml():
    frame = (
        pd.DataFrame(FLAT).rename(columns=str).assign(**{"class": pd.Categorical(Y.astype(str))})
    )
    check(load_images({"data": frame.drop(columns="class"), "target": frame["class"]}))
    check(load_images({"data": None, "target": None, "frame": frame, "DESCR": "text"}))
    check(load_images(load_digits28()), DIGITS.images, DIGITS.target)


# Datasets


@pytest.fixture(scope="module")
def mnist_files(tmp_path_factory):
    root = tmp_path_factory.mktemp("torchvision")
    for rows in (TRAIN, TEST):
        write_idx(root / "MNIST" / "raw", "train-images-idx3-ubyte", rows)
    return root


def test_datasets_of_torchvision(mnist_files):
    dataset = MNIST(mnist_files, train=True)
    check(load_images(dataset), X[TRAIN], Y[TRAIN])
    assert load_images(dataset).target_names == list("0123456789")
    scaled = MNIST(mnist_files, train=False, transform=transforms.ToTensor())
    check(load_images(scaled), X[TEST], Y[TEST])
    shifted = MNIST(mnist_files, train=False, target_transform=lambda label: label + 1)
    check(load_images(shifted), X[TEST], Y[TEST] + 1)
    subset = torch.utils.data.Subset(dataset, [3, 1])
    check(load_images(subset), X[[3, 1]], Y[[3, 1]])
    check_both(mnist_files)


def test_datasets_of_hugging_face():
    import datasets

    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=list("0123456789"))}
    )

    def make(rows):
        pictures = [Image.fromarray(image) for image in X[rows]]
        return datasets.Dataset.from_dict({"image": pictures, "label": Y[rows]}, features)

    check(load_images(make(TRAIN)), X[TRAIN], Y[TRAIN])
    check(load_images(datasets.DatasetDict(train=make(TRAIN), test=make(TEST))), subsets=BOTH)
    check(load_images(make(TRAIN).select([5, 2])), X[[5, 2]], Y[[5, 2]])
    dark = make(TRAIN).with_transform(
        lambda batch: {**batch, "image": [np.asarray(image) // 2 for image in batch["image"]]}
    )
    check(load_images(dark), X[TRAIN] // 2, Y[TRAIN])
    with pytest.raises(ValueError, match="a dataset with a length without streaming=True"):
        load_images(make(TRAIN).to_iterable_dataset())


@pytest.mark.parametrize(
    "value", [None, 7, b"bytes", [X], X], ids=["None", "7", "bytes", "list", "array"]
)
def test_other_objects_are_refused(value):
    with pytest.raises(ValueError, match=r"path must be a path, a data frame, .*; got \w+"):
        load_images(value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"subset": "all"}, "subset='all' is not valid: it must be 'train', 'validation', 'test'"),
        ({"label": 1.5}, "label=1.5 is not valid"),
        ({"label": True}, "label=True is not valid"),
        ({"sep": "x"}, "sep='x' is not valid"),
        ({"image_shape": 28}, "image_shape=28 is not valid"),
        ({"image_shape": (28, 0)}, r"image_shape=\(28, 0\) is not valid"),
        ({"return_X_y": 1}, "return_X_y=1 is not valid"),
    ],
)
def test_arguments_that_are_not_valid(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        load_images(tmp_path, **arguments)


# Other files


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.bin", b"\x07\x08\x09", "The format of .* is not known. Supported formats: .npz"),
        ("empty.csv", b"", "is not known"),
        ("x.csv", b"<!DOCTYPE html><html>", "is a web page, not data"),
        ("x.npz", b"version https://git-lfs.github.com/spec/v1\noid", "Run git lfs pull"),
        ("x.xlsx", None, "is an Excel or Office file. Save the table as CSV"),
        (
            "x.npz",
            b"PK\x03\x04 damaged",
            "is damaged or has another format than expected: BadZipFile",
        ),
        ("x.mat", b"MATLAB 5.0 MAT-file".ljust(128), "is damaged"),
        ("x.h5", b"\x89HDF\r\n\x1a\n damaged", "cannot be read|is damaged"),
        ("x.parquet", b"PAR1 damaged", "is damaged"),
        ("x.gz", b"\x1f\x8b damaged", "is damaged|cannot be read"),
    ],
)
def test_the_error_says_what_a_file_is(name, content, message, tmp_path):
    path = tmp_path / name
    if content is None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("[Content_Types].xml", "<xml>")
    else:
        path.write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        load_images(path)


def test_paths_without_data(tmp_path):
    with pytest.raises(DatasetError, match="nowhere cannot be read: No such file"):
        load_images(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="does not contain any files"):
        load_images(tmp_path)
    with pytest.raises(DatasetError, match="neither a file nor a folder"):
        load_images("/dev/zero")


def test_a_subset_that_is_not_named(tmp_path):
    np.savez(tmp_path / "x.npz", images=X, labels=Y)
    with pytest.raises(DatasetError, match=r"subset='test' was not found in .* Subsets: none. Pa"):
        load_images(tmp_path / "x.npz", subset="test")


def test_files_of_several_formats_are_an_error(tmp_path):
    np.savez(tmp_path / "x.npz", images=X, labels=Y)
    scipy.io.savemat(tmp_path / "x.mat", {"X": FLAT, "y": Y})
    with pytest.raises(DatasetError, match="files of several formats: 1 of MATLAB file, such as"):
        load_images(tmp_path)


def test_missing_libraries_are_named(tmp_path, monkeypatch):
    (tmp_path / "x.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "h5py", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DatasetError, match="requires h5py: pip install h5py"):
        load_images(tmp_path / "x.h5")
    with pytest.raises(DatasetError, match="requires pyarrow: pip install pyarrow"):
        load_images(tmp_path / "x.parquet")


def test_reading_imports_no_optional_library(tmp_path):
    np.savez(tmp_path / "x.npz", images=X, labels=Y)
    code = (
        "import sys; from skorch_mnist import load_images; load_images(sys.argv[1]);"
        "assert not {'torch', 'torchvision', 'h5py', 'cv2'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "x.npz")], check=True)
