"""Classify many photos, as files or in zips: a row for each, whether it can be read or not."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from glob import escape, glob, has_magic
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname
from zipfile import BadZipFile, ZipInfo

import httpx2
from PIL import Image

from flower_alexnet import images
from flower_alexnet.classifier import FlowerClassifier, Prediction
from flower_alexnet.files import is_hidden, walk
from flower_alexnet.images import InvalidImage, UnreadableImage
from flower_alexnet.words import printable
from flower_alexnet.zips import DirectoryTooLarge, Locked, PhotoZip, UnknownMethod, read_member

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
        path: the file, or the zip, which is opened for each photo: a process may have few files open at a time.
        member: the member of the zip; None for a file.
        problem: why it cannot be read; None if it can, as far as is known.
    """

    name: str
    path: Path
    member: ZipInfo | None = None
    problem: str | None = None

    def load(self, shorter_side: int | None = None) -> Image.Image:
        """Read the photo as ``images.load`` does.

        Raises:
            InvalidImage: it cannot be used.
        """
        if self.problem is not None:
            raise UnreadableMember(self.problem)
        if self.member is None:
            return images.load(self.path, shorter_side=shorter_side)
        with images.FILES.taking(2 * min(self.member.file_size, MAX_MEMBER)):
            return images.load(self.content(), PurePosixPath(self.name).name, shorter_side)

    def content(self) -> bytes:
        """Return the bytes of the photo's file, at most ``images.MAX_FILE``, or ``MAX_MEMBER`` from a zip.

        Raises:
            InvalidImage: it cannot be read, or is larger.
        """
        if self.problem is not None:
            raise UnreadableMember(self.problem)
        if self.member is None:
            return images.read_file(self.path)
        if self.member.file_size > MAX_MEMBER:
            raise UnreadableMember(f"{self.name} is larger than {MAX_MEMBER // 1_000_000} MB. Send it by itself.")
        try:
            return read_member(self.path, self.member, MAX_MEMBER)
        except Locked as error:
            raise UnreadableMember(f"{self.name} is locked with a password. Make a zip without one.") from error
        except UnknownMethod as error:
            raise UnreadableMember(
                f"{self.name} is compressed by {error}, which is not read. Make the zip again with the usual method, "
                "Deflate."
            ) from error
        except Exception as error:  # damaged data may raise anything
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
                        raise UnreadableImage(
                            f"{self.name} is larger than {MAX_MEMBER // 1_000_000} MB. Download it, and name the file."
                        )
        except InvalidImage:
            raise
        except httpx2.HTTPStatusError as error:
            reason = f"{error.response.status_code} {error.response.reason_phrase}"
            raise UnreadableImage(f"{self.name} cannot be downloaded: {reason}. Check the address.") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            reason = str(error).rstrip(".") or type(error).__name__
            raise UnreadableImage(f"{self.name} cannot be downloaded: {reason}. Check the address.") from error
        if content.startswith((b"PK\3\4", b"PK\5\6")):
            raise UnreadableImage(f"{self.name} is a zip. Download it, and name the file.")
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
    """List the photos of files, folders, zips, patterns such as ``*.jpg``, and http(s) and file addresses.

    A file that does not exist is listed as well, and so is a folder that cannot be read, so that its row says so.

    Args:
        sources: what to list; ``~`` is the home folder.
        language: as for ``collect``.
    """
    photos = FoundPhotos([])
    for source in sources:
        if source.lower().startswith(("http://", "https://")):
            photos.found.append(RemotePhoto(source))
            continue
        matches = expand(source)
        for match in matches:
            if os.path.isdir(match):  # noqa: PTH112  (a name that is too long is no folder)
                _add_folder(photos, match, language)
            else:
                photos.found += _photos_in(match, Path(match), language)
        if not matches:
            hint = " In a pattern, [ stands for one of some letters; itself it is written [[]." if "[" in source else ""
            problem = f"No file matches {source}.{hint}"
            photos.found.append(PhotoFile(source, Path(source), problem=problem))
    return photos


def expand(source: str) -> list[str]:
    """Return the paths that a pattern matches, sorted; any other path, or that of a ``file:`` address, as it is.

    What exists is no pattern, whatever its name: neither ``a[1].jpg`` nor the folder in ``trip [2024]/*.jpg``.
    """
    if source.lower().startswith("file:"):
        source = url2pathname(urlsplit(source).path)
    path = os.path.expanduser(source)  # noqa: PTH111  (keeps what is written otherwise)
    if os.path.lexists(path) or not has_magic(path):
        return [path]
    folder, rest = path, ""
    while folder and not os.path.lexists(folder) and os.path.dirname(folder) != folder:  # noqa: PTH120
        folder, rest = os.path.dirname(folder), os.path.join(os.path.basename(folder), rest)  # noqa: PTH118, PTH119, PTH120
    pattern = os.path.join(escape(folder), rest.removesuffix(os.sep)) if folder else path  # noqa: PTH118
    return sorted(glob(pattern, recursive=True))  # noqa: PTH207  (a pattern may be absolute)


def _add_folder(photos: FoundPhotos, folder: str, language: str) -> None:
    files, unreadable = walk(folder)
    for file in files:
        if is_zip(file) or is_picture(Path(file)):
            photos.found += _photos_in(file, Path(file), language)
        else:
            photos.skipped += 1
    photos.found += [PhotoFile(path, Path(path), problem=f"The folder {path} cannot be read.") for path in unreadable]


def is_picture(file: Path) -> bool:
    """Return whether a file is an image by its name or content, or cannot be read, which its row says then."""
    if images.has_image_suffix(file.name):
        return True
    try:
        with file.open("rb") as opened:
            return images.has_image_header(opened)
    except OSError:
        return True


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
            found = _listed(printable(name), path, language, directories)
        except DirectoryTooLarge as error:
            raise _too_many(limit) from error
        photos += found.photos
        if len(photos) > limit:
            raise _too_many(limit)
        directories -= found.directory_size
    return photos


def _too_many(limit: int) -> TooManyPhotos:
    return TooManyPhotos(f"These are more than {limit} photos. Send them in parts.")


def _photos_in(name: str, file: Path, language: str) -> list[PhotoFile]:
    return _listed(name, file, language).photos


@dataclass
class _Listed:
    photos: list[PhotoFile] = field(default_factory=list)
    directory_size: int = 0


def _listed(name: str, path: Path, language: str, most: int | None = None) -> _Listed:
    """List the photo that is a file, or those in a zip."""
    if not is_zip(name):
        return _Listed([PhotoFile(name, path)])
    try:
        with PhotoZip(path, most) as opened:
            members = opened.named_members(language)
    except DirectoryTooLarge:
        raise
    except FileNotFoundError:
        return _Listed([PhotoFile(name, path, problem=f"There is no file {name}. Check its name.")])
    except Exception as error:  # a damaged directory may raise anything
        if isinstance(error, OSError) and error.strerror and not isinstance(error, BadZipFile):
            problem = f"{name} cannot be read: {error.strerror}."
        else:
            problem = f"{name} is not a zip, or is damaged. Make it again."
        return _Listed([PhotoFile(name, path, problem=problem)])
    listed = _Listed(directory_size=opened.directory_size)
    for member_name, member in members:
        path_inside = PurePosixPath(member_name)
        if any(map(is_hidden, path_inside.parts)):
            continue
        nested = None
        if is_zip(path_inside.name):
            nested = f"{path_inside.name} is a zip inside a zip. Send it by itself."
        listed.photos.append(PhotoFile(f"{name}/{member_name}", path, member, nested))
    if not listed.photos:
        listed.photos = [PhotoFile(name, path, problem=f"There is no file in {name}.")]
    return listed


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
