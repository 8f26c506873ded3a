"""What a visitor takes away of many photos: a table of the answers, and the photos in a folder each."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from flower_alexnet import InvalidImage, batch
from flower_alexnet.classifier import PREDICTION_FIELDS
from flower_alexnet.words import printable

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a text begins with that a spreadsheet takes for a formula (OWASP, CSV injection)."""

UNKNOWN = "none"
"""Folder, in the zip of sorted photos, of those that show no known class."""

COMPRESSED = 4
"""How many times smaller a photo is in the zip that it came in if it is worth compressing again."""


def write_csv(rows: Sequence[batch.Row], labels: Sequence[str], file: Path) -> None:
    """Write a line a photo, with a byte order mark, by which Excel knows UTF-8.

    Args:
        rows: of the photos.
        labels: of the model.
        file: to write; a photo's name that is no Unicode is written with backslashes.
    """
    with file.open("w", newline="", encoding="utf-8-sig", errors="backslashreplace") as output:
        lines = [_csv_line(row, labels) for row in rows]
        writer = csv.writer(output)
        writer.writerow(map(_cell, lines[0]))
        writer.writerows(map(_cell, line.values()) for line in lines)


def write_sorted(photos: Sequence[batch.PhotoFile], rows: Sequence[batch.Row], file: Path) -> None:
    """Write the photos that were named into a zip, each in the folder of its answer; a name that occurs twice gets a
    number.

    At most about twice the bytes that the visitor sent are written: what would not fit is left out.

    Args:
        photos: as they came.
        rows: of the same photos.
        file: to write.
    """
    folders = _folders_of(rows)
    sent = {photo.path for photo in photos}
    budget = 2 * sum(path.stat().st_size for path in sent if path.exists()) + 1_000_000
    written, names = 0, set[str]()
    with ZipFile(file, "w", ZIP_STORED) as archive:
        for photo, row in zip(photos, rows, strict=True):
            if row.prediction is None:  # its row says why
                continue
            path = PurePosixPath(printable(photo.name).replace("\\", "/"))
            folder = folders[row.prediction.label if row.prediction.in_distribution else None]
            name, number = f"{folder}/{_safe(path.name)}", 1
            while name.lower() in names:
                number += 1
                name = f"{folder}/{_safe(path.stem)} ({number}){path.suffix}"
            member = photo.member
            small = member is not None and member.file_size > COMPRESSED * max(1, member.compress_size)
            with suppress(InvalidImage, OSError):
                content = photo.content()
                size = member.compress_size if small and member is not None else len(content)
                if written + size > budget:
                    continue
                archive.writestr(name, content, ZIP_DEFLATED if small else ZIP_STORED, compresslevel=1)
                written += size
                names.add(name.lower())


def _folders_of(rows: Sequence[batch.Row]) -> dict[str | None, str]:
    """Return the folder of each label, and under None that of photos that show none: safe names, each once."""
    folders: dict[str | None, str] = {}
    labels = sorted({row.prediction.label for row in rows if row.prediction})
    for label, name in [*((label, _safe(label)) for label in labels), (None, UNKNOWN)]:
        taken = {folder.lower() for folder in folders.values()}
        while name.lower() in taken:
            name += "_"
        folders[label] = name
    return folders


def _safe(name: str) -> str:
    """Return a name that is one entry below its folder in any zip and on any system."""
    name = re.sub(r'[\x00-\x1f<>:"/\\|?*]', "_", name).rstrip(". ")
    return name or "_"


def _cell(value: object) -> object:
    """Return a value for a CSV file: a text that a spreadsheet would take for a formula begins with an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _csv_line(row: batch.Row, labels: Sequence[str]) -> dict[str, Any]:
    columns = {label: f"probability_{label}" for label in labels}  # a class may be called "photo"
    line = {"photo": row.name, **dict.fromkeys((*PREDICTION_FIELDS, *columns.values(), "problem"))}
    if row.prediction is None:
        return line | {"problem": row.problem}
    fields = row.prediction.fields()
    probabilities = fields.pop("probabilities")
    values = line | {columns[label]: probability for label, probability in probabilities.items()} | fields
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in values.items()}
