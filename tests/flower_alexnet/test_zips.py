"""Names in zips are decoded by what they are, and limits hold before anything is made of a zip's directory."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zlib
from pathlib import Path
from zipfile import ZipFile

import pytest

from flower_alexnet import FlowerClassifier, batch
from flower_alexnet.batch import TooManyPhotos
from flower_alexnet.zips import UNICODE_PATH, UTF_8, PhotoZip, decode_names
from tests.support.photos import drawn_flower, encoded

PHOTO = encoded(drawn_flower("roses"), "PNG")


def made_zip(file: Path, *names: bytes, flags: int = 0, extra: bytes = b"") -> Path:
    """Write a zip whose members have names of any bytes, as programs that ignore encodings make it."""
    body, directory = b"", b""
    for name in names:
        common = struct.pack(
            "<HHHHHIIIHH", 20, flags, 0, 0, 33, zlib.crc32(PHOTO), *[len(PHOTO)] * 2, len(name), len(extra)
        )
        directory += b"PK\1\2\x14\0" + common + struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name + extra
        body += b"PK\3\4" + common + name + extra + PHOTO
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, len(names), len(names), len(directory), len(body), 0)
    file.write_bytes(body + directory + end)
    return file


def names_in(file: Path, language: str = "en") -> list[str]:
    return [photo.name.partition("/")[2] for photo in batch.collect([("z.zip", file)], 100, language)]


CHINESE = ["玫瑰花 01.jpg", "向日葵/雏菊 (2).jpg", "新建文件夹/照片.jpg"]

TOLD_BY_BYTES = {
    "gbk": CHINESE,
    "big5": ["玫瑰花.jpg", "鬱金香.jpg", "照片.jpg"],
    "cp932": ["バラ.jpg", "チューリップ.jpg", "ひまわり.jpg", "写真 (2).jpg"],
    "cp437": ["café.jpg", "Gänseblümchen.jpg", "piñata.jpg"],
    "cp850": ["Löwenzahn.jpg", "São.jpg"],
    "cp1252": ["café.jpg", "Gänseblümchen.jpg", "été.jpg"],
    "cp866": ["Тюльпан фото.jpg", "роза.jpg"],
    "utf-8": ["玫瑰花.jpg", "café.jpg", "роза.jpg"],
}
"""Encoding -> names whose bytes tell it."""


@pytest.mark.parametrize("language", ["en", "de", "es", "zh-CN"])
@pytest.mark.parametrize("encoding", TOLD_BY_BYTES)
def test_bytes_tell_the_encoding_of_names(encoding: str, language: str, tmp_path: Path) -> None:
    names = TOLD_BY_BYTES[encoding]
    zipped = made_zip(tmp_path / "z.zip", *(name.encode(encoding) for name in names))
    assert names_in(zipped, language) == names


@pytest.mark.parametrize("name", ["玫瑰花.jpg", "照片.jpg", "蒲公英.jpg", "雏菊 (2).jpg"])
@pytest.mark.parametrize("language", ["en", "zh-CN", "zh_CN"])
def test_single_chinese_name(name: str, language: str, tmp_path: Path) -> None:
    assert names_in(made_zip(tmp_path / "z.zip", name.encode("gbk")), language) == [name]


@pytest.mark.parametrize("name", ["café.jpg", "Löwenzahn.jpg", "Gänseblümchen.jpg"])
def test_single_western_name(name: str) -> None:
    for language in ("en", "de", "zh-CN"):
        assert decode_names([name.encode("cp437")], language) == [name]


def test_tie_goes_to_the_visitors_language() -> None:
    name = "장미".encode("cp949")
    assert decode_names([name], "ko") == ["장미"]
    assert decode_names([name], "zh-CN") == ["厘固"]
    assert decode_names(["写真".encode("cp932")], "ja") == ["写真"]


def test_utf_8_without_the_flag_beside_another_encoding(tmp_path: Path) -> None:
    """As in a zip to which a second computer added photos."""
    zipped = made_zip(tmp_path / "z.zip", "玫瑰花.jpg".encode(), "照片.jpg".encode("gbk"), b"plain.jpg")
    assert names_in(zipped, "zh-CN") == ["玫瑰花.jpg", "照片.jpg", "plain.jpg"]


def test_flag_that_lies(random_model: Path, tmp_path: Path) -> None:
    zipped = made_zip(tmp_path / "z.zip", *(name.encode("gbk") for name in CHINESE), flags=UTF_8)
    assert names_in(zipped) == CHINESE
    rows = list(
        batch.classify_each(FlowerClassifier.from_pretrained(random_model), batch.collect([("z.zip", zipped)], 10))
    )
    assert all(row.prediction for row in rows)


@pytest.mark.parametrize(("belongs", "expected"), [(True, "玫瑰.jpg"), (False, "x_.jpg")])
def test_unicode_path_of_info_zip(belongs: bool, expected: str, tmp_path: Path) -> None:
    raw = b"x_.jpg"
    field = struct.pack("<BL", 1, zlib.crc32(raw) ^ (not belongs)) + "玫瑰.jpg".encode()
    extra = struct.pack("<HH", 0x5455, 1) + b"\0" + struct.pack("<HH", UNICODE_PATH, len(field)) + field
    assert names_in(made_zip(tmp_path / "z.zip", raw, extra=extra)) == [expected]


def test_members_of_any_name_can_be_read(random_model: Path, tmp_path: Path) -> None:
    zipped = made_zip(
        tmp_path / "z.zip", *(name.encode("gbk") for name in CHINESE), "__MACOSX/._玫瑰.jpg".encode("gbk")
    )
    photos = batch.collect([("z.zip", zipped)], 10, "zh-CN")
    rows = list(batch.classify_each(FlowerClassifier.from_pretrained(random_model), photos))
    assert [row.name for row in rows] == [f"z.zip/{name}" for name in CHINESE]
    assert all(row.prediction for row in rows)


def many_entries(file: Path, count: int, zip64: bool) -> Path:
    """Write a zip of empty members, 46 bytes and a name each; a 64-bit one says so in a second record."""
    entry = b"PK\1\2" + bytes(24) + struct.pack("<H", 7) + bytes(16)
    directory = b"".join(entry + b"%07d" % number for number in range(count))
    end = b""
    size, number = len(directory), count
    if zip64:
        end = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, 0)
        end += struct.pack("<4sIQI", b"PK\6\7", 0, len(directory), 1)
        size, number = 0xFFFFFFFF, 0xFFFF
    end += struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, number & 0xFFFF, number & 0xFFFF, size, 0, 0)
    file.write_bytes(directory + end)
    return file


@pytest.mark.parametrize("zip64", [False, True])
def test_hundreds_of_thousands_of_entries_are_refused_before_they_are_listed(zip64: bool, tmp_path: Path) -> None:
    zipped = many_entries(tmp_path / "many.zip", 900_000, zip64)
    assert zipped.stat().st_size > 47_000_000
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(TooManyPhotos, match="more than 500"):
        batch.collect([("many.zip", zipped)], limit=500)
    seconds = time.perf_counter() - start
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 0.5
    assert peak < 5_000_000


def test_limit_holds_for_many_zips_together(tmp_path: Path) -> None:
    """Each of which would be accepted alone."""
    zipped = many_entries(tmp_path / "many.zip", 15_000, zip64=False)
    with ZipFile(tmp_path / "hidden.zip", "w") as archive:
        for number in range(15_000):
            archive.writestr(f".{number:05}", b"")
    with pytest.raises(TooManyPhotos):
        batch.collect([("many.zip", zipped)], limit=500)
    assert len(batch.collect([("hidden.zip", tmp_path / "hidden.zip")], limit=500)) == 1
    with pytest.raises(TooManyPhotos):
        batch.collect([(f"{number}.zip", tmp_path / "hidden.zip") for number in range(2)], limit=500)


def test_zip_of_as_many_photos_as_are_accepted(tmp_path: Path) -> None:
    """As macOS makes it: in folders, each photo with a hidden companion, and long names."""
    with ZipFile(tmp_path / "z.zip", "w") as archive:
        for number in range(500):
            archive.writestr(f"photos/{'flower ' * 20}{number}.jpg", b"")
            archive.writestr(f"__MACOSX/photos/._{'flower ' * 20}{number}.jpg", b"")
    assert len(batch.collect([("z.zip", tmp_path / "z.zip")], limit=500)) == 500
    with PhotoZip(tmp_path / "z.zip") as opened:
        assert len(opened.named_members()) == 1000
