"""The training loop's own ways: augmentation, fused optimizers, batches of prediction, the GPU."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from skorch.callbacks import Callback
from skorch.dataset import ValidSplit

from skorch_mnist import MNISTCNN, MNISTCNNClassifier
from skorch_mnist._batches._image_dataset import BatchLoader


def toy(n=60):
    rng = np.random.RandomState(0)
    y = np.arange(n) % 3
    X = rng.rand(n, 6, 6) * 255
    X[np.arange(n), 0, y] += 300
    return X, np.array(["a", "b", "c"])[y]


def quick(**params):
    defaults = {"max_epochs": 2, "batch_size": 16, "random_state": 0, "verbose": 0}
    return MNISTCNNClassifier(**{**defaults, **params})


class BatchesSeen(MNISTCNN):
    """Notes how many images come in evaluation."""

    def __init__(self, image_shape, n_classes):
        super().__init__(image_shape, n_classes)
        self.sizes = []

    def forward(self, images):
        if not self.training:
            self.sizes.append(len(images))
        return super().forward(images)


# --- augmentation ---------------------------------------------------------------------------


class Noting:
    """An augmentation that changes nothing and notes what it was given."""

    def __init__(self):
        self.batches = []

    def __call__(self, images):
        self.batches.append(images.clone())
        return images


def test_augmentation_sees_the_batches_of_training_in_the_pixels_of_the_user():
    X, y = toy()
    noting = Noting()
    clf = quick(augment=noting).fit(X, y)
    assert [len(batch) for batch in noting.batches] == [16, 16, 16] * 2
    assert all(batch.shape[1:] == (1, 6, 6) for batch in noting.batches)
    assert all(batch.dtype == torch.float32 for batch in noting.batches)
    seen = {image.numpy().tobytes() for batch in noting.batches[:3] for image in batch[:, 0]}
    given = {image.tobytes() for image in X.astype(np.float32)}
    assert len(seen) == 48 and seen < given  # none of the 12 validation images
    noting.batches.clear()
    clf.predict(X), clf.score(X, y)
    assert noting.batches == []


def test_augmentation_that_changes_nothing_changes_nothing():
    X, y = toy()
    plain, noting = quick().fit(X, y), quick(augment=Noting()).fit(X, y)
    np.testing.assert_array_equal(plain.predict_proba(X), noting.predict_proba(X))


def test_what_augmentation_returns_is_learned():
    X, y = toy()
    blank = quick(augment=torch.zeros_like, train_split=None).fit(X, y)
    assert blank.history_[-1, "train_loss"] == pytest.approx(np.log(3), abs=0.2)


def test_affine_augmentation_is_decided_by_the_seed():
    X, y = toy()
    first, second = (quick(augment="affine").fit(X, y).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, quick().fit(X, y).predict_proba(X))
    other_seed = quick(augment="affine", random_state=1).fit(X, y)
    assert not np.array_equal(first, other_seed.predict_proba(X))


def test_augmentation_goes_with_weights_and_partial_fit():
    X, y = toy()
    clf = quick(augment="affine", class_weight="balanced").fit(X, y, np.linspace(0, 1, 60))
    assert clf.predict_proba(X).shape == (60, 3)
    clf = quick(augment=Noting()).partial_fit(X, y, classes=["a", "b", "c"])
    assert len(clf.augment.batches) == 4


@pytest.mark.parametrize(
    ("augment", "found"),
    [
        (
            lambda images: images[:1],
            r"a tensor of shape \(1, 1, 6, 6\) for a batch of shape \(16, ",
        ),
        (lambda images: images.squeeze(1), r"a tensor of shape \(16, 6, 6\) for a batch"),
        (lambda images: images.mean(), r"a tensor of shape \(\) for a batch"),
        (lambda images: None, r"a NoneType. It must return a torch.Tensor"),
        (lambda images: images.numpy(), r"a ndarray. It must return a torch.Tensor"),
    ],
)
def test_augmentation_that_returns_no_such_batch_is_refused(augment, found):
    clf = quick(augment=augment)
    with pytest.raises(ValueError, match=f"returned {found}"):
        clf.fit(*toy())
    assert not hasattr(clf, "classes_")


def test_augmentation_can_be_a_module():
    X, y = toy()
    clf = clone(quick(augment=torch.nn.Identity())).fit(X, y)
    np.testing.assert_array_equal(clf.predict_proba(X), quick().fit(X, y).predict_proba(X))
    assert not hasattr(clf, "augment_") and "augment" not in clf._modules
    again = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))


def test_numbers_that_are_none_are_not_blamed_on_the_learning_rate_alone():
    with pytest.raises(ValueError, match="look for nan and inf in what augment returns"):
        quick(augment=lambda images: images * float("nan")).fit(*toy())


def test_augmentation_of_another_name_is_refused():
    with pytest.raises(ValueError, match="'augment' parameter"):
        quick(augment="elastic").fit(*toy())


# --- optimizers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "fused"),
    [
        ({}, True),
        ({"optimizer": torch.optim.AdamW}, True),
        ({"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9}, None),
        ({"optimizer__fused": False}, False),
        ({"optimizer__foreach": True}, None),
        ({"optimizer": torch.optim.RMSprop}, None),
    ],
)
def test_optimizers_work_in_one_kernel_where_torch_has_one(params, fused):
    X, y = toy()
    clf = quick(**params).fit(X, y)
    assert clf.optimizer_.defaults.get("fused") is fused
    assert "optimizer__fused" in params or "optimizer__fused" not in clf.get_params()


def test_an_optimizer_that_needs_one_vector_of_weights():
    X, y = toy()
    without_dropout = {"module__channel_dropout": 0.0, "module__dropout": 0.0}
    clf = quick(optimizer=torch.optim.LBFGS, lr=0.1, batch_size=-1, **without_dropout).fit(X, y)
    assert clf.history_[-1, "train_loss"] < clf.history_[0, "train_loss"]


# --- batches of prediction ------------------------------------------------------------------


def test_batches_of_prediction_do_not_depend_on_batch_size():
    X, y = toy()
    clf = quick(module=BatchesSeen, batch_size=7).fit(X, y)
    assert clf.module_.sizes == [12, 12]  # validation, after each epoch
    clf.module_.sizes.clear()
    many = np.tile(X, (60, 1, 1))
    clf.predict(many)
    assert clf.module_.sizes == [128 * 28 * 28 // 36, 3600 - 128 * 28 * 28 // 36]


def test_batches_of_prediction_have_at_least_one_image():
    X, y = np.zeros((4, 600, 600), np.uint8), np.arange(4) % 2
    X[::2] = 255
    clf = quick(module=BatchesSeen, train_split=None, max_epochs=1).fit(X, y)
    clf.predict(X)
    assert clf.module_.sizes == [1] * 4


def test_batches_of_prediction_can_be_set():
    X, y = toy()
    clf = quick(module=BatchesSeen, iterator_valid__batch_size=25).fit(X, y)
    clf.module_.sizes.clear()
    clf.predict(X)
    assert clf.module_.sizes == [25, 25, 10]


def test_own_loader_is_used_unless_the_user_asks_for_more():
    X, y = toy()
    clf = quick().fit(X, y)
    assert type(clf.get_iterator(clf.get_dataset(X), training=True)) is BatchLoader
    clf.set_params(iterator_train__pin_memory=False)
    assert type(clf.get_iterator(clf.get_dataset(X), training=True)) is torch.utils.data.DataLoader


# --- several processes, compiling, the GPU --------------------------------------------------


def test_two_processes_give_the_scores_of_one():
    X, y = toy(90)
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as joblib's processes have: sums depend on the number of threads
    try:
        one, two = (cross_val_score(quick(), X, y, cv=3, n_jobs=n_jobs) for n_jobs in (1, 2))
    finally:
        torch.set_num_threads(n_threads)
    np.testing.assert_array_equal(one, two)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # of torch's own
def test_compiled_network_learns():
    X, y = toy()
    clf = quick(compile=True, compile__backend="aot_eager", max_epochs=20).fit(X, y)
    assert clf.score(X, y) > 0.9


def test_labels_of_an_iterator_of_ones_own_reach_callbacks_as_given():
    X, y = toy()

    class OfArrays:
        def __init__(self, dataset, batch_size):
            self.dataset = dataset

        def __iter__(self):
            items = [self.dataset[i] for i in range(len(self.dataset))]
            yield (
                np.stack([image for image, _ in items]),
                np.array([int(code) for _, code in items]),
            )

    clf = quick(iterator_train=OfArrays, iterator_valid=OfArrays).fit(X, y)
    assert 0 <= clf.history_[-1, "valid_acc"] <= 1


cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@cuda
@pytest.mark.parametrize("augment", [None, "affine"])
def test_a_gpu_learns(augment):
    X, y = toy()
    clf = quick(device="cuda", augment=augment, max_epochs=20, precision="auto")
    first, second = (clone(clf).fit(X, y) for _ in range(2))
    assert first.score(X, y) > 0.9
    np.testing.assert_allclose(first.predict_proba(X), second.predict_proba(X), atol=1e-3)


@cuda
def test_images_lie_on_the_gpu_once():
    X, y = toy()
    clf = quick(device="cuda").fit(X, y)
    dataset = clf.get_dataset(X)
    loaders = [clf.get_iterator(dataset, training=training) for training in (True, False)]
    assert all(loader.reader.dataset.X.device.type == "cuda" for loader in loaders)
    assert loaders[0].reader.dataset is loaders[1].reader.dataset
    assert isinstance(dataset.X, np.ndarray)


@cuda
@pytest.mark.parametrize("argument", [{"num_workers": 2}, {"pin_memory": True}])
def test_loaders_of_torch_read_from_the_memory_of_the_cpu(argument):
    X, y = toy()
    params = {f"iterator_train__{name}": value for name, value in argument.items()}
    assert quick(device="cuda", **params).fit(X, y).n_iter_ == 2


def test_images_of_a_splitter_are_gathered_in_whole_batches_too():
    loaders = []

    class Look(Callback):
        def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs):
            loaders.extend(
                net.get_iterator(dataset, training=training)
                for dataset, training in ((dataset_train, True), (dataset_valid, False))
            )

    X, y = toy()
    quick(max_epochs=1, train_split=ValidSplit(3), callbacks=[Look()]).fit(X, y)
    assert [type(loader) for loader in loaders] == [BatchLoader, BatchLoader]
