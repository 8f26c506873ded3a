"""The training transforms: what is done at random to photos before the network sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset
from torchvision.transforms import v2

from flower_alexnet import LABELS
from train.recipes import Recipe

RESIZE_STEP = 32
"""Pixels by which pictures grow during a run."""


def transform(recipe: Recipe, size: int) -> v2.Transform:
    """A photo, uint8 (3, H, W) -> a picture, uint8 (3, size, size), cut and changed as the recipe says."""
    steps: list[v2.Transform] = []
    if recipe.crop_scale is None:
        steps += [v2.Resize(recipe.resize * size // recipe.size), v2.RandomCrop(size)]
    else:
        steps += [v2.RandomResizedCrop(size, scale=(recipe.crop_scale, 1))]
    steps += [v2.RandomHorizontalFlip(recipe.flip)]
    if recipe.trivial_augment:
        steps += [v2.TrivialAugmentWide(interpolation=v2.InterpolationMode.BILINEAR, fill=127)]
    if recipe.grayscale:
        steps += [v2.RandomGrayscale(recipe.grayscale)]
    if recipe.blur:
        steps += [v2.RandomApply([v2.Lambda(low_resolution)], recipe.blur)]
    if recipe.noise:
        steps += [v2.RandomApply([v2.Lambda(noise)], recipe.noise)]
    if recipe.erase:
        steps += [v2.RandomErasing(recipe.erase, value=127)]
    return v2.Compose(steps)


def size_in(recipe: Recipe, epoch: int) -> int:
    """Height and width in pixels of the pictures of an epoch, counted from 0: each size has as many epochs."""
    if recipe.first_size is None:
        return recipe.size
    sizes = [*range(recipe.first_size, recipe.size, RESIZE_STEP), recipe.size]
    return sizes[epoch * len(sizes) // recipe.epochs]


class AugmentedPhotos(Dataset[tuple[Tensor, int]]):
    """Decoded photos, each changed anew in every epoch, in the same way whichever process loads it."""

    def __init__(self, photos: Dataset[tuple[Tensor, int]], recipe: Recipe) -> None:
        self.photos: Any = photos
        self.recipe = recipe
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Make pictures of the size that the epoch has; loaders started after it see them."""
        self.epoch = epoch
        self.transform = transform(self.recipe, size_in(self.recipe, epoch))
        self.background = v2.RandomResizedCrop(size_in(self.recipe, epoch), scale=(0.05, 0.2))

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        pixels, label = self.photos[index]
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(hash((self.recipe.seed, self.epoch, index)))
            picture = self.transform(pixels)
            if self.recipe.zoom_out and torch.rand(()) < self.recipe.zoom_out:
                picture = paste(picture, self.background(self.photos[torch.randint(len(self), ()).item()][0]))
        return picture, label


def collate(photos: Sequence[tuple[Tensor, int]]) -> tuple[Tensor, Tensor]:
    """Pictures, uint8 (3, S, S), and labels -> a batch, uint8 (N, 3, S, S), channels last as photos are, and (N,)."""
    pictures, labels = zip(*photos, strict=True)
    pixels = torch.stack([picture.permute(1, 2, 0) for picture in pictures])
    return pixels.permute(0, 3, 1, 2), torch.tensor(labels)


def paste(picture: Tensor, background: Tensor, scale: tuple[float, float] = (0.3, 0.8)) -> Tensor:
    """The picture, uint8 (3, S, S), shrunk and laid somewhere on a background of the same size."""
    side, top, left = _place(picture.shape[-1], scale)
    background[..., top : top + side, left : left + side] = v2.functional.resize(picture, [side, side])
    return background


def mix(pictures: Tensor, labels: Tensor, probability: float) -> tuple[Tensor, Tensor]:
    """Pictures (N, 3, H, W) and labels (N,) -> pictures mixed in pairs, and the share (N, classes) of each label."""
    classes = len(LABELS)
    if torch.rand(()) >= probability:
        return pictures, F.one_hot(labels, classes).float()
    mixing = v2.RandomChoice(
        [v2.MixUp(alpha=0.4, num_classes=classes), v2.CutMix(num_classes=classes), ResizeMix(num_classes=classes)]
    )
    return mixing(pictures, labels)


class ResizeMix(v2.Transform):
    """Each picture shrunk and laid on the next one of the batch; labels go by area (Qin et al., 2020)."""

    def __init__(self, num_classes: int, scale: tuple[float, float] = (0.3, 0.8)) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.scale = scale

    def forward(self, pictures: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (N, 3, H, W) and labels (N,) -> pictures, and the share (N, classes) of each label."""
        size = pictures.shape[-1]
        side, top, left = _place(size, self.scale)
        mixed = pictures.roll(1, 0)
        mixed[..., top : top + side, left : left + side] = F.interpolate(
            pictures, (side, side), mode="bilinear", antialias=True
        )
        shares, share = F.one_hot(labels, self.num_classes).float(), (side / size) ** 2
        return mixed, share * shares + (1 - share) * shares.roll(1, 0)


def low_resolution(picture: Tensor) -> Tensor:
    """A picture, uint8 (3, S, S), scaled down to between a quarter and all of its size, and up again.

    It blurs as a Gaussian of up to a fortieth of S does, in a tenth of the time.
    """
    size = picture.shape[-1]
    small = v2.functional.resize(picture, [round(size * _uniform(0.25, 1))] * 2)
    return v2.functional.resize(small, [size, size])


def noise(picture: Tensor) -> Tensor:
    """A picture, uint8 (3, S, S), with Gaussian noise of a standard deviation of up to a quarter of the range."""
    return (picture + torch.randn(picture.shape) * _uniform(0, 64)).clamp_(0, 255).to(torch.uint8)


def _uniform(low: float, high: float) -> float:
    return low + (high - low) * torch.rand(()).item()


def _place(size: int, scale: tuple[float, float]) -> tuple[int, int, int]:
    """Side, top and left of a square of a random share of size."""
    side = round(size * _uniform(*scale))
    top, left = torch.randint(size - side + 1, (2,)).tolist()
    return side, top, left
