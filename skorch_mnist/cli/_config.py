"""The configuration of a run: where its data and parameters come from, and the file that tells."""

from __future__ import annotations

import platform
import tomllib
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from ._messages import PROGRAM, report
from ._values import as_parameter, parse_assignment, parse_value, parse_values, to_toml

FILE = "config.toml"
RECIPES = ("tutorial", "fast", "accurate")
# What a file may hold: see docs/command_line.md.
SECTIONS: dict[str, tuple[str, ...] | None] = {
    "data": ("dataset", "test_dataset", "data_home", "preprocess", "sha256"),
    "parameters": None,
    "cross_validation": ("folds",),
    "search": ("grid", "n_iter", "folds"),
    "environment": None,
}
LOWEST = (("cross_validation", "folds", 2), ("search", "folds", 2), ("search", "n_iter", 1))
DISTRIBUTIONS = ("skorch_mnist", "numpy", "scikit-learn", "scipy", "skorch", "torch", "torchvision")


class Source(NamedTuple):
    """Where images come from."""

    dataset: str = "auto"
    test_dataset: str | None = None
    data_home: str | None = None
    preprocess: bool = False


class Config(NamedTuple):
    """What a run needs to be repeated.

    Attributes
    ----------
    source : Source
    parameters : dict
        Of the estimator, those that were given.
    sha256 : str or None
        Of the data that the run to be repeated was made on.
    sections : dict
        What a file says to single commands.
    """

    source: Source
    parameters: dict[str, Any]
    sha256: str | None
    sections: dict[str, Any]


def read_config(
    path: Path | None,
    recipe: str | None,
    assignments: Sequence[str],
    shorthands: Mapping[str, str | None],
    source: Mapping[str, Any],
) -> Config:
    """Put a configuration together: a recipe, the file on top, and then what was given by hand.

    Raises
    ------
    ValueError
        If the file or an assignment is not valid.
    """
    sections = {} if path is None else read_file(path)
    parameters: dict[str, Any] = {"random_state": 0}
    if (name := recipe or sections.get("recipe")) is not None:
        parameters |= find_recipe(name)
    for name, value in sections.get("parameters", {}).items():
        parameters[name] = as_parameter(name, value)
    given = [f"{name}={text}" for name, text in shorthands.items() if text is not None]
    for text in [*assignments, *given]:
        name, value = parse_assignment(text)
        parameters[name] = as_parameter(name, parse_value(value))
    data = dict(sections.get("data", {}))
    sha256 = data.pop("sha256", None)
    given_source = {name: value for name, value in source.items() if value is not None}
    if given_source.keys() - {"data_home"}:
        data, sha256 = {}, None
    return Config(Source(**{**data, **given_source}), parameters, sha256, sections)


def read_file(path: Path) -> dict[str, Any]:
    """Return what a file of TOML holds, once its names and types were checked."""
    try:
        sections = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no TOML: {error}") from error
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    for name, section in sections.items():
        if name == "recipe":
            continue
        if name not in SECTIONS or not isinstance(section, dict):
            valid = ", ".join(["recipe = ...", *(f"[{known}]" for known in SECTIONS)])
            raise ValueError(f"{path} has {name!r}, which is none of {valid}")
        keys = SECTIONS[name]
        for key in section:
            if keys is not None and key not in keys:
                raise ValueError(
                    f"{path}: [{name}] has {key!r}, which is none of {', '.join(keys)}"
                )
    for key, value in sections.get("data", {}).items():
        if not isinstance(value, bool if key == "preprocess" else str):
            raise ValueError(f"{path}: [data] has {key} = {value!r}, which is of the wrong type")
    for name, key, low in LOWEST:
        value = sections.get(name, {}).get(key, low)
        if type(value) is not int or value < low:
            raise ValueError(
                f"{path}: [{name}] has {key} = {value!r}, which is no whole number of at least "
                f"{low}"
            )
    return sections


def find_recipe(name: Any) -> dict[str, Any]:
    """Return the parameters of a recipe; raise a ValueError that names those that exist."""
    from skorch_mnist import recipes

    if name not in RECIPES:
        raise ValueError(f"there is no recipe {name!r}: choose one of {', '.join(RECIPES)}")
    found: dict[str, Any] = getattr(recipes, name.upper())
    return found


def make_classifier(parameters: Mapping[str, Any]) -> Any:
    """Return the estimator; raise a ValueError for parameters that are not valid."""
    from skorch_mnist.classifier import MNISTCNNClassifier
    from skorch_mnist.devices import resolve_device

    seed = parameters.get("random_state")
    if type(seed) is not int or not 0 <= seed < 2**32:
        raise ValueError(
            f"random_state={seed!r} is no seed: give a whole number in 0..{2**32 - 1}, so that the "
            "run can be repeated"
        )
    if parameters.get("callbacks") == "disable":
        raise ValueError(
            "callbacks='disable' would switch off the checkpoints: set verbose=0 for silence"
        )
    clf = MNISTCNNClassifier(**parameters)
    clf._validate_params()
    resolve_device(clf.device)
    return clf


def parse_grid(assignments: Sequence[str], section: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the values of each parameter to search, from the command line or else a file."""
    if assignments:
        texts = dict(parse_assignment(text) for text in assignments)
        grid = {name: parse_values(text) for name, text in texts.items()}
    else:
        grid = section.get("grid", {})
    for name, values in grid.items():
        if not isinstance(values, list) or not values:
            raise ValueError(f"grid: {name} = {values!r} is no list of values")
    return {name: [as_parameter(name, one) for one in values] for name, values in grid.items()}


# --- writing ----------------------------------------------------------------------------------


def dumps(command: str, config: Config, clf: Any, sha256: str, sections: Mapping[str, Any]) -> str:
    """Return the file that repeats a run: every parameter, and what it was made with."""
    import tomli_w

    data = {name: value for name, value in config.source._asdict().items() if value is not None}
    parameters = {
        name: to_toml(name, value)
        for name, value in clf.get_params(deep=False).items()
        if name not in ("callbacks", "verbose") or name in config.parameters
    }
    document = {
        "data": {**data, "sha256": sha256},
        "parameters": parameters,
        **sections,
        "environment": environment(clf),
    }
    return f"# Repeat this run: {PROGRAM} {command} --config {FILE}\n\n{tomli_w.dumps(document)}"


def environment(clf: Any) -> dict[str, Any]:
    """Return what a result depends on to the bit, beside data and parameters."""
    import torch

    from skorch_mnist.devices import resolve_device

    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "device": resolve_device(clf.device).type,
        "threads": torch.get_num_threads(),
        "versions": {name: version(name) for name in DISTRIBUTIONS},
    }


def warn_of_differences(config: Config, clf: Any, sha256: str) -> None:
    """Say why a run that is repeated may not give the same to the bit."""
    if config.sha256 not in (None, sha256):
        report("warning", f"the data of {config.source.dataset} are not those of the run to repeat")
    then = config.sections.get("environment", {})
    if not then:
        return
    now = environment(clf)
    pairs = {**now, **now.pop("versions")}
    before = {**then, **then.get("versions", {})}
    changed = [
        f"{name} {value} (was {before[name]})"
        for name, value in pairs.items()
        if name != "versions" and name in before and before[name] != value
    ]
    if changed:
        report(
            "warning", f"the last digits may differ from the run to repeat: {', '.join(changed)}"
        )
