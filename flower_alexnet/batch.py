"""Many photos, loose or in zips: a row for each, whether it can be read or not."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Protocol
from zipfile import BadZipFile, ZipFile, ZipInfo

from PIL import Image

from flower_alexnet import images
from flower_alexnet.classifier import BATCH, FlowerClassifier, Prediction
from flower_alexnet.images import InvalidImage, UnreadableImage

MAX_MEMBER = 50_000_000
"""Bytes of the largest file that is taken out of a zip."""

THUMBNAIL = 320
"""Pixels of the longer side of a row's small picture."""


class TooManyPhotos(ValueError):
    """More photos than are taken at once."""


class Loadable(Protocol):
    """A photo that can be classified."""

    @property
    def name(self) -> str:
        """What people know it by."""
        ...

    def load(self, shorter_side: int) -> Image.Image:
        """The picture, as ``images.load`` gives it; ``InvalidImage`` if it cannot be used."""
        ...


@dataclass(frozen=True)
class PhotoFile:
    """A photo to be classified: a file, or a member of a zip.

    Args:
        name: what people know it by.
        path: the file, or the zip.
        archive, member: the zip, opened, and which of its members; None for a file.
        problem: why it cannot be read at all.
    """

    name: str
    path: Path
    archive: ZipFile | None = None
    member: ZipInfo | None = None
    problem: str | None = None

    def load(self, shorter_side: int | None = None) -> Image.Image:
        """The picture, as ``images.load`` gives it.

        Raises:
            InvalidImage: it cannot be used.
        """
        if self.problem is not None:
            raise UnreadableImage(self.problem)
        if self.archive is None or self.member is None:
            return images.load(self.path, shorter_side=shorter_side)
        if self.member.file_size > MAX_MEMBER:
            raise UnreadableImage(f"{self.name} is larger than {MAX_MEMBER // 1_000_000} MB. Send it by itself.")
        try:
            with self.archive.open(self.member) as file:
                content = file.read(MAX_MEMBER)
        except RuntimeError as error:  # zipfile's word for a password
            raise UnreadableImage(f"{self.name} is locked with a password. Make a zip without one.") from error
        except (BadZipFile, NotImplementedError, OSError, EOFError, zlib.error) as error:
            raise UnreadableImage(f"{self.name} is damaged in the zip ({error}). Make the zip again.") from error
        return images.load(content, PurePosixPath(self.name).name, shorter_side)


@dataclass(frozen=True)
class Row:
    """What became of one photo: a prediction and a small picture, or a problem in words."""

    name: str
    prediction: Prediction | None = None
    thumbnail: Image.Image | None = None
    problem: str | None = None


def collect(files: Iterable[tuple[str, Path]], most: int) -> list[PhotoFile]:
    """The photos among files and within zips, which are not unpacked.

    Args:
        files: name and path of each.
        most: how many photos are taken.

    Raises:
        TooManyPhotos: there are more.
    """
    photos: list[PhotoFile] = []
    for name, path in files:
        photos += _members(name, path) if name.lower().endswith(".zip") else [PhotoFile(name, path)]
        if len(photos) > most:
            raise TooManyPhotos(f"These are more than {most} photos. Send them in parts.")
    return photos


def classify(classifier: FlowerClassifier, photos: Iterable[Loadable], thumbnails: bool = False) -> Iterator[Row]:
    """A row for each photo, in their order, as each ``BATCH`` is done.

    Args:
        classifier: who is asked.
        photos: in any number; at most one is in memory at its full size.
        thumbnails: whether rows have a small picture.
    """
    remaining = iter(photos)
    while rows := _classify_batch(classifier, islice(remaining, BATCH), thumbnails):
        yield from rows


def _classify_batch(classifier: FlowerClassifier, photos: Iterable[Loadable], thumbnails: bool) -> list[Row]:
    rows: list[Row] = []

    def pictures() -> Iterator[Image.Image]:
        for photo in photos:
            try:
                picture = photo.load(classifier.shorter_side)
            except InvalidImage as error:
                rows.append(Row(photo.name, problem=str(error)))
                continue
            small = None
            if thumbnails:
                small = picture.copy()
                small.thumbnail((THUMBNAIL, THUMBNAIL))
            rows.append(Row(photo.name, thumbnail=small))
            yield picture

    predictions = iter(list(classifier.stream(pictures())))
    return [row if row.problem else Row(row.name, next(predictions), row.thumbnail) for row in rows]


def _members(name: str, path: Path) -> list[PhotoFile]:
    try:
        archive = ZipFile(path)
    except (BadZipFile, OSError, EOFError, ValueError, NotImplementedError):
        return [PhotoFile(name, path, problem=f"{name} is not a zip, or is damaged. Make it again.")]
    photos = []
    for member in archive.infolist():
        inside = PurePosixPath(member.filename)
        if member.is_dir() or inside.name.startswith(".") or "__MACOSX" in inside.parts:
            continue
        nested = f"{inside.name} is a zip inside a zip. Send it by itself." if inside.suffix.lower() == ".zip" else None
        photos.append(PhotoFile(f"{name}/{member.filename}", path, archive, member, nested))
    return photos or [PhotoFile(name, path, problem=f"There is no file in {name}.")]
