"""The examples in README.md, run as printed on MNIST."""

from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

README = Path(__file__).parents[2] / "README.md"


def draw_seven(path):
    """Draw the picture that the examples read, dark on light: the bar, the stem."""
    drawing = np.full((300, 200), 230, dtype=np.uint8)
    drawing[60:80, 50:150] = 40
    for row in range(60, 240):
        drawing[row, 145 - row // 4 : 165 - row // 4] = 40
    Image.fromarray(drawing).save(path, quality=95)


@pytest.mark.slow
@pytest.mark.usefixtures("mnist")
def test_the_examples_give_the_output_that_the_readme_shows(tmp_path, monkeypatch):
    mpl = pytest.importorskip("matplotlib")
    mpl.use("Agg")
    monkeypatch.chdir(tmp_path)
    draw_seven("seven.jpg")
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.testfile(str(README), module_relative=False, optionflags=flags)
    assert result.attempted > 20
    assert result.failed == 0
    written = {"losses.png", "confusions.png", "digits.safetensors", "digits.onnx", "seven.jpg"}
    assert {path.name for path in tmp_path.iterdir()} == written
