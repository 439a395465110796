"""Precision: only training computes in bfloat16, and prediction stays float32."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import quick, toy

from skorch_mnist import MNISTCNN


class DtypesSeen(MNISTCNN):
    """Notes the dtype of the first feature maps, in training and in evaluation."""

    def __init__(self, image_shape, n_classes):
        super().__init__(image_shape, n_classes)
        self.seen = set()
        self.conv1.register_forward_hook(
            lambda layer, images, maps: self.seen.add((self.training, maps.dtype))
        )


@pytest.mark.filterwarnings("ignore:.*may be much slower than 'float32' on this cpu:UserWarning")
def test_only_training_computes_in_bfloat16():
    X, y = toy()
    clf = quick(module=DtypesSeen, precision="bfloat16", max_epochs=25).fit(X, y)
    assert clf.module_.seen == {(True, torch.bfloat16), (False, torch.float32)}
    assert {weights.dtype for weights in clf.module_.parameters()} == {torch.float32}
    assert clf.predict_proba(X).dtype == np.float64
    assert clf.score(X, y) > 0.8


@pytest.mark.filterwarnings("ignore:.*may be much slower than 'float32' on this cpu:UserWarning")
def test_bfloat16_is_repeatable_and_not_float32():
    X, y = toy()
    clf = quick(precision="bfloat16")
    first, second = (clf.fit(X, y).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    in_float32 = clf.set_params(precision="float32").fit(X, y).predict_proba(X)
    assert not np.array_equal(first, in_float32)
    np.testing.assert_allclose(first, in_float32, atol=0.1)
    auto = clf.set_params(precision="auto").fit(X, y).predict_proba(X)
    assert np.array_equal(auto, first) or np.array_equal(auto, in_float32)


def test_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="'precision'"):
        quick(precision="float16").fit(*toy())
