"""Parameters, nested ones too: which exist, which was meant, and whether their values will do."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Self

import torch
from sklearn.utils._param_validation import (
    InvalidParameterError,
    validate_parameter_constraints,
)

from skorch_mnist._inputs import check_image_shape

__all__ = ["CheckedParameters", "describe_unknown"]

COMPONENTS = ("module", "criterion", "optimizer", "iterator_train", "iterator_valid")
MAKE_CALLBACKS = ("callbacks", "early_stopping", "lr_schedule", "n_iter_no_change", "verbose")


class CheckedParameters:
    """The parameters of a skorch net, under scikit-learn's rules.

    Construction only assigns. ``set_params`` refuses unknown names before it changes anything, and
    ``_validate_params``, which ``fit`` calls first, refuses them together with bad values.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]]

    def set_params(self, **params: Any) -> Self:
        """Set parameters, all or none.

        A fitted network keeps its weights. Other values take effect in the next ``fit`` that starts
        anew; ``lr``, the optimizer's arguments, callbacks, ``batch_size``, ``augment`` and
        ``precision`` also in ``partial_fit`` and in a warm start.

        Parameters
        ----------
        **params : object
            Parameters by name, nested ones too.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If there is no parameter of that name; the message names the nearest.
        """
        if unknown := self._describe_unknown(params, self._get_param_names()):
            raise ValueError(unknown)
        vars(self).update(params)
        if any(name.partition("__")[0] in MAKE_CALLBACKS for name in params):
            vars(self).pop("callbacks_", None)  # the next training makes them anew
        for group in getattr(getattr(self, "optimizer_", None), "param_groups", []):
            for name, value in params.items():
                key = name.removeprefix("optimizer__")
                if key in group and name in ("lr", f"optimizer__{key}"):
                    group[key] = value
                    if key == "lr" and "peak_lr" in group:  # of a cycle
                        group["peak_lr"] = value
        return self

    def _validate_params(self) -> None:
        """Raise InvalidParameterError for the first name or value that is not valid."""
        params = {name: getattr(self, name) for name in self._get_param_names()}
        if unknown := self._describe_unknown(params, _explicit_names(type(self))):
            raise InvalidParameterError(unknown)
        validate_parameter_constraints(self._parameter_constraints, params, type(self).__name__)
        for name in ("early_stopping", "lr_schedule"):
            if params[name] and params["callbacks"] == "disable":
                raise InvalidParameterError(
                    f"{name}={params[name]!r} is a callback, which callbacks='disable' would "
                    "switch off: set one of them only."
                )
        for name in ("iterator_valid__shuffle", "iterator_valid__drop_last"):
            if params.get(name):
                raise InvalidParameterError(
                    f"{name}={params[name]!r} would mix up or leave out predictions: leave it out."
                )
        if params["image_shape"] is not None:
            check_image_shape(params["image_shape"])

    def _describe_unknown(self, params: Mapping[str, Any], own: Iterable[str]) -> str | None:
        """Say which of ``params`` does not exist, given the values of all."""
        trial = object.__new__(type(self))
        vars(trial).update({**vars(self), **params})
        components = {name: getattr(trial, name) for name in COMPONENTS}
        asks_callbacks = any(name.startswith("callbacks__") for name in params)
        return describe_unknown(
            params,
            [name for name in own if "__" not in name],
            {**components, "compile": torch.compile},
            dict(trial._named_callbacks()) if asks_callbacks else {},
        )

    def _named_callbacks(self) -> Iterable[tuple[str, Any]]:
        callbacks = getattr(self, "callbacks", None)
        if callbacks is None or isinstance(callbacks, list):
            yield from self._uniquely_named_callbacks()  # type: ignore[attr-defined]

    def _get_param_names(self) -> list[str]:
        return [name for name in vars(self) if not name.startswith("_") and not name.endswith("_")]

    def _get_params_callbacks(self, deep: bool = True) -> dict[str, Any]:
        params: dict[str, Any] = {}
        for name, callback in self._named_callbacks() if deep else []:
            params[f"callbacks__{name}"] = callback
            if hasattr(callback, "get_params") and not isinstance(callback, type):
                nested = callback.get_params()
                params |= {f"callbacks__{name}__{key}": value for key, value in nested.items()}
        return params


def _explicit_names(estimator: type) -> list[str]:
    """Return the named arguments of the constructors, down from the first with constraints."""
    names: dict[str, None] = {}
    for cls in estimator.__mro__:
        if "__init__" in vars(cls):
            arguments = list(inspect.signature(vars(cls)["__init__"]).parameters.values())[1:]
            names |= {a.name: None for a in arguments if a.kind is not a.VAR_KEYWORD}
        if "_parameter_constraints" in vars(cls):
            break
    return list(names)


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
            meant = [*valid, *own]
            for known in components:  # iterator_train_shuffle
                if name.startswith(known):
                    meant += _argument_names(known, "", components[known]) or []
            nearest = difflib.get_close_matches(name, meant, n=1, cutoff=0.5)
            hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
            owner = getattr(components.get(prefix), "__name__", "") if rest else ""
            of = f" of {owner}" if owner else ""
            return f"{name!r} is no parameter{of}.{hint} Valid are: {', '.join(sorted(valid))}."
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
