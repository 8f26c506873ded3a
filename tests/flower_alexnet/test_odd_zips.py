"""Zips of programs that write them in their own way are read, and what cannot be read is a row that says why."""

from __future__ import annotations

import bz2
import lzma
import resource
import struct
import zlib
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, ZipFile, ZipInfo

import pytest

from flower_alexnet import FlowerClassifier, batch, images
from flower_alexnet.images import UnreadableImage
from flower_alexnet.zips import UTF_8
from tests.support.photos import drawn_flower, encoded

PHOTO = encoded(drawn_flower("roses"), "PNG")


def odd_zip(
    file: Path, central: bytes, local: bytes, flags: tuple[int, int] = (0, 0), method: int = 0, packed: bytes = PHOTO
) -> Path:
    """Write a zip of one photo, whose directory and whose header may call it by other names with other flags."""

    def header(name: bytes, flag: int) -> bytes:
        sizes = zlib.crc32(PHOTO), len(packed), len(PHOTO)
        return struct.pack("<HHHHHIIIHH", 20, flag, method, 0, 33, *sizes, len(name), 0)

    body = b"PK\3\4" + header(local, flags[1]) + local + packed
    directory = b"PK\1\2\x14\0" + header(central, flags[0]) + struct.pack("<HHHII", 0, 0, 0, 0, 0) + central
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(directory), len(body), 0)
    file.write_bytes(body + directory + end)
    return file


def rows_of(classifier: FlowerClassifier, *zips: Path) -> list[batch.Row]:
    return list(batch.classify_each(classifier, batch.collect([(file.name, file) for file in zips], 1000)))


@pytest.fixture
def classifier(random_model: Path) -> FlowerClassifier:
    return FlowerClassifier.from_pretrained(random_model)


@pytest.mark.parametrize(
    ("central", "local", "flags"),
    [
        (b"photos\\rose.png", b"photos\\rose.png", (0, 0)),
        (b"photos\\rose.png", b"photos/rose.png", (0, 0)),
        (b"photos/rose.png", b"photos\\rose.png", (0, 0)),
        (b"photos/rose.png", b"other.png", (0, 0)),
        (b"photos/rose.png", b"ros\xe9.png", (0, UTF_8)),
        (b"photos/rose.png", b"ros\xc3\xa9.png", (UTF_8, 0)),
    ],
)
def test_the_directorys_name_decides(
    central: bytes, local: bytes, flags: tuple[int, int], classifier: FlowerClassifier, tmp_path: Path
) -> None:
    """IZArc and old .NET write backslashes into one of the two names, or into both."""
    (row,) = rows_of(classifier, odd_zip(tmp_path / "z.zip", central, local, flags))
    assert row.name == "z.zip/photos/rose.png"
    assert row.prediction is not None, row.problem


def test_folders_and_companions_with_backslashes_are_no_photos(classifier: FlowerClassifier, tmp_path: Path) -> None:
    for name in (b"photos\\", b"__MACOSX\\._rose.png", b"@eaDir\\rose.png", b".trash\\rose.png"):
        (row,) = rows_of(classifier, odd_zip(tmp_path / "z.zip", name, name))
        assert "no file in z.zip" in (row.problem or ""), name


@pytest.mark.parametrize("method", [ZIP_STORED, ZIP_DEFLATED, ZIP_BZIP2, ZIP_LZMA])
def test_every_usual_method_is_read(method: int, classifier: FlowerClassifier, tmp_path: Path) -> None:
    with ZipFile(tmp_path / "z.zip", "w", method) as archive:
        archive.writestr("rose.png", PHOTO)
        with archive.open("streamed.png", "w") as file:
            file.write(PHOTO)
    rows = rows_of(classifier, tmp_path / "z.zip")
    assert [row.problem for row in rows] == [None, None]


@pytest.mark.parametrize(("method", "name"), [(9, "Deflate64"), (93, "Zstandard"), (98, "PPMd"), (77, "method 77")])
def test_method_that_is_not_read_is_named(method: int, name: str, classifier: FlowerClassifier, tmp_path: Path) -> None:
    (row,) = rows_of(classifier, odd_zip(tmp_path / "z.zip", b"a.png", b"a.png", method=method))
    assert f"compressed by {name}, which is not read. Make the zip again" in (row.problem or "")
    assert "password" not in (row.problem or "")
    (row,) = rows_of(classifier, odd_zip(tmp_path / "z.zip", b"a.png", b"a.png", (1, 1), method))
    assert "locked with a password" in (row.problem or "")


def damaged_members() -> dict[str, tuple[int, bytes]]:
    packed = {8: zlib.compress(PHOTO)[2:-4], 12: bz2.compress(PHOTO)}
    properties = b"\x09\x04\x05\0" + struct.pack("<BI", 93, 2**20)
    packed[14] = properties + lzma.compress(
        PHOTO, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA1, "dict_size": 2**20}]
    )
    found = {}
    for method, whole in packed.items():
        found[f"{method}, cut"] = method, whole[: len(whole) // 2]
        found[f"{method}, changed"] = method, whole[:40] + bytes(90) + whole[130:]
        found[f"{method}, empty"] = method, b""
    found["14, dictionary of 4 GB"] = 14, b"\x09\x04\x05\0" + struct.pack("<BI", 93, 2**32 - 1) + packed[14][9:]
    found["14, wrong properties"] = 14, b"\x09\x04\x05\0\xff" + packed[14][5:]
    found["0, cut"] = 0, PHOTO[:50]
    return found


@pytest.mark.parametrize("kind", damaged_members())
def test_damaged_member_costs_only_its_own_row(kind: str, classifier: FlowerClassifier, tmp_path: Path) -> None:
    method, packed = damaged_members()[kind]
    damaged = odd_zip(tmp_path / "damaged.zip", b"a.png", b"a.png", method=method, packed=packed)
    good = odd_zip(tmp_path / "good.zip", b"a.png", b"a.png")
    bad, row = rows_of(classifier, damaged, good)
    assert "damaged.zip/a.png is damaged in the zip" in (bad.problem or "")
    assert row.prediction is not None


def test_few_files_are_open_at_a_time(classifier: FlowerClassifier, tmp_path: Path) -> None:
    zips = [odd_zip(tmp_path / f"{number}.zip", b"a.png", b"a.png") for number in range(120)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/proc/self/fd").iterdir())) + 40, hard))
    try:
        rows = rows_of(classifier, *zips)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [row.problem for row in rows if row.problem] == []


def test_contents_of_a_file_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_FILE", 1000)
    (tmp_path / "large.png").write_bytes(bytes(1001))
    with pytest.raises(UnreadableImage, match=r"large\.png is larger than"):
        batch.PhotoFile("large.png", tmp_path / "large.png").content()
    with pytest.raises(UnreadableImage, match="damaged in the zip"):
        lying = ZipInfo("a.png")
        lying.header_offset, lying.file_size, lying.compress_size = 0, 10, 10
        batch.PhotoFile("z.zip/a.png", tmp_path / "large.png", lying).content()


def test_zip_that_is_not_there(tmp_path: Path) -> None:
    (photo,) = batch.find_photos([str(tmp_path / "nope.zip")]).found
    with pytest.raises(UnreadableImage, match=r"There is no file .*nope\.zip"):
        photo.load(64)
