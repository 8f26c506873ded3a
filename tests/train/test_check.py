"""python -m train.check: what would spoil a run is said before it, and nothing is said of good photos."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from flower_alexnet.dataset import find_classes, split
from tests.support.commands import run_module
from tests.support.photos import drawn_flower
from train import check

LABELS = ("daisy", "roses", "tulips")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of 400 different photos of three classes, all of one format and size."""
    folder = tmp_path_factory.mktemp("data") / "photos"
    for label in LABELS:
        (folder / label).mkdir(parents=True)
        drawn = drawn_flower(label).resize((160, 150))
        for number in range(130):
            image = drawn.copy()
            image.putpixel((number, 0), (255, 0, 0))
            image.save(folder / label / f"{number}.png")
    return folder


@pytest.fixture
def photos(good: Path, tmp_path: Path) -> Path:
    """Return a copy of them that may be changed."""
    return Path(shutil.copytree(good, tmp_path / "photos"))


def problems(folder: Path) -> list[str]:
    return check.problems(split(folder), find_classes(folder))


def test_good_photos_are_counted_and_nothing_else_is_said(good: Path) -> None:
    result = run_module("train.check", good)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[1].split() == ["daisy", "104", "13", "13"]
    assert lines[4].split() == ["all", "312", "39", "39"]
    assert lines[-1] == "Nothing here would spoil a run."


def test_what_would_spoil_a_run_is_said(photos: Path) -> None:
    for file in sorted((photos / "daisy").iterdir())[:112]:
        file.unlink()
    for file in (photos / "roses").iterdir():
        with Image.open(file) as image:
            image.convert("RGB").save(file.with_suffix(".jpg"))
        file.unlink()
    for file in (photos / "tulips").iterdir():
        with Image.open(file) as image:
            image.resize((100, 90)).save(file)
    result = run_module("train.check", photos)
    assert result.returncode == 1
    for words in (
        "Fewer than 20 photos to train on: daisy.",
        "has 104 photos to train on, daisy 14: in doubt the network will say",
        "There are 28 photos to test on: the accuracy will say little.",
        "130 of 278 photos have a side of fewer than 128 pixels",
        "The photos of roses are JPEG files, those of the other classes are not",
        "The photos of tulips are smaller than those of the other classes",
    ):
        assert words in result.stdout
    assert "Nothing here" not in result.stdout


def test_copies_in_two_parts_and_in_two_classes_are_told(photos: Path) -> None:
    parts = split(photos)
    shutil.copy(parts["train"][0].path, parts["test"][0].path)
    (in_parts,) = problems(photos)
    assert in_parts.startswith("1 photo is in two parts of the split, such as ")
    assert str(parts["train"][0].path) in in_parts and str(parts["test"][0].path) in in_parts
    shutil.copy(parts["train"][-1].path, parts["train"][1].path)
    assert "1 photo is in two classes, such as " in "".join(problems(photos))


def test_folder_that_is_no_dataset_is_one_line(tmp_path: Path) -> None:
    result = run_module("train.check", tmp_path)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
