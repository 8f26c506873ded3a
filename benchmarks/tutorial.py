"""Training as tutorials show it: ImageFolder, Pillow transforms in two workers, float32, Adam, batches of 32."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchvision import transforms
from torchvision.datasets import ImageFolder

from benchmarks.reference import NORMALISE, TRANSFORM
from flower_alexnet import AlexNet
from flower_alexnet.dataset import Photo

TRAIN = transforms.Compose([transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), *NORMALISE])


def train(splits: Mapping[str, Sequence[Photo]], epochs: int, seed: int = 0) -> Iterator[tuple[float, float]]:
    """Train epoch by epoch -> the seconds that each took to train and to validate, and its validation accuracy, 0-1.

    Args:
        splits: photos to train and validate on; all from one folder of class folders.
        epochs: how many.
        seed: of the weights and of every random choice.
    """
    torch.manual_seed(seed)
    train_loader = DataLoader(_photos(splits["train"], TRAIN), batch_size=32, shuffle=True, num_workers=2)
    validation_loader = DataLoader(_photos(splits["validation"], TRANSFORM), batch_size=32, num_workers=2)
    network = AlexNet()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.0002)
    for _ in range(epochs):
        started = time.perf_counter()
        network.train()
        for pictures, labels in train_loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(pictures), labels).backward()
            optimizer.step()
        seconds = time.perf_counter() - started
        network.eval()
        correct = 0
        with torch.no_grad():
            for pictures, labels in validation_loader:
                correct += int((network(pictures).argmax(1) == labels).sum())
        yield seconds, correct / len(splits["validation"])


def _photos(photos: Sequence[Photo], transform: transforms.Compose) -> Subset:
    folder = ImageFolder(str(photos[0].path.parent.parent), transform)
    places = {path: index for index, (path, _) in enumerate(folder.samples)}
    return Subset(folder, [places[str(photo.path)] for photo in photos])
