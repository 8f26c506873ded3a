"""Any file, bytes, array or PIL image -> an upright sRGB image within limits -> crops -> the network's input."""

from __future__ import annotations

import io
import os
import threading
import warnings
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Annotated, BinaryIO

import numpy as np
import pillow_heif
import torch
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from PIL.IcnsImagePlugin import IcnsImageFile
from PIL.IcoImagePlugin import IcoImageFile
from PIL.JpegImagePlugin import JpegImageFile
from pydantic import ConfigDict, Field, with_config
from torch import Tensor

Source = str | os.PathLike[str] | bytes | Image.Image | np.ndarray
"""A photo: a path, the bytes of a file, a PIL image, or a uint8 array (H, W[, 1, 3 or 4])."""

STRICT = ConfigDict(extra="forbid")
"""How ``config.json`` is parsed: unknown fields are errors."""

Value = Annotated[float, Field(ge=0, le=1)]
Deviation = Annotated[float, Field(gt=0, le=1)]

MAX_PIXELS = 50_000_000
"""Largest width x height that is decoded: such an image takes 200 MB, and up to as much again while its colors are
converted. A JPEG may be larger if it is decoded at a fraction of its size."""

LARGE_PIXELS = 16_000_000
LARGE_LOCK = threading.Lock()
"""Held while an image of more than ``LARGE_PIXELS`` pixels is decoded, so that many at once do not fill the memory."""

MAX_SCANS = 100
"""Most scans of a progressive JPEG: each decodes all pixels once more. Encoders write about ten."""

SRGB = ImageCms.createProfile("sRGB")

pillow_heif.register_heif_opener(thumbnails=False)  # the format of iPhones
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # MAX_PIXELS is the limit here


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


@with_config(STRICT)
@dataclass(frozen=True)
class View:
    """Where a square crop is taken from a photo; logits are averaged over a photo's views.

    Args:
        zoom: above 1, a smaller square than ``Preprocessing`` crops; below 1, a larger one, within the image.
        x, y: its position, from 0 (left, top) to 1 (right, bottom).
        flip: whether it is mirrored.
    """

    zoom: Annotated[float, Field(gt=0, le=16)] = 1.0
    x: Annotated[float, Field(ge=0, le=1)] = 0.5
    y: Annotated[float, Field(ge=0, le=1)] = 0.5
    flip: bool = False


@with_config(STRICT)
@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the network's input; a part of ``config.json``.

    Args:
        resize: pixels that the image's shorter side is scaled to.
        crop: height and width in pixels of the square crop.
        mean, std: per channel, for values in 0-1: the mean is subtracted, then the std divided by.
        views: the crops that are taken; a single center crop if not given.
    """

    resize: Annotated[int, Field(ge=63, le=1024)] = 256
    crop: Annotated[int, Field(ge=63, le=1024)] = 224
    mean: tuple[Value, Value, Value] = (0.5, 0.5, 0.5)
    std: tuple[Deviation, Deviation, Deviation] = (0.5, 0.5, 0.5)
    views: Annotated[tuple[View, ...], Field(min_length=1, max_length=16)] = (View(),)


def load(source: Source, name: str = "the photo", shorter_side: int | None = None) -> Image.Image:
    """Read a photo and return it upright (by its EXIF orientation), in sRGB, on white where it is transparent.

    Of a file with several images, such as an animation, the first is read.

    Args:
        source: the photo.
        name: name used in error messages if the source is not a path.
        shorter_side: pixels of the shorter side that suffice: a JPEG is then decoded at a half, a quarter or an
            eighth of its size, which takes a fraction of the time, but not below this.

    Raises:
        EmptyImage, UnreadableImage, TruncatedImage, ImageTooLarge: all of them ``InvalidImage``.
        TypeError: the source has none of the types of ``Source``.
    """
    if isinstance(source, np.ndarray):
        return _to_rgb(_from_array(source))
    if isinstance(source, Image.Image):
        image = source
    elif isinstance(source, bytes):
        image = _open(name, source)
    elif isinstance(source, (str, os.PathLike)):
        name = Path(source).name
        image = _open(name, _read(Path(source)))
    else:
        raise TypeError(f"a photo must be a path, bytes, a PIL image or a uint8 array, not {type(source).__name__}")

    try:
        if shorter_side is not None and isinstance(image, JpegImageFile):
            image.draft(None, (shorter_side, shorter_side))
        width, height = _decoded_size(image)
        if width * height > MAX_PIXELS:
            raise _too_large(name, f"{width}x{height} pixels")
        with LARGE_LOCK if width * height > LARGE_PIXELS else nullcontext():
            image.load()
            if image is source:
                return _to_rgb(ImageOps.exif_transpose(image))
            ImageOps.exif_transpose(image, in_place=True)
            return _to_rgb(image)
    except InvalidImage:
        raise
    except Exception as error:  # a decoder may raise anything on a damaged file
        raise TruncatedImage(f"{name} is cut short or damaged ({error}). Try another copy of it.") from error


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
    """Return the normalized crops of an RGB image, float32 (views, 3, crop, crop)."""
    return normalize(crop_views(image, preprocessing), preprocessing)


def crop_views(image: Image.Image, preprocessing: Preprocessing) -> Tensor:
    """Return the crops of an RGB image, uint8 (views, 3, crop, crop), channels last."""
    resized: dict[tuple[float, float, float, float], np.ndarray] = {}
    crops = []
    for view in preprocessing.views:
        box = crop_box(image.size, preprocessing, view)
        if box not in resized:  # mirror images are resized once
            resized[box] = np.asarray(_resize(image, box, preprocessing.crop))
        crops.append(resized[box][:, ::-1] if view.flip else resized[box])
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)


def normalize(pixels: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Convert uint8 (N, 3, H, W) to float32, channels last, subtract the mean and divide by the std."""
    statistics = torch.tensor([preprocessing.mean, preprocessing.std], dtype=torch.float32, device=pixels.device)
    mean, std = 255 * statistics.view(2, 3, 1, 1)
    return pixels.contiguous(memory_format=torch.channels_last).sub(mean).div_(std)


def crop_box(size: tuple[int, int], preprocessing: Preprocessing, view: View) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom, in pixels, of a view in an image of a size (width, height)."""
    width, height = size
    shorter = min(size)
    side = min(shorter * preprocessing.crop / preprocessing.resize / view.zoom, shorter)
    left, top = (width - side) * view.x, (height - side) * view.y
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


def _open(name: str, content: bytes) -> Image.Image:
    if not content:
        raise EmptyImage(f"{name} is empty. Try another copy of it.")
    if content.startswith(b"\xff\xd8") and content.count(b"\xff\xda") > MAX_SCANS:
        raise UnreadableImage(f"{name} is a JPEG of more than {MAX_SCANS} scans. Save it again.")
    try:
        image = Image.open(io.BytesIO(content))
    except Image.DecompressionBombError as error:
        raise _too_large(name, "very many pixels") from error
    except UnidentifiedImageError as error:
        raise UnreadableImage(f"{name} is not a picture of a known format. Use a JPEG, PNG or WebP.") from error
    except Exception as error:  # a decoder may raise anything on a damaged file
        raise TruncatedImage(f"{name} is cut short or damaged ({error}). Try another copy of it.") from error
    if image.format == "EPS":  # Pillow would run Ghostscript on it
        raise UnreadableImage(f"{name} is a PostScript program, not a picture. Use a JPEG, PNG or WebP.")
    return image


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
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image.convert("RGB")


def _too_large(name: str, size: str) -> ImageTooLarge:
    return ImageTooLarge(
        f"{name} has {size}; at most {MAX_PIXELS // 1_000_000} million are accepted. Make it smaller first."
    )
