"""The training transforms: sizes, soft targets of mixed images, and the effect of each option."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from flower_alexnet import LABELS
from train.augment import (
    AugmentedPhotos,
    DrawnPhotos,
    ResizeMix,
    compressed,
    low_resolution,
    mix,
    noise,
    recolored,
    size_in,
    transform,
)
from train.recipes import Recipe

PHOTO = torch.arange(3 * 90 * 120).reshape(3, 90, 120).remainder(251).to(torch.uint8)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"crop_scale": 0.2},
        {"trivial_augment": True},
        {"grayscale_prob": 1.0},
        {"blur_prob": 1.0},
        {"noise_prob": 1.0},
        {"erase_prob": 1.0},
    ],
)
def test_training_image_has_the_size_asked_for(options: dict) -> None:
    for size in (64, 96):
        image = transform(Recipe(size=96, resize=112, **options), size)(PHOTO)
        assert image.shape == (3, size, size)
        assert image.dtype == torch.uint8


def test_grayscale_and_erase() -> None:
    gray = transform(Recipe(grayscale_prob=1.0), 224)(PHOTO)
    assert torch.equal(gray[0], gray[1])
    assert not torch.equal(transform(Recipe(), 224)(PHOTO)[0], gray[0])
    erased = transform(Recipe(erase_prob=1.0), 224)(torch.full_like(PHOTO, 9))
    assert 0.01 < (erased == 127).float().mean() < 0.4


def test_low_resolution_and_noise() -> None:
    torch.manual_seed(0)
    rough = torch.randint(256, (3, 96, 96), dtype=torch.uint8)
    flat = torch.full((3, 96, 96), 128, dtype=torch.uint8)
    assert low_resolution(rough).float().std() < 0.9 * rough.float().std()
    assert torch.equal(low_resolution(flat), flat)
    assert 0 < noise(flat).float().std() < 70
    assert noise(flat).float().mean() == pytest.approx(128, abs=1)


def test_images_are_compressed_in_many_ways() -> None:
    """Sharp colored edges become blocks, and with halved color resolution their colors run."""
    torch.manual_seed(0)
    edges = torch.zeros(3, 96, 96, dtype=torch.uint8)
    edges[0, :, ::2] = 255
    edges[2, :, 1::2] = 255
    made = [compressed(edges) for _ in range(60)]
    assert {(image.shape, image.dtype) for image in made} == {(edges.shape, torch.uint8)}
    errors = [(image.float() - edges).abs().mean().item() for image in made]
    assert min(errors) == 0  # neither resized nor compressed
    assert max(errors) > 50
    assert len({round(error, 3) for error in errors}) > 30
    smooth = torch.arange(96, dtype=torch.uint8).expand(3, 96, 96)
    assert all((compressed(smooth).float() - smooth).abs().mean() < 4 for _ in range(60))


def test_images_are_compressed_as_often_as_the_recipe_says() -> None:
    photo = PHOTO[:, :64, :64]
    for probability in (0.0, 0.6):
        photos = AugmentedPhotos([(photo, 0)], Recipe(size=64, resize=64, flip_prob=0, compress_prob=probability))  # type: ignore[arg-type]
        count = 0
        for epoch in range(300):
            photos.set_epoch(epoch)
            count += not torch.equal(photos[0][0], photo)
        unchanged = 0.5 * 0.15  # of those that are compressed: the same size, and no file
        assert count / 300 == pytest.approx(probability * (1 - unchanged), abs=0.08)


def test_photos_are_drawn_by_their_weights_and_alike_in_every_process() -> None:
    photos: Any = [(PHOTO, target) for target in range(3)]
    one, other = (DrawnPhotos(photos, Recipe(size=64, resize=64), torch.tensor([1.0, 0.0, 3.0]), 400) for _ in range(2))
    assert len(one) == 400
    targets = [one[index][1] for index in range(400)]
    assert targets.count(1) == 0
    assert targets.count(2) / 400 == pytest.approx(0.75, abs=0.08)
    torch.manual_seed(5)
    assert targets == [other[index][1] for index in range(400)]
    twice = [index for index in range(400) if targets[index] == 0][:2]
    assert not torch.equal(one[twice[0]][0], one[twice[1]][0])  # augmented anew
    one.set_epoch(1)
    assert targets != [one[index][1] for index in range(400)]


def test_zoomed_out_image_lies_on_another_photo() -> None:
    bright, dark = (torch.full((3, 90, 120), value, dtype=torch.uint8) for value in (250, 5))
    photos = AugmentedPhotos([(bright, 2), (dark, 1)], Recipe(size=96, resize=96, zoom_out_prob=1.0))  # type: ignore[arg-type]
    shares = []
    for epoch in range(20):
        photos.set_epoch(epoch)
        image, label = photos[0]
        assert label == 2
        assert image.shape == (3, 96, 96)
        shares.append((image > 128).float().mean().item())
    assert {share == 1 for share in shares} == {True, False}  # the background may be a crop of the photo itself
    assert all(0.08 < share < 0.65 for share in shares if share < 1)


def test_images_are_zoomed_out_as_often_as_the_recipe_says() -> None:
    photo = PHOTO[:, :64, :64]
    recipe = Recipe(size=64, resize=64, flip_prob=0, zoom_out_prob=0.3)
    photos, count = AugmentedPhotos([(photo, 0)], recipe), 0  # type: ignore[arg-type]
    for epoch in range(300):
        photos.set_epoch(epoch)
        count += not torch.equal(photos[0][0], photo)
    assert count / 300 == pytest.approx(0.3, abs=0.08)


def test_training_image_depends_on_random_seed_epoch_and_index_alone() -> None:
    recipe = Recipe(size=64, resize=64, crop_scale=0.2, trivial_augment=True, noise_prob=0.5)
    one, other = (AugmentedPhotos([(PHOTO, 0), (PHOTO, 0)], recipe) for _ in range(2))  # type: ignore[arg-type]
    torch.manual_seed(1)
    expected = one[1][0]
    torch.manual_seed(2)
    before = torch.random.get_rng_state()
    assert not torch.equal(other[0][0], expected)
    assert torch.equal(other[1][0], expected)
    assert torch.equal(torch.random.get_rng_state(), before)
    other.set_epoch(1)
    assert not torch.equal(other[1][0], expected)
    another = AugmentedPhotos([(PHOTO, 0), (PHOTO, 0)], replace(recipe, seed=1))  # type: ignore[arg-type]
    assert not torch.equal(another[1][0], expected)


@pytest.mark.parametrize("probability", [0.0, 0.5, 1.0])
def test_images_are_mirrored_as_often_as_the_recipe_says(probability: float) -> None:
    photo = PHOTO[:, :64, :64]
    flipped = AugmentedPhotos([(photo, 0)], Recipe(size=64, resize=64, flip_prob=probability))  # type: ignore[arg-type]
    count = 0
    for epoch in range(200):
        flipped.set_epoch(epoch)
        image = flipped[0][0]
        assert torch.equal(image, photo) or torch.equal(image, photo.flip(-1))
        count += torch.equal(image, photo.flip(-1))
    assert count / 200 == pytest.approx(probability, abs=0.1)


def test_random_crops_cover_the_scale_of_the_recipe() -> None:
    """Pixels count up from left to right, so that the range of an image tells the width of its crop."""
    photo = torch.arange(240, dtype=torch.uint8).expand(3, 240, 240)
    widths = {}
    for scale in (None, 0.2):
        random_crop = transform(Recipe(size=120, resize=240, crop_scale=scale, flip_prob=0), 120)
        torch.manual_seed(0)
        images = [random_crop(photo)[0, 0].int() for _ in range(200)]
        widths[scale] = [int(image.max() - image.min() + 1) for image in images]
        assert len({int(image.min()) for image in images}) > 20  # at many places
    assert set(widths[None]) == {120}
    assert 90 <= min(widths[0.2]) < 130
    assert max(widths[0.2]) > 220


@pytest.mark.parametrize("option", ["trivial_augment", "grayscale_prob", "blur_prob", "noise_prob", "erase_prob"])
def test_each_augmentation_is_applied_if_the_recipe_has_it(option: str) -> None:
    photo = PHOTO[:, :64, :64]
    plain = Recipe(size=64, resize=64, flip_prob=0)
    changed = []
    value: Any = True if option == "trivial_augment" else 0.5
    for recipe in (plain, replace(plain, **{option: value})):
        torch.manual_seed(0)
        changing = transform(recipe, 64)
        changed.append(sum(not torch.equal(changing(photo), photo) for _ in range(100)))
    assert changed[0] == 0
    assert 30 < changed[1] <= (100 if option == "trivial_augment" else 70)


ALL = Recipe(
    size=128,
    resize=128,
    crop_scale=0.2,
    trivial_augment=True,
    grayscale_prob=0.5,
    blur_prob=0.5,
    noise_prob=0.5,
    zoom_out_prob=0.5,
    erase_prob=0.5,
)


@pytest.mark.parametrize(
    ("recipe", "draws"),
    [
        (Recipe(size=63, resize=142, zoom_out_prob=1.0), 8_000),
        (Recipe(size=128, resize=128, erase_prob=1.0), 500),
        (ALL, 1000),
    ],
)
def test_no_transform_writes_into_the_photos(recipe: Recipe, draws: int) -> None:
    """A crop that has the target's size already is not resized: it is a view of the decoded photo."""
    rows, columns = (recipe.resize, recipe.resize + 2)
    generator = torch.Generator().manual_seed(0)
    sources = [torch.randint(256, (rows, columns, 3), dtype=torch.uint8, generator=generator) for _ in range(4)]
    before = [source.clone() for source in sources]
    photos = AugmentedPhotos([(source.permute(2, 0, 1), 0) for source in sources], recipe)  # type: ignore[arg-type]
    for draw in range(draws):
        if draw % 4 == 0:
            photos.set_epoch(draw // 4)
        photos[draw % 4]
    assert all(map(torch.equal, sources, before))


def test_mixing_does_not_change_the_images_of_the_batch() -> None:
    torch.manual_seed(0)
    images = torch.rand(4, 3, 64, 64)
    before = images.clone()
    for _ in range(30):
        mix(images, torch.arange(4), 1.0, 5)
    assert torch.equal(images, before)


def test_batches_are_mixed_as_often_as_the_recipe_says() -> None:
    torch.manual_seed(0)
    images = torch.rand(4, 3, 64, 64)
    mixed = sum(not torch.equal(mix(images, torch.arange(4), 0.3, 5)[0], images) for _ in range(300))
    assert mixed / 300 == pytest.approx(0.3, abs=0.08)


def test_trained_network_sees_whole_photos_at_the_size_of_inference() -> None:
    recipe = Recipe(size=176, inference_size=224, crop_pct=1.0)
    assert (recipe.preprocessing.resize, recipe.preprocessing.crop) == (224, 224)
    assert transform(recipe, 176)(torch.zeros(3, 256, 256, dtype=torch.uint8)).shape == (3, 176, 176)
    assert Recipe(size=176).preprocessing.crop == 176


def test_images_grow_in_equal_shares_of_the_run() -> None:
    recipe = Recipe(initial_size=128, size=224, epochs=8)
    assert [size_in(recipe, epoch) for epoch in range(8)] == [128, 128, 160, 160, 192, 192, 224, 224]
    assert size_in(Recipe(size=200), 3) == 200


def test_soft_targets_are_the_shares_of_the_mixed_images() -> None:
    torch.manual_seed(0)
    targets = torch.arange(5)
    images = torch.arange(5.0).reshape(5, 1, 1, 1).expand(5, 3, 64, 64).clone()  # each pixel has its target's value
    same, soft_targets = mix(images, targets, 0.0, 5)
    assert torch.equal(same, images)
    assert torch.equal(soft_targets, torch.eye(5))
    for _ in range(30):
        mixed, soft_targets = mix(images.clone(), targets, 1.0, 5)
        assert torch.allclose(soft_targets.sum(1), torch.ones(5))
        assert torch.allclose(mixed.mean((1, 2, 3)), soft_targets @ torch.arange(5.0), atol=1e-4)


def test_a_batch_of_one_is_mixed_with_itself() -> None:
    torch.manual_seed(0)
    for _ in range(10):
        mixed, soft_targets = mix(torch.full((1, 3, 64, 64), 7.0), torch.tensor([2]), 1.0, 3)
        assert torch.allclose(mixed, torch.full((1, 3, 64, 64), 7.0))
        assert torch.allclose(soft_targets, torch.tensor([[0.0, 0.0, 1.0]]))


def test_resize_mix_shrinks_one_onto_another() -> None:
    images = torch.stack([torch.zeros(3, 64, 64), torch.ones(3, 64, 64)])
    mixed, soft_targets = ResizeMix(len(LABELS), scale=(0.5, 0.5))(images, torch.tensor([0, 1]))
    assert mixed[0].mean() == pytest.approx(0.75)
    assert soft_targets[0].tolist() == [0.25, 0.75, 0, 0, 0]


def test_recolored_image_has_the_colors_of_another_one() -> None:
    torch.manual_seed(0)
    image = torch.rand(5, 3, 32, 32) * torch.tensor([0.2, 0.5, 0.1])[:, None, None]
    other = -0.4 + 0.3 * torch.rand(1, 3, 32, 32)
    changed = recolored(image, other, 1.0)
    assert torch.allclose(changed.mean((2, 3)), other.mean((2, 3)).expand(5, 3), atol=0.01)
    assert torch.allclose(changed.std((2, 3)), other.std((2, 3)).expand(5, 3), atol=0.01)
    assert torch.equal(recolored(image, other, 0.0), image)
    many = recolored(image.repeat(100, 1, 1, 1), other, 0.3)
    share = (many != image.repeat(100, 1, 1, 1)).any(3).any(2).any(1).float().mean()
    assert share == pytest.approx(0.3, abs=0.07)


def test_squares_show_a_small_part_of_a_photo() -> None:
    ramp = torch.arange(200).expand(3, 200, 200).to(torch.uint8)
    for _ in range(20):
        square = transform(Recipe(size=64, resize=200), 64, squares=True)(ramp)
        assert square.shape == (3, 64, 64)
        assert square[0, 32].max().int() - square[0, 32].min().int() < 95
