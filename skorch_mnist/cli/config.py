"""The configuration of a run: the source of its data, and its parameters."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .values import HOMES, as_parameter, parse_assignment, parse_value, parse_values

RECIPES = ("tutorial", "fast", "accurate", "robust")
# Sections and entries of a file, and their types. See docs/guide/command_line.md.
SECTIONS: dict[str, dict[str, type]] = {
    "data": {
        "dataset": str,
        "test_dataset": str,
        "data_home": str,
        "preprocess": bool,
        "label": str,
        "sha256": str,
    },
    "parameters": {},
    "cross_validation": {"folds": int, "n_jobs": int},
    "search": {"grid": dict, "n_iter": int, "folds": int, "n_jobs": int},
    "from": {"model": str, "sha256": str},
    "model": {"sha256": str},
    "environment": {
        "python": str,
        "machine": str,
        "device": str,
        "threads": int,
        "versions": dict,
    },
}
LOWEST = {"folds": 2, "n_iter": 1}
KINDS = {str: "a non-empty string", int: "an integer", bool: "true or false", dict: "a table"}
NOT_SEARCHED = ("verbose", "callbacks")


class Source(NamedTuple):
    """The origin of the images."""

    dataset: str = "auto"
    test_dataset: str | None = None
    data_home: str | None = None
    preprocess: bool = False
    label: str | None = None


class Config(NamedTuple):
    """Everything that is needed to repeat a run.

    Attributes
    ----------
    source : Source
    parameters : dict
        Parameters of the estimator.
    sha256 : str or None
        Digest of the data of the run to repeat.
    sections : dict
        All sections of the file, including those of single commands.
    path : Path or None
        The file.
    """

    source: Source
    parameters: dict[str, Any]
    sha256: str | None
    sections: dict[str, Any]
    path: Path | None


def read_config(
    path: Path | None,
    recipe: str | None,
    assignments: Sequence[str],
    shorthands: Mapping[str, str | None],
    source: Mapping[str, Any],
) -> Config:
    """Merge a file, a recipe and the options into a configuration; later ones take precedence.

    Raises
    ------
    ValueError
        If the file or an assignment is not valid.
    """
    sections = {} if path is None else read_file(path)
    parameters: dict[str, Any] = {"random_state": 0}
    of_file = {
        name: as_parameter(name, value) for name, value in sections.get("parameters", {}).items()
    }
    given = [f"{name}={text}" for name, text in shorthands.items() if text is not None]
    for layer in (
        find_recipe(sections.get("recipe", "tutorial")),
        of_file,
        find_recipe(recipe or "tutorial"),
        read_assignments([*assignments, *given]),
    ):
        lay_over(parameters, layer)
    data = dict(sections.get("data", {}))
    sha256 = data.pop("sha256", None)
    given_source = {name: value for name, value in source.items() if value is not None}
    if given_source.keys() - {"data_home"}:
        sha256 = None
    if given_source.keys() - {"data_home", "label"}:
        data = {}
    return Config(Source(**{**data, **given_source}), parameters, sha256, sections, path)


def lay_over(parameters: dict[str, Any], layer: Mapping[str, Any]) -> None:
    """Update parameters, and drop the arguments of a component that is replaced.

    Arguments that are set together with the new component are kept.
    """
    for component in HOMES:
        if layer.get(component, parameters.get(component)) is not parameters.get(component):
            for name in [name for name in parameters if name.startswith(f"{component}__")]:
                del parameters[name]
    parameters.update(layer)


def read_assignments(texts: Sequence[str]) -> dict[str, Any]:
    """Return the parameters in strings such as ``lr=0.002``."""
    parameters: dict[str, Any] = {}
    for text in texts:
        name, value = parse_assignment(text)
        if name in parameters:
            raise ValueError(f"{name} is set twice")
        parameters[name] = as_parameter(name, parse_value(value))
    return parameters


def read_file(path: Path) -> dict[str, Any]:
    """Read a TOML file and check its names and types."""
    try:
        sections = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not valid TOML: {error}") from error
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    for name, section in sections.items():
        if name == "recipe":
            continue
        if name not in SECTIONS or not isinstance(section, dict):
            valid = ", ".join(["recipe = ...", *(f"[{known}]" for known in SECTIONS)])
            raise ValueError(f"{path} contains {name!r}, which is not one of {valid}")
        if types := SECTIONS[name]:
            check_section(f"{path}: [{name}] contains", section, types)
    return sections


def check_section(where: str, section: Mapping[str, Any], types: Mapping[str, type]) -> None:
    """Raise a ValueError for an unknown name, or a value of the wrong type."""
    for key, value in section.items():
        if key not in types:
            valid = ", ".join(map(repr, types))
            raise ValueError(f"{where} {key!r}, which is not one of {valid}")
        if type(value) is not types[key] or value == "":
            raise ValueError(f"{where} {key} = {value!r}, but it must be {KINDS[types[key]]}")
        if isinstance(value, int) and value < LOWEST.get(key, value):
            raise ValueError(f"{where} {key} = {value!r}, but it must be at least {LOWEST[key]}")


def find_recipe(name: Any) -> dict[str, Any]:
    """Return the parameters of a recipe; raise a ValueError that lists the valid names."""
    if name not in RECIPES:
        valid = ", ".join(map(repr, RECIPES))
        raise ValueError(f"{name!r} is not a recipe: it must be one of {valid}")
    if name == "tutorial":
        return {}  # the defaults
    from skorch_mnist import recipes

    found: dict[str, Any] = getattr(recipes, name.upper())
    return found


def make_classifier(parameters: Mapping[str, Any]) -> Any:
    """Return the estimator; raise a ValueError for parameters that are not valid."""
    from skorch_mnist.classifier import MNISTCNNClassifier

    clf = MNISTCNNClassifier(**parameters)
    check_classifier(clf)
    return clf


def check_classifier(clf: Any) -> None:
    """Raise a ValueError for invalid parameters, and for those that prevent repeating a run."""
    from sklearn.base import clone

    from skorch_mnist._devices import resolve_device

    seed = clf.random_state
    if type(seed) is not int or not 0 <= seed < 2**32:
        raise ValueError(
            f"random_state={seed!r} is not valid: it must be an integer from 0 to {2**32 - 1}, so "
            "that the run can be repeated"
        )
    if clf.callbacks == "disable":
        raise ValueError(
            "callbacks='disable' is not valid, because checkpoints are callbacks: set verbose=0 "
            "for less output"
        )
    if clf.accelerator is not None:
        raise ValueError(
            f"accelerator={clf.accelerator!r} is not valid, because commands train in one process: "
            "use it in a Python program"
        )
    clf._validate_params()
    resolve_device(clf.device)
    try:
        clone(clf).initialize_callbacks()
    except (TypeError, ValueError) as error:
        raise ValueError(f"a callback cannot be created: {error}") from error


def parse_grid(assignments: Sequence[str], section: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the values to try for each parameter, from the options, or else from a file."""
    grid: dict[str, Any] = {}
    for text in assignments:
        name, values = parse_assignment(text)
        if name in grid:
            raise ValueError(f"--grid {name} is set twice: separate its values with commas")
        grid[name] = parse_values(values)
    for name, values in (grid or section.get("grid", {})).items():
        if name in NOT_SEARCHED:
            raise ValueError(f"--grid {name} is not valid: this parameter cannot be searched")
        if not isinstance(values, list) or not values:
            raise ValueError(f"grid: {name} = {values!r} is not valid: it must be a list of values")
        grid[name] = [as_parameter(name, one) for one in values]
    return grid
