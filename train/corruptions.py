"""Deterministic corruptions of photos, to measure robustness to distribution shift."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from random import Random

import numpy as np
from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps

Corruption = Callable[[Image.Image, Image.Image, Random], Image.Image]
"""A function of a photo, another photo for use as background, and a random generator -> the corrupted photo."""

COMPRESSIONS: dict[str, tuple[int | None, int]] = {
    "256 pixels, JPEG 95": (256, 95),
    "256 pixels, JPEG 80": (256, 80),
    "224 pixels, JPEG 70": (224, 70),
    "full size, JPEG 70": (None, 70),
}
"""Ways in which photos are saved anew before a model is asked: pixels of the shorter side, None for its own, and JPEG
quality; with halved color resolution, as most programs save. A model that reads where a photo comes from, in place of
what it shows, answers them in another way."""

WORKING_SIDE = 256
"""Length in pixels that the shorter side is resized to first, so that a blur has the same strength on every photo."""


def saved_anew(photo: Image.Image, side: int | None, quality: int) -> bytes:
    """Return an RGB photo as a JPEG file, its shorter side resized down to that many pixels."""
    scale = 1 if side is None else min(1, side / min(photo.size))
    size = (max(1, round(scale * photo.width)), max(1, round(scale * photo.height)))
    content = io.BytesIO()
    photo.resize(size, Image.Resampling.LANCZOS).save(content, "JPEG", quality=quality, subsampling="4:2:0")
    return content.getvalue()


def corrupt(photos: Sequence[Image.Image], corruption: Corruption) -> list[Image.Image]:
    """Return the photos, RGB, under a corruption; equal photos give equal results in every call."""
    random = Random(0)
    photos = [_scaled(photo) for photo in photos]
    return [corruption(photo, photos[(index * 7 + 13) % len(photos)], random) for index, photo in enumerate(photos)]


def small(photo: Image.Image, other: Image.Image, random: Random) -> Image.Image:
    """Shrink the photo to 40 % and paste it onto the blurred corner of another."""
    corner = other.crop((0, 0, other.width // 3, other.height // 3)).resize(photo.size)
    background = corner.filter(ImageFilter.GaussianBlur(3))
    shrunk = photo.resize((photo.width * 2 // 5, photo.height * 2 // 5))
    edge = Image.new("L", shrunk.size)
    margin = shrunk.height // 12
    edge.paste(255, (margin, margin, shrunk.width - margin, shrunk.height - margin))
    position = (random.randint(0, photo.width - shrunk.width), random.randint(0, photo.height - shrunk.height))
    background.paste(shrunk, position, edge.filter(ImageFilter.GaussianBlur(margin / 2)))
    return background


def close_up(photo: Image.Image, other: Image.Image, random: Random) -> Image.Image:
    """Crop the central 40 % of width and height."""
    return photo.crop((photo.width * 3 // 10, photo.height * 3 // 10, photo.width * 7 // 10, photo.height * 7 // 10))


def off_center(photo: Image.Image, other: Image.Image, random: Random) -> Image.Image:
    """Crop 60 % of width and height at a random corner."""
    left, top = random.choice((0, photo.width * 2 // 5)), random.choice((0, photo.height * 2 // 5))
    return photo.crop((left, top, left + photo.width * 3 // 5, top + photo.height * 3 // 5))


def drawing(photo: Image.Image, other: Image.Image, random: Random) -> Image.Image:
    """Reduce the photo to ten flat colors with dark outlines."""
    flat = photo.filter(ImageFilter.ModeFilter(9)).quantize(10).convert("RGB")
    edges = ImageOps.invert(photo.convert("L").filter(ImageFilter.GaussianBlur(1.5)).filter(ImageFilter.FIND_EDGES))
    outlines = edges.point(lambda value: 255 if value > 232 else 40)
    return ImageChops.multiply(flat, outlines.convert("RGB"))


def grayscale(photo: Image.Image, other: Image.Image, random: Random) -> Image.Image:
    """Convert to grayscale."""
    return ImageOps.grayscale(photo).convert("RGB")


def blur(photo: Image.Image, other: Image.Image, random: Random) -> Image.Image:
    """Blur with a Gaussian of radius 4 pixels."""
    return photo.filter(ImageFilter.GaussianBlur(4))


def noise(photo: Image.Image, other: Image.Image, random: Random) -> Image.Image:
    """Add Gaussian noise of standard deviation 50 (of 255) to each channel."""
    pixels = np.asarray(photo)
    gaussian = np.random.default_rng(random.getrandbits(32)).normal(0, 50, pixels.shape)
    return Image.fromarray((pixels + gaussian).clip(0, 255).astype(np.uint8))


def jpeg(photo: Image.Image, other: Image.Image, random: Random) -> Image.Image:
    """Compress as JPEG at quality 8."""
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=8)
    return Image.open(file).convert("RGB")


def color_cast(photo: Image.Image, other: Image.Image, random: Random) -> Image.Image:
    """Scale red by 1.35 and blue by 0.65, or the other way round."""
    gain = random.choice((1.35, 0.65))
    red, green, blue = photo.split()
    return Image.merge("RGB", (red.point(lambda v: v * gain), green, blue.point(lambda v: v * (2 - gain))))


def dark(photo: Image.Image, other: Image.Image, random: Random) -> Image.Image:
    """Reduce brightness to 40 %, then contrast to 60 %."""
    return ImageEnhance.Contrast(ImageEnhance.Brightness(photo).enhance(0.4)).enhance(0.6)


def rotated(photo: Image.Image, other: Image.Image, random: Random) -> Image.Image:
    """Rotate by 45 degrees to either side, on white."""
    return photo.rotate(random.choice((-45, 45)), Image.Resampling.BILINEAR, fillcolor="white")


def stretched(photo: Image.Image, other: Image.Image, random: Random) -> Image.Image:
    """Double or halve the width."""
    factor = random.choice((0.5, 2))
    return photo.resize((round(photo.width * factor), photo.height))


def occluded(photo: Image.Image, other: Image.Image, random: Random) -> Image.Image:
    """Cover six random squares, each of 5 % of the area, with patches of another photo."""
    covered = photo.copy()
    side = round((photo.width * photo.height * 0.05) ** 0.5)
    for _ in range(6):
        left, top = random.randint(0, other.width - side), random.randint(0, other.height - side)
        patch = other.crop((left, top, left + side, top + side))
        covered.paste(patch, (random.randint(0, photo.width - side), random.randint(0, photo.height - side)))
    return covered


CORRUPTIONS: dict[str, Corruption] = {
    corruption.__name__: corruption
    for corruption in (
        small,
        close_up,
        off_center,
        drawing,
        grayscale,
        blur,
        noise,
        jpeg,
        color_cast,
        dark,
        rotated,
        stretched,
        occluded,
    )
}
"""The corruptions by their names."""


def _scaled(photo: Image.Image) -> Image.Image:
    scale = WORKING_SIDE / min(photo.size)
    return photo.resize((round(photo.width * scale), round(photo.height * scale)), Image.Resampling.BICUBIC)
