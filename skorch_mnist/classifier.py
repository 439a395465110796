"""The classifier: its parameters, and what scikit-learn asks of an estimator."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import EarlyStopping
from skorch.utils import noop
from torch import nn
from torch.utils.data import DataLoader

from skorch_mnist._batches import ImageDataset, ImageStream
from skorch_mnist._learning_rate import OneCycle
from skorch_mnist._parameters import CheckedParameters
from skorch_mnist._processes import Processes
from skorch_mnist._progress import EpochTable, TrainingBar, show
from skorch_mnist._seeding import seeded
from skorch_mnist._storage._portable import PortableClassifier
from skorch_mnist.network import MNISTCNN
from skorch_mnist.prediction import ImagePredictions
from skorch_mnist.sklearn_callbacks import CallbackSupportMixin, FitTasks, with_callbacks
from skorch_mnist.training_data import CheckedData
from skorch_mnist.whole_epochs import SplitData

if TYPE_CHECKING:
    import pandas

__all__ = ["MNISTCNNClassifier"]


class MNISTCNNClassifier(
    CheckedParameters, CallbackSupportMixin, ImagePredictions, PortableClassifier, CheckedData
):
    """Convolutional network for images, as a scikit-learn classifier.

    Parameters
    ----------
    module : type, callable or torch.nn.Module, default=MNISTCNN
        The network, or what makes it. It gets float32 images of shape (batch, channels, height,
        width), standardized, and returns logits of shape (batch, n_classes). Arguments named
        ``image_shape`` and ``n_classes`` are filled in from the data. An instance is copied.
    criterion : type, callable or torch.nn.Module, default=torch.nn.CrossEntropyLoss
        Loss of logits and codes. ``NLLLoss`` gets the logarithm of the softmax.
    optimizer : type or callable, default=torch.optim.Adam
    lr : float, default=1e-3
        Learning rate, positive.
    lr_schedule : "one_cycle" or None, default=None
        How the learning rate changes. "one_cycle" raises it to ``lr`` in the first three tenths of
        the training, and lowers it to nearly 0 until the end; each call of ``fit`` or
        ``partial_fit`` is a cycle of its own. None leaves it as it is.
    batch_size : int, default=64
        Images in a batch of training; -1 takes all in one. Batches of validation and prediction
        have as many pixels as suit the device: 128 images of 28x28 on a CPU, 4,096 on a GPU.
        ``iterator_valid__batch_size`` changes that, for networks too wide for the memory of a GPU.
    max_epochs : int, default=10
        Passes over the training images, at least 1.
    train_split : float in (0, 1), callable or None, default=0.2
        Share of the samples for validation after each epoch, drawn with ``random_state`` from each
        class alike. Too few samples, or too rare a class, are split without regard to classes,
        with a warning. Images of an ``IterableDataset`` are drawn by a hash of their pixels. A
        callable such as ``skorch.dataset.ValidSplit`` is called with the data set and the labels.
        None trains on all samples.
    image_shape : (height, width), (channels, height, width) or None, default=None
        Shape of the images in flat rows. None takes them for squares.
    augment : "affine", callable or None, default=None
        Changes the images of each batch of training, never those of validation or prediction.
        "affine" rotates each image by up to 12 degrees, stretches its sides by up to 12 %, shears
        it by up to 15 % and shifts it by up to 1/14 of its sides, or a little more, at random. A
        callable, a module of torchvision's for instance, gets float32 images of shape (batch,
        channels, height, width), in the pixels of ``X`` and on the device, and returns a tensor of
        the same shape.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss. "balanced" is n_samples / (n_classes * count).
    early_stopping : bool, default=False
        Stop when the accuracy on the validation samples has not improved by more than 1e-4 for
        ``n_iter_no_change`` epochs, and go back to the weights of the best epoch.
    n_iter_no_change : int, default=10
        Epochs without improvement before early stopping, at least 1.
    warm_start : bool, default=False
        Whether ``fit`` continues from the weights that it finds, instead of new ones.
    random_state : int, RandomState instance or None, default=None
        Seeds initial weights, split, shuffle, dropout and augmentation. Pass an int for the same
        result each time. Torch's global generators are left as they were found.
    device : str, torch.device or None, default="auto"
        "auto" is CUDA, else Apple's MPS, else the CPU. Resolved in ``fit``, see ``device_``.
    accelerator : accelerate.Accelerator, "auto" or None, default=None
        The processes that train this network together, each on a device of its own: those that
        ``accelerate launch`` has started. "auto" makes an ``Accelerator``. All processes call
        ``fit`` with the same data and parameters, and take equal shares of each batch. None trains
        in this process alone.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        What training computes in; the weights stay float32, and so does prediction. "bfloat16"
        is automatic mixed precision, "auto" that where the device has instructions for it.
    verbose : int, default=1
        0 is silent, 1 prints the table of epochs, 2 shows a progress bar as well, in notebooks and
        where standard error is a terminal. In worker processes, nothing is shown.
    callbacks : list, "disable" or None, default=None
        skorch callbacks, with or without names, added to those that record the history.
    iterator_train, iterator_valid : type or callable, default=torch.utils.data.DataLoader
        What makes batches for training, and for validation and prediction.
    compile : bool, default=False
        Whether to compile the network with ``torch.compile``.
    use_caching : bool or "auto", default="auto"
        As in skorch: whether scoring callbacks reuse the outputs of the validation step.
    **nested : object
        Arguments of the components: ``module__dropout``, ``criterion__label_smoothing``,
        ``optimizer__weight_decay``, ``iterator_train__num_workers``,
        ``callbacks__print_log__sink``, ``compile__mode``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in ascending order.
    n_features_in_ : int
        Pixels of an image, all channels together, as given.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns, where ``X`` was a data frame with such names.
    image_shape_ : tuple of int
        Channels, height and width.
    input_format_ : InputFormat
        Shape of one image and dtype as ``X`` came in ``fit``, ``(784,)`` and ``"uint8"`` for
        instance: what an exported classifier takes.
    pixel_statistics_ : PixelStatistics
        Mean, standard deviation, lowest and highest value of the pixels seen in ``fit``.
    history_ : skorch.history.History
        Losses, accuracy and seconds of each epoch.
    n_iter_ : int
        Epochs that were trained.
    module_, criterion_, optimizer_, callbacks_ :
        The components at work. A pickle leaves the optimizer out.
    device_ : torch.device
        Where the network lies.

    See Also
    --------
    MNISTCNN : The default network.
    sklearn.neural_network.MLPClassifier : Fully connected networks in scikit-learn.
    skorch.NeuralNetClassifier : The parent, with more about callbacks.

    Notes
    -----
    Pixels may be on any scale: their mean and standard deviation are learned in ``fit``. With
    weights, the loss of a batch is the weighted mean; a sample of weight 0 is left out before
    anything is learned. When ``fit`` is interrupted, the classifier has the weights of the last
    finished epoch, or is as it was before.

    Defaults and network are those of the walk-through "train a CNN with skorch for MNIST digit
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
        "augment": [StrOptions({"affine"}), callable, None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "early_stopping": ["boolean"],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "device": [str, torch.device, None],
        "accelerator": [StrOptions({"auto"}), HasMethods(["gather", "prepare_model"]), None],
        "precision": [StrOptions({"float32", "bfloat16", "auto"})],
        "verbose": ["verbose"],
        "callbacks": [list, StrOptions({"disable"}), None],
        "iterator_train": [callable],
        "iterator_valid": [callable],
        "compile": ["boolean"],
        "use_caching": ["boolean", StrOptions({"auto"})],
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
        augment: Literal["affine"] | Callable[[torch.Tensor], torch.Tensor] | None = None,
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
        self.__dict__.update(nested)

    # --- training ---------------------------------------------------------------------------

    @with_callbacks  # type: ignore[untyped-decorator, unused-ignore]
    def fit(
        self, X: Any, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like, DataFrame, tensor, torch Dataset or SliceDataset
            Images, pixels of any real dtype and scale: (n_samples, n_pixels), (n_samples, height,
            width), or with 1 or 3 channels (n_samples, channels, height, width) or (n_samples,
            height, width, channels). A torch data set yields such images, or pairs of image and
            label; an ``IterableDataset`` yields pairs, the same each time that it is read.
        y : array-like of shape (n_samples,) or None, default=None
            Labels: numbers, strings or booleans. None takes those of the data set ``X``.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights, not negative; None weighs all alike.

        Returns
        -------
        self : MNISTCNNClassifier

        Raises
        ------
        ValueError
            If a parameter, ``X``, ``y`` or ``sample_weight`` is not valid; ``self`` is then as it
            was.
        """
        tasks = FitTasks(self, X, y, sample_weight)
        with self._all_or_whole_epochs():
            self._validate_params()
            self._processes = Processes.of(self.accelerator, self.device)
            known = self.warm_start and self.__sklearn_is_fitted__()
            dataset = self._check_training_data(
                X, y, sample_weight, known=known, split=self.train_split
            )
            if not known:
                self._start_anew(dataset)
            self._train_seeded(self._split(dataset), self.max_epochs, tasks)
        tasks.end(self)
        return self

    def partial_fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one more epoch, on all of ``X``.

        The scale of the pixels is learned in the first call.

        Parameters
        ----------
        X, y, sample_weight :
            As in ``fit``. ``y`` may lack some classes.
        classes : array-like of shape (n_classes,) or None, default=None
            All labels that will ever come; needed in the first call.

        Returns
        -------
        self : MNISTCNNClassifier

        Raises
        ------
        ValueError
            As in ``fit``; if the first call lacks ``classes``; if ``y`` has others; or with
            ``early_stopping=True`` or ``class_weight="balanced"``, which need all data at once.
        """
        with self._all_or_whole_epochs():
            self._validate_params()
            self._processes = Processes.of(self.accelerator, self.device)
            if self.early_stopping or self.class_weight == "balanced":
                raise ValueError(
                    'early_stopping=True and class_weight="balanced" need all data at once: '
                    "partial_fit does not support them. Use fit, or give the weights as a dict."
                )
            known = self.__sklearn_is_fitted__()
            if not known and classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
            dataset = self._check_training_data(
                X, y, sample_weight, classes, known=known, split=None
            )
            if not known:
                self._start_anew(dataset)
            self._train_seeded(SplitData(dataset, None), epochs=1)
        return self

    def _start_anew(self, dataset: ImageDataset | ImageStream) -> None:
        """Learn the scale of the pixels; make seeds, weights and history start again."""
        self.pixel_statistics_ = dataset.pixel_statistics()
        self._random_state = check_random_state(self.random_state)
        if self.random_state is None and self._processes is not None:
            self._random_state = self._processes.same_random_state(self._random_state)
        self.initialized_, self.history_ = False, None

    def _train_seeded(self, data: SplitData, epochs: int, tasks: FitTasks | None = None) -> None:
        """Train from a seed of our own, and leave torch's global generators alone."""
        self._seed = seed = self._random_state.randint(np.iinfo(np.int32).max)
        if self._processes is not None:
            self._check_processes_agree(self._processes, data)
        with seeded(seed, self._resolve_device()):
            if not self.initialized_:
                self.initialize()
            else:
                if self._processes is not None and self.device_ != self._processes.device:
                    self._move_to(self._processes.device)
                if not hasattr(self, "callbacks_"):  # other parameters were set
                    self._initialize_callbacks()
                if not hasattr(self, "optimizer_"):  # left out of a pickle
                    self.initialize_optimizer()
                for group in self.optimizer_.param_groups:
                    group.setdefault("initial_lr", group["lr"])  # for schedulers that go on
                self._last_epoch = self._training_state()
            self._train(data, epochs, tasks)

    # --- scikit-learn -----------------------------------------------------------------------

    @property
    def n_iter_(self) -> int:
        """Epochs that were trained."""
        check_is_fitted(self)
        return len(self.history_ or [])

    def history_frame(self) -> pandas.DataFrame:
        """Return the history as a data frame: a row for each epoch, by number.

        Returns
        -------
        pandas.DataFrame
            Losses, accuracy, seconds and what callbacks have recorded.

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
            raise ImportError("history_frame needs pandas: pip install pandas.") from error
        rows = [{k: v for k, v in epoch.items() if k != "batches"} for epoch in self.history_ or []]
        return pandas.DataFrame(rows).set_index("epoch")

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        callbacks = [pair for pair in super()._default_callbacks if pair[0] != "print_log"]
        callbacks.append(("print_log", EpochTable(sink=show)))
        if self.early_stopping:
            stopping = EarlyStopping(
                monitor="valid_acc",
                lower_is_better=False,
                patience=self.n_iter_no_change,
                threshold=1e-4,  # MLPClassifier's tol
                threshold_mode="abs",
                load_best=True,
                sink=show if self.verbose else noop,
            )
            callbacks.append(("early_stopping", stopping))
        if self.lr_schedule == "one_cycle":
            callbacks.append(("one_cycle", OneCycle()))
        if self.verbose >= 2:
            callbacks.append(("progress_bar", TrainingBar()))
        return callbacks

    def __sklearn_is_fitted__(self) -> bool:
        return bool(self.initialized_) and hasattr(self, "classes_inferred_")

    __repr__ = BaseEstimator.__repr__
    get_metadata_routing = BaseEstimator.get_metadata_routing
