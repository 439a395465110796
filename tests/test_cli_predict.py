"""The command predict."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skorch_mnist import MNISTCNNClassifier, cli, read_digits


@pytest.fixture(scope="module")
def model(fitted, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    fitted.save(path)
    return str(path)


@pytest.fixture
def pictures(tmp_path, digits):
    _, X_test, _, _ = digits
    paths = []
    for number in range(3):
        image = Image.fromarray(255 - X_test[number].reshape(28, 28)).resize((200, 200))
        paths.append(str(tmp_path / f"{number}.png"))
        image.save(paths[-1])
    return paths


def test_text_shows_label_and_probability(pictures, capsys):
    assert cli.main(["predict", *pictures]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        [path, str(digit.label), f"{digit.probability:.1%}"]
        for path in pictures
        for digit in read_digits(path)
    ]


def test_json_and_csv_are_what_read_digits_returns(model, pictures, capsys):
    pictures = pictures[:2]
    clf = MNISTCNNClassifier.load(model)
    for options, classifier in ([], None), (["--model", model], clf):
        assert cli.main(["predict", *pictures, *options, "--json"]) == 0
        objects = json.loads(capsys.readouterr().out)
        assert cli.main(["predict", "--csv", *options, *pictures]) == 0
        rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
        for path, item, row in zip(pictures, objects, rows, strict=True):
            [digit] = read_digits(path, classifier=classifier)
            assert item == {
                "image": path,
                "digits": [{**digit._asdict(), "box": list(digit.box)}],
            }
            sides = dict(zip(("left", "top", "right", "bottom"), digit.box, strict=True))
            assert row == {
                "image": path,
                "label": str(digit.label),
                "probability": str(digit.probability),
                **{side: str(pixel) for side, pixel in sides.items()},
            }


def test_images_that_are_not_digits_are_marked(pictures, tmp_path, capsys):
    noise = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    path = tmp_path / "noise.png"
    Image.fromarray(noise).resize((200, 200)).save(path)
    arguments = ["predict", str(path), "--no-page", "--model", "digits"]
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out.split(maxsplit=1) == [str(path), "not a digit\n"]
    assert cli.main([*arguments, "--json"]) == 0
    [item] = json.loads(capsys.readouterr().out)
    assert [digit["label"] for digit in item["digits"]] == [None]
    assert cli.main([*arguments, "--csv"]) == 0
    [row] = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["label"] == ""
    assert cli.main([*arguments, "--accept", "1"]) == 0
    assert "not a digit" not in capsys.readouterr().out


def test_accept_needs_a_classifier_that_rejects(model, pictures, capsys):
    assert cli.main(["predict", *pictures, "--model", model, "--accept", "0.9"]) == 2
    assert "requires a classifier that rejects" in capsys.readouterr().err


@pytest.fixture
def page(pictures, tmp_path):
    row = np.concatenate([np.asarray(Image.open(path)) for path in pictures], axis=1)
    Image.fromarray(row).save(tmp_path / "page.png")
    return str(tmp_path / "page.png")


@pytest.mark.parametrize("option", [(), ("--page",), ("--no-page", "--page")])
def test_a_page_is_read_digit_by_digit(option, page, capsys):
    assert cli.main(["predict", page, *option, "--json"]) == 0
    [result] = json.loads(capsys.readouterr().out)
    found = result["digits"]
    assert result["image"] == page and len(found) == 3
    assert [item["box"][0] // 200 for item in found] == [0, 1, 2]
    assert cli.main(["predict", page, *option, "--csv"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert cli.main(["predict", page, *option]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(" at " in line for line in lines)
    assert [line.split()[4] for line in lines] == [str(item["label"]) for item in found]


def test_pages_and_single_digits_are_shown_in_the_same_columns(pictures, page, capsys):
    assert cli.main(["predict", page, pictures[0]]) == 0
    *digits, single = capsys.readouterr().out.splitlines()
    assert [" at " in line for line in [*digits, single]] == [True] * 3 + [False]
    assert single.index("%") == digits[0].index("%")


def test_a_page_can_be_read_as_a_single_digit(page, capsys):
    assert cli.main(["predict", page, "--no-page", "--json"]) == 0
    [result] = json.loads(capsys.readouterr().out)
    assert len(result["digits"]) == 1


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_shows_the_progress_of_several_pictures_on_a_terminal(pictures, monkeypatch, capsys):
    pictures = pictures[:2]

    def errors_of(*arguments, screen=Terminal):
        monkeypatch.setattr(sys, "stderr", screen())
        assert cli.main(["predict", *arguments]) == 0
        return sys.stderr.getvalue()

    assert "pictures:" in errors_of(*pictures)
    assert errors_of(pictures[0]) == ""
    assert errors_of(*pictures, "--json") == ""
    assert errors_of(*pictures, "--csv") == ""
    assert errors_of(*pictures, screen=io.StringIO) == ""


def test_results_and_errors_are_in_the_order_of_the_pictures(pictures, capsys):
    names = [pictures[0], "a.png", *pictures, "b.png", pictures[1]]
    assert cli.main(["predict", *names]) == 1
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == [
        pictures[0], *pictures, pictures[1]
    ]  # fmt: skip
    assert " at " not in out
    assert [line.split()[2] for line in err.splitlines()] == ["a.png", "b.png", "2"]


def test_control_characters_in_names_are_escaped(pictures, tmp_path, capsys):
    names = [str(tmp_path / name) for name in ("\x1b[31mred.png", "\x1b[31mmissing.png")]
    try:
        Path(names[0]).write_bytes(Path(pictures[0]).read_bytes())
    except OSError:
        pytest.skip("the file system allows no such names")
    assert cli.main(["predict", *names]) == 1
    out, err = capsys.readouterr()
    assert r"\x1b[31mred.png " in out and r"\x1b[31mmissing.png cannot be read" in err
    assert "\x1b" not in out + err


def test_pictures_that_cannot_be_read_are_named_and_skipped(pictures, tmp_path, capsys):
    blank = str(tmp_path / "blank.png")
    Image.new("L", (50, 50), 255).save(blank)
    assert cli.main(["predict", pictures[0], "nowhere.png", blank, pictures[1]]) == 1
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == pictures[:2]
    assert [line.partition(". Leave")[0] for line in err.splitlines()] == [
        "skorch-mnist: error: nowhere.png cannot be read: No such file or directory",
        f"skorch-mnist: error: No digit was found in {blank}, because nothing in it looks like ink",
        "skorch-mnist: error: 2 of 4 pictures could not be read",
    ]


def test_a_single_picture_that_cannot_be_read_is_one_line(capsys):
    assert cli.main(["predict", "nowhere.png"]) == 1
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1


def test_a_dataset_is_not_a_picture(capsys):
    assert cli.main(["predict", "mnist.CSV", "--csv"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "mnist.CSV is a dataset, not a picture: skorch-mnist evaluate" in err


@pytest.mark.parametrize("option", [(), ("--page",), ("--no-page",)])
def test_a_page_without_digits_is_an_error_with_an_empty_list(option, tmp_path, capsys):
    blank = str(tmp_path / "blank.png")
    Image.new("L", (50, 50), 255).save(blank)
    assert cli.main(["predict", blank, "nowhere.png", *option, "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out) == [{"image": blank, "digits": []}]
    assert "No digit was found in" in err


def test_pixels_are_scaled_as_in_training(digits, tmp_path, pictures, capsys):
    X, y = digits[0][:200], digits[2][:200]
    labels = np.array([f"digit {label}" for label in y])
    clf = MNISTCNNClassifier(max_epochs=2, random_state=0, verbose=0).fit(X / 255, labels)
    path = str(tmp_path / "unit.safetensors")
    clf.save(path)
    assert cli.main(["predict", pictures[0], "--model", path, "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out)[0]["digits"][0]["label"].startswith("digit ")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["a.png", "--model", "nowhere.safetensors"], 1, "nowhere.safetensors"),
        (["a.png", "--model", __file__], 1, Path(__file__).name),
        (["a.png", "--model="], 2, "--model"),
        ([], 2, "IMAGE"),
        (["a.png", "--json", "--csv"], 2, "--json and --csv cannot be combined"),
        (["a.png", "--polarity", "black"], 2, "black"),
        (["a.png", str(Path(__file__).parent)], 2, "is a folder: pass the pictures in it"),
    ],
)
def test_bad_arguments_are_one_line(arguments, status, message, capsys):
    assert cli.main(["predict", *arguments]) == status
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("skorch-mnist: error: ") and message in line


def test_a_classifier_of_other_images_is_refused(tmp_path, capsys):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (40, 20, 20), dtype=np.uint8), np.arange(40) % 2
    path = str(tmp_path / "small.safetensors")
    MNISTCNNClassifier(max_epochs=1, verbose=0).fit(X, y).save(path)
    assert cli.main(["predict", "a.png", "b.png", "--model", path]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert "was fitted on images of shape (1, 20, 20) with 400 pixels" in line


@pytest.mark.parametrize("pictures", [[], ["seven.jpg"]])
def test_a_model_among_the_pictures_is_a_usage_error(model, pictures, capsys):
    # A file, the folder of a run, and the name of a classifier that comes with the package.
    for path in (model, str(Path(model).parent), "digits"):
        assert cli.main(["predict", path, *pictures]) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert f"{path} is a model, not a picture: use --model {path} (see" in line


def test_the_classifier_that_comes_with_the_package_has_a_name(
    pictures, capsys, tmp_path, monkeypatch, model
):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["predict", pictures[0]]) == 0
    expected = capsys.readouterr()
    assert cli.main(["predict", pictures[0], "--model", "digits"]) == 0
    assert capsys.readouterr() == expected
    Path("digits").write_bytes(Path(model).read_bytes())  # a file takes precedence
    assert cli.main(["predict", pictures[0], "--model", "digits"]) == 0
    assert capsys.readouterr() != expected


def test_the_output_folder_of_a_run_is_a_model(model, pictures, capsys):
    assert cli.main(["predict", pictures[0], "--model", model]) == 0
    expected = capsys.readouterr()
    assert cli.main(["predict", pictures[0], "--model", str(Path(model).parent)]) == 0
    assert capsys.readouterr() == expected


def test_help_shows_examples(capsys):
    assert cli.main(["predict", "--help"]) == 0
    assert "Examples:" in capsys.readouterr().out


@pytest.mark.slow
def test_the_process_ends_with_the_status(pictures):
    command = [sys.executable, "-m", "skorch_mnist", "predict"]
    done = subprocess.run([*command, *pictures], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (0, "", 3)
    done = subprocess.run([*command, "nowhere.png"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
