"""A dataset of class folders, by default flower_photos: download it, load its images, and cache them decoded."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import torch
from PIL import Image
from platformdirs import user_cache_path
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms.v2 import functional as F
from tqdm import tqdm

from flower_alexnet import LABELS, images
from flower_alexnet.dataset import InvalidDataset, Photo, all_photos
from flower_alexnet.files import replace_atomically
from flower_alexnet.images import Preprocessing

URL = "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz"
CACHE = user_cache_path("flower_alexnet")
"""Folder of the downloaded dataset and of decoded photos."""

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
    folder = cache / "flower_photos"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        archive = _download(url, cache / "flower_photos.tgz")
        _unpack(archive, folder)
        archive.unlink()
    return folder


def describe(folder: Path, labels: Sequence[str]) -> dict[str, Any]:
    """Return what metrics.json says of a dataset: its name and its labels.

    The five classes of flower_photos are called so wherever they lie; other datasets are called as their folder.
    """
    name = "flower_photos" if tuple(labels) == LABELS else folder.resolve().name
    return {"name": name, "labels": list(labels)}


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
    """Return the first view of each readable photo, float32 (N, 3, crop, crop), and the targets, int64 (N,).

    Raises:
        InvalidDataset: no photo can be read.
    """
    loaded = [(images.to_tensor(image, preprocessing)[0], target) for image, target in readable(photos)]
    if not loaded:
        raise InvalidDataset("None of the photos can be read.")
    tensors, targets = zip(*loaded, strict=True)
    return torch.stack(tensors), torch.tensor(targets)


class DecodedPhotos(Dataset[tuple[Tensor, int]]):
    """Photos as uint8 (3, H, W) with class indices, decoded once into a memory-mapped file in the cache.

    Args:
        photos: photos to decode; an unreadable one is logged and skipped.
        short_side: length in pixels that a photo's shorter side is resized down to; smaller photos stay as they are.
        cache: folder of the file.

    Raises:
        InvalidDataset: no photo can be read.
    """

    def __init__(self, photos: Sequence[Photo], short_side: int, cache: Path = CACHE) -> None:
        described = json.dumps([(str(photo.path.resolve()), _modified(photo.path), photo.target) for photo in photos])
        key = hashlib.sha256(f"{short_side} {described}".encode()).hexdigest()[:16]
        self.file = cache / f"decoded-{key}.safetensors"
        if not self.file.is_file():
            _decode(photos, short_side, self.file)
        self._open()

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
        self._open()

    def _open(self) -> None:
        with safe_open(self.file, framework="pt") as tensors:
            self.pixels = tensors.get_tensor("pixels")
            self.places = tensors.get_tensor("places")
            self.labels = tensors.get_tensor("labels")


def _download(url: str, archive: Path) -> Path:
    """Download to archive, resuming from ``<archive>.part`` of an earlier attempt."""
    part = archive.with_name(archive.name + ".part")
    done = part.stat().st_size if part.is_file() else 0
    try:
        headers = {"Range": f"bytes={done}-"}
        with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=30) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and done:
                return part.rename(archive)  # it was complete already
            response.raise_for_status()
            if response.status_code != httpx.codes.PARTIAL_CONTENT:
                done = 0  # the server ignores the range and sends the whole archive
            size = int(response.headers.get("Content-Length", 0)) + done or None
            bar = tqdm(desc=archive.name, total=size, initial=done, unit="B", unit_scale=True)
            with bar, part.open("ab" if done else "wb") as file:
                for chunk in response.iter_bytes():
                    file.write(chunk)
                    bar.update(len(chunk))
        if size is not None and part.stat().st_size != size:
            raise httpx.TransportError(f"{part.stat().st_size} of {size} bytes arrived")
    except (httpx.HTTPError, OSError) as error:
        raise InvalidDataset(
            f"{url} could not be downloaded ({error}). Run the command again to go on where it stopped, "
            "or give your own folder with --data."
        ) from error
    return part.rename(archive)


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack flower_photos from an archive to folder, completely or not at all; delete a damaged archive."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        try:
            with tarfile.open(archive) as members:
                members.extractall(temporary, filter="data")  # refuses devices, and members or links outside
        except (tarfile.TarError, OSError, EOFError) as error:
            archive.unlink()
            raise InvalidDataset(
                f"{archive.name} was not unpacked and is deleted: {error}. Download it again."
            ) from error
        unpacked = Path(temporary) / "flower_photos"
        all_photos(unpacked)
        unpacked.rename(folder)


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


def _decode(photos: Sequence[Photo], short_side: int, file: Path) -> None:
    """Write ``pixels`` (uint8, all photos flattened), ``places`` (N, 3: start, height, width) and ``labels`` (N,)."""

    def pixels_of(photo: Photo) -> Tensor | None:
        image = _load(photo)
        if image is None:
            return None
        if min(image.size) > short_side:
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
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(f".{os.getpid()}")
    save_file(tensors, temporary)
    replace_atomically(temporary, file)
