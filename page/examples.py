"""The photos to click on, and those to compare with: files of the folder ``examples``."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

from PIL import Image, ImageOps

from flower_alexnet import LABELS
from page.render import data_url
from page.subject import ABOUT_FLOWERS

FOLDER = Path(__file__).resolve().parent.parent / "examples"
"""Folder of the photos, each credited in its ``CREDITS.md``."""

HARD, OTHER = "hard", "other"
"""Keys of a photo that is hard, and of one that shows none of the five."""

LIST = "examples.json"
"""File of a page of other classes: file of ``FOLDER`` -> its label."""


def _of_other_classes() -> dict[str, str]:
    """Return the examples of a page that is not about the flowers; none if there are none."""
    try:
        listed = json.loads((FOLDER / LIST).read_text(encoding="utf-8"))
        return {name: str(label) for name, label in listed.items() if (FOLDER / name).is_file()}
    except (OSError, ValueError, AttributeError):
        return {}


SHOWN = {HARD: "sunflowers", OTHER: None}
"""Label of the photos that are no flower's example; None of one that shows none of the five."""

FLOWER_EXAMPLES = {**{f"{label}_1.webp": label for label in LABELS}, "hard.webp": HARD, "other.webp": OTHER}

EXAMPLES = FLOWER_EXAMPLES if ABOUT_FLOWERS else _of_other_classes()
"""File -> its label, or what it is."""

CREDITS = FOLDER / "CREDITS.md"
"""Who made the photos of the page."""

GALLERY = FOLDER / "gallery"
"""Test photos, ``LABEL/NAME.webp``, cut to what a network sees of them: of flower_photos, or of one's own classes."""

CREDIT = re.compile(r"^\| gallery/(\S+)\.webp \| \[(.+)\]\((\S+)\) \|$", re.MULTILINE)


@cache
def gallery() -> dict[str, tuple[str, str]]:
    """Return photographer and address of each photo of the gallery, by ``LABEL/NAME``; nothing where there is none.

    On a page of other classes they are somebody's own photos, and both are empty.
    """
    if not ABOUT_FLOWERS:
        own = sorted(GALLERY.glob("*/*.webp")) if (FOLDER / LIST).is_file() else []
        return {photo.relative_to(GALLERY).with_suffix("").as_posix(): ("", "") for photo in own}
    if not GALLERY.is_dir():
        return {}
    rows = CREDIT.findall(CREDITS.read_text(encoding="utf-8"))
    return {name: (re.sub(r"\\(.)", r"\1", by), address) for name, by, address in rows}


def told_credits() -> str:
    """Return who made the photos to click on and to compare with, as Markdown."""
    told = CREDITS.read_text(encoding="utf-8").partition("\n")[2].partition("## The gallery")[0]
    shown = r'| <img src="examples/\1" alt="\1" width="48" height="48" loading="lazy"> |'
    return re.sub(r"^\| (\S+\.webp) \|", shown, told, flags=re.MULTILINE)


THUMBNAIL = 128
"""Height and width in pixels of a thumbnail; it is shown at 72, on screens of up to two pixels for each."""


@cache
def thumbnail(file: str) -> str:
    """Return an example's thumbnail as a data URL, so that the page loads seven files fewer."""
    with Image.open(FOLDER / file) as photo:
        return data_url(ImageOps.fit(photo.convert("RGB"), (THUMBNAIL, THUMBNAIL)), "WEBP", quality=65)
