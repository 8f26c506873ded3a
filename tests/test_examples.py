"""The example pictures: drawn by the script, small, and classified correctly by the default model."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from examples import draw
from flower_alexnet import LABELS, dataset
from flower_alexnet.classifier import load_classifier
from flower_alexnet.page import events
from tests.support.photos import PROJECT

EXAMPLES = PROJECT / "examples"


def test_each_is_what_the_script_draws(tmp_path: Path) -> None:
    draw.main(tmp_path)
    for label in LABELS:
        kept, drawn = (Image.open(folder / f"{label}.webp").convert("RGB") for folder in (EXAMPLES, tmp_path))
        assert max(ImageStat.Stat(ImageChops.difference(kept, drawn)).mean) < 1
        assert (EXAMPLES / f"{label}.webp").stat().st_size < 60_000


def test_default_model_classifies_each_correctly() -> None:
    for label in LABELS:
        prediction = load_classifier()(EXAMPLES / f"{label}.webp")
        assert prediction.label == label
        assert prediction.in_distribution


def test_page_offers_test_photos_where_they_are(real_photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [(str(EXAMPLES / f"{label}.webp"), label) for label in LABELS]
    monkeypatch.delenv("FLOWER_PHOTOS", raising=False)
    assert events.example_photos() == drawn
    monkeypatch.setenv("FLOWER_PHOTOS", str(EXAMPLES))  # not the five folders
    assert events.example_photos() == drawn
    monkeypatch.setenv("FLOWER_PHOTOS", str(real_photos))
    offered = events.example_photos()[len(drawn) :]
    test = {str(photo.path): LABELS[photo.target] for photo in dataset.split(real_photos)["test"]}
    assert len(offered) == 2 * len(LABELS)
    assert all(test[path] == label for path, label in offered)
