"""Folders and archives: pictures by class, by name and by table, and files that lie."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.io
from PIL import Image

from skorch_mnist import load_digits28, load_images
from skorch_mnist.datasets import DatasetError, PictureFormError

DIGITS = load_digits28()
X, Y = DIGITS.images[:40], DIGITS.target[:40]
TRAIN, TEST = range(30), range(30, 40)


def save(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(X[number]).save(path)


def write_classes(root, rows, name=str, suffix="png"):
    for number in rows:
        save(root / name(Y[number]) / f"{number:02}.{suffix}", number)


def by_class(rows):
    """Return rows in the order of their folders."""
    return sorted(rows, key=lambda number: (Y[number], number))


def check(found, rows, labels=Y):
    rows = list(rows)
    np.testing.assert_array_equal(found.images, X[rows], strict=True)
    if labels is None:
        assert found.target is None
    else:
        np.testing.assert_array_equal(found.target, labels[rows].astype(np.int64), strict=True)
    assert "Format: pictures" in found.DESCR


# Folders of classes


@pytest.mark.parametrize("inside", ["", "images", "data/mnist_png"])
@pytest.mark.parametrize("suffix", ["png", "bmp", "pgm", "tif", "gif"])
def test_folders_of_classes(inside, suffix, tmp_path):
    write_classes(tmp_path / "digits" / inside, TRAIN, suffix=suffix)
    check(load_images(tmp_path / "digits"), by_class(TRAIN))
    assert "Labels from the names of folders" in load_images(tmp_path / "digits").DESCR


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train", "test"), ("training", "testing"), ("Training Set", "Test Set"),
        ("TRAIN", "TEST"), ("trainingSet", "testSet"), ("mnist_train", "mnist_test"),
        ("train-images", "t10k-images"), ("train/images", "test/images"),
        ("images/train", "images/test"), ("trainingSet/trainingSet", "testSet/testSet"),
    ],
)  # fmt: skip
def test_folders_for_training_and_testing(train, test, tmp_path):
    write_classes(tmp_path / train, TRAIN)
    write_classes(tmp_path / test, TEST)
    found = load_images(tmp_path)
    check(found, [*by_class(TRAIN), *by_class(TEST)])
    assert found.subsets == {"train": slice(0, 30), "test": slice(30, 40)}
    check(load_images(tmp_path, subset="test"), by_class(TEST))


def test_folders_for_training_inside_those_of_classes(tmp_path):
    for number in (*TRAIN, *TEST):
        subset = "train" if number in TRAIN else "test"
        save(tmp_path / str(Y[number]) / subset / f"{number:02}.png", number)
    check(load_images(tmp_path), [*by_class(TRAIN), *by_class(TEST)])


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Validation"])
def test_a_folder_for_validation(name, tmp_path):
    write_classes(tmp_path / "train", TRAIN)
    write_classes(tmp_path / name, TEST)
    found = load_images(tmp_path)
    check(found, [*by_class(TRAIN), *by_class(TEST)])
    assert found.subsets == {"train": slice(0, 30), "validation": slice(30, 40)}
    assert "30 train, 10 validation" in found.DESCR


def test_classes_that_are_words(tmp_path):
    write_classes(tmp_path, TRAIN, "digit {}".format)
    found = load_images(tmp_path)
    assert found.target_names == [f"digit {k}" for k in range(10)]
    assert found.target.tolist() == [f"digit {Y[number]}" for number in by_class(TRAIN)]


def test_test_images_without_labels_are_ignored(tmp_path):
    write_classes(tmp_path / "trainingSet", TRAIN)
    for number in TEST:
        save(tmp_path / "testSet" / f"img_{number:02}.png", number)
    check(load_images(tmp_path), by_class(TRAIN))
    assert "Ignored: 10 images for test" in load_images(tmp_path).DESCR
    check(load_images(tmp_path, subset="test"), TEST, None)
    write_classes(tmp_path / "trainingSample", range(10))
    with pytest.raises(DatasetError, match="several folders of train images: trainingSample, tra"):
        load_images(tmp_path)


def test_other_files_are_ignored(tmp_path):
    write_classes(tmp_path, TRAIN)
    (tmp_path / "README.md").write_text("Digits.\n")
    (tmp_path / "LICENSE").write_text("CC0")
    (tmp_path / "0" / ".hidden.png").write_bytes(b"no picture")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "x.png").write_bytes(b"no picture")
    save(tmp_path / "preview.png", 0)
    found = load_images(tmp_path)
    check(found, by_class(TRAIN))
    assert "Ignored files without images: LICENSE, README.md" in found.DESCR
    assert "Ignored: preview.png" in found.DESCR


# Names


@pytest.mark.parametrize(
    "name",
    ["{y}_{n:05}.png", "{n:05}-num{y}.png", "img{n:03}_label_{y}.png", "digit-{y}-{n:04}.png",
     "{y}_{n}.png", "mnist {n:05} {y}.png"],
)  # fmt: skip
@pytest.mark.parametrize("inside", ["", "images", "my_digits"])
def test_labels_in_the_names_of_files(name, inside, tmp_path):
    for number in range(40):
        save(tmp_path / "d" / inside / name.format(y=Y[number], n=number), number)
    found = load_images(tmp_path / "d")
    order = sorted(range(40), key=lambda number: name.format(y=Y[number], n=number))
    check(found, order)
    assert "the names of files" in found.DESCR


def test_names_without_labels(tmp_path):
    for number in range(40):
        save(tmp_path / f"img_{number:02}.png", number)
    check(load_images(tmp_path), range(40), None)
    check(load_images(tmp_path / "img_07.png"), [7], None)


def test_ambiguous_names(tmp_path):
    for number in range(8):
        save(tmp_path / f"{number % 3}_{number % 4}.png", number)
    with pytest.raises(DatasetError, match=r"can be part 0 or part 1 of names .* Pass label=0 or"):
        load_images(tmp_path)
    assert sorted(load_images(tmp_path, label=0).target) == [0, 0, 0, 1, 1, 1, 2, 2]
    assert sorted(load_images(tmp_path, label=1).target) == [0, 0, 1, 1, 2, 2, 3, 3]
    with pytest.raises(
        DatasetError, match="label=2 is not valid: it must be an integer from 0 to 1"
    ):
        load_images(tmp_path, label=2)


# Tables of names


@pytest.mark.parametrize("inside", ["", "images"])
@pytest.mark.parametrize("named", ["name", "stem", "path"])
@pytest.mark.parametrize("header", [["filename", "label"], ["id", "class"], None])
def test_a_folder_and_a_table_of_names(inside, named, header, tmp_path):
    rows = []
    for number in TRAIN:
        path = tmp_path / inside / f"img_{number:02}.png"
        save(path, number)
        name = {"name": path.name, "stem": path.stem, "path": str(path.relative_to(tmp_path))}
        rows.append((name[named], Y[number]))
    save(tmp_path / inside / "other.png", 0)
    pd.DataFrame(rows).to_csv(tmp_path / "labels.csv", header=header or False, index=False)
    found = load_images(tmp_path)
    check(found, TRAIN)
    assert "Labels from labels.csv, " in found.DESCR
    assert "other.png" in found.DESCR.partition("Ignored: ")[2]
    check(load_images(tmp_path / "labels.csv"), TRAIN)


def test_tables_of_names_for_training_and_testing(tmp_path):
    for name, rows in (("train", TRAIN), ("test", TEST)):
        for k, number in enumerate(rows):
            save(tmp_path / name / f"{k}.png", number)
        frame = pd.DataFrame({"file": [f"{k}.png" for k in range(len(rows))], "label": Y[rows]})
        frame.assign(split=name).to_csv(tmp_path / f"{name}.csv")
    found = load_images(tmp_path)
    check(found, range(40))
    assert found.subsets == {"train": slice(0, 30), "test": slice(30, 40)}


def test_tables_that_do_not_match_the_pictures(tmp_path):
    save(tmp_path / "0.png", 0)
    (tmp_path / "labels.csv").write_text("file,label\n0.png,1\n9.png,2\n")
    with pytest.raises(DatasetError, match=r"lists 1 pictures that do not exist, such as 9\.png"):
        load_images(tmp_path)
    (tmp_path / "labels.csv").write_text("file,one,two\n0.png,1,2\n")
    with pytest.raises(
        DatasetError, match=r"the column of labels was not found\. .* Pass its name"
    ):
        load_images(tmp_path)
    assert load_images(tmp_path, label="two").target.tolist() == [2]
    (tmp_path / "labels.csv").write_text("1,1,1,1,5\n1,2,3,4,6\n")
    with pytest.raises(DatasetError, match=r"several formats: 1 of pictures, .*; 1 of table"):
        load_images(tmp_path)


# Pictures


def test_color_is_converted_to_gray_with_a_note(tmp_path):
    for number in range(10):
        (tmp_path / str(Y[number])).mkdir()
        image = Image.fromarray(X[number]).convert("RGB")
        image.save(tmp_path / str(Y[number]) / "x.png")
    check(load_images(tmp_path), by_class(range(10)))
    assert "10 pictures in color were converted to gray" in load_images(tmp_path).DESCR


def test_pictures_that_differ(tmp_path):
    write_classes(tmp_path, TRAIN)
    Image.new("L", (30, 20)).save(tmp_path / "9" / "z.png")
    with pytest.raises(PictureFormError, match=r"z\.png is 30x20 pixels, but 0/00\.png is 28x28"):
        load_images(tmp_path)
    for mode in ("I;16", "RGBA"):
        Image.new(mode, (28, 28)).save(tmp_path / "9" / "z.png")
        with pytest.raises(PictureFormError, match="must be gray or color"):
            load_images(tmp_path)
    (tmp_path / "9" / "z.png").write_bytes(b"damaged")
    with pytest.raises(DatasetError, match=r"z\.png cannot be read: .* Remove or replace it"):
        load_images(tmp_path)


def test_files_of_several_pictures_are_refused(tmp_path):
    pictures = [Image.fromarray(image) for image in X[:3]]
    for suffix in ("gif", "tif"):
        path = tmp_path / f"x.{suffix}"
        pictures[0].save(path, save_all=True, append_images=pictures[1:])
        with pytest.raises(PictureFormError, match="contains several pictures"):
            load_images(path)
    pgm = b"".join(b"P5 28 28 255\n" + image.tobytes() for image in X[:3])
    (tmp_path / "x.pgm").write_bytes(pgm)
    with pytest.raises(PictureFormError, match="contains several pictures"):
        load_images(tmp_path / "x.pgm")


# Digits as text


def as_text(image):
    return "\n".join("".join("1" if pixel else "0" for pixel in row) for row in image > 100)


def test_digits_of_32_lines(tmp_path):
    images = np.pad(X > 100, ((0, 0), (2, 2), (2, 2))) * np.uint8(255)
    for folder, rows in (("trainingDigits", TRAIN), ("testDigits", TEST)):
        (tmp_path / folder).mkdir()
        for number in rows:
            path = tmp_path / folder / f"{Y[number]}_{number}.txt"
            path.write_text(as_text(images[number]) + "\r\n")
    found = load_images(tmp_path)
    assert found.images.shape == (40, 32, 32) and found.subsets["test"] == slice(30, 40)
    order = [
        *sorted(TRAIN, key=lambda n: f"{Y[n]}_{n}"),
        *sorted(TEST, key=lambda n: f"{Y[n]}_{n}"),
    ]
    np.testing.assert_array_equal(found.images, images[order])
    np.testing.assert_array_equal(found.target, Y[order])


def test_the_original_digits_of_uci(tmp_path):
    blocks = [f"{as_text(image)}\n {label}" for image, label in zip(X, Y, strict=True)]
    text = "entwidth = 32\nentheight = 32\n\n" + "\n".join(blocks) + "\n"
    (tmp_path / "optdigits-orig.tra").write_text(text)
    found = load_images(tmp_path / "optdigits-orig.tra")
    np.testing.assert_array_equal(found.images, (X > 100) * np.uint8(255))
    assert found.target.tolist() == Y.tolist()


# Archives


def pack(folder, form):
    path = folder.with_name(f"{folder.name}.{form}")
    if form == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(folder.rglob("*")):
                archive.write(file, Path(folder.name, file.relative_to(folder)))
    else:
        mode = "w" if form == "tar" else f"w:{form.rpartition('.')[2].replace('tgz', 'gz')}"
        with tarfile.open(path, mode) as archive:
            archive.add(folder, folder.name)
    return path


@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz"])
def test_archives(form, tmp_path):
    write_classes(tmp_path / "digits" / "train", TRAIN)
    write_classes(tmp_path / "digits" / "test", TEST)
    before = sorted(tmp_path.rglob("*"))
    path = pack(tmp_path / "digits", form)
    found = load_images(path)
    check(found, [*by_class(TRAIN), *by_class(TEST)])
    assert found.subsets == {"train": slice(0, 30), "test": slice(30, 40)}
    renamed = path.rename(tmp_path / "digits.data")
    check(load_images(renamed, subset="test"), by_class(TEST))
    assert sorted(tmp_path.rglob("*")) == sorted([*before, renamed])


@pytest.mark.parametrize("form", ["zip", "tar.gz"])
def test_archives_of_every_format(form, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()

    def read():
        found = load_images(pack(folder, form))
        np.testing.assert_array_equal(found.images, X, strict=True)
        np.testing.assert_array_equal(found.target, Y)
        for file in folder.iterdir():
            file.unlink()

    np.savez_compressed(folder / "x.npz", images=X, labels=Y)
    read()
    np.save(folder / "images.npy", X)
    np.save(folder / "labels.npy", Y)
    read()
    scipy.io.savemat(folder / "x.mat", {"X": X.reshape(40, 784), "y": Y}, do_compression=True)
    read()
    pd.DataFrame(X.reshape(40, 784)).assign(label=Y).to_csv(folder / "x.csv")
    read()
    pd.DataFrame(X.reshape(40, 784)).rename(columns=str).assign(label=Y).to_parquet(
        folder / "x.parquet"
    )
    read()
    for name, array in (("images-idx3", X), ("labels-idx1", Y.astype(np.uint8))):
        header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
        (folder / f"train-{name}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes()))
    read()


def test_archives_in_archives(tmp_path):
    (tmp_path / "a").mkdir()
    for name, rows in (("train", TRAIN), ("test", TEST)):
        write_classes(tmp_path / name, rows)
        pack(tmp_path / name, "zip").rename(tmp_path / "a" / f"{name}.zip")
    check(load_images(pack(tmp_path / "a", "zip")), [*by_class(TRAIN), *by_class(TEST)])
    check(load_images(tmp_path / "a"), [*by_class(TRAIN), *by_class(TEST)])


# Files that lie


@pytest.mark.parametrize(
    "name", ["../x.png", "/etc/x.png", "a/../../x.png", "..\\x.png", "C:/x.png"]
)
def test_members_that_point_outside_of_an_archive(name, tmp_path):
    content = io.BytesIO()
    Image.fromarray(X[0]).save(content, "PNG")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), content.getvalue())
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content.getvalue())
        archive.addfile(member, io.BytesIO(content.getvalue()))
    for path in (tmp_path / "x.zip", tmp_path / "x.tar"):
        with pytest.raises(DatasetError, match="which points outside of the archive"):
            load_images(path)
    assert len(list(tmp_path.iterdir())) == 2


def test_links_in_archives_are_not_followed(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        link = tarfile.TarInfo("7.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(DatasetError, match="does not contain any files"):
        load_images(tmp_path / "x.tar")


def bomb_of(kind, path):
    """Write a small file that unpacks to 0.7 or 2 gigabytes."""
    if kind == "gz":
        with gzip.open(path, "wb", compresslevel=9) as file:
            file.write(b"label,a,b,c,d\n")
            for _ in range(700):
                file.write(b"1,2,3,4,5\n" * 100_000)
    elif kind == "zip":
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open("x.npy", "w", force_zip64=True) as file,
        ):
            header = {"descr": "|u1", "fortran_order": False, "shape": (2048, 1024, 1024)}
            np.lib.format.write_array_header_1_0(file, header)
            for _ in range(2048):
                file.write(bytes(2**20))
    elif kind == "tar.gz":
        with tarfile.open(path, "w:gz") as archive:
            member = tarfile.TarInfo("train-images-idx3-ubyte")
            member.size = 2**31
            archive.addfile(member, Zeros())


class Zeros(io.RawIOBase):
    def read(self, n=-1):
        return bytes(n)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gz", "zip", "tar.gz"])
def test_bombs_do_not_fill_the_memory(kind, tmp_path):
    path = tmp_path / f"bomb.{kind}"
    bomb_of(kind, path)
    assert path.stat().st_size < 20_000_000
    tracemalloc.start()
    with pytest.raises(DatasetError, match=r"unpack to more than .* attempt to fill the memory"):
        load_images(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**30


@pytest.mark.parametrize("size", [2**40, 2**62])
def test_headers_with_too_large_sizes(size, tmp_path):
    header = {"descr": "|u1", "fortran_order": False, "shape": (size, 784)}
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, header)
    (tmp_path / "x.npy").write_bytes(stream.getvalue() + bytes(784))
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("images.npy", stream.getvalue() + bytes(784))
    (tmp_path / "x-idx3-ubyte").write_bytes(bytes([0, 0, 8, 3]) + b"\x7f\xff\xff\xff" * 3)
    (tmp_path / "y-idx3-ubyte.gz").write_bytes(
        gzip.compress(bytes([0, 0, 8, 3]) + b"\x7f\xff\xff\xff" * 3)
    )
    Image.new("1", (20_000, 20_000)).save(tmp_path / "x.png")
    (tmp_path / "x.pgm").write_bytes(b"P5 60000 60000 255\n" + bytes(10))
    tracemalloc.start()
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(DatasetError):
            load_images(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50_000_000


def test_links_between_folders_end(tmp_path):
    write_classes(tmp_path / "digits", TRAIN)
    os.symlink(tmp_path / "digits", tmp_path / "digits" / "again", target_is_directory=True)
    check(load_images(tmp_path / "digits"), by_class(TRAIN))


def test_an_encrypted_archive_is_refused(tmp_path):
    write_classes(tmp_path / "digits", TRAIN)
    path = pack(tmp_path / "digits", "zip")
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\x01\x02")
    while start >= 0:
        content[start + 8] |= 1
        start = content.find(b"PK\x01\x02", start + 4)
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="is encrypted"):
        load_images(path)
