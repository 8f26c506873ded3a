"""The example pictures: what the script draws, small, and named right by the default model."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageChops, ImageStat

from examples import draw
from flower_alexnet import LABELS, catalog
from tests.conftest import PROJECT

EXAMPLES = PROJECT / "examples"


def test_each_is_what_the_script_draws(tmp_path: Path) -> None:
    draw.main(tmp_path)
    for label in LABELS:
        kept, drawn = (Image.open(folder / f"{label}.webp").convert("RGB") for folder in (EXAMPLES, tmp_path))
        assert max(ImageStat.Stat(ImageChops.difference(kept, drawn)).mean) < 1
        assert (EXAMPLES / f"{label}.webp").stat().st_size < 60_000


def test_default_model_names_each() -> None:
    for label in LABELS:
        prediction = catalog.load()(EXAMPLES / f"{label}.webp")
        assert prediction.label == label
        assert prediction.in_distribution
