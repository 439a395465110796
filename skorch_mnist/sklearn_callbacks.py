"""scikit-learn's callbacks (SLEP 23), where this scikit-learn has them: from version 1.9 on."""

from __future__ import annotations

from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9: no set_callbacks, nothing to tell

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for scikit-learn's."""

    def with_callbacks(method: Any) -> Any:
        """Return ``method`` as it is."""
        return method


__all__ = ["CallbackSupportMixin", "FitTasks", "with_callbacks"]


class FitTasks:
    """Tells the callbacks of an estimator that its fit, or an epoch of it, begins or ends.

    Parameters
    ----------
    estimator : estimator with ``CallbackSupportMixin`` and ``max_epochs``
        It may have no callbacks, or be unable to.
    X, y, sample_weight :
        Arguments of ``fit``, for callbacks that score.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, sample_weight: Any) -> None:
        self.root: Any = None
        self.data = {
            "X": X,
            "y": y,
            "metadata": {} if sample_weight is None else {"sample_weight": sample_weight},
        }
        if hasattr(estimator, "_init_callback_context"):
            n_epochs = estimator.max_epochs
            self.root = estimator._init_callback_context(
                max_subtasks=n_epochs if isinstance(n_epochs, int) else None
            )
            self.root.call_on_fit_task_begin(estimator=estimator, **self.data)

    def begin_epoch(self, estimator: Any) -> None:
        """Tell that an epoch begins."""
        if self.root is not None:
            self.epoch = self.root.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(estimator=estimator, **self.data)

    def end_epoch(self, estimator: Any) -> None:
        """Tell that an epoch has ended; a callback may ask for the end of the training."""
        if self.root is not None and self.epoch.call_on_fit_task_end(
            estimator=estimator, reconstruction_attributes={}, **self.data
        ):
            raise KeyboardInterrupt  # as skorch's callbacks do

    def end(self, estimator: Any) -> None:
        """Tell that the fit has ended."""
        if self.root is not None:
            self.root.call_on_fit_task_end(
                estimator=estimator, reconstruction_attributes={}, **self.data
            )
