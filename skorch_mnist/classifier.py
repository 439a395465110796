"""The classifier: its parameters, and everything that users call."""

from __future__ import annotations

import copy
import math
import os
import warnings
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import nn
from torch.utils.data import DataLoader

from skorch_mnist._batches._augmentation import CHANGES
from skorch_mnist._batches._batch import first_output
from skorch_mnist._batches._image_dataset import (
    ImageDataset,
    LabeledImages,
    dataset_class,
    own_form,
)
from skorch_mnist._compat import (
    CallbackSupportMixin,
    HasMethods,
    Interval,
    Options,
    StrOptions,
    uncompiled,
    with_callbacks,
)
from skorch_mnist._devices import available_device, seeded
from skorch_mnist._features import inputs_of_layer
from skorch_mnist._hub._repository import pretrained_file, upload
from skorch_mnist._inputs._validation import Given, refuse_one_hot
from skorch_mnist._learning_rate import restore_peaks
from skorch_mnist._listeners import SklearnCallbacks
from skorch_mnist._net import ImageClassifierNet
from skorch_mnist._parameters import check_names
from skorch_mnist._progress import is_first_process
from skorch_mnist._storage._export import WholeClassifier, exported_program, write_onnx
from skorch_mnist._storage._model_file import (
    StoredModel,
    check_weights,
    loading,
    name_of_network,
    read_model,
    write_model,
)
from skorch_mnist._training import SplitData, TrainingRun, detach_derived
from skorch_mnist.network import MNISTCNN, BatchNormCNN

if TYPE_CHECKING:
    import pandas

__all__ = ["MNISTCNNClassifier"]

OWN_NETWORKS = {name_of_network(network): network for network in (MNISTCNN, BatchNormCNN)}
CALLBACK_PARAMETERS = ("callbacks", "early_stopping", "lr_schedule", "n_iter_no_change", "verbose")
UNFITTED = (
    "load_params requires a fitted %(name)s, because its files do not contain classes_ and the "
    "pixel scale. Call fit or partial_fit first, or use save and %(name)s.load instead."
)
TRIED_PIXELS = 64 * 64  # the features of larger images take more memory than a model file


class MNISTCNNClassifier(
    CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, ImageClassifierNet
):
    """Convolutional network for images, as a scikit-learn classifier.

    Parameters
    ----------
    module : type, callable or torch.nn.Module, default=MNISTCNN
        The network, or a callable that returns it. It receives standardized float32 images of shape
        (batch, channels, height, width), and returns logits of shape (batch, n_classes), without a
        softmax. Arguments named ``image_shape`` and ``n_classes`` are filled in from the data. An
        instance is copied.
    criterion : type, callable or torch.nn.Module, default=torch.nn.CrossEntropyLoss
        The loss, called with logits and indices of ``classes_``, or a callable that returns it,
        such as ``torch.nn.NLLLoss``. A function such as ``torch.nn.functional.nll_loss`` is not
        supported. ``NLLLoss`` receives log-probabilities. An instance is copied.
    optimizer : type or callable, default=torch.optim.Adam
    lr : float, default=1e-3
        Learning rate, positive.
    lr_schedule : "one_cycle" or None, default=None
        Schedule of the learning rate. "one_cycle" raises it to ``lr`` in the first 30% of the
        training run, then lowers it to nearly 0. Each call to ``fit`` or ``partial_fit`` is a full
        cycle. None keeps the learning rate constant.
    batch_size : int, default=64
        Number of images in a training batch; -1 puts all of them into one batch. The size of
        validation and prediction batches depends on the device: 128 images of 28x28 pixels on a
        CPU, 4,096 on a GPU. If a GPU runs out of memory, lower ``iterator_valid__batch_size``.
    max_epochs : int, default=10
        Number of passes over the training images, at least 1.
    train_split : float in (0, 1), callable or None, default=0.2
        Fraction of the samples to set aside for validation after each epoch. The split is
        stratified and depends on ``random_state``. If there are too few samples, or a class is too
        rare, it is not stratified, with a warning. Images of an ``IterableDataset`` are assigned by
        a hash of their pixels. A callable such as ``skorch.dataset.ValidSplit`` is called with the
        dataset and the labels. None trains on all samples.
    image_shape : (height, width), (channels, height, width) or None, default=None
        Shape of the images if ``X`` has flat rows. If None, images are assumed to be square.
    augment : {"affine", "robust"}, callable or None, default=None
        Changes the images of training batches, but not those of validation or prediction.
        "affine" randomly rotates each image by up to 12 degrees, stretches its sides by up to 12%,
        shears it by up to 15% and, before all this, shifts it by up to 1/14 of its sides. "robust"
        also distorts it locally and gives some images another pen, a random filter, leftover lines,
        patches, blur, less contrast, uneven light or noise. A callable receives float32 images of
        shape (batch, channels, height, width), on the pixel scale of ``X`` and on the device, and
        returns a tensor of the same shape. A torchvision transform draws the same values for the
        whole batch. To draw new ones for each image, pass ``lambda images:
        torch.stack([transform(image) for image in images])``.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss. "balanced" uses ``n_samples / (n_classes * count)``.
    early_stopping : bool, default=False
        Stop when the accuracy on the validation samples has not improved by more than 1e-4 for
        ``n_iter_no_change`` epochs, and restore the weights of the best epoch.
    n_iter_no_change : int, default=10
        Number of epochs without improvement before training stops, at least 1.
    warm_start : bool, default=False
        Whether ``fit`` continues from the current weights instead of creating new ones.
    random_state : int, RandomState instance or None, default=None
        Controls the initial weights, the validation split, shuffling, dropout and augmentation.
        Pass an int for reproducible results. The global generators of PyTorch are not changed.
    device : str, torch.device or None, default="auto"
        "auto" selects CUDA if available, else MPS (Apple), else the CPU. ``fit`` stores the
        selected device as ``device_``.
    accelerator : accelerate.Accelerator, "auto" or None, default=None
        Trains one network in several processes, each on its own device. ``accelerate launch``
        starts them, and "auto" creates an ``Accelerator``. All processes call ``fit`` with the same
        data and parameters, and take equal shares of each batch. None trains in one process.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        Precision of training; weights and predictions are always float32. "bfloat16" uses
        automatic mixed precision, and "auto" uses it if the device has instructions for it.
    verbose : int, default=1
        0 prints nothing, 1 prints the table of epochs, and 2 also shows a progress bar in notebooks
        and if standard error is a terminal. Worker processes never print.
    callbacks : list, "disable" or None, default=None
        skorch callbacks, with or without names, added to those that record the history.
    iterator_train, iterator_valid : type or callable, default=torch.utils.data.DataLoader
        Create the batches for training, and those for validation and prediction. A sampler over all
        samples, set as ``iterator_train__sampler`` or ``iterator_train__batch_sampler``, requires
        ``train_split=None`` or ``train_split=skorch.helper.predefined_split(valid)``.
    compile : bool, default=False
        Whether to compile the network with ``torch.compile``.
    use_caching : bool or "auto", default="auto"
        As in skorch: whether scoring callbacks reuse the outputs of the validation step.
    features_before : str or None, default=None
        Name of the layer whose input ``transform`` returns, as in ``module_.named_modules()``, such
        as "hidden" in ``MNISTCNN`` or "features.4" in ``BatchNormCNN``. None selects "output", the
        last layer of both.
    **nested : object
        Arguments of the components: ``module__dropout``, ``criterion__label_smoothing``,
        ``optimizer__weight_decay``, ``iterator_train__num_workers``,
        ``callbacks__print_log__sink``, ``compile__mode``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in ascending order.
    n_features_in_ : int
        Number of pixels per image in ``X``, over all channels.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns. Defined only if ``X`` was a data frame with strings as column names.
    image_shape_ : tuple of int
        Channels, height and width.
    input_format_ : InputFormat
        Shape of one image and dtype of ``X`` in ``fit``, such as ``(784,)`` and ``"uint8"``. An
        exported classifier requires the same format.
    pixel_statistics_ : PixelStatistics
        Mean, standard deviation, minimum and maximum of the pixels seen in ``fit``.
    history_ : skorch.history.History
        Losses, accuracy and seconds of each epoch.
    n_iter_ : int
        Number of epochs that were trained.
    module_, criterion_, optimizer_, callbacks_ :
        The components in use. Model files and pickles do not contain the optimizer.
    device_ : torch.device
        Device of the network.

    See Also
    --------
    MNISTCNN : The default network.
    sklearn.neural_network.MLPClassifier : Fully connected networks in scikit-learn.
    skorch.NeuralNetClassifier : The parent, with more about callbacks.

    Notes
    -----
    Pixels can have any scale, because ``fit`` learns their mean and standard deviation. If there
    are weights, the loss of a batch is the weighted mean; samples with weight 0 are removed before
    anything is learned. If ``fit`` is interrupted, the classifier keeps the weights of the last
    finished epoch, or its previous state if no epoch was finished.

    The methods of skorch work as well. ``forward(X, training=True)`` returns the logits of each
    image with dropout, in the order of ``X``; the mean of several calls is Monte Carlo dropout. The
    batches of ``get_iterator(get_dataset(X, y))`` contain images and indices of ``classes_``.

    The network and the defaults are those of the tutorial "train a CNN with skorch for MNIST digit
    recognition", except that training samples are shuffled.

    Examples
    --------
    >>> from sklearn.model_selection import train_test_split
    >>> from skorch_mnist import MNISTCNNClassifier, load_digits28
    >>> X, y = load_digits28(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    >>> clf = MNISTCNNClassifier(max_epochs=5, random_state=0, verbose=0)
    >>> clf.fit(X_train, y_train).score(X_test, y_test) > 0.9
    True
    >>> clf.predict_proba(X_test[:2]).shape
    (2, 10)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "module": [callable],
        "criterion": [callable],
        "optimizer": [callable],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions({"one_cycle"}), None],
        "batch_size": [Interval(Integral, 1, None, closed="left"), Options(int, {-1})],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "train_split": [Interval(Real, 0, 1, closed="neither"), callable, None],
        "image_shape": [tuple, list, None],
        "augment": [StrOptions(set(CHANGES)), callable, None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "early_stopping": ["boolean"],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "device": [str, torch.device, None],
        "accelerator": [StrOptions({"auto"}), HasMethods(["gather"]), None],
        "precision": [StrOptions({"float32", "bfloat16", "auto"})],
        "verbose": ["verbose"],
        "callbacks": [list, StrOptions({"disable"}), None],
        "iterator_train": [callable],
        "iterator_valid": [callable],
        "compile": ["boolean"],
        "use_caching": ["boolean", StrOptions({"auto"})],
        "features_before": [str, None],
    }

    def __init__(
        self,
        module: type[nn.Module] | Callable[..., nn.Module] | nn.Module = MNISTCNN,
        *,
        criterion: type[nn.Module] | Callable[..., nn.Module] | nn.Module = nn.CrossEntropyLoss,
        optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
        lr: float = 1e-3,
        lr_schedule: Literal["one_cycle"] | None = None,
        batch_size: int = 64,
        max_epochs: int = 10,
        train_split: float | Callable[..., Any] | None = 0.2,
        image_shape: tuple[int, int] | tuple[int, int, int] | None = None,
        augment: Literal["affine", "robust"] | Callable[[torch.Tensor], torch.Tensor] | None = None,
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        early_stopping: bool = False,
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        device: str | torch.device | None = "auto",
        accelerator: Any = None,
        precision: Literal["float32", "bfloat16", "auto"] = "float32",
        verbose: int = 1,
        callbacks: list[Any] | Literal["disable"] | None = None,
        iterator_train: Callable[..., Any] = DataLoader,
        iterator_valid: Callable[..., Any] = DataLoader,
        compile: bool = False,
        use_caching: bool | Literal["auto"] = "auto",
        features_before: str | None = None,
        **nested: Any,
    ) -> None:
        self.module = module
        self.criterion = criterion
        self.optimizer = optimizer
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.train_split = train_split
        self.image_shape = image_shape
        self.augment = augment
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.random_state = random_state
        self.device = device
        self.accelerator = accelerator
        self.precision = precision
        self.verbose = verbose
        self.callbacks = callbacks
        self.iterator_train = iterator_train
        self.iterator_valid = iterator_valid
        self.compile = compile
        self.use_caching = use_caching
        self.features_before = features_before
        self.__dict__.update(nested)

    # --- training -----------------------------------------------------------------------------

    @with_callbacks  # type: ignore[untyped-decorator, unused-ignore]
    def fit(
        self, X: Any, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like, DataFrame, tensor, Dataset or SliceDataset
            Images with pixels of any real dtype and scale, of shape (n_samples, n_pixels),
            (n_samples, height, width), or, with 1 or 3 channels, (n_samples, channels, height,
            width) or (n_samples, height, width, channels). A PyTorch dataset must yield images or
            pairs (image, label); an ``IterableDataset`` must yield the same pairs in every pass. A
            Hugging Face dataset must have the columns ``image`` and ``label``; to split it with
            scikit-learn, pass ``SliceDataset(X, idx="image")``.
        y : array-like of shape (n_samples,) or None, default=None
            Labels: numbers, strings or booleans. If None, the labels of the dataset ``X``.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Non-negative weights. If None, all samples have the same weight.

        Returns
        -------
        self : MNISTCNNClassifier

        Raises
        ------
        ValueError
            If a parameter, ``X``, ``y`` or ``sample_weight`` is not valid. ``self`` is not changed
            in this case.

        Warns
        -----
        UserWarning
            If the network returns probabilities, as after a softmax, instead of logits.
        """
        self._validate_params()
        tasks = SklearnCallbacks(self, X, y, sample_weight)
        with TrainingRun.of(self, self.max_epochs, tasks) as training:
            anew = not (self.warm_start and self.__sklearn_is_fitted__())
            given = Given(X, y, sample_weight)
            images = self._learn(given, training, anew=anew, split=self.train_split)
            training.run(self._split(images), images.X, images.y)
        tasks.fit_ends(self)
        return self

    def partial_fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one more epoch on all of ``X``.

        The first call learns the scale of the pixels. Later calls warn if images have another scale
        or are inverted.

        Parameters
        ----------
        X, y, sample_weight :
            As in ``fit``. Some classes may be missing from ``y``.
        classes : array-like of shape (n_classes,) or None, default=None
            Classes across all calls to ``partial_fit``. Required for the first call.

        Returns
        -------
        self : MNISTCNNClassifier

        Raises
        ------
        ValueError
            As in ``fit``; if ``classes`` is missing from the first call; if ``y`` has other labels;
            or if ``early_stopping=True`` or ``class_weight="balanced"``, which need all the data.
        """
        self._validate_params()
        if self.early_stopping or self.class_weight == "balanced":
            raise ValueError(
                'partial_fit does not support early_stopping=True and class_weight="balanced", '
                "which need all the data. Use fit, or pass the weights as a dict."
            )
        anew = not self.__sklearn_is_fitted__()
        if anew and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        with TrainingRun.of(self, epochs=1) as training:
            given = Given(X, y, sample_weight, classes)
            images = self._learn(given, training, anew=anew, split=None)
            training.run(SplitData(images, None), images.X, images.y)
        return self

    def _learn(
        self, given: Given, training: TrainingRun, *, anew: bool, split: Any
    ) -> LabeledImages:
        """Check the samples, and learn everything that prediction needs except the weights."""
        known = None if anew else self.classes_
        images = dataset_class(given.X).for_training(self, given, known=known, split=split)
        self.classes_inferred_ = images.classes
        self.image_shape_ = images.image_shape
        if anew:
            self.input_format_ = images.input_format
            self.pixel_statistics_ = images.pixel_statistics()
            self._random_state = training.random_state
            self.initialized_, self.history_ = False, None
        else:
            self.pixel_statistics_.check_range(images.images)
        return images

    def _split(self, images: LabeledImages) -> SplitData:
        """Set samples aside for validation according to ``train_split``."""
        if callable(self.train_split):
            train, valid = map(own_form, self.get_split_datasets(images, images.y))
            if valid is not None and not isinstance(valid, LabeledImages):  # predefined_split
                valid = dataset_class(valid).for_validation(self, valid)
        elif self.train_split is None:
            train, valid = images, None
        else:
            train, valid = images.split(float(self.train_split), self._random_state)
        if self.early_stopping and valid is None:
            raise ValueError(
                "early_stopping=True requires validation samples. Set train_split to a fraction "
                "such as 0.2, pass more samples, or set early_stopping=False."
            )
        return SplitData(train, valid)

    # --- prediction ---------------------------------------------------------------------------

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable label of each image.

        Parameters
        ----------
        X : array-like, DataFrame, tensor, Dataset or SliceDataset
            Images as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predicted labels, elements of ``classes_``.
        """
        codes = self._logits(X).argmax(dim=1).numpy()
        labels: NDArray[Any] = self.classes_inferred_[codes]
        return labels

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like, DataFrame, tensor, Dataset or SliceDataset
            Images as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float64
            Softmax of the logits, in the order of ``classes_``.
        """
        probabilities: NDArray[np.float64] = torch.softmax(self._logits(X), dim=1).numpy()
        return probabilities

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the logarithm of each probability, accurate even for probabilities near 0.

        Parameters
        ----------
        X : array-like, DataFrame, tensor, Dataset or SliceDataset
            Images as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float64
        """
        logarithms: NDArray[np.float64] = torch.log_softmax(self._logits(X), dim=1).numpy()
        return logarithms

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return confidence scores: logits, shifted to be logarithms of probabilities.

        The shift is one number per image, and does not change their order or their softmax.

        Parameters
        ----------
        X : array-like, DataFrame, tensor, Dataset or SliceDataset
            Images as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or (n_samples,) for two classes, float64
            For two classes, the log-odds of the second; ``predict`` returns it if they are > 0.
        """
        scores = self.predict_log_proba(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the accuracy of ``predict``.

        Parameters
        ----------
        X : array-like, DataFrame, tensor, Dataset or SliceDataset
            Images as in ``fit``.
        y : array-like of shape (n_samples,) or None, default=None
            True labels. If None, the labels of the dataset ``X``.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Non-negative weights. If None, all samples have the same weight.

        Returns
        -------
        float
            Fraction of images with a correct prediction, in [0, 1].

        Raises
        ------
        ValueError
            If ``y`` is None and the dataset ``X`` does not have labels, or if ``y`` is one-hot.
        """
        if y is None:
            X, labels = dataset_class(X).with_labels(X)
            y_pred, y = self.predict(X), labels()
        else:
            refuse_one_hot(y)
            y_pred = self.predict(X)
        return float(accuracy_score(y, y_pred, sample_weight=sample_weight))

    def _logits(self, X: Any) -> torch.Tensor:
        """Return the outputs of the network, float64 of shape (n_samples, n_classes)."""
        batches = self.forward_iter(X, device="cpu")  # the cache of skorch replaces this method
        return torch.cat([first_output(batch).detach().double() for batch in batches])

    # --- features -----------------------------------------------------------------------------

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Return the features of each image: the input of the last layer of the network.

        This makes the fitted classifier a transformer, which can precede another estimator or help
        to compare images.

        Parameters
        ----------
        X : array-like, DataFrame, tensor, Dataset or SliceDataset
            Images as in ``fit``.

        Returns
        -------
        ndarray of shape (n_samples, n_features), float64
            The input of the layer ``features_before``, flattened to rows. If the network calls this
            layer several times for each image, as ``BatchNormCNN`` does with
            ``shifted_copies=True``, the mean of its inputs. A data frame after
            ``set_output(transform="pandas")`` or ``"polars"``, for which pandas or polars must be
            installed.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        ValueError
            If ``X`` is not valid, if the network does not have or does not call this layer, or if
            the input of the layer does not have one row per image.

        Examples
        --------
        >>> from sklearn.neighbors import KNeighborsClassifier
        >>> from sklearn.pipeline import make_pipeline
        >>> from skorch_mnist import MNISTCNNClassifier, load_digits28
        >>> X, y = load_digits28(return_X_y=True)
        >>> clf = MNISTCNNClassifier(max_epochs=5, random_state=0, verbose=0)
        >>> clf = clf.fit(X[:1500], y[:1500])
        >>> clf.transform(X[:3]).shape
        (3, 50)
        >>> neighbors = KNeighborsClassifier().fit(clf.transform(X[:1500]), y[:1500])
        >>> neighbors.score(clf.transform(X[1500:]), y[1500:]) > 0.9
        True
        """
        features: NDArray[np.float64] = self._features(X).numpy()
        return features

    def _features(self, X: Any) -> torch.Tensor:
        """Return the input of the layer, float64 of shape (n_samples, n_features)."""
        check_is_fitted(self)
        net = copy.copy(self)
        net.__dict__["module_"] = uncompiled(self.module_)  # compiled code does not call hooks
        with inputs_of_layer(net.module_, self.features_before) as inputs:
            batches = ImageClassifierNet.forward_iter(net, X)  # not the cache of skorch
            return torch.cat([inputs.take(len(first_output(batch))) for batch in batches])

    @property
    def _n_features_out(self) -> int:
        """Number of features, which ``get_feature_names_out`` needs."""
        check_is_fitted(self)
        return self._features(self._blank()).shape[1]

    def _blank(self) -> ImageDataset:
        """Return a blank image."""
        return ImageDataset(np.zeros((1, *self.image_shape_), dtype=np.float32))

    # --- files --------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the fitted classifier to one file, without pickle.

        Parameters
        ----------
        path : path-like
            File to write, in safetensors format. An existing file is replaced atomically.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        ValueError
            If the network or its labels cannot be stored.
        OSError
            If the file cannot be written.

        Warns
        -----
        UserWarning
            If a parameter, such as a callback, is not plain data and is therefore not saved.

        See Also
        --------
        load : Read the file.

        Notes
        -----
        If several processes have trained together, only the first one writes the file. It does not
        wait for the others.
        """
        stored = self._to_stored()
        if self._writes_files():
            write_model(path, stored)

    def _to_stored(self) -> StoredModel:
        """Return the content of a model file, which ``RejectingClassifier`` extends."""
        check_is_fitted(self)
        self._validate_params()  # otherwise, load would refuse the file
        return StoredModel(
            network=name_of_network(self.module),
            params=self.get_params(deep=False),
            classes=self.classes_,
            image_shape=self.image_shape_,
            n_features_in=int(self.n_features_in_),
            feature_names_in=list(getattr(self, "feature_names_in_", [])),
            input_format=self.input_format_,
            pixel_statistics=self.pixel_statistics_,
            history=self.history_ or [],
            weights=uncompiled(self.module_).state_dict(),
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, module: Any = None) -> Self:
        """Read a classifier that ``save`` wrote. No code in the file is run.

        For a file of a ``RejectingClassifier``, return only the wrapped classifier;
        ``skorch_mnist.rejection.load`` reads both.

        Parameters
        ----------
        path : path-like
            File to read.
        module : type, callable, torch.nn.Module or None, default=None
            The network. Required if it is neither ``MNISTCNN`` nor ``BatchNormCNN``, was passed as
            an instance, or had its layers changed later, for example by pruning.

        Returns
        -------
        MNISTCNNClassifier
            Fitted, with the same predictions.

        Raises
        ------
        FileNotFoundError
            If the file does not exist.
        IsADirectoryError
            If it is a folder.
        ValueError
            If the file is damaged, was not written by ``save``, has a newer format, or requires
            ``module``.
        """
        stored = read_model(path)
        with loading(path):
            return cls._of_stored(stored, module)

    @classmethod
    def _of_stored(cls, stored: StoredModel, module: Any = None) -> Self:
        """Return the fitted classifier of a file."""
        if module is None and stored.network not in OWN_NETWORKS:
            raise ValueError(f"its network is {stored.network}; pass this class as module")
        clf = cls(OWN_NETWORKS[stored.network] if module is None else module, **stored.params)
        if hidden := stored.params.keys() - clf.get_params(deep=False).keys():
            raise ValueError(f"it sets {sorted(hidden)}, which are not valid parameters")
        clf._validate_params()
        clf._take_over(stored)
        return clf

    @classmethod
    def from_pretrained(
        cls, name: str | os.PathLike[str], *, revision: str | None = None, module: Any = None
    ) -> Self:
        """Return a fitted classifier of the package, of a folder, or of the Hugging Face Hub.

        Parameters
        ----------
        name : "digits", path-like or str
            "digits" comes with the package and needs no network access: it reads digits in the form
            of MNIST, 28x28 pixels, white on black. Otherwise a model file, or a folder that
            contains ``model.safetensors``; if there is none, the repository "user/name" on the Hub,
            from which this file is downloaded once. It is checked like any other: see ``load``. A
            ``Path`` is never read from the Hub.
        revision : str or None, default=None
            Branch, tag or commit of the repository. Give a commit, as ``push_to_hub`` returns it,
            to get the same classifier each time. None takes the newest.
        module : type, callable, torch.nn.Module or None, default=None
            The network, if it is one of your own, as in ``load``.

        Returns
        -------
        MNISTCNNClassifier
            Fitted, with ``verbose=0``.

        Raises
        ------
        ValueError
            If ``name`` is not one of these, or has no revisions, or the file is not valid.
        ImportError
            If ``name`` is on the Hub, and ``huggingface_hub`` is missing; the extra ``hub``
            installs it.
        OSError
            If the repository, the revision or the file does not exist or is not accessible.

        See Also
        --------
        push_to_hub : Upload a fitted classifier.
        skorch_mnist.read_digits : Read digits in pictures with it.

        Notes
        -----
        To train it further on a few images of your own, use :data:`skorch_mnist.recipes.FINE_TUNE`
        and :func:`skorch_mnist.pretrained.load_exemplars`; ``partial_fit`` continues, too. ``fit``
        without ``warm_start``, ``clone``, cross-validation and a search start with new weights and
        discard the pretrained ones, as scikit-learn demands. To keep them in a meta-estimator, wrap
        the classifier in :class:`sklearn.frozen.FrozenEstimator`.

        Examples
        --------
        >>> from skorch_mnist import MNISTCNNClassifier, load_digits28
        >>> X, y = load_digits28(return_X_y=True)
        >>> MNISTCNNClassifier.from_pretrained("digits").score(X, y) > 0.9
        True
        """
        return cls.load(pretrained_file(name, revision), module=module).set_params(verbose=0)

    def push_to_hub(
        self,
        repo_id: str,
        *,
        metrics: Mapping[str, float] | None = None,
        private: bool | None = None,
    ) -> str | None:
        """Upload the fitted classifier to the Hugging Face Hub, with a model card.

        The repository gets two files: ``model.safetensors``, which ``save`` writes, and
        ``README.md``, the card, with classes, metrics, parameters and history. Both replace earlier
        ones, which stay in the history of the repository. Log in with ``hf auth login`` first, or
        set the environment variable ``HF_TOKEN``.

        Parameters
        ----------
        repo_id : str
            Name of the repository, such as "user/name". It is created if it does not exist.
        metrics : mapping of str to float or None, default=None
            Figures for the card, such as ``{"accuracy": clf.score(X_test, y_test)}``.
        private : bool or None, default=None
            Whether a new repository is private. None takes the default of the user.

        Returns
        -------
        str or None
            Hash of the commit, for ``from_pretrained(repo_id, revision=...)``. None in processes
            that have trained together, except for the first, which uploads.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        ValueError
            If the network or its labels cannot be stored.
        ImportError
            If ``huggingface_hub`` is missing; the extra ``hub`` installs it.
        huggingface_hub.errors.HfHubHTTPError
            If the Hub refuses, as without a token.

        See Also
        --------
        from_pretrained : Load it again.
        """
        stored = self._to_stored()
        if not self._writes_files():
            return None
        defaults = MNISTCNNClassifier().get_params(deep=False)
        return upload(repo_id, stored, defaults=defaults, metrics=metrics, private=private)

    def _take_over(self, stored: StoredModel) -> None:
        """Restore the state of a fitted classifier; check weights before allocating memory."""
        self.classes_inferred_ = stored.classes
        self.image_shape_ = stored.image_shape
        self.n_features_in_ = stored.n_features_in
        self.input_format_ = stored.input_format
        if stored.feature_names_in:
            self.feature_names_in_ = np.array(stored.feature_names_in, dtype=object)
        self.pixel_statistics_ = stored.pixel_statistics
        self._random_state = check_random_state(self.random_state)
        own, weights = self.module in OWN_NETWORKS.values(), stored.weights
        device = available_device(self.device)
        parameter, self.device = self.device, str(device)
        self._for_prediction = True
        with seeded(0, device):
            if not isinstance(self.module, nn.Module):
                self._check_on_meta_device(weights, own)
            self.initialize()
        self.device = parameter
        del self.__dict__["_for_prediction"]
        network = uncompiled(self.module_)
        check_weights(network, weights)
        finite = weights if own else dict(network.named_parameters())  # some buffers are masks
        if not all(bool(weights[name].isfinite().all()) for name in finite):
            raise ValueError("its weights contain NaN or infinity")
        network.load_state_dict(weights)
        self.history.extend({**epoch, "batches": []} for epoch in stored.history)
        self._try_prediction()

    def _check_on_meta_device(self, weights: Any, own: bool) -> None:
        """Compare weights with a network on the meta device, if it can be created there."""
        try:
            with torch.device("meta"), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # trained weights are not copied there
                network: Any = self.module(**self.get_params_for("module"))
        except Exception:  # a custom network may not support that device
            if own:
                raise
            return
        check_weights(network, weights)

    def _try_prediction(self) -> None:
        """Predict a blank image, without compiling, unless that takes much memory or processes."""
        many_workers = getattr(self, "iterator_valid__num_workers", 0)
        if math.prod(self.image_shape_) > TRIED_PIXELS or many_workers:
            return
        compiled, self.module_ = self.module_, uncompiled(self.module_)
        next(self.forward_iter(self._blank()))
        self.module_ = compiled

    def save_params(self, *args: Any, use_safetensors: bool = False, **kwargs: Any) -> None:
        """Save the states of the components, as skorch does.

        Parameters
        ----------
        *args, **kwargs : object
            Files, as in ``skorch.NeuralNet.save_params``.
        use_safetensors : bool, default=False
            Whether to write safetensors files, which cannot hold the state of an optimizer.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the state of the optimizer is requested, but the classifier was loaded from a file
            and does not have an optimizer.

        See Also
        --------
        save : Write everything that prediction needs, in one file.
        """
        f_optimizer = kwargs.get("f_optimizer", args[1] if len(args) > 1 else None)
        if f_optimizer is not None and self.initialized_ and not hasattr(self, "optimizer_"):
            raise NotFittedError(
                f"f_optimizer={f_optimizer!r} cannot be written: a classifier that was loaded from "
                "a file does not have an optimizer before it is trained. Remove f_optimizer, or "
                "call fit or partial_fit first."
            )
        net = copy.copy(self)
        if use_safetensors and self.initialized_:  # which supports only contiguous tensors
            network = copy.deepcopy(detach_derived(self.module_))
            net.__dict__["module_"] = network.to(memory_format=torch.contiguous_format)
        super(MNISTCNNClassifier, net).save_params(*args, use_safetensors=use_safetensors, **kwargs)

    def load_params(self, *args: Any, **kwargs: Any) -> None:
        """Load the files of ``save_params`` into a fitted classifier.

        Parameters
        ----------
        *args, **kwargs : object
            Files, as in ``skorch.NeuralNet.load_params``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        """
        check_is_fitted(self, msg=UNFITTED)
        with self._device_resolved():
            if not hasattr(self, "optimizer_"):  # a model file does not contain it
                self.initialize_optimizer()
            super().load_params(*args, **kwargs)
        restore_peaks(getattr(self, "optimizer_", None))  # not a rate from within a cycle

    def to_onnx(self, path: str | os.PathLike[str]) -> None:
        """Export the fitted classifier as an ONNX model, including scaling and softmax.

        The input ``X`` has the layout, dtype and pixel scale of the images in ``fit``, such as
        float32 of shape (n_samples, 784), and any number of images. The outputs are ``label`` of
        shape (n_samples,), with the dtype of the labels (float64 for all floats), and
        ``probabilities`` of shape (n_samples, n_classes), float32, in the order of ``classes_``.

        Parameters
        ----------
        path : path-like
            File to write. An existing file is replaced atomically.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        ImportError
            If ``onnx`` or ``onnxscript`` is missing; the extra ``onnx`` installs them.
        ValueError
            If ONNX does not support the type of the labels, or the network cannot be exported.
        OSError
            If the file cannot be written.

        See Also
        --------
        to_exported_program : Export a program that needs PyTorch.

        Notes
        -----
        The model uses operator set 18, which ONNX Runtime supports since version 1.14.
        """
        check_is_fitted(self)
        if self._writes_files():
            write_onnx(path, self._whole_classifier(), self.classes_)

    def to_exported_program(self) -> torch.export.ExportedProgram:
        """Export the fitted classifier as a ``torch.export`` program, on the CPU.

        The program takes a tensor with the layout, dtype and pixel scale of the images in ``fit``.
        It returns the index of each label in ``classes_``, int64 of shape (n_samples,), because
        tensors cannot contain strings, and probabilities, float32 of shape (n_samples, n_classes).
        Save it with ``torch.export.save``.

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
        to_onnx : Export a model that does not need PyTorch.

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
        return exported_program(self._whole_classifier())

    def _whole_classifier(self) -> WholeClassifier:
        return WholeClassifier(
            uncompiled(self.module_), self.input_format_, self.image_shape_, self.pixel_statistics_
        )

    def _writes_files(self) -> bool:
        """Whether this process writes files; of several that train together, only the first."""
        return self.accelerator is None or is_first_process()

    # --- scikit-learn -------------------------------------------------------------------------

    def set_params(self, /, **params: Any) -> Self:
        """Set parameters; if one of them is not valid, none is set.

        A fitted network keeps its weights. New values take effect in the next ``fit`` without
        ``warm_start``. ``partial_fit`` and a warm start also use new values of ``lr``, the
        arguments of the optimizer, callbacks, ``batch_size``, ``augment``, ``precision`` and
        ``random_state``. ``features_before`` takes effect immediately.

        Parameters
        ----------
        **params : object
            Parameters by name, including nested ones.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a name is not a valid parameter; the message suggests the closest match.
        """
        trial = object.__new__(type(self))
        trial.__dict__.update({**self.__dict__, **params})
        check_names(trial, params, self._get_param_names())
        self.__dict__.update(params)
        if params.get("random_state") is not None and self.initialized_:
            self._random_state = check_random_state(self.random_state)
        if any(name.partition("__")[0] in CALLBACK_PARAMETERS for name in params):
            if self._training is None:
                self.__dict__.pop("callbacks_", None)  # the next training run creates them again
            else:
                self._training.callbacks_changed = True
        for group in getattr(getattr(self, "optimizer_", None), "param_groups", []):
            for name, value in params.items():
                key = name.removeprefix("optimizer__")
                if key in group and name in ("lr", f"optimizer__{key}"):
                    group[key] = value
                    for kept in {"peak_lr", "initial_lr"} & group.keys() if key == "lr" else ():
                        group[kept] = value  # of a schedule
        return self

    @property
    def n_iter_(self) -> int:
        """Number of epochs that were trained."""
        check_is_fitted(self)
        return len(self.history_ or [])

    def history_frame(self) -> pandas.DataFrame:
        """Return the history as a data frame with one row per epoch, indexed by epoch.

        Returns
        -------
        pandas.DataFrame
            Losses, accuracy, seconds, and the values that callbacks have recorded.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        ImportError
            If pandas is not installed.
        """
        check_is_fitted(self)
        try:
            import pandas
        except ImportError as error:
            raise ImportError("history_frame needs pandas: pip install pandas") from error
        rows = [{k: v for k, v in epoch.items() if k != "batches"} for epoch in self.history_ or []]
        return pandas.DataFrame(rows).set_index("epoch")

    __repr__ = BaseEstimator.__repr__
    get_metadata_routing = BaseEstimator.get_metadata_routing
