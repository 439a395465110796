"""Batches of a stream: which images are held back to be shuffled."""

from __future__ import annotations

import numpy as np
import torch

from skorch_mnist._batches._stream_loader import shuffled


def test_images_are_shuffled_within_the_buffer(monkeypatch):
    monkeypatch.setattr("skorch_mnist._batches._stream_loader.SHUFFLED_IMAGES", 500)
    chunks = [(torch.arange(i, i + 50), torch.arange(i, i + 50)) for i in range(0, 2000, 50)]

    def draw(seed):
        parts = shuffled(iter(chunks), torch.Generator().manual_seed(seed))
        return [int(number) for numbers, _ in parts for number in numbers]

    order = draw(0)
    assert sorted(order) == list(range(2000)) and order == draw(0) != draw(1)
    distance = np.abs(np.array(order) - np.arange(2000))
    assert np.median(distance) > 100
    assert all(number < place + 550 for place, number in enumerate(order))


def test_the_buffer_of_large_images_is_limited_by_bytes(monkeypatch):
    monkeypatch.setattr("skorch_mnist._batches._stream_loader.SHUFFLED_BYTES", 2**20)
    chunks = [(torch.zeros(64, 2**16), torch.arange(i, i + 64)) for i in range(0, 256, 64)]
    order = torch.cat([codes for _, codes in shuffled(iter(chunks), torch.Generator())])
    assert set(order[:64].tolist()) == set(range(64))
