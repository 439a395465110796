"""The networks: image sizes, layers, and outputs that depend on no other image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import quick, toy
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils import prune

from skorch_mnist import MNISTCNN
from skorch_mnist.network import BatchNormCNN, Linear, QuickDropout

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


def in_numpy(net, batch):
    """Return the outputs of the network in evaluation, computed by NumPy in double precision."""
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
    assert logits.dtype == torch.float32
    assert torch.isfinite(logits).all()


@settings(deadline=None, max_examples=10)
@given(
    shape=st.tuples(st.integers(1, 3), st.sampled_from([4, 8, 12]), st.sampled_from([4, 8, 12])),
    n=st.integers(1, 4),
    seed=st.integers(0, 2**31),
)
def test_agrees_with_a_version_in_numpy(shape, n, seed):
    net, batch = network(shape, seed=seed), images(n, shape, seed)
    np.testing.assert_allclose(net(batch).detach().numpy(), in_numpy(net, batch), atol=1e-5)


@torch.inference_mode()
@settings(deadline=None, max_examples=12)
@given(
    shape=shapes,
    n_classes=st.integers(2, 50),
    n=st.integers(1, 70),
    batch_size=st.integers(1, 70),
    seed=st.integers(0, 2**31),
)
def test_outputs_do_not_depend_on_batch_size_or_order(shape, n_classes, n, batch_size, seed):
    net, batch = network(shape, n_classes, seed), images(n, shape, seed)
    together = net(batch)
    parts = torch.cat([net(part) for part in batch.split(batch_size)])
    torch.testing.assert_close(parts, together, rtol=1e-9, atol=1e-12)
    order = torch.as_tensor(np.random.default_rng(seed).permutation(n))
    torch.testing.assert_close(net(batch[order]), together[order], rtol=1e-9, atol=1e-12)


@torch.inference_mode()
@pytest.mark.parametrize("scale", [0.0, 1e20, float("nan")])
def test_outputs_do_not_depend_on_other_images(scale):
    net, batch = network((1, 28, 28), 10), images(20, (1, 28, 28))
    strange = batch.clone()
    strange[1:] *= scale
    torch.testing.assert_close(net(strange)[0], net(batch)[0], rtol=1e-9, atol=1e-12)


def test_default_has_as_many_parameters_as_the_tutorial():
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
def test_an_invalid_image_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"^image_shape=.* is not valid") as raised:
        MNISTCNN(shape)
    assert str(raised.value) == (
        f"image_shape={shape!r} is not valid: it must be (channels, height, width), with positive "
        "integers."
    )


def test_no_classes_are_refused():
    with pytest.raises(ValueError, match=r"^n_classes=0 is not valid: it must be at least 1\.$"):
        MNISTCNN(n_classes=0)


# --- layers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.0, 2**-16, 0.2, 0.4, 0.5, 1 - 2**-16, 1.0])
@pytest.mark.parametrize("shape", [(1,), (3,), (64, 1563), (0, 5)])
def test_dropout_drops_its_share_and_scales_the_rest(p, shape):
    layer, x = QuickDropout(p), torch.full(shape, 2.0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        out = layer(x)
    assert out.shape == x.shape and out.dtype == x.dtype
    kept = out[out != 0]
    scale = 2**16 / max(1, 2**16 - round(p * 2**16))  # p is rounded to a multiple of 2**-16
    torch.testing.assert_close(kept, torch.full_like(kept, 2 * scale))
    n = out.numel()
    assert abs(len(kept) - n * (1 - p)) <= 5 * (n * p * (1 - p)) ** 0.5 + 1e-9


def test_dropped_numbers_are_independent_of_their_neighbors():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        kept = (QuickDropout(0.4)(torch.ones(400_000)) > 0).double() - 0.6
    for lag in (1, 2, 3, 4, 5, 8):
        correlation = float((kept[lag:] * kept[:-lag]).mean() / 0.24)
        assert abs(correlation) < 5 / 400_000**0.5


def test_dropout_is_drawn_from_the_global_generator():
    layer, x = QuickDropout(0.5), torch.ones(100)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        first, second = layer(x), layer(x)
        torch.manual_seed(1)
        assert torch.equal(layer(x), first)
    assert not torch.equal(first, second)


def test_gradients_pass_where_dropout_keeps_numbers():
    x = torch.ones(1000, requires_grad=True)
    with torch.random.fork_rng():
        out = QuickDropout(0.25)(x)
    out.sum().backward()
    torch.testing.assert_close(x.grad, out.detach())


def test_dropout_does_nothing_in_evaluation():
    x = torch.ones(10)
    assert QuickDropout(0.5).eval()(x) is x


# --- the network of the recipes -------------------------------------------------------------


@settings(deadline=None, max_examples=20)
@given(
    shape=shapes,
    n_classes=st.integers(1, 12),
    widths=st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple),
    depth=st.integers(1, 3),
    n=st.integers(2, 4),
    shifted=st.booleans(),
)
def test_stages_of_any_width_give_logits_for_any_image(shape, n_classes, widths, depth, n, shifted):
    net = BatchNormCNN(shape, n_classes, widths=widths, depth=depth, shifted_copies=shifted).eval()
    logits = net(images(n, shape))
    assert logits.shape == (n, n_classes) and logits.dtype == torch.float32
    assert torch.isfinite(logits).all()
    convolutions = [layer for layer in net.features if isinstance(layer, torch.nn.Conv2d)]
    assert len(convolutions) == 1 + depth * (len(widths) - 1)


def test_without_padding_features_are_smaller():
    net = BatchNormCNN(widths=(4, 8), padding=False, dropout=0.0).eval()
    assert net.output.in_features == 8 * 4 * 4  # 28 -> 24 -> 12 -> 10 -> 8 -> 4
    batch = images(2, (1, 28, 28))
    assert net(batch).shape == (2, 10)


@pytest.mark.parametrize("shape", [(1, 12, 28), (1, 28, 12), (1, 1, 1)])
def test_images_too_small_without_padding_are_refused(shape):
    size = f"{shape[1]}x{shape[2]}"
    with pytest.raises(ValueError, match=f"^Images of {size} pixels are too small for 2 stages"):
        BatchNormCNN(shape, widths=(4, 8), padding=False)
    assert BatchNormCNN(shape, widths=(4, 8)).eval()(images(1, shape)).shape == (1, 10)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"widths": ()}, r"^widths=\(\) is not valid: it must be a tuple of positive integers\.$"),
        (
            {"widths": (8, 0)},
            r"^widths=\(8, 0\) is not valid: it must be a tuple of positive integers\.$",
        ),
        ({"widths": 8}, r"^widths=8 is not valid: it must be a tuple of positive integers\.$"),
        ({"depth": 0}, r"^depth=0 is not valid: it must be a positive integer\.$"),
        ({"depth": 1.5}, r"^depth=1\.5 is not valid: it must be a positive integer\.$"),
        ({"depth": 10**9}, "can have at most 100 convolutions"),
    ],
)
def test_impossible_stages_are_refused(sizes, message):
    with pytest.raises(ValueError, match=message):
        BatchNormCNN(**sizes)


def test_one_image_of_one_pixel_can_be_trained_on():
    net = BatchNormCNN((1, 8, 8), 3, dropout=0.0)  # 8 -> 4 -> 2 -> 1
    logits = net(images(1, (1, 8, 8)))
    logits.sum().backward()
    assert torch.isfinite(logits).all()
    assert all(torch.isfinite(weights.grad).all() for weights in net.parameters())


def test_shifted_copies_are_averaged_in_evaluation_only():
    plain = BatchNormCNN(widths=(4, 8), dropout=0.0)
    shifting = BatchNormCNN(widths=(4, 8), dropout=0.0, shifted_copies=True)
    shifting.load_state_dict(plain.state_dict())
    batch = torch.zeros(2, 1, 28, 28)
    batch[:, :, 8:20, 8:20] = torch.as_tensor(np.random.default_rng(0).normal(size=(2, 1, 12, 12)))
    torch.testing.assert_close(shifting(batch), plain(batch))
    plain.eval(), shifting.eval()
    copies = [torch.roll(batch, by, (2, 3)) for by in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))]
    expected = torch.stack([plain(copy).log_softmax(1) for copy in copies]).mean(0)
    torch.testing.assert_close(shifting(batch), expected)


# --- layers are called like those of any module -----------------------------------------------


NETWORKS = {
    "MNISTCNN": (MNISTCNN, {}),
    "BatchNormCNN": (BatchNormCNN, {"widths": (4, 8)}),
    "shifted copies": (BatchNormCNN, {"widths": (4, 8), "shifted_copies": True}),
}


def made(name):
    kind, params = NETWORKS[name]
    return kind((1, 8, 8), 3, **params).eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_hook_on_every_layer_is_called_in_evaluation(name):
    net, called = made(name), set()
    for path, layer in net.named_modules():
        layer.register_forward_hook(lambda *_, path=path: called.add(path))
    net(images(2, (1, 8, 8)))
    assert called == {path for path, _ in net.named_modules()}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("training", [False, True])
def test_torch_fx_follows_the_network(name, training):
    net, batch = made(name).train(training), images(4, (1, 8, 8))
    traced = torch.fx.symbolic_trace(net)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        expected = net(batch)
        torch.manual_seed(0)
        assert torch.equal(traced(batch), expected)


class LowRank(torch.nn.Module):
    """An adapter next to a layer, which stays as it is."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer.requires_grad_(False)
        self.down = torch.nn.Linear(layer.in_features, 2, bias=False)
        self.up = torch.nn.Linear(2, layer.out_features, bias=False)

    def forward(self, x):
        return self.layer(x) + self.up(self.down(x))


def adapted(network):
    for name in ("hidden", "output"):
        setattr(network, name, LowRank(getattr(network, name)))


def with_hidden_head(network):
    layers = torch.nn.Linear(50, 20), torch.nn.ReLU(), torch.nn.Linear(20, 3)
    network.output = torch.nn.Sequential(*layers)


def without_bias(network):
    network.output = torch.nn.Linear(50, 3, bias=False)


def pruned(network):
    for layer in (network.conv1, network.hidden, network.output):
        prune.l1_unstructured(layer, "weight", amount=0.3)


def normalized(network):
    network.output = torch.nn.utils.parametrizations.weight_norm(network.output)


@pytest.mark.parametrize(
    "change",
    [adapted, with_hidden_head, without_bias, pruned, normalized],
    ids=lambda f: f.__name__,
)
def test_a_trained_network_can_be_changed_and_trained_further(change, tmp_path):
    X, y = toy()
    network = quick().fit(X, y).module_
    with torch.random.fork_rng():
        torch.manual_seed(0)
        change(network)
    clf = quick(module=network, max_epochs=8, lr=0.01).fit(X, y)
    with torch.no_grad():
        logits = clf.module_(clf.pixel_statistics_.standardize(torch.from_numpy(X[:, None])))
    np.testing.assert_allclose(logits.softmax(1), clf.predict_proba(X), atol=1e-6)
    assert clf.score(X, y) > 0.9
    again = quick(module=clf.module_).fit(X, y)  # which copies the network
    assert again.module_ is not clf.module_
    assert set(again.predict(X)) <= {0, 1, 2}


def test_features_come_from_a_network_without_its_last_layer():
    network = MNISTCNN((1, 8, 8), 3).eval()
    network.output = torch.nn.Identity()
    assert network(images(2, (1, 8, 8))).shape == (2, 50)


@pytest.mark.filterwarnings("ignore:.*torch.ao.quantization:DeprecationWarning")
@pytest.mark.parametrize("kind", [torch.nn.Linear, Linear])
def test_a_quantized_network_answers_like_the_original(kind):
    net, batch = made("MNISTCNN"), images(20, (1, 8, 8))
    quantized = torch.ao.quantization.quantize_dynamic(net, {kind}).eval()
    torch.testing.assert_close(quantized(batch), net(batch), atol=0.05, rtol=0.1)


def test_outputs_have_the_dtype_of_the_images():
    for dtype in (torch.float32, torch.float64):
        net = made("MNISTCNN").to(dtype)
        assert net(images(2, (1, 8, 8)).to(dtype)).dtype == dtype
