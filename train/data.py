"""A dataset of class folders, by default flower_photos: download it, load its images, and cache them decoded."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import shutil
import sys
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import httpx2
import torch
from filelock import FileLock
from PIL import Image
from platformdirs import user_cache_path
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms.v2 import functional as F
from tqdm import tqdm

from flower_alexnet import images
from flower_alexnet.config import Preprocessing
from flower_alexnet.dataset import SPLIT_FOLDERS, SPLITS, InvalidDataset, Photo, all_photos
from flower_alexnet.files import replace_atomically
from train.card import FLOWER_PHOTOS

if sys.platform != "win32":
    import fcntl

URL = "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz"
CACHE = user_cache_path("flower_alexnet")
"""Folder of the downloaded dataset and of decoded photos."""

CACHE_LIMIT = 2_000_000_000
"""Bytes of decoded photos that are kept in the cache: three times those of flower_photos."""

SHORTER = 0.75
"""Smallest length of a shorter side that is recompressed, as a fraction of the largest."""

QUALITIES = 50, 95
"""Least and best JPEG quality that photos are recompressed with."""

FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)

log = logging.getLogger(__name__)


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
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / ".download.lock"):  # another process may be downloading it
        if not folder.is_dir():
            if not archive.is_file():
                _download(url, archive)
            _unpack(archive, folder)
        archive.unlink(missing_ok=True)
    return folder


def describe(folder: Path, labels: Sequence[str], splits: Mapping[str, Sequence[Photo]]) -> dict[str, Any]:
    """Return what metrics.json says of a dataset.

    Returns:
        name: ``flower_photos`` for those photos, wherever they lie; otherwise the folder's name.
        labels: of its classes.
        photos: its ``fingerprint``.
        split_by: ``names`` if the photos are split by their names, ``folders`` if the folder came split.
    """
    photos = fingerprint(splits, labels)
    folders = {photo.path.relative_to(folder).parts[0].lower() for group in splits.values() for photo in group}
    return {
        "name": "flower_photos" if photos == FLOWER_PHOTOS else folder.resolve().name,
        "labels": list(labels),
        "photos": photos,
        "split_by": "folders" if {SPLIT_FOLDERS.get(name) for name in folders} == set(SPLITS) else "names",
    }


def fingerprint(splits: Mapping[str, Sequence[Photo]], labels: Sequence[str]) -> str:
    """Return a SHA-256, in hexadecimal, over class, name and bytes of each file to train and to validate on."""
    rows = sorted(
        (part, labels[photo.target], photo.path.name, _size(photo.path))
        for part in ("train", "validation")
        for photo in splits[part]
    )
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def check(splits: Mapping[str, Sequence[Photo]], labels: Sequence[str]) -> None:
    """Check that a photo can be read of each part, and of each class to train on, before a run is spent on them.

    Raises:
        InvalidDataset: of one of these no photo can be read.
    """
    groups = {f"{name} photo": photos for name, photos in splits.items()}
    for target, label in enumerate(labels):
        groups[f"training photo of {label}"] = [photo for photo in splits["train"] if photo.target == target]
    for kind, photos in groups.items():
        problem = None
        for photo in photos:
            try:
                images.load(photo.path)
                break
            except images.InvalidImage as error:
                problem = problem or error
        else:
            raise InvalidDataset(f"No {kind} can be read. The first of them: {problem}")


def readable(photos: Iterable[Photo]) -> Iterator[tuple[Image.Image, int]]:
    """Yield the RGB image and class index of each photo; log and skip an unreadable one."""
    for photo in photos:
        if (image := _load(photo)) is not None:
            yield image, photo.target


def load_tensors(photos: Sequence[Photo], preprocessing: Preprocessing) -> tuple[Tensor, Tensor]:
    """Return the crop of each readable photo, float32 (N, 3, crop, crop), and the targets, int64 (N,).

    Raises:
        InvalidDataset: no photo can be read.
    """
    loaded = [(images.to_tensor(image, preprocessing), target) for image, target in readable(photos)]
    if not loaded:
        raise InvalidDataset("None of the photos can be read.")
    tensors, targets = zip(*loaded, strict=True)
    return torch.stack(tensors), torch.tensor(targets)


class DecodedPhotos(Dataset[tuple[Tensor, int]]):
    """Photos as uint8 (3, H, W) with class indices, decoded once into a memory-mapped file in the cache.

    A file that was not there is decoded by one process; the others wait for it. Then those that were used least lately
    are deleted until ``CACHE_LIMIT`` is kept, but none that a process uses.

    Args:
        photos: photos to decode; an unreadable one is logged and skipped.
        short_side: length in pixels that a photo's shorter side is resized down to; smaller photos stay as they are.
        recompress: resize to a random length of ``SHORTER`` to 1 times that instead, by a random filter, and compress
            as a JPEG of random quality; the same each time.
        cache: folder of the file.

    Raises:
        InvalidDataset: no photo can be read.
    """

    def __init__(
        self, photos: Sequence[Photo], short_side: int, cache: Path = CACHE, *, recompress: bool = False
    ) -> None:
        described = json.dumps([(str(photo.path.resolve()), _modified(photo.path), photo.target) for photo in photos])
        key = hashlib.sha256(f"{short_side}{' recompressed' * recompress} {described}".encode()).hexdigest()[:16]
        self.file = cache / f"decoded-{key}.safetensors"
        while not self._open():
            cache.mkdir(parents=True, exist_ok=True)
            with FileLock(cache / ".decode.lock"):
                _delete_unfinished(cache)
                if not self.file.is_file():
                    _decode(photos, short_side, self.file, recompress)
                    _delete_unused(cache, keep=self.file)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        start, height, width = self.places[index].tolist()
        pixels = self.pixels[start : start + height * width * 3].view(height, width, 3)
        return pixels.permute(2, 0, 1), int(self.labels[index])

    def __getstate__(self) -> dict[str, Path]:
        return {"file": self.file}  # a worker process maps the file itself

    def __setstate__(self, state: dict[str, Path]) -> None:
        self.file = state["file"]
        if not self._open():
            raise FileNotFoundError(f"{self.file} was deleted")

    def _open(self) -> bool:
        """Map the file and protect it from ``_delete_unused`` as long as this object lives; return if it is there."""
        try:
            self._opened = self.file.open("rb")
        except FileNotFoundError:
            return False
        if sys.platform != "win32":  # where a file that is mapped cannot be deleted anyway
            with suppress(OSError):  # a file system without locks
                fcntl.flock(self._opened, fcntl.LOCK_SH)
        if not self.file.exists():
            return False
        with suppress(OSError):
            os.utime(self.file)
        with safe_open(self.file, framework="pt") as tensors:
            self.pixels = tensors.get_tensor("pixels")
            self.places = tensors.get_tensor("places")
            self.labels = tensors.get_tensor("labels")
        return True


def _delete_unfinished(cache: Path) -> None:
    """Delete what killed processes left of files that they were writing; call while no other process decodes."""
    for file in cache.glob("decoded-*"):
        if file.suffix != ".safetensors":
            file.unlink(missing_ok=True)


def _delete_unused(cache: Path, keep: Path) -> None:
    """Delete decoded photos, those used least lately first, until ``CACHE_LIMIT`` is kept; none that is used."""
    files = {file: file.stat() for file in cache.glob("decoded-*.safetensors") if file != keep}
    kept = _size(keep)
    for file, stat in sorted(files.items(), key=lambda item: -item[1].st_mtime):
        kept += stat.st_size
        if kept <= CACHE_LIMIT:
            continue
        with suppress(OSError), file.open("rb") as opened:  # it is used, or gone
            if sys.platform != "win32":
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.unlink()
            kept -= stat.st_size


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


def _load(photo: Photo) -> Image.Image | None:
    try:
        return images.load(photo.path)
    except images.InvalidImage as error:
        log.warning("left out %s: %s", photo.path, error)
        return None


def _modified(path: Path) -> int:
    """Return a file's modification time in ns, or 0 if it is gone, which decoding then logs."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _size(path: Path) -> int:
    """Return a file's size in bytes, or -1 if it is gone."""
    try:
        return path.stat().st_size
    except OSError:
        return -1


def recompressed(image: Image.Image, short_side: int, random: Random) -> Image.Image:
    """Return an image resized down to a random size by a random filter, and compressed as a JPEG of random quality.

    Args:
        image: RGB.
        short_side: pixels that the shorter side has at most.
        random: decides; of equal ones, equal images become equal ones.
    """
    side = short_side * random.uniform(SHORTER, 1)
    scale = side / min(image.size)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, random.choice(FILTERS))
    content = io.BytesIO()
    image.save(content, "JPEG", quality=random.randint(*QUALITIES))
    return Image.open(content).convert("RGB")


def _decode(photos: Sequence[Photo], short_side: int, file: Path, recompress: bool = False) -> None:
    """Write ``pixels`` (uint8, all photos flattened), ``places`` (N, 3: start, height, width) and ``labels`` (N,)."""

    def pixels_of(photo: Photo) -> Tensor | None:
        image = _load(photo)
        if image is None:
            return None
        if recompress:
            image = recompressed(image, short_side, Random(photo.path.name))
        elif min(image.size) > short_side:
            image = F.resize(image, [short_side])
        return F.pil_to_tensor(image).permute(1, 2, 0).contiguous()

    with ThreadPoolExecutor() as pool:
        decoded = list(tqdm(pool.map(pixels_of, photos), desc="decoding photos", total=len(photos)))
    kept = [(pixels, photo.target) for pixels, photo in zip(decoded, photos, strict=True) if pixels is not None]
    if not kept:
        raise InvalidDataset("None of the photos can be read.")
    if skipped := len(photos) - len(kept):
        verb = "is" if skipped == 1 else "are"
        log.warning("%d of %d photos cannot be read and %s not trained on", skipped, len(photos), verb)
    sizes = torch.tensor([pixels.shape[:2] for pixels, _ in kept])
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), (sizes.prod(1) * 3).cumsum(0)[:-1]])
    tensors = {
        "pixels": torch.cat([pixels.flatten() for pixels, _ in kept]),
        "places": torch.column_stack([starts, sizes]),
        "labels": torch.tensor([label for _, label in kept]),
    }
    temporary = file.with_suffix(".part")
    try:
        save_file(tensors, temporary)
        replace_atomically(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)  # an incomplete file, on a disk that may be full
