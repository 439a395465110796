"""Configurations: values of parameters, files, and repeated runs."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import tomli_w
import torch
from helpers import assert_same_weights, slow_unless
from hypothesis import given
from hypothesis import strategies as st
from skorch.callbacks import GradientNormClipping

from skorch_mnist import MNISTCNNClassifier, cli, recipes
from skorch_mnist.cli.config import RECIPES, make_classifier, parse_grid, read_config
from skorch_mnist.cli.values import as_parameter, parse_value, parse_values, to_toml
from skorch_mnist.network import MNISTCNN, BatchNormCNN

pytestmark = pytest.mark.usefixtures("few_digits")


def config(path=None, recipe=None, assignments=(), **shorthands):
    return read_config(path, recipe, assignments, shorthands, {})


# --- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.002", 0.002), ("1e-3", 1e-3), ("7", 7), ("-1", -1), ("True", True), ("false", False),
        ("none", None), ("None", None), ("affine", "affine"), ("(16, 24)", (16, 24)),
        ("[1, 2]", [1, 2]), ("{3: 0.5}", {3: 0.5}), ("'7'", "7"), ("cuda:0", "cuda:0"), (" 3 ", 3),
    ],
)  # fmt: skip
def test_strings_are_parsed_as_values(text, value):
    found = parse_value(text)
    assert (found, type(found)) == (value, type(value))


def test_values_are_separated_by_commas_outside_of_brackets():
    assert parse_values("1,0.5,none") == [1, 0.5, None]
    assert parse_values("(8,16),(16,24)") == [(8, 16), (16, 24)]
    assert parse_values("affine, none") == ["affine", None]
    assert parse_values("Adam,AdamW") == ["Adam", "AdamW"]


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
)


@given(value=plain)
def test_values_round_trip_through_toml(value):
    document = tomli_w.dumps({"value": to_toml("lr", value)})
    assert as_parameter("lr", undo_none(tomllib.loads(document)["value"])) == value


def undo_none(value):
    """Only a parameter itself may be None: inside of lists, the word stays."""
    if isinstance(value, list):
        return [undo_none(item) for item in value]
    return None if value == "none" else value


def test_class_weights_round_trip_through_toml():
    weights = {0: 2.0, "a": 1.0}
    document = tomli_w.dumps({"value": to_toml("class_weight", weights)})
    assert as_parameter("class_weight", tomllib.loads(document)["value"]) == weights


def test_classes_by_their_names():
    assert as_parameter("optimizer", "AdamW") is torch.optim.AdamW
    assert as_parameter("optimizer", "torch.optim.SGD") is torch.optim.SGD
    assert as_parameter("module", "BatchNormCNN") is BatchNormCNN
    assert as_parameter("module", "skorch_mnist.MNISTCNN") is MNISTCNN
    assert as_parameter("criterion", "NLLLoss") is torch.nn.NLLLoss
    assert as_parameter("callbacks", ["GradientNormClipping"]) == [GradientNormClipping]


@pytest.mark.parametrize(
    ("name", "value"),
    [("module", "builtins.eval"), ("optimizer", "torch.nn.Linear"), ("module", "..")],
)
def test_invalid_classes_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}="):
        as_parameter(name, value)


# --- configurations ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_by_name(name):
    recipe = getattr(recipes, name.upper())
    assert config(recipe=name).parameters == {"random_state": 0, **recipe}


def test_options_override_the_file_and_the_file_overrides_the_recipe(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('recipe = "fast"\n[parameters]\nlr = 0.5\nbatch_size = 7\n')
    found = config(path, assignments=["batch_size=9"], max_epochs="4").parameters
    assert (found["lr"], found["batch_size"], found["max_epochs"]) == (0.5, 9, 4)
    assert found["module"] is BatchNormCNN
    over = config(path, recipe="accurate").parameters
    assert (over["lr"], over["batch_size"], over["module__shifted_copies"]) == (3e-3, 128, True)


def test_another_network_does_not_get_the_arguments_of_the_previous_one(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('[parameters]\nmodule = "MNISTCNN"\nmodule__channel_dropout = 0.1\nlr = 0.5\n')
    found = config(path, assignments=["module=BatchNormCNN", "module__depth=2"]).parameters
    assert "module__channel_dropout" not in found
    assert (found["module__depth"], found["lr"]) == (2, 0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[parameters", "is not valid TOML"),
        ("[speed]\nlr = 1", "contains 'speed', which is not one of recipe"),
        ("data = 3", "contains 'data', which is not one of"),
        ("[data]\ncolor = 1", r"\[data\] contains 'color', which is not one of 'dataset', "),
        (
            "[data]\ndataset = 1",
            r"\[data\] contains dataset = 1, but it must be a non-empty string",
        ),
        ("[data]\npreprocess = 1", r"preprocess = 1, but it must be true or false"),
        ('recipe = "quick"', "'quick' is not a recipe"),
        ("[cross_validation]\nfolds = 1", "folds = 1, but it must be at least 2"),
        ('[search]\nfolds = "3"', "folds = '3', but it must be an integer"),
        ("[search]\nn_iter = 0", "n_iter = 0, but it must be at least 1"),
        ("[search]\ngrid = 5", "grid = 5, but it must be a table"),
        ('[environment]\nversions = "x"', "versions = 'x', but it must be a table"),
        ('[data]\ndataset = ""', "dataset = '', but it must be a non-empty string"),
        ("[search.grid]\nlr = 0.1", "grid: lr = 0.1 is not valid: it must be a list of values"),
    ],
)
def test_bad_files_are_refused(text, message, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        parse_grid((), config(path).sections.get("search", {}))


def test_a_file_that_is_not_text(tmp_path):
    (tmp_path / "own.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="is not valid TOML"):
        config(tmp_path / "own.toml")


def test_every_parameter_of_the_estimator_can_be_set():
    params = {
        "lr": "0.01", "lr_schedule": "one_cycle", "batch_size": "-1", "max_epochs": "2",
        "train_split": "0.5", "image_shape": "(28,28)", "augment": "affine",
        "class_weight": "{0: 2.0}", "early_stopping": "true", "n_iter_no_change": "3",
        "warm_start": "true", "random_state": "5", "device": "cpu", "precision": "auto",
        "verbose": "0", "callbacks": "[GradientNormClipping]", "compile": "false",
        "use_caching": "true", "module": "BatchNormCNN", "criterion": "NLLLoss",
        "optimizer": "SGD", "iterator_train": "DataLoader", "iterator_valid": "DataLoader",
        "features_before": "hidden",
    }  # fmt: skip
    every = MNISTCNNClassifier().get_params(deep=False).keys()
    assert params.keys() == every - {"accelerator"}
    params |= {
        "module__depth": "2", "optimizer__momentum": "0.9", "iterator_train__drop_last": "true",
        "callbacks__print_log__floatfmt": ".3f",
    }  # fmt: skip
    clf = make_classifier(config(assignments=[f"{k}={v}" for k, v in params.items()]).parameters)
    assert clf.optimizer is torch.optim.SGD and clf.optimizer__momentum == 0.9
    assert clf.class_weight == {0: 2.0} and clf.callbacks == [GradientNormClipping]
    assert clf.image_shape == (28, 28) and clf.module__depth == 2


def test_commands_train_in_one_process():
    with pytest.raises(ValueError, match="accelerator='auto' is not valid"):
        make_classifier(config(assignments=["accelerator=auto"]).parameters)


# --- repeating --------------------------------------------------------------------------------


def train(*options):
    return cli.main(["train", "--dataset", "digits", "--max-epochs", "1", *map(str, options)])


def model_in(folder):
    return MNISTCNNClassifier.load(folder / "model.safetensors")


@pytest.mark.parametrize("recipe", slow_unless({"fast"}, {name: name for name in RECIPES}))
def test_a_run_is_repeated_bit_for_bit(recipe, few_digits, tmp_path, capsys):
    first, again = tmp_path / "first", tmp_path / "again"
    options = ["--recipe", recipe, "--set", "iterator_valid__batch_size=16", "--random-state", 3]
    assert train(*options, "--output-dir", first) == 0
    path = first / "config.toml"
    assert cli.main(["train", "--config", str(path), "--output-dir", str(again)]) == 0
    assert capsys.readouterr().err == ""
    assert_same_weights(model_in(first), model_in(again))
    assert (again / "metrics.json").read_bytes() == (first / "metrics.json").read_bytes()
    of_model = ["sha256"]  # of the file of the model, which holds durations
    one, two = (tomllib.loads((each / "config.toml").read_text()) for each in (first, again))
    assert all(one["model"].pop(name) != two["model"].pop(name) for name in of_model)
    assert one == two


def test_the_file_holds_every_parameter_and_the_environment(tmp_path):
    assert train("--recipe", "fast", "--output-dir", tmp_path) == 0
    found = tomllib.loads((tmp_path / "config.toml").read_text())
    names = set(MNISTCNNClassifier(**recipes.FAST).get_params(deep=False))
    assert found["parameters"].keys() == names - {"verbose", "callbacks"}
    assert found["parameters"]["train_split"] == "none"
    assert found["data"]["dataset"] == "digits" and len(found["data"]["sha256"]) == 64
    assert found["environment"]["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert found["environment"]["threads"] == torch.get_num_threads()


def test_other_versions_and_data_give_warnings(tmp_path, capsys):
    assert train("--output-dir", tmp_path) == 0
    path = tmp_path / "config.toml"
    text = (
        path.read_text().replace('skorch = "', 'skorch = "0.').replace('sha256 = "', 'sha256 = "0')
    )
    path.write_text(text)
    assert cli.main(["train", "--config", str(path), "--output-dir", str(tmp_path / "b")]) == 0
    first, second = capsys.readouterr().err.splitlines()
    assert "the images or labels of digits differ from the first run" in first
    assert "results may differ slightly from the first run: skorch 1." in second


def test_options_override_a_written_configuration(tmp_path):
    assert train("--output-dir", tmp_path) == 0
    config_file = ["--config", str(tmp_path / "config.toml")]
    again = ["--output-dir", str(tmp_path / "b"), "--lr", "0.01"]
    assert cli.main(["train", *config_file, *again]) == 0
    assert model_in(tmp_path / "b").lr == 0.01


def test_paths_in_a_configuration_are_absolute(tmp_path, few_digits, monkeypatch):
    rows = [
        ",".join(map(str, [label, *image]))
        for image, label in zip(few_digits.train.X, few_digits.train.y, strict=True)
    ]
    Path("own.csv").write_text("\n".join(rows))
    Path("own.toml").write_text('[data]\ndataset = "own.csv"\n')
    assert cli.main(["train", "--config", "own.toml", "--max-epochs", "1"]) == 0
    written = tomllib.loads(Path("skorch_mnist_output/config.toml").read_text())
    assert written["data"]["dataset"] == str(tmp_path / "own.csv")
    arguments = ["train", "--dataset", "own.csv", "--max-epochs", "1", "--output-dir", "a"]
    assert cli.main(arguments) == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert cli.main(["train", "--config", "../a/config.toml", "--output-dir", "b"]) == 0
    assert_same_weights(model_in(tmp_path / "a"), model_in(tmp_path / "elsewhere" / "b"))
