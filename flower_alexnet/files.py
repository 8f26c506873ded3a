"""Files: those below a folder, names that are the same on every machine, and files that are complete or absent."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import NamedTuple

NO_PHOTOS = {"__MACOSX", "@eaDir"}
"""Folders of copies and thumbnails that macOS adds to archives, and network storage to folders."""


class Found(NamedTuple):
    """What is below a folder.

    Args:
        files: the visible files, sorted.
        unreadable: folders that may not be read.
    """

    files: list[Path]
    unreadable: list[Path]


def walk(folder: Path) -> Found:
    """List the files below a folder; hidden files and folders, and those of ``NO_PHOTOS``, are passed over.

    Links to folders are followed, each folder is read once, and what is neither a file nor a folder is passed over.
    """
    found, read = Found([], []), set()

    def note(error: OSError) -> None:
        found.unreadable.append(Path(str(error.filename)))

    for parent, folders, names in os.walk(folder, onerror=note, followlinks=True):
        status = Path(parent).stat()
        if (status.st_dev, status.st_ino) in read:
            folders.clear()
            continue
        read.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        paths = (Path(parent, name) for name in names if not is_hidden(name))
        found.files.extend(path for path in paths if path.is_file())
    found.files.sort()
    return found


def is_hidden(name: str) -> bool:
    """Return whether a file or folder of this name is passed over."""
    return name.startswith(".") or name in NO_PHOTOS


def normalized(name: str) -> str:
    """Return a name in the one form (NFC) in which names are compared: macOS may store it in another (NFD)."""
    return unicodedata.normalize("NFC", name)


def replace_atomically(temporary: Path, file: Path) -> None:
    """Move a finished temporary file into place after its contents reached the disk; no reader ever sees half of it.

    Args:
        temporary: on the same disk; gone afterwards.
        file: replaced if it exists.
    """
    with temporary.open("rb") as written:
        os.fsync(written.fileno())
    temporary.replace(file)
