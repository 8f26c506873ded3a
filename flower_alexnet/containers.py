"""JPEG, PNG and WebP files as bytes: what is counted before decoding, and what is taken off if they are broken."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

MAX_SCANS = 100
"""Most scans of a progressive JPEG: each decodes all pixels once more. Encoders write about ten."""

MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
"""A marker of a JPEG that begins a segment or ends the image: not an escaped byte, TEM, a restart, or filling."""

EOI, SOS, APP0, APP1, APP2, APP14, APP15, COM = 0xD9, 0xDA, 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE
"""Second bytes of JPEG markers (ITU-T T.81, table B.1)."""


def has_too_many_scans(content: bytes) -> bool:
    """Return whether a file is a JPEG of more than ``MAX_SCANS`` scans; what follows its end is not looked at."""
    if not content.startswith(b"\xff\xd8") or content.count(bytes([0xFF, SOS])) <= MAX_SCANS:
        return False
    scans = 0
    for marker, _, _ in _jpeg_segments(content):
        scans += marker == SOS
        if scans > MAX_SCANS:
            return True
    return False


def _jpeg_segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment of a JPEG up to the end of its (first) image."""
    end = 2
    while found := MARKER.search(content, end):
        start = found.start()
        if (marker := content[start + 1]) == EOI:
            return
        end = start + 2 + max(2, int.from_bytes(content[start + 2 : start + 4], "big"))
        yield marker, start, end


def variants(content: bytes) -> Iterator[bytes]:
    """Yield a file as it is, then with fewer and fewer metadata."""
    yield content
    previous = content
    if content.startswith(b"\xff\xd8"):
        others = _jpegs_without_metadata(content)
    elif content.startswith(b"\x89PNG\r\n\x1a\n"):
        others = _pngs_without_metadata(content)
    elif content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        others = iter([_webp_without_metadata(content)])
    elif content[4:8] == b"ftyp":  # HEIC and AVIF: their EXIF data become an item of an unknown type
        others = iter([re.sub(rb"(infe[\x02\x03].{3}.{4,6}?)Exif", rb"\1none", content, flags=re.DOTALL)])
    else:
        return
    for variant in others:
        if variant != previous:
            yield variant
        previous = variant


def _jpegs_without_metadata(content: bytes) -> Iterator[bytes]:
    """Yield a JPEG whose applications' segments are JFIF, EXIF, ICC and Adobe, then Adobe's alone, then none."""
    segments, rest = [], 2
    for marker, start, end in _jpeg_segments(content):
        rest = start
        if marker == SOS:
            break
        segments.append((marker, content[start:end]))
        rest = end
    for kept in (APP0, APP1, APP2, APP14), (APP14,), ():
        head = [it for marker, it in segments if marker in kept or not (APP0 <= marker <= APP15 or marker == COM)]
        if APP2 in kept:
            head = [it for it in head if it[1] != APP2 or it[4:].startswith(b"ICC_PROFILE\0")]
        yield b"".join([content[:2], *head, content[rest:]])


def _pngs_without_metadata(content: bytes) -> Iterator[bytes]:
    """Yield a PNG without chunks other than transparency, profile and EXIF, then with the first, then with none."""
    chunks: list[tuple[bytes, bytes]] = []
    position = 8
    while position + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        end = position + 12 + length
        if kind[:1].isupper() or (kind in (b"tRNS", b"iCCP", b"eXIf") and _has_valid_crc(content[position:end])):
            chunks.append((kind, content[position:end]))
        position = end
    for kept in (b"tRNS", b"iCCP", b"eXIf"), (b"tRNS",), ():
        yield content[:8] + b"".join(chunk for kind, chunk in chunks if kind[:1].isupper() or kind in kept)


def _has_valid_crc(chunk: bytes) -> bool:
    return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")


def _webp_without_metadata(content: bytes) -> bytes:
    """Return a WebP without EXIF, XMP and unknown chunks."""
    chunks, position = [], 12
    while position + 8 <= len(content):
        kind, length = struct.unpack_from("<4sI", content, position)
        end = position + 8 + length + length % 2
        chunk = content[position:end]
        if kind == b"VP8X" and length >= 10:
            chunk = chunk[:8] + bytes([chunk[8] & ~0x0C]) + chunk[9:]  # no EXIF, no XMP
        if kind in (b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ICCP", b"ANIM", b"ANMF"):
            chunks.append(chunk)
        position = end
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body
