"""Every private name of another library that this package uses, with its purpose.

Nobody promises that these names stay. Each entry says what it is for and what breaks without it, so
one file tells what to check in a new release of a library. Code for older versions is here as well.
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
        """A stand-in for the class of scikit-learn."""

    def with_callbacks(method: Any) -> Any:
        """Return ``method`` as it is."""
        return method


# sklearn.utils._param_validation: parameters are checked as in scikit-learn, with its messages.
# Without it, errors about parameters would need code and wording of our own.

# _check_sample_weight, _check_y: sample weights and labels are checked as in scikit-learn. Without
# them, the estimator checks that compare messages fail.

# _safe_indexing: rows of an array, a data frame or a list. Without it, a meta-estimator would have
# to tell them apart itself to hold out some.

# _Loss: the base class of the losses in torch.nn. Without it, a model file could not tell a loss
# from another module, which it must not name.


# --- scikit-learn -----------------------------------------------------------------------------


def callback_context(estimator: Any, max_subtasks: int | None) -> Any:
    """Return the context that tells the callbacks of ``estimator`` about ``fit``, None without any.

    ``_init_callback_context`` is the way in which the estimators of scikit-learn do it. Without
    it, ``set_callbacks`` has no effect.
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

    Without ``_orig_mod``, the weights of a compiled network could not be saved under their names.
    """
    network: nn.Module = getattr(module, "_orig_mod", module)
    return network


def continue_scheduler(scheduler: Any, old: Any) -> None:
    """Give a scheduler the state of an older one, except for rates, which may have been set since.

    Without ``_last_lr``, the history would record the rate of another epoch.
    """
    state = {key: value for key, value in old.state_dict().items() if key != "base_lrs"}
    state["_last_lr"] = [group["lr"] for group in scheduler.optimizer.param_groups]
    scheduler.load_state_dict(state)


def has_bfloat16_instructions() -> bool:
    """Whether this CPU has instructions for products of bfloat16.

    ``torch.cpu`` has no public way to ask. Without these names, ``precision="auto"`` computes in
    float32 on every CPU.
    """
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    questions = [getattr(torch.cpu, name, None) for name in names]
    return any(ask() for ask in questions if ask is not None)


# --- joblib -----------------------------------------------------------------------------------


class JoblibDask(NamedTuple):
    """What the Dask backend of joblib is made of."""

    backend: Any
    batch: Any
    run_with_traceback: Any


def joblib_dask() -> JoblibDask:
    """Return the classes that ``skorch_mnist.clusters`` extends; importing them imports Dask.

    Without them, a search on Dask needs the backend ``"dask"`` of joblib, which loses the search
    when a worker is killed.
    """
    from joblib._dask import Batch, DaskDistributedBackend
    from joblib._utils import _TracebackCapturingWrapper

    return JoblibDask(DaskDistributedBackend, Batch, _TracebackCapturingWrapper)


def joblib_gave_up(callback: Any) -> bool:
    """Whether joblib has given up the call that a running task belongs to.

    Without ``_aborting``, the remaining tasks of a failed search would keep the cluster busy.
    """
    return bool(callback.parallel._aborting)
