"""Any file, bytes, array or PIL image -> an upright sRGB image within limits -> crops -> the network's input."""

from __future__ import annotations

import ctypes
import io
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import lru_cache
from pathlib import Path, PurePath
from typing import BinaryIO

import numpy as np
import pillow_heif
import torch
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile
from torch import Tensor

from flower_alexnet.config import Preprocessing
from flower_alexnet.containers import (
    FORMATS,
    MAX_PIXELS,
    Container,
    Unsupported,
    exif_orientation,
    find_format,
    picture_of,
)

Source = str | os.PathLike[str] | bytes | Image.Image | np.ndarray
"""A photo: a path, the bytes of a file, a PIL image, or a uint8 array (H, W[, 1, 3 or 4])."""

MAX_FILE = 200_000_000
"""Bytes of the largest file that is read: 50 megapixels of 32 bits, uncompressed."""

LARGE_PIXELS = 4_000_000
"""Pixels from which on an image that need not be so large is scaled down before its colors are converted."""

LARGE = 8 * LARGE_PIXELS
"""Bytes from which on the memory that decoding took is returned to the system at once."""


class Budget:
    """Bytes that threads take and give back; who finds too few left waits for its turn.

    Args:
        size: bytes that may be taken at the same time. Who needs more takes all of them.
        reserve: bytes more, for those alone who need at most an eighth of it: they do not wait for the others.
    """

    def __init__(self, size: int, reserve: int = 0) -> None:
        self.size = size
        self._reserve = Budget(reserve) if reserve else None
        self._start()
        if hasattr(os, "register_at_fork"):  # not on Windows; a thread that holds some is not in the new process
            os.register_at_fork(after_in_child=self._start)

    def _start(self) -> None:
        self._left = self.size
        self._changed = threading.Condition()
        self._turn = threading.Lock()

    @contextmanager
    def taking(self, size: float) -> Iterator[None]:
        """Hold so many bytes while the body runs."""
        if self._reserve is not None and size <= self._reserve.size / 8:
            with self._reserve.taking(size):
                yield
            return
        taken = min(int(size), self.size)
        with self._turn, self._changed:  # in the order of asking, so that large images are not overtaken for ever
            self._changed.wait_for(lambda: self._left >= taken)
            self._left -= taken
        try:
            yield
        finally:
            with self._changed:
                self._left += taken
                self._changed.notify()


FILES = Budget(100_000_000, reserve=20_000_000)
"""Memory for the contents of files that are being decoded."""

DECODING = Budget(400_000_000, reserve=64_000_000)
"""Memory for decoding: 50 megapixels of four bytes, and as much again while their colors are converted. A photo of a
megapixel does not wait for larger ones."""

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

USUAL_PROFILE = 8_000
"""Bytes of an ICC profile up to which its conversion is kept for other photos; those of cameras have some 3,000."""

pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)  # the format of iPhones
Image.init()  # all formats: which of them a file may have is said each time
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
    """The image has more pixels than are decoded: ``most``, which is ``MAX_PIXELS`` or less."""

    most = MAX_PIXELS


READING = threading.Lock()
"""Held while the file of a PIL image is read."""


def load(source: Source, name: str = "the photo", shorter_side: int | None = None) -> Image.Image:
    """Read a photo and return it upright (by its EXIF orientation), in sRGB, on white where it is transparent.

    Of a file with several images, such as an animation, the first is read. Metadata that are broken or very large are
    ignored. Whatever many threads read at the same time, they take turns within ``FILES`` and ``DECODING``.

    Args:
        source: the photo. It is not changed: a PIL image that was opened but not read is read from its file anew.
        name: name used in error messages if the source is not a path.
        shorter_side: pixels of the shorter side that suffice: a JPEG is then decoded at a half, a quarter or an
            eighth of its size, which takes a fraction of the time, and any other image of more than ``LARGE_PIXELS``
            is scaled down by a whole number, but not below this.

    Raises:
        EmptyImage, UnreadableImage, TruncatedImage, ImageTooLarge: all of them ``InvalidImage``.
        TypeError: the source has none of the types of ``Source``.
    """
    if isinstance(source, np.ndarray):
        image = _to_rgb(_from_array(source), None, shorter_side)
    elif isinstance(source, Image.Image):
        image = _from_image(source, name, shorter_side)
    elif isinstance(source, bytes):
        image = _from_content(source, name, shorter_side)
    elif isinstance(source, (str, os.PathLike)):
        path = Path(source)
        with _reading(path):
            image = _from_content(read_file(path), path.name, shorter_side)
    else:
        raise TypeError(f"a photo must be a path, bytes, a PIL image or a uint8 array, not {type(source).__name__}")
    image.info = {}  # or an image that is loaded once more would be turned once more
    return image


def has_image_suffix(name: str) -> bool:
    """Return whether a file's name ends as images of a readable format do."""
    return Image.registered_extensions().get(PurePath(name).suffix.lower()) in FORMATS


def has_image_header(file: BinaryIO) -> bool:
    """Return whether a file begins as an image of a readable format does."""
    return find_format(file.read(64)) is not None


def identify(path: Path) -> tuple[str, tuple[int, int]]:
    """Return the format of an image file, such as "JPEG", and its width and height in pixels, without decoding it.

    Raises:
        EmptyImage, UnreadableImage, TruncatedImage, ImageTooLarge: all of them ``InvalidImage``.
    """
    container = _container(read_file(path), path.name)
    with _problems_in_words(path.name):
        return container.format, _open(path.name, container).size


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


def _reading(path: Path) -> AbstractContextManager[None]:
    """Take the memory for a file's contents: as they are, and without what a decoder is not given."""
    try:
        return FILES.taking(2 * path.stat().st_size)
    except OSError:
        return nullcontext()  # reading says why


def read_file(path: Path) -> bytes:
    """Return the contents of a file.

    Raises:
        UnreadableImage: it cannot be read, or is larger than ``MAX_FILE``.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except FileNotFoundError as error:
        raise UnreadableImage(f"There is no file {path}. Check its name.") from error
    except IsADirectoryError as error:
        if os.access(path, os.R_OK | os.X_OK):
            raise UnreadableImage(f"{path} is a folder. Name the photos in it.") from error
        raise UnreadableImage(f"The folder {path} cannot be read: you may not read it.") from error
    except OSError as error:
        raise UnreadableImage(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > MAX_FILE:
        raise UnreadableImage(f"{path} is larger than {MAX_FILE // 1_000_000} MB. Make it smaller first.")
    return content


def _from_image(image: Image.Image, name: str, shorter_side: int | None) -> Image.Image:
    if (content := _unread_content(image, name)) is not None:
        return _from_content(content, name, shorter_side, image.tell())
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(name, f"{image.width}x{image.height} pixels")
    with _problems_in_words(name), DECODING.taking(8 * image.width * image.height):
        image.load()
        method = UPRIGHT.get(_orientation(image))
        upright = image if method is None else image.transpose(method)
        converted = _to_rgb(upright, image.info.get("icc_profile"), shorter_side)
        return converted.copy() if converted is image else converted


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
    """Decode a file. Its metadata never decide over intact pixels: the decoder does not get them."""
    with _problems_in_words(name):
        container = _container(content, name)
        if not frame:
            del content  # the container's is smaller, and one of them suffices
        else:  # of an image that the caller opened
            container = Container(container.format, content)
        image = _open(name, container)
        image.seek(frame)
        if shorter_side is not None and isinstance(image, JpegImageFile):
            image.draft(None, (shorter_side, shorter_side))
        for width, height in (container.size, image.size):
            if width * height > MAX_PIXELS:
                raise _too_large(name, f"{width}x{height} pixels")
        most = int(DECODING.size / _bytes_a_pixel(image, container))
        if image.width * image.height > most:
            raise _too_large(name, f"{image.width}x{image.height} pixels", most, container.format)
        memory = _memory(image, container)
        with DECODING.taking(memory):
            decoded = _decoded(image, container, shorter_side)
            if memory > LARGE:
                del image
                _return_memory()
            return decoded


def _container(content: bytes, name: str) -> Container:
    """Return what a decoder is given of a file."""
    if not content:
        raise EmptyImage(f"{name} is empty. Try another copy of it.")
    try:
        container = picture_of(content)
    except Unsupported as error:
        raise UnreadableImage(f"{name} {error}") from error
    if container is None:
        raise UnreadableImage(f"{name} is not a picture of a known format. Use a JPEG, PNG or WebP.")
    return container


def _return_memory() -> None:
    """Return freed memory to the system: glibc keeps up to 32 MB of each block for the thread that freed it, so that
    16 threads that decode one after another keep 16 images' memory."""
    with suppress(AttributeError, OSError, TypeError):  # another C library has no such function
        ctypes.CDLL(None).malloc_trim(0)


def _bytes_a_pixel(image: Image.Image, container: Container) -> float:
    """Return the bytes for each pixel of an image while it is decoded, or while its colors are converted."""
    if image.mode in ("I", "F"):
        return 12
    return 8 + (container.buffered if container.format == "WEBP" else 0)  # whose decoder keeps them until the end


def _memory(image: Image.Image, container: Container) -> float:
    """Return the bytes that decoding an image takes at most."""
    if container.format == "AVIF":  # may hold a larger picture than it announces: one at a time
        return DECODING.size
    # Half as much again as the coefficients take: what a decoder freed is not returned at once.
    coefficients = 1.5 * container.buffered * container.size[0] * container.size[1]
    buffered = coefficients if container.format == "JPEG" else 0
    return buffered + _bytes_a_pixel(image, container) * image.width * image.height


def _decoded(image: Image.Image, container: Container, shorter_side: int | None) -> Image.Image:
    """Return an opened image's pixels upright and in sRGB."""
    image.load()
    profile = container.profile or image.info.get("icc_profile")
    turned = container.orientation
    if turned == 1 and not isinstance(image, TiffImageFile):  # which is upright already
        turned = exif_orientation(image.info.get("exif"))
    image = _to_rgb(image, profile, shorter_side)
    method = UPRIGHT.get(turned)
    return image if method is None else image.transpose(method)


@contextmanager
def _problems_in_words(name: str) -> Iterator[None]:
    try:
        yield
    except InvalidImage:
        raise
    except Exception as error:  # a decoder may raise anything on a damaged file
        raise TruncatedImage(f"{name} is cut short or damaged ({error}). Try another copy of it.") from error


def _open(name: str, container: Container) -> Image.Image:
    try:
        return Image.open(io.BytesIO(container.content), formats=(container.format,))
    except Image.DecompressionBombError as error:
        raise _too_large(name, "very many pixels") from error
    except UnidentifiedImageError as error:
        raise TruncatedImage(
            f"{name} begins as {container.format}, but is cut short, damaged, or of a kind that is not supported. Try "
            "another copy of it, or save it as a JPEG."
        ) from error


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1-8; 1 if there is none or the metadata are broken."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # Pillow raises anything on broken metadata
        return 1
    return orientation if isinstance(orientation, int) and orientation in UPRIGHT else 1


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


def _to_rgb(image: Image.Image, profile: bytes | None, shorter_side: int | None = None) -> Image.Image:
    """Return an image in sRGB and on white, scaled down as ``load`` says; the image itself if it is all that."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _to_8_bits(image)
    if image.has_transparency_data:
        white = Image.new("RGB", image.size, "white")
        transparent = image if image.mode == "RGBA" else image.convert("RGBA")
        white.paste(transparent, mask=transparent)
        image = white
    elif image.mode in ("1", "P"):
        image = image.convert("RGB")
    if shorter_side is not None and image.width * image.height > LARGE_PIXELS:
        image = image.reduce(max(1, min(image.size) // shorter_side))
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
        build = _srgb_transform if len(profile) <= USUAL_PROFILE else _srgb_transform.__wrapped__
        transform = build(profile, image.mode)
        converted = None if transform is None else ImageCms.applyTransform(image, transform)
        return image.convert("RGB") if converted is None else converted
    except Exception:  # the profile may hold, or info be, anything
        return image.convert("RGB")


@lru_cache(
    maxsize=16
)  # photos of one camera have one profile, and to build a transform takes as long as decoding three
def _srgb_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return what converts images of a mode from an ICC profile's colors to sRGB; None if they are that.

    Raises:
        Exception: the profile is damaged, or of another mode.
    """
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if ImageCms.getProfileDescription(source).startswith("sRGB"):
        return None
    return ImageCms.buildTransform(source, SRGB, mode, "RGB")


def _too_large(name: str, size: str, most: int = MAX_PIXELS, kind: str = "") -> ImageTooLarge:
    accepted = f"at most {most // 1_000_000} million are accepted" + (f" of {kind}" if kind else "")
    error = ImageTooLarge(f"{name} has {size}; {accepted}. Make it smaller first.")
    error.most = most
    return error
