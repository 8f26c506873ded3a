"""The dataset is found or downloaded completely, split in the same way everywhere, and decoded once."""

from __future__ import annotations

import http.server
import io
import logging
import pickle
import shutil
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from flower_alexnet import LABELS, dataset
from flower_alexnet.dataset import InvalidDataset, Photo
from tests.support.photos import drawn_flower
from train import data
from train.data import DecodedPhotos


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
    photos = [*dataset.split(flowers)["validation"], Photo(tmp_path / "bad.jpg", 3)]
    with caplog.at_level(logging.WARNING):
        decoded = DecodedPhotos(photos, 64, cache=tmp_path)
    assert "bad.jpg is not a picture" in caplog.text
    assert len(decoded) == 10
    pixels, label = decoded[9]
    assert (pixels.dtype, pixels.shape, label) == (torch.uint8, (3, 64, 85), 4)
    assert torch.equal(pickle.loads(pickle.dumps(decoded))[9][0], pixels)

    monkeypatch.setattr(data, "_decode", lambda *_: pytest.fail("decoded again"))
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
    it = Archive()
    it.pack([f"flower_photos/{label}/{number}.jpg" for number in range(5) for label in LABELS])
    yield it
    it.server.shutdown()
    it.server.server_close()


def test_download_is_resumed_and_kept(archive: Archive, tmp_path: Path) -> None:
    archive.cut_after = 10_000
    with pytest.raises(InvalidDataset, match="go on where it stopped"):
        data.find_or_download(archive.url, tmp_path)
    assert not (tmp_path / "flower_photos").exists()
    folder = data.find_or_download(archive.url, tmp_path)
    assert archive.ranges == ["bytes=0-", "bytes=10000-"]
    assert len(dataset.all_photos(folder)) == 25
    assert data.find_or_download(archive.url, tmp_path) == folder
    assert len(archive.ranges) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["flower_photos"]


@pytest.mark.parametrize("member", ["../escaped.jpg", "flower_photos/../../escaped.jpg"])
def test_archive_that_reaches_outside_is_refused(archive: Archive, tmp_path: Path, member: str) -> None:
    cache = tmp_path / "deep" / "cache"
    archive.pack([f"flower_photos/{label}/1.jpg" for label in LABELS] + [member])
    with pytest.raises(InvalidDataset, match="not unpacked"):
        data.find_or_download(archive.url, cache)
    assert list(cache.iterdir()) == []
    assert [path.name for path in tmp_path.rglob("*")] == ["deep", "cache"]


def test_archive_of_something_else_is_refused(archive: Archive, tmp_path: Path) -> None:
    archive.content = b"<html>not found</html>" * 100
    with pytest.raises(InvalidDataset, match="not unpacked"):
        data.find_or_download(archive.url, tmp_path)


def test_folder_from_the_environment(flowers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWER_PHOTOS", str(flowers))
    assert data.find_or_download() == flowers
