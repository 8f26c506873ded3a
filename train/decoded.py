"""Photos that are decoded once and then read from a memory-mapped file of the cache."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import torch
from filelock import FileLock
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms.v2 import functional as F
from tqdm import tqdm

from flower_alexnet.dataset import InvalidDataset, LabeledPhoto
from flower_alexnet.files import replace_atomically
from train.cache import CACHE, make_folder
from train.data import file_size, load

if sys.platform != "win32":
    import fcntl

CACHE_LIMIT = 2_000_000_000
"""Bytes of decoded photos that are kept in the cache: three times those of flower_photos."""

log = logging.getLogger(__name__)


class DecodedPhotos(Dataset[tuple[Tensor, int]]):
    """Photos as uint8 (3, H, W) with class indices, decoded once into a memory-mapped file in the cache.

    A file that was not there is decoded by one process; the others wait for it. Then those that were used least lately
    are deleted until ``CACHE_LIMIT`` is kept, but none that a process uses.

    Args:
        photos: photos to decode; an unreadable one is logged and skipped.
        short_side: length in pixels that a photo's shorter side is resized down to; smaller photos stay as they are.
        cache: folder of the file.

    Raises:
        InvalidDataset: no photo can be read, or nothing can be kept in the cache.
    """

    def __init__(self, photos: Sequence[LabeledPhoto], short_side: int, cache: Path = CACHE) -> None:
        described = json.dumps([(str(photo.path.resolve()), _modified(photo.path), photo.target) for photo in photos])
        key = hashlib.sha256(f"{short_side} {described}".encode()).hexdigest()[:16]
        self.file = cache / f"decoded-{key}.safetensors"
        while not self._open():
            make_folder(cache)
            with FileLock(cache / ".decode.lock"):
                _delete_unfinished(cache)
                if not self.file.is_file():
                    _decode(photos, short_side, self.file)
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
        if not (self.file.exists() and _pixels_of(self.file).exists()):
            return False
        with suppress(OSError):
            os.utime(self.file)
        with safe_open(self.file, framework="pt") as tensors:
            self.places = tensors.get_tensor("places")
            self.labels = tensors.get_tensor("labels")
        pixels = _pixels_of(self.file)
        self.pixels = torch.from_file(str(pixels), shared=False, size=pixels.stat().st_size, dtype=torch.uint8)
        return True


def _pixels_of(file: Path) -> Path:
    """Return the file that holds the pixels of all photos, one after the other, beside the file of their places."""
    return file.with_suffix(".pixels")


def _delete_unfinished(cache: Path) -> None:
    """Delete what killed processes left of files that they were writing; call while no other process decodes."""
    for file in cache.glob("decoded-*"):
        whole = file.suffix == ".safetensors" or (
            file.suffix == ".pixels" and file.with_suffix(".safetensors").exists()
        )
        if not whole:
            file.unlink(missing_ok=True)


def _delete_unused(cache: Path, keep: Path) -> None:
    """Delete decoded photos, those used least lately first, until ``CACHE_LIMIT`` is kept; none that is used."""
    used_at = {file: file.stat().st_mtime for file in cache.glob("decoded-*.safetensors") if file != keep}
    kept = _bytes_of(keep)
    for file in sorted(used_at, key=lambda file: -used_at[file]):
        kept += _bytes_of(file)
        if kept <= CACHE_LIMIT:
            continue
        with suppress(OSError), file.open("rb") as opened:  # it is used, or gone
            if sys.platform != "win32":
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            kept -= _bytes_of(file)
            file.unlink()
            _pixels_of(file).unlink(missing_ok=True)


def _bytes_of(file: Path) -> int:
    return file_size(file) + file_size(_pixels_of(file))


def _modified(path: Path) -> int:
    """Return a file's modification time in ns, or 0 if it is gone, which decoding then logs."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _decode(photos: Sequence[LabeledPhoto], short_side: int, file: Path) -> None:
    """Write the pixels of all photos, uint8 (H, W, 3) each, one after the other into one file as they are decoded; and
    into another ``places`` (N, 3: start, height, width) and ``labels`` (N,)."""

    def pixels_of(photo: LabeledPhoto) -> Tensor | None:
        image = load(photo)
        if image is None:
            return None
        if min(image.size) > short_side:
            image = F.resize(image, [short_side])
        return F.pil_to_tensor(image).permute(1, 2, 0).contiguous()

    places, labels, end = [], [], 0
    temporary, temporary_pixels = file.with_suffix(".part"), file.with_suffix(".pixels.part")
    try:
        with ThreadPoolExecutor() as pool, temporary_pixels.open("wb") as output:
            decoded = tqdm(pool.map(pixels_of, photos), desc="decoding photos", total=len(photos))
            for photo, pixels in zip(photos, decoded, strict=True):
                if pixels is not None:
                    output.write(pixels.numpy().tobytes())
                    places.append([end, *pixels.shape[:2]])
                    labels.append(photo.target)
                    end += pixels.numel()
        if not labels:
            raise InvalidDataset("None of the photos can be read.")
        if skipped := len(photos) - len(labels):
            verb = "is" if skipped == 1 else "are"
            log.warning("%d of %d photos cannot be read and %s not trained on", skipped, len(photos), verb)
        save_file({"places": torch.tensor(places), "labels": torch.tensor(labels)}, temporary)
        replace_atomically(temporary_pixels, _pixels_of(file))
        replace_atomically(temporary, file)  # last: where it is, the pixels are
    finally:
        for left in (temporary, temporary_pixels):  # incomplete files, on a disk that may be full
            left.unlink(missing_ok=True)
