"""The dataset is found or downloaded completely, split in the same way everywhere, and decoded once."""

from __future__ import annotations

import hashlib
import http.server
import io
import logging
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from flower_alexnet import LABELS, dataset
from flower_alexnet.dataset import InvalidDataset, LabeledPhoto
from tests.support import PROJECT
from tests.support.photos import drawn_flower
from train import data, decoded, flower_photos
from train.decoded import DecodedPhotos
from train.flower_photos import FINGERPRINTS


def test_split_of_the_real_photos_is_the_documented_one(real_photos: Path) -> None:
    splits = dataset.split(real_photos)
    assert {name: len(photos) for name, photos in splits.items()} == {"train": 2936, "validation": 367, "test": 367}
    assert (
        len({photo.path for photos in splits.values() for photo in photos})
        == 3670
        == len(dataset.all_photos(real_photos))
    )
    per_class = [sum(photo.target == label for photo in splits["test"]) for label in range(5)]
    assert per_class == [63, 90, 64, 70, 80]
    names = {
        name: "\n".join(sorted(f"{LABELS[photo.target]}/{photo.path.name}" for photo in photos))
        for name, photos in splits.items()
    }
    assert {name: hashlib.sha256(text.encode()).hexdigest() for name, text in names.items()} == {
        "train": "9ba4493c057eabba9785598b48e0a2cd2424542b2214507a04b47ecbe6b203b1",
        "validation": "6ec372e65137378b97ac637f69d40034fbbbd2915140f81c531a7639112f23f4",
        "test": "bc6b75da6733e0998ecf9719570e74bcfe889babfe3fe35a4ca9cea5e9503c44",
    }


def test_split_depends_on_the_names_alone(flowers: Path, tmp_path: Path) -> None:
    shutil.copytree(flowers, tmp_path / "copy")
    for name, photos in dataset.split(flowers).items():
        assert [photo.path.relative_to(flowers) for photo in photos] == [
            photo.path.relative_to(tmp_path / "copy") for photo in dataset.split(tmp_path / "copy")[name]
        ]
    assert [len(photos) for photos in dataset.split(flowers).values()] == [80, 10, 10]


def rename(old: str, new: str) -> Callable[[Path], object]:
    return lambda folder: (folder / old).rename(folder / new)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "orchids").mkdir(), "no photo in orchids"),
        (lambda folder: (folder / "rose").mkdir(), "holds roses more than once: rose, roses. Keep one"),
        (lambda folder: [file.unlink() for file in (folder / "tulips").iterdir()], "no photo in tulips"),
        (lambda folder: shutil.rmtree(folder), "There is no folder"),
    ],
)
def test_wrong_folders_are_named(flowers: Path, tmp_path: Path, change: Callable[[Path], object], message: str) -> None:
    folder = tmp_path / "data"
    shutil.copytree(flowers, folder)
    change(folder)
    with pytest.raises(InvalidDataset, match=message):
        dataset.all_photos(folder)


def test_folders_may_be_named_by_one_flower(flowers: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(flowers, folder)
    (folder / "roses").rename(folder / "Rose")
    (folder / "README.txt").write_text("about these photos")
    (folder / ".hidden").mkdir()
    assert len(dataset.all_photos(folder)) == 100


def test_decoded_once_and_the_same_in_a_worker(
    flowers: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    photos = [*dataset.split(flowers)["validation"], LabeledPhoto(tmp_path / "bad.jpg", 3)]
    with caplog.at_level(logging.WARNING):
        photos_decoded = DecodedPhotos(photos, 64, cache=tmp_path)
    assert "bad.jpg is not a picture" in caplog.text
    assert len(photos_decoded) == 10
    pixels, label = photos_decoded[9]
    assert (pixels.dtype, pixels.shape, label) == (torch.uint8, (3, 64, 85), 4)
    assert torch.equal(pickle.loads(pickle.dumps(photos_decoded))[9][0], pixels)

    monkeypatch.setattr(decoded, "_decode", lambda *_: pytest.fail("decoded again"))
    assert torch.equal(DecodedPhotos(photos, 64, cache=tmp_path)[9][0], pixels)


class Archive:
    """A server of one archive that can cut the connection and records the requested ranges."""

    def __init__(self) -> None:
        self.content = b""
        self.cut_after: int | None = None
        self.ranges: list[str | None] = []
        archive = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = self.headers.get("Range")
                archive.ranges.append(asked)
                start = int((asked or "bytes=0-").removeprefix("bytes=").rstrip("-"))
                if start >= len(archive.content):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Length", str(len(archive.content) - start))
                self.end_headers()
                stop, archive.cut_after = archive.cut_after, None
                self.wfile.write(archive.content[start:stop])

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/flower_photos.tgz"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def pack(self, names: list[str]) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for number, name in enumerate(names):
                photo = io.BytesIO()
                drawn_flower(LABELS[number % 5], number).save(photo, "JPEG")
                member = tarfile.TarInfo(name)
                member.size = photo.tell()
                photo.seek(0)
                tar.addfile(member, photo)
        self.content = buffer.getvalue()


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    monkeypatch.delenv("FLOWER_PHOTOS", raising=False)
    archive = Archive()
    archive.pack([f"flower_photos/{label}/{number}.jpg" for number in range(5) for label in LABELS])
    yield archive
    archive.server.shutdown()
    archive.server.server_close()


def test_download_is_resumed_and_kept(archive: Archive, tmp_path: Path) -> None:
    archive.cut_after = 10_000
    with pytest.raises(InvalidDataset, match="go on where it stopped"):
        flower_photos.find_or_download(archive.url, tmp_path)
    assert not (tmp_path / "flower_photos").exists()
    folder = flower_photos.find_or_download(archive.url, tmp_path)
    assert archive.ranges == ["bytes=0-", "bytes=10000-"]
    assert len(dataset.all_photos(folder)) == 25
    assert flower_photos.find_or_download(archive.url, tmp_path) == folder
    assert len(archive.ranges) == 2
    assert [path.name for path in tmp_path.glob("[!.]*")] == ["flower_photos"]


@pytest.mark.parametrize("member", ["../escaped.jpg", "flower_photos/../../escaped.jpg"])
def test_archive_that_reaches_outside_is_refused(archive: Archive, tmp_path: Path, member: str) -> None:
    cache = tmp_path / "deep" / "cache"
    archive.pack([f"flower_photos/{label}/1.jpg" for label in LABELS] + [member])
    with pytest.raises(InvalidDataset, match="not unpacked"):
        flower_photos.find_or_download(archive.url, cache)
    assert [path.name for path in tmp_path.rglob("[!.]*")] == ["deep", "cache"]


def test_archive_of_something_else_is_refused(archive: Archive, tmp_path: Path) -> None:
    archive.content = b"<html>not found</html>" * 100
    with pytest.raises(InvalidDataset, match="not unpacked"):
        flower_photos.find_or_download(archive.url, tmp_path)


def test_what_a_killed_download_left_is_used_or_deleted(archive: Archive, tmp_path: Path) -> None:
    """Killed while it unpacked: the archive is complete, the photos are not. Killed after that: both are there."""
    (tmp_path / "flower_photos.part" / "flower_photos" / "daisy").mkdir(parents=True)
    (tmp_path / "flower_photos.tgz").write_bytes(archive.content)
    folder = flower_photos.find_or_download(archive.url, tmp_path)
    assert archive.ranges == []
    assert len(dataset.all_photos(folder)) == 25
    (tmp_path / "flower_photos.tgz").write_bytes(archive.content)
    assert flower_photos.find_or_download(archive.url, tmp_path) == folder
    assert archive.ranges == []
    assert [path.name for path in tmp_path.glob("[!.]*")] == ["flower_photos"]


def test_archive_of_other_photos_is_not_kept(archive: Archive, tmp_path: Path) -> None:
    archive.pack(["flower_photos/notes.txt"])
    with pytest.raises(InvalidDataset, match=r"is deleted: .* holds no class folders"):
        flower_photos.find_or_download(archive.url, tmp_path)
    assert list(tmp_path.glob("[!.]*")) == []


DOWNLOAD = (
    "import sys, pathlib; from train import flower_photos; "
    "flower_photos.find_or_download(sys.argv[1], pathlib.Path(sys.argv[2]))"
)


def test_two_processes_download_once(archive: Archive, tmp_path: Path) -> None:
    command = [sys.executable, "-c", DOWNLOAD, archive.url, str(tmp_path)]
    processes = [subprocess.Popen(command, cwd=PROJECT) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert archive.ranges == ["bytes=0-"]


def cached(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("[!.]*"))


def names_of(file: Path) -> list[str]:
    """Return the names of both files of decoded photos."""
    return [file.with_suffix(".pixels").name, file.name]


def test_what_a_killed_process_left_of_decoded_photos_is_deleted(flowers: Path, tmp_path: Path) -> None:
    for name in ("decoded-0123456789abcdef.4711", "decoded-0123456789abcdef.part", "decoded-0123456789abcdef.pixels"):
        (tmp_path / name).write_bytes(b"half")
    photos_decoded = DecodedPhotos(dataset.split(flowers)["validation"], 64, cache=tmp_path)
    assert cached(tmp_path) == [photos_decoded.file.with_suffix(".pixels").name, photos_decoded.file.name]


def test_decoded_photos_are_deleted_beyond_the_limit(
    flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those used least lately go first, and none that is used, here or by another process."""
    photos = dataset.split(flowers)["validation"]

    def decode(side: int) -> Path:
        return DecodedPhotos(photos, side, cache=tmp_path).file

    def age(file: Path, hours: int) -> None:
        os.utime(file, (time.time() - 3600 * hours,) * 2)

    files = {side: decode(side) for side in (64, 66, 68)}
    for hours, side in enumerate((64, 66, 68), start=1):
        age(files[side], 9 - hours)
    assert DecodedPhotos(photos, 64, cache=tmp_path).file == files[64]  # now the one used last
    monkeypatch.setattr(decoded, "CACHE_LIMIT", int(2.5 * files[64].with_suffix(".pixels").stat().st_size))
    files[70] = decode(70)
    assert cached(tmp_path) == sorted(name for side in (64, 70) for name in names_of(files[side]))

    used = DecodedPhotos(photos, 70, cache=tmp_path)
    age(used.file, 9)
    code = (
        "import sys; from pathlib import Path; from train.decoded import DecodedPhotos\n"
        "class Opened(DecodedPhotos):\n"
        "    def __init__(self, file): self.file = file; assert self._open()\n"
        "opened = Opened(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(files[64])],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        age(files[64], 9)
        monkeypatch.setattr(decoded, "CACHE_LIMIT", 1)
        files[72] = decode(72)
        assert cached(tmp_path) == sorted(name for side in (64, 70, 72) for name in names_of(files[side]))
    finally:
        other.communicate()
    assert int(used[0][1]) == 0
    del used
    files[74] = decode(74)
    assert cached(tmp_path) == sorted(names_of(files[74]))


def test_two_processes_decode_once(flowers: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from flower_alexnet.dataset import split; from train import decoded\n"
        "decode = decoded._decode\n"
        "decoded._decode = lambda *arguments: (decode(*arguments), print('decoded'))\n"
        "print(len(decoded.DecodedPhotos(split(Path(sys.argv[1]))['validation'], 64, Path(sys.argv[2]))))"
    )
    command = [sys.executable, "-c", code, str(flowers), str(tmp_path)]
    processes = [subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sorted(process.communicate()[0] for process in processes) == ["10\n", "decoded\n10\n"]


def test_fingerprint_is_of_names_and_sizes_wherever_the_photos_lie(flowers: Path, tmp_path: Path) -> None:
    def fingerprint(folder: Path) -> str:
        return data.fingerprint(dataset.split(folder), dataset.find_classes(folder))

    copy = Path(shutil.copytree(flowers, tmp_path / "copy"))
    (copy / "roses").rename(copy / "Rose")
    assert fingerprint(copy) == fingerprint(flowers)
    for part, differs in (("train", True), ("validation", True), ("test", False)):
        file = dataset.split(copy)[part][0].path
        content = file.read_bytes()
        file.write_bytes(content + b"more")
        assert (fingerprint(copy) != fingerprint(flowers)) is differs
        file.write_bytes(content)
    photo = dataset.split(copy)["train"][0].path
    photo.rename(photo.with_name("another.jpg"))
    assert fingerprint(copy) != fingerprint(flowers)


def test_fingerprint_of_the_real_photos_is_the_one_that_the_code_knows(real_photos: Path) -> None:
    described = data.describe(real_photos, LABELS, dataset.split(real_photos))
    assert described["photos"] == FINGERPRINTS[0]
    assert (described["name"], described["split_by"]) == ("flower_photos", "names")


def test_own_photos_of_the_same_flowers_are_called_by_their_folder(flowers: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(flowers, tmp_path / "garden"))
    described = data.describe(folder, LABELS, dataset.split(folder))
    assert (described["name"], described["split_by"]) == ("garden", "names")


def test_folder_from_the_environment(flowers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWER_PHOTOS", str(flowers))
    assert flower_photos.find_or_download() == flowers
