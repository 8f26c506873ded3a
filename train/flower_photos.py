"""flower_photos, the dataset of the five flowers: found, or downloaded and unpacked."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

import httpx2
from filelock import FileLock
from tqdm import tqdm

from flower_alexnet.dataset import InvalidDataset, all_photos
from train.cache import CACHE, make_folder

URL = "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz"
FINGERPRINTS = (
    "c2c2f4cce60976372bee2ec1d4f22f244b41405220e4085bc106e69fc46391d1",
    "23f4abbd6b7667afde37f374f4109426b8178a1123bc9e99ea202806096917a4",
)
"""The ``data.fingerprint`` of flower_photos: as it is, and as it was when it was over the sizes of the files."""


def find_or_download(url: str = URL, cache: Path = CACHE) -> Path:
    """Return the dataset's folder: ``$FLOWER_PHOTOS`` if set, else the downloaded copy in the cache.

    Args:
        url: archive to download if the cache has no copy.
        cache: folder to keep the copy in.

    Raises:
        InvalidDataset: the download failed (the next call resumes it), or the archive is damaged or has members
            outside its folder.
    """
    if given := os.environ.get("FLOWER_PHOTOS"):
        return Path(given)
    folder, archive = cache / "flower_photos", cache / "flower_photos.tgz"
    if folder.is_dir() and not archive.exists():
        return folder
    make_folder(cache)
    with FileLock(cache / ".download.lock"):  # another process may be downloading it
        if not folder.is_dir():
            if not archive.is_file():
                _download(url, archive)
            _unpack(archive, folder)
        archive.unlink(missing_ok=True)
    return folder


def _download(url: str, archive: Path) -> None:
    """Download to archive, resuming from ``<archive>.part`` of an earlier attempt."""
    part = archive.with_name(archive.name + ".part")
    done = part.stat().st_size if part.is_file() else 0
    try:
        headers = {"Range": f"bytes={done}-"}
        with httpx2.stream("GET", url, headers=headers, follow_redirects=True, timeout=30) as response:
            if response.status_code == httpx2.codes.REQUESTED_RANGE_NOT_SATISFIABLE and done:
                part.rename(archive)  # it was complete already
                return
            response.raise_for_status()
            if response.status_code != httpx2.codes.PARTIAL_CONTENT:
                done = 0  # the server ignores the range and sends the whole archive
            size = int(response.headers.get("Content-Length", 0)) + done or None
            bar = tqdm(desc=archive.name, total=size, initial=done, unit="B", unit_scale=True)
            with bar, part.open("ab" if done else "wb") as file:
                for chunk in response.iter_bytes():
                    file.write(chunk)
                    bar.update(len(chunk))
        if size is not None and part.stat().st_size != size:
            raise httpx2.TransportError(f"{part.stat().st_size} of {size} bytes arrived")
    except (httpx2.HTTPError, OSError) as error:
        raise InvalidDataset(
            f"{url} could not be downloaded ({error}). Run the command again to go on where it stopped, "
            "or give your own folder with --data."
        ) from error
    part.rename(archive)


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack flower_photos from an archive to folder, completely or not at all; delete a damaged archive."""
    temporary = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)  # of a killed process
    try:
        with tarfile.open(archive) as members:
            members.extractall(temporary, filter="data")  # refuses devices, and members or links outside
        unpacked = temporary / "flower_photos"
        all_photos(unpacked)
        unpacked.rename(folder)
    except (tarfile.TarError, OSError, EOFError, InvalidDataset) as error:
        archive.unlink()
        raise InvalidDataset(f"{archive.name} was not unpacked and is deleted: {error}. Download it again.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
