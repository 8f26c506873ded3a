"""Any file, bytes, array or PIL image -> an upright sRGB image within limits -> crops -> the network's input."""

from __future__ import annotations

import io
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path, PurePath
from threading import Lock
from typing import BinaryIO

import numpy as np
import pillow_heif
import torch
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError
from PIL.IcnsImagePlugin import IcnsImageFile
from PIL.IcoImagePlugin import IcoImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from torch import Tensor

from flower_alexnet.config import Preprocessing
from flower_alexnet.containers import MAX_SCANS, has_too_many_scans, variants

Source = str | os.PathLike[str] | bytes | Image.Image | np.ndarray
"""A photo: a path, the bytes of a file, a PIL image, or a uint8 array (H, W[, 1, 3 or 4])."""

MAX_PIXELS = 50_000_000
"""Largest width x height that is decoded: such an image takes 200 MB, and up to as much again while its colors are
converted. A JPEG may be larger if it is decoded at a fraction of its size."""

LARGE_PIXELS = 16_000_000
LARGE_LOCK = threading.Lock()
"""Held while an image of more than ``LARGE_PIXELS`` pixels is decoded, so that many at once do not fill the memory."""

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what turns such an image upright."""

SRGB = ImageCms.createProfile("sRGB")

pillow_heif.register_heif_opener(thumbnails=False)  # the format of iPhones
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # MAX_PIXELS is the limit here
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # about metadata that is not used


class InvalidImage(ValueError):
    """A photo cannot be used; the message says which, why, and what to do."""


class EmptyImage(InvalidImage):
    """The file has no bytes, or the array no pixels."""


class UnreadableImage(InvalidImage):
    """The file does not exist, may not be read, or is not an image of a known format."""


class TruncatedImage(InvalidImage):
    """The file begins as an image but is cut short or damaged."""


class ImageTooLarge(InvalidImage):
    """The image has more than ``MAX_PIXELS`` pixels."""


READING = Lock()
"""Held while the file of a PIL image is read."""


def load(source: Source, name: str = "the photo", shorter_side: int | None = None) -> Image.Image:
    """Read a photo and return it upright (by its EXIF orientation), in sRGB, on white where it is transparent.

    Of a file with several images, such as an animation, the first is read. Metadata that are broken or very large are
    ignored.

    Args:
        source: the photo. It is not changed: a PIL image that was opened but not read is read from its file anew.
        name: name used in error messages if the source is not a path.
        shorter_side: pixels of the shorter side that suffice: a JPEG is then decoded at a half, a quarter or an
            eighth of its size, which takes a fraction of the time, but not below this.

    Raises:
        EmptyImage, UnreadableImage, TruncatedImage, ImageTooLarge: all of them ``InvalidImage``.
        TypeError: the source has none of the types of ``Source``.
    """
    image = _load(source, name, shorter_side)
    image.info = {}  # or an image that is loaded once more would be turned once more
    return image


def _load(source: Source, name: str, shorter_side: int | None) -> Image.Image:
    if isinstance(source, np.ndarray):
        return _to_rgb(_from_array(source))
    if isinstance(source, Image.Image):
        if (content := _unread_content(source, name)) is None:
            with _problems_in_words(name):
                upright = _upright(source, name, source.size)
                return upright.copy() if upright is source else upright
        return _from_content(content, name, shorter_side, source.tell())
    if isinstance(source, bytes):
        return _from_content(source, name, shorter_side)
    if isinstance(source, (str, os.PathLike)):
        return _from_content(_read(Path(source)), Path(source).name, shorter_side)
    raise TypeError(f"a photo must be a path, bytes, a PIL image or a uint8 array, not {type(source).__name__}")


def has_image_suffix(name: str) -> bool:
    """Return whether a file's name ends as images of a readable format do."""
    Image.init()  # knows all formats only then
    return Image.registered_extensions().get(PurePath(name).suffix.lower()) in Image.OPEN


def has_image_header(file: BinaryIO) -> bool:
    """Return whether a file begins as an image of a readable format does."""
    try:
        with Image.open(file):
            return True
    except Exception:  # a decoder may raise anything on a damaged file
        return False


def to_tensor(image: Image.Image, preprocessing: Preprocessing) -> Tensor:
    """Return the normalized center crop of an RGB image, float32 (3, crop, crop)."""
    return normalize(center_crop(image, preprocessing)[None], preprocessing)[0]


def center_crop(image: Image.Image, preprocessing: Preprocessing) -> Tensor:
    """Return the center crop of an RGB image, uint8 (3, crop, crop), channels last."""
    cropped = _resize(image, crop_box(image.size, preprocessing), preprocessing.crop)
    return torch.from_numpy(np.array(cropped)).permute(2, 0, 1)


def normalize(pixels: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Convert uint8 (N, 3, H, W) to float32, channels last, subtract the mean and divide by the std."""
    count, channels, height, width = pixels.shape
    # In rows of W x 3 values, for a fifteenth of the time that broadcasting over the 3 channels takes.
    statistics = torch.tensor([preprocessing.mean, preprocessing.std], dtype=torch.float32, device=pixels.device)
    mean, std = 255 * statistics.repeat(1, width)
    rows = pixels.permute(0, 2, 3, 1).reshape(count * height, width * channels).float()
    return rows.sub_(mean).div_(std).view(count, height, width, channels).permute(0, 3, 1, 2)


def crop_box(size: tuple[int, int], preprocessing: Preprocessing) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom, in pixels, of the center crop in an image of a size (width, height)."""
    width, height = size
    side = min(size) * preprocessing.crop / preprocessing.resize
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def _resize(image: Image.Image, box: tuple[float, float, float, float], side: int) -> Image.Image:
    # Cropped and resized in one step: an image of 1x10,000 pixels never becomes one of 256x2,560,000.
    return image.resize((side, side), Image.Resampling.BILINEAR, box=box)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UnreadableImage(f"There is no file {path}. Check its name.") from error
    except IsADirectoryError as error:
        raise UnreadableImage(f"{path} is a folder. Name the photos in it.") from error
    except OSError as error:
        raise UnreadableImage(f"{path} cannot be read: {error.strerror}.") from error


def _unread_content(image: Image.Image, name: str) -> bytes | None:
    """Return the file of an image that was opened but not read, whose position stays the same; None for any other."""
    if not isinstance(image, ImageFile) or (image._im is not None and not image.tile):
        return None
    try:
        if (file := image.fp) is None:
            raise ValueError("it has no open file")
        with READING:  # the same image may be given twice, to two threads
            position = file.tell()
            file.seek(0)
            try:
                return file.read()
            finally:
                file.seek(position)
    except (OSError, ValueError) as error:
        raise UnreadableImage(f"{name} was closed before it was read ({error}). Open it again.") from error


def _from_content(content: bytes, name: str, shorter_side: int | None, frame: int = 0) -> Image.Image:
    """Decode a file; if that fails, without its metadata: they never decide over intact pixels."""
    problem: InvalidImage | None = None
    for variant in variants(content):
        try:
            with _problems_in_words(name):
                image = _open(name, variant)
                if frame:
                    image.seek(frame)
                if shorter_side is not None and isinstance(image, JpegImageFile):
                    image.draft(None, (shorter_side, shorter_side))
                return _upright(image, name, _decoded_size(image))
        except (UnreadableImage, TruncatedImage) as error:
            problem = problem or error
            for it in (error, error.__cause__):  # so that no image is kept in memory by its frames
                if it is not None:
                    it.__traceback__ = None
    raise problem or EmptyImage(f"{name} is empty. Try another copy of it.")


@contextmanager
def _problems_in_words(name: str) -> Iterator[None]:
    try:
        yield
    except InvalidImage:
        raise
    except Exception as error:  # a decoder may raise anything on a damaged file
        raise TruncatedImage(f"{name} is cut short or damaged ({error}). Try another copy of it.") from error


def _open(name: str, content: bytes) -> Image.Image:
    if not content:
        raise EmptyImage(f"{name} is empty. Try another copy of it.")
    if has_too_many_scans(content):
        raise UnreadableImage(f"{name} is a JPEG of more than {MAX_SCANS} scans. Save it again.")
    try:
        image = Image.open(io.BytesIO(content))
    except Image.DecompressionBombError as error:
        raise _too_large(name, "very many pixels") from error
    except UnidentifiedImageError as error:
        raise UnreadableImage(f"{name} is not a picture of a known format. Use a JPEG, PNG or WebP.") from error
    if image.format == "EPS":  # Pillow would run Ghostscript on it
        raise UnreadableImage(f"{name} is a PostScript program, not a picture. Use a JPEG, PNG or WebP.")
    return image


def _upright(image: Image.Image, name: str, size: tuple[int, int]) -> Image.Image:
    """Return an image's pixels, of the size that is decoded, upright and in sRGB; the image itself if they are."""
    width, height = size
    if width * height > MAX_PIXELS:
        raise _too_large(name, f"{width}x{height} pixels")
    with LARGE_LOCK if width * height > LARGE_PIXELS else nullcontext():
        image.load()
        method = UPRIGHT.get(_orientation(image))
        if method is not None:
            image = image.transpose(method)
        return _to_rgb(image)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1-8; 1 if there is none or the metadata are broken."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # Pillow raises anything on broken metadata
        return 1
    return orientation if isinstance(orientation, int) and orientation in UPRIGHT else 1


def _decoded_size(image: Image.Image) -> tuple[int, int]:
    """Return the width and height that are decoded; those of icons differ from what their header says."""
    if isinstance(image, IcoImageFile):
        return image.ico.getimage(image.size).size
    if isinstance(image, IcnsImageFile):
        return image.icns.getimage(image.size).size
    return image.size


def _from_array(pixels: np.ndarray) -> Image.Image:
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4)):
        raise UnreadableImage(
            f"The array is {pixels.dtype} of shape {pixels.shape}; "
            "a photo is uint8 of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)."
        )
    if pixels.size == 0:
        raise EmptyImage(f"The array has no pixels: its shape is {pixels.shape}.")
    if pixels.shape[0] * pixels.shape[1] > MAX_PIXELS:
        raise _too_large("The array", f"{pixels.shape[1]}x{pixels.shape[0]} pixels")
    return Image.fromarray(pixels.squeeze(2) if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)


def _to_rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _to_8_bits(image)
    if image.has_transparency_data:
        white = Image.new("RGB", image.size, "white")
        transparent = image if image.mode == "RGBA" else image.convert("RGBA")
        white.paste(transparent, mask=transparent)
        image = white
    elif image.mode == "P":
        image = image.convert("RGB")
    if profile:
        return _to_srgb(image, profile)
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Convert gray of 16 or 32 bits a pixel to 8; white is the brightest pixel if the file does not define it."""
    pixels = np.asarray(image)
    if image.mode == "F":
        pixels = np.nan_to_num(pixels, posinf=0, neginf=0)
    low, high = min(float(pixels.min()), 0), float(pixels.max())
    if image.mode.startswith("I;16"):
        low, high = 0, 65535
    elif low == 0:
        high = next((white for white in (1, 255, 65535) if high <= white and (white > 1 or image.mode == "F")), high)
    gray = np.empty(pixels.size, dtype=np.uint8)
    for start in range(0, pixels.size, 1_000_000):  # in chunks: all of it in float64 would take half a gigabyte
        chunk = pixels.ravel()[start : start + 1_000_000].astype(np.float64)
        gray[start : start + 1_000_000] = ((chunk - low) * (255 / max(high - low, 1e-9))).round()
    return Image.fromarray(gray.reshape(pixels.shape))


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert an image from the colors of its ICC profile to sRGB; ignore a damaged profile."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if ImageCms.getProfileDescription(source).startswith("sRGB"):
            return image.convert("RGB")
        converted = ImageCms.profileToProfile(image, source, SRGB, outputMode="RGB")
        return image.convert("RGB") if converted is None else converted
    except Exception:  # the profile may hold, or info be, anything
        return image.convert("RGB")


def _too_large(name: str, size: str) -> ImageTooLarge:
    return ImageTooLarge(
        f"{name} has {size}; at most {MAX_PIXELS // 1_000_000} million are accepted. Make it smaller first."
    )
