"""The example photos: small, credited, of the test part alone, and answered by the default model as the page says."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import Image

from flower_alexnet import LABELS, dataset
from flower_alexnet.classifier import load_classifier
from page.examples import EXAMPLES, FOLDER
from page.render import REFERENCES


def test_each_is_small_and_credited() -> None:
    photos = sorted(file.name for file in FOLDER.iterdir() if file.suffix == ".webp")
    assert set(EXAMPLES) <= set(photos)
    assert {f"{label}_{number + 1}.webp" for label in LABELS for number in range(REFERENCES)} <= set(photos)
    assert len(photos) <= 30
    credited = (FOLDER / "CREDITS.md").read_text(encoding="utf-8")
    for name in photos:
        assert (FOLDER / name).stat().st_size < 60_000
        assert re.search(rf"^\| {re.escape(name)} \| \[.+\]\(https://.+\)", credited, re.MULTILINE), name


def test_photos_of_the_five_are_of_the_test_part(real_photos: Path) -> None:
    """The address of each photo at its photographer's ends with the number that its file is named by."""
    test = {photo.path.name.partition("_")[0] for photo in dataset.split(real_photos)["test"]}
    credited = (FOLDER / "CREDITS.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\S+)\.webp \| \[.+\]\(\S+/(\d+)/?\)", credited, re.MULTILINE)
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
