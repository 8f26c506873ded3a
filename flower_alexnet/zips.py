"""Zips of photos: read within limits, their members' names decoded by what they are."""

from __future__ import annotations

import bz2
import io
import lzma
import re
import struct
import unicodedata
import zlib
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

from charset_normalizer import from_bytes

UTF_8 = 0x800
"""The flag of a member whose name is UTF-8 (APPNOTE.TXT 4.4.4)."""

UNICODE_PATH = 0x7075
"""The extra field in which Info-ZIP keeps a name as UTF-8 (APPNOTE.TXT 4.6.9)."""

CENTRAL_HEADER = struct.Struct("<4s4xH18x3H12x")
"""A member's entry in the directory: signature, flags, and how long its name, extra field and comment are."""

LOCAL_HEADER = struct.Struct("<4s22xHH")
"""What is before a member: signature, and how long its name and extra field are."""

ENCRYPTED = 0x1
"""The flag of a member that is locked with a password."""

MADE_ON_WINDOWS = 0
"""System in a member's entry whose programs may write names with backslashes: IZArc, .NET before 4.6.1."""

METHODS = {
    1: "Shrink",
    6: "Implode",
    9: "Deflate64",
    10: "PKWARE Implode",
    20: "Zstandard",
    93: "Zstandard",
    94: "MP3",
    95: "XZ",
    96: "JPEG",
    97: "WavPack",
    98: "PPMd",
    99: "AES encryption",
}
"""Names of the methods of compression that are not read (APPNOTE.TXT 4.4.5)."""

LZMA_MEMORY = 100_000_000
"""Bytes of memory that unpacking a member may take by LZMA; its usual levels take 1 to 65 MB."""

CANDIDATES = ("cp437", "cp850", "cp1252", "gb18030", "cp932", "big5hkscs", "cp949", "cp866", "cp1251")
"""Encodings of names without the flag: the code pages of Windows, the likeliest first."""

LIKELY = {"zh": ("gb18030", "big5hkscs"), "ja": ("cp932",), "ko": ("cp949",), "ru": ("cp866", "cp1251")}
"""Language -> the candidates that its speakers' computers use."""

EVERYDAY = {"gb18030": "gb2312", "big5hkscs": "big5", "cp949": "euc_kr"}
"""Candidate -> an encoding of its common letters alone."""

SAMPLE = 10_000
"""Bytes of names that suffice to tell their encoding."""

AS_GOOD = 0.05
"""Difference in the detector's measure of mess, 0-1, up to which two encodings fit equally well."""

LONG_UTF_8 = re.compile(rb"[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
"""A UTF-8 sequence too long to be there by chance in another encoding."""

ALPHABETS = {"LATIN", "GREEK", "CYRILLIC"}
EAST_ASIAN = {"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "HALFWIDTH"}


class DirectoryTooLarge(ValueError):
    """The directory of a zip has more bytes than are accepted."""


class Locked(ValueError):
    """A member is locked with a password."""


class UnknownMethod(ValueError):
    """A member is compressed by a method that is not read; the message is its name."""


class PhotoZip(ZipFile):
    """A zip whose directory is read. Its members are read by ``read_member``, which needs no open zip.

    Args:
        path: the file.
        most: bytes of its directory that are accepted; nothing is made of more.

    Raises:
        DirectoryTooLarge: the directory is larger.
        BadZipFile, OSError, EOFError, ValueError, NotImplementedError, struct.error: it is no zip, or is damaged.
    """

    def __init__(self, path: Path, most: int | None = None) -> None:
        self._file = _File(path, most)
        try:
            try:
                super().__init__(self._file)
            except UnicodeDecodeError:  # a name that has the flag but is no UTF-8
                self._file.ignore_flags = True
                super().__init__(self._file)
        except BaseException:
            self._file.close()
            raise
        self._file.most = None
        self.directory_size = self._file.directory_size

    def close(self) -> None:
        """Close the file."""
        super().close()
        if "_file" in vars(self):
            self._file.close()

    def named_members(self, language: str = "en") -> list[tuple[str, ZipInfo]]:
        """Return name and member of all entries but folders.

        Args:
            language: decides between encodings that fit a name equally well.
        """
        members = self.filelist
        names: list[str | bytes] = []
        for member in members:
            if member.flag_bits & UTF_8:
                names.append(member.filename)
            else:
                raw = member.orig_filename.encode("cp437")  # as zipfile decoded it
                names.append(_unicode_path(member.extra, raw) or raw)
        decoded = iter(decode_names([name for name in names if isinstance(name, bytes)], language))
        texts = [(name if isinstance(name, str) else next(decoded)).partition("\0")[0] for name in names]
        slashed = [
            text.replace("\\", "/") if member.create_system == MADE_ON_WINDOWS else text
            for text, member in zip(texts, members, strict=True)
        ]
        return [(text, member) for text, member in zip(slashed, members, strict=True) if not text.endswith("/")]


def read_member(path: Path, member: ZipInfo, most: int) -> bytes:
    """Return the contents of a member. What is written before it, where some programs repeat its name in another way
    or encoding, is passed over: the directory decides.

    Args:
        path: the zip.
        member: of its directory.
        most: bytes of its contents that are accepted; the caller checked ``member.file_size``.

    Raises:
        Locked, UnknownMethod: it cannot be unpacked.
        BadZipFile, OSError, EOFError, ValueError, zlib.error, lzma.LZMAError: it is damaged.
    """
    if member.flag_bits & ENCRYPTED:
        raise Locked
    with path.open("rb") as file:
        file.seek(member.header_offset)
        head = file.read(LOCAL_HEADER.size)
        signature, *lengths = LOCAL_HEADER.unpack(head) if len(head) == LOCAL_HEADER.size else (b"", 0)
        if signature != b"PK\3\4":
            raise BadZipFile("it is not where the directory says")
        file.seek(sum(lengths), io.SEEK_CUR)
        packed = file.read(min(member.compress_size, 2 * most))
    size = min(member.file_size, most)
    match member.compress_type:
        case 0:
            content = packed[:size]
        case 8:
            content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, max(1, size))
        case 12:
            content = bz2.BZ2Decompressor().decompress(packed, size)
        case 14:  # version, length of the properties, properties, stream; as a file: properties, size, stream
            properties, stream = packed[4:9], packed[4 + int.from_bytes(packed[2:4], "little") :]
            unpacker = lzma.LZMADecompressor(lzma.FORMAT_ALONE, LZMA_MEMORY)
            content = unpacker.decompress(properties + struct.pack("<Q", size) + stream, size)
        case method:
            raise UnknownMethod(METHODS.get(method, f"method {method}"))
    if len(content) != member.file_size or zlib.crc32(content) != member.CRC:
        raise BadZipFile("its contents do not have the size and checksum that the directory says")
    return content


def decode_names(names: Sequence[bytes], language: str = "en") -> list[str]:
    """Decode the names of files from one computer.

    Names that are all UTF-8 are taken for that. The others have one of ``CANDIDATES``: the one that fits best; where
    several do, the one of the language.

    Args:
        names: as bytes.
        language: of the one who is shown the names, such as ``"zh-CN"`` or ``"zh_CN"``.
    """
    utf_8 = [_decoded(name, "utf-8") for name in names]
    if None in utf_8:
        encoding = _detect([name for name, text in zip(names, utf_8, strict=True) if text is None], language)
        utf_8 = [text if LONG_UTF_8.search(name) else None for name, text in zip(names, utf_8, strict=True)]
        return [
            name.decode(encoding, "backslashreplace") if text is None else text
            for name, text in zip(names, utf_8, strict=True)
        ]
    return [text for text in utf_8 if text is not None]


def _detect(names: Sequence[bytes], language: str) -> str:
    likely = LIKELY.get(re.split("[-_]", language)[0].lower(), ())
    order = [*likely, *(candidate for candidate in CANDIDATES if candidate not in likely)]
    sample = b"\n".join(names)[:SAMPLE].rpartition(b"\n")[0] if sum(map(len, names)) > SAMPLE else b"\n".join(names)
    sample = sample or names[0]
    texts = {encoding: text for encoding in order if (text := _decoded(sample, encoding)) is not None}
    oddities = {encoding: _oddities(text) for encoding, text in texts.items()}
    for encoding in EVERYDAY.keys() & texts.keys() - set(likely):
        oddities[encoding] += sum(not _is_in(letter, EVERYDAY[encoding]) for letter in texts[encoding])
    least = [encoding for encoding in texts if oddities[encoding] == min(oddities.values())]
    found = from_bytes(sample, cp_isolation=least, threshold=1.0, enable_fallback=False, preemptive_behaviour=False)
    mess = {match.encoding: match.chaos for match in found}
    best = [encoding for encoding in least if mess.get(encoding, 1) <= min(mess.values(), default=1) + AS_GOOD]
    return best[0]


def _oddities(text: str) -> int:
    """Count what names of files hardly have: frames, control, private and halfwidth letters, signs inside words, words
    of two alphabets, and East Asian letters inside Latin words."""
    odd = sum(unicodedata.category(letter) in ("Cc", "Co", "Cn") or "\u2500" <= letter <= "\u259f" for letter in text)
    odd += sum(unicodedata.name(letter, "").startswith("HALFWIDTH") for letter in text) - text.count("\n")
    odd += len(re.findall(r"(?<=[^\W\d_])[^\w\x00-\x7f·’–](?=[^\W\d_])|(?<=[^\W\d_])²(?=[^\W\d_])|[¹³¼½¾]", text))
    for word in re.findall(r"[^\W\d_]+", text):
        scripts = [unicodedata.name(letter, "").partition(" ")[0].partition("-")[0] for letter in word]
        odd += len(ALPHABETS.intersection(scripts)) > 1
        for before, script, after in zip(scripts, scripts[1:], scripts[2:], strict=False):
            odd += before == after == "LATIN" and script in EAST_ASIAN
    return odd


def _is_in(letter: str, encoding: str) -> bool:
    try:
        return bool(letter.encode(encoding))
    except UnicodeEncodeError:
        return False


def _decoded(name: bytes, encoding: str) -> str | None:
    try:
        return name.decode(encoding)
    except UnicodeDecodeError:
        return None


def _unicode_path(extra: bytes, raw: bytes) -> str | None:
    """Return the name in an extra field, if there is one and it belongs to the name in the entry."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        field, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == UNICODE_PATH and len(field) > 5:
            version, crc = struct.unpack_from("<BL", field)
            if version == 1 and crc == zlib.crc32(raw):
                return _decoded(field[5:], "utf-8")
    return None


class _File(io.BufferedReader):
    """A file whose directory is refused before it is read if it is too large.

    Args:
        path: the file.
        most: bytes that may be read at once; any number if None.
    """

    def __init__(self, path: Path, most: int | None) -> None:
        super().__init__(io.FileIO(path))
        self.most = most
        self.ignore_flags = False
        self.directory_size = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read bytes; ``ZipFile`` reads a directory at once."""
        if self.most is not None and size is not None and size > self.most:
            raise DirectoryTooLarge(f"the directory has {size} bytes")
        content = super().read(size)
        if content.startswith(b"PK\1\2"):
            self.directory_size = max(self.directory_size, len(content))
            return _without_flags(content) if self.ignore_flags else content
        return content


def _without_flags(directory: bytes) -> bytes:
    """Return a directory in which no name is said to be UTF-8."""
    changed, position = bytearray(directory), 0
    while position + CENTRAL_HEADER.size <= len(directory):
        _, flags, *lengths = CENTRAL_HEADER.unpack_from(directory, position)
        struct.pack_into("<H", changed, position + 8, flags & ~UTF_8)
        position += CENTRAL_HEADER.size + sum(lengths)
    return bytes(changed)
