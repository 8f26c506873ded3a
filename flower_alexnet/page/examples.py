"""The photos to click on, and those to compare with: files of the folder ``examples``."""

from __future__ import annotations

from pathlib import Path

from flower_alexnet import LABELS
from flower_alexnet.page.translations import capitalized, flower_name, translate

FOLDER = Path(__file__).resolve().parent.parent.parent / "examples"
"""Folder of the photos, each credited in its ``CREDITS.md``."""

HARD, OTHER = "example_hard", "example_other"
"""Keys of the texts for a photo that is hard, and for one that shows none of the five."""

EXAMPLES = {**{f"{label}_1.webp": label for label in LABELS}, "hard.webp": HARD, "other.webp": OTHER}
"""File -> the label of its flower, or the key of what it is."""


def example_name(key: str, language: str) -> str:
    """Return what an example is called."""
    name = flower_name(key, language) if key in LABELS else translate(key, language)
    return capitalized(name)
