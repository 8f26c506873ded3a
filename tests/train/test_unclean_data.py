"""Folders as they come from cameras and other systems: what is in them is used, or refused before a run."""

from __future__ import annotations

import json
import os
import shutil
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from flower_alexnet import dataset
from flower_alexnet.dataset import InvalidDataset
from flower_alexnet.files import walk
from flower_alexnet.model_folder import read_config
from tests.support.photos import SHAPES, drawn_dataset
from tests.train.test_own_classes import refused, run, train
from train import cache as caches
from train import data, others


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    return drawn_dataset(tmp_path / "shapes", 20)


@pytest.fixture
def photos_cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def names_of(folder: Path) -> dict[str, list[str]]:
    return {part: [photo.path.name for photo in photos] for part, photos in dataset.split(folder).items()}


@pytest.mark.parametrize(
    "hidden", [".thumbnails", ".ipynb_checkpoints", ".Trash-1000", "@eaDir", "__MACOSX", "a/.hidden/b"]
)
def test_hidden_folders_hold_no_photos(shapes: Path, hidden: str) -> None:
    before = names_of(shapes)
    (shapes / "circles" / hidden).mkdir(parents=True)
    for file in list((shapes / "circles").glob("*.png"))[:5]:
        shutil.copy(file, shapes / "circles" / hidden / f"copy-of-{file.name}")
    assert names_of(shapes) == before
    assert len(dataset.all_photos(shapes)) == 60
    assert len(others.subfolders(shapes)["circles"]) == 20


def test_linked_folders_are_followed_once(shapes: Path, tmp_path: Path) -> None:
    elsewhere = drawn_dataset(tmp_path / "elsewhere", 3)
    (shapes / "circles" / "more").symlink_to(elsewhere / "circles")
    (shapes / "circles" / "loop").symlink_to(shapes / "circles")
    (elsewhere / "circles" / "back").symlink_to(shapes)
    photos = [photo.path for photo in dataset.all_photos(shapes) if photo.target == 0]
    assert len(photos) >= 23
    assert len({photo.resolve() for photo in photos}) == len(photos)


def test_walk_passes_over_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "photo.png").touch()
    assert walk(tmp_path).files == [str(tmp_path / "photo.png")]


def test_folder_that_may_not_be_read_is_named(shapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests may run as root, who may read everything."""
    secret = shapes / "circles" / "secret"
    secret.mkdir()
    scandir = os.scandir

    def refusing(path: object) -> object:
        if str(path) == str(secret):
            raise PermissionError(13, "Permission denied", str(secret))
        return scandir(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", refusing)
    assert walk(shapes).unreadable == [str(secret)]
    with pytest.raises(InvalidDataset, match="secret may not be read"):
        dataset.split(shapes)
    with pytest.raises(InvalidDataset, match="secret may not be read"):
        others.subfolders(shapes)


def test_names_are_the_same_on_every_machine(tmp_path: Path) -> None:
    """macOS stores "ä" as two characters where others store one."""
    folders = {}
    for form in ("NFC", "NFD"):
        folder = tmp_path / form
        for label in ("Gänseblümchen", "Löwenzahn"):
            named = folder / unicodedata.normalize(form, label)
            named.mkdir(parents=True)
            for number in range(20):
                Image.new("RGB", (8, 8), (number, 0, 0)).save(named / unicodedata.normalize(form, f"blüte{number}.png"))
        folders[form] = folder
    labels = [dataset.find_classes(folder) for folder in folders.values()]
    assert labels[0] == labels[1] == ("Gänseblümchen", "Löwenzahn")
    splits = [
        {part: [unicodedata.normalize("NFC", name) for name in names] for part, names in names_of(folder).items()}
        for folder in folders.values()
    ]
    assert {part: sorted(names) for part, names in splits[0].items()} == {
        part: sorted(names) for part, names in splits[1].items()
    }
    prints = [data.fingerprint(dataset.split(folder), labels[0]) for folder in folders.values()]
    assert prints[0] == prints[1]


def test_names_that_are_no_unicode(shapes: Path, photos_cache: Path, tmp_path: Path) -> None:
    """A photo's name may be any bytes; a class's becomes a label, and the folder's stands in the card."""
    for folder in (shapes / label for label in SHAPES):
        for number, file in enumerate(sorted(folder.iterdir())):
            file.rename(file.with_name(os.fsdecode(b"caf\xe9%d.png" % number)))
    odd = os.fsdecode(b"ros\xe9")
    shapes.rename(shapes.with_name(odd))
    shapes = shapes.with_name(odd)
    result = train(photos_cache, shapes, tmp_path / "run")
    assert result.returncode == 0, result.stderr
    assert "ros\\xe9" in (tmp_path / "run" / "README.md").read_text()
    measured = run(photos_cache, "train.evaluate", "--model", tmp_path / "run", "--data", shapes, "--json")
    assert json.loads(measured.stdout)["photos"] == 6, measured.stderr
    assert "is no UTF-8" in refused(train(photos_cache, shapes, tmp_path / odd))
    (shapes / SHAPES[0]).rename(shapes / odd)
    assert "ros\\xe9: its name, which becomes a label, is no UTF-8. Rename it." in refused(
        train(photos_cache, shapes, tmp_path / "other")
    )


def test_copies_in_two_parts_are_told(shapes: Path, photos_cache: Path, tmp_path: Path) -> None:
    parts = dataset.split(shapes)
    shutil.copy(parts["train"][0].path, parts["test"][0].path)
    one, other = sorted(str(parts[name][0].path) for name in ("train", "test"))
    result = train(photos_cache, shapes, tmp_path / "run")
    assert result.returncode == 0, result.stderr
    assert f"1 photo is in two parts of the split, such as {one} and {other}" in result.stderr


def test_fingerprint_is_of_bytes_that_are_read_once(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caches, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(data, "content_hashes", lambda files: caches.content_hashes(files, tmp_path / "cache"))

    def fingerprint() -> str:
        return data.fingerprint(dataset.split(shapes), SHAPES)

    first = fingerprint()
    with monkeypatch.context() as patch:
        patch.setattr(caches.hashlib, "file_digest", None)
        assert fingerprint() == first  # nothing is read again
    file = dataset.split(shapes)["train"][0].path
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))  # of the same size
    assert fingerprint() != first
    (tmp_path / "cache" / caches.HASHES).write_bytes(b"damaged")
    file.write_bytes(content)
    assert fingerprint() == first


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--crop-pct", "0.21"], "resize"),
        (["--size", "900", "--resize", "1000"], "resize"),
    ],
)
def test_model_that_could_not_be_loaded_is_not_trained(
    shapes: Path, photos_cache: Path, tmp_path: Path, options: list[str], words: str
) -> None:
    output = tmp_path / "run"
    arguments = ("alexnet-baseline", "--data", shapes, "--output", output, *options)
    message = refused(run(photos_cache, "train", *arguments))
    assert message.startswith("The recipe cannot be run:")
    assert words in message
    assert not output.exists()


def test_too_many_classes_are_refused_before_the_run(photos_cache: Path, tmp_path: Path) -> None:
    for number in range(1001):
        folder = tmp_path / "many" / f"{number:04}"
        folder.mkdir(parents=True)
        for photo in range(3):
            (folder / f"{photo}.png").touch()
    message = refused(train(photos_cache, tmp_path / "many", tmp_path / "run"))
    assert "has 1001 classes; a model has at most 1000" in message


def test_unreadable_photos_of_other_things(shapes: Path, photos_cache: Path, tmp_path: Path) -> None:
    """If none can be read, it is told before the run; else each is logged."""
    stripes = shapes / "stripes"
    given = tmp_path / "others"
    for part, count in (("train", 6), ("validation", 3)):
        (given / part / "stripes").mkdir(parents=True)
        for file in sorted(stripes.iterdir())[:count]:
            file.rename(given / part / "stripes" / file.name)
    shutil.rmtree(stripes)
    damaged = sorted((given / "validation" / "stripes").iterdir())
    options = ("--others", given, "--outliers", "4")
    damaged[0].write_bytes(b"no picture")
    result = train(photos_cache, shapes, tmp_path / "one", *options)
    assert result.returncode == 0, result.stderr
    assert f"left out {damaged[0]}" in result.stderr
    assert read_config(tmp_path / "one").threshold is not None
    for file in damaged:
        file.write_bytes(b"no picture")
    message = refused(train(photos_cache, shapes, tmp_path / "none", *options))
    assert "No other validation photo can be read" in message
    assert not (tmp_path / "none" / "checkpoint.safetensors").exists()
