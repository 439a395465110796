"""The cache of the datasets, and the faults of mirrors, disks and other processes."""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from filelock import FileLock
from misbehaving_mirror import ARCHIVE, CONTENT, FILE, describe, describe_zip

from skorch_mnist.datasets import DatasetError, _cache, _download, download_limits
from skorch_mnist.datasets._cache import data_home, read_file

HOME_VARIABLE = "SKORCH_MNIST_HOME"


def read(folder, *mirrors, file=FILE, silence=30.0, total=None, **options):
    with download_limits(silence, total):
        return read_file(file, folder, mirrors=mirrors, **options).tobytes()


def visible(folder):
    """Names of the files in a folder; locks are hidden."""
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


@pytest.mark.parametrize(("name", "content"), [(FILE.name, CONTENT), (FILE.archive.name, ARCHIVE)])
def test_a_cached_file_is_read_without_writing_anything(tmp_path, monkeypatch, name, content):
    (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(_cache, "store", None)  # like a read-only folder
    monkeypatch.setattr(_cache, "FileLock", None)
    assert read(tmp_path) == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_download_is_kept_unpacked_and_used_again(tmp_path, mirror):
    folder = tmp_path / "not" / "yet" / "there"
    assert read(folder, f"{mirror.address}/good/") == CONTENT
    assert (folder / FILE.name).read_bytes() == CONTENT
    assert visible(folder) == [FILE.name]
    assert read(folder, f"{mirror.address}/good/") == CONTENT
    assert mirror.requests == ["good"]


@pytest.mark.parametrize(
    ("manner", "complaint"),
    [
        ("404", "404"),
        ("503", "503"),
        ("wrong", f"expected SHA-256 {FILE.archive.sha256}, got "),
        ("html", f"expected {FILE.archive.size} bytes, got"),
        ("truncated", ""),
        ("endless", f"expected {FILE.archive.size} bytes, got more"),
        ("silent", ""),
        ("half", ""),
        ("403", "403"),
        ("reset", ""),
        ("loop", ""),
    ],
)
def test_a_bad_mirror_is_skipped_or_named_in_the_error(tmp_path, mirror, manner, complaint):
    bad, good = f"{mirror.address}/{manner}/", f"{mirror.address}/good/"
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, bad, silence=0.2)
    message = str(caught.value)
    for part in (FILE.name, str(tmp_path), complaint, "copy"):
        assert part in message
    assert re.search(re.escape(bad + FILE.archive.name) + r": \S", message)  # and why it failed
    assert not (tmp_path / FILE.name).exists()
    assert read(tmp_path, bad, good, silence=2) == CONTENT  # holds for the good mirror, too


def test_without_network_every_mirror_and_the_manual_alternative_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    mirrors = ["http://127.0.0.1:9/a/", "http://127.0.0.1:9/b/"]
    by_hand = f"copy {FILE.name} or {FILE.archive.name}"
    with pytest.raises(DatasetError, match=f"(?s)9/a/tiny.*9/b/tiny.*{re.escape(by_hand)}"):
        read(tmp_path, *mirrors)


def test_the_reason_of_a_failed_download_is_short(tmp_path, mirror):
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, "http://127.0.0.1:9/", f"{mirror.address}/404/")
    _, refused, absent, advice = str(caught.value).splitlines()
    assert re.fullmatch(r"  http://127\.0\.0\.1:9/tiny\S+: (?!.*(http|urllib3)).+", refused)
    assert re.fullmatch(r"  \S+/404/\S+: 404 Not Found", absent)
    assert advice.endswith("load_digits28 loads digits without a download.")


def test_the_time_limit_holds_for_all_mirrors_together(tmp_path, mirror):
    # A silent mirror answers after 20 seconds: unlimited, the download would succeed.
    with pytest.raises(DatasetError, match="the time limit for downloads was reached"):
        read(tmp_path, *[f"{mirror.address}/silent/"] * 5, total=0.3)
    assert len(mirror.requests) < 5


def test_the_time_limit_holds_for_the_wait_for_another_process(tmp_path):
    lock = FileLock(tmp_path / f".{FILE.archive.name}.lock")
    with lock, pytest.raises(DatasetError, match="still downloading"):
        read(tmp_path, total=0.1)


def test_threads_share_one_download(tmp_path, mirror):
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(read, tmp_path, f"{mirror.address}/slow/") for _ in range(8)]
        assert {job.result() for job in jobs} == {CONTENT}
    assert mirror.requests == ["slow"]


@pytest.mark.parametrize(("name", "good"), [(FILE.name, CONTENT), (FILE.archive.name, ARCHIVE)])
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


def test_a_good_archive_replaces_a_damaged_file(tmp_path):
    (tmp_path / FILE.name).write_bytes(b"")
    (tmp_path / FILE.archive.name).write_bytes(ARCHIVE)
    with pytest.warns(UserWarning, match="damaged: expected 13 bytes, got 0"):
        assert read(tmp_path, download_if_missing=False) == CONTENT


def test_a_missing_file_is_an_error_when_downloads_are_off(tmp_path):
    with pytest.raises(DatasetError, match=f"{FILE.name} is not in .*download_if_missing=True"):
        read(tmp_path / "absent", download_if_missing=False)
    assert not (tmp_path / "absent").exists()


def test_an_unreadable_file_is_an_error_that_says_why(tmp_path, monkeypatch):
    (tmp_path / FILE.name).write_bytes(CONTENT)

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(np, "fromfile", lambda path, dtype: refuse(path))
    with pytest.raises(DatasetError, match=r"cannot be read: .*Permission denied"):
        read(tmp_path, download_if_missing=False)


@pytest.mark.parametrize("step", ["FileLock", "store"])
def test_an_unwritable_folder_is_an_error_that_says_what_to_do(tmp_path, mirror, monkeypatch, step):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_cache, step, refuse)
    with pytest.raises(DatasetError, match=f"cannot be stored in .*denied.*{HOME_VARIABLE}"):
        read(tmp_path, f"{mirror.address}/good/")


def test_a_file_where_the_folder_should_be_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"cannot be stored in"):
        read(tmp_path / "file" / "MNIST")


def test_an_interrupted_write_leaves_nothing_behind(tmp_path, mirror, monkeypatch):
    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DatasetError, match="No space left"):
        read(tmp_path, f"{mirror.address}/good/")
    assert visible(tmp_path) == []


def test_data_home_is_the_argument_then_the_variable_then_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "variable"))
    assert data_home(tmp_path) == data_home(str(tmp_path)) == tmp_path
    assert data_home() == tmp_path / "variable"
    monkeypatch.setenv(HOME_VARIABLE, "")
    assert data_home().name == "skorch_mnist"
    assert data_home("~/x") == Path.home() / "x"
    with pytest.raises(ValueError, match="data_home=3 is not valid"):
        data_home(3)


def test_a_redirection_is_followed(tmp_path, mirror):
    assert read(tmp_path, f"{mirror.address}/redirect/") == CONTENT
    assert mirror.requests == ["redirect", "good"]


def test_a_mirror_that_is_too_slow_is_abandoned(tmp_path, mirror, monkeypatch):
    clock = SimpleNamespace(monotonic=itertools.count(step=40).__next__)
    monkeypatch.setattr(_download, "time", clock)
    with pytest.raises(DatasetError, match="0 bytes in 40 seconds is too slow"):
        read(tmp_path, f"{mirror.address}/good/")


def test_proxies_of_the_environment_are_used(tmp_path, mirror, monkeypatch):
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(DatasetError, match="The download failed"):
        read(tmp_path, f"{mirror.address}/good/")
    assert mirror.requests == []


def test_a_full_disk_is_not_blamed_on_the_mirror(tmp_path, mirror, monkeypatch):
    class Full(_download._Bounded):
        def write(self, chunk):
            self.fault = OSError(28, "No space left on device")
            raise self.fault

    monkeypatch.setattr(_download, "_Bounded", Full)
    with pytest.raises(DatasetError, match=r"cannot be stored in .*No space left"):
        read(tmp_path, f"{mirror.address}/good/", f"{mirror.address}/good/")
    assert mirror.requests == ["good"]
    assert visible(tmp_path) == []


# Files without a published hash


@pytest.fixture
def unpublished(mirror):
    file, archive = describe("unpublished", CONTENT, published=False)
    mirror.archives[file.archive.name] = archive
    return file


def test_the_hash_of_a_verified_file_is_recorded(tmp_path, mirror, unpublished):
    good = f"{mirror.address}/good/"
    assert read(tmp_path, good, file=unpublished) == CONTENT
    assert visible(tmp_path) == ["unpublished", "unpublished.sha256"]
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert (tmp_path / "unpublished.sha256").read_text() == f"{digest}  unpublished\n"
    path = tmp_path / "unpublished"
    path.write_bytes(CONTENT[:-1] + b"!")
    with pytest.raises(DatasetError, match="expected SHA-256"):
        read(tmp_path, file=unpublished, download_if_missing=False)
    with pytest.warns(UserWarning, match="expected SHA-256"):
        assert read(tmp_path, good, file=unpublished) == CONTENT
    assert read(tmp_path, file=unpublished) == CONTENT


def test_a_file_from_another_program_is_verified_by_its_archive(tmp_path, mirror, unpublished):
    (tmp_path / "unpublished").write_bytes(CONTENT[:-1] + b"!")
    (tmp_path / "unpublished.gz").write_bytes(mirror.archives["unpublished.gz"])
    assert read(tmp_path, file=unpublished) == CONTENT
    assert (tmp_path / "unpublished").read_bytes() == CONTENT


def test_a_file_unpacked_by_another_program_is_accepted_and_must_not_change(tmp_path, unpublished):
    (tmp_path / "unpublished").write_bytes(CONTENT)
    assert read(tmp_path, file=unpublished) == CONTENT
    (tmp_path / "unpublished").write_bytes(CONTENT[:-1] + b"!")
    with pytest.raises(DatasetError, match="expected SHA-256"):
        read(tmp_path, file=unpublished, download_if_missing=False)


def test_a_damaged_record_is_ignored(tmp_path, unpublished):
    (tmp_path / "unpublished").write_bytes(CONTENT)
    (tmp_path / "unpublished.sha256").write_bytes(b"\xff not a hash")
    assert read(tmp_path, file=unpublished) == CONTENT


def test_a_read_only_folder_does_not_need_a_record(tmp_path, unpublished, monkeypatch):
    (tmp_path / "unpublished").write_bytes(CONTENT)

    def refuse(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    assert read(tmp_path, file=unpublished) == CONTENT


# One archive of several files


def test_one_archive_serves_several_files(tmp_path, mirror):
    contents = {"a": CONTENT, "b": CONTENT[::-1]}
    files, mirror.archives["gzip.zip"] = describe_zip(contents)
    good = f"{mirror.address}/good/"
    assert [read(tmp_path, good, file=file) for file in files] == list(contents.values())
    assert mirror.requests == ["good"]
    assert visible(tmp_path) == ["a", "a.sha256", "b", "b.sha256", "gzip.zip"]
    (tmp_path / "a").unlink()
    assert read(tmp_path, file=files[0], download_if_missing=False) == CONTENT


def test_an_archive_from_another_program_is_found(tmp_path, mirror):
    files, archive = describe_zip({"a": CONTENT})
    (tmp_path / "gzip.zip").write_bytes(archive)
    assert read(tmp_path, file=files[0], download_if_missing=False) == CONTENT
    (tmp_path / "a").unlink()
    (tmp_path / "gzip.zip").write_bytes(archive[:-1] + b"!")
    with pytest.raises(DatasetError, match=r"gzip\.zip is damaged: expected SHA-256"):
        read(tmp_path, file=files[0], download_if_missing=False)


# Processes


def read_in_a_process(folder, address):
    os.environ["NO_PROXY"] = "*"
    return read(Path(folder), address)


@pytest.mark.slow
def test_processes_share_one_download(tmp_path, mirror):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, mp_context=context) as pool:
        address = f"{mirror.address}/slow/"
        jobs = [pool.submit(read_in_a_process, str(tmp_path), address) for _ in range(3)]
        assert {job.result() for job in jobs} == {CONTENT}
    assert mirror.requests == ["slow"]


KILLED = """
import sys
from pathlib import Path
from test_cache import read_in_a_process
read_in_a_process(sys.argv[1], sys.argv[2])
"""


@pytest.mark.slow
def test_a_process_killed_during_a_download_leaves_no_trace(tmp_path, mirror):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", KILLED, str(tmp_path), f"{mirror.address}/half/"]
    process = subprocess.Popen(command, env=environment)
    while not any(tmp_path.glob(".*.part")) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [name for name in visible(tmp_path) if name.endswith(".part")] == visible(tmp_path)
    with pytest.raises(DatasetError, match="is not in"):
        read(tmp_path, download_if_missing=False)
    assert read(tmp_path, f"{mirror.address}/good/") == CONTENT
    assert visible(tmp_path) == [FILE.name]  # the leftovers are gone
