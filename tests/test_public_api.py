"""The public names and their signatures, compared with a list that only changes on purpose.

``python tests/test_public_api.py`` writes the list anew.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from enum import Enum
from pathlib import Path

import pytest

import skorch_mnist

LIST = Path(__file__).with_name("data") / "public_api.txt"
MODULES = ("checkpoint", "classifier", "clusters", "datasets", "displays", "network", "pictures",
           "pretrained", "reading", "recipes", "rejection")  # fmt: skip


def signature_of(function):
    """Names, kinds and defaults of arguments; annotations are left out."""
    signature = inspect.signature(function)
    arguments = [
        argument.replace(annotation=argument.empty, default=Named.of(argument.default))
        for argument in signature.parameters.values()
    ]
    return str(signature.replace(parameters=arguments, return_annotation=signature.empty))


class Named:
    """A default that is shown by its name, which has no address."""

    def __init__(self, value):
        self.value = value

    @classmethod
    def of(cls, default):
        """Return ``default``, shown by its name if it has one."""
        named = default is not inspect.Parameter.empty and hasattr(default, "__name__")
        return cls(default) if named else default

    def __repr__(self):
        return self.value.__name__


def lines_of(name, value):
    """Yield a line for a name, and one for each public member of a class."""
    if inspect.isclass(value) and issubclass(value, Enum):
        yield f"{name}: {', '.join(value.__members__)}"
    elif inspect.isclass(value):
        yield name if issubclass(value, Exception) else f"{name}{signature_of(value)}"
        for base in reversed(value.__mro__):
            package, _, module = base.__module__.partition(".")
            if package != "skorch_mnist" or module.startswith("_"):
                continue
            for member, content in sorted(vars(base).items()):
                if member.startswith("_"):
                    continue
                content = getattr(content, "__func__", content)  # of a class or static method
                is_function = inspect.isfunction(content)
                yield f"{name}.{member}{signature_of(content) if is_function else ''}"
    elif callable(value):
        yield f"{name}{signature_of(value)}"
    else:
        yield name


def public_api():
    """Return the list, as text."""
    lines = []
    for module in ("", *MODULES):
        home = importlib.import_module(f"skorch_mnist.{module}".rstrip("."))
        for name in sorted(home.__all__):
            value = getattr(home, name)
            full = f"{home.__name__}.{name}"
            lines += [full] if module == "" else sorted(set(lines_of(full, value)))
    return "\n".join(lines) + "\n"


def test_public_names_and_signatures_only_change_on_purpose():
    assert public_api() == LIST.read_text(), (
        "The public API has changed. If that is intended, see development/stability in the "
        "documentation, and run: python tests/test_public_api.py"
    )


def test_every_other_module_is_private():
    found = {module.name for module in pkgutil.iter_modules(skorch_mnist.__path__)}
    others = {"cli", "serve"}
    assert {name for name in found if not name.startswith("_")} == {*MODULES, *others}


def test_names_of_the_root_are_imported_lazily():
    names = set(skorch_mnist.__all__)
    assert set(dir(skorch_mnist)) == names
    assert all(hasattr(skorch_mnist, name) for name in names)
    with pytest.raises(AttributeError, match="has no attribute 'MNISTCNNClassifer'"):
        _ = skorch_mnist.MNISTCNNClassifer


if __name__ == "__main__":
    LIST.write_text(public_api())
