"""What to know of photos before a run is spent on them.

python -m train.check pets

Prints how many photos each class has and how they are split, and what would spoil a run: too few photos, classes of
very different numbers, copies, photos that are too small, and classes that a network could tell by the files alone.
"""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import tyro

from flower_alexnet import images
from flower_alexnet.dataset import SPLITS, InvalidDataset, LabeledPhoto, find_classes, split
from flower_alexnet.words import counted
from train.cache import content_hashes

FEW = 20
"""Photos of a class to train on, below which a network hardly learns it."""

FEW_TO_TEST = 30
"""Photos, below which an accuracy says little: of 30 photos that are all right, up to 11 % may be wrong of others."""

LOPSIDED = 5
"""Times as many photos as another class has, from which on the larger one is favored."""

SMALL = 128
"""Pixels of the shorter side, below which a photo is blurred at the size at which the recipes train."""

TELLING = 0.9
"""Share of a class that has a format which as few of the others have, or is larger or smaller than they are."""


class Kind(NamedTuple):
    """What a file alone tells: its format, and the pixels of its shorter side."""

    format: str
    side: int


def overview(splits: Mapping[str, Sequence[LabeledPhoto]], labels: Sequence[str]) -> list[str]:
    """Return a table in plain text: the photos of each class, and how many of them are in each part."""
    width = max(len("all"), *map(len, labels))
    counts = {part: Counter(photo.target for photo in photos) for part, photos in splits.items()}
    lines = [f"{'':<{width}}{''.join(f'{part:>12}' for part in SPLITS)}"]
    for target, label in enumerate(labels):
        lines.append(f"{label:<{width}}{''.join(f'{counts[part][target]:>12,}' for part in SPLITS)}")
    return [*lines, f"{'all':<{width}}{''.join(f'{len(splits[part]):>12,}' for part in SPLITS)}"]


def problems(splits: Mapping[str, Sequence[LabeledPhoto]], labels: Sequence[str]) -> list[str]:
    """Return what would spoil a run or its figures, each as a sentence or two with what to do; nothing if all is well.

    Every file is read once, none is decoded.
    """
    found = []
    train = Counter(photo.target for photo in splits["train"])
    few = [labels[target] for target in range(len(labels)) if train[target] < FEW]
    if few:
        found.append(f"Fewer than {FEW} photos to train on: {', '.join(few)}. Some hundreds of each class are better.")
    (most, number), (least, smallest) = train.most_common()[0], train.most_common()[-1]
    if number >= LOPSIDED * smallest:
        found.append(
            f"{labels[most]} has {number} photos to train on, {labels[least]} {smallest}: in doubt the network will "
            f"say {labels[most]}. Leave some out, or find more of the other."
        )
    if (tested := len(splits["test"])) < FEW_TO_TEST:
        found.append(
            f"There are {counted(tested, 'photo')} to test on: the accuracy will say little. Cross-validate: "
            "python -m train.evaluate --model MODEL --data FOLDER --folds 5, once the model is trained."
        )
    found += _copies(splits)
    return found + _told_by_files([photo for photos in splits.values() for photo in photos], labels)


def _copies(splits: Mapping[str, Sequence[LabeledPhoto]]) -> list[str]:
    """Return what is wrong with files that are the same photo, byte for byte, in two parts or in two classes."""
    hashes = content_hashes(photo.path for photos in splits.values() for photo in photos)
    first: dict[str, tuple[str, LabeledPhoto]] = {}
    parts, classes = [], []
    for part, photos in splits.items():
        for photo in photos:
            if not (content := hashes[photo.path]):
                continue
            earlier, other = first.setdefault(content, (part, photo))
            if other.target != photo.target:
                classes.append((other, photo))
            elif earlier != part:
                parts.append((other, photo))
    found = []
    for pairs, where, harm in (
        (parts, "in two parts of the split", "flatter what is measured"),
        (classes, "in two classes", "teach the network nothing"),
    ):
        if pairs:
            files = sorted(str(photo.path) for photo in pairs[0])
            found.append(
                f"{counted(len(pairs), 'photo')} {'is' if len(pairs) == 1 else 'are'} {where}, such as "
                f"{' and '.join(files)}, and {harm}. Delete one of each."
            )
    return found


def _told_by_files(photos: Sequence[LabeledPhoto], labels: Sequence[str]) -> list[str]:
    """Return what a network could learn of the files in place of what they show, and how many photos are too small."""
    kinds: dict[int, list[Kind]] = {target: [] for target in range(len(labels))}
    unread = []
    for photo in photos:
        if (kind := _kind(photo.path)) is None:
            unread.append(photo.path)
        else:
            kinds[photo.target].append(kind)
    found = []
    every = [kind for group in kinds.values() for kind in group]
    if unread:
        found.append(
            f"{counted(len(unread), 'file')} {'is' if len(unread) == 1 else 'are'} no photo that can be read, such as "
            f"{unread[0]}: a run leaves {'it' if len(unread) == 1 else 'them'} out. Delete "
            f"{'it' if len(unread) == 1 else 'them'}, or take another copy."
        )
    if small := sum(kind.side < SMALL for kind in every):
        found.append(
            f"{small} of {counted(len(every), 'photo')} have a side of fewer than {SMALL} pixels: they are blurred at "
            "the size at which the network looks. Take larger copies of them, if there are."
        )
    for target, group in kinds.items():
        others = [kind for other, kinds_of_other in kinds.items() if other != target for kind in kinds_of_other]
        if not group or not others:
            continue
        name, number = Counter(kind.format for kind in group).most_common(1)[0]
        alike = sum(kind.format == name for kind in others) / len(others)
        if number / len(group) >= TELLING and alike <= 1 - TELLING:
            found.append(_could_be_told(labels[target], f"{name} files, those of the other classes are not"))
        middle = median(kind.side for kind in others)
        larger = sum(kind.side > 1.5 * middle for kind in group) / len(group)
        smaller = sum(kind.side < middle / 1.5 for kind in group) / len(group)
        few_large = sum(kind.side > 1.5 * middle for kind in others) / len(others) <= 1 - TELLING
        few_small = sum(kind.side < middle / 1.5 for kind in others) / len(others) <= 1 - TELLING
        if larger >= TELLING and few_large:
            found.append(_could_be_told(labels[target], "larger than those of the other classes"))
        elif smaller >= TELLING and few_small:
            found.append(_could_be_told(labels[target], "smaller than those of the other classes"))
    return found


def _could_be_told(label: str, difference: str) -> str:
    return (
        f"The photos of {label} are {difference}: the network may learn that in place of what they show. Take all "
        "photos in the same way, or save them in the same format and size."
    )


def _kind(path: Path) -> Kind | None:
    """Return what a file alone tells; None if it is no picture, which a run tells when it leaves it out."""
    try:
        file_format, size = images.identify(path)
    except images.InvalidImage:
        return None
    return Kind(file_format, min(size))


def main(data: tyro.conf.Positional[Path]) -> None:
    """Say what to know of photos before a run is spent on them.

    Args:
        data: folder of class folders, as for python -m train --data.
    """
    try:
        splits, labels = split(data), find_classes(data)
    except InvalidDataset as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    print("\n".join(overview(splits, labels)))
    found = problems(splits, labels)
    print("\n".join(["", *found] if found else ["", "Nothing here would spoil a run."]))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    tyro.cli(main, prog="python -m train.check")
