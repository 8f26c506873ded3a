"""Each corruption changes the photos, and in the same way each time."""

from __future__ import annotations

import numpy as np
import pytest

from flower_alexnet import LABELS
from tests.support.photos import drawn_flower
from train.corruptions import CORRUPTIONS, corrupt


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_changes_the_photos_and_repeats_itself(name: str) -> None:
    photos = [drawn_flower(label) for label in LABELS]
    once, again = (corrupt(photos, CORRUPTIONS[name]) for _ in range(2))
    assert len(once) == len(photos)
    for photo, one, other in zip(photos, once, again, strict=True):
        assert one.mode == "RGB"
        assert one.tobytes() == other.tobytes()
        assert one.tobytes() != photo.resize(one.size).tobytes()


def test_small_keeps_the_flower_on_another_photo() -> None:
    gold, red = drawn_flower("dandelion"), drawn_flower("roses")
    pixels = np.asarray(corrupt([gold, red], CORRUPTIONS["small"])[0]).astype(int)
    green = pixels[..., 1] > 120  # gold has green in it, crimson none
    assert 0.08 < green.mean() < 0.2
