"""The reference that tutorials show: Pillow, torchvision's transforms, and the eager float32 network."""

from __future__ import annotations

import os

os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "0")  # importing train sets it to 1, which users of the library do not

import train  # noqa: F401  # isort: skip  (lets torchvision be imported)

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms

from flower_alexnet import AlexNet, Config

NORMALIZE = [transforms.ToTensor(), transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))]
TRANSFORM = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), *NORMALIZE])


class Reference:
    """Classify photos the way that tutorials show.

    Args:
        network: the trained network.
        config: its labels are used, and nothing else.
    """

    def __init__(self, network: AlexNet, config: Config) -> None:
        self.network = network.eval()
        self.labels = config.labels

    def __call__(self, photos: Sequence[Path | Image.Image]) -> list[dict[str, float]]:
        """Return label -> probability for each photo."""
        images = torch.stack([_tensor(photo) for photo in photos])
        with torch.no_grad():
            probabilities = torch.softmax(self.network(images), dim=1)
        return [dict(zip(self.labels, row, strict=True)) for row in probabilities.tolist()]


def _tensor(photo: Path | Image.Image) -> Tensor:
    image = photo if isinstance(photo, Image.Image) else Image.open(photo)
    return TRANSFORM(image.convert("RGB"))
