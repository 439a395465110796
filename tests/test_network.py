"""The network: any image size, the layers it claims, answers that no neighbour can change."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skorch_mnist import MNISTCNN

sides = st.integers(1, 10)
shapes = st.tuples(st.integers(1, 4), sides, sides)


def network(shape=(1, 8, 8), n_classes=5, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return MNISTCNN(shape, n_classes).eval().to(memory_format=torch.channels_last)


def images(n, shape, seed=0):
    pixels = np.random.default_rng(seed).normal(size=(n, *shape)).astype(np.float32)
    return torch.as_tensor(pixels).to(memory_format=torch.channels_last)


def convolve(maps, weight, bias):
    """Sum over windows, without torch: maps (n, channels, height, width), 5x5 windows."""
    padded = np.pad(maps, ((0, 0), (0, 0), (2, 2), (2, 2)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(2, 3))
    return np.einsum("nchwij,kcij->nkhw", windows, weight) + bias[:, None, None]


def pool(maps):
    n, channels, height, width = maps.shape
    return maps.reshape(n, channels, height // 2, 2, width // 2, 2).max(axis=(3, 5))


def by_hand(net, batch):
    """The network in evaluation, in numpy and double precision."""
    weights = {name: value.double().numpy() for name, value in net.state_dict().items()}
    x = batch.double().numpy()
    for layer in ("conv1", "conv2"):
        x = np.maximum(pool(convolve(x, weights[f"{layer}.weight"], weights[f"{layer}.bias"])), 0)
    x = x.reshape(len(x), -1) @ weights["hidden.weight"].T + weights["hidden.bias"]
    return np.maximum(x, 0) @ weights["output.weight"].T + weights["output.bias"]


@settings(deadline=None, max_examples=25)
@given(shape=shapes, n_classes=st.integers(1, 12), n=st.integers(1, 5), training=st.booleans())
def test_any_image_size_gives_finite_logits_for_each_class(shape, n_classes, n, training):
    net = network(shape, n_classes).train(training)
    with torch.random.fork_rng():
        logits = net(images(n, shape))
    assert logits.shape == (n, n_classes)
    assert logits.dtype == (torch.float32 if training else torch.float64)
    assert torch.isfinite(logits).all()


@settings(deadline=None, max_examples=10)
@given(
    shape=st.tuples(st.integers(1, 3), st.sampled_from([4, 8, 12]), st.sampled_from([4, 8, 12])),
    n=st.integers(1, 4),
    seed=st.integers(0, 2**31),
)
def test_agrees_with_a_version_written_by_hand(shape, n, seed):
    net, batch = network(shape, seed=seed), images(n, shape, seed)
    np.testing.assert_allclose(net(batch).detach().numpy(), by_hand(net, batch), atol=1e-5)


@torch.inference_mode()
@settings(deadline=None, max_examples=12)
@given(
    shape=shapes,
    n_classes=st.integers(2, 50),
    n=st.integers(1, 70),
    batch_size=st.integers(1, 70),
    seed=st.integers(0, 2**31),
)
def test_an_answer_does_not_depend_on_batch_size_or_order(shape, n_classes, n, batch_size, seed):
    net, batch = network(shape, n_classes, seed), images(n, shape, seed)
    together = net(batch)
    parts = torch.cat([net(part) for part in batch.split(batch_size)])
    torch.testing.assert_close(parts, together, rtol=1e-9, atol=1e-12)
    order = torch.as_tensor(np.random.default_rng(seed).permutation(n))
    torch.testing.assert_close(net(batch[order]), together[order], rtol=1e-9, atol=1e-12)


@torch.inference_mode()
@pytest.mark.parametrize("scale", [0.0, 1e20, float("nan")])
def test_an_answer_does_not_depend_on_what_the_neighbours_are(scale):
    net, batch = network((1, 28, 28), 10), images(20, (1, 28, 28))
    strange = batch.clone()
    strange[1:] *= scale
    torch.testing.assert_close(net(strange)[0], net(batch)[0], rtol=1e-9, atol=1e-12)


def test_default_has_the_parameters_of_the_tutorial():
    net = MNISTCNN()
    assert sum(weights.numel() for weights in net.parameters()) == 92_208
    assert (net.channel_dropout.p, net.dropout.p) == (0.4, 0.2)


def test_dropout_is_random_in_training_only():
    net, batch = network(), images(3, (1, 8, 8))
    assert torch.equal(net(batch), net(batch))
    net.train()
    with torch.random.fork_rng():
        assert not torch.equal(net(batch), net(batch))


def test_without_dropout_training_and_evaluation_agree():
    net = MNISTCNN((1, 8, 8), 3, channel_dropout=0.0, dropout=0.0)
    batch = images(4, (1, 8, 8))
    training = net(batch)
    np.testing.assert_allclose(net.eval()(batch).detach(), training.detach(), atol=1e-6)


def test_every_weight_gets_a_gradient():
    net = network().train()
    with torch.random.fork_rng():
        net(images(50, (1, 8, 8))).square().sum().backward()
    assert all(weights.grad.abs().sum() > 0 for weights in net.parameters())


@pytest.mark.parametrize(
    "shape", [(28, 28), (1, 1, 28, 28), (0, 28, 28), (1, -1, 28), (1, 2.5, 28), ()]
)
def test_shape_that_is_no_image_is_refused(shape):
    with pytest.raises(ValueError, match=r"^image_shape must be .*; got") as raised:
        MNISTCNN(shape)
    assert str(raised.value) == (
        f"image_shape must be (channels, height, width), each at least 1; got {shape!r}."
    )


def test_no_classes_are_refused():
    with pytest.raises(ValueError, match=r"^n_classes must be at least 1; got 0\.$"):
        MNISTCNN(n_classes=0)
