"""Classify many photos, as files or in zips: a row for each, whether it can be read or not."""

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
from flower_alexnet.classifier import BATCH_SIZE, FlowerClassifier, Prediction
from flower_alexnet.images import InvalidImage, UnreadableImage

MAX_MEMBER = 50_000_000
"""Bytes of the largest file that is read from a zip."""

THUMBNAIL = 320
"""Pixels of the longer side of a row's thumbnail."""


class TooManyPhotos(ValueError):
    """There are more photos than are accepted at once."""


class Loadable(Protocol):
    """A photo to classify."""

    @property
    def name(self) -> str:
        """Return the name it is reported by."""
        ...

    def load(self, shorter_side: int) -> Image.Image:
        """Read it as ``images.load`` does; raise ``InvalidImage`` if it cannot be used."""
        ...


@dataclass(frozen=True)
class PhotoFile:
    """A photo in a file, or in a member of a zip.

    Args:
        name: the name it is reported by.
        path: the file, or the zip.
        archive, member: the opened zip and the member; None for a file.
        problem: why it cannot be read; None if it can, as far as is known.
    """

    name: str
    path: Path
    archive: ZipFile | None = None
    member: ZipInfo | None = None
    problem: str | None = None

    def load(self, shorter_side: int | None = None) -> Image.Image:
        """Read the photo as ``images.load`` does.

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
        except RuntimeError as error:  # raised by zipfile for encrypted members
            raise UnreadableImage(f"{self.name} is locked with a password. Make a zip without one.") from error
        except (BadZipFile, NotImplementedError, OSError, EOFError, zlib.error) as error:
            raise UnreadableImage(f"{self.name} is damaged in the zip ({error}). Make the zip again.") from error
        return images.load(content, PurePosixPath(self.name).name, shorter_side)


@dataclass(frozen=True)
class Row:
    """The result for one photo: a prediction and, if asked for, a thumbnail; or what is wrong with it."""

    name: str
    prediction: Prediction | None = None
    thumbnail: Image.Image | None = None
    problem: str | None = None


def collect(files: Iterable[tuple[str, Path]], limit: int) -> list[PhotoFile]:
    """List the photos among files and inside zips, which are not unpacked.

    Args:
        files: name and path of each.
        limit: most photos that are accepted.

    Raises:
        TooManyPhotos: there are more.
    """
    photos: list[PhotoFile] = []
    for name, path in files:
        photos += _members(name, path) if name.lower().endswith(".zip") else [PhotoFile(name, path)]
        if len(photos) > limit:
            raise TooManyPhotos(f"These are more than {limit} photos. Send them in parts.")
    return photos


def classify(classifier: FlowerClassifier, photos: Iterable[Loadable], thumbnails: bool = False) -> Iterator[Row]:
    """Yield a row for each photo, in order, ``BATCH_SIZE`` at a time.

    Args:
        classifier: the classifier.
        photos: any number; at most one is in memory at its full size.
        thumbnails: whether rows have a thumbnail.
    """
    remaining = iter(photos)
    while rows := _classify_batch(classifier, islice(remaining, BATCH_SIZE), thumbnails):
        yield from rows


def _classify_batch(classifier: FlowerClassifier, photos: Iterable[Loadable], thumbnails: bool) -> list[Row]:
    rows: list[Row] = []

    def readable() -> Iterator[Image.Image]:
        for photo in photos:
            try:
                image = photo.load(classifier.shorter_side)
            except InvalidImage as error:
                rows.append(Row(photo.name, problem=str(error)))
                continue
            thumbnail = None
            if thumbnails:
                thumbnail = image.copy()
                thumbnail.thumbnail((THUMBNAIL, THUMBNAIL))
            rows.append(Row(photo.name, thumbnail=thumbnail))
            yield image

    predictions = iter(list(classifier.stream(readable())))
    return [row if row.problem else Row(row.name, next(predictions), row.thumbnail) for row in rows]


def _members(name: str, path: Path) -> list[PhotoFile]:
    try:
        archive = ZipFile(path)
    except (BadZipFile, OSError, EOFError, ValueError, NotImplementedError):
        return [PhotoFile(name, path, problem=f"{name} is not a zip, or is damaged. Make it again.")]
    photos = []
    for member in archive.infolist():
        path_inside = PurePosixPath(member.filename)
        if member.is_dir() or path_inside.name.startswith(".") or "__MACOSX" in path_inside.parts:
            continue
        is_zip = path_inside.suffix.lower() == ".zip"
        nested = f"{path_inside.name} is a zip inside a zip. Send it by itself." if is_zip else None
        photos.append(PhotoFile(f"{name}/{member.filename}", path, archive, member, nested))
    return photos or [PhotoFile(name, path, problem=f"There is no file in {name}.")]
