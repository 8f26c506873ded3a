"""Any picture becomes an upright RGB image; anything else raises an error that says why."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from flower_alexnet import (
    EmptyImage,
    FlowerClassifier,
    ImageTooLarge,
    Preprocessing,
    TruncatedImage,
    UnreadableImage,
    containers,
    images,
)
from flower_alexnet.classifier import load_classifier
from flower_alexnet.explain import explain
from tests.support import PROJECT
from tests.support.photos import drawn_flower, encoded


@pytest.fixture
def corner() -> Image.Image:
    """Return a blue image of 40x20 pixels whose upper left quarter is red."""
    image = Image.new("RGB", (40, 20), "blue")
    image.paste("red", (0, 0, 20, 10))
    return image


def test_path_bytes_image_and_array_are_the_same(corner: Image.Image, tmp_path: Path) -> None:
    file = tmp_path / "corner.png"
    corner.save(file)
    for source in (file, str(file), file.read_bytes(), corner, np.asarray(corner)):
        loaded = images.load(source)
        assert loaded.mode == "RGB"
        assert np.array_equal(np.asarray(loaded), np.asarray(corner))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_turned_upright(corner: Image.Image, orientation: int) -> None:
    turned = {  # how a picture was stored whose flag says this
        1: [],
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = corner
    for step in turned[orientation]:
        stored = stored.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(np.asarray(images.load(encoded(stored, "PNG", exif=exif))), np.asarray(corner))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    assert images.load(Image.new(mode, (30, 20))).mode == "RGB"


def test_transparent_is_white() -> None:
    assert images.load(Image.new("RGBA", (4, 4), (255, 0, 0, 0))).getpixel((1, 1)) == (255, 255, 255)


def test_no_file_and_no_picture(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match="There is no file"):
        images.load(tmp_path / "missing.jpg")
    with pytest.raises(UnreadableImage, match="is a folder"):
        images.load(tmp_path)
    (tmp_path / "text.jpg").write_text("I am a flower")
    with pytest.raises(UnreadableImage, match=r"text\.jpg is not a picture"):
        images.load(tmp_path / "text.jpg")
    with pytest.raises(EmptyImage, match="is empty"):
        images.load(b"")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF"])
def test_cut_short(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    content = encoded(Image.fromarray(noise), kind)
    with pytest.raises((TruncatedImage, UnreadableImage)):
        images.load(content[: len(content) // 2])


def test_too_large_is_refused_before_it_is_decoded() -> None:
    header = encoded(Image.new("1", (50_000, 30_000)), "PNG")[:100]  # no pixels to decode
    with pytest.raises(ImageTooLarge, match="million"):
        images.load(header)
    with pytest.raises(ImageTooLarge, match="12000x9000"):
        images.load(encoded(Image.new("1", (12_000, 9_000)), "PNG"))


def test_wrong_arrays() -> None:
    for array in (np.zeros((5, 5, 3)), np.zeros(5, np.uint8), np.zeros((5, 5, 2), np.uint8)):
        with pytest.raises(UnreadableImage, match="uint8"):
            images.load(array)
    with pytest.raises(EmptyImage):
        images.load(np.zeros((0, 5, 3), np.uint8))
    with pytest.raises(TypeError, match="path, bytes"):
        images.load(5)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (400, 300), (224, 224)])
def test_tensor_of_any_size(size: tuple[int, int]) -> None:
    tensor = images.to_tensor(Image.new("RGB", size, "white"), Preprocessing())
    assert tensor.shape == (3, 224, 224)
    assert torch.allclose(tensor, torch.ones(()))


def test_tensor_is_the_normalized_center() -> None:
    image = Image.new("RGB", (300, 100), "black")
    image.paste("white", (100, 0, 200, 100))
    center = images.to_tensor(image, Preprocessing(resize=100, crop=100, mean=(0, 0, 0), std=(0.5, 0.5, 0.5)))
    assert torch.equal(center, torch.full((3, 100, 100), 2.0))


def test_large_jpeg_is_decoded_no_larger_than_needed(tmp_path: Path) -> None:
    flower = Image.open(PROJECT / "examples" / "daisy_1.webp").convert("RGB").resize((4000, 3000))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned
    flower.save(tmp_path / "large.jpg", quality=95, exif=exif)
    assert images.load(tmp_path / "large.jpg").size == (3000, 4000)
    assert images.load(tmp_path / "large.jpg", shorter_side=512).size == (750, 1000)
    assert images.load(tmp_path / "large.jpg", shorter_side=750).size == (750, 1000)
    assert images.load(tmp_path / "large.jpg", shorter_side=751).size == (1500, 2000)
    flower.resize((500, 333)).save(tmp_path / "small.jpg")
    assert images.load(tmp_path / "small.jpg", shorter_side=512).size == (500, 333)

    classifier = load_classifier()
    whole = classifier(images.load(tmp_path / "large.jpg")).probabilities
    assert classifier(tmp_path / "large.jpg").probabilities == pytest.approx(whole, abs=0.01)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_loaded_image_is_not_turned_once_more(kind: str, orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    with Image.open(PROJECT / "examples" / "daisy_1.webp") as daisy:
        daisy.convert("RGB").resize((90, 60)).save(tmp_path / "photo", kind, exif=exif)
    once = images.load(tmp_path / "photo")
    again = images.load(once)
    assert once.size == ((60, 90) if orientation >= 5 else (90, 60))
    assert again.size == once.size
    assert again.tobytes() == once.tobytes()


GRADIENT = np.linspace(0, 255, 64 * 64).reshape(64, 64)


@pytest.mark.parametrize(
    "pixels",
    [
        (GRADIENT * 257).astype(np.uint16),
        (GRADIENT * 257).astype(">u2"),
        GRADIENT.astype(np.int32),
        (GRADIENT * 257).astype(np.int32),
        (GRADIENT * 1e6).astype(np.int32),
        GRADIENT.astype(np.float32),
        (GRADIENT / 255).astype(np.float32),
        (GRADIENT * 1e5 - 1e7).astype(np.float32),
    ],
    ids=lambda pixels: f"{pixels.dtype}-{pixels.max():.0f}",
)
def test_deep_grey_keeps_its_brightness(pixels: np.ndarray) -> None:
    content = encoded(Image.fromarray(pixels), "TIFF")
    grey = np.asarray(images.load(content), dtype=float)[..., 0]
    expected = GRADIENT if pixels.min() == 0 else (GRADIENT * 1e5 - 1e7 - pixels.min()) * 255 / np.ptp(pixels)
    assert np.abs(grey - expected).max() <= 1


def test_not_a_number_is_black() -> None:
    pixels = np.full((8, 8), np.nan, dtype=np.float32)
    pixels[0, 0] = 1
    assert np.asarray(images.load(encoded(Image.fromarray(pixels), "TIFF"))).sum() == 3 * 255


def test_16_bit_png_is_not_white() -> None:
    content = encoded(Image.fromarray((GRADIENT * 257).astype(np.uint16)), "PNG")
    assert np.abs(np.asarray(images.load(content), dtype=float)[..., 0] - GRADIENT).max() <= 1


@pytest.mark.parametrize("kind", ["HEIF", "AVIF", "WEBP", "MPO", "GIF", "TIFF", "BMP"])
def test_kinds_of_file(kind: str) -> None:
    flower = Image.open(PROJECT / "examples" / "roses_1.webp").convert("RGB").resize((160, 120))
    content = encoded(flower, kind)
    loaded = images.load(content)
    assert loaded.size == (160, 120)
    assert np.abs(np.asarray(loaded, dtype=float) - np.asarray(flower)).mean() < 10


def profile_swapped(image: Image.Image) -> bytes:
    """Return a PNG whose colour profile swaps red and green."""
    matrix = bytearray(ImageCms.ImageCmsProfile(images.SRGB).tobytes())
    table = {matrix[132 + 12 * i : 136 + 12 * i].decode(): 132 + 12 * i for i in range(matrix[131])}
    red, green = table["rXYZ"] + 4, table["gXYZ"] + 4
    matrix[red : red + 4], matrix[green : green + 4] = matrix[green : green + 4], matrix[red : red + 4]
    for i in range(len(matrix) - 4):  # its name, so that it is not taken for sRGB
        if matrix[i : i + 4] == b"sRGB" and i > 128:
            matrix[i : i + 4] = b"swap"
    for i in range(len(matrix) - 8):
        if matrix[i : i + 8] == "sRGB".encode("utf-16-be"):
            matrix[i : i + 8] = "swap".encode("utf-16-be")
    return encoded(image, "PNG", icc_profile=bytes(matrix))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colours_are_those_of_the_profile(mode: str) -> None:
    red = Image.new("RGB", (8, 8), (255, 0, 0)).convert(mode)
    assert images.load(profile_swapped(red)).getpixel((4, 4)) == pytest.approx((0, 255, 0), abs=3)


def test_grey_and_damaged_profiles_do_no_harm() -> None:
    assert images.load(profile_swapped(Image.new("L", (8, 8), 99))).getpixel((4, 4)) == (99, 99, 99)
    for bad in (b"x", bytes(4000)):
        content = encoded(Image.new("RGB", (8, 8), (10, 200, 30)), "PNG", icc_profile=bad)
        assert images.load(content).getpixel((4, 4)) == (10, 200, 30)


def test_first_image_of_an_animation() -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("lime", "red", "red")]
    for kind in ("GIF", "PNG", "WEBP"):
        content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)
        assert images.load(content).getpixel((8, 8)) == pytest.approx((0, 255, 0), abs=6)


def test_cmyk_and_lab() -> None:
    green = Image.new("CMYK", (8, 8), (255, 0, 255, 0))
    for kind in ("JPEG", "TIFF"):
        red, green_there, blue = np.asarray(images.load(encoded(green, kind)))[4, 4]
        assert green_there > 100 > max(red, blue)
    srgb = Image.new("RGB", (8, 8), (200, 50, 50))
    lab = ImageCms.profileToProfile(srgb, images.SRGB, ImageCms.createProfile("LAB"), outputMode="LAB")
    assert lab is not None
    assert images.load(encoded(lab, "TIFF")).getpixel((4, 4)) == pytest.approx((200, 50, 50), abs=6)


USES: dict[str, Callable[[FlowerClassifier, Any], object]] = {
    "load": lambda _, source: images.load(source),
    "load small": lambda _, source: images.load(source, shorter_side=64),
    "classify": lambda classifier, source: classifier(source),
    "classify many": lambda classifier, source: classifier([source, source]),
    "explain": explain,
}
"""Name -> what may be done with a photo."""


def state(image: Image.Image) -> tuple[object, ...]:
    """Return what a caller sees of an image without reading it."""
    tile = getattr(image, "tile", None)
    file = getattr(image, "fp", None)
    position = file.tell() if file else None
    return image.size, image.mode, dict(image.info), str(tile), position, image._im is None, image.tell()


@pytest.fixture(params=["JPEG", "MPO", "PNG", "WEBP", "GIF", "TIFF", "HEIF", "AVIF", "ICO"], scope="module")
def photo_of_a_kind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a photo that lies on its side, if files of its kind can say so; some kinds take seconds to write."""
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {} if request.param in ("GIF", "ICO") else {"exif": exif}
    file = tmp_path_factory.mktemp(request.param) / "photo"
    drawn_flower("roses", size=(1024, 768)).save(file, request.param, **options)
    return file


@pytest.mark.parametrize("use", USES)
def test_opened_image_of_the_caller_is_not_changed(photo_of_a_kind: Path, use: str, random_model: Path) -> None:
    file = photo_of_a_kind
    classifier = FlowerClassifier.from_pretrained(random_model)
    for read_before in (False, True):
        with Image.open(file) as image:
            if read_before:
                image.load()
            before = state(image)
            USES[use](classifier, image)
            assert state(image) == before
            with Image.open(file) as another:
                assert np.array_equal(np.asarray(image), np.asarray(another))


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK", "I;16", "F"])
def test_image_in_memory_of_the_caller_is_not_changed(mode: str, use: str, random_model: Path) -> None:
    gray = np.arange(1400 * 1100, dtype=np.uint32).reshape(1100, 1400)
    by_mode = {"I;16": np.uint16, "F": np.float32}
    image = Image.fromarray(gray.astype(by_mode[mode])) if mode in by_mode else drawn_flower("roses").convert(mode)
    image = image if mode in by_mode else image.resize((1400, 1100))
    image.info["exif"] = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\1\x03\0\1\0\0\0\6\0\0\0\0\0\0\0"
    before, info = image.copy(), dict(image.info)
    result = USES[use](FlowerClassifier.from_pretrained(random_model), image)
    assert (image.size, image.mode, image.info) == (before.size, before.mode, info)
    assert image.tobytes() == before.tobytes()
    assert result is not image


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("shape", [(1100, 1400), (1100, 1400, 1), (1100, 1400, 3), (1100, 1400, 4)])
def test_array_of_the_caller_is_not_changed(shape: tuple[int, ...], use: str, random_model: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    before = pixels.copy()
    result = USES[use](FlowerClassifier.from_pretrained(random_model), pixels)
    assert np.array_equal(pixels, before)
    if isinstance(result, Image.Image):
        result.paste("red", (0, 0, *result.size))
        assert np.array_equal(pixels, before)


def test_list_of_the_caller_is_not_changed(random_model: Path) -> None:
    photos: list[images.Source] = [drawn_flower("roses"), np.zeros((90, 120, 3), np.uint8)]
    before = list(photos)
    FlowerClassifier.from_pretrained(random_model)(photos)
    assert all(photo is earlier for photo, earlier in zip(photos, before, strict=True))


def test_loaded_image_is_independent_of_the_callers() -> None:
    image = Image.new("RGB", (8, 8), "blue")
    images.load(image).paste("red", (0, 0, 8, 8))
    assert image.getpixel((4, 4)) == (0, 0, 255)


def test_chosen_frame_of_the_callers_animation_is_read() -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("lime", "red", "blue")]
    animation = Image.open(io.BytesIO(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)))
    animation.seek(2)
    assert images.load(animation).getpixel((8, 8)) == (0, 0, 255)
    assert animation.tell() == 2


def test_image_closed_before_it_was_read() -> None:
    image = Image.open(io.BytesIO(encoded(drawn_flower("roses"), "PNG")))
    image.close()
    with pytest.raises(UnreadableImage, match="closed before it was read"):
        images.load(image)


def test_what_follows_a_jpeg_does_not_count() -> None:
    """As the film of a phone's motion photo, or the other pictures of an MPO."""
    flower = drawn_flower("roses")
    photo = encoded(flower, "JPEG", progressive=True)
    film = np.random.default_rng(0).integers(0, 256, 9_000_000, dtype=np.uint8).tobytes()
    assert film.count(b"\xff\xda") > containers.MAX_SCANS
    assert np.array_equal(np.asarray(images.load(photo + film)), np.asarray(images.load(photo)))
    frames = encoded(flower, "MPO", save_all=True, append_images=[flower] * 119)
    assert frames.count(b"\xff\xda") == 120
    assert images.load(frames).size == flower.size


@pytest.mark.parametrize("between", [b"", b"\xff" * 9, b"\xff\xe1\0\x06\xff\xd9\xff\xd9", b"\0\xff\0junk"])
def test_scans_of_the_picture_itself_count(between: bytes) -> None:
    """Also where filling, junk, or an end within a segment of metadata is before them."""
    photo = encoded(Image.new("RGB", (64, 64)), "JPEG", progressive=True)
    last = photo.rindex(b"\xff\xda")
    for scans, refused in ((50, False), (150, True)):
        content = photo[:last] + (between + photo[last:-2]) * scans + photo[-2:]
        with pytest.raises(containers.Unsupported, match="100 scans") if refused else nullcontext():
            containers.picture_of(content)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


BROKEN_EXIF = {
    "no header": b"garbage " * 5,
    "no directory": b"Exif\0\0II*\0\xff\xff\xff\xff",
    "directory cut short": b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(5),
    "orientation -1/0": b"Exif\0\0II*\0\x08\0\0\0\x01\0"
    + struct.pack("<HHII", 0x0112, 10, 1, 26)
    + bytes(4)
    + struct.pack("<ii", -1, 0),
    "orientation 9": b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x0112, 3, 1, 9) + bytes(4),
    "orientation of text": b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHI4s", 0x0112, 2, 4, b"six") + bytes(4),
}

BROKEN_CHUNKS = {
    "text of 2 MB": chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(bytes(2_000_000))),
    "texts of 90 MB": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(900_000))) * 100,
    "headerless EXIF": chunk(b"eXIf", b"garbage " * 5),
    "resolution cut short": chunk(b"pHYs", b"\0"),
    "gamma cut short": chunk(b"gAMA", b"\0"),
    "transparency cut short": chunk(b"tRNS", b"\0"),
    "profile cut short": chunk(b"iCCP", b"\0"),
    "animation cut short": chunk(b"acTL", b"\0"),
    "wrong checksum": chunk(b"tEXt", b"Comment\0text")[:-1] + b"?",
}

BROKEN_SEGMENTS = {
    "JFIF": segment(0xE0, b"JFIF"),
    "EXIF": segment(0xE1, b"Exif\0\0garbage"),
    "profile": segment(0xE2, b"ICC_PROFILE\0"),
    "frames": segment(0xE2, b"MPF\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0xB001, 4, 1, 9) + bytes(4)),
    "resources": segment(0xED, b"Photoshop 3.0\x008BIM\x03\xed\0\0\0\0\0\xff"),
    "Adobe": segment(0xEE, b"Adobe"),
}

INTACT = drawn_flower("roses")


def with_broken_metadata() -> dict[str, bytes]:
    """Return files with intact pixels by name."""
    png, jpeg = encoded(INTACT, "PNG"), encoded(INTACT, "JPEG")
    found = {}
    for name, exif in BROKEN_EXIF.items():
        for kind in ("PNG", "WEBP", "JPEG", "HEIF"):
            found[f"{kind}, {name}"] = encoded(INTACT, kind, exif=exif)
    for name, broken in BROKEN_CHUNKS.items():
        found[f"PNG, {name}"] = png[:33] + broken + png[33:]
        found[f"PNG, {name} at its end"] = png[:-12] + broken + png[-12:]
    for name, broken in BROKEN_SEGMENTS.items():
        found[f"JPEG, {name}"] = jpeg[:2] + broken + jpeg[2:]
    described = Image.Exif()
    described[0x010E] = "a rose " * 9
    avif = encoded(INTACT, "AVIF", exif=described)
    start = max(avif.rfind(header, 0, avif.index(b"a rose a rose")) for header in (b"II*\0", b"MM\0*"))
    found["AVIF, no header"] = avif[:start] + b"----" + avif[start + 4 :]
    webp = encoded(INTACT, "WEBP", exif=described)
    found["WEBP, EXIF cut off"] = webp[:-20]
    return found


READ_ALL = """
import pathlib, sys
from flower_alexnet import containers, images
for file in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    image = images.load(file)
    print(file.name, image.size)
"""


def test_broken_metadata_do_not_decide_over_intact_pixels(tmp_path: Path) -> None:
    """Nor are they warned of: whoever sent the photo does not read this program's log."""
    files = with_broken_metadata()
    for name, content in files.items():
        (tmp_path / name.replace("/", " ")).write_bytes(content)
        loaded = np.asarray(images.load(content, name), dtype=float)
        if not name.startswith("JPEG, Adobe"):  # it alone says how colours are stored
            assert np.abs(loaded - np.asarray(INTACT)).mean() < 20, name
    command = [sys.executable, "-c", READ_ALL, str(tmp_path)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == len(files)
    assert done.stderr == ""


def test_metadata_that_are_whole_are_used_beside_broken_ones() -> None:
    """The orientation of a photo whose list of frames is broken, and of a PNG whose text is too long."""
    turned = Image.Exif()
    turned[0x0112] = 6
    jpeg = encoded(INTACT, "JPEG", exif=turned)
    for broken in (BROKEN_SEGMENTS["frames"], BROKEN_SEGMENTS["resources"]):
        assert images.load(jpeg[:2] + broken + jpeg[2:]).size == (90, 120)
    png = encoded(INTACT, "PNG", exif=turned)
    for broken in (BROKEN_CHUNKS["text of 2 MB"], BROKEN_CHUNKS["gamma cut short"]):
        assert images.load(png[:33] + broken + png[33:]).size == (90, 120)


def test_broken_metadata_in_a_callers_image() -> None:
    image = INTACT.copy()
    image.info |= {"exif": b"garbage", "icc_profile": "garbage"}
    assert np.array_equal(np.asarray(images.load(image)), np.asarray(INTACT))
