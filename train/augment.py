"""Data augmentation: the random transforms of training images, and the mixing of batches."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset
from torchvision.transforms import v2

from train.recipes import Recipe

RESIZE_STEP = 32
"""Pixels by which the image size grows during a run with an initial size (progressive resizing)."""

QUALITIES = 30, 100
"""Least and best quality of the JPEG and WebP files that ``compressed`` makes."""

SCALES = 0.8, 1.8
"""Least and largest size of a picture that is saved smaller or larger, as a multiple of the image's: what a network
looks at is most often a larger photo, scaled down after it was compressed."""

RESCALED, JPEG, WEBP, HALVED = 0.5, 0.7, 0.15, 0.6
"""Shares of pictures that are saved at another size, as JPEG and as WebP, and of JPEG files with halved colors."""

SQUARE_SCALE = 0.03, 0.15
"""Least and largest share of a photo that a small part of it shows."""

PASTED_SCALE, BACKGROUND_SCALE = (0.3, 0.8), (0.05, 0.2)
"""Least and largest side of an image that is pasted onto another, and share of that photo which is its background."""

COARSEST, NOISE = (0.25, 1), (0, 64)
"""Least and largest resolution of a blurred image, and standard deviation of noise, of 255."""

FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


def transform(recipe: Recipe, size: int, squares: bool = False) -> v2.Transform:
    """Return the recipe's transform of a photo, uint8 (3, H, W), into a training image, uint8 (3, size, size).

    With ``squares`` it shows a small part of the photo, of ``SQUARE_SCALE``.
    """
    steps: list[v2.Transform] = []
    if squares:
        steps += [v2.RandomResizedCrop(size, scale=SQUARE_SCALE)]
    elif recipe.crop_scale is None:
        steps += [v2.Resize(recipe.resize * size // recipe.size), v2.RandomCrop(size)]
    else:
        steps += [v2.RandomResizedCrop(size, scale=(recipe.crop_scale, 1))]
    steps += [v2.RandomHorizontalFlip(recipe.flip_prob)]
    if recipe.trivial_augment:
        steps += [v2.TrivialAugmentWide(interpolation=v2.InterpolationMode.BILINEAR, fill=127)]
    if recipe.grayscale_prob:
        steps += [v2.RandomGrayscale(recipe.grayscale_prob)]
    if recipe.blur_prob:
        steps += [v2.RandomApply([v2.Lambda(low_resolution)], recipe.blur_prob)]
    if recipe.noise_prob:
        steps += [v2.RandomApply([v2.Lambda(noise)], recipe.noise_prob)]
    if recipe.erase_prob:
        steps += [v2.RandomErasing(recipe.erase_prob, value=127)]
    return v2.Compose(steps)


def size_in(recipe: Recipe, epoch: int) -> int:
    """Return the image size in pixels in an epoch, counted from 0; every size lasts equally many epochs."""
    if recipe.initial_size is None:
        return recipe.size
    sizes = [*range(recipe.initial_size, recipe.size, RESIZE_STEP), recipe.size]
    return sizes[epoch * len(sizes) // recipe.epochs]


class AugmentedPhotos(Dataset[tuple[Tensor, int]]):
    """Decoded photos under random transforms that depend only on the recipe's seed, the epoch and the index.

    Args:
        photos: dataset of uint8 (3, H, W) and class index.
        recipe: its transforms and random seed.
        squares: whether they show small parts of the photos.
    """

    def __init__(self, photos: Dataset[tuple[Tensor, int]], recipe: Recipe, squares: bool = False) -> None:
        self.photos: Any = photos
        self.recipe = recipe
        self.squares = squares
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch and its image size; call before the epoch's loader workers start."""
        self.epoch = epoch
        self.transform = transform(self.recipe, size_in(self.recipe, epoch), self.squares)
        self.background = v2.RandomResizedCrop(size_in(self.recipe, epoch), scale=BACKGROUND_SCALE)

    def __len__(self) -> int:
        return len(self.photos)

    def source(self, index: int) -> int:
        """Return which of the photos an index shows."""
        return index

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        pixels, target = self.photos[self.source(index)]
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(hash((self.recipe.seed, self.epoch, index)))
            image = self.transform(pixels)
            if self.recipe.zoom_out_prob and torch.rand(()) < self.recipe.zoom_out_prob:
                image = paste(image, self.background(self.photos[torch.randint(len(self.photos), ()).item()][0]))
            if self.recipe.compress_prob and torch.rand(()) < self.recipe.compress_prob:
                image = compressed(image)  # last, as a photo is
        return image, target


class DrawnPhotos(AugmentedPhotos):
    """Augmented photos of which an epoch shows a random choice, drawn again and again, some more often than others.

    Args:
        photos, recipe, squares: as for ``AugmentedPhotos``.
        weights: how often each photo is drawn in comparison with the others, (N,).
        length: photos in an epoch.
    """

    def __init__(
        self,
        photos: Dataset[tuple[Tensor, int]],
        recipe: Recipe,
        weights: Tensor,
        length: int,
        squares: bool = False,
    ) -> None:
        self.weights, self.length = weights, length
        super().__init__(photos, recipe, squares)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, its image size and its photos, which are the same in every process of a run."""
        super().set_epoch(epoch)
        generator = torch.Generator().manual_seed(hash((self.recipe.seed, epoch)) % 2**63)
        self.drawn = torch.multinomial(self.weights, self.length, replacement=True, generator=generator)

    def __len__(self) -> int:
        return self.length

    def source(self, index: int) -> int:
        """Return which of the photos an index of the epoch shows."""
        return int(self.drawn[index])


def collate(samples: Sequence[tuple[Tensor, int]]) -> tuple[Tensor, Tensor]:
    """Stack images, uint8 (3, S, S), and class indices into a batch.

    Returns:
        Images, uint8 (N, 3, S, S) in channels-last memory format, and targets, int64 (N,).
    """
    images, targets = zip(*samples, strict=True)
    pixels = torch.stack([image.permute(1, 2, 0) for image in images])
    return pixels.permute(0, 3, 1, 2), torch.tensor(targets)


def paste(image: Tensor, background: Tensor, scale: tuple[float, float] = PASTED_SCALE) -> Tensor:
    """Paste a shrunk image at a random position onto a background of the same size.

    Args:
        image: uint8 (3, S, S).
        background: uint8 (3, S, S); not changed: a crop that needs no resizing is a view of a decoded photo.
        scale: range of the pasted side as a fraction of S.

    Returns:
        The new image, uint8 (3, S, S).
    """
    side, top, left = _random_square(image.shape[-1], scale)
    pasted = background.clone()
    pasted[..., top : top + side, left : left + side] = v2.functional.resize(image, [side, side])
    return pasted


def mix(images: Tensor, targets: Tensor, probability: float, num_classes: int) -> tuple[Tensor, Tensor]:
    """Mix the images of a batch in pairs with a probability, by MixUp, CutMix or ResizeMix chosen at random.

    Args:
        images: (N, 3, H, W).
        targets: class indices (N,).
        probability: 0-1; otherwise the images stay as they are.
        num_classes: length of a soft target.

    Returns:
        Images (N, 3, H, W), and soft targets (N, num_classes), one-hot if not mixed. The only image of a batch is
        mixed with itself.
    """
    if torch.rand(()) >= probability:
        return images, F.one_hot(targets, num_classes).float()
    mixing = v2.RandomChoice(
        [
            v2.MixUp(alpha=0.4, num_classes=num_classes),
            v2.CutMix(num_classes=num_classes),
            ResizeMix(num_classes=num_classes),
        ]
    )
    return mixing(images, targets)


def recolored(images: Tensor, others: Tensor, probability: float) -> Tensor:
    """Give images, with a probability each, the mean and spread of each color channel of another image.

    Args:
        images: normalized, float32 (N, 3, H, W).
        others: normalized, float32 (M, 3, H, W), of which one is drawn for each.
        probability: 0-1.
    """
    some = torch.rand(len(images)) < probability
    count = int(some.sum())
    if not count:
        return images
    std, mean = torch.std_mean(images[some], (2, 3), keepdim=True)
    other_std, other_mean = torch.std_mean(others[torch.randint(len(others), (count,))], (2, 3), keepdim=True)
    images = images.clone()
    images[some] = ((images[some] - mean) / (std + 1e-3) * other_std + other_mean).clamp(-1, 1)
    return images


class ResizeMix(v2.Transform):
    """Paste each image, shrunk, onto the next one of the batch; mix the targets by area (Qin et al., 2020).

    Args:
        num_classes: length of a soft target.
        scale: range of the pasted side as a fraction of the image size.
    """

    def __init__(self, num_classes: int, scale: tuple[float, float] = PASTED_SCALE) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.scale = scale

    def forward(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return mixed images (N, 3, S, S) and soft targets (N, classes) of images (N, 3, S, S) and targets (N,)."""
        size = images.shape[-1]
        side, top, left = _random_square(size, self.scale)
        mixed = images.roll(1, 0)
        mixed[..., top : top + side, left : left + side] = F.interpolate(
            images, (side, side), mode="bilinear", antialias=True
        )
        one_hot, area = F.one_hot(targets, self.num_classes).float(), (side / size) ** 2
        soft_targets = area * one_hot + (1 - area) * one_hot.roll(1, 0)
        return mixed, soft_targets


def low_resolution(image: Tensor) -> Tensor:
    """Downscale an image, uint8 (3, S, S), to between a quarter of S and S, and upscale it again.

    This blurs like a Gaussian of standard deviation up to S / 40, in a tenth of the time.
    """
    size = image.shape[-1]
    small = v2.functional.resize(image, [round(size * _uniform(*COARSEST))] * 2)
    return v2.functional.resize(small, [size, size])


def noise(image: Tensor) -> Tensor:
    """Add Gaussian noise of a random standard deviation of 0-64 (of 255) to an image, uint8 (3, S, S)."""
    return (image + torch.randn(image.shape) * _uniform(*NOISE)).clamp_(0, 255).to(torch.uint8)


def compressed(image: Tensor) -> Tensor:
    """Save an image, uint8 (3, S, S), as a file as people send them, and read it again.

    Half of the pictures are saved at another size, of ``SCALES``, and brought back to S. 70 % become JPEG files, most
    of them with halved color resolution as most programs write them, 15 % WebP files; the others are only resized.
    """
    picture = v2.functional.to_pil_image(image)
    size = picture.size
    kind = torch.rand(()).item()
    if torch.rand(()) < RESCALED:
        picture = picture.resize([round(size[0] * _uniform(*SCALES))] * 2, _filter())
    content = io.BytesIO()
    if kind < JPEG:
        subsampling = "4:2:0" if torch.rand(()) < HALVED else "4:4:4"
        picture.save(content, "JPEG", quality=round(_uniform(*QUALITIES)), subsampling=subsampling)
    elif kind < JPEG + WEBP:
        picture.save(content, "WEBP", quality=round(_uniform(*QUALITIES)), method=0)  # the fastest
    if content.tell():
        picture = Image.open(content).convert("RGB")
    if picture.size != size:
        picture = picture.resize(size, _filter())
    return v2.functional.pil_to_tensor(picture)


def _filter() -> Image.Resampling:
    return FILTERS[torch.randint(len(FILTERS), ()).item()]  # type: ignore[index]


def _uniform(low: float, high: float) -> float:
    return low + (high - low) * torch.rand(()).item()


def _random_square(size: int, scale: tuple[float, float]) -> tuple[int, int, int]:
    """Return side, top and left of a random square in an image; its side is a fraction of size within scale."""
    side = round(size * _uniform(*scale))
    top, left = torch.randint(size - side + 1, (2,)).tolist()
    return side, top, left
