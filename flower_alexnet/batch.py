"""Classify many photos, as files or in zips: a row for each, whether it can be read or not."""

from __future__ import annotations

import struct
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path, PurePosixPath
from typing import Protocol
from zipfile import BadZipFile, ZipInfo

import httpx2
from PIL import Image

from flower_alexnet import images
from flower_alexnet.classifier import FlowerClassifier, Prediction
from flower_alexnet.images import InvalidImage, UnreadableImage
from flower_alexnet.zips import DirectoryTooLarge, PhotoZip

MAX_MEMBER = 50_000_000
"""Bytes of the largest file that is read from a zip."""

ENTRY_BYTES = 2_000
"""Bytes of zips' directories that are read for each photo that is accepted, so that folders and hidden files fit in."""

TIMEOUT = 30
"""Seconds that a server may stay silent."""

THUMBNAIL = 240
"""Pixels of the longer side of a row's thumbnail."""


class TooManyPhotos(ValueError):
    """There are more photos than are accepted at once."""


class UnreadableMember(UnreadableImage):
    """A photo cannot be read from the zip it is in."""


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
    archive: PhotoZip | None = None
    member: ZipInfo | None = None
    problem: str | None = None

    def load(self, shorter_side: int | None = None) -> Image.Image:
        """Read the photo as ``images.load`` does.

        Raises:
            InvalidImage: it cannot be used.
        """
        if self.problem is not None:
            raise UnreadableMember(self.problem)
        if self.archive is None or self.member is None:
            return images.load(self.path, shorter_side=shorter_side)
        return images.load(self.content(), PurePosixPath(self.name).name, shorter_side)

    def content(self) -> bytes:
        """Return the bytes of the photo's file.

        Raises:
            InvalidImage: it cannot be read from its zip.
            OSError: it cannot be read.
        """
        if self.archive is None or self.member is None:
            return self.path.read_bytes()
        if self.member.file_size > MAX_MEMBER:
            raise UnreadableMember(f"{self.name} is larger than {MAX_MEMBER // 1_000_000} MB. Send it by itself.")
        try:
            with self.archive.open(self.member) as file:
                return file.read(MAX_MEMBER)
        except RuntimeError as error:  # raised by zipfile for encrypted members
            raise UnreadableMember(f"{self.name} is locked with a password. Make a zip without one.") from error
        except (BadZipFile, NotImplementedError, OSError, EOFError, zlib.error) as error:
            raise UnreadableMember(f"{self.name} is damaged in the zip ({error}). Make the zip again.") from error


@dataclass(frozen=True)
class Row:
    """The result for one photo: a prediction and, if asked for, a thumbnail; or what is wrong with it, in English, and
    the kind of error that this is."""

    name: str
    prediction: Prediction | None = None
    thumbnail: Image.Image | None = None
    problem: str | None = None
    error: InvalidImage | None = None


@dataclass(frozen=True)
class RemotePhoto:
    """A photo at an ``http`` or ``https`` address; its name is the address."""

    name: str

    def load(self, shorter_side: int | None = None) -> Image.Image:
        """Download the photo and read it as ``images.load`` does.

        Raises:
            InvalidImage: it cannot be downloaded or used, or is larger than ``MAX_MEMBER`` bytes.
        """
        content = bytearray()
        try:
            with httpx2.stream("GET", self.name, follow_redirects=True, timeout=TIMEOUT) as response:
                response.raise_for_status()
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > MAX_MEMBER:
                        raise UnreadableImage(f"{self.name} is larger than {MAX_MEMBER // 1_000_000} MB.")
        except httpx2.HTTPStatusError as error:
            reason = f"{error.response.status_code} {error.response.reason_phrase}"
            raise UnreadableImage(f"{self.name} cannot be downloaded: {reason}. Check the address.") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            raise UnreadableImage(f"{self.name} cannot be downloaded: {error}. Check the address.") from error
        return images.load(bytes(content), self.name, shorter_side)


@dataclass
class FoundPhotos:
    """The photos that a command line names.

    Args:
        found: the photos, in order.
        skipped: how many files of folders are no images by name and content.
    """

    found: list[Loadable]
    skipped: int = 0


def find_photos(sources: Iterable[str], language: str = "en") -> FoundPhotos:
    """List the photos of files, folders, zips, patterns such as ``*.jpg``, and http(s) addresses.

    A file that does not exist is listed as well, so that its row says so.

    Args:
        sources: what to list.
        language: as for ``collect``.
    """
    photos = FoundPhotos([])
    for source in sources:
        if source.startswith(("http://", "https://")):
            photos.found.append(RemotePhoto(source))
        elif Path(source).is_dir():
            _add_folder(photos, Path(source), language)
        elif Path(source).exists() or not has_magic(source):
            photos.found += _photos_in(source, Path(source), language)
        else:
            matches = sorted(glob(source, recursive=True))  # noqa: PTH207  (a pattern may be absolute)
            for match in matches:
                if Path(match).is_dir():
                    _add_folder(photos, Path(match), language)
                else:
                    photos.found += _photos_in(match, Path(match), language)
            if not matches:
                photos.found.append(PhotoFile(source, Path(source), problem=f"No file matches {source}."))
    return photos


def _add_folder(photos: FoundPhotos, folder: Path, language: str) -> None:
    for file in sorted(folder.rglob("*")):
        if not file.is_file() or any(part.startswith(".") for part in file.relative_to(folder).parts):
            continue
        if is_zip(file.name) or is_picture(file):
            photos.found += _photos_in(str(file), file, language)
        else:
            photos.skipped += 1


def is_picture(file: Path) -> bool:
    """Return whether a file is an image by its name or content, or cannot be read, which its row says then."""
    if images.has_image_suffix(file.name):
        return True
    try:
        with file.open("rb") as opened:
            return images.has_image_header(opened)
    except OSError:
        return True


def printable(text: str) -> str:
    """Return a name, or a text with a name in it, as Unicode: bytes of it that are no UTF-8 are written ``\\xe9``."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half of a UTF-16 pair, as names may have on Windows
        return text.encode("utf-8", "backslashreplace").decode()


def is_zip(name: str) -> bool:
    """Return whether a file is a zip by its name."""
    return name.lower().endswith(".zip")


def collect(files: Iterable[tuple[str, Path]], limit: int, language: str = "en") -> list[PhotoFile]:
    """List the photos among files and inside zips, which are not unpacked.

    Args:
        files: name and path of each.
        limit: most photos that are accepted.
        language: of the one who is shown the names: decides between encodings that fit the names in a zip equally well.

    Raises:
        TooManyPhotos: there are more. It is raised before more than ``ENTRY_BYTES`` a photo are read of directories.
    """
    photos: list[PhotoFile] = []
    directories = ENTRY_BYTES * limit
    for name, path in files:
        try:
            found = _photos_in(printable(name), path, language, directories)
        except DirectoryTooLarge as error:
            raise _too_many(limit) from error
        photos += found
        if len(photos) > limit:
            raise _too_many(limit)
        directories -= sum(archive.directory_size for archive in {photo.archive for photo in found} if archive)
    return photos


def _too_many(limit: int) -> TooManyPhotos:
    return TooManyPhotos(f"These are more than {limit} photos. Send them in parts.")


def _photos_in(name: str, file: Path, language: str, most: int | None = None) -> list[PhotoFile]:
    return _members(name, file, language, most) if is_zip(name) else [PhotoFile(name, file)]


def classify_each(classifier: FlowerClassifier, photos: Iterable[Loadable], thumbnails: bool = False) -> Iterator[Row]:
    """Yield a row for each photo, in order and in constant memory, as ``FlowerClassifier.results`` does.

    Args:
        classifier: the classifier.
        photos: any number.
        thumbnails: whether rows have a thumbnail.
    """
    waiting: deque[tuple[Loadable, list[Image.Image]]] = deque()

    def entered() -> Iterator[tuple[Loadable, list[Image.Image]]]:
        for photo in photos:
            waiting.append((photo, []))
            yield waiting[-1]

    def load(entry: tuple[Loadable, list[Image.Image]]) -> Image.Image:
        photo, made = entry
        image = photo.load(classifier.shorter_side)
        if thumbnails:
            thumbnail = image.copy()
            thumbnail.thumbnail((THUMBNAIL, THUMBNAIL))
            made.append(thumbnail)
        return image

    for result in classifier.results(entered(), load):
        photo, made = waiting.popleft()
        if isinstance(result, InvalidImage):
            yield Row(photo.name, problem=str(result), error=result)
        else:
            yield Row(photo.name, classifier.prediction(result), made[0] if made else None)


def _members(name: str, path: Path, language: str, most: int | None) -> list[PhotoFile]:
    try:
        archive = PhotoZip(path, most)
    except DirectoryTooLarge:
        raise
    except (BadZipFile, OSError, EOFError, ValueError, NotImplementedError, struct.error):
        return [PhotoFile(name, path, problem=f"{name} is not a zip, or is damaged. Make it again.")]
    photos = []
    for member_name, member in archive.named_members(language):
        path_inside = PurePosixPath(member_name)
        if path_inside.name.startswith(".") or "__MACOSX" in path_inside.parts:
            continue
        nested = None
        if is_zip(path_inside.name):
            nested = f"{path_inside.name} is a zip inside a zip. Send it by itself."
        photos.append(PhotoFile(f"{name}/{member_name}", path, archive, member, nested))
    return photos or [PhotoFile(name, path, archive, problem=f"There is no file in {name}.")]
