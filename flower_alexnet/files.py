"""The files of a folder, names that are the same on every machine, and files that are complete or absent."""

from __future__ import annotations

import errno
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

NOT_PHOTOS = ("__MACOSX", "@eaDir")
"""Folders that macOS adds to archives, and network drives of Synology to folders: small pictures of the others."""


class Walked(NamedTuple):
    """What is in a folder.

    Args:
        files: paths of the files, sorted; as texts, since there may be millions.
        unreadable: paths of the folders that could not be read, sorted.
    """

    files: list[str]
    unreadable: list[str]


def make_writable(folder: Path) -> None:
    """Create a folder if it is not there, and check that files can be written into it.

    Raises:
        OSError: it cannot be created, or not be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(errno.EROFS, "it is read-only")


def is_hidden(name: str) -> bool:
    """Return whether files and folders of this name are passed over: those that begin with a dot, ``__MACOSX`` and
    ``@eaDir``."""
    return name in NOT_PHOTOS or (name.startswith(".") and name not in (".", ".."))


def walk(folder: Path | str) -> Walked:
    """List the files in a folder and all folders below it, always in the same order.

    Symbolic links are followed. Each folder is read once, at its own place if it is below the folder and otherwise at
    that of the first link to it, so that a link to a folder above it ends nothing in a loop, and no photo is listed
    twice for a link to its folder. Hidden files and folders are passed over, and so is what is neither a file nor a
    folder, such as a pipe. A link to a file that does not exist is listed: reading it says so.

    Args:
        folder: a folder; it may itself be hidden.

    Returns:
        The files, and the folders that could not be read: say so, their photos are missing.
    """
    files: list[str] = []
    unreadable: list[str] = []
    seen: set[tuple[int, int]] = set()
    folders, links = [os.fspath(folder)], list[str]()
    while folders or links:
        path = folders.pop() if folders else links.pop(0)
        try:
            about = os.stat(path)  # noqa: PTH116  (paths are texts here)
            if (about.st_dev, about.st_ino) in seen:
                continue
            seen.add((about.st_dev, about.st_ino))
            with os.scandir(path) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            unreadable.append(path)
            continue
        for entry in entries:
            if is_hidden(entry.name):
                continue
            if _is(entry.is_dir):
                (links if entry.is_symlink() else folders).append(entry.path)
            elif _is(entry.is_file) or entry.is_symlink():
                files.append(entry.path)
    return Walked(sorted(files), sorted(unreadable))


def _is(kind: Callable[[], bool]) -> bool:
    try:
        return kind()
    except OSError:  # a link in a circle, or to what may not be looked at
        return False


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
