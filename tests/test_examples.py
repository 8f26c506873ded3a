"""The example photos: small, credited, of the test part alone, and answered by the default model as the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from flower_alexnet import LABELS, dataset
from flower_alexnet.classifier import load_classifier
from page.examples import EXAMPLES, FOLDER, GALLERY, gallery, told_credits
from page.render import REFERENCES
from tests.support.photos import drawn_dataset
from train.gallery import make


def test_each_is_small_and_credited() -> None:
    photos = sorted(file.name for file in FOLDER.iterdir() if file.suffix == ".webp")
    assert set(EXAMPLES) <= set(photos)
    assert {f"{label}_{number + 1}.webp" for label in LABELS for number in range(REFERENCES)} <= set(photos)
    assert len(photos) <= 30
    credited = (FOLDER / "CREDITS.md").read_text(encoding="utf-8")
    for name in photos:
        assert (FOLDER / name).stat().st_size < 60_000
        assert re.search(rf"^\| {re.escape(name)} \| \[.+\]\(https://.+\)", credited, re.MULTILINE), name


def test_gallery_holds_every_test_photo_as_it_is_seen_and_credits_each(real_photos: Path) -> None:
    expected = {f"{LABELS[photo.target]}/{photo.path.stem}" for photo in dataset.split(real_photos)["test"]}
    files = {file.relative_to(GALLERY).with_suffix("").as_posix(): file for file in GALLERY.rglob("*.webp")}
    assert files.keys() == gallery().keys() == expected
    assert all(by and address.startswith("https://www.flickr.com/") for by, address in gallery().values())
    for file in files.values():
        with Image.open(file) as photo:
            assert photo.size == (224, 224)
    assert "gallery/" not in told_credits()
    assert "daisy_1.webp" in told_credits()


def test_photographers_address_first_or_last_and_none_at_all(tmp_path: Path) -> None:
    data = drawn_dataset(tmp_path / "flower_photos", 10)
    (tmp_path / "CREDITS.md").write_text("# Photo credits\n\n| file |\n", encoding="utf-8")
    tests = [photo.path for photo in dataset.split(data)["test"]]
    lines = [f"{it.parent.name}/{it.name} CC-BY by A [b] | c - https://one/" for it in tests[1:]]
    (data / "LICENSE.txt").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(dataset.InvalidDataset, match="does not name the photographer"):
        make(data, tmp_path)
    first = f"{tests[0].parent.name}/{tests[0].name} CC-BY https://two/ - by D"
    (data / "LICENSE.txt").write_text("\n".join([first, *lines]), encoding="utf-8")
    for _ in range(2):  # the table is replaced
        assert make(data, tmp_path) == len(tests)
    credited = (tmp_path / "CREDITS.md").read_text(encoding="utf-8")
    assert "[D](https://two/)" in credited
    assert credited.count(r"[A \[b\] \| c](https://one/)") == len(tests) - 1
    (data / "LICENSE.txt").unlink()
    with pytest.raises(dataset.InvalidDataset, match=r"no LICENSE.txt"):
        make(data, tmp_path)


def test_photos_of_the_five_are_of_the_test_part(real_photos: Path) -> None:
    """The address of each photo at its photographer's ends with the number that its file is named by."""
    test = {photo.path.name.partition("_")[0] for photo in dataset.split(real_photos)["test"]}
    credited = (FOLDER / "CREDITS.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+)\.webp \| \[.+\]\(\S+/(\d+)/?\)", credited, re.MULTILINE)
    for name, number in rows:
        assert number in test or name == "other", name
    assert len(rows) == len(LABELS) * REFERENCES + 2


def test_default_model_answers_each_as_the_page_says() -> None:
    classifier = load_classifier()
    for label in LABELS:
        for number in range(1, REFERENCES + 1):
            prediction = classifier(FOLDER / f"{label}_{number}.webp")
            assert prediction.label == label
            assert prediction.in_distribution
    assert not classifier(FOLDER / "other.webp").in_distribution
    with Image.open(FOLDER / "other.webp") as other:
        assert min(other.size) >= 224
