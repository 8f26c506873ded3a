"""The table of many photos as a file: for any spreadsheet, and without formulas."""

from __future__ import annotations

import asyncio
import csv
import io
import shutil
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import gradio as gr
import pytest

from flower_alexnet import LABELS
from page import downloads, events
from page.models import MODELS
from tests.support.photos import drawn_flower

ODD = ("=1+1.png", "@SUM(1+1).png", "+1.png", "-1.png", "\tx.png", "\rx.png", "＝1.png")
"""Names that a spreadsheet takes for formulas."""


def csv_of(files: list[tuple[str, Path]]) -> bytes:
    """Return the file that the page offers for photos of given names."""
    sent: list[dict[str, Any]] = [{"path": str(path), "orig_name": name} for name, path in files]
    request = gr.Request(headers={"accept-language": "zh-CN"})

    async def table() -> bytes:
        async for *_, download, _ in events.show_many(sent, MODELS.default, request):
            if isinstance(download, dict) and download.get("value"):
                return Path(download["value"]).read_bytes()  # deleted after it
        raise AssertionError("there is no file")

    return asyncio.run(table())


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a photo in the folder of uploads."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    file = tmp_path / "photo.png"
    drawn_flower("roses").save(file)
    return file


def test_csv_is_utf_8_that_excel_knows_by_its_mark(photo: Path) -> None:
    content = csv_of([("照片.png", photo), ("half \udcab.png", photo)])
    assert content.startswith(b"\xef\xbb\xbfphoto,label,")
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert [row["photo"] for row in rows] == ["照片.png", "half \\xab.png"]
    assert sum(float(rows[0][f"probability_{label}"]) for label in LABELS) == pytest.approx(1)


def test_no_cell_of_the_csv_begins_a_formula(photo: Path, tmp_path: Path) -> None:
    """Neither by a photo's name, nor by a zip's, nor by a problem that begins with a name."""
    damaged = tmp_path / "damaged"
    damaged.write_text("no picture")
    with ZipFile(tmp_path / "zip", "w") as archive:
        for name in ODD:
            archive.write(photo, name)
            archive.writestr(f"folder/{name}", b"no picture")
    shutil.copyfile(tmp_path / "zip", tmp_path / "photos.zip")
    files = [(name, file) for name in ODD for file in (photo, damaged)]
    files += [("=cmd|' '!A1.zip", tmp_path / "photos.zip"), ("photos.zip", tmp_path / "photos.zip")]
    rows = list(csv.reader(io.StringIO(csv_of(files).decode("utf-8-sig"), newline="")))
    assert len(rows) == 1 + len(files) - 2 + 4 * len(ODD)
    cells = [cell for row in rows for cell in row if cell]
    assert not [cell for cell in cells if cell[0] in "=+-@\t\r\n＝＋－＠"]
    assert {f"'{name}" for name in ODD} <= set(cells)
    assert any(cell.startswith("'=cmd|' '!A1.zip/") for cell in cells)


def test_labels_of_a_model_are_no_formulas_either() -> None:
    assert [downloads._cell(value) for value in ("=1", "daisy", 0.5, None, -1.5, True)] == [
        *("'=1", "daisy", 0.5, None, -1.5, True)
    ]
