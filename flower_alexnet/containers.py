"""Picture files as bytes: which format they have, and what of them a decoder is given.

A decoder gets the picture alone. Metadata are where most traps are (a directory of a megabyte may name gigabytes), and
where cameras and programs make most mistakes; the few that matter, orientation and colour profile, are read here.
"""

from __future__ import annotations

import re
import struct
import zlib
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

FORMATS = ("JPEG", "MPO", "PNG", "GIF", "WEBP", "BMP", "TIFF", "HEIF", "AVIF")
"""The formats that are read, by Pillow's names: what phones, cameras, scanners and browsers make.

Not on the list, though Pillow knows them: those that run a program (EPS, WMF), those that hold a picture of another
format (IPTC, BLP, ICO, ICNS, FITS), those that Python itself decodes pixel by pixel (PPM as text, XPM), and JPEG 2000,
which no phone or browser makes and of which 6 megapixels may take 4 seconds.
"""

MAX_PIXELS = 50_000_000
"""Largest width x height that is decoded."""

MAX_SCANS = 100
"""Most scans of a JPEG: each decodes all pixels once more. Encoders write about ten."""

MAX_SCAN_PIXELS = 1_500_000_000
"""Most scans x pixels of a JPEG: 30 scans of 50 megapixels, which take about a second."""

MAX_PARTS = 100_000
"""Most segments, chunks or blocks of a file: a photo of 50 MB in the usual chunks of 8 kB has 6,000."""

MAX_DIRECTORY = 100_000
"""Most numbers in an entry of a TIFF's directory: strips or tiles, for example."""

MAX_PROFILE = 4_000_000
"""Bytes of a colour profile; larger ones are ignored. The largest of printing presses have 3 MB."""

MAX_RUN_LENGTH = 5_000_000
"""Bytes of a run-length encoded BMP, which Pillow decodes in Python: a megabyte takes half a second."""

MAX_MODERN = 30_000_000
"""Bytes of a HEIF, AVIF or WebP: the decoders of the first two read about 13 MB a second, that of the last makes
copies. A photo of 48 megapixels has about 10 MB."""

TIFF_COMPRESSIONS = {1, 2, 3, 4, 5, 7, 8, 32773, 32946, 50000}
"""None, the three of fax machines, LZW, JPEG, deflate, PackBits, deflate by its old number, and Zstandard."""

MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
"""A marker of a JPEG that begins a segment or ends the image: not an escaped byte, TEM, a restart, or filling."""

FRAMES = range(0xC0, 0xC3)
"""Markers of frames that are read: baseline, extended and progressive JPEGs, Huffman coded (ITU-T T.81, table B.1)."""

OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
"""Markers of lossless, hierarchical and arithmetic coded frames, which no browser shows either."""

EOI, SOS, APP0, APP1, APP2, APP14, APP15, COM = 0xD9, 0xDA, 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE
"""Second bytes of JPEG markers."""

ORIENTATION = 0x0112
"""The tag of EXIF that says how an image is to be turned."""

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Type in a TIFF's directory -> bytes of a value."""

BYTES = {1, 2, 6, 7}
"""Types whose values are read as bytes."""


class Unsupported(ValueError):
    """A file is of a kind that is not read, or would take too much time; the message is the end of a sentence."""


@dataclass(frozen=True)
class Container:
    """A file of a known format, as a decoder is given it.

    Args:
        format: one of ``FORMATS``.
        content: the file without its metadata.
        orientation: 1-8, as in EXIF; 1 if the decoder turns the image, or nothing says how.
        profile: the ICC profile, as far as the decoder does not find it itself.
        size: width and height that are decoded, if they may be larger than those that the header announces.
        buffered: bytes that the decoder keeps for each of these pixels beside the image.
    """

    format: str
    content: bytes
    orientation: int = 1
    profile: bytes | None = None
    size: tuple[int, int] = (0, 0)
    buffered: float = 0


def find_format(head: bytes) -> str | None:
    """Return the format of a file by its first 64 bytes; None if it is none of ``FORMATS``."""
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if head.startswith(b"BM") and head[14:18] in {bytes([size, 0, 0, 0]) for size in (12, 40, 52, 56, 64, 108, 124)}:
        return "BMP"
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if head[4:8] == b"ftyp":
        brands = [head[start : start + 4] for start in (8, *range(16, min(len(head), int.from_bytes(head[:4])), 4))]
        if b"avif" in brands or b"avis" in brands:
            return "AVIF"
        if any(brand in (b"mif1", b"msf1") or brand[:3] in (b"hei", b"hev") for brand in brands):
            return "HEIF"
    return None


def picture_of(content: bytes) -> Container | None:
    """Return what a decoder is given of a file; None if it has none of ``FORMATS``.

    Raises:
        Unsupported: it is of a kind that is not read, or would take too much time.
    """
    match find_format(content[:64]):
        case "JPEG":
            return _jpeg(content)
        case "PNG":
            return _png(content)
        case "GIF":
            return Container("GIF", _gif(content))
        case "WEBP":
            return _webp(content)
        case "BMP":
            return _bmp(content)
        case "TIFF":
            return _tiff(content)
        case "AVIF" | "HEIF" as kind:
            return _heif(content, kind)
    return None


def exif_orientation(exif: bytes | None) -> int:
    """Return the orientation, 1-8, that EXIF data give, with or without the header ``Exif``; 1 if they give none."""
    if not exif:
        return 1
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}4xI", exif)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, _, short = struct.unpack_from(f"{order}HHIH", exif, entry)
            if tag == ORIENTATION:
                value = short if kind == 3 else struct.unpack_from(f"{order}8xI", exif, entry)[0] if kind == 4 else 1
                return value if 1 <= value <= 8 else 1
    except struct.error:  # cut short
        pass
    return 1


def _jpeg(content: bytes) -> Container:
    """Keep what decides about pixels: no application's segments but that of JFIF and of Adobe, which tell how colors
    are stored, and no comments."""
    view = memoryview(content)  # of which slices are no copies
    head: list[bytes | memoryview] = [b"\xff\xd8"]
    exif = b""
    icc: dict[bytes, bytes] = {}
    size, samples, components, multiple = (0, 0), 0.0, 0, False
    end = 2
    for number, (marker, start, end) in enumerate(_jpeg_segments(content)):
        segment = content[start:end] if marker != SOS else content[start : start + 5]
        if number > MAX_PARTS:
            raise Unsupported(f"is a JPEG of more than {MAX_PARTS:,} segments. Save it again.")
        if marker in OTHER_FRAMES:
            raise Unsupported("is a lossless or arithmetic coded JPEG. Save it as a usual JPEG, or as a PNG.")
        if marker in FRAMES and not components and len(segment) >= 10:
            size, components, samples = _jpeg_frame(segment)
            multiple = marker == FRAMES[-1]
        if marker == SOS:
            multiple |= len(segment) > 4 and segment[4] < components
            head.append(view[start:])
            break
        if marker == APP0 and segment[4:9] == b"JFIF\0" and len(segment) >= 16:
            head.append(b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0")
        elif marker == APP14 and segment[4:9] == b"Adobe" and len(segment) >= 16:
            head.append(segment)
        elif marker == APP1 and not exif and segment[4:10] == b"Exif\0\0":
            exif = segment[4:]
        elif marker == APP2 and segment[4:16] == b"ICC_PROFILE\0":
            icc.setdefault(segment[16:17], segment[18:])
        elif not (APP0 <= marker <= APP15 or marker == COM):
            head.append(segment)
    kept = b"".join(head)
    if multiple:
        scans = _count_scans(kept)
        if scans > MAX_SCANS or scans * size[0] * size[1] > MAX_SCAN_PIXELS:
            limit = min(MAX_SCANS, MAX_SCAN_PIXELS // max(1, size[0] * size[1]))
            raise Unsupported(f"is a JPEG of more than {limit} scans. Save it again.")
    profile = b"".join(icc[key] for key in sorted(icc))
    # Coefficients of two bytes are kept of each sample until the last scan is read, at whatever size is decoded.
    return Container(
        "JPEG",
        kept,
        exif_orientation(exif),
        profile if len(profile) <= MAX_PROFILE else None,
        size if multiple else (0, 0),
        2 * samples if multiple else 0,
    )


def _jpeg_frame(segment: bytes) -> tuple[tuple[int, int], int, float]:
    """Return width and height, components, and samples a pixel, from the header of a frame."""
    height, width, components = struct.unpack_from(">HHB", segment, 5)
    factors = [(factor >> 4, factor & 15) for factor in segment[11 : 10 + 3 * components : 3]]
    largest = max((across for across, _ in factors), default=1) * max((down for _, down in factors), default=1)
    return (width, height), components, sum(across * down for across, down in factors) / max(1, largest)


def _count_scans(content: bytes) -> int:
    """Return the scans of a JPEG, at most one more than are accepted."""
    if content.count(bytes([0xFF, SOS])) <= 1:
        return 1
    scans = 0
    for number, (marker, _, _) in enumerate(_jpeg_segments(content)):
        scans += marker == SOS
        if scans > MAX_SCANS or number > MAX_PARTS:
            return MAX_SCANS + 1
    return scans


def _jpeg_segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment of a JPEG up to the end of its (first) image."""
    end = 2
    while found := MARKER.search(content, end):
        start = found.start()
        if (marker := content[start + 1]) == EOI:
            return
        end = start + 2 + max(2, int.from_bytes(content[start + 2 : start + 4], "big"))
        yield marker, start, end


def _png(content: bytes) -> Container:
    """Keep header, palette, pixels, end and a valid transparency."""
    kept: list[bytes | memoryview] = [content[:8]]
    exif, profile, header = b"", None, b""
    for number, (kind, chunk) in enumerate(_png_chunks(content)):
        if number > MAX_PARTS:
            raise Unsupported(f"is a PNG of more than {MAX_PARTS:,} chunks. Save it again.")
        if kind == b"IHDR":
            header = header or bytes(chunk[8:21])
        valid = kind in (b"tRNS", b"eXIf", b"iCCP") and zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:])
        if kind in (b"IHDR", b"PLTE", b"IDAT", b"IEND") or (
            kind == b"tRNS" and valid and len(chunk) >= 12 + {0: 2, 2: 6, 3: 1}.get(header[9] if header else -1, 2**32)
        ):
            kept.append(chunk)
        elif kind == b"eXIf" and valid:
            exif = bytes(chunk[8:-4])
        elif kind == b"iCCP" and valid:
            profile = _png_profile(bytes(chunk[8:-4]))
    width, height, depth, color = struct.unpack(">IIBB", header[:10]) if len(header) >= 10 else (0, 0, 0, 0)
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(color, 4)
    if width * height <= MAX_PIXELS < width * height * bits / 32:  # unpacking them takes more than three seconds
        raise Unsupported(f"has {width}x{height} pixels of {bits} bits, which are too many. Make it smaller first.")
    return Container("PNG", b"".join(kept), exif_orientation(exif), profile)


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the kind of each chunk, and all of it."""
    view, position = memoryview(content), 8  # of which slices are no copies
    while position + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        yield kind, view[position : position + 12 + length]
        position += 12 + length


def _png_profile(chunk: bytes) -> bytes | None:
    try:
        return _inflated(chunk[chunk.index(b"\0") + 2 :], MAX_PROFILE)
    except (ValueError, zlib.error):
        return None


def _inflated(compressed: bytes, most: int) -> bytes | None:
    """Return what was compressed by deflate; None if it has more bytes than are accepted."""
    inflater = zlib.decompressobj()
    found = inflater.decompress(compressed, most)
    return found if inflater.eof else None


def _webp(content: bytes) -> Container:
    """Keep the first picture and its transparency."""
    _check_size(content, "WEBP")
    chunks, exif, profile = [], b"", None
    position = 12
    for _ in range(MAX_PARTS):
        if position + 8 > len(content):
            break
        kind, length = struct.unpack_from("<4sI", content, position)
        end = position + 8 + length + length % 2
        chunk = content[position:end]
        position = end
        if kind == b"EXIF":
            exif = chunk[8 : 8 + length]
        elif kind == b"ICCP" and length <= MAX_PROFILE:
            profile = chunk[8 : 8 + length]
        elif kind == b"VP8X" and length >= 10:
            chunks.append(chunk[:8] + bytes([chunk[8] & ~0x2C]) + chunk[9:])  # no profile, no EXIF, no XMP
        elif kind in (b"VP8 ", b"VP8L", b"ALPH", b"ANIM") or (
            kind == b"ANMF" and not any(kept.startswith(b"ANMF") for kept in chunks)
        ):
            chunks.append(chunk)
    else:
        raise Unsupported(f"is a WebP of more than {MAX_PARTS:,} chunks. Save it again.")
    body = b"WEBP" + b"".join(chunks)
    # Two canvases and a copy of four bytes a pixel.
    whole = b"RIFF" + struct.pack("<I", len(body)) + body
    return Container("WEBP", whole, exif_orientation(exif), profile, buffered=12)


def _gif(content: bytes) -> bytes:
    """Keep what is before the first picture without comments and other extensions, and the picture."""
    if len(content) < 13:
        return content
    position = 13 + (3 << (content[10] & 7) + 1 if content[10] & 0x80 else 0)
    kept: list[bytes | memoryview] = [content[:position]]
    blocks = 0
    while content[position : position + 1] == b"!":  # else the picture, or what the decoder is to stumble over
        label, start, position = content[position + 1 : position + 2], position, position + 2
        while True:
            length = content[position] if position < len(content) else 0
            position, blocks = position + 1 + length, blocks + 1
            if blocks > 10 * MAX_PARTS:
                raise Unsupported("is a GIF of very many blocks. Save it again.")
            if not length:
                break
        if label == b"\xf9":  # control of the next picture: its transparent color
            kept[1:] = [content[start:position]]
    return b"".join([*kept, memoryview(content)[position:]])


def _bmp(content: bytes) -> Container:
    compression = int.from_bytes(content[30:34], "little") if content[14] >= 40 else 0
    if compression in (1, 2) and len(content) > MAX_RUN_LENGTH:
        raise Unsupported("is a very large run-length encoded BMP. Save it as a PNG.")
    return Container("BMP", content)


def _heif(content: bytes, kind: str) -> Container:
    """Make its EXIF data an item of an unknown type.

    The decoder turns the image by its properties ``irot`` and ``imir``, and EXIF says the same once more; it counts
    only in a HEIF that has neither property, as pillow-heif writes it.
    """
    _check_size(content, kind)
    found = None
    if kind == "HEIF" and not (b"irot" in content or b"imir" in content):
        found = re.search(rb"Exif\0\0(?:II\*\0|MM\0\*)", content)
    turned = exif_orientation(content[found.start() :]) if found else 1
    content = re.sub(rb"(infe[\x02\x03].{3}.{4,6}?)Exif", rb"\1none", content, flags=re.DOTALL)
    return Container(kind, content, turned)


def _check_size(content: bytes, kind: str) -> None:
    if len(content) > MAX_MODERN:
        raise Unsupported(f"has more than the {MAX_MODERN // 1_000_000} MB that are read of {kind}. Save it as a JPEG.")


def _tiff(content: bytes) -> Container:
    """Check the directory of the first picture, and hide what does not belong to it from the decoder."""
    order = "<" if content.startswith(b"II") else ">"
    big = content[2:4] in (b"+\0", b"\0+")
    entry_format, entry_size, inline = (f"{order}HHQ", 20, 8) if big else (f"{order}HHI", 12, 4)
    offset_format = f"{order}Q" if big else f"{order}I"
    entries: dict[int, tuple[int, int, int]] = {}
    hidden, total = [], 0
    try:
        (start,) = struct.unpack_from(offset_format, content, 8 if big else 4)
        (count,) = struct.unpack_from(f"{order}Q" if big else f"{order}H", content, start)
        first = start + (8 if big else 2)
        if count > 4096:
            raise Unsupported("is a TIFF of very many tags. Save it again.")
        for position in range(first, first + count * entry_size, entry_size):
            tag, kind, number = struct.unpack_from(entry_format, content, position)
            length = SIZES.get(kind, 0) * number
            if (tag > 532 and tag != 34675) or tag in entries:  # of programs; EXIF, places; or given twice
                hidden.append(position)
                continue
            total += length if length > inline else 0
            if total > len(content) or (kind not in BYTES and number > MAX_DIRECTORY):
                raise Unsupported("is a TIFF whose tags are larger than the file, or too many. Save it again.")
            at = position + entry_size - inline
            entries[tag] = kind, number, at if length <= inline else struct.unpack_from(offset_format, content, at)[0]
    except struct.error:  # cut short: the decoder says so
        return Container("TIFF", content)
    if hidden:
        changed = bytearray(content)
        for position in hidden:
            struct.pack_into(f"{order}H", changed, position + 2, 0)  # no type: it is passed over
        content = bytes(changed)

    def values(tag: int, default: int = 0) -> list[int]:
        kind, number, at = entries.get(tag, (0, 0, 0))
        letter = {1: "B", 3: "H", 4: "I", 16: "Q"}.get(kind)
        if not letter or at + number * SIZES[kind] > len(content):
            return [default]
        return list(struct.unpack_from(f"{order}{number}{letter}", content, at)) or [default]

    width, height, compression = values(256)[0], values(257)[0], values(259, 1)[0]
    if compression not in TIFF_COMPRESSIONS:
        raise Unsupported(f"is a TIFF of compression {compression}, which is not read. Save it as a PNG or JPEG.")
    tiled = 324 in entries
    across, down = (max(1, values(tag)[0]) for tag in (322, 323)) if tiled else (max(1, width), height)
    rows = down if tiled else max(1, min(values(278, height)[0], height))
    size = ceil(width / across) * across, ceil(height / rows) * rows if tiled else height
    channels, bits = values(277, 1)[0], max(values(258, 1))
    if channels * bits > 64:
        raise Unsupported(f"is a TIFF of {channels} channels of {bits} bits. Save it as a PNG or JPEG.")
    if compression == 7:
        starts, lengths = (values(324), values(325)) if tiled else (values(273), values(279))
        scans = [found.start() for found in re.finditer(rb"\xff\xda\x00[\x08\x0a\x0c\x0e]", content)]
        if re.search(rb"\xff[\xc2\xc3\xc5-\xc7\xc9-\xcf]\x00[\x0b\x11\x14]\x08", content):
            raise Unsupported("is a TIFF of progressive or lossless JPEGs. Save it as a PNG or JPEG.")
        decoded = sum(
            bisect_left(scans, at + length) - bisect_left(scans, at)
            for at, length in zip(starts, lengths, strict=False)
        )
        if decoded * across * rows > 5 * max(size[0] * size[1], across * rows):  # a scan for each channel at most
            raise Unsupported("is a TIFF of JPEGs of many scans. Save it as a PNG or JPEG.")
    return Container("TIFF", content, size=size)
