"""The functions that fetch the MNIST family."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from misbehaving_mirror import describe, describe_zip, to_idx

import skorch_mnist
from skorch_mnist import fetch_emnist, fetch_kmnist, fetch_mnist, fetch_qmnist
from skorch_mnist.datasets import DatasetError, _fetch, download_limits
from skorch_mnist.datasets._files import EMNIST, EMNIST_SPLITS, FASHION_MNIST, KMNIST, MNIST, QMNIST

HOME_VARIABLE = "SKORCH_MNIST_HOME"
N = {"train": 3, "test": 2}


def made_up(name, n, n_classes):
    rng = np.random.default_rng([n, n_classes, len(name)])
    images = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
    return images, rng.integers(0, n_classes, n, dtype=np.uint8)


def made_up_source(mirror, real, n_classes):
    """Return a small dataset like a real one, on the mirror, and its content."""
    truth, table = {}, {}
    for subset, n in N.items():
        images, labels = truth[subset] = made_up(subset, n, n_classes)
        contents = [to_idx(images), to_idx(labels)]
        if real is QMNIST:
            contents[1] = to_idx(np.stack([labels.astype(np.int32)] + [images[:, 0, 0]] * 7, 1))
        published = real.files["train"][0].sha256 is not None
        table[subset] = tuple(
            describe(file.name, content, published=published)
            for file, content in zip(real.files[subset], contents, strict=True)
        )
    for pairs in table.values():
        mirror.archives.update({file.archive.name: archive for file, archive in pairs})
    files = {subset: tuple(file for file, _ in pairs) for subset, pairs in table.items()}
    return replace(real, mirrors=(f"{mirror.address}/good/",), files=files), truth


@pytest.fixture
def tiny_mnist(monkeypatch, mirror):
    source, truth = made_up_source(mirror, MNIST, 10)
    monkeypatch.setattr(_fetch, "MNIST", source)
    return truth


# The table


def test_the_table_has_mirrors_over_https_and_complete_hashes():
    assert len([url for url in MNIST.mirrors if url.startswith("https://")]) >= 3
    for source in (MNIST, FASHION_MNIST, KMNIST, QMNIST, *EMNIST.values()):
        assert source.mirrors[0].startswith("https://")
        assert all(url.endswith("/") for url in source.mirrors)
        for files in source.files.values():
            assert "images" in files[0].name and "labels" in files[1].name
            for file in files:
                assert re.fullmatch("[0-9a-f]{64}", file.archive.sha256)
                assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)
                assert file.archive.size < file.size or file.member
    sizes = {file.size for file in MNIST.files["train"]}
    assert sizes == {47_040_016, 60_008}


def test_names_and_folders_are_those_of_torchvision():
    datasets = pytest.importorskip("torchvision.datasets")
    for source, there in [
        (MNIST, datasets.MNIST),
        (FASHION_MNIST, datasets.FashionMNIST),
        (KMNIST, datasets.KMNIST),
    ]:
        assert source.folder == f"{there.__name__}/raw"
        names = {file.archive.name for files in source.files.values() for file in files}
        assert names == {name for name, _ in there.resources}
    for subset, files in QMNIST.files.items():
        theirs = [url.rsplit("/", 1)[1] for url, _ in datasets.QMNIST.resources[subset]]
        assert [file.archive.name for file in files] == theirs
    assert set(EMNIST) == set(datasets.EMNIST.splits)
    for split, source in EMNIST.items():
        theirs = datasets.EMNIST.classes_split_dict[split]
        assert list(source.target_names) == [name for name in theirs if name != "N/A"]
    assert EMNIST["letters"].files["train"][0].name == "emnist-letters-train-images-idx3-ubyte"


# The contract


@pytest.mark.parametrize(
    ("name", "real", "names"),
    [
        ("mnist", MNIST, list("0123456789")),
        ("fashion_mnist", FASHION_MNIST, ["T-shirt/top", "Ankle boot"]),
        ("kmnist", KMNIST, list("おきすつなはまやれを")),
        ("qmnist", QMNIST, list("0123456789")),
    ],
)
@pytest.mark.parametrize("subset", ["train", "test", "all"])
def test_fetchers_return_documented_arrays(
    monkeypatch, mirror, tmp_path, name, real, names, subset
):
    source, truth = made_up_source(mirror, real, 10)
    monkeypatch.setattr(_fetch, name.upper(), source)
    fetch = getattr(skorch_mnist, f"fetch_{name}")
    bunch = fetch(subset=subset, data_home=tmp_path)
    subsets = ["train", "test"] if subset == "all" else [subset]
    images = np.concatenate([truth[s][0] for s in subsets])
    np.testing.assert_array_equal(bunch.images, images, strict=True)
    target = np.concatenate([truth[s][1] for s in subsets]).astype(np.int64)
    np.testing.assert_array_equal(bunch.target, target, strict=True)
    assert bunch.data.shape == (len(target), 784)
    assert np.shares_memory(bunch.data, bunch.images)
    assert bunch.data.flags.writeable
    assert [bunch.target_names[0], bunch.target_names[-1]] == [names[0], names[-1]]
    assert len(bunch.target_names) == 10
    assert "License: " in bunch.DESCR and "Split: " in bunch.DESCR and "Origin: " in bunch.DESCR
    X, y = fetch(subset=subset, data_home=tmp_path, return_X_y=True)  # from the cache
    np.testing.assert_array_equal(X, bunch.data, strict=True)
    np.testing.assert_array_equal(y, bunch.target, strict=True)
    assert len(mirror.requests) == 2 * len(subsets)
    assert (tmp_path / source.folder).is_dir()


@pytest.mark.parametrize("split", EMNIST_SPLITS)
def test_fetch_emnist_is_upright_and_labels_start_at_0(monkeypatch, mirror, tmp_path, split):
    real = EMNIST[split]
    n_classes = len(real.target_names)
    contents, truth = {}, {}
    for subset, n in N.items():
        images, labels = truth[subset] = made_up(subset, n, n_classes)
        arrays = images.transpose(0, 2, 1), labels + real.first_label
        for file, array in zip(real.files[subset], arrays, strict=True):
            contents[file.name] = to_idx(array)
    files, mirror.archives["gzip.zip"] = describe_zip(contents)
    table = {"train": tuple(files[:2]), "test": tuple(files[2:])}
    source = replace(real, mirrors=(f"{mirror.address}/good/",), files=table)
    monkeypatch.setitem(EMNIST, split, source)
    bunch = fetch_emnist(split=split, data_home=tmp_path)
    np.testing.assert_array_equal(bunch.images, truth["train"][0], strict=True)
    np.testing.assert_array_equal(bunch.target, truth["train"][1].astype(np.int64), strict=True)
    assert len(bunch.target_names) == n_classes
    assert f"\n    {split} " in bunch.DESCR
    fetch_emnist(split=split, subset="all", data_home=tmp_path, download_if_missing=False)
    assert mirror.requests == ["good"]


def test_emnist_has_the_characters_of_its_mapping():
    names = {split: source.target_names for split, source in EMNIST.items()}
    assert [len(names[split]) for split in ("balanced", "byclass", "bymerge")] == [47, 62, 47]
    assert names["balanced"][9:11] == ("9", "A")
    assert names["balanced"][36:] == tuple("abdefghnqrt")
    assert names["byclass"][36] == "a"


def test_fetch_mnist_returns_slice_datasets_of_images(tiny_mnist, tmp_path):
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
    assert names == {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"}
    mirror.archives.clear()
    fetch_mnist(download_if_missing=False)
    with pytest.raises(DatasetError, match="t10k-images-idx3-ubyte is not in"):
        fetch_mnist(subset="test", download_if_missing=False)


def test_the_warning_of_damage_points_at_the_caller(tiny_mnist, tmp_path):
    fetch_mnist(data_home=tmp_path)
    (tmp_path / "MNIST" / "raw" / "train-labels-idx1-ubyte").write_bytes(b"")
    with pytest.warns(UserWarning, match="train-labels-idx1-ubyte is damaged") as caught:
        fetch_mnist(data_home=tmp_path)
    assert caught[0].filename == __file__


def test_fetchers_respect_the_time_limit(tiny_mnist, tmp_path, mirror, monkeypatch):
    silent = replace(_fetch.MNIST, mirrors=(f"{mirror.address}/silent/",) * 3)
    monkeypatch.setattr(_fetch, "MNIST", silent)
    # A silent mirror answers after 20 seconds: unlimited, the download would succeed.
    with pytest.raises(DatasetError, match="The download failed"), download_limits(30, 0.2):
        fetch_mnist(data_home=tmp_path)


def test_files_with_unexpected_content_are_an_error(monkeypatch, mirror, tmp_path):
    source, _ = made_up_source(mirror, KMNIST, 100)
    monkeypatch.setattr(_fetch, "KMNIST", source)
    with pytest.raises(DatasetError, match=r"KMNIST.raw contains .* from \d+ to \d\d; expected"):
        fetch_kmnist(data_home=tmp_path)
    (tmp_path / "KMNIST" / "raw" / "train-images-idx3-ubyte.sha256").unlink()
    path = tmp_path / "KMNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(b"!" * path.stat().st_size)
    with pytest.raises(
        DatasetError, match="train-images-idx3-ubyte is damaged: this is not an IDX"
    ):
        fetch_kmnist(data_home=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"subset": "valid"},
            "subset='valid' is not valid: it must be one of 'train', 'te",
        ),
        ({"subset": ["train"]}, "subset=['train'] is not valid"),
        ({"return_X_y": "yes"}, "return_X_y='yes' is not valid: it must be True or False"),
        ({"as_slice_dataset": 1}, "as_slice_dataset=1 is not valid"),
        ({"download_if_missing": None}, "download_if_missing=None is not valid"),
        ({"data_home": 3}, "data_home=3 is not valid"),
    ],
)
@pytest.mark.parametrize("fetch", [fetch_mnist, fetch_qmnist, fetch_emnist])
def test_the_error_names_the_argument_and_its_valid_values(fetch, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        fetch(**arguments)


def test_the_error_names_the_split_and_the_valid_ones():
    with pytest.raises(
        ValueError, match="split='capitals' is not valid: it must be one of 'balanced'"
    ):
        fetch_emnist(split="capitals")


# MNIST itself


@pytest.mark.slow
@pytest.mark.usefixtures("mnist")
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
