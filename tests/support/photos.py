"""Small pictures for tests, and the project's folder. Needs Pillow and numpy alone."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from flower_alexnet import LABELS

PROJECT = Path(__file__).resolve().parents[2]
"""The root of the checkout."""

COLOURS = {"daisy": "white", "dandelion": "gold", "roses": "crimson", "sunflowers": "orange", "tulips": "purple"}
"""Label -> the mean colour of its drawn flowers."""


def drawn_flower(label: str, seed: int = 0, size: tuple[int, int] = (120, 90)) -> Image.Image:
    """Draw noise in the colour of a flower, which a network learns to tell apart in a few steps.

    Args:
        label: one of ``LABELS``.
        seed: random seed; equal seeds draw equal pictures.
        size: width and height in pixels.
    """
    generator = np.random.default_rng([seed, LABELS.index(label)])
    noise = generator.integers(-40, 40, (size[1], size[0], 3))
    colour = np.array(Image.new("RGB", size, COLOURS[label])).astype(int)
    return Image.fromarray((colour + noise).clip(0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return an image as the bytes of a file.

    Args:
        image: the image.
        kind: Pillow's name of the file format, such as ``"PNG"``.
        options: Pillow's options for saving that format.
    """
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
