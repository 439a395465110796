"""Precision: what "auto" stands for, and that only training computes in it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from skorch_mnist import MNISTCNN, MNISTCNNClassifier
from skorch_mnist import _devices as precision_module
from skorch_mnist._devices import autocast_for, has_bfloat16, resolve_precision

CPU = torch.device("cpu")


@pytest.fixture(params=[False, True])
def has_instructions(request, monkeypatch):
    monkeypatch.setattr(precision_module, "has_bfloat16", lambda device: request.param)
    return request.param


def toy(n=60):
    rng = np.random.RandomState(0)
    y = np.arange(n) % 3
    X = rng.rand(n, 6, 6)
    X[np.arange(n), 0, y] += 3
    return X, y


class DtypesSeen(MNISTCNN):
    """Notes the dtype of what the first convolution makes, in training and in evaluation."""

    def __init__(self, image_shape, n_classes):
        super().__init__(image_shape, n_classes)
        self.seen = set()
        self.conv1.register_forward_hook(
            lambda layer, images, maps: self.seen.add((self.training, maps.dtype))
        )


def test_float32_is_float32_everywhere(has_instructions):
    assert resolve_precision("float32", CPU) == torch.float32


def test_auto_follows_the_hardware(has_instructions):
    expected = torch.bfloat16 if has_instructions else torch.float32
    assert resolve_precision("auto", CPU) == expected


@pytest.mark.parametrize("has_instructions", [True], indirect=True)
def test_bfloat16_is_quiet_where_the_hardware_has_it(has_instructions):
    assert resolve_precision("bfloat16", CPU) == torch.bfloat16


@pytest.mark.parametrize("has_instructions", [False], indirect=True)
def test_bfloat16_warns_where_it_is_emulated(has_instructions):
    with pytest.warns(UserWarning, match="no instructions for it on this cpu"):
        assert resolve_precision("bfloat16", CPU) == torch.bfloat16


@pytest.mark.parametrize("answers", [(False, False), (True, False), (False, True), (None, None)])
def test_torch_is_asked_about_the_cpu(monkeypatch, answers):
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    for name, answer in zip(names, answers, strict=True):
        if answer is None:  # a torch without the question
            monkeypatch.delattr(torch.cpu, name)
        else:
            monkeypatch.setattr(torch.cpu, name, lambda answer=answer: answer)
    assert has_bfloat16(CPU) is any(answers)
    assert not has_bfloat16(torch.device("mps"))


def test_context_of_float32_changes_nothing():
    with autocast_for(torch.float32, CPU):
        assert nn.Linear(2, 2)(torch.ones(1, 2)).dtype == torch.float32
    with autocast_for(torch.bfloat16, CPU):
        assert nn.Linear(2, 2)(torch.ones(1, 2)).dtype == torch.bfloat16


@pytest.mark.parametrize("has_instructions", [True], indirect=True)
def test_training_alone_computes_in_bfloat16(has_instructions):
    X, y = toy()
    clf = MNISTCNNClassifier(DtypesSeen, precision="auto", max_epochs=25, random_state=0, verbose=0)
    clf.fit(X, y)
    assert clf.module_.seen == {(True, torch.bfloat16), (False, torch.float32)}
    assert {weights.dtype for weights in clf.module_.parameters()} == {torch.float32}
    assert clf.predict_proba(X).dtype == np.float64
    assert clf.score(X, y) > 0.8


@pytest.mark.parametrize("has_instructions", [True], indirect=True)
def test_bfloat16_is_repeatable_and_not_float32(has_instructions):
    X, y = toy()
    clf = MNISTCNNClassifier(precision="auto", max_epochs=2, random_state=0, verbose=0)
    first, second = (clf.fit(X, y).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    in_float32 = clf.set_params(precision="float32").fit(X, y).predict_proba(X)
    assert not np.array_equal(first, in_float32)
    np.testing.assert_allclose(first, in_float32, atol=0.1)


def test_another_precision_is_refused():
    with pytest.raises(ValueError, match="'precision' parameter"):
        MNISTCNNClassifier(precision="float16").fit(*toy())
