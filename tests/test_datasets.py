"""The data sets: the cache against every misbehaviour we know, the format, the contracts."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import re
import struct
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from skorch_mnist.datasets import DatasetError, _cache, _mnist, fetch_mnist, load_digits28
from skorch_mnist.datasets._cache import HOME_VARIABLE, data_home, read_file
from skorch_mnist.datasets._files import MNIST, DataFile
from skorch_mnist.datasets._idx import parse_idx
from skorch_mnist.datasets._mnist import load_mnist_arrays


def to_idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def describe(name, content):
    archive = gzip.compress(content, mtime=0)
    file = DataFile(
        name=name,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        archive_sha256=hashlib.sha256(archive).hexdigest(),
        archive_size=len(archive),
    )
    return file, archive


CONTENT = to_idx(np.arange(5, dtype=np.uint8))
FILE, ARCHIVE = describe("tiny-idx1-ubyte", CONTENT)


class Mirror(BaseHTTPRequestHandler):
    """Serves server.archives; the first part of the path says how to misbehave."""

    def do_GET(self):
        _, manner, name = self.path.split("/")
        self.server.requests.append(manner)
        body = self.server.archives.get(name, b"")
        promised = len(body)
        if manner == "wrong":
            body = body[:-1] + bytes([body[-1] ^ 1])
        elif manner == "truncated":
            body = body[:-7]
        elif manner == "endless":
            body = body * 100
            promised = len(body)
        elif manner == "html":
            body = b"<html>Please log in to the network of this hotel</html>"
            promised = len(body)
        elif manner in ("silent", "slow"):
            self.server.released.wait(0.3 if manner == "slow" else 20)
        self.send_response(int(manner) if manner.isdigit() else 200)
        self.send_header("Content-Length", str(promised))
        self.end_headers()
        with contextlib.suppress(OSError):  # the client has gone
            self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def mirror(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
    server.archives = {FILE.archive_name: ARCHIVE}
    server.requests = []
    server.released = threading.Event()
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def tiny_mnist(monkeypatch, mirror):
    """A made-up MNIST of 3 + 2 images, on a loopback mirror."""
    rng = np.random.default_rng(0)
    table, truth = {}, {}
    for subset, n in (("train", 3), ("test", 2)):
        images = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = rng.integers(0, 10, n, dtype=np.uint8)
        truth[subset] = images, labels
        files = []
        for kind, array in (("images", images), ("labels", labels)):
            file, archive = describe(f"{subset}-{kind}", to_idx(array))
            mirror.archives[file.archive_name] = archive
            files.append(file)
        table[subset] = tuple(files)
    monkeypatch.setattr(_mnist, "MNIST", table)
    monkeypatch.setattr(_mnist, "MNIST_MIRRORS", (f"{mirror.address}/good/",))
    return truth


def read(folder, *mirrors, **options):
    return read_file(FILE, folder, mirrors=mirrors, **options)


# The cache


@pytest.mark.parametrize(("name", "content"), [(FILE.name, CONTENT), (FILE.archive_name, ARCHIVE)])
def test_a_cached_file_is_read_without_writing_anything(tmp_path, monkeypatch, name, content):
    (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(_cache, "_store", None)  # as good as a read-only folder
    monkeypatch.setattr(_cache, "FileLock", None)
    assert read(tmp_path) == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_download_is_kept_unpacked_and_used_again(tmp_path, mirror):
    folder = tmp_path / "not" / "yet" / "there"
    assert read(folder, f"{mirror.address}/good/") == CONTENT
    assert (folder / FILE.name).read_bytes() == CONTENT
    assert not [p.name for p in folder.iterdir() if p.suffix in (".gz", ".part")]
    assert read(folder, f"{mirror.address}/good/") == CONTENT
    assert mirror.requests == ["good"]


@pytest.mark.parametrize(
    ("manner", "complaint"),
    [
        ("404", "404 Client Error"),
        ("503", "503 Server Error"),
        ("wrong", f"expected SHA-256 {FILE.archive_sha256}, got "),
        ("html", f"expected {FILE.archive_size} bytes, got"),
        ("truncated", "IncompleteRead"),
        ("endless", f"expected {FILE.archive_size} bytes, got more"),
        ("silent", "timed out"),
    ],
)
def test_a_bad_mirror_is_passed_over_or_named(tmp_path, mirror, manner, complaint):
    bad, good = f"{mirror.address}/{manner}/", f"{mirror.address}/good/"
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, bad, timeout=0.2)
    message = str(caught.value)
    for part in (FILE.name, str(tmp_path), bad + FILE.archive_name, complaint, "place"):
        assert part in message
    assert not (tmp_path / FILE.name).exists()
    assert read(tmp_path, bad, good, timeout=0.2) == CONTENT


def test_without_network_every_mirror_and_the_way_by_hand_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    mirrors = ["http://127.0.0.1:9/a/", "http://127.0.0.1:9/b/"]
    by_hand = f"place {FILE.name} or {FILE.archive_name}"
    with pytest.raises(DatasetError, match=f"(?s)9/a/tiny.*9/b/tiny.*{re.escape(by_hand)}"):
        read(tmp_path, *mirrors)


def test_the_deadline_bounds_all_mirrors_together(tmp_path, mirror):
    start = time.monotonic()
    with pytest.raises(DatasetError, match="the time allowed for downloading is over"):
        read(tmp_path, *[f"{mirror.address}/silent/"] * 5, until=start + 0.3)
    assert time.monotonic() - start < 3
    assert len(mirror.requests) < 5


def test_the_deadline_bounds_the_wait_for_another_process(tmp_path):
    lock = _cache.FileLock(tmp_path / f".{FILE.name}.lock")
    with lock, pytest.raises(DatasetError, match="still being downloaded"):
        read(tmp_path, until=time.monotonic() + 0.1)


def test_many_readers_at_once_download_once(tmp_path, mirror):
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(read, tmp_path, f"{mirror.address}/slow/") for _ in range(8)]
        assert {job.result() for job in jobs} == {CONTENT}
    assert mirror.requests == ["slow"]


@pytest.mark.parametrize(("name", "good"), [(FILE.name, CONTENT), (FILE.archive_name, ARCHIVE)])
@pytest.mark.parametrize("damage", ["short", "flipped"])
def test_a_damaged_file_is_named_or_replaced(tmp_path, mirror, name, good, damage):
    path = tmp_path / name
    path.write_bytes(good[:-1] if damage == "short" else good[:-1] + bytes([good[-1] ^ 1]))
    expected = f"expected {len(good)} bytes, got" if damage == "short" else "expected SHA-256"
    complaint = re.escape(f"{path} is damaged: {expected}")
    with pytest.raises(DatasetError, match=f"{complaint}.*download_if_missing=True.*delete it"):
        read(tmp_path, download_if_missing=False)
    with pytest.raises(DatasetError, match=f"(?s){complaint}.*404"):
        read(tmp_path, f"{mirror.address}/404/")
    with pytest.warns(UserWarning, match=complaint):
        assert read(tmp_path, f"{mirror.address}/good/") == CONTENT
    assert read(tmp_path) == CONTENT  # and no second warning


def test_a_good_archive_takes_the_place_of_a_damaged_file(tmp_path):
    (tmp_path / FILE.name).write_bytes(b"")
    (tmp_path / FILE.archive_name).write_bytes(ARCHIVE)
    with pytest.warns(UserWarning, match="damaged: expected 13 bytes, got 0"):
        assert read(tmp_path, download_if_missing=False) == CONTENT


def test_a_missing_file_is_an_error_when_downloads_are_off(tmp_path):
    with pytest.raises(DatasetError, match=f"{FILE.name} is not in .*download_if_missing=False"):
        read(tmp_path / "absent", download_if_missing=False)
    assert not (tmp_path / "absent").exists()


def test_an_unreadable_file_is_an_error_that_says_why(tmp_path, monkeypatch):
    (tmp_path / FILE.name).write_bytes(CONTENT)

    def refuse(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DatasetError, match=r"cannot be read: .*Permission denied"):
        read(tmp_path, download_if_missing=False)


@pytest.mark.parametrize("step", ["FileLock", "_store"])
def test_an_unwritable_folder_is_an_error_that_says_what_to_do(tmp_path, mirror, monkeypatch, step):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_cache, step, refuse)
    with pytest.raises(DatasetError, match=f"cannot be stored in .*denied.*{HOME_VARIABLE}"):
        read(tmp_path, f"{mirror.address}/good/")


def test_a_file_where_the_folder_should_be_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DatasetError, match="cannot be stored in"):
        read(tmp_path / "file" / "MNIST")


def test_an_interrupted_write_leaves_nothing_behind(tmp_path, mirror, monkeypatch):
    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_cache.os, "fsync", fail)
    with pytest.raises(DatasetError, match="No space left"):
        read(tmp_path, f"{mirror.address}/good/")
    assert not [p for p in tmp_path.iterdir() if not p.name.endswith(".lock")]


def test_data_home_is_the_argument_then_the_variable_then_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "variable"))
    assert data_home(tmp_path) == data_home(str(tmp_path)) == tmp_path
    assert data_home() == tmp_path / "variable"
    monkeypatch.setenv(HOME_VARIABLE, "")
    assert data_home().name == "skorch_mnist"
    assert data_home("~/x") == Path.home() / "x"
    with pytest.raises(ValueError, match="data_home=3 is not valid"):
        data_home(3)


# The IDX format


@given(arrays(np.uint8, array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=6)))
def test_parse_idx_returns_what_was_written(array):
    parsed = parse_idx(to_idx(array))
    np.testing.assert_array_equal(parsed, array, strict=True)
    assert parsed.flags.writeable
    assert parsed.flags.c_contiguous


@given(st.binary() | st.binary().map(lambda tail: b"\0\0\x08" + tail))
def test_parse_idx_of_anything_is_an_array_or_a_value_error(data):
    with contextlib.suppress(ValueError):
        assert parse_idx(data).dtype == np.uint8


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "data is no IDX file"),
        (ARCHIVE, "unpack a .gz archive first"),
        (bytes([0, 0, 13, 1]), "IDX type 0x0d; only 0x08"),
        (bytes([0, 0, 8, 0, 1]), "0 dimensions"),
        (bytes([0, 0, 8, 2, 0, 0]), "2 dimensions need 12 bytes, got 6"),
        (CONTENT[:-1], r"shape \(5,\) needs 5 bytes after the header, got 4"),
        (CONTENT + b"\0", r"shape \(5,\) needs 5 bytes after the header, got 6"),
        (bytes([0, 0, 8, 255]) + b"\xff" * 1020, "cut short or damaged"),
        (b"\0\0\x08\xff" + b"\0" * 1020, None),  # legal IDX, more dimensions than numpy has
    ],
)
def test_parse_idx_says_what_is_wrong(data, message):
    with pytest.raises(ValueError, match=message):
        parse_idx(data)


# MNIST, made up


@pytest.mark.parametrize("subset", ["train", "test", "all"])
def test_fetch_mnist_keeps_the_contract(tiny_mnist, tmp_path, subset):
    bunch = fetch_mnist(subset=subset, data_home=tmp_path)
    subsets = ["train", "test"] if subset == "all" else [subset]
    np.testing.assert_array_equal(
        bunch.images, np.concatenate([tiny_mnist[s][0] for s in subsets]), strict=True
    )
    target = np.concatenate([tiny_mnist[s][1] for s in subsets]).astype(np.int64)
    np.testing.assert_array_equal(bunch.target, target, strict=True)
    assert bunch.data.shape == (len(target), 784)
    assert np.shares_memory(bunch.data, bunch.images)
    assert bunch.data.flags.writeable
    assert bunch.target_names == list("0123456789")
    assert "LeCun" in bunch.DESCR
    assert "CC BY-SA 3.0" in bunch.DESCR
    X, y = fetch_mnist(subset=subset, data_home=tmp_path, return_X_y=True)
    np.testing.assert_array_equal(X, bunch.data, strict=True)
    np.testing.assert_array_equal(y, bunch.target, strict=True)


def test_fetch_mnist_gives_slice_datasets_of_images(tiny_mnist, tmp_path):
    from skorch.helper import SliceDataset

    X, y = fetch_mnist(data_home=tmp_path, return_X_y=True, as_slice_dataset=True)
    assert isinstance(X, SliceDataset)
    assert len(X) == 3
    assert y.dtype == np.int64
    np.testing.assert_array_equal(X[1], tiny_mnist["train"][0][1])


def test_fetch_mnist_uses_the_layout_of_torchvision_and_the_variable(
    tiny_mnist, tmp_path, mirror, monkeypatch
):
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    fetch_mnist()
    names = {path.name for path in (tmp_path / "MNIST" / "raw").glob("train*")}
    assert names == {"train-images", "train-labels"}
    mirror.archives.clear()
    fetch_mnist(download_if_missing=False)
    with pytest.raises(DatasetError, match="test-images is not in"):
        fetch_mnist(subset="test", download_if_missing=False)


def test_the_warning_of_damage_points_at_the_caller(tiny_mnist, tmp_path):
    fetch_mnist(data_home=tmp_path)
    (tmp_path / "MNIST" / "raw" / "train-labels").write_bytes(b"")
    with pytest.warns(UserWarning, match="train-labels is damaged") as caught:
        fetch_mnist(data_home=tmp_path)
    assert caught[0].filename == __file__


def test_load_mnist_arrays_gives_up_at_its_deadline(tiny_mnist, tmp_path, mirror, monkeypatch):
    monkeypatch.setattr(_mnist, "MNIST_MIRRORS", (f"{mirror.address}/silent/",) * 3)
    start = time.monotonic()
    with pytest.raises(DatasetError, match="Downloading failed"):
        load_mnist_arrays("train", data_home=tmp_path, deadline=0.2)
    assert time.monotonic() - start < 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"subset": "valid"}, "subset='valid' is not valid; choose one of train, test, all"),
        ({"subset": ["train"]}, "subset=['train'] is not valid"),
        ({"return_X_y": "yes"}, "return_X_y='yes' is not valid; give True or False"),
        ({"as_slice_dataset": 1}, "as_slice_dataset=1 is not valid"),
        ({"download_if_missing": None}, "download_if_missing=None is not valid"),
        ({"data_home": 3}, "data_home=3 is not valid"),
    ],
)
def test_a_wrong_argument_is_named_with_its_valid_values(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        fetch_mnist(**arguments)


# MNIST itself


def mnist_is_present():
    folder = Path(os.environ.get(HOME_VARIABLE, "")) / "MNIST" / "raw"
    names = [file.name for files in MNIST.values() for file in files]
    return bool(os.environ.get(HOME_VARIABLE)) and all(
        (folder / name).exists() or (folder / f"{name}.gz").exists() for name in names
    )


@pytest.mark.skipif(not mnist_is_present(), reason=f"{HOME_VARIABLE} names no folder with MNIST")
def test_the_real_mnist_is_as_published():
    train = fetch_mnist(download_if_missing=False)
    test = fetch_mnist(subset="test", download_if_missing=False)
    assert train.data.shape == (60000, 784)
    assert test.images.shape == (10000, 28, 28)
    assert train.target[:5].tolist() == [5, 0, 4, 1, 9]
    assert test.target[:5].tolist() == [7, 2, 1, 0, 4]
    X, y = fetch_mnist(subset="all", download_if_missing=False, return_X_y=True)
    assert X.shape == (70000, 784)
    assert y[60000:].tolist() == test.target.tolist()


# The bundled digits


def test_load_digits28_looks_like_mnist():
    bunch = load_digits28()
    assert bunch.data.shape == (1797, 784)
    assert bunch.images.shape == (1797, 28, 28)
    assert bunch.data.dtype == np.uint8
    assert np.shares_memory(bunch.data, bunch.images)
    assert bunch.target.dtype == np.int64
    assert set(bunch.target) == set(range(10))
    assert (bunch.images.max(axis=(1, 2)) > 200).all()
    assert not bunch.images[:, [0, -1], :].any()
    assert not bunch.images[:, :, [0, -1]].any()

    images = bunch.images.astype(float)
    mass = images.sum(axis=(1, 2))
    for axis in (1, 2):
        centre = images.sum(axis=axis) @ np.arange(28) / mass
        assert np.abs(centre - 14).max() <= 0.5  # where MNIST's are

    inked = images > 0
    for axis in (1, 2):  # a digit has not grown beyond 20 pixels
        lines = inked.any(axis=axis)
        span = 28 - lines.argmax(axis=1) - lines[:, ::-1].argmax(axis=1)
        assert span.max() <= 20


def test_load_digits28_is_deterministic_and_never_shared():
    X, y = load_digits28(return_X_y=True)
    again = load_digits28()
    np.testing.assert_array_equal(X, again.data, strict=True)
    np.testing.assert_array_equal(y, again.target, strict=True)
    assert not np.shares_memory(X, again.data)


def test_load_digits28_gives_slice_datasets_of_images():
    X, y = load_digits28(return_X_y=True, as_slice_dataset=True)
    assert len(X) == len(y) == 1797
    np.testing.assert_array_equal(X[5], load_digits28().images[5])


def test_load_digits28_needs_no_network_and_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_digits28()
    with pytest.raises(ValueError, match="return_X_y=None is not valid"):
        load_digits28(return_X_y=None)
