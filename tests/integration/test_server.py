"""The server in its own process: its page in a browser, and the examples of its documentation."""

from __future__ import annotations

import base64
import doctest
import json
import math
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image
from test_readme import draw_seven

from skorch_mnist.datasets import load_image_folder

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "serving.md"
CHROMIUM = shutil.which("chromium")

pytestmark = pytest.mark.slow


@contextmanager
def started(*arguments):
    """A server in another process, and its address."""
    command = [sys.executable, "-m", "skorch_mnist", "serve", "--port", "0", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        try:
            yield process, re.search(r"http://\S+", process.stdout.readline())[0]
        finally:
            process.terminate()


@contextmanager
def running(*arguments):
    """The address of a server, which must print no errors."""
    with started(*arguments) as (process, address):
        yield address
        process.terminate()
        assert process.stderr.read() == ""


@pytest.fixture(scope="module")
def address():
    with running() as address:
        yield address


# The documentation


def test_the_python_examples_of_the_page_give_the_output_that_it_shows(
    address, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    draw_seven("seven.jpg")
    text = PAGE.read_text().replace("http://localhost:8000", address)
    test = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert len(test.examples) > 8
    assert runner.run(test).failed == 0


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_the_curl_examples_of_the_page_give_the_output_that_it_shows(
    address, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    draw_seven("seven.jpg")
    examples = re.findall(r"```bash\n([^`]*)```\n\n```text\n([^`]*)```", PAGE.read_text())
    assert len(examples) == 6
    for command, shown in examples:
        command = command.replace("http://localhost:8000", address)
        done = subprocess.run(["bash", "-ec", command], capture_output=True, text=True, check=True)
        same = doctest.OutputChecker().check_output(shown, done.stdout + "\n", doctest.ELLIPSIS)
        assert same, done.stdout


# The page


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as running_playwright:
        browser = running_playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


class Page:
    """The page in a browser, whose drawing is 400 units wide and 300 high."""

    def __init__(self, page):
        self.page = page
        self.requested, self.complaints = [], []
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text))

    def draw(self, *strokes):
        box = self.page.locator("#canvas").bounding_box()
        unit = box["width"] / 400
        for stroke in strokes:
            places = [(box["x"] + x * unit, box["y"] + y * unit) for x, y in stroke]
            self.page.mouse.move(*places[0])
            self.page.mouse.down()
            for place in places[1:]:
                self.page.mouse.move(*place, steps=3)
            self.page.mouse.up()

    def answer(self):
        """What the page says once it has asked the server about everything."""
        self.page.wait_for_selector("#digits[aria-busy=false]", state="attached")
        return self.page.get_by_role("status").inner_text()

    def labels(self):
        self.answer()
        return self.page.locator("#digits strong").all_inner_texts()

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)


@contextmanager
def opened(browser, address, **options):
    """The page; nothing may be requested from elsewhere, and no script may fail."""
    context = browser.new_context(**options)
    page = Page(context.new_page())
    page.page.goto(address)
    yield page
    context.close()
    assert page.complaints == []
    assert len(page.requested) >= 4
    assert [url for url in page.requested if not url.startswith((f"{address}/", "blob:"))] == []


@pytest.fixture
def page(browser, address):
    with opened(browser, address) as page:
        yield page


def arc(x, y, width, height, start, end):
    """Points on an ellipse; angles in degrees, clockwise from the right."""
    angles = [math.radians(start + (end - start) * step / 16) for step in range(17)]
    return [(x + width * math.cos(a), y + height * math.sin(a)) for a in angles]


NOTHING = "Draw a digit, or choose a picture."
DIGITS = {
    0: [arc(200, 150, 60, 95, -90, 270)],
    1: [[(165, 95), (205, 55), (205, 245)]],
    2: [[*arc(200, 105, 50, 50, -170, 30), (150, 240), (260, 240)]],
    3: [[*arc(195, 100, 50, 45, -150, 90), *arc(195, 195, 60, 50, -90, 140)]],
    4: [[(220, 55), (140, 180), (265, 180)], [(225, 120), (225, 250)]],
    5: [[(165, 60), (158, 135), *arc(195, 180, 55, 60, -125, 140)], [(165, 60), (250, 60)]],
    6: [[(235, 55), (175, 120), *arc(200, 190, 52, 52, -160, 200)]],
    7: [[(140, 60), (260, 60), (185, 245)]],
    8: [[*arc(200, 100, 42, 45, 90, 450), *arc(200, 195, 52, 50, -90, 270)]],
    9: [[*arc(200, 105, 48, 48, 0, -360), (240, 245)]],
}


@pytest.mark.parametrize("digit", DIGITS)
def test_drawings_of_all_digits_are_read(digit, page):
    page.draw(*DIGITS[digit])
    assert page.answer().startswith(f"{digit}, ")
    assert page.labels() == [str(digit)]
    bars = page.page.locator("#digits dd").all_inner_texts()
    shares = [float(text.removesuffix("%")) for text in bars]
    assert np.argmax(shares) == digit and sum(shares) == pytest.approx(100, abs=1)
    seen = page.page.evaluate(
        "[...document.querySelector('.seen').getContext('2d').getImageData(0, 0, 28, 28).data]"
    )
    assert max(seen[::4]) == 255 and seen[:4] == [0, 0, 0, 255]


def at(strokes, left):
    """A smaller drawing elsewhere."""
    return [[(left + (x - 130) * 0.5, 75 + y * 0.5) for x, y in stroke] for stroke in strokes]


def test_several_digits_have_boxes(page):
    page.draw(*at(DIGITS[4], 30), *at(DIGITS[7], 160), *at(DIGITS[2], 290))
    assert page.answer() == "3 digits: 4, 7, 2."
    assert page.labels() == ["4", "7", "2"]


def test_the_page_answers_while_a_stroke_is_drawn(page):
    box = page.page.locator("#canvas").bounding_box()
    page.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
    page.page.mouse.down()
    page.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 200, steps=5)
    assert page.labels() == ["1"]
    page.page.mouse.up()


def test_a_dot_is_not_read_before_it_becomes_a_stroke(page):
    page.draw([(200, 100), (203, 105)])
    assert page.answer() == NOTHING
    assert not any("predict" in url for url in page.requested)
    page.draw([(203, 105), (200, 230)])
    assert page.labels() == ["1"]
    page.press("Control+z")
    assert page.answer() == NOTHING and page.labels() == []


def test_strokes_are_undone_and_cleared(page):
    page.draw(*DIGITS[1])
    page.draw([(60, 60), (90, 240)])
    page.answer()
    page.page.get_by_role("button", name="Undo").click()
    assert page.labels() == ["1"]
    page.press("Control+z")
    assert page.answer() == NOTHING
    page.draw(*DIGITS[7])
    page.page.get_by_role("button", name="Clear").click()
    assert page.answer() == NOTHING
    assert page.labels() == []


@pytest.mark.parametrize("action", ["undo", "clear"])
def test_the_answer_to_a_stroke_that_is_gone_is_not_shown(action, page):
    answers = []

    def answer_late(route):  # the stroke is gone when its answer arrives
        response = route.fetch()
        page.page.evaluate(f"{action}()")
        answers.append(response.status)
        route.fulfill(response=response)

    page.page.route("**/predict*", answer_late)
    page.draw(*DIGITS[1])
    assert page.answer() == NOTHING
    assert page.labels() == [] and answers == [200]


def test_the_keyboard_draws(page):
    page.page.locator("#canvas").focus()
    page.press(*["Shift+ArrowUp"] * 4, "Space")
    assert page.page.get_by_role("status").inner_text() in ("Pen down.", page.answer())
    page.press(*["Shift+ArrowDown"] * 8, "Space", *["ArrowRight"] * 3)
    assert page.labels() == ["1"]
    page.press("Backspace")
    assert page.answer() == NOTHING
    page.press("Space", "ArrowDown", "Escape")
    assert page.answer() == NOTHING


def test_a_finger_draws(browser, address):
    phone = {"width": 375, "height": 667}
    with opened(browser, address, viewport=phone, has_touch=True, is_mobile=True) as page:
        box = page.page.locator("#canvas").bounding_box()
        session = page.page.context.new_cdp_session(page.page)
        for number, (x, y) in enumerate(DIGITS[7][0]):
            point = {"x": box["x"] + x * box["width"] / 400, "y": box["y"] + y * box["width"] / 400}
            kind = "touchMove" if number else "touchStart"
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        assert page.labels() == ["7"]
        assert page.page.get_by_text("Take a photo").is_visible()


@pytest.mark.parametrize("width", [320, 375, 768, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_screen(width, scheme, browser, address):
    screen = {"width": width, "height": 640}
    with opened(browser, address, viewport=screen, color_scheme=scheme) as page:
        page.draw(*at(DIGITS[4], 30), *at(DIGITS[7], 160))
        assert len(page.labels()) == 2
        assert page.page.evaluate("document.documentElement.scrollWidth") <= width
        colors = page.page.evaluate(
            "const style = getComputedStyle(document.body); [style.color, style.backgroundColor]"
        )
        text, back = (np.mean([int(n) for n in re.findall(r"\d+", color)][:3]) for color in colors)
        assert (text > back) == (scheme == "dark") and abs(text - back) > 150


# Pictures


def photograph():
    """A photograph of a 4 and a 7, turned a little: blue on yellow, uneven light, noise."""
    rng = np.random.default_rng(0)
    paper = np.ones((480, 640, 3)) * (225, 215, 180)
    ink = np.zeros((480, 640))
    for left, digit in ((120, 4), (340, 7)):
        for stroke in DIGITS[digit]:
            for (x0, y0), (x1, y1) in pairwise(stroke):
                for share in np.linspace(0, 1, 60):
                    x, y = left + x0 + (x1 - x0) * share - 130, 90 + y0 + (y1 - y0) * share
                    x, y = round(x - 0.05 * y), round(y + 0.05 * x)
                    ink[y - 6 : y + 6, x - 6 : x + 6] = 1
    light = np.linspace(0.6, 1, 640)[None, :, None] * np.linspace(1, 0.8, 480)[:, None, None]
    pixels = np.where(ink[..., None] > 0, (40, 60, 130), paper) * light
    pixels += rng.normal(0, 4, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def as_base64(picture, form):
    file = BytesIO()
    picture.save(file, form)
    return base64.b64encode(file.getvalue()).decode()


TO_FILE = """async (content, type) => {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  window.file = new File([bytes], "picture", { type });
}"""


def hold(page, picture, form="PNG"):
    """Keep a picture in the page as a file."""
    content, kind = json.dumps(as_base64(picture, form)), json.dumps(f"image/{form.lower()}")
    page.page.evaluate(f"({TO_FILE})({content}, {kind})")


def test_a_photograph_is_pasted(page):
    page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    hold(page, photograph())
    page.page.evaluate("navigator.clipboard.write([new ClipboardItem({'image/png': window.file})])")
    page.press("Control+v")
    page.page.wait_for_selector("#canvas.picture")
    assert page.answer() == "2 digits: 4, 7."
    page.page.get_by_role("button", name="Clear").click()
    assert page.answer() == NOTHING


def test_a_picture_is_dropped(page):
    hold(page, photograph(), "JPEG")
    page.page.evaluate("""() => {
      const data = new DataTransfer();
      data.items.add(window.file);
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
    }""")
    page.page.wait_for_selector("#canvas.picture")
    assert page.answer() == "2 digits: 4, 7."


@pytest.mark.parametrize("button", ["Choose a picture", "Take a photo"])
def test_a_picture_is_chosen(button, page, tmp_path):
    photograph().save(tmp_path / "photograph.jpg")
    page.page.get_by_label(button).set_input_files(tmp_path / "photograph.jpg")
    page.page.wait_for_selector("#canvas.picture")
    assert page.answer() == "2 digits: 4, 7."


def test_a_large_picture_is_made_smaller(page, tmp_path):
    photograph().resize((6400, 4800)).save(tmp_path / "photograph.jpg", quality=30)
    page.page.get_by_label("Choose a picture").set_input_files(tmp_path / "photograph.jpg")
    page.page.wait_for_selector("#canvas.picture")
    assert page.answer() == "2 digits: 4, 7."


def transparent(ink):
    """A photograph whose background was removed."""
    dark = np.asarray(photograph().convert("L").point(lambda value: 255 if value < 70 else 0))
    pixels = np.zeros((*dark.shape, 4), np.uint8)
    pixels[..., :3], pixels[..., 3] = ink, dark
    return Image.fromarray(pixels)


@pytest.mark.parametrize("ink", [0, 255])
@pytest.mark.parametrize("size", [(640, 480), (6400, 4800)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_transparent_picture_is_shown_and_read(ink, size, scheme, browser, address, tmp_path):
    transparent(ink).resize(size).save(tmp_path / "digits.png")
    with opened(browser, address, color_scheme=scheme) as page:
        page.page.get_by_label("Choose a picture").set_input_files(tmp_path / "digits.png")
        page.page.wait_for_selector("#canvas.picture")
        assert page.answer() == "2 digits: 4, 7."
        shown = page.page.evaluate(
            "[...canvas.getContext('2d').getImageData(0, 0, canvas.width, 1).data]"
        )
        assert set(shown) == {255 - ink, 255}


def test_files_that_are_not_pictures_show_an_error(page, tmp_path):
    (tmp_path / "notes.png").write_text("seven")
    page.page.get_by_label("Choose a picture").set_input_files(tmp_path / "notes.png")
    page.page.wait_for_selector("#status.error")
    assert page.answer().startswith("The picture is not in a supported format")
    assert "400" in page.complaints.pop()
    page.draw(*DIGITS[7])  # without clearing anything
    assert page.labels() == ["7"]


def test_a_picture_that_only_the_server_can_read_is_not_shown(page, tmp_path):
    photograph().save(tmp_path / "photograph.tiff")
    page.page.get_by_label("Choose a picture").set_input_files(tmp_path / "photograph.tiff")
    page.page.wait_for_selector("#canvas.picture")
    assert page.answer() == "2 digits: 4, 7."
    assert page.page.get_by_text("Your browser cannot show this picture").is_visible()


def test_pasted_text_is_not_a_picture(page):
    page.page.evaluate("""() => {
      const data = new DataTransfer();
      data.setData("text/plain", "seven");
      const options = { clipboardData: data, bubbles: true };
      document.body.dispatchEvent(new ClipboardEvent("paste", options));
    }""")
    assert page.answer() == "This is not a picture file."


def test_the_page_cannot_reach_other_hosts(page):
    page.page.evaluate("fetch('http://127.0.0.1:9/').catch(() => null)")
    assert any("Content Security Policy" in complaint for complaint in page.complaints)
    page.complaints.clear()


LETTER = [[(150, 60), (150, 240)], [(250, 60), (150, 150), (250, 240)]]  # K


def test_a_letter_is_not_a_digit(page):
    page.draw(*LETTER)
    assert page.answer() == "Not a digit."
    assert page.labels() == ["not a digit"]
    page.press("Control+z", "Control+z")
    page.draw(*at(LETTER, 10), *at(DIGITS[4], 140), *at(DIGITS[7], 260))
    assert page.answer() == "2 digits: 4, 7."  # what is beside digits is left out
    assert page.page.locator("#digits details[open]").count() == 0


# Corrections


def test_corrected_digits_are_saved(browser, tmp_path):
    with running("--keep", tmp_path) as address, opened(browser, address) as page:
        assert page.page.get_by_text("saves the digits that you correct").is_visible()
        page.draw(*DIGITS[1])
        page.answer()
        page.page.get_by_label("Correct").select_option("7")
        page.page.get_by_role("button", name="Save").click()
        page.page.get_by_text("Saved as 7.").wait_for()
        page.page.evaluate("changed()")  # the same digit is not offered again
        page.answer()
        assert page.page.get_by_text("Saved as 7.").is_visible()
    images = load_image_folder(tmp_path)
    assert images.target.tolist() == [7]
    assert images.images.max() == 255


def test_the_keyboard_corrects_a_digit(browser, tmp_path):
    with running("--keep", tmp_path) as address, opened(browser, address) as page:
        page.draw(*DIGITS[1])
        page.answer()
        page.page.get_by_label("Correct").focus()
        page.press("Tab", "Enter")  # nothing is chosen: the browser says so and goes back
        page.press(*["ArrowDown"] * 8)
        page.page.wait_for_load_state("networkidle")
        assert list(tmp_path.rglob("*.png")) == []
        page.press("Tab", "Enter")
        page.page.get_by_text("Saved as 7.").wait_for()
        assert page.page.evaluate("document.activeElement.innerText") == "Saved as 7."
    assert load_image_folder(tmp_path).target.tolist() == [7]


def test_the_answer_stays_if_a_correction_cannot_be_saved(browser, tmp_path):
    with running("--keep", tmp_path) as address, opened(browser, address) as page:
        page.draw(*DIGITS[1])
        page.answer()
        page.page.get_by_label("Correct").select_option("7")
        page.page.route("**/examples", lambda route: route.abort())
        page.page.get_by_role("button", name="Save").click()
        page.page.wait_for_selector("#status.error")
        assert page.labels() == ["1"]
        assert "ERR_FAILED" in page.complaints.pop()


def test_corrections_are_not_mentioned_if_they_are_not_saved(page):
    page.draw(*DIGITS[1])
    page.answer()
    assert not page.page.get_by_text("saves the digits that you correct").is_visible()
    assert not page.page.get_by_label("Correct").is_visible()


# The process


@pytest.mark.parametrize("body", [None, b"seven", bytes(100_000)])
def test_an_interrupt_ends_the_server(body):
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
    with started() as (process, address), socket.socket() as sock:
        if body is not None:
            sock.connect(("127.0.0.1", int(address.rpartition(":")[2])))
            sock.sendall(head + body)  # the rest never arrives
            with urlopen(f"{address}/health") as answer:  # by now, the server has the first part
                assert answer.status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
        assert process.stderr.read() == ""


def test_a_server_for_other_machines_warns():
    with started("--host", "0.0.0.0") as (process, _):
        assert (
            "anyone who can connect to this machine can send pictures" in process.stderr.readline()
        )
