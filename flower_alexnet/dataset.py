"""A folder of class folders: check, list and split its photos."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from flower_alexnet.config import LABELS
from flower_alexnet.files import is_hidden, normalized, walk
from flower_alexnet.words import english_name, printable

SPLITS = ("train", "validation", "test")
TEST_SHARE = VALIDATION_SHARE = 0.1

MIN_PHOTOS = len(SPLITS)
"""Fewest photos of a class: one for each part."""

SPLIT_FOLDERS = {name: name for name in SPLITS} | {"val": "validation", "valid": "validation"}
"""Folders of a dataset that is split already, and their parts."""


class InvalidDataset(ValueError):
    """A folder or archive is not a dataset of class folders; the message says why and what to do."""


@dataclass(frozen=True)
class LabeledPhoto:
    """A photo's file and the index of its class in ``find_classes``."""

    path: Path
    target: int


def find_classes(data: Path) -> tuple[str, ...]:
    """Return the labels of a dataset: the names of its class folders, sorted.

    The five folders of flower_photos give ``LABELS`` whether they are named in the singular or plural.

    Raises:
        InvalidDataset: there are fewer than two class folders, or one has no files.
    """
    part = next(iter(_split_folders(data).values()), data)
    return tuple(_class_folders(part))


def all_photos(data: Path) -> list[LabeledPhoto]:
    """List every file of the class folders by class and name; skip hidden files.

    Raises:
        InvalidDataset: there are fewer than two class folders, or one has no files.
    """
    return [photo for photos in split(data).values() for photo in photos] if _split_folders(data) else _list(data)


def split(data: Path) -> dict[str, list[LabeledPhoto]]:
    """List the photos of ``train``, ``validation`` and ``test``, the same on every machine.

    In each class the files are ordered by the SHA-256 of their names; the first 10 % (rounded, at least one) are the
    test photos, the next 10 % the validation photos. Flower_photos is split into 2,936, 367 and 367. If the folder
    holds ``train``, ``val`` (or ``validation``) and ``test`` with class folders in each, these are the parts.

    Raises:
        InvalidDataset: there are fewer than two class folders, or one has fewer than three files.
    """
    if parts := _split_folders(data):
        classes = {name: tuple(_class_folders(folder)) for name, folder in parts.items()}
        for name in SPLITS:
            if classes[name] != classes["train"]:
                raise InvalidDataset(
                    f"{parts[name]} has the classes {', '.join(classes[name])}, but {parts['train']} has "
                    f"{', '.join(classes['train'])}. Give every part the same class folders."
                )
        return {name: _list(parts[name]) for name in SPLITS}
    photos: dict[str, list[LabeledPhoto]] = {name: [] for name in SPLITS}
    for target, (label, files) in enumerate(_class_folders(data).items()):
        if len(files) < MIN_PHOTOS:
            raise InvalidDataset(
                f"{data}: {label} has {len(files)} photo{'s' * (len(files) > 1)}; at least {MIN_PHOTOS} are needed: "
                "one to train on, one to validate on and one to test on."
            )
        files = by_hash(files)
        test = max(1, round(TEST_SHARE * len(files)))
        validation = test + max(1, round(VALIDATION_SHARE * len(files)))
        for name, part in zip(SPLITS, (files[validation:], files[test:validation], files[:test]), strict=True):
            photos[name] += [LabeledPhoto(file, target) for file in part]
    return photos


def by_hash(files: Iterable[Path]) -> list[Path]:
    """Order files by the SHA-256 of their names, which is the same on every machine."""
    return sorted(files, key=lambda file: hashlib.sha256(_bytes(file.name)).hexdigest())


def _bytes(name: str) -> bytes:
    """Return the bytes of a name, which need not be Unicode."""
    return normalized(name).encode("utf-8", "surrogateescape")


def _list(folder: Path) -> list[LabeledPhoto]:
    return [
        LabeledPhoto(file, target) for target, files in enumerate(_class_folders(folder).values()) for file in files
    ]


def _class_folders(folder: Path) -> dict[str, list[Path]]:
    """Return the files of each class folder by its label, in the order of the labels."""
    if not folder.is_dir():
        raise InvalidDataset(f"There is no folder {folder}. Give a folder that holds one folder of photos a class.")
    folders = _folders(folder)
    for path in folders:
        if path.name != printable(path.name):
            raise InvalidDataset(f"{printable(str(path))}: its name, which becomes a label, is no UTF-8. Rename it.")
    singular = {path: english_name(path.name.lower()) for path in folders}
    five = {english_name(label): label for label in LABELS}
    if set(singular.values()) == set(five):
        labels = {path: five[name] for path, name in singular.items()}
    else:
        labels = {path: normalized(path.name) for path in folders}
    if len(set(labels.values())) < len(folders):
        twice = next(label for label in labels.values() if list(labels.values()).count(label) > 1)
        names = ", ".join(path.name for path in folders if labels[path] == twice)
        raise InvalidDataset(f"{folder} holds {twice} more than once: {names}. Keep one.")
    if len(folders) < 2:
        found = f"only the class folder {folders[0].name}" if folders else "no class folders"
        raise InvalidDataset(f"{folder} holds {found}; two or more are needed, each with the photos of a class.")
    classes = {labels[path]: _files(path) for path in sorted(folders, key=lambda path: labels[path])}
    if empty := [label for label, files in classes.items() if not files]:
        raise InvalidDataset(f"{folder}: there is no photo in {', '.join(empty)}.")
    return classes


def _split_folders(data: Path) -> dict[str, Path]:
    """Return the folders of a dataset that is split already, by part; nothing if it is not."""
    if not data.is_dir():
        return {}
    named = {SPLIT_FOLDERS[path.name.lower()]: path for path in _folders(data) if path.name.lower() in SPLIT_FOLDERS}
    if len(named) < len(_folders(data)) or not named:
        return {}
    if missing := [name for name in SPLITS if name not in named]:
        if any(_folders(path) for path in named.values()):
            raise InvalidDataset(
                f"{data} is split into {', '.join(path.name for path in named.values())}, but lacks "
                f"{' and '.join(missing)}. Add what is missing, or put all photos of a class into one folder: they are "
                "split on loading."
            )
        return {}
    return named


def _folders(folder: Path) -> list[Path]:
    """List the visible folders in a folder."""
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not is_hidden(path.name))
    except OSError as error:
        raise _unreadable(folder) from error


def _files(folder: Path) -> list[Path]:
    found = walk(folder)
    if found.unreadable:
        raise _unreadable(*found.unreadable)
    return sorted(map(Path, found.files))


def _unreadable(*folders: Path | str) -> InvalidDataset:
    """Return what is raised for folders that may not be read: without them, other photos would be trained on."""
    more = f" and {len(folders) - 1} more" if len(folders) > 1 else ""
    return InvalidDataset(f"{folders[0]}{more} may not be read. Change the permissions, or move it away.")
