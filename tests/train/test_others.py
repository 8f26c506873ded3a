"""Photos of other things: those that were handed out are made again from the public datasets, or a folder is split."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, JpegImagePlugin
from scipy.io import savemat

from flower_alexnet.dataset import InvalidDataset, LabeledPhoto
from tests.conftest import REAL_PHOTOS
from train import others

OTHER_PHOTOS = REAL_PHOTOS.parent / "other_photos"
ELSEWHERE = REAL_PHOTOS.parent / "elsewhere"


def photos(folder: Path, names: list[str], size: tuple[int, int] = (40, 30)) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", size).save(folder / name)


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder that looks to torchvision as if it had downloaded both datasets, with few photos."""
    root = tmp_path / "downloads"
    flowers = root / "flowers-102"
    labels = [number % 102 + 1 for number in range(12 * 102)]
    photos(flowers / "jpg", [f"image_{number:05d}.jpg" for number in range(1, len(labels) + 1)])
    Image.new("RGB", (600, 300), "red").save(flowers / "jpg" / "image_00001.jpg")  # a pink primrose
    savemat(flowers / "imagelabels.mat", {"labels": labels})
    ids = list(range(1, len(labels) + 1))
    savemat(flowers / "setid.mat", {"trnid": ids[::3], "valid": ids[1::3], "tstid": ids[2::3]})
    sums = {
        key: (name, hashlib.md5((flowers / name).read_bytes()).hexdigest() if (flowers / name).is_file() else checksum)
        for key, (name, checksum) in others.Flowers102._file_dict.items()
    }
    monkeypatch.setattr(others.Flowers102, "_file_dict", sums)
    categories = root / "caltech101" / "101_ObjectCategories"
    numbers = {"ant": 8, "emu": 8, "sunflower": 8, "Faces_easy": 8, others.BACKGROUND: 300}
    for category, count in numbers.items():
        photos(categories / category, [f"image_{number:04d}.jpg" for number in range(1, count + 1)])
    lines = others.SAMPLES.read_text(encoding="utf-8").splitlines()
    samples = [line for line in lines if not line.startswith(("#", "["))]
    archives = tmp_path / "archives"
    photos(archives / "imagenet-sample-images-master", [f"{name}.JPEG" for name in samples])
    photos(archives / "jpg", [f"image_{number:04d}.jpg" for number in range(1, 17 * 80 + 1)])
    shutil.make_archive(str(archives / "master"), "zip", archives, "imagenet-sample-images-master")
    Path(shutil.make_archive(str(archives / "17flowers"), "gztar", archives, "jpg")).rename(archives / "17flowers.tgz")
    handler = partial(SimpleHTTPRequestHandler, directory=archives)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        monkeypatch.setattr(others, "IMAGENET", f"http://127.0.0.1:{server.server_port}/master.zip")
        monkeypatch.setattr(others, "FLOWERS17", f"http://127.0.0.1:{server.server_port}/17flowers.tgz")
        yield root
        server.shutdown()


def test_folder_is_made_by_the_rule(downloads: Path, tmp_path: Path) -> None:
    others.make(tmp_path / "made", downloads)
    made = {part: others.subfolders(tmp_path / "made" / part) for part in ("train", "validation")}
    assert {part: {name: len(files) for name, files in groups.items()} for part, groups in made.items()} == {
        "train": {"flowers": 288 + 56, "things": 36 + 225},
        "validation": {"caltech101": 26, "flowers102": 96, "flowers17": 16, "imagenet": 50},
    }
    folders = {"train": "things", "validation": "caltech101"}
    things = {
        (part, name): [file.name for file in made[part][folders[part]] if file.parent.name == name]
        for part in made
        for name in ("ant", "emu", "sunflower", "Faces_easy", others.BACKGROUND)
    }
    counts = {key: len(files) for key, files in things.items() if files}
    background = others.BACKGROUND
    assert counts == {
        ("train", "ant"): 6,
        ("validation", "emu"): 6,
        ("train", background): 30,
        ("validation", background): 20,
    }
    names = sorted(
        (f"image_{n:04d}.jpg" for n in range(1, 9)), key=lambda name: hashlib.sha256(name.encode()).hexdigest()
    )
    assert sorted(things["train", "ant"]) == sorted(names[:6])
    assert not set(things["train", background]) & set(things["validation", background])
    primrose = tmp_path / "made" / "train" / "flowers" / "pink-primrose" / "image_00001.jpg"
    large = sorted((downloads / "flowers-102" / "jpg").glob("*.jpg"), key=lambda file: -file.stat().st_size)[0]
    shrunk = others._shrunk(large)
    assert shrunk.size == (384, 256)  # of 600x300: scaled, and the longer side cut
    assert not primrose.exists() or Image.open(primrose).size == shrunk.size
    for file in (tmp_path / "made").rglob("flowers*/*/*.jpg"):
        with Image.open(file) as image:
            assert JpegImagePlugin.get_sampling(image) == 0  # colors at full resolution
    emu = next((tmp_path / "made").rglob("emu/*.jpg"))
    original = downloads / "caltech101" / "101_ObjectCategories" / "emu" / emu.name
    assert emu.read_bytes() == original.read_bytes()


def test_smaller_set_is_of_two_datasets(downloads: Path, tmp_path: Path) -> None:
    others.make(tmp_path / "made", downloads, small=True)
    assert {path.name for path in (tmp_path / "made" / "validation").iterdir()} == {"caltech101", "flowers102"}
    assert len(list((tmp_path / "made" / "train" / "flowers").iterdir())) == 48


@pytest.mark.skipif(not ELSEWHERE.is_dir(), reason=f"{ELSEWHERE} is not there")
def test_kinds_from_elsewhere_are_those_that_the_shipped_models_saw(downloads: Path, tmp_path: Path) -> None:
    others.make(tmp_path / "made", downloads)
    for part, dataset, place in (
        ("train", "flowers17", "flowers"),
        ("validation", "flowers17", "flowers17"),
        ("train", "imagenet", "things"),
        ("validation", "imagenet", "imagenet"),
    ):
        handed_out = {file.stem for file in (ELSEWHERE / part / dataset).rglob("*.jpg")}
        made = {file.stem for file in (tmp_path / "made" / part / place).rglob("*.jpg")}
        assert len(handed_out) in (16, 50, 56, 225)
        assert handed_out <= made


@pytest.mark.skipif(not OTHER_PHOTOS.is_dir(), reason=f"{OTHER_PHOTOS} is not there")
def test_rule_gives_the_folder_that_the_shipped_models_saw() -> None:
    """Species, categories and numbers are those of the folder; its "lotus lotus" is torchvision's "lotus"."""
    for part, text in (("train", others.TRAINING_SPECIES), ("validation", others.VALIDATION_SPECIES)):
        folders = {folder.name for folder in (OTHER_PHOTOS / part / "flowers102").iterdir()}
        assert {name.replace("lotus-lotus", "lotus") for name in folders} == {
            name.replace(" ", "-") for name in others._names(text)
        }
    validation = {folder.name for folder in (OTHER_PHOTOS / "validation" / "caltech101").iterdir()}
    assert validation == others._names(others.VALIDATION_CATEGORIES) | {others.BACKGROUND}
    split = others.split(OTHER_PHOTOS)
    assert {part: {name: len(files) for name, files in groups.items()} for part, groups in split.items()} == {
        "train": {"caltech101": 504, "flowers102": 288},
        "validation": {"caltech101": 140, "flowers102": 96},
    }


def test_species_are_torchvisions_and_none_of_the_five() -> None:
    training, validation = others._names(others.TRAINING_SPECIES), others._names(others.VALIDATION_SPECIES)
    assert (len(training), len(validation)) == (48, 16)
    assert training | validation <= set(others.Flowers102.classes)
    assert not training & validation
    left_out = {"sunflower", "common dandelion", "oxeye daisy", "rose", "barbeton daisy", "osteospermum"}
    assert left_out <= set(others.Flowers102.classes)
    assert not left_out & (training | validation)


def test_failed_download_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTHER_PHOTOS", raising=False)

    def unreachable(*arguments: Any, **options: Any) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(others.Flowers102, "download", unreachable)
    with pytest.raises(InvalidDataset, match=r"no route to host.*--others FOLDER, or train with --no-others"):
        others.find_or_make(tmp_path)


def test_made_once_and_kept(downloads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTHER_PHOTOS", raising=False)
    cache = tmp_path / "cache"
    cache.mkdir()
    downloads.rename(cache / "other_photos.downloads")
    folder = others.find_or_make(cache)
    assert {path.name for path in cache.iterdir()} == {others.EDITION, ".others.lock"}
    monkeypatch.setattr(others, "make", None)
    assert others.find_or_make(cache) == folder
    monkeypatch.setenv("OTHER_PHOTOS", "/elsewhere")
    assert others.find_or_make(cache) == Path("/elsewhere")


def test_any_folder_is_split_by_names(tmp_path: Path) -> None:
    photos(tmp_path / "cars", [f"{number}.jpg" for number in range(15)])
    photos(tmp_path / "cats" / "small", [f"{number}.png" for number in range(100, 104)])
    photos(tmp_path, ["a.jpg"])
    (tmp_path / "cars" / "notes.txt").write_text("no photo")
    (tmp_path / ".hidden.jpg").write_text("no photo")
    split = others.split(tmp_path)
    files = {part: [file for group in groups.values() for file in group] for part, groups in split.items()}
    assert {part: len(found) for part, found in files.items()} == {"train": 16, "validation": 4}
    assert not set(files["train"]) & set(files["validation"])
    assert set(split["train"]) | set(split["validation"]) == {".", "cars", "cats"}
    assert others.split(tmp_path) == split
    assert others.describe(tmp_path, split) | {"photos": ""} == {
        "name": tmp_path.name,
        "path": tmp_path.name,
        "held_out": "photos",
        "photos": "",
        "train": 16,
        "validation": 4,
    }


def test_of_five_kinds_one_is_held_out_whole(tmp_path: Path) -> None:
    kinds = ("cars", "cats", "cups", "dogs", "hats")
    for number, kind in enumerate(kinds):
        photos(tmp_path / kind / "more", [f"{number}{name}.jpg" for name in range(4)])
    photos(tmp_path, ["a.jpg"])
    split = others.split(tmp_path)
    (held_out,) = split["validation"]
    assert held_out in kinds
    assert set(split["train"]) == {".", *kinds} - {held_out}
    assert len(split["validation"][held_out]) == 4
    described = others.describe(tmp_path, split)
    assert (described["train"], described["validation"]) == (17, 4)


@pytest.mark.parametrize(("kinds", "held_out"), [(4, "photos"), (5, "kinds")])
def test_what_is_held_out_is_told(kinds: int, held_out: str, tmp_path: Path) -> None:
    for number in range(kinds):
        photos(tmp_path / f"kind {number}", [f"{number}{name}.jpg" for name in range(4)])
    assert others.describe(tmp_path, others.split(tmp_path))["held_out"] == held_out


def test_each_kind_is_drawn_as_often_as_another_of_its_sub_folder(tmp_path: Path) -> None:
    for name in ("flowers/iris/1.jpg", "flowers/iris/2.jpg", "flowers/lily/1.jpg", "cats/1.jpg", "cats/2.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"a photo")
    groups = others.subfolders(tmp_path)
    kinds = {photo.path.parent.name: photo.target for photo in others.listed(groups)}
    assert sorted(kinds.values()) == [0, 1, 2]
    shares = others.shares(groups)
    assert {name: shares[kind].item() for name, kind in kinds.items()} == {"cats": 0.5, "iris": 0.25, "lily": 0.25}


def test_kind_of_which_no_photo_can_be_read_is_drawn_never(tmp_path: Path) -> None:
    groups = {"things": [tmp_path / kind / name for kind in "abc" for name in ("1.jpg", "2.jpg")]}
    weights = others.weights(groups, torch.tensor([0, 0, 1]))  # none of the last kind
    assert weights.tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 3])


def test_folder_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset, match="does not exist"):
        others.split(tmp_path / "nowhere")
    (tmp_path / "a.txt").write_text("no photo")
    with pytest.raises(InvalidDataset, match="holds no photos"):
        others.split(tmp_path)
    photos(tmp_path, ["a.jpg"])
    with pytest.raises(InvalidDataset, match=r"a\.jpg is a file"):
        others.split(tmp_path / "a.jpg")
    with pytest.raises(InvalidDataset, match="holds 1 photo of other things; at least 3 are needed"):
        others.split(tmp_path)


def test_photo_of_a_class_is_none_of_another_thing(tmp_path: Path) -> None:
    photos(tmp_path / "things", [f"{number}.jpg" for number in range(6)])
    photos(tmp_path / "roses", ["rose.jpg"])
    Image.new("RGB", (8, 8), "red").save(tmp_path / "roses" / "rose.jpg")
    things = others.listed(others.subfolders(tmp_path / "things"))
    classes = [LabeledPhoto(tmp_path / "roses" / "rose.jpg", 0)]
    others.check_apart(things, classes)
    (tmp_path / "things" / "3.jpg").write_bytes((tmp_path / "roses" / "rose.jpg").read_bytes())
    with pytest.raises(InvalidDataset, match=r"3\.jpg is among .* the same photo as .*rose\.jpg"):
        others.check_apart(things, classes)


def test_own_photos_of_other_things_are_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTHER_PHOTOS", raising=False)
    with pytest.raises(InvalidDataset, match=r"photos of other things in \.\./strangers\. Give their folder"):
        others.find_again(None, {"name": "strangers", "path": "../strangers"})
    assert others.find_again(tmp_path, {"name": "strangers"}) == tmp_path
    monkeypatch.setenv("OTHER_PHOTOS", str(tmp_path))
    assert others.find_again(None, {"name": "strangers"}) == others.find_again(None, {}) == tmp_path
