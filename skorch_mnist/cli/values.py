"""Parameter values as strings on the command line and in TOML, which lacks None and classes."""

from __future__ import annotations

import ast
import difflib
import importlib
from collections.abc import Mapping
from typing import Any

WORDS = {"none": None, "true": True, "false": False}
# The package of the class of a parameter if its name does not contain a dot.
HOMES = {
    "module": "skorch_mnist.network",
    "criterion": "torch.nn",
    "optimizer": "torch.optim",
    "iterator_train": "torch.utils.data",
    "iterator_valid": "torch.utils.data",
    "callbacks": "skorch.callbacks",
}


def parse_value(text: str) -> Any:
    """Return the value of a string: a word, a Python literal, or the string itself.

    Raises
    ------
    ValueError
        If it begins like a dict, but is not valid.
    """
    if text.strip().lower() in WORDS:
        return WORDS[text.strip().lower()]
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        if text.strip().startswith("{"):
            raise ValueError(
                f"{text!r} is not valid: quote the strings in it, as in {{'seven': 2}}"
            ) from error
        return text


def parse_values(text: str) -> list[Any]:
    """Return the values in a string, separated by commas outside brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [parse_value(part) for part in parts]


def parse_assignment(text: str) -> tuple[str, str]:
    """Split ``NAME=VALUE``; raise a ValueError for anything else."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise ValueError(f"{text!r} is not valid: it must be NAME=VALUE, such as lr=0.002")
    return name.strip(), value


def as_parameter(name: str, value: Any) -> Any:
    """Return the value for a parameter: names become classes, lists become tuples."""
    if isinstance(value, str) and value.lower() == "none":
        return None
    if name == "callbacks" and isinstance(value, str) and value != "disable":
        value = value.strip("[] ").split(",")
    if name == "callbacks" and isinstance(value, (list, tuple)):
        return [find_class(name, str(one).strip()) for one in value]
    if name in HOMES and name != "callbacks" and isinstance(value, str):
        return find_class(name, value)
    return as_tuples(value)


def as_tuples(value: Any) -> Any:
    """Return ``value`` with lists as tuples, and numeric keys as numbers."""
    if isinstance(value, (list, tuple)):
        return tuple(as_tuples(item) for item in value)
    if isinstance(value, Mapping):
        return {
            parse_value(key) if isinstance(key, str) else key: as_tuples(item)
            for key, item in value.items()
        }
    return value


def find_class(parameter: str, name: str) -> type:
    """Return a class by its dotted name, or by its name in the package of the parameter.

    Raises
    ------
    ValueError
        If the class does not exist, or is not valid for the parameter.
    """
    from skorch.callbacks import Callback
    from torch import nn

    from skorch_mnist._storage._stored_params import ROLES

    base: type = {"module": nn.Module, "callbacks": Callback, **ROLES}[parameter]
    package, _, attribute = name.rpartition(".")
    home = package or HOMES[parameter]
    try:
        module = importlib.import_module(home)
    except Exception as error:  # importing runs any code
        raise ValueError(
            f"{parameter}={name!r} is not valid: {home} cannot be imported ({error}). Install it, "
            "or add its folder to PYTHONPATH"
        ) from error
    found = getattr(module, attribute, None)
    if isinstance(found, type) and issubclass(found, base):
        return found
    public = {name: getattr(module, name, None) for name in dir(module)}
    fitting = [k for k, one in public.items() if isinstance(one, type) and issubclass(one, base)]
    nearest = difflib.get_close_matches(attribute, fitting, n=1)
    hint = f". Did you mean {nearest[0]}?" if nearest else ""
    raise ValueError(
        f"{parameter}={name!r} is not valid: no {base.__name__} named {attribute!r} was found in "
        f"{home}{hint}"
    )


def to_toml(name: str, value: Any) -> Any:
    """Return a parameter in TOML types; raise a ValueError if that is not possible."""
    from skorch_mnist._storage._plain_data import name_of

    if value is None:
        return "none"
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, type):
        return name_of(value)
    if isinstance(value, (list, tuple)):
        return [to_toml(name, item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_toml(name, item) for key, item in value.items()}
    raise ValueError(f"{name}={value!r} cannot be written to a configuration file")
