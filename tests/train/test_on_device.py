"""The transforms of whole batches do what those of single images do; here on the CPU, which is a device as well."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import train.torchvision_operators  # noqa: F401  (before torchvision)

# isort: split
from PIL import Image
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from train import on_device
from train.augment import AugmentedPhotos, low_resolution
from train.on_device import BatchesOnDevice, compressed, jpeg, resizing, trivial_augment
from train.recipes import RECIPES, Recipe

CPU = torch.device("cpu")


def scene(height: int, width: int, seed: int = 0) -> torch.Tensor:
    """Return a picture of colored waves and some noise, uint8 (3, height, width)."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.arange(height)[:, None] / 9, torch.arange(width) / 13
    waves = torch.stack([(k + 1) * x + (3 - k) * y for k in range(3)]).sin()
    return (128 + 90 * waves + 12 * torch.randn(3, height, width, generator=generator)).clamp(0, 255).to(torch.uint8)


@pytest.mark.parametrize(("name", "number"), [("BILINEAR", 0), ("BICUBIC", 1), ("LANCZOS", 2)])
@pytest.mark.parametrize("size", [40, 96, 150])
def test_matrices_resize_as_pillow_does(name: str, number: int, size: int) -> None:
    picture = scene(96, 96)
    expected = F.to_pil_image(picture).resize((size, size), Image.Resampling[name])
    side, filters = torch.tensor([96.0]), torch.tensor([number])
    lines = resizing(torch.zeros(1), side, 96, size, device=CPU, filters=filters)
    resized = lines[:, None] @ picture.float() @ lines.mT[:, None]
    assert (resized[0].clamp(0, 255) - F.pil_to_tensor(expected)).abs().max() < 1.5


def test_part_of_a_line_is_resized_to_sizes_of_its_own_and_its_end_repeated() -> None:
    line = scene(1, 60)[0, 0].float()
    start, length, sizes = torch.tensor([5.0, 10.0]), torch.tensor([40.0, 20.0]), torch.tensor([16.0, 30.0])
    lines = resizing(start, length, 60, 32, device=CPU, sizes=sizes)
    for matrix, begin, part, size in zip(lines, (5, 10), (40, 20), (16, 30), strict=True):
        picture = Image.fromarray(line[begin : begin + part][None].byte().numpy())
        expected = torch.tensor(np.asarray(picture.resize((size, 1), Image.Resampling.BILINEAR))[0]).float()
        resized = matrix @ line
        assert (resized[:size] - expected).abs().max() < 1.5
        assert (resized[size:] == resized[size - 1]).all()


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
@pytest.mark.parametrize("quality", [30, 49, 75, 100])
def test_jpeg_is_that_of_pillow(subsampling: str, quality: int) -> None:
    pictures = torch.stack([scene(64, 96), scene(64, 96, 1)])
    made = jpeg(subsampling == "4:2:0", pictures.float(), torch.tensor([float(quality), float(quality)]))
    for picture, result in zip(pictures, made, strict=True):
        file = io.BytesIO()
        F.to_pil_image(picture).save(file, "JPEG", quality=quality, subsampling=subsampling)
        expected = F.pil_to_tensor(Image.open(file)).float()
        error = (expected - picture).abs().mean()
        assert (result - expected).abs().mean() < max(0.15 * error, 0.5)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("strength", [7, 30])
def test_trivial_augment_is_that_of_torchvision(monkeypatch: pytest.MonkeyPatch, strength: int, sign: int) -> None:
    theirs = v2.TrivialAugmentWide(interpolation=v2.InterpolationMode.BILINEAR, fill=127)
    picture = scene(96, 96)
    space = theirs._AUGMENTATION_SPACE
    images = picture.float().repeat(len(space), 1, 1, 1)
    drawn = iter([torch.arange(len(space)), torch.full((len(space),), strength)])
    monkeypatch.setattr(torch, "randint", lambda *args, **options: next(drawn))
    monkeypatch.setattr(torch, "rand", lambda *args, **options: torch.full((len(space),), 0.9 if sign > 0 else 0.1))
    trivial_augment(images, torch.Generator())
    for image, (name, (magnitudes, signed)) in zip(images, space.items(), strict=True):
        table = magnitudes(31, 96, 96)
        magnitude = 0.0 if table is None else float(table[strength]) * (sign if signed else 1)
        expected = theirs._apply_image_or_video_transform(picture, name, magnitude, theirs.interpolation, theirs._fill)
        error = (image - expected).abs()
        assert error.mean() < 0.7, name
        assert error.max() < 2 or name.startswith(("Shear", "Rotate")), name  # where an edge meets the gray beside it


def test_small_resolution_is_that_of_single_images(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = scene(96, 96)
    monkeypatch.setattr(
        torch, "rand", lambda shape, **options: torch.full((shape,) if isinstance(shape, int) else shape, 0.4)
    )
    made = on_device._low_resolution(picture.float()[None], torch.Generator())
    assert (made[0].round() - low_resolution(picture)).abs().mean() < 0.6


def test_images_are_compressed_in_many_ways() -> None:
    random = torch.Generator().manual_seed(0)
    edges = torch.zeros(60, 3, 96, 96)
    edges[:, 0, :, ::2] = 255
    edges[:, 2, :, 1::2] = 255
    made = compressed(edges, random)
    errors = (made.clamp(0, 255) - edges).abs().mean((1, 2, 3))
    assert errors.min() < 0.01  # neither resized nor compressed
    assert errors.max() > 50
    assert len({round(error, 3) for error in errors.tolist()}) > 30
    smooth = torch.arange(96.0).expand(60, 3, 96, 96)
    assert (compressed(smooth, random) - smooth).abs().mean((1, 2, 3)).max() < 4


def photos(*sizes: tuple[int, int]) -> Any:
    return [(scene(height, width, seed), seed % 5) for seed, (height, width) in enumerate(sizes)]


def test_crops_are_where_single_images_are_cropped_and_as_large() -> None:
    """The share of a photo that crops show, and where they lie, have the same mean as those of torchvision."""
    ramp = torch.arange(120).expand(3, 90, 120).to(torch.uint8)  # a pixel's value is its column
    recipe = Recipe(size=64, resize=90, crop_scale=0.2, flip_prob=0)
    batches = BatchesOnDevice([(ramp, 0)] * 600, recipe, 600, CPU)
    (made, _), *_ = batches
    single = torch.stack([AugmentedPhotos([(ramp, 0)], replace(recipe, seed=seed))[0][0] for seed in range(600)])  # type: ignore[arg-type]
    spreads, means = [], []
    for images in (made.float(), single.float()):
        spreads.append((images[:, 0, 32].amax(1) - images[:, 0, 32].amin(1)).mean())
        means.append(images.mean())
    assert spreads[0] == pytest.approx(spreads[1], abs=2.5)
    assert means[0] == pytest.approx(means[1], abs=2)


def test_a_long_photo_is_cropped_in_its_middle() -> None:
    ramp = (torch.arange(900) // 4).expand(3, 30, 900).to(torch.uint8)
    recipe = Recipe(size=64, resize=90, crop_scale=1.0, flip_prob=0)
    (made, _), *_ = BatchesOnDevice([(ramp, 0)] * 8, recipe, 8, CPU)
    assert made.float().mean() == pytest.approx(112, abs=1)


@pytest.mark.parametrize("options", [{"erase_prob": 1.0}, {"grayscale_prob": 1.0}, {"noise_prob": 1.0}])
def test_every_option_changes_images_as_it_says(options: dict[str, float]) -> None:
    flat = [(torch.full((3, 80, 80), value, dtype=torch.uint8), 0) for value in (20, 200, 20, 200)]
    plain, changed = (
        next(iter(BatchesOnDevice(flat, Recipe(size=64, resize=64, **chosen), 4, CPU)))[0]  # type: ignore[arg-type]
        for chosen in ({}, options)
    )
    assert {*plain.unique().tolist()} == {20, 200}
    if "grayscale_prob" in options:
        assert (changed[:, 0] == changed[:, 1]).all()
    elif "erase_prob" in options:
        assert ((changed == 127).float().mean((1, 2, 3)) > 0.01).all()
    else:
        assert 0 < changed.float().std((1, 2, 3)).mean() < 70


def test_zoomed_out_image_lies_on_another_photo() -> None:
    bright, dark = (torch.full((3, 90, 120), value, dtype=torch.uint8) for value in (250, 5))
    recipe = Recipe(size=96, resize=96, zoom_out_prob=1.0)
    (made, targets), *_ = BatchesOnDevice([(bright, 2), (dark, 1)] * 20, recipe, 40, CPU)
    shares = (made[targets == 2] > 128).float().mean((1, 2, 3))
    assert {share == 1 for share in shares.tolist()} == {True, False}
    assert ((shares > 0.08) & ((shares < 0.65) | (shares == 1))).all()


def test_batches_depend_on_seed_and_epoch_alone_and_show_every_photo_once() -> None:
    recipe = replace(RECIPES["alexnet"], size=64, initial_size=None, epochs=2)
    data = photos((90, 120), (80, 80), (200, 64), (70, 300), (64, 64), (99, 101))
    one, other = (BatchesOnDevice(data, recipe, 2, CPU) for _ in range(2))
    first = [(images.clone(), targets) for images, targets in one]
    assert sorted(torch.cat([targets for _, targets in first]).tolist()) == sorted(target for _, target in data)
    for (images, targets), (again, same) in zip(first, other, strict=True):
        assert images.shape == (2, 3, 64, 64)
        assert images.dtype == torch.uint8
        assert images.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(images, again)
        assert torch.equal(targets, same)
    other.set_epoch(1)
    assert not torch.equal(next(iter(other))[0], first[0][0])


def test_processes_share_a_batch_and_outliers_are_drawn_by_weight() -> None:
    recipe = Recipe(size=64, resize=64, crop_scale=0.5)
    data = photos((90, 120), (80, 80), (99, 101))
    weights = torch.tensor([1.0, 0.0, 3.0])
    whole = BatchesOnDevice(data, recipe, 8, CPU, weights=weights, batches=50)
    parts = [
        BatchesOnDevice(data, recipe, 8, CPU, weights=weights, batches=50, process=process, processes=2)
        for process in range(2)
    ]
    assert len(whole) == 50
    together = torch.cat([targets for _, targets in whole])
    assert 1 not in together
    assert (together == 2).float().mean() == pytest.approx(0.75, abs=0.08)
    for (_, targets), (_, left), (_, right) in zip(whole, *parts, strict=True):
        assert torch.equal(torch.cat([left, right]), targets)


def test_squares_show_small_parts_of_the_same_photos() -> None:
    ramp = torch.arange(200).expand(3, 200, 200).to(torch.uint8)
    batches = BatchesOnDevice([(ramp, 3)] * 16, Recipe(size=64, resize=200, crop_scale=0.9), 16, CPU)
    squares = batches.squares_of(8)
    (images, targets), *_ = squares
    assert images.shape == (8, 3, 64, 64)
    assert targets.tolist() == [3] * 8
    spread = images[:, 0, 32].amax(1).float() - images[:, 0, 32].amin(1).float()
    assert spread.max() < 95
    assert squares.pixels is batches.pixels
