"""The ways in which a fitted classifier leaves a process: model files, ONNX, ``torch.export``."""

from __future__ import annotations

import os
from typing import Any, Self

import torch
from sklearn.utils.validation import check_is_fitted

from skorch_mnist._processes import is_first_process

from ._export import exported_program, write_onnx
from ._model_file import load_model, save_model

__all__ = ["PortableClassifier"]


class PortableClassifier:
    """A fitted classifier that can be written, read back, and exported."""

    accelerator: Any

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted classifier into one file, without pickle.

        Parameters
        ----------
        path : path-like
            File to write, in safetensors format. It is replaced only when the new one is whole.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        OSError
            If the file cannot be written.

        Warns
        -----
        UserWarning
            If a parameter, such as a callback, cannot be written as plain data; it is left out.

        Notes
        -----
        Of processes that have trained together, only the first writes; it waits for none.

        See Also
        --------
        load : The way back.
        """
        check_is_fitted(self)
        if self._writes_files():
            save_model(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, module: Any = None) -> Self:
        """Read a classifier that ``save`` wrote. No code in the file is run.

        Parameters
        ----------
        path : path-like
            File to read.
        module : type, callable, torch.nn.Module or None, default=None
            The network, if it is neither ``MNISTCNN`` nor ``BatchNormCNN``, or was an instance.

        Returns
        -------
        MNISTCNNClassifier
            Fitted, and giving the same predictions.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is damaged, was not written by ``save``, is of a newer format, or needs
            ``module``.
        """
        clf: Self = load_model(cls, path, module)
        return clf

    def to_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted classifier as an ONNX model, scaling and softmax included.

        The input ``X`` has the layout and dtype of the images in ``fit``, with any number of
        images: float32 of shape (n_samples, 784), for instance. Pixels are raw, on the scale of
        ``fit``. The outputs are ``label`` of shape (n_samples,), in the dtype of the labels
        (float64 for all floats), and ``probabilities`` of shape (n_samples, n_classes), float32,
        in the order of ``classes_``.

        Parameters
        ----------
        path : path-like
            File to write. It is replaced only when the new one is whole.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        ImportError
            If ``onnx`` or ``onnxscript`` is missing; the extra ``onnx`` installs them.
        ValueError
            If ONNX has no such labels, or the network cannot be exported.
        OSError
            If the file cannot be written.

        See Also
        --------
        to_exported_program : The same for programs that have torch.

        Notes
        -----
        The model needs operator set 18: ONNX Runtime has it since version 1.14.
        """
        check_is_fitted(self)
        if self._writes_files():
            write_onnx(self, path)

    def to_exported_program(self) -> torch.export.ExportedProgram:
        """Return the fitted classifier as a program of ``torch.export``, on the CPU.

        It takes a tensor in the layout and dtype of the images in ``fit``, on their scale, and
        returns a pair: the places of the labels in ``classes_``, int64 of shape (n_samples,), since
        tensors hold no texts, and probabilities, float32 of shape (n_samples, n_classes).
        ``torch.export.save`` writes it.

        Returns
        -------
        torch.export.ExportedProgram

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        ValueError
            If ``torch.export`` cannot follow the network.

        See Also
        --------
        to_onnx : For programs without torch.

        Examples
        --------
        >>> import torch
        >>> from skorch_mnist import MNISTCNNClassifier, load_digits28
        >>> X, y = load_digits28(return_X_y=True)
        >>> clf = MNISTCNNClassifier(max_epochs=1, random_state=0, verbose=0).fit(X, y)
        >>> codes, probabilities = clf.to_exported_program().module()(torch.from_numpy(X[:3]))
        >>> probabilities.shape
        torch.Size([3, 10])
        """
        check_is_fitted(self)
        return exported_program(self)

    def _writes_files(self) -> bool:
        """Whether this process is the one that writes what several have trained."""
        return self.accelerator is None or is_first_process()
