"""The cache folder, in which downloads, decoded photos and hashes of photos wait for the next run."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from platformdirs import user_cache_path

from flower_alexnet.dataset import InvalidDataset
from flower_alexnet.files import make_writable

CACHE = user_cache_path("flower_alexnet")
"""Folder of the downloaded dataset and of decoded photos."""

HASHES = "hashes.sqlite"
"""File of the cache with the hashes of photos that were read once."""


def make_folder(folder: Path = CACHE) -> None:
    """Create the cache folder, or a folder in it, if it is not there.

    Raises:
        InvalidDataset: it cannot be created or written to, as where the user has no home.
    """
    try:
        make_writable(folder)
    except OSError as error:
        raise InvalidDataset(
            f"Photos cannot be kept in {folder}: {error.strerror}. Set the environment variable XDG_CACHE_HOME to a "
            "folder that you may write to."
        ) from error


def content_hashes(files: Iterable[Path], cache: Path = CACHE) -> dict[Path, str]:
    """Return the SHA-256, in hexadecimal, of the bytes of each file; empty for one that cannot be read.

    A hash is kept in the cache, by path, size and time of change, so that the bytes are read once.
    """
    hashes: dict[Path, str] = {}
    with closing(_kept_hashes(cache)) as kept, kept:
        for file in files:
            try:
                status, key = file.stat(), bytes(file.resolve())
                found = kept.execute(
                    "SELECT hash FROM hashes WHERE path = ? AND size = ? AND changed = ?",
                    (key, status.st_size, status.st_mtime_ns),
                ).fetchone()
                if found is None:
                    with file.open("rb") as opened:
                        found = (hashlib.file_digest(opened, "sha256").hexdigest(),)
                    row = (key, status.st_size, status.st_mtime_ns, *found)
                    kept.execute("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?)", row)
                hashes[file] = found[0]
            except OSError:
                hashes[file] = ""
    return hashes


def _kept_hashes(cache: Path) -> sqlite3.Connection:
    """Open the kept hashes; where they are damaged, or nothing can be kept, begin anew."""
    for database in (cache / HASHES, cache / HASHES, ":memory:"):
        try:
            if isinstance(database, Path):
                cache.mkdir(parents=True, exist_ok=True)
            kept = sqlite3.connect(database, timeout=30)
            kept.execute("CREATE TABLE IF NOT EXISTS hashes (path BLOB PRIMARY KEY, size, changed, hash)")
            return kept
        except sqlite3.OperationalError:  # it is in use, or nothing can be written there
            continue
        except sqlite3.DatabaseError:
            (cache / HASHES).unlink(missing_ok=True)
        except OSError:
            continue
    raise AssertionError("a database in memory can be made")
