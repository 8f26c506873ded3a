"""Only pictures of listed formats are opened; limits hold for what is decoded, and all are turned upright."""

from __future__ import annotations

import io
import multiprocessing
import os
import resource
import struct
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flower_alexnet import FlowerClassifier, ImageTooLarge, InvalidImage, UnreadableImage, containers, images
from flower_alexnet.explain import explain
from tests.support import PROJECT
from tests.support.photos import drawn_flower, encoded

SECONDS = 3
"""Seconds of processor time within which any file is read or refused."""

MEMORY = 595_000_000
"""Bytes that all reading together may take beside the 605 MB of the page with its models: 1.2 GB in all."""

FORK = multiprocessing.get_context("fork")


def measured(sources: list[bytes], context: BaseContext = FORK) -> tuple[list[str], float, int]:
    """Read files at the same time, each in a thread, in a process of its own; return what came of each, the seconds of
    processor time and the bytes of memory that it took."""
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(sources, theirs))  # type: ignore[attr-defined]
    process.start()
    theirs.close()
    try:
        return ours.recv()
    finally:
        process.join(60)


def _measure(sources: list[bytes], result: Any) -> None:
    def read(content: bytes) -> str:
        try:
            return f"read {images.load(content, shorter_side=360).size}"
        except InvalidImage as error:
            return f"{type(error).__name__}: {error}"

    images.load(encoded(Image.new("RGB", (8, 8)), "JPEG"))
    memory, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with ThreadPoolExecutor(len(sources)) as pool:
        outcomes = list(pool.map(read, sources))
    seconds = time.process_time() - start
    result.send((outcomes, seconds, 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory)))


def iptc(content: bytes) -> bytes:
    """Return an IPTC file that holds another one."""
    fields = {(3, 60): b"\1\0", (3, 20): b"\0\x10", (3, 30): b"\0\x10", (3, 120): b"\x05", (3, 65): b"\1"}
    records = [bytes([0x1C, *tag]) + struct.pack(">H", len(value)) + value for tag, value in fields.items()]
    parts = [content[start : start + 30_000] for start in range(0, len(content), 30_000)]
    records += [b"\x1c\x08\x0a" + struct.pack(">H", len(part)) + part for part in parts]
    return b"".join(records)


def blp(content: bytes) -> bytes:
    """Return a texture of a game that holds a JPEG."""
    head = b"BLP1" + struct.pack("<IIIIII", 0, 0, 16, 16, 5, 0)
    offset = len(head) + 8 * 64 + 4
    offsets = struct.pack("<16I", offset, *[0] * 15) + struct.pack("<16I", len(content), *[0] * 15)
    head += offsets + struct.pack("<I", 0)
    return head.ljust(offset, b"\0") + content


def fits() -> bytes:
    """Return a FITS file of 13,000x13,000 pixels that are packed by gzip."""
    cards = ["XTENSION= 'BINTABLE'", "BITPIX  = 8", "NAXIS   = 2", "NAXIS1  = 8", "NAXIS2  = 1", "ZIMAGE  = T"]
    cards += ["ZBITPIX = 8", "ZNAXIS  = 2", "ZNAXIS1 = 13000", "ZNAXIS2 = 13000", "ZCMPTYPE= 'GZIP_1'", "END"]
    first = "".join(card.ljust(80) for card in ("SIMPLE  =                    T", "BITPIX  = 8", "NAXIS   = 0", "END"))
    table = "".join(card.ljust(80) for card in cards)
    packed = zlib.compress(bytes(13_000 * 13_000), wbits=31)
    return first.ljust(2880).encode() + table.ljust(2880).encode() + bytes(8) + packed


PROGRAM = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n{} loop\n"


@pytest.mark.parametrize("wrap", [iptc, blp, bytes])
def test_no_interpreter_runs_on_a_file(
    wrap: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A PostScript program, by itself and in other formats: Pillow would start Ghostscript, here one that tells."""
    started = tmp_path / "started"
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {started}\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)  # looked for anew
    with pytest.raises(UnreadableImage, match="not a picture of a known format"):
        images.load(wrap(PROGRAM))
    assert not started.exists()


OTHERS = {
    "PNG in IPTC": lambda: iptc(encoded(Image.new("1", (13_000, 13_000)), "PNG")),
    "JPEG in BLP": lambda: blp(encoded(Image.new("L", (13_000, 13_000)), "JPEG")),
    "FITS": fits,
    "icon": lambda: encoded(Image.new("RGB", (64, 64)), "ICO"),
    "macOS icon": lambda: encoded(Image.new("RGB", (64, 64)), "ICNS"),
    "JPEG 2000": lambda: encoded(Image.new("RGB", (64, 64)), "JPEG2000"),
    "PPM": lambda: encoded(Image.new("RGB", (64, 64)), "PPM"),
    "TGA": lambda: encoded(Image.new("RGB", (64, 64)), "TGA"),
    "SGI": lambda: encoded(Image.new("RGB", (64, 64)), "SGI"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_formats_are_not_opened(kind: str) -> None:
    content = OTHERS[kind]()
    ((outcome,), seconds, memory) = measured([content])
    assert outcome.startswith("UnreadableImage: the photo is not a picture of a known format"), outcome
    assert seconds < 0.5
    assert memory < 10_000_000
    assert not images.has_image_header(io.BytesIO(content))


def test_suffixes_are_those_of_the_formats() -> None:
    for suffix in ("jpg", "JPEG", "jfif", "png", "gif", "webp", "bmp", "tif", "tiff", "heic", "HEIF", "avif", "mpo"):
        assert images.has_image_suffix(f"a.{suffix}"), suffix
    for suffix in ("eps", "iim", "blp", "fits", "ico", "icns", "jp2", "ppm", "tga", "psd", "wmf", "pdf", "mpg", "txt"):
        assert not images.has_image_suffix(f"a.{suffix}"), suffix


def test_readme_names_the_formats() -> None:
    readme = " ".join((PROJECT / "README.md").read_text().split())
    assert "JPEG, PNG, GIF, WebP, BMP, TIFF, HEIF (HEIC) and AVIF" in readme


def progressive(size: tuple[int, int], scans: int = 0, mode: str = "RGB") -> bytes:
    """Return a progressive JPEG, its last scan repeated."""
    whole = encoded(Image.new(mode, size), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:-2] + whole[last:-2] * scans + whole[-2:]


def sequential_scans(size: tuple[int, int], scans: int) -> bytes:
    """Return a baseline JPEG that says that its one channel is one of two, and comes again and again."""
    whole = bytearray(encoded(Image.new("L", size), "JPEG"))
    frame = whole.index(b"\xff\xc0")
    header = bytes(whole[frame : frame + 13])
    header = header[:2] + b"\0\x0e" + header[4:9] + b"\2" + header[10:13] + b"\2\x11\0"
    whole[frame : frame + 13] = header
    last = whole.rindex(b"\xff\xda")
    return bytes(whole[:-2] + whole[last:-2] * scans + whole[-2:])


def tiff(entries: dict[int, tuple[int, int, int]], data: bytes = b"") -> bytes:
    """Return a TIFF of tags -> type, count, and value or place; the data come first, at 8."""
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHII", tag, *entries[tag]) for tag in sorted(entries))
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory + bytes(4)


def tiff_of_one_tile(side: int, compression: int, data: bytes) -> bytes:
    """Return a TIFF of 100x100 gray pixels in a tile of a size."""
    values = {
        256: 100,
        257: 100,
        258: 8,
        259: compression,
        262: 1,
        277: 1,
        322: side,
        323: side,
        324: 8,
        325: len(data),
    }
    return tiff({tag: (4, 1, value) for tag, value in values.items()}, data)


def many_tags(count: int, size: int) -> bytes:
    """Return TIFF's directory of tags that all have the same large value."""
    tags = {60_000 - index: (7, size, 8) for index in range(count)}
    return tiff(tags, bytes(size))


def png_with(*chunks: bytes) -> bytes:
    whole = encoded(drawn_flower("roses"), "PNG")
    return whole[:33] + b"".join(chunks) + whole[33:]


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def jpeg_with(*segments: bytes) -> bytes:
    whole = encoded(drawn_flower("roses"), "JPEG")
    return whole[:2] + b"".join(segments) + whole[2:]


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def gif_with_comment(size: int) -> bytes:
    whole = encoded(drawn_flower("roses"), "GIF")
    start = 13 + (3 << (whole[10] & 7) + 1 if whole[10] & 0x80 else 0)
    return whole[:start] + b"!\xfe" + (b"\xff" + bytes(255)) * (size // 256) + b"\0" + whole[start:]


def webp_with_exif(exif: bytes) -> bytes:
    return encoded(drawn_flower("roses"), "WEBP", exif=b"Exif\0\0" + exif)


def avif_that_lies() -> bytes:
    """Return an AVIF of 6,000x6,000 pixels that says that it has 64x64."""
    content = encoded(Image.new("RGB", (6_000, 6_000)), "AVIF", speed=10)
    size = b"ispe\0\0\0\0"
    return content.replace(size + struct.pack(">II", 6_000, 6_000), size + struct.pack(">II", 64, 64))


def tiff_with_exif(tags: int) -> bytes:
    """Return a TIFF whose EXIF data are a directory of many large tags."""
    entries = [struct.pack("<HHII", 60_000 - index, 7, 200_000, 108) for index in range(tags)]
    data = bytes(100) + struct.pack("<H", tags) + b"".join(entries) + bytes(200_000)
    values = {256: 10, 257: 10, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 10, 279: 100, 34665: 108}
    return tiff({tag: (4, 1, value) for tag, value in values.items()}, data)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "progressive JPEG of 177 megapixels": lambda: progressive((13_300, 13_300)),
    "progressive JPEG of 177 megapixels, 99 scans": lambda: progressive((13_300, 13_300), 89),
    "progressive JPEG of 48 megapixels, 99 scans": lambda: progressive((8_000, 6_000), 89),
    "baseline JPEG of 99 scans": lambda: sequential_scans((9_000, 9_000), 99),
    "gray progressive JPEG of 130 megapixels": lambda: progressive((13_000, 10_000), mode="L"),
    "TIFF with a tile of 900 million pixels": lambda: tiff_of_one_tile(30_000, 8, zlib.compress(bytes(1_000_000))),
    "TIFF with a progressive JPEG": lambda: tiff_of_one_tile(112, 7, progressive((112, 112), mode="L")),
    "TIFF with a JPEG of 99 scans": lambda: tiff_of_one_tile(112, 7, sequential_scans((112, 112), 99)),
    "TIFF of 9 million addresses": lambda: tiff({256: (4, 1, 9), 257: (4, 1, 9), 273: (3, 9_000_000, 8)}),
    "segments of a JPEG": lambda: jpeg_with(b"\xff\xe0\0\2" * 5_000_000),
    "chunks of a PNG": lambda: png_with(chunk(b"vpAg", b"") * 2_000_000),
    "WebP of 48 megapixels": lambda: encoded(Image.new("RGB", (8_000, 6_000)), "WEBP", method=0),
    "16 bits, 50 megapixels": lambda: deep_png(7_000, 7_000),
}
"""Name -> file that is refused."""

HARMLESS: dict[str, Callable[[], bytes]] = {
    "filling of a JPEG": lambda: jpeg_with(b"\xff" * 20_000_000),
    "junk of a JPEG": lambda: jpeg_with(b"\xff\0" * 10_000_000),
    "comment of a GIF": lambda: gif_with_comment(40_000_000),
    "tags in a JPEG": lambda: jpeg_with(segment(0xE1, b"Exif\0\0" + many_tags(2_000, 40_000))),
    "tags in a PNG": lambda: png_with(chunk(b"eXIf", many_tags(24_000, 200_000))),
    "tags in a WebP": lambda: webp_with_exif(many_tags(24_000, 200_000)),
    "tags in a TIFF": lambda: tiff_with_exif(24_000),
    "AVIF larger than it says": avif_that_lies,
    "progressive JPEG of 48 megapixels": lambda: progressive((8_000, 6_000)),
    "RGBA PNG of 49 megapixels": lambda: encoded(Image.new("RGBA", (7_000, 7_000)), "PNG", compress_level=1),
    "GIF of 49 megapixels": lambda: encoded(Image.new("P", (7_000, 7_000)), "GIF"),
    "TIFF of 49 megapixels": lambda: encoded(Image.new("RGB", (7_000, 7_000)), "TIFF", compression="tiff_deflate"),
    "TIFF of 49 megapixels in JPEGs": lambda: encoded(Image.new("RGB", (7_000, 7_000)), "TIFF", compression="jpeg"),
    "WebP of 20 megapixels": lambda: encoded(Image.new("RGBA", (5_000, 4_000)), "WEBP", method=0),
}
"""Name -> file whose picture is read."""


def deep_png(width: int, height: int) -> bytes:
    """Return a PNG of 16 bits a channel, with transparency."""
    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(8 * width + 1)) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 16, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", [*HOSTILE, *HARMLESS])
def test_any_file_is_read_or_refused_within_limits(kind: str) -> None:
    content = (HOSTILE | HARMLESS)[kind]()
    ((outcome,), seconds, memory) = measured([content])
    assert outcome.startswith("read") == (kind in HARMLESS), outcome
    assert "damaged" not in outcome
    assert seconds < SECONDS
    assert memory < MEMORY


SIXTEEN: dict[str, Callable[[], bytes]] = {
    "progressive JPEG of 48 megapixels": HARMLESS["progressive JPEG of 48 megapixels"],
    "AVIF larger than it says": avif_that_lies,
    "RGBA PNG of 15 megapixels": lambda: encoded(Image.new("RGBA", (5_000, 3_000)), "PNG", compress_level=1),
    "WebP of 6 megapixels": lambda: encoded(Image.new("RGBA", (3_000, 2_000)), "WEBP", method=0),
}


@pytest.mark.parametrize("kind", SIXTEEN)
def test_sixteen_at_once_take_turns(kind: str) -> None:
    # Forked from a process that ran no tests: what they left in memory would be counted in part.
    outcomes, seconds, memory = measured([SIXTEEN[kind]()] * 16, multiprocessing.get_context("forkserver"))
    assert all(outcome.startswith("read") for outcome in outcomes), outcomes
    assert seconds < 16 * SECONDS
    assert memory < MEMORY


def test_file_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However damaged it is: each further attempt would take as long as the first."""
    opened: list[object] = []
    original = Image.open

    def counting(*args: Any, **options: Any) -> Image.Image:
        opened.append(args)
        return original(*args, **options)

    monkeypatch.setattr(Image, "open", counting)
    turned = Image.Exif()
    turned[0x010E] = "text"
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF", "GIF", "BMP"):
        content = encoded(drawn_flower("roses"), kind, **({} if kind in ("GIF", "BMP") else {"exif": turned}))
        opened.clear()
        with pytest.raises(InvalidImage):
            images.load(content[: len(content) * 3 // 4])
        assert len(opened) <= 1, kind


def test_no_other_decoder_tries_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should what a file is be mistaken, Pillow is told the one format that it may have."""
    content = encoded(drawn_flower("roses"), "PPM")
    monkeypatch.setattr(images, "picture_of", lambda _: containers.Container("JPEG", content))
    with pytest.raises(InvalidImage):
        images.load(content)


def test_budget_is_given_back_and_keeps_the_order() -> None:
    budget = images.Budget(10)
    order = []

    def take(size: int, name: str) -> None:
        with budget.taking(size):
            order.append(name)

    with ThreadPoolExecutor(3) as pool:
        with budget.taking(6):
            waiting = [pool.submit(take, 100, "large")]
            while not budget._turn.locked():
                time.sleep(0.01)
            waiting.append(pool.submit(take, 1, "small"))
            time.sleep(0.1)
            assert order == []
        for future in waiting:
            future.result(10)
    assert order == ["large", "small"]
    with budget.taking(10):  # all of it is there again
        pass


def test_small_photo_does_not_wait_for_large_ones(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    Image.new("RGB", (1000, 1000), "red").save(photo)
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        for budget in (images.FILES, images.DECODING):
            stack.enter_context(budget.taking(budget.size))
        large = pool.submit(images.load, Image.new("RGB", (3000, 3000)))
        assert pool.submit(images.load, photo).result(10).size == (1000, 1000)
        assert not large.done()
        stack.close()
        assert large.result(10).size == (3000, 3000)


def test_budget_of_a_forked_process_is_whole() -> None:
    with images.DECODING.taking(images.DECODING.size):
        ((outcome,), _, _) = measured([encoded(Image.new("RGB", (64, 64)), "PNG")])
    assert outcome.startswith("read")


TURNED_KINDS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95},
    "MPO": {"quality": 95},
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "AVIF": {"quality": 95},
    "HEIF": {"quality": 95},
}


def turned_photo(kind: str, orientation: int) -> tuple[Image.Image, bytes]:
    """Return a photo, red at the upper left, and a file in which it is stored turned, by what EXIF says."""
    upright = Image.new("RGB", (320, 160), "blue")
    upright.paste("red", (0, 0, 160, 80))
    back = {6: 8, 8: 6}.get(orientation, orientation)
    method = images.UPRIGHT.get(back)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright if method is None else upright.transpose(method)
    return upright, encoded(stored, kind, exif=exif, **TURNED_KINDS[kind])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", TURNED_KINDS)
def test_every_format_is_turned_upright(kind: str, orientation: int, random_model: Path) -> None:
    upright, content = turned_photo(kind, orientation)
    loaded = images.load(content)
    assert loaded.size == upright.size
    assert np.abs(np.asarray(loaded, dtype=int) - np.asarray(upright)).mean() < 12
    if orientation in (1, 3, 6):
        explanation = explain(FlowerClassifier.from_pretrained(random_model), content)
        assert explanation.image.size == upright.size
        assert explanation.heat.shape == upright.size[::-1]
        assert np.abs(np.asarray(explanation.image, dtype=int) - np.asarray(upright)).mean() < 12


def test_orientation_of_either_byte_order_and_type() -> None:
    for order, name in (("<", b"II*\0"), (">", b"MM\0*")):
        for kind, value in ((3, struct.pack(f"{order}HH", 6, 0)), (4, struct.pack(f"{order}I", 6))):
            exif = name + struct.pack(f"{order}IHHHI", 8, 1, 0x0112, kind, 1) + value + bytes(4)
            assert containers.exif_orientation(exif) == 6
            assert containers.exif_orientation(b"Exif\0\0" + exif) == 6
            assert containers.exif_orientation(exif[:12]) == 1


@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "P", "RGBA", "CMYK", "I;16", "1"])
def test_large_images_are_scaled_down_where_that_suffices(mode: str) -> None:
    """To the same picture, and not below what is asked for."""
    if mode == "I;16":
        image = Image.fromarray(np.full((2_000, 3_000), 20_000, np.uint16))
    else:
        image = Image.new("RGB", (3_000, 2_000), (200, 40, 90)).convert(mode)
    content = encoded(image, "TIFF" if mode == "CMYK" else "PNG")
    small, whole = images.load(content, shorter_side=360), images.load(content)
    assert (small.size, whole.size) == ((600, 400), (3_000, 2_000))
    color = np.asarray(whole, dtype=float).mean((0, 1))
    assert np.asarray(small, dtype=float).mean((0, 1)) == pytest.approx(color, abs=1)


def test_unsupported_kind_is_told_as_such() -> None:
    """As AVIFs of early encoders, which browsers show: their decoder refuses them, and they are not damaged."""
    content = encoded(drawn_flower("roses"), "AVIF")
    with pytest.raises(InvalidImage, match=r"AVIF.*not supported.*JPEG"):
        images.load(content.replace(b"ispe", b"skip"))


def test_too_many_pixels_of_a_format_tell_its_own_limit() -> None:
    with pytest.raises(ImageTooLarge, match=r"8000x6000.*at most 20 million are accepted of WEBP") as raised:
        images.load(HOSTILE["WebP of 48 megapixels"]())
    assert raised.value.most == 20_000_000
