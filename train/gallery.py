"""The gallery of the page: every test photo of flower_photos, small, with its photographer.

python -m train.gallery

It is made once: the photos are part of the project, in ``examples/gallery``, and credited in ``examples/CREDITS.md``.
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import tyro
from PIL import Image, ImageOps

from flower_alexnet import LABELS, images
from flower_alexnet.dataset import InvalidDataset, split
from train.flower_photos import find_or_download

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"

SIDE, QUALITY = 224, 70
"""Height and width of a photo, of which the central square is kept as the network sees it, and quality of its WebP."""

CREDIT = re.compile(r"^(\S+/\S+) CC-BY (?:by (.*) - (https://\S+)|(https://\S+) - by (.*))$", re.MULTILINE)
"""A line of the dataset's ``LICENSE.txt``: file, photographer, address; of some, the address first."""

SPECIAL = re.compile(r"[][|\\]")
"""Characters of a name that Markdown would read as its own."""

TITLE = "## The gallery"


def make(data: Path, examples: Path = EXAMPLES) -> int:
    """Write the gallery and its credits; return the number of photos.

    Args:
        data: flower_photos, with its ``LICENSE.txt``.
        examples: folder to write ``gallery`` into, and whose ``CREDITS.md`` gets a table of it.

    Raises:
        InvalidDataset: a photo has no photographer in ``LICENSE.txt``, or that cannot be read.
    """
    try:
        found = CREDIT.findall((data / "LICENSE.txt").read_text("utf-8"))
        photographers = {file: (by or other_by, at or other_at) for file, by, at, other_at, other_by in found}
    except (OSError, ValueError) as error:
        raise InvalidDataset(f"{data} has no LICENSE.txt that names the photographers ({error}).") from error
    rows = []
    for photo in split(data)["test"]:
        label, name = LABELS[photo.target], f"{photo.path.parent.name}/{photo.path.name}"
        if name not in photographers:
            raise InvalidDataset(f"LICENSE.txt of {data} does not name the photographer of {name}.")
        by, at = photographers[name]
        file = Path("gallery") / label / f"{photo.path.stem}.webp"
        (examples / file).parent.mkdir(parents=True, exist_ok=True)
        (examples / file).write_bytes(square(photo.path))
        rows.append(f"| {file.as_posix()} | [{SPECIAL.sub(lambda found: chr(92) + found[0], by)}]({at}) |")
    table = ["| file | photographer |", "|---|---|", *sorted(rows)]
    credited = examples / "CREDITS.md"
    before = credited.read_text(encoding="utf-8").partition(TITLE)[0].rstrip()
    told = (
        f"All {len(rows)} test photos of flower_photos, cut to their central squares and scaled down, under CC BY 2.0."
    )
    credited.write_text("\n\n".join([before, TITLE, told, "\n".join(table)]) + "\n", encoding="utf-8")
    return len(rows)


def square(photo: Path) -> bytes:
    """Return a photo's central square, small, as a WebP file.

    Raises:
        InvalidImage: it cannot be used.
    """
    file = io.BytesIO()
    fitted = ImageOps.fit(images.load(photo), (SIDE, SIDE), Image.Resampling.BICUBIC)
    fitted.save(file, "WEBP", quality=QUALITY, method=6)
    return file.getvalue()


def main(data: Path | None = None) -> None:
    """Make the gallery of the page anew.

    Args:
        data: flower_photos; found or downloaded if not given.
    """
    try:
        print(f"{make(data or find_or_download())} photos are in {EXAMPLES / 'gallery'}.")
    except InvalidDataset as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    tyro.cli(main)
