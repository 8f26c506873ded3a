"""A dataset of class folders: described, checked, and loaded as tensors."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from flower_alexnet import images
from flower_alexnet.config import Preprocessing
from flower_alexnet.dataset import SPLIT_FOLDERS, SPLITS, InvalidDataset, LabeledPhoto, all_photos, find_classes
from flower_alexnet.files import normalized
from flower_alexnet.words import printable
from train.cache import content_hashes
from train.flower_photos import FINGERPRINTS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from.

    Args:
        labels: names of the classes, in the order of the logits.
        photos: decoded training photos, uint8 (3, H, W), and class indices.
        validation: normalized images, float32 (N, 3, H, W), and targets, int64 (N,).
        outliers: decoded photos of other things, uint8 (3, H, W), and any number; needed if the recipe has outliers.
        outlier_weights: how often each of these M is drawn in comparison with the others, (M,); None draws all alike.
        fingerprint: of the photos, as ``fingerprint`` returns it; a run is resumed only on the same photos.
    """

    labels: tuple[str, ...]
    photos: Dataset[tuple[Tensor, int]]
    validation: tuple[Tensor, Tensor]
    outliers: Dataset[tuple[Tensor, int]] | None = None
    outlier_weights: Tensor | None = None
    fingerprint: str = ""

    @property
    def weights(self) -> Tensor:
        """Return how often each outlier is drawn in comparison with the others, (M,)."""
        return torch.ones(len(self.outliers)) if self.outlier_weights is None else self.outlier_weights  # type: ignore[arg-type]


def describe(folder: Path, labels: Sequence[str], splits: Mapping[str, Sequence[LabeledPhoto]]) -> dict[str, Any]:
    """Return what metrics.json says of a dataset.

    Returns:
        name: ``flower_photos`` for those photos, wherever they lie; otherwise the folder's name.
        path: the folder as it was given, for the card's line that does the run again.
        labels: of its classes.
        photos: its ``fingerprint``.
        split_by: ``names`` if the photos are split by their names, ``folders`` if the folder came split.
    """
    photos = fingerprint(splits, labels)
    folders = {photo.path.relative_to(folder).parts[0].lower() for group in splits.values() for photo in group}
    return {
        "name": "flower_photos" if photos in FINGERPRINTS else printable(folder.resolve().name),
        "path": shown_path(folder),
        "labels": list(labels),
        "photos": photos,
        "split_by": "folders" if {SPLIT_FOLDERS.get(name) for name in folders} == set(SPLITS) else "names",
    }


def shown_path(folder: Path) -> str:
    """Return a folder's path as a model card may tell it: from here, or its name alone where it says whose disk it is.

    Args:
        folder: as it was given. A relative path stays as it is.
    """
    if folder.is_absolute():
        folder = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else Path(folder.resolve().name)
    return printable(folder.as_posix())


def fingerprint(splits: Mapping[str, Sequence[LabeledPhoto]], labels: Sequence[str]) -> str:
    """Return a SHA-256, in hexadecimal, over class, name and bytes of each file to train and to validate on."""
    photos = [(part, photo) for part in ("train", "validation") for photo in splits[part]]
    hashes = content_hashes(photo.path for _, photo in photos)
    rows = sorted(
        (part, labels[photo.target], normalized(photo.path.name), hashes[photo.path]) for part, photo in photos
    )
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def find_elsewhere(folder: Path | None, labels: Sequence[str]) -> list[LabeledPhoto]:
    """Return the photos of a folder of class folders with photos from elsewhere; none if there is no folder.

    Raises:
        InvalidDataset: it has other classes than the labels.
    """
    if folder is None:
        return []
    if (found := find_classes(folder)) != tuple(labels):
        raise InvalidDataset(
            f"The photos from elsewhere in {folder} show {', '.join(found)}, the others {', '.join(labels)}. Give a "
            "folder with one folder for each class, of the same names."
        )
    return all_photos(folder)


def check_readable(splits: Mapping[str, Sequence[LabeledPhoto]], labels: Sequence[str]) -> None:
    """Check that a photo can be read of each part, and of each class to train on, before a run is spent on them.

    Raises:
        InvalidDataset: of one of these no photo can be read.
    """
    groups = {f"{name} photo": photos for name, photos in splits.items()}
    for target, label in enumerate(labels):
        groups[f"training photo of {label}"] = [photo for photo in splits["train"] if photo.target == target]
    for kind, photos in groups.items():
        problem = None
        for photo in photos:
            try:
                images.load(photo.path)
                break
            except images.InvalidImage as error:
                problem = problem or error
        else:
            raise InvalidDataset(f"No {kind} can be read. The first of them: {problem}")


def readable(photos: Iterable[LabeledPhoto]) -> Iterator[tuple[Image.Image, int]]:
    """Yield the RGB image and class index of each photo; log and skip an unreadable one."""
    for photo in photos:
        if (image := load(photo)) is not None:
            yield image, photo.target


def load_tensors(photos: Sequence[LabeledPhoto], preprocessing: Preprocessing) -> tuple[Tensor, Tensor]:
    """Return the crop of each readable photo, float32 (N, 3, crop, crop), and the targets, int64 (N,).

    Raises:
        InvalidDataset: no photo can be read.
    """
    loaded = [(images.to_tensor(image, preprocessing), target) for image, target in readable(photos)]
    if not loaded:
        raise InvalidDataset("None of the photos can be read.")
    tensors, targets = zip(*loaded, strict=True)
    return torch.stack(tensors), torch.tensor(targets)


def load(photo: LabeledPhoto) -> Image.Image | None:
    """Return a photo as RGB; None if it cannot be read, which is logged once."""
    try:
        return images.load(photo.path)
    except images.InvalidImage as error:
        tell_left_out(photo.path, error)
        return None


def tell_left_out(path: Path, reason: object) -> None:
    """Log why a photo is left out, unless this process did so before: a run reads its photos several times."""
    if path not in _told:
        _told.add(path)
        log.warning("left out %s: %s", path, reason)


_told: set[Path] = set()


def file_size(path: Path) -> int:
    """Return a file's size in bytes, or -1 if it is gone."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
