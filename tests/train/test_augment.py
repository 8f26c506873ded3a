"""Training transforms: sizes, labels of mixed pictures, and that each option does what it says."""

from __future__ import annotations

import pytest
import torch

from flower_alexnet import LABELS
from train.augment import AugmentedPhotos, ResizeMix, low_resolution, mix, noise, size_in, transform
from train.recipes import Recipe

PHOTO = torch.arange(3 * 90 * 120).reshape(3, 90, 120).remainder(251).to(torch.uint8)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"crop_scale": 0.2},
        {"trivial_augment": True},
        {"grayscale": 1.0},
        {"blur": 1.0},
        {"noise": 1.0},
        {"erase": 1.0},
    ],
)
def test_picture_is_of_the_size_asked_for(options: dict) -> None:
    for size in (64, 96):
        picture = transform(Recipe(size=96, resize=112, **options), size)(PHOTO)
        assert picture.shape == (3, size, size)
        assert picture.dtype == torch.uint8


def test_grayscale_and_erase() -> None:
    gray = transform(Recipe(grayscale=1.0), 224)(PHOTO)
    assert torch.equal(gray[0], gray[1])
    assert not torch.equal(transform(Recipe(), 224)(PHOTO)[0], gray[0])
    erased = transform(Recipe(erase=1.0), 224)(torch.full_like(PHOTO, 9))
    assert 0.01 < (erased == 127).float().mean() < 0.4


def test_low_resolution_and_noise() -> None:
    torch.manual_seed(0)
    rough = torch.randint(256, (3, 96, 96), dtype=torch.uint8)
    flat = torch.full((3, 96, 96), 128, dtype=torch.uint8)
    assert low_resolution(rough).float().std() < 0.9 * rough.float().std()
    assert torch.equal(low_resolution(flat), flat)
    assert 0 < noise(flat).float().std() < 70
    assert noise(flat).float().mean() == pytest.approx(128, abs=1)


def test_zoomed_out_picture_lies_on_another_photo() -> None:
    bright, dark = (torch.full((3, 90, 120), value, dtype=torch.uint8) for value in (250, 5))
    photos = AugmentedPhotos([(bright, 2), (dark, 1)], Recipe(size=96, resize=96, zoom_out=1.0))  # type: ignore[arg-type]
    shares = []
    for epoch in range(20):
        photos.set_epoch(epoch)
        picture, label = photos[0]
        assert label == 2
        assert picture.shape == (3, 96, 96)
        shares.append((picture > 128).float().mean().item())
    assert {share == 1 for share in shares} == {True, False}  # it may lie on a piece of itself
    assert all(0.08 < share < 0.65 for share in shares if share < 1)


def test_picture_is_of_its_epoch_whoever_asks() -> None:
    recipe = Recipe(size=64, resize=64, crop_scale=0.2, trivial_augment=True, noise=0.5)
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


def test_pictures_grow_in_equal_shares_of_the_run() -> None:
    recipe = Recipe(first_size=128, size=224, epochs=8)
    assert [size_in(recipe, epoch) for epoch in range(8)] == [128, 128, 160, 160, 192, 192, 224, 224]
    assert size_in(Recipe(size=200), 3) == 200


def test_mixed_labels_are_the_shares_of_what_is_seen() -> None:
    torch.manual_seed(0)
    pictures = torch.arange(5.0).reshape(5, 1, 1, 1).expand(5, 3, 64, 64).clone()  # all of one picture has one value
    labels = torch.arange(5)
    same, shares = mix(pictures, labels, 0.0)
    assert torch.equal(same, pictures)
    assert torch.equal(shares, torch.eye(5))
    for _ in range(30):
        mixed, shares = mix(pictures.clone(), labels, 1.0)
        assert torch.allclose(shares.sum(1), torch.ones(5))
        # Each pixel's value is a label's number, or between two: so is the mean of the labels.
        assert torch.allclose(mixed.mean((1, 2, 3)), shares @ torch.arange(5.0), atol=1e-4)


def test_resize_mix_shrinks_one_onto_another() -> None:
    pictures = torch.stack([torch.zeros(3, 64, 64), torch.ones(3, 64, 64)])
    mixed, shares = ResizeMix(len(LABELS), scale=(0.5, 0.5))(pictures, torch.tensor([0, 1]))
    assert mixed[0].mean() == pytest.approx(0.75)
    assert shares[0].tolist() == [0.25, 0.75, 0, 0, 0]
