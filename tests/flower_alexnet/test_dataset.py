"""A folder of class folders: its labels, its parts, and what is refused. Files need no content here."""

from __future__ import annotations

from pathlib import Path

import pytest

from flower_alexnet import LABELS
from flower_alexnet.dataset import InvalidDataset, all_photos, find_classes, split


def dataset(folder: Path, **counts: int) -> Path:
    """Make a folder of class folders with empty files: ``0.jpg`` to the count less one."""
    for label, count in counts.items():
        (folder / label).mkdir(parents=True)
        for number in range(count):
            (folder / label / f"{number}.jpg").touch()
    return folder


def names(folder: Path) -> dict[str, list[str]]:
    return {
        part: [photo.path.relative_to(folder).as_posix() for photo in photos] for part, photos in split(folder).items()
    }


def test_labels_are_the_names_of_the_folders_in_order(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "data", zebra=3, Apple=3, cat=3)
    (folder / "notes.txt").write_text("about these photos")
    (folder / ".thumbnails").mkdir()
    (folder / "__MACOSX" / "cat").mkdir(parents=True)
    (folder / "__MACOSX" / "cat" / "._0.jpg").touch()
    (folder / "cat" / "__MACOSX").mkdir()
    (folder / "cat" / "__MACOSX" / "0.jpg").touch()
    (folder / "cat" / ".DS_Store").touch()
    assert find_classes(folder) == ("Apple", "cat", "zebra")
    assert [(photo.path.parent.name, photo.target) for photo in all_photos(folder)] == [
        *[("Apple", 0)] * 3,
        *[("cat", 1)] * 3,
        *[("zebra", 2)] * 3,
    ]


def test_the_five_flowers_may_be_named_in_the_singular_or_plural(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "one", daisy=3, dandelion=3, Rose=3, sunflower=3, tulips=3)
    assert find_classes(folder) == LABELS
    assert [photo.target for photo in all_photos(folder) if photo.path.parent.name == "Rose"] == [2, 2, 2]
    others = dataset(tmp_path / "other", rose=3, tulips=3)
    assert find_classes(others) == ("rose", "tulips")  # not the five: as they are called


def test_rose_and_roses_are_one_class(tmp_path: Path) -> None:
    folder = dataset(tmp_path, **dict.fromkeys(LABELS, 3), rose=3)
    with pytest.raises(InvalidDataset, match=r"holds roses more than once: rose, roses\. Keep one"):
        find_classes(folder)


def test_split_of_names(tmp_path: Path) -> None:
    """The split of a dataset must never change: a model would be tested on what it was trained on."""
    folder = dataset(tmp_path, circles=12, squares=3)
    assert names(folder) == PINNED


PINNED = {
    "train": [
        "circles/1.jpg",
        "circles/11.jpg",
        "circles/6.jpg",
        "circles/7.jpg",
        "circles/2.jpg",
        "circles/4.jpg",
        "circles/8.jpg",
        "circles/9.jpg",
        "circles/10.jpg",
        "circles/3.jpg",
        "squares/2.jpg",
    ],
    "validation": [
        "circles/5.jpg",
        "squares/1.jpg",
    ],
    "test": [
        "circles/0.jpg",
        "squares/0.jpg",
    ],
}


def test_a_tenth_of_each_class_is_tested_on_and_a_tenth_validated_on(tmp_path: Path) -> None:
    folder = dataset(tmp_path, three=3, four=4, fifteen=15, sixteen=16, hundred=100)
    labels = find_classes(folder)
    for part, expected in (
        ("train", {"three": 1, "four": 2, "fifteen": 11, "sixteen": 12, "hundred": 80}),
        ("validation", {"three": 1, "four": 1, "fifteen": 2, "sixteen": 2, "hundred": 10}),
        ("test", {"three": 1, "four": 1, "fifteen": 2, "sixteen": 2, "hundred": 10}),
    ):
        photos = split(folder)[part]
        assert {label: sum(labels[photo.target] == label for photo in photos) for label in labels} == expected
    everything = [photo.path for photos in split(folder).values() for photo in photos]
    assert len(everything) == len(set(everything)) == len(all_photos(folder)) == 138


@pytest.mark.parametrize("validation", ["val", "valid", "validation", "Val"])
def test_parts_made_by_others_are_used_as_they_are(validation: str, tmp_path: Path) -> None:
    for part, count in (("train", 4), (validation, 1), ("test", 2)):
        dataset(tmp_path / part, cat=count, dog=1)
    (tmp_path / "__MACOSX").mkdir()
    assert find_classes(tmp_path) == ("cat", "dog")
    assert names(tmp_path) == {
        "train": [*(f"train/cat/{number}.jpg" for number in range(4)), "train/dog/0.jpg"],
        "validation": [f"{validation}/cat/0.jpg", f"{validation}/dog/0.jpg"],
        "test": ["test/cat/0.jpg", "test/cat/1.jpg", "test/dog/0.jpg"],
    }
    assert len(all_photos(tmp_path)) == 10


def test_parts_of_different_classes_or_without_one_are_refused(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        dataset(tmp_path / "data" / part, cat=2, dog=2)
    dataset(tmp_path / "data" / "val", bird=1)
    with pytest.raises(InvalidDataset, match=r"val has the classes bird, cat, dog, but .*train has cat, dog"):
        split(tmp_path / "data")
    for part in ("train", "test"):
        dataset(tmp_path / "two" / part, cat=2, dog=2)
    with pytest.raises(InvalidDataset, match="is split into test, train, but lacks validation"):
        split(tmp_path / "two")


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"cat": 3, "dog": 2}, "dog has 2 photos; at least 3 are needed"),
        ({"cat": 3, "dog": 1}, "dog has 1 photo; at least 3 are needed"),
        ({"cat": 3, "dog": 0}, "there is no photo in dog"),
        ({"cat": 9}, "holds only the class folder cat; two or more are needed"),
        ({}, "There is no folder"),
    ],
)
def test_too_little_is_refused(counts: dict[str, int], message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset, match=message) as refusal:
        split(dataset(tmp_path / "data", **counts))
    assert "\n" not in str(refusal.value)
