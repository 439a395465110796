"""Parameters and labels as JSON's types, and back."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from skorch_mnist._storage._plain_data import (
    UnstorableError,
    decode,
    decode_classes,
    encode,
    encode_classes,
)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
atoms = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
keys = atoms | st.tuples(atoms, atoms)  # two NaN may be two keys, or one
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
def test_plain_data_round_trip(value):
    assert repr(decode(json.loads(json.dumps(encode(value))))) == repr(value)


def test_tensors_and_arrays_are_kept_apart():
    weight = torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last)
    value = {"a": [torch.arange(3), weight], 7: (np.eye(2), torch.tensor(1.5))}
    tensors = {}
    encoded = json.loads(json.dumps(encode(value, tensors)))
    back = decode(encoded, {name: tensor.clone().contiguous() for name, tensor in tensors.items()})
    assert torch.equal(back["a"][0], torch.arange(3))
    assert torch.equal(back["a"][1], weight) and back["a"][1].stride() == weight.stride()
    np.testing.assert_array_equal(back[7][0], np.eye(2))
    assert back[7][1].shape == () and back[7][1] == 1.5
    with pytest.raises(UnstorableError, match="a Tensor is not plain data"):
        encode(value)
    with pytest.raises(ValueError, match="which is not one of the allowed classes"):
        decode(encoded)


@pytest.mark.parametrize(
    "value", [object(), {object()}, np.array(["a"]), np.array([None]), b"bytes"]
)
def test_other_values_are_refused_with_tensors_too(value):
    with pytest.raises(UnstorableError):
        encode([value], {})


@pytest.mark.parametrize(
    "kind", [nn.CrossEntropyLoss, torch.optim.AdamW, torch.utils.data.DataLoader]
)
def test_known_classes_round_trip(kind):
    assert decode(encode(kind)) is kind


@pytest.mark.parametrize("value", [print, object(), nn.Linear, nn.Linear(1, 1), {1: [print]}, b"x"])
def test_other_values_are_refused(value):
    with pytest.raises(UnstorableError):
        encode(value)


@pytest.mark.parametrize(
    "name", ["os.system", "torch.nn.Linear", "torch.optim.os", "builtins.eval", 3, None]
)
def test_other_classes_are_not_found(name):
    with pytest.raises(ValueError, match="not one of the allowed classes"):
        decode({"class": name})


@pytest.mark.parametrize(
    "labels", [[1, 5], [False, True], [0.5, 1.5], ["a", "bee"], np.array(["x", "y"], dtype=object)]
)
def test_labels_round_trip(labels):
    labels = np.asarray(labels)
    back = decode_classes(**json.loads(json.dumps(encode_classes(labels))))
    np.testing.assert_array_equal(back, labels)
    assert back.dtype == labels.dtype
