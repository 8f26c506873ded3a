"""Any picture -> an upright RGB picture within limits -> the tensor a network takes."""

from __future__ import annotations

import io
import os
import threading
import warnings
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pillow_heif
import torch
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from PIL.IcnsImagePlugin import IcnsImageFile
from PIL.IcoImagePlugin import IcoImageFile
from PIL.JpegImagePlugin import JpegImageFile
from pydantic import Field
from torch import Tensor

Source = str | os.PathLike[str] | bytes | Image.Image | np.ndarray
"""What a picture may come as: a path, the bytes of a file, a PIL image, or uint8 pixels (H, W[, 1, 3 or 4])."""

Value = Annotated[float, Field(ge=0, le=1)]
Deviation = Annotated[float, Field(gt=0, le=1)]

MAX_PIXELS = 50_000_000
"""Largest width x height that is decoded: such a picture takes 200 MB, and up to as much again while its colours are
converted. A JPEG may be larger where it is decoded at a fraction of its size."""

LARGE = threading.Lock()
LARGE_PIXELS = 16_000_000
"""Pictures that are decoded at more pixels wait for each other, so that many at once do not fill the memory."""

MAX_SCANS = 100
"""Passes of a progressive JPEG: each goes over all of its pixels. Encoders make about ten."""

SRGB = ImageCms.createProfile("sRGB")

pillow_heif.register_heif_opener(thumbnails=False)  # what iPhones write
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # MAX_PIXELS decides here


class InvalidImage(ValueError):
    """A picture cannot be used; the message says which, why, and what to do."""


class EmptyImage(InvalidImage):
    """The file holds no bytes, or the array no pixels."""


class UnreadableImage(InvalidImage):
    """The file is not there, may not be read, or is no picture of a kind that is known."""


class TruncatedImage(InvalidImage):
    """The file begins as a picture but is cut short or damaged."""


class ImageTooLarge(InvalidImage):
    """The picture has more than ``MAX_PIXELS`` pixels."""


@dataclass(frozen=True)
class View:
    """A square cut from a photo; a network's answer is the mean of the logits of its views.

    Args:
        zoom: above 1, a smaller square than ``Preprocessing`` cuts; below 1, a larger one, within the picture.
        x, y: where it lies, from 0 (left, top) to 1 (right, bottom).
        flip: whether it is mirrored.
    """

    zoom: Annotated[float, Field(gt=0, le=16)] = 1.0
    x: Annotated[float, Field(ge=0, le=1)] = 0.5
    y: Annotated[float, Field(ge=0, le=1)] = 0.5
    flip: bool = False


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes a network's input; a part of ``config.json``.

    Args:
        resize: length in pixels that the picture's shorter side is scaled to.
        crop: height and width in pixels of the square cut from it.
        mean, std: per channel, subtracted from and divided into values in 0-1.
        views: the squares that are cut; one, from the middle, if not given.
    """

    resize: Annotated[int, Field(ge=63, le=1024)] = 256
    crop: Annotated[int, Field(ge=63, le=1024)] = 224
    mean: tuple[Value, Value, Value] = (0.5, 0.5, 0.5)
    std: tuple[Deviation, Deviation, Deviation] = (0.5, 0.5, 0.5)
    views: Annotated[tuple[View, ...], Field(min_length=1, max_length=16)] = (View(),)


def load(source: Source, name: str = "the picture", shorter_side: int | None = None) -> Image.Image:
    """Read a picture, turn it upright by its EXIF flag and make it sRGB; what is transparent becomes white.

    Of several pictures in a file, as in an animation, the first counts.

    Args:
        source: where it is.
        name: what messages call it, if it is not a path.
        shorter_side: pixels of the shorter side that are enough: a JPEG file is then decoded at a half, a quarter or
            an eighth of its size, which takes a fraction of the time, but at no less than this.

    Raises:
        EmptyImage, UnreadableImage, TruncatedImage, ImageTooLarge: all of them ``InvalidImage``.
        TypeError: the source is of none of the kinds that ``Source`` names.
    """
    if isinstance(source, np.ndarray):
        return _to_rgb(_from_array(source))
    if isinstance(source, Image.Image):
        picture = source
    elif isinstance(source, bytes):
        picture = _open(name, source)
    elif isinstance(source, (str, os.PathLike)):
        name = Path(source).name
        picture = _open(name, _read(Path(source)))
    else:
        raise TypeError(f"a picture must be a path, bytes, a PIL image or a uint8 array, not {type(source).__name__}")

    try:
        if shorter_side is not None and isinstance(picture, JpegImageFile):
            picture.draft(None, (shorter_side, shorter_side))
        width, height = _decoded_size(picture)
        if width * height > MAX_PIXELS:
            raise _too_large(name, f"{width}x{height} pixels")
        with LARGE if width * height > LARGE_PIXELS else nullcontext():
            picture.load()
            if picture is source:
                return _to_rgb(ImageOps.exif_transpose(picture))
            ImageOps.exif_transpose(picture, in_place=True)
            return _to_rgb(picture)
    except InvalidImage:
        raise
    except Exception as error:  # a decoder may raise anything on a damaged file
        raise TruncatedImage(f"{name} is cut short or damaged ({error}). Try another copy of it.") from error


def to_tensor(picture: Image.Image, preprocessing: Preprocessing) -> Tensor:
    """An RGB picture -> float32 (views, 3, crop, crop): shorter side resized, squares cut out, normalised."""
    return normalise(squares(picture, preprocessing), preprocessing)


def squares(picture: Image.Image, preprocessing: Preprocessing) -> Tensor:
    """An RGB picture -> its views, uint8 (views, 3, crop, crop), channels last."""
    cut: dict[tuple[float, float, float, float], np.ndarray] = {}
    pixels = []
    for view in preprocessing.views:
        where = box(picture.size, preprocessing, view)
        if where not in cut:  # of mirror images only one is resized
            cut[where] = np.asarray(_resize(picture, where, preprocessing.crop))
        pixels.append(cut[where][:, ::-1] if view.flip else cut[where])
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)


def normalise(pixels: Tensor, preprocessing: Preprocessing) -> Tensor:
    """uint8 (N, 3, H, W) -> float32 (N, 3, H, W), channels last: the mean subtracted, divided by the std."""
    statistics = torch.tensor([preprocessing.mean, preprocessing.std], dtype=torch.float32, device=pixels.device)
    mean, std = 255 * statistics.view(2, 3, 1, 1)
    return pixels.contiguous(memory_format=torch.channels_last).sub(mean).div_(std)


def box(size: tuple[int, int], preprocessing: Preprocessing, view: View) -> tuple[float, float, float, float]:
    """Where a view lies in a picture of a size (width, height): left, top, right, bottom, in pixels."""
    width, height = size
    shorter = min(size)
    side = min(shorter * preprocessing.crop / preprocessing.resize / view.zoom, shorter)
    left, top = (width - side) * view.x, (height - side) * view.y
    return left, top, left + side, top + side


def _resize(picture: Image.Image, where: tuple[float, float, float, float], side: int) -> Image.Image:
    # Cut out and resized in one step: a picture of 1x10,000 pixels never becomes one of 256x2,560,000.
    return picture.resize((side, side), Image.Resampling.BILINEAR, box=where)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UnreadableImage(f"There is no file {path}. Check its name.") from error
    except IsADirectoryError as error:
        raise UnreadableImage(f"{path} is a folder. Name the pictures in it.") from error
    except OSError as error:
        raise UnreadableImage(f"{path} cannot be read: {error.strerror}.") from error


def _open(name: str, content: bytes) -> Image.Image:
    if not content:
        raise EmptyImage(f"{name} is empty. Try another copy of it.")
    if content.startswith(b"\xff\xd8") and content.count(b"\xff\xda") > MAX_SCANS:
        raise UnreadableImage(f"{name} is a JPEG of more than {MAX_SCANS} passes. Save it anew.")
    try:
        picture = Image.open(io.BytesIO(content))
    except Image.DecompressionBombError as error:
        raise _too_large(name, "very many pixels") from error
    except UnidentifiedImageError as error:
        raise UnreadableImage(f"{name} is not a picture of a known kind. Use a JPEG, PNG or WebP.") from error
    except Exception as error:  # a decoder may raise anything on a damaged file
        raise TruncatedImage(f"{name} is cut short or damaged ({error}). Try another copy of it.") from error
    if picture.format == "EPS":  # Pillow would run Ghostscript on it
        raise UnreadableImage(f"{name} is a program in PostScript that draws a picture. Use a JPEG, PNG or WebP.")
    return picture


def _decoded_size(picture: Image.Image) -> tuple[int, int]:
    """Width and height that decoding begins with: icons hold pictures of other sizes than they say."""
    if isinstance(picture, IcoImageFile):
        return picture.ico.getimage(picture.size).size
    if isinstance(picture, IcnsImageFile):
        return picture.icns.getimage(picture.size).size
    return picture.size


def _from_array(pixels: np.ndarray) -> Image.Image:
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4)):
        raise UnreadableImage(
            f"The array is {pixels.dtype} of shape {pixels.shape}; "
            "a picture is uint8 of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)."
        )
    if pixels.size == 0:
        raise EmptyImage(f"The array has no pixels: its shape is {pixels.shape}.")
    if pixels.shape[0] * pixels.shape[1] > MAX_PIXELS:
        raise _too_large("The array", f"{pixels.shape[1]}x{pixels.shape[0]} pixels")
    return Image.fromarray(pixels.squeeze(2) if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)


def _to_rgb(picture: Image.Image) -> Image.Image:
    profile = picture.info.get("icc_profile")
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        picture = _to_8_bits(picture)
    if picture.has_transparency_data:
        white = Image.new("RGB", picture.size, "white")
        transparent = picture if picture.mode == "RGBA" else picture.convert("RGBA")
        white.paste(transparent, mask=transparent)
        picture = white
    elif picture.mode == "P":
        picture = picture.convert("RGB")
    if profile:
        return _to_srgb(picture, profile)
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _to_8_bits(picture: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits a pixel -> of 8; where the file does not say what is white, the brightest pixel is."""
    pixels = np.asarray(picture)
    if picture.mode == "F":
        pixels = np.nan_to_num(pixels, posinf=0, neginf=0)
    low, high = min(float(pixels.min()), 0), float(pixels.max())
    if picture.mode.startswith("I;16"):
        low, high = 0, 65535
    elif low == 0:
        high = next((white for white in (1, 255, 65535) if high <= white and (white > 1 or picture.mode == "F")), high)
    grey = np.empty(pixels.size, dtype=np.uint8)
    for start in range(0, pixels.size, 1_000_000):  # in parts: all of it in float64 would take half a gigabyte
        part = pixels.ravel()[start : start + 1_000_000].astype(np.float64)
        grey[start : start + 1_000_000] = ((part - low) * (255 / max(high - low, 1e-9))).round()
    return Image.fromarray(grey.reshape(pixels.shape))


def _to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """A picture in the colours of an ICC profile -> RGB as screens have it; a damaged profile is passed over."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if ImageCms.getProfileDescription(source).startswith("sRGB"):
            return picture.convert("RGB")
        converted = ImageCms.profileToProfile(picture, source, SRGB, outputMode="RGB")
        return picture.convert("RGB") if converted is None else converted
    except (ImageCms.PyCMSError, OSError, ValueError):
        return picture.convert("RGB")


def _too_large(name: str, size: str) -> ImageTooLarge:
    return ImageTooLarge(
        f"{name} has {size}; at most {MAX_PIXELS // 1_000_000} million are taken. Make it smaller first."
    )
