"""Augmentation: images that are still images, changed one by one, repeatably."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from skorch_mnist._batches import _augmentation
from skorch_mnist._batches._augmentation import CHANGES, random_affine, random_robust

quick = settings(deadline=None, max_examples=30)
each_change = pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))


def square(height=28, width=28, n=1):
    """A bright rectangle in the middle of a dark image, with smooth edges."""
    images = torch.zeros(n, 1, height, width)
    images[:, :, height // 4 : -(height // 4), width // 4 : -(width // 4)] = 1
    return images


def moved_by(monkeypatch, **strengths):
    """Change the strengths; what is not named is switched off."""
    for name in ("ROTATION", "SCALE", "SHEAR", "SHIFT"):
        monkeypatch.setattr(_augmentation, name, strengths.get(name, 0.0))


def highest_draw(monkeypatch):
    """Every random number is as high as it can be."""
    monkeypatch.setattr(torch, "rand", lambda *shape, **kwargs: torch.ones(*shape))


@quick
@given(
    change=st.sampled_from([*CHANGES.values()]),
    n=st.integers(1, 5),
    channels=st.integers(1, 3),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    seed=st.integers(0, 2**31),
)
def test_shape_dtype_and_range_stay(change, n, channels, height, width, seed):
    pixels = np.random.default_rng(seed).uniform(-3, 300, (n, channels, height, width))
    images = torch.as_tensor(pixels.astype(np.float32))
    with torch.random.fork_rng():
        changed = change(images)
    assert changed.shape == images.shape and changed.dtype == torch.float32
    assert images.min() - 1e-3 <= changed.min() <= changed.max() <= images.max() + 1e-3


@each_change
def test_a_blank_image_of_any_color_stays_blank(change):
    with torch.random.fork_rng():
        changed = change(torch.full((4, 1, 9, 7), 255.0))
    torch.testing.assert_close(changed, torch.full((4, 1, 9, 7), 255.0))


@each_change
def test_images_of_a_batch_are_changed_differently(change):
    with torch.random.fork_rng():
        changed = change(square(n=8))
    assert len({image.numpy().tobytes() for image in changed}) == 8


@each_change
def test_random_numbers_come_from_the_global_generator(change):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        first = change(square(n=4))
        torch.manual_seed(3)
        assert torch.equal(change(square(n=4)), first)
        assert not torch.equal(change(square(n=4)), first)


@each_change
def test_the_given_images_are_not_changed(change):
    images = square(n=3)
    with torch.random.fork_rng():
        change(images)
    assert torch.equal(images, square(n=3))


def test_affine_keeps_the_range_of_each_image():
    images = square(n=20) * torch.rand(20, 1, 1, 1)
    with torch.random.fork_rng():
        changed = random_affine(images)
    assert bool((changed.amax((1, 2, 3)) <= images.amax((1, 2, 3)) + 1e-6).all())


def test_robust_mostly_keeps_the_ink_brighter_than_the_paper():
    images = square(n=400)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        changed = random_robust(images)
    inside, outside = changed[:, :, 11:17, 11:17].mean((1, 2, 3)), changed[:, :, [0, -1]]
    assert float((inside > outside.mean((1, 2, 3))).float().mean()) > 0.8


def test_robust_leaves_dark_digits_on_light_paper():
    images = square(n=100)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        changed = random_robust(images)
        torch.manual_seed(0)
        inverted = random_robust(1 - images)
    torch.testing.assert_close(inverted, 1 - changed)


@pytest.mark.parametrize(("height", "width"), [(28, 28), (20, 44)])
def test_rotation_is_that_of_scipy_and_keeps_shapes(monkeypatch, height, width):
    moved_by(monkeypatch, ROTATION=12.0)
    highest_draw(monkeypatch)
    images = torch.as_tensor(ndimage.gaussian_filter(square(height, width)[0, 0].numpy(), 2))
    changed = random_affine(images[None, None])[0, 0]
    candidates = [
        ndimage.rotate(images.numpy(), angle, reshape=False, order=1, mode="nearest")
        for angle in (12, -12)
    ]
    assert min(np.abs(changed.numpy() - wanted).max() for wanted in candidates) < 0.01


def test_shift_is_relative_to_the_side(monkeypatch):
    moved_by(monkeypatch, SHIFT=2 / 28)
    highest_draw(monkeypatch)
    changed = random_affine(square())
    torch.testing.assert_close(changed[..., :-2, :-2], square()[..., 2:, 2:], atol=1e-5, rtol=0)


def test_scale_changes_the_size_by_its_share(monkeypatch):
    moved_by(monkeypatch, SCALE=0.12)
    highest_draw(monkeypatch)
    area = square(112, 112).sum()
    assert float(random_affine(square(112, 112)).sum() / area) == pytest.approx(1.12**-2, rel=0.02)


def test_shear_moves_the_top_against_the_bottom(monkeypatch):
    moved_by(monkeypatch, SHEAR=0.15)
    highest_draw(monkeypatch)
    changed = random_affine(square(112, 112))[0, 0]
    columns = torch.arange(112.0)
    centre = (changed * columns).sum(1)[28:84] / changed.sum(1)[28:84]
    slope = np.polyfit(np.arange(56), centre.numpy(), 1)[0]
    assert abs(slope) == pytest.approx(0.15, rel=0.05)


def test_strengths_are_as_documented():
    from skorch_mnist import MNISTCNNClassifier

    text = " ".join(MNISTCNNClassifier.__doc__.split())
    assert f"rotates each image by up to {_augmentation.ROTATION:g} degrees" in text
    assert f"stretches its sides by up to {_augmentation.SCALE:.0%}" in text
    assert f"shears it by up to {_augmentation.SHEAR:.0%}" in text
    assert f"shifts it by up to 1/{math.ceil(1 / _augmentation.SHIFT)}" in text
