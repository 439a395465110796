"""Parameters and labels as JSON's types, and back."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from skorch_mnist.plain_data import (
    UnstorableError,
    decode,
    decode_classes,
    encode,
    encode_classes,
)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
keys = scalars | st.tuples(scalars, scalars)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(values)
def test_plain_data_survive_encoding(value):
    assert repr(decode(json.loads(json.dumps(encode(value))))) == repr(value)


@pytest.mark.parametrize(
    "kind", [nn.CrossEntropyLoss, torch.optim.AdamW, torch.utils.data.DataLoader]
)
def test_known_classes_survive_encoding(kind):
    assert decode(encode(kind)) is kind


@pytest.mark.parametrize("value", [print, object(), nn.Linear, nn.Linear(1, 1), {1: [print]}, b"x"])
def test_other_values_are_refused(value):
    with pytest.raises(UnstorableError):
        encode(value)


@pytest.mark.parametrize(
    "name", ["os.system", "torch.nn.Linear", "torch.optim.os", "builtins.eval", 3, None]
)
def test_other_classes_are_not_found(name):
    with pytest.raises(ValueError, match="not among the classes allowed"):
        decode({"class": name})


@pytest.mark.parametrize(
    "labels", [[1, 5], [False, True], [0.5, 1.5], ["a", "bee"], np.array(["x", "y"], dtype=object)]
)
def test_labels_survive_encoding(labels):
    labels = np.asarray(labels)
    back = decode_classes(**json.loads(json.dumps(encode_classes(labels))))
    np.testing.assert_array_equal(back, labels)
    assert back.dtype == labels.dtype
