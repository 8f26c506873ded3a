"""Trained models as teachers: their probabilities are targets (Hinton et al., 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from flower_alexnet import LABELS, FlowerClassifier
from flower_alexnet.config import Preprocessing
from flower_alexnet.model_folder import CONFIG
from train.recipes import InvalidRecipe


class Teacher(nn.Module):
    """Trained models whose calibrated probabilities, averaged, are distillation targets.

    Args:
        name: shipped model, model folder or Hub repository, or a folder of model folders.
        labels: those of the photos to train on.

    Raises:
        InvalidModel: there is no such model, or it cannot be used.
        InvalidRecipe: it has other labels, or its mean and standard deviation are not those that recipes normalize by.
    """

    def __init__(self, name: str, labels: Sequence[str] = LABELS) -> None:
        super().__init__()
        members = [str(file.parent) for file in sorted(Path(name).glob(f"*/{CONFIG}"))]
        self.networks, self.temperatures = nn.ModuleList(), []
        for member in members or [name]:
            classifier = FlowerClassifier.from_pretrained(member)  # its own: it is changed and moved
            if (known := classifier.config.labels) != tuple(labels):
                raise InvalidRecipe(
                    f"teacher: {member} knows {', '.join(known)}, but the photos show {', '.join(labels)}. Train "
                    "without a teacher (--teacher None), or give with --teacher a model trained on these classes."
                )
            preprocessing = classifier.config.preprocessing
            if (preprocessing.mean, preprocessing.std) != (Preprocessing.mean, Preprocessing.std):
                raise InvalidRecipe(f"teacher: {member} has another normalization mean and std than recipes have.")
            self.networks.append(classifier.network.to(memory_format=torch.channels_last))  # type: ignore[call-overload]
            self.temperatures.append(classifier.config.temperature)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Return the class probabilities, float32 (N, classes), of normalized images (N, 3, H, W)."""
        pairs = zip(self.networks, self.temperatures, strict=True)
        probabilities = [torch.softmax(network(images).float() / temperature, dim=1) for network, temperature in pairs]
        return torch.stack(probabilities).mean(0)
