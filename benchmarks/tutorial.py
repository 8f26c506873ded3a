"""The training loop of tutorials: ImageFolder, Pillow transforms in two workers, float32, Adam, batch size 32."""

from __future__ import annotations

import train  # noqa: F401  # isort: skip  (lets torchvision be imported)

import time
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision import transforms
from torchvision.datasets import ImageFolder

from benchmarks.reference import NORMALIZE, TRANSFORM
from flower_alexnet import AlexNet
from flower_alexnet.dataset import LabeledPhoto

TRAIN = transforms.Compose([transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), *NORMALIZE])


def fit(splits: Mapping[str, Sequence[LabeledPhoto]], epochs: int, seed: int = 0) -> Iterator[tuple[float, float]]:
    """Yield each epoch's training seconds (without validation) and validation accuracy, 0-1.

    Args:
        splits: training and validation photos, all from one folder of class folders.
        epochs: number of epochs.
        seed: random seed.
    """
    torch.manual_seed(seed)
    train_loader = DataLoader(_photos(splits["train"], TRAIN), batch_size=32, shuffle=True, num_workers=2)
    validation_loader = DataLoader(_photos(splits["validation"], TRANSFORM), batch_size=32, num_workers=2)
    network = AlexNet()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.0002)
    for _ in range(epochs):
        started = time.perf_counter()
        network.train()
        for images, targets in train_loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images), targets).backward()
            optimizer.step()
        seconds = time.perf_counter() - started
        network.eval()
        correct = 0
        with torch.no_grad():
            for images, targets in validation_loader:
                correct += int((network(images).argmax(1) == targets).sum())
        yield seconds, correct / len(splits["validation"])


def _photos(photos: Sequence[LabeledPhoto], transform: transforms.Compose) -> Subset:
    """Return a split as a subset of the ImageFolder that holds it."""
    folder = ImageFolder(str(photos[0].path.parent.parent), transform)
    indices = {path: index for index, (path, _) in enumerate(folder.samples)}
    return Subset(folder, [indices[str(photo.path)] for photo in photos])
