"""Small files that expand to much: each is refused with a reason, in bounded memory and time."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.support.commands import run_module
from tests.support.photos import drawn_flower, encoded

MEMORY = 500_000_000
"""Bytes of memory that reading a file may take at most."""

HANGS = 60
"""Seconds after which reading is taken to hang; each file takes about one."""


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_with(*chunks: bytes) -> bytes:
    """Return a small PNG with more chunks after its header."""
    whole = encoded(drawn_flower("roses"), "PNG")
    return whole[:33] + b"".join(chunks) + whole[33:]


def bomb(size: int = 200_000_000) -> bytes:
    compress = zlib.compressobj(9)
    return b"".join(compress.compress(bytes(1_000_000)) for _ in range(size // 1_000_000)) + compress.flush()


def icon_of_a_large_image() -> bytes:
    """Return a Windows icon that announces 256x256 pixels and holds a PNG of 13,000x13,000."""
    inner = encoded(Image.new("1", (13_000, 13_000)), "PNG")
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(inner), 22) + inner


def icns_of_a_large_image() -> bytes:
    """Return a macOS icon that announces 256x256 pixels and holds a PNG of 13,000x13,000."""
    inner = encoded(Image.new("1", (13_000, 13_000)), "PNG")
    entry = b"ic08" + struct.pack(">I", 8 + len(inner)) + inner
    return b"icns" + struct.pack(">I", 8 + len(entry)) + entry


def jpeg_of_many_passes() -> bytes:
    """Return a progressive JPEG whose last scan is repeated ten thousand times."""
    whole = encoded(Image.new("RGB", (4000, 4000)), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:-2] + whole[last:-2] * 10_000 + whole[-2:]


def tiff_that_loops() -> bytes:
    """Return a TIFF whose first directory names itself as the next one, and as that of its EXIF data."""
    entries = [
        (256, 4, 1, 10),
        (257, 4, 1, 10),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (278, 4, 1, 10),
        (279, 4, 1, 100),
        (330, 4, 1, 8),
        (34665, 4, 1, 8),
    ]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", 8) + bytes(200)


def tiff_of_many_strips() -> bytes:
    """Return a TIFF that announces two billion strips."""
    entries = [(256, 4, 1, 10), (257, 4, 1, 10), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 2**31 - 1, 8)]
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", 8) + directory + bytes(100)


FILES: dict[str, Callable[[], bytes]] = {
    "text of 200 MB in a PNG": lambda: png_with(chunk(b"zTXt", b"Comment\0\0" + bomb())),
    "international text of 200 MB in a PNG": lambda: png_with(chunk(b"iTXt", b"Comment\0\1\0\0\0" + bomb())),
    "profile of 200 MB in a PNG": lambda: png_with(chunk(b"iCCP", b"icc\0\0" + bomb())),
    "a hundred thousand texts in a PNG": lambda: png_with(chunk(b"tEXt", b"Comment\0" + bytes(900)) * 100_000),
    "PNG of 900 million pixels": lambda: encoded(Image.new("1", (30_000, 30_000)), "PNG"),
    "GIF of 65535x65535": lambda: b"GIF89a\xff\xff\xff\xff\xf0\0\0" + bytes(6) + b",\0\0\0\0\xff\xff\xff\xff\0\2",
    "BMP of a billion rows": lambda: b"BM" + struct.pack("<IIIIiiHH", 100, 0, 54, 40, 10, 2**30, 1, 24) + bytes(24),
    "WebP of 16383x4000": lambda: encoded(Image.new("RGB", (16_383, 4_000)), "WEBP", method=0),
    "icon of a large picture": icon_of_a_large_image,
    "macOS icon of a large picture": icns_of_a_large_image,
    "JPEG of many passes": jpeg_of_many_passes,
    "TIFF that loops": tiff_that_loops,
    "TIFF of many strips": tiff_of_many_strips,
    "animation of 20,000 pictures": lambda: encoded(
        Image.new("P", (4, 4)),
        "GIF",
        save_all=True,
        append_images=[Image.new("P", (4, 4), 1 + index % 2) for index in range(20_000)],
    ),
    "PostScript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n{} loop\n",
    "SVG": lambda: b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
    "PDF": lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n",
    "video": lambda: b"\0\0\0 ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(2000),
    "zip": lambda: b"PK\x03\x04" + bytes(2000),
    "program": lambda: b"\x7fELF" + bytes(2000),
}

HARMLESS = {  # their pictures are intact: metadata do not decide
    "text of 200 MB in a PNG",
    "international text of 200 MB in a PNG",
    "a hundred thousand texts in a PNG",
    "profile of 200 MB in a PNG",
    "animation of 20,000 pictures",
    "TIFF that loops",
}
"""Files whose picture is intact and may be read."""


def read(file: Path) -> tuple[str, int]:
    """Read a file in a process of its own; return what it printed and the bytes of memory that reading took."""
    drawn_flower("roses").save(flower := file.with_name("flower.png"))
    done = run_module("tests.support.reading", file, flower, timeout=HANGS)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    outcome, memory = done.stdout.splitlines()
    return outcome, int(memory)


@pytest.mark.parametrize("kind", FILES)
def test_hostile_file_takes_little_memory(kind: str, tmp_path: Path) -> None:
    (tmp_path / "hostile.png").write_bytes(FILES[kind]())
    outcome, memory = read(tmp_path / "hostile.png")
    assert kind in HARMLESS or not outcome.startswith("read"), outcome
    assert memory < MEMORY, outcome


@pytest.mark.parametrize(
    ("mode", "size"),
    [("RGB", (9_000, 5_500)), ("RGBA", (9_000, 5_500)), ("I;16", (9_000, 5_500)), ("LA", (7_000, 7_000))],
)
def test_largest_images_take_little_more_than_their_pixels(mode: str, size: tuple[int, int], tmp_path: Path) -> None:
    Image.new(mode, size).save(tmp_path / "large.png", compress_level=1)
    outcome, memory = read(tmp_path / "large.png")
    assert outcome.startswith("read")
    assert memory < MEMORY + 100_000_000
