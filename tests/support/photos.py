"""Small pictures for tests. Needs Pillow and numpy alone."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from flower_alexnet import LABELS

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


SHAPES = ("circles", "squares", "stripes")
"""Labels of drawn photos that show no flower."""


def drawn_shape(label: str, seed: int = 0, size: tuple[int, int] = (120, 90)) -> Image.Image:
    """Draw circles, squares or stripes in random places and colours on noise.

    Args:
        label: one of ``SHAPES``.
        seed: random seed; equal seeds draw equal pictures.
        size: width and height in pixels.
    """
    generator = np.random.default_rng([seed, SHAPES.index(label)])
    picture = Image.fromarray(generator.integers(0, 90, (size[1], size[0], 3), dtype=np.uint8))
    draw = ImageDraw.Draw(picture)
    for _ in range(4):
        colour = tuple(generator.integers(120, 256, 3).tolist())
        side = int(generator.integers(20, 40))
        left, top = int(generator.integers(size[0] - side)), int(generator.integers(size[1] - side))
        match label:
            case "circles":
                draw.ellipse((left, top, left + side, top + side), colour)
            case "squares":
                draw.rectangle((left, top, left + side, top + side), colour)
            case "stripes":
                draw.line((left, 0, left + side, size[1]), colour, 6)
    return picture


def drawn_dataset(folder: Path, count: int, labels: Sequence[str] = SHAPES) -> Path:
    """Write a folder of class folders with drawn photos, ``0.png`` to ``count - 1``; return the folder."""
    for label in labels:
        (folder / label).mkdir(parents=True)
        for number in range(count):
            drawn_shape(label, number).save(folder / label / f"{number}.png")
    return folder


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
