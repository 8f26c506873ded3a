"""A folder of class folders: check, list and split its photos."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from flower_alexnet.config import LABELS, english_name

SPLITS = ("train", "validation", "test")
TEST_SHARE = VALIDATION_SHARE = 0.1


class InvalidDataset(ValueError):
    """A folder or archive is not five class folders of photos; the message says why and what to do."""


@dataclass(frozen=True)
class Photo:
    """A photo's file and the index of its class in ``LABELS``."""

    path: Path
    label: int


def all_photos(data: Path) -> list[Photo]:
    """List every file of the class folders by class and name; skip hidden files.

    Raises:
        InvalidDataset: a class folder is missing or empty, or a folder has another name.
    """
    return [Photo(path, label) for label, paths in enumerate(_files_by_class(data)) for path in paths]


def split(data: Path) -> dict[str, list[Photo]]:
    """List the photos of ``train``, ``validation`` and ``test``, the same on every machine.

    In each class the files are ordered by the SHA-256 of their names; the first 10 % (rounded) are the test photos, the
    next 10 % the validation photos. Flower_photos is split into 2,936, 367 and 367.

    Raises:
        InvalidDataset: as for ``all_photos``.
    """
    photos: dict[str, list[Photo]] = {name: [] for name in SPLITS}
    for label, paths in enumerate(_files_by_class(data)):
        paths = sorted(paths, key=lambda path: hashlib.sha256(path.name.encode()).hexdigest())
        test = round(TEST_SHARE * len(paths))
        validation = test + round(VALIDATION_SHARE * len(paths))
        for name, part in zip(SPLITS, (paths[validation:], paths[test:validation], paths[:test]), strict=True):
            photos[name] += [Photo(path, label) for path in part]
    return photos


def _files_by_class(data: Path) -> list[list[Path]]:
    if not data.is_dir():
        raise InvalidDataset(f"There is no folder {data}. Give the folder that holds {', '.join(LABELS)}.")
    label_of = {name: label for label in LABELS for name in (label, english_name(label))}
    folders: dict[str, Path] = {}
    for folder in sorted(data.iterdir()):
        if not folder.is_dir() or folder.name.startswith("."):
            continue
        label = label_of.get(folder.name.lower())
        if label is None:
            raise InvalidDataset(
                f"{data} holds the folder {folder.name}, which is none of {', '.join(LABELS)}. Move it away."
            )
        if label in folders:
            raise InvalidDataset(f"{data} holds {label} twice: {folders[label].name} and {folder.name}. Keep one.")
        folders[label] = folder
    if missing := [label for label in LABELS if label not in folders]:
        raise InvalidDataset(f"{data} lacks the folder {', '.join(missing)}: one folder a class is needed.")
    files = [
        sorted(file for file in folders[label].rglob("*") if file.is_file() and not file.name.startswith("."))
        for label in LABELS
    ]
    if empty := [label for label, found in zip(LABELS, files, strict=True) if not found]:
        raise InvalidDataset(f"{data}: there is no photo in {', '.join(empty)}.")
    return files
