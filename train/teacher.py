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


def names(teacher: str) -> list[str]:
    """Return the names of a recipe's teachers, which commas separate."""
    return [name.strip() for name in teacher.split(",")]


class Teachers(nn.Module):
    """Several teachers, of which the mean is taken of what they say.

    Args:
        members: each maps images (N, 3, H, W) to ``Targets``.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, images: Tensor) -> Targets:
        """Return what they say of normalized images (N, 3, H, W)."""
        return mean_of([member(images) for member in self.members])


def mean_of(targets: Sequence[Targets]) -> Targets:
    """Return the mean of what several say, of showing a class only if each of them can tell."""
    can_tell = [each.in_distribution for each in targets if each.in_distribution is not None]
    known = torch.stack(can_tell).mean(0) if len(can_tell) == len(targets) else None
    return Targets(torch.stack([each.probabilities for each in targets]).mean(0), known)


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
        said = []
        for network, temperature in zip(self.networks, self.temperatures, strict=True):
            logits, in_distribution_logit = network(images)
            known = None if in_distribution_logit is None else torch.sigmoid(in_distribution_logit.float())
            said.append(Targets(torch.softmax(logits.float() / temperature, dim=1), known))
        return mean_of(said)
