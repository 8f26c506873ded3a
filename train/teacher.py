"""Trained models as teachers: their probabilities are targets (Hinton et al., 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from flower_alexnet import LABELS, FlowerClassifier
from flower_alexnet.config import Preprocessing
from flower_alexnet.model import NetworkWithHead
from flower_alexnet.model_folder import CONFIG
from train.recipes import InvalidRecipe


class Targets(NamedTuple):
    """What a teacher says of N images.

    Args:
        probabilities: of the classes, float32 (N, classes).
        in_distribution: of showing one of the classes, float32 (N,); None if it cannot tell.
    """

    probabilities: Tensor
    in_distribution: Tensor | None


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
            network = NetworkWithHead(classifier.network, classifier.in_distribution_head)
            self.networks.append(network.to(memory_format=torch.channels_last))  # type: ignore[call-overload]
            self.temperatures.append(classifier.config.temperature)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Targets:
        """Return what they say of normalized images (N, 3, H, W)."""
        probabilities, in_distribution = [], []
        for network, temperature in zip(self.networks, self.temperatures, strict=True):
            logits, in_distribution_logit = network(images)
            probabilities.append(torch.softmax(logits.float() / temperature, dim=1))
            if in_distribution_logit is not None:
                in_distribution.append(torch.sigmoid(in_distribution_logit.float()))
        can_tell = len(in_distribution) == len(probabilities)
        return Targets(torch.stack(probabilities).mean(0), torch.stack(in_distribution).mean(0) if can_tell else None)
