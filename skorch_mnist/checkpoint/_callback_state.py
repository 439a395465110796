"""Save and restore the state that a callback has learned during training."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from skorch_mnist._storage._plain_data import UnstorableError, encode


def names_with_state(callback: Any) -> set[str]:
    """Return the learned attributes of a callback that have a ``state_dict``."""
    return {name for name, value in learned(callback) if has_state(value)}


def get_callback_state(
    name: str, callback: Any, with_state: Collection[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the learned attributes of a callback: plain data, and states, by name.

    Parameters
    ----------
    name : str
        Name of the callback, for error messages.
    callback : callback
    with_state : collection of str
        The result of ``names_with_state`` at the beginning of the training run.

    Raises
    ------
    UnstorableError
        If an attribute cannot be written, or could not be restored.
    """
    plain, states = {}, {}
    for attribute, value in learned(callback):
        if has_state(value):
            if attribute not in with_state:
                raise UnstorableError(
                    f"the {type(value).__name__} in {attribute} of {name} did not exist when "
                    "training began; create it in on_train_begin"
                )
            states[attribute] = value.state_dict()
        elif is_plain(value):
            plain[attribute] = value
        elif isinstance(value, Mapping):
            raise UnstorableError(
                f"the {type(value).__name__} in {attribute} of {name} is not plain data"
            )
    return plain, states


def set_callback_state(callback: Any, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Restore the result of ``get_callback_state``."""
    plain, states = state
    vars(callback).update(plain)
    for attribute, kept in states.items():
        getattr(callback, attribute).load_state_dict(kept)


def learned(callback: Any) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of a callback that are not parameters."""
    for name, value in vars(callback).items():
        if name.endswith("_"):
            yield name, value


def has_state(value: Any) -> bool:
    """Whether ``value`` can return its state and load it."""
    both = hasattr(value, "state_dict") and hasattr(value, "load_state_dict")
    return both and not isinstance(value, type)


def is_plain(value: Any) -> bool:
    """Whether ``value`` can be written."""
    try:
        encode(value, {})
    except UnstorableError:
        return False
    return True
