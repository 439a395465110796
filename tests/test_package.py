"""The house: its public names, and which room may know which."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import skorch_mnist

PACKAGE = Path(skorch_mnist.__file__).parent


def modules():
    """Files of the package by module name; a subpackage counts as one module."""
    rooms: dict[str, list[Path]] = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        rooms.setdefault(parts[0], []).append(path)
    return rooms


def imports_of(paths):
    """Modules of ours that the files import, those for type checkers left out."""
    found = set()
    for path in paths:
        tree = ast.parse(path.read_text())
        for_types = {
            id(node)
            for block in ast.walk(tree)
            if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
            for node in ast.walk(block)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level == 0 and id(node) not in for_types:
                package, _, rest = (node.module or "").partition(".")
                if package == "skorch_mnist":
                    names = [rest.split(".")[0]] if rest else [alias.name for alias in node.names]
                    found.update(name if name in modules() else "__init__" for name in names)
    return found


def test_imports_never_form_a_ring():
    arrows = {name: imports_of(paths) - {name} for name, paths in modules().items()}
    remaining = dict(arrows)
    while remaining:
        free = [name for name, targets in remaining.items() if not targets & remaining.keys()]
        assert free, f"a ring among {remaining}"
        for name in free:
            del remaining[name]


@pytest.mark.parametrize(
    "name",
    [
        "network",
        "images",
        "precision",
        "learning_rate",
        "datasets",
        "pictures",
        "devices",
        "joblib_backends",
        "plain_data",
        "seeding",
        "tensor_file",
    ],
)
def test_rooms_that_know_nothing_of_ours(name):
    assert imports_of(modules()[name]) <= {name}


@pytest.mark.parametrize("name", ["batches", "displays"])
def test_rooms_that_know_the_form_of_images_and_nothing_else(name):
    assert imports_of(modules()[name]) <= {name, "images"}


def test_nobody_imports_the_command_line():
    for name, paths in modules().items():
        if name not in ("cli", "__main__"):
            assert "cli" not in imports_of(paths)


def test_public_names():
    fetchers = {f"fetch_{name}mnist" for name in ("", "e", "fashion_", "k", "q")}
    classes = {"DigitPreprocessor", "MNISTCNN", "MNISTCNNClassifier"}
    names = {*classes, *fetchers, "load_digits28", "__version__"}
    assert set(skorch_mnist.__all__) == names
    assert all(hasattr(skorch_mnist, name) for name in names)
    assert set(dir(skorch_mnist)) == names
    with pytest.raises(AttributeError, match="no attribute 'MNISTCNNClassifer'"):
        _ = skorch_mnist.MNISTCNNClassifer
    assert len((PACKAGE / "__init__.py").read_text().splitlines()) < 40


def test_version_is_that_of_the_installed_package():
    assert version("skorch_mnist") == skorch_mnist.__version__


def test_import_adds_no_heavy_library_to_those_of_skorch():
    code = (
        "import sys, skorch; known = set(sys.modules);"
        "from skorch_mnist import MNISTCNNClassifier, fetch_mnist;"
        "heavy = {'matplotlib', 'torchvision', 'pandas'} & (set(sys.modules) - known);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_type_information_is_shipped():
    assert (PACKAGE / "py.typed").exists()
