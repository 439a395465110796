"""Draw the pictures in this folder again: ``python docs/pictures/draw.py``.

This needs MNIST, the fonts that the tests use, and Chromium. It takes five minutes, because it runs
the tutorial.
"""

from __future__ import annotations

import contextlib
import doctest
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from skorch_mnist import fetch_mnist, read_digits

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))
from integration.test_readme import draw_seven
from synthetic_pictures import draw_page

STROKES = [  # 4, 2 and 7 on the drawing of 400x300 units
    [(75, 95), (45, 165), (105, 162)],
    [(92, 125), (82, 210)],
    [(160, 115), (182, 92), (205, 110), (196, 140), (158, 202), (220, 198)],
    [(272, 98), (338, 94), (296, 208)],
    [(290, 152), (330, 150)],
]


def draw_read_digits() -> None:
    """Draw what ``read_digits`` finds in four pages, made from MNIST test images and fonts."""
    mnist = fetch_mnist(subset="test")
    figure = plt.figure(figsize=(10, 3.6), layout="constrained", facecolor="white")
    grid = figure.add_gridspec(2, 3, width_ratios=(1.2, 1.6, 1.25))
    places = (grid[0, 0], grid[1, 0], grid[:, 1], grid[:, 2])
    pages = (("row", 0), ("row", 5), ("lines", 7), ("grid", 9))
    for place, (kind, seed) in zip(places, pages, strict=True):
        rng = np.random.default_rng(seed)
        picture = draw_page(mnist.images, mnist.target, rng, kind=kind).picture
        axis = figure.add_subplot(place)
        axis.imshow(picture)
        axis.set_axis_off()
        for label, _, (left, top, right, bottom) in read_digits(picture):
            color = "#d62728" if label is None else "#0072b2"
            size = right - left, bottom - top
            axis.add_patch(plt.Rectangle((left, top), *size, fill=False, ec=color))
            name = "?" if label is None else str(label)
            frame = {"boxstyle": "square,pad=0.1", "fc": color, "ec": "none"}
            style = {"color": "white", "size": 7, "weight": "bold", "ha": "center", "va": "bottom"}
            axis.text((left + right) / 2, top, name, bbox=frame, **style)
    figure.savefig(HERE / "read_digits.png", dpi=100)


def draw_page_of_server() -> None:
    """Draw three digits on the page that ``skorch-mnist serve`` serves."""
    command = [sys.executable, "-m", "skorch_mnist", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = re.search(r"http://\S+", server.stdout.readline())[0]
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox"]
                )
                page = browser.new_page(viewport={"width": 900, "height": 640})
                page.goto(address)
                canvas = page.locator("#canvas").bounding_box()
                unit = canvas["width"] / 400
                for stroke in STROKES:
                    points = [(canvas["x"] + x * unit, canvas["y"] + y * unit) for x, y in stroke]
                    page.mouse.move(*points[0])
                    page.mouse.down()
                    for point in points[1:]:
                        page.mouse.move(*point, steps=3)
                    page.mouse.up()
                page.wait_for_selector("#digits[aria-busy=false]", state="attached")
                page.wait_for_load_state("networkidle")
                page.screenshot(path=HERE / "serve.png")
                browser.close()
        finally:
            server.terminate()


def draw_tutorial() -> None:
    """Run the tutorial, and keep the figures that it saves."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        draw_seven("seven.jpg")
        doctest.testfile(str(HERE.parent / "guide" / "tutorial.md"), module_relative=False)
        for name in ("losses.png", "confusions.png"):
            shutil.copy(name, HERE)


def reduce_colors(path: Path) -> None:
    """Write a picture again with at most 128 colors."""
    Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)


if __name__ == "__main__":
    draw_read_digits()
    draw_page_of_server()
    draw_tutorial()
    for path in HERE.glob("*.png"):
        reduce_colors(path)
