"""Batches of augmented photos, and of outliers beside them, for a device."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader, RandomSampler

from train.augment import AugmentedPhotos, DrawnPhotos, collate
from train.data import TrainingData
from train.on_device import BatchesOnDevice
from train.recipes import Recipe


class Loaders(NamedTuple):
    """Batches of uint8 (N, 3, S, S) and int64 (N,), and what must be told each epoch's number.

    Args:
        photos: of the classes.
        outliers: as many batches, or none.
        squares: as many batches of small parts of the photos, or none.
        have_epochs: what must be told each epoch's number, by ``set_epoch``.
    """

    photos: Any
    outliers: Any
    squares: Any
    have_epochs: list[Any]


def build(
    recipe: Recipe,
    data: TrainingData,
    batch_size: int,
    device: torch.device,
    process: int = 0,
    processes: int = 1,
    batches: int | None = None,
) -> Loaders:
    """Return batches of photos, and of outliers and squares if the recipe has them.

    On a CPU images are transformed one after the other; on an accelerator, on which the photos wait, by batches.
    Outliers are transformed as photos are, or a network would learn to tell them by that.

    Args:
        recipe: transforms, number of outliers and random seed.
        data: photos and outliers.
        batch_size: photos in a batch, over all processes.
        device: that trains. For a CPU the loaders are of one process, and accelerate distributes their batches.
        process, processes: number of this process, on an accelerator, and how many there are.
        batches: in an epoch, which may show a photo again; None for as many as photos fill.

    Returns:
        The batches of photos, of outliers and of small parts of photos, and what must be told each epoch's number.
    """
    outliers = data.outliers if recipe.outliers else None
    number: int = batches or len(data.photos) // batch_size  # type: ignore[arg-type]
    if by_batches(device):
        part: dict[str, Any] = {"batches": number, "process": process, "processes": processes}
        photos: Any = BatchesOnDevice(data.photos, recipe, batch_size, device, **part)
        drawn: Any = []
        if outliers is not None:
            drawn = BatchesOnDevice(outliers, recipe, recipe.outliers, device, weights=data.weights, **part)
        squares: Any = photos.squares_of(recipe.squares) if recipe.squares else []
        return Loaders(photos, drawn, squares, [each for each in (photos, drawn, squares) if each])

    options: dict[str, Any] = {"collate_fn": collate, "num_workers": workers()}
    photos = AugmentedPhotos(data.photos, recipe)
    sampler = None if batches is None else RandomSampler(photos, num_samples=batches * batch_size)
    loader = DataLoader(photos, batch_size, shuffle=sampler is None, sampler=sampler, drop_last=True, **options)
    have_epochs = [photos]
    outlier_loader: Any = []
    if outliers is not None:
        have_epochs += [DrawnPhotos(outliers, recipe, data.weights, number * recipe.outliers)]
        outlier_loader = DataLoader(have_epochs[-1], recipe.outliers, **options)
    square_loader: Any = []
    if recipe.squares:
        alike = torch.ones(len(photos))
        have_epochs += [DrawnPhotos(data.photos, recipe, alike, number * recipe.squares, squares=True)]
        square_loader = DataLoader(have_epochs[-1], recipe.squares, **options)
    return Loaders(loader, outlier_loader, square_loader, have_epochs)


def by_batches(device: torch.device) -> bool:
    """Return whether a device transforms whole batches: a CPU does single images in less time."""
    return device.type != "cpu"


def workers() -> int:
    """Return the worker processes of a loader on a CPU, of which a run with outliers has two.

    With two cores a worker slows down the training steps by more than it speeds up the loading.
    """
    return 2 if torch.get_num_threads() > 2 else 0
