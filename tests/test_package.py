"""The architecture: which module may import which, and who may use private names of others."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from importlib.metadata import version
from importlib.util import resolve_name
from pathlib import Path

import pytest

import skorch_mnist

PACKAGE = Path(skorch_mnist.__file__).parent
TESTS = Path(__file__).parent

# A module may import those above it.
ORDER = (
    "_geometry", "_atomic", "_features", "_threads", "network", "recipes", "datasets",
    "_compat", "clusters", "_devices", "_inputs", "displays", "_parameters", "_learning_rate",
    "_progress", "_batches", "_storage", "_listeners", "_processes", "_training", "checkpoint",
    "_net", "_outliers", "_hub", "classifier", "rejection", "pictures", "pretrained", "reading",
    "serve", "__init__", "cli", "__main__",
)  # fmt: skip
ALONE = {  # the only modules of ours that these know
    "network": set(),
    "pretrained": {"classifier", "datasets", "pictures", "recipes", "rejection"},
    "_outliers": set(),
    "datasets": {"_atomic", "_geometry"},
    "pictures": {"_geometry", "_threads", "rejection"},
    "clusters": {"_compat"},
    "displays": {"_inputs"},
    "reading": {"_geometry", "pictures", "rejection"},
    "_storage": {"_atomic", "_batches", "_compat", "_inputs"},
}
COMPAT = {PACKAGE / "_compat.py", PACKAGE / "cli" / "_compat.py"}


def modules():
    """Files of the package by module name; a subpackage counts as one module."""
    files: dict[str, list[Path]] = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        files.setdefault(parts[0], []).append(path)
    return files


MODULES = modules()


parse = functools.cache(ast.parse)


def imports_in(source, package):
    """Modules of ours that a file of a package imports, except for type checkers."""
    tree = parse(source)
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    found = []
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            found += [f"{base}.{alias.name}" for alias in node.names]
    ours = [f"{name}.".split(".")[1] for name in found if name.split(".")[0] == "skorch_mnist"]
    return {name if name in MODULES else "__init__" for name in ours}


@functools.cache
def imports_of(name):
    """Other modules of ours that the files of a module import."""
    return {
        imported
        for path in MODULES[name]
        for imported in imports_in(
            path.read_text(), ".".join((PACKAGE.name, *path.relative_to(PACKAGE).parent.parts))
        )
    } - {name}


@pytest.mark.parametrize(
    ("line", "module"),
    [
        ("import skorch_mnist", "__init__"),
        ("import skorch_mnist.cli as c", "cli"),
        ("from skorch_mnist import cli", "cli"),
        ("from skorch_mnist.cli.data import load_data", "cli"),
        ("from ..cli import data", "cli"),
        ("from .. import cli", "cli"),
        ("from ._files import MNIST", "datasets"),
        ("def load():\n    from skorch_mnist import MNISTCNN", "__init__"),
    ],
)
def test_every_form_of_import_is_found(line, module):
    assert imports_in(line, "skorch_mnist.datasets") == {module}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_imports_point_one_way(name):
    assert name in ORDER, f"give {name} a place in ORDER"
    below = ORDER[: ORDER.index(name)]
    assert imports_of(name) <= set(below)


@pytest.mark.parametrize("name", ALONE)
def test_leaves_know_little_of_the_package(name):
    assert imports_of(name) <= ALONE[name]


def is_private(*names):
    return any(name.startswith("_") and not name.startswith("__") for name in names)


def names_of_others(tree):
    """Names by which a file knows other packages, and the private ones that it imports."""
    known, private = set(), []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] != "skorch_mnist":
                    known.add((alias.asname or alias.name).split(".")[0])
                    private += [alias.name] if is_private(*alias.name.split(".")) else []
        elif isinstance(node, ast.ImportFrom) and not node.level:
            module = node.module or ""
            if module.split(".")[0] not in ("skorch_mnist", "__future__"):
                for alias in node.names:
                    known.add(alias.asname or alias.name)
                    if is_private(*module.split("."), alias.name):
                        private.append(f"{module}.{alias.name}")
    return known, private


def private_names_of_others(path):
    """Private names of other packages that a file imports, or takes from what it imports."""
    tree = parse(path.read_text())
    known, private = names_of_others(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            base = node.value
            while isinstance(base, ast.Attribute):
                base = base.value
            if isinstance(base, ast.Name) and base.id in known:
                private.append(ast.unparse(node))
    return private


def test_private_names_of_other_libraries_are_in_compat():
    found = {
        str(path.relative_to(PACKAGE)): names
        for path in PACKAGE.rglob("*.py")
        if path not in COMPAT and (names := private_names_of_others(path))
    }
    assert found == {}


def test_a_private_name_of_another_library_is_noticed(tmp_path):
    file = tmp_path / "module.py"
    file.write_text(
        "import torch\nfrom sklearn.utils._array_api import get_namespace\ntorch.nn._x.y()\n"
    )
    assert private_names_of_others(file) == [
        "sklearn.utils._array_api.get_namespace",
        "torch.nn._x",
    ]


def internal_parts(path):
    """Parts of the package that a file of tests imports or patches, though users do not."""
    tree = parse(path.read_text())
    names = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and re.fullmatch(r"skorch_mnist(\.\w+)+", str(node.value))
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    parts = [name.split(".")[1:] for name in names if name.startswith("skorch_mnist.")]
    return {
        first
        for first, *rest in parts
        if is_private(first, *rest) or (first == "cli" and rest not in ([], ["main"]))
    }


def parts_named(unit):
    """Parts of the package in which a module has the name of a file of tests."""
    paths = [path.relative_to(PACKAGE).with_suffix("").parts for path in PACKAGE.rglob("*.py")]
    found = {parts[0] for parts in paths if unit in [part.strip("_") for part in parts]}
    return found | ({"cli"} if unit.startswith("cli_") else set())


TEST_FILES = sorted({*TESTS.rglob("test_*.py")} - {Path(__file__)})


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: path.stem)
def test_only_tests_named_after_an_internal_module_use_its_part_of_the_package(path):
    assert internal_parts(path) <= parts_named(path.stem.removeprefix("test_"))


def test_no_attribute_is_read_that_may_not_be_there():
    hidden = re.compile(r"(?:vars\(\w+\)|__dict__)\.get\(")
    assert [path for path in PACKAGE.rglob("*.py") if hidden.search(path.read_text())] == []


def test_version_is_that_of_the_installed_package():
    assert version("skorch_mnist") == skorch_mnist.__version__


def test_import_adds_no_heavy_library_to_those_of_skorch():
    code = (
        "import sys, skorch; known = set(sys.modules);"
        "from skorch_mnist import MNISTCNNClassifier, fetch_mnist;"
        "heavy = {'cv2', 'matplotlib', 'torchvision', 'pandas'} & (set(sys.modules) - known);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_type_information_is_shipped():
    assert (PACKAGE / "py.typed").exists()
