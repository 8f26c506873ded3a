"""What a user would write instead: Pillow, torchvision's transforms and the plain float32 network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms

from flower_alexnet import AlexNet
from flower_alexnet.classifier import Config

NORMALISE = [transforms.ToTensor(), transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))]
TRANSFORM = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), *NORMALISE])


class Reference:
    """Classifies photos the way that tutorials show.

    Args:
        network: the network as it was trained.
        config: for its labels.
    """

    def __init__(self, network: AlexNet, config: Config) -> None:
        self.network = network.eval()
        self.labels = config.labels

    def __call__(self, photos: Sequence[Path | Image.Image]) -> list[dict[str, float]]:
        """The probability of each label for each photo."""
        pictures = torch.stack([_tensor(photo) for photo in photos])
        with torch.no_grad():
            probabilities = torch.softmax(self.network(pictures), dim=1)
        return [dict(zip(self.labels, row, strict=True)) for row in probabilities.tolist()]


def _tensor(photo: Path | Image.Image) -> Tensor:
    picture = photo if isinstance(photo, Image.Image) else Image.open(photo)
    return TRANSFORM(picture.convert("RGB"))
