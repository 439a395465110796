"""Names of parameters, nested ones too: which exist, and which was meant."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["describe_unknown"]


def describe_unknown(
    names: Iterable[str],
    own: Iterable[str],
    components: Mapping[str, Any],
    callbacks: Mapping[str, Any],
) -> str | None:
    """Say which of ``names`` is no parameter, and which real one is nearest.

    Parameters
    ----------
    names : iterable of str
        Names to look at, such as ``lr`` or ``module__dropout``.
    own : iterable of str
        Parameters of the estimator itself.
    components : mapping of str to callable or object
        What the prefix of a nested name stands for: its constructor's arguments are the
        parameters.
    callbacks : mapping of str to callback
        Callbacks by name.

    Returns
    -------
    str or None
        None if all names exist.
    """
    own = list(own)
    for name in names:
        prefix, _, rest = name.partition("__")
        if not rest:
            valid: list[str] | None = own
        elif prefix == "callbacks":
            valid = _callback_names(rest, callbacks)
        elif prefix in components:
            valid = _argument_names(prefix, rest, components[prefix])
        else:
            valid = [f"{known}__{rest}" for known in [*components, "callbacks"]]
        if valid is not None and name not in valid:
            nearest = difflib.get_close_matches(name, [*valid, *own], n=1, cutoff=0.5)
            meant = f" Did you mean {nearest[0]!r}?" if nearest else ""
            return f"{name!r} is no parameter.{meant} Valid are: {', '.join(sorted(valid))}."
    return None


def _argument_names(prefix: str, rest: str, component: Any) -> list[str] | None:
    """Names that ``component`` takes, or None if it takes any."""
    if prefix == "optimizer" and rest.split("__")[0] == "param_groups":
        return None
    parameters = _signature(component)
    if parameters is None:
        return None
    own = [name for name in parameters if name not in ("self", "params")]
    return [f"{prefix}__{name}" for name in own]


def _callback_names(rest: str, callbacks: Mapping[str, Any]) -> list[str] | None:
    name, _, argument = rest.partition("__")
    if not argument or name not in callbacks:
        return [f"callbacks__{known}" for known in callbacks]
    return _argument_names(f"callbacks__{name}", argument, callbacks[name])


def _signature(component: Any) -> list[str] | None:
    maker: Callable[..., Any] = component if callable(component) else type(component)
    if not inspect.isclass(maker) and not inspect.isroutine(maker):
        maker = type(maker)
    try:
        parameters = inspect.signature(maker).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return [parameter.name for parameter in parameters]
