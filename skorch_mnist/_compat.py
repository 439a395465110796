"""Every private name of another library that this package uses, with its purpose.

These names may change at any time. Each entry says what it is for and what breaks without it, so
this file lists everything to check in a new release of a library. It also has the code for older
versions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from sklearn.utils import _safe_indexing as rows_of
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import _check_y as check_y
from skorch.callbacks import PrintLog
from torch import nn
from torch.nn.modules.loss import _Loss as Loss

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9 has no set_callbacks

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Placeholder for the scikit-learn class."""

    def with_callbacks(method: Any) -> Any:
        """Return ``method`` unchanged."""
        return method


# sklearn.utils._param_validation: parameters are checked as in scikit-learn, with its messages.
# Without it, errors about parameters would need code and wording of our own.

# _check_sample_weight, _check_y: sample weights and labels are checked as in scikit-learn. Without
# them, the estimator checks that compare messages fail.

# _safe_indexing: selects rows of an array, a data frame or a list. Without it, a meta-estimator
# would need its own code for each of them to hold out rows.

# _Loss: the base class of the losses in torch.nn. Without it, a model file could not distinguish
# losses, which it may name, from other modules, which it must not name.


# --- scikit-learn -----------------------------------------------------------------------------


def callback_context(estimator: Any, max_subtasks: int | None) -> Any:
    """Return the context that notifies callbacks of ``fit``, or None if they are not supported.

    The estimators of scikit-learn use ``_init_callback_context``. Without it, ``set_callbacks`` has
    no effect.
    """
    if not hasattr(estimator, "_init_callback_context"):  # scikit-learn < 1.9
        return None
    return estimator._init_callback_context(max_subtasks=max_subtasks)


# --- skorch -----------------------------------------------------------------------------------


def history_columns(table: PrintLog, epoch: dict[str, Any]) -> list[str]:
    """Return the columns of a row in the table of epochs.

    Without ``_sorted_keys``, the table could not repeat its header when the columns change.
    """
    columns: list[str] = table._sorted_keys(epoch)
    return columns


# --- PyTorch ----------------------------------------------------------------------------------


def uncompiled(module: nn.Module) -> nn.Module:
    """Return the network that ``torch.compile`` wraps, or ``module`` itself.

    Without ``_orig_mod``, the weights of a compiled network would be saved with other names.
    """
    network: nn.Module = getattr(module, "_orig_mod", module)
    return network


def continue_scheduler(scheduler: Any, old: Any) -> None:
    """Copy the state of an older scheduler, except for rates, which may have been changed since.

    Without ``_last_lr``, the history would record the rate of another epoch.
    """
    state = {key: value for key, value in old.state_dict().items() if key != "base_lrs"}
    state["_last_lr"] = [group["lr"] for group in scheduler.optimizer.param_groups]
    scheduler.load_state_dict(state)


def has_bfloat16_instructions() -> bool:
    """Whether this CPU has instructions for products of bfloat16.

    ``torch.cpu`` does not have a public function for this. Without these names,
    ``precision="auto"`` computes in float32 on every CPU.
    """
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    questions = [getattr(torch.cpu, name, None) for name in names]
    return any(ask() for ask in questions if ask is not None)


# --- joblib -----------------------------------------------------------------------------------


class JoblibDask(NamedTuple):
    """The parts of the Dask backend of joblib."""

    backend: Any
    batch: Any
    run_with_traceback: Any


def joblib_dask() -> JoblibDask:
    """Return the classes that ``skorch_mnist.clusters`` extends; importing them imports Dask.

    Without them, a search on Dask would have to use the ``"dask"`` backend of joblib, which loses
    the search if a worker is killed.
    """
    from joblib._dask import Batch, DaskDistributedBackend
    from joblib._utils import _TracebackCapturingWrapper

    return JoblibDask(DaskDistributedBackend, Batch, _TracebackCapturingWrapper)


def joblib_gave_up(callback: Any) -> bool:
    """Whether joblib has aborted the call to which a running task belongs.

    Without ``_aborting``, the remaining tasks of a failed search would keep the cluster busy.
    """
    return bool(callback.parallel._aborting)
