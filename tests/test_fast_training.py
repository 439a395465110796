"""The training loop: augmentation, fused optimizers, batches of prediction, the GPU."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from helpers import quick, toy
from sklearn.base import clone
from skorch.callbacks import Callback
from skorch.dataset import ValidSplit
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.transforms import v2

from skorch_mnist import MNISTCNN

CLASSES = np.array(["a", "b", "c"])


class BatchesSeen(MNISTCNN):
    """Notes the number of images in each batch of evaluation."""

    def __init__(self, image_shape, n_classes):
        super().__init__(image_shape, n_classes)
        self.sizes = []

    def forward(self, images):
        if not self.training:
            self.sizes.append(len(images))
        return super().forward(images)


# --- augmentation ---------------------------------------------------------------------------


class Noting:
    """An augmentation that changes nothing and notes the batches that it gets."""

    def __init__(self):
        self.batches = []

    def __call__(self, images):
        self.batches.append(images.clone())
        return images


def test_augmentation_receives_the_training_batches_on_the_scale_of_x():
    X, y = toy(classes=CLASSES)
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


def test_identity_as_augmentation_changes_nothing():
    X, y = toy(classes=CLASSES)
    plain, noting = quick().fit(X, y), quick(augment=Noting()).fit(X, y)
    np.testing.assert_array_equal(plain.predict_proba(X), noting.predict_proba(X))


def test_the_network_learns_what_augmentation_returns():
    X, y = toy(classes=CLASSES)
    blank = quick(augment=torch.zeros_like, train_split=None).fit(X, y)
    assert blank.history_[-1, "train_loss"] == pytest.approx(np.log(3), abs=0.2)


def test_affine_augmentation_depends_on_the_seed():
    X, y = toy(classes=CLASSES)
    first, second = (quick(augment="affine").fit(X, y).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, quick().fit(X, y).predict_proba(X))
    other_seed = quick(augment="affine", random_state=1).fit(X, y)
    assert not np.array_equal(first, other_seed.predict_proba(X))


TRANSFORMS = {
    "rotation": v2.RandomRotation(90),
    "affine": v2.RandomAffine(12, translate=(0.1, 0.1)),
    "composition": v2.Compose([v2.RandomCrop(8, padding=2), v2.RandomErasing(1.0)]),
    "first version": transforms.RandomRotation(90),
}


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_a_transform_of_torchvision_draws_for_each_image(transform):
    """As in the guide to speed."""
    seen = []

    def transform_each(images):
        seen.append(torch.stack([transform(image) for image in images]))
        return seen[-1]

    image, y = toy(n=1, shape=(8, 8, 3))[0], np.arange(16) % 2
    X = np.repeat(image, 16, axis=0)
    clf = quick(augment=transform_each, max_epochs=1, train_split=None).fit(X, y)
    assert len({changed.numpy().tobytes() for changed in seen[0]}) > 8
    again = clone(clf).fit(X, y)
    assert torch.equal(seen[0], seen[1])  # random_state seeds the transform
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))


def test_augmentation_works_with_weights_and_partial_fit():
    X, y = toy(classes=CLASSES)
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
        (lambda images: None, r"a NoneType, but must return a torch.Tensor"),
        (lambda images: images.numpy(), r"a ndarray, but must return a torch.Tensor"),
    ],
)
def test_augmentation_that_returns_another_shape_is_refused(augment, found):
    clf = quick(augment=augment)
    with pytest.raises(ValueError, match=f"returned {found}"):
        clf.fit(*toy(classes=CLASSES))
    assert not hasattr(clf, "classes_")


def test_augmentation_can_be_a_module():
    X, y = toy(classes=CLASSES)
    clf = clone(quick(augment=torch.nn.Identity())).fit(X, y)
    np.testing.assert_array_equal(clf.predict_proba(X), quick().fit(X, y).predict_proba(X))
    assert not hasattr(clf, "augment_") and "augment" not in clf._modules
    again = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))


def test_nan_after_augmentation_is_not_blamed_on_the_learning_rate_alone():
    with pytest.raises(ValueError, match="check that augment does not return nan or inf"):
        quick(augment=lambda images: images * float("nan")).fit(*toy(classes=CLASSES))


def test_unknown_augmentation_is_refused():
    with pytest.raises(ValueError, match="'augment'"):
        quick(augment="elastic").fit(*toy(classes=CLASSES))


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
def test_optimizers_are_fused_if_torch_can(params, fused):
    X, y = toy(classes=CLASSES)
    clf = quick(**params).fit(X, y)
    assert clf.optimizer_.defaults.get("fused") is fused
    assert "optimizer__fused" in params or "optimizer__fused" not in clf.get_params()


def test_lbfgs_learns():
    X, y = toy(classes=CLASSES)
    without_dropout = {"module__channel_dropout": 0.0, "module__dropout": 0.0}
    clf = quick(optimizer=torch.optim.LBFGS, lr=0.1, batch_size=-1, **without_dropout).fit(X, y)
    assert clf.history_[-1, "train_loss"] < clf.history_[0, "train_loss"]


# --- batches of prediction ------------------------------------------------------------------


def test_batches_of_prediction_do_not_depend_on_batch_size():
    X, y = toy(classes=CLASSES)
    clf = quick(module=BatchesSeen, batch_size=7).fit(X, y)
    assert clf.module_.sizes == [12, 12]  # validation, after each epoch
    clf.module_.sizes.clear()
    many = np.tile(X, (60, 1, 1))
    clf.predict(many)
    assert clf.module_.sizes == [128 * 28 * 28 // 36, 3600 - 128 * 28 * 28 // 36]


def test_batches_of_prediction_have_at_least_one_image():
    X, y = np.zeros((4, 330, 330), np.uint8), np.arange(4) % 2
    X[::2] = 255
    clf = quick(module=BatchesSeen, train_split=None, max_epochs=1).fit(X, y)
    clf.predict(X)
    assert clf.module_.sizes == [1] * 4


def test_batch_size_of_prediction_can_be_set():
    X, y = toy(classes=CLASSES)
    clf = quick(module=BatchesSeen, iterator_valid__batch_size=25).fit(X, y)
    clf.module_.sizes.clear()
    clf.predict(X)
    assert clf.module_.sizes == [25, 25, 10]


def test_own_loader_is_used_unless_the_user_asks_for_more():
    X, y = toy(classes=CLASSES)
    clf = quick().fit(X, y)
    assert not isinstance(clf.get_iterator(clf.get_dataset(X), training=True), DataLoader)
    clf.set_params(iterator_train__pin_memory=False)
    assert type(clf.get_iterator(clf.get_dataset(X), training=True)) is DataLoader


# --- compiling, other loaders, the GPU ------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # of torch's own
def test_compiled_network_learns(backend):
    X, y = toy(classes=CLASSES)
    clf = quick(compile=True, compile__backend=backend, max_epochs=20).fit(X, y)
    assert clf.score(X, y) > 0.9


def test_callbacks_get_the_labels_of_a_custom_iterator():
    X, y = toy(classes=CLASSES)

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
    X, y = toy(classes=CLASSES)
    clf = quick(device="cuda", augment=augment, max_epochs=20, precision="auto")
    first, second = (clone(clf).fit(X, y) for _ in range(2))
    assert first.score(X, y) > 0.9
    np.testing.assert_allclose(first.predict_proba(X), second.predict_proba(X), atol=1e-3)


@cuda
def test_images_are_on_the_gpu_once():
    X, y = toy(classes=CLASSES)
    clf = quick(device="cuda").fit(X, y)
    dataset = clf.get_dataset(X)
    loaders = [clf.get_iterator(dataset, training=training) for training in (True, False)]
    assert all(loader.dataset.X.device.type == "cuda" for loader in loaders)
    assert loaders[0].dataset.X is loaders[1].dataset.X
    assert isinstance(dataset.X, np.ndarray)


@cuda
@pytest.mark.parametrize("argument", [{"num_workers": 2}, {"pin_memory": True}])
def test_loaders_of_torch_read_from_cpu_memory(argument):
    X, y = toy(classes=CLASSES)
    params = {f"iterator_train__{name}": value for name, value in argument.items()}
    assert quick(device="cuda", **params).fit(X, y).n_iter_ == 2


def test_own_loader_is_used_for_the_parts_of_a_splitter():
    loaders = []

    class Look(Callback):
        def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs):
            loaders.extend(
                net.get_iterator(dataset, training=training)
                for dataset, training in ((dataset_train, True), (dataset_valid, False))
            )

    X, y = toy(classes=CLASSES)
    quick(max_epochs=1, train_split=ValidSplit(3), callbacks=[Look()]).fit(X, y)
    assert [isinstance(loader, DataLoader) for loader in loaders] == [False, False]
