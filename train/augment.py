"""The training transforms: what is done at random to a photo before the network sees it."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import v2

from train.recipes import Recipe


def transform(recipe: Recipe) -> v2.Transform:
    """A photo, uint8 (3, H, W) -> a picture, uint8 (3, size, size), cut and changed as the recipe says."""
    crop: list[v2.Transform]
    if recipe.crop_scale is None:
        crop = [v2.Resize(recipe.resize), v2.RandomCrop(recipe.size)]
    else:
        crop = [v2.RandomResizedCrop(recipe.size, scale=(recipe.crop_scale, 1))]
    return v2.Compose([*crop, v2.RandomHorizontalFlip(recipe.flip)])


class AugmentedPhotos(Dataset[tuple[Tensor, int]]):
    """Decoded photos, each changed anew whenever it is asked for."""

    def __init__(self, photos: Dataset[tuple[Tensor, int]], recipe: Recipe) -> None:
        self.photos: Any = photos
        self.transform = transform(recipe)

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        pixels, label = self.photos[index]
        return self.transform(pixels), label
