"""The examples in README.md, run as printed on MNIST."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.slow
@pytest.mark.usefixtures("mnist")
def test_the_examples_give_the_output_that_the_readme_shows(tmp_path, monkeypatch):
    mpl = pytest.importorskip("matplotlib")
    mpl.use("Agg")
    monkeypatch.chdir(tmp_path)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.testfile(str(README), module_relative=False, optionflags=flags)
    assert result.attempted > 20
    assert result.failed == 0
    written = {"losses.png", "confusions.png", "digits.safetensors", "digits.onnx"}
    assert {path.name for path in tmp_path.iterdir()} == written
