"""The examples in README.md and in the tutorial, run as printed on MNIST."""

from __future__ import annotations

import doctest
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("mnist")]


def draw_seven(path):
    """Draw the picture that the examples read, dark on light: the bar, the stem."""
    drawing = np.full((300, 200), 230, dtype=np.uint8)
    drawing[60:80, 50:150] = 40
    for row in range(60, 240):
        drawing[row, 145 - row // 4 : 165 - row // 4] = 40
    Image.fromarray(drawing).save(path, quality=95)


def test_the_examples_of_the_readme_print_the_output_that_it_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw_seven("seven.jpg")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n([^`]*)```\n\n```text\n([^`]*)```", text)
    assert len(examples) == text.count("```python") == 2
    for code, shown in examples:
        printed = StringIO()
        with redirect_stdout(printed):
            exec(code, {})
        assert doctest.OutputChecker().check_output(shown, printed.getvalue(), FLAGS), printed
    assert (tmp_path / "digits.safetensors").is_file()


def test_the_examples_of_the_tutorial_give_the_output_that_it_shows(tmp_path, monkeypatch):
    mpl = pytest.importorskip("matplotlib")
    mpl.use("Agg")
    monkeypatch.chdir(tmp_path)
    draw_seven("seven.jpg")
    tutorial = ROOT / "docs" / "guide" / "tutorial.md"
    failed, tried = doctest.testfile(str(tutorial), module_relative=False, optionflags=FLAGS)
    assert tried > 20 and not failed
    written = {"losses.png", "confusions.png", "digits.safetensors", "digits.onnx", "seven.jpg"}
    assert {path.name for path in tmp_path.iterdir()} == written
