"""Check the names and values of parameters, including nested ones."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from skorch_mnist import network
from skorch_mnist._compat import InvalidParameterError, validate_parameter_constraints
from skorch_mnist._inputs._layouts import check_image_shape

MIXING = "shuffle", "drop_last", "sampler", "batch_sampler"  # reorder or drop predictions
HOMES = {  # of the components, and where their classes are
    "module": network,
    "criterion": torch.nn,
    "optimizer": torch.optim,
    "iterator_train": torch.utils.data,
    "iterator_valid": torch.utils.data,
}
OTHER_NAMES = {  # of parameters in other libraries
    "learning_rate": "lr",
    "learning_rate_init": "lr",
    "max_iter": "max_epochs",
    "seed": "random_state",
    "validation_fraction": "train_split",
}


def check_parameters(
    net: Any, params: Mapping[str, Any], constraints: Mapping[str, list[Any]]
) -> None:
    """Check names and values of all parameters.

    Parameters
    ----------
    net : classifier
    params : mapping of str to object
        Parameters of ``net``.
    constraints : mapping of str to list
        Valid values, in the format of ``_parameter_constraints`` in scikit-learn.

    Raises
    ------
    InvalidParameterError
        For the first name or value that is not valid.
    """
    check_names(net, params, _explicit_names(type(net)))
    refuse_names_of_classes(params)
    validate_parameter_constraints(constraints, params, type(net).__name__)
    for name in ("early_stopping", "lr_schedule"):
        if params[name] and params["callbacks"] == "disable":
            raise InvalidParameterError(
                f"{name}={params[name]!r} cannot be combined with callbacks='disable', because it "
                "is a callback. Set only one of them."
            )
    for name in (f"iterator_valid__{argument}" for argument in MIXING):
        if params.get(name) is not None and params[name] is not False:
            raise InvalidParameterError(
                f"{name}={params[name]!r} is not valid: it would reorder or drop predictions. "
                "Remove it."
            )
    if params["image_shape"] is not None:
        check_image_shape(params["image_shape"])
    check_criterion(params)


def refuse_names_of_classes(params: Mapping[str, Any]) -> None:
    """Raise an InvalidParameterError for a component that is a string, which names the class."""
    for name, home in HOMES.items():
        value = params[name]
        if isinstance(value, str):
            classes = {k.lower(): k for k, one in vars(home).items() if inspect.isclass(one)}
            found = classes.get(value.lower())
            advice = f"{home.__name__}.{found}" if found else "the class itself"
            raise InvalidParameterError(
                f"{name}={value!r} is not valid: it must not be a string. Pass {advice}."
            )


def check_criterion(params: Mapping[str, Any]) -> None:
    """Raise an InvalidParameterError if the criterion requires other arguments, as a loss does."""
    criterion = params["criterion"]
    if inspect.isclass(criterion) or isinstance(criterion, torch.nn.Module):
        return
    prefix = "criterion__"
    given = {name.removeprefix(prefix): params[name] for name in params if name.startswith(prefix)}
    try:
        inspect.signature(criterion).bind(**given)
    except TypeError as error:
        raise InvalidParameterError(
            f"criterion={criterion!r} is not valid: {error}. It must be a torch.nn.Module, or a "
            "class or other callable that returns one from the criterion__ parameters, such as "
            "torch.nn.CrossEntropyLoss. Instead of a function that computes the loss, pass the "
            "corresponding class, or a module that calls the function in its forward method."
        ) from error
    except ValueError:  # some functions written in C
        return


def check_names(net: Any, names: Iterable[str], own: Iterable[str]) -> None:
    """Check that parameters exist.

    Parameters
    ----------
    net : classifier
        Has the values of all parameters, including the new ones.
    names : iterable of str
        Names to check.
    own : iterable of str
        Names of the parameters of the classifier itself.

    Raises
    ------
    InvalidParameterError
        For the first name that does not exist; the message suggests the closest match.
    """
    components = {name: getattr(net, name) for name in HOMES} | {"compile": torch.compile}
    nested = any(name.startswith("callbacks__") for name in names)
    callbacks = dict(net._named_callbacks()) if nested else {}
    own = [name for name in own if "__" not in name]
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
            hint = _hint(name, [*own, *valid], components)
            owner = getattr(components.get(prefix), "__name__", "") if rest else ""
            of = f" of {owner}" if owner else ""
            what, names_of_all = "parameters", sorted(valid)
            if rest and prefix not in components and prefix != "callbacks":
                what, names_of_all = "prefixes", sorted([*components, "callbacks"])
            raise InvalidParameterError(
                f"{name!r} is not a valid parameter{of}.{hint} Valid {what}: "
                f"{', '.join(names_of_all)}."
            )


def _hint(name: str, valid: Iterable[str], components: Mapping[str, Any]) -> str:
    """Return the sentence that suggests what a wrong name should be, or an empty string."""
    prefix, _, rest = name.partition("__")
    of_other = _argument_names("module", rest, network.BatchNormCNN) or []
    if components["module"] is network.MNISTCNN and name in of_other:
        return " It is a parameter of BatchNormCNN, which you can pass as module."
    is_nested = rest and prefix in (*components, "callbacks")
    # Without the prefix that they share, unrelated names are not similar.
    meant = {known.removeprefix(f"{prefix}__" if is_nested else ""): known for known in valid}
    for component in HOMES if not rest else ():
        for nested in _argument_names(component, "", components[component]) or []:
            if name.startswith(component):  # iterator_train_shuffle
                meant[nested] = nested
            elif nested == f"{component}__{name}":  # shuffle
                meant.setdefault(name, nested)
    nearest = difflib.get_close_matches(rest if is_nested else name, meant, n=1)
    found = OTHER_NAMES.get(name.removeprefix("optimizer__")) or (nearest and meant[nearest[0]])
    return f" Did you mean {found!r}?" if found else ""


def parameters_of_callbacks(callbacks: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return callbacks and their parameters, with the names that ``set_params`` accepts."""
    params: dict[str, Any] = {}
    for name, callback in callbacks:
        params[f"callbacks__{name}"] = callback
        if hasattr(callback, "get_params") and not isinstance(callback, type):
            nested = callback.get_params()
            params |= {f"callbacks__{name}__{key}": value for key, value in nested.items()}
    return params


def _explicit_names(estimator: type) -> list[str]:
    """Return the named arguments of the constructors, up to the class with the constraints."""
    names: dict[str, None] = {}
    for cls in estimator.__mro__:
        if "__init__" in vars(cls):
            arguments = list(inspect.signature(vars(cls)["__init__"]).parameters.values())[1:]
            names |= {a.name: None for a in arguments if a.kind is not a.VAR_KEYWORD}
        if "_parameter_constraints" in vars(cls):
            break
    return list(names)


def _argument_names(prefix: str, rest: str, component: Any) -> list[str] | None:
    """Return the names that ``component`` accepts, or None if it accepts any."""
    if prefix == "optimizer" and rest.split("__")[0] == "param_groups":
        return None
    arguments = _signature(component)
    if arguments is None:
        return None
    return [f"{prefix}__{name}" for name in arguments if name not in ("self", "params")]


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
