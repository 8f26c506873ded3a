"""Library, command line, page and zip give a file the same probabilities, or refuse it for the same reason."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image, ImageCms

from flower_alexnet import InvalidImage, images
from flower_alexnet.__main__ import main
from flower_alexnet.classifier import load_classifier
from tests.support import PROJECT
from tests.support.photos import encoded
from tests.support.server import Server

FLOWER = Image.open(PROJECT / "examples" / "roses_1.webp").convert("RGB").resize((160, 120))


def turned() -> Image.Exif:
    """Return EXIF data that say the picture is to be turned by 90 degrees."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def files() -> dict[str, bytes]:
    """Return file names with contents: pictures of many formats, and files that are none."""
    clear = FLOWER.copy()
    clear.putalpha(Image.linear_gradient("L").resize(FLOWER.size))
    deep = Image.fromarray(np.asarray(FLOWER.convert("L"), dtype=np.uint16) * 257)
    whole = encoded(FLOWER, "JPEG")
    lab = ImageCms.profileToProfile(FLOWER, images.SRGB, ImageCms.createProfile("LAB"), outputMode="LAB")
    assert lab is not None
    more: dict[str, Any] = {"save_all": True, "append_images": [FLOWER.rotate(90)], "duration": 50}
    return {
        "plain.jpg": whole,
        "turned.jpg": encoded(FLOWER, "JPEG", exif=turned()),
        "cmyk.jpg": encoded(FLOWER.convert("CMYK"), "JPEG"),
        "grey.jpg": encoded(FLOWER.convert("L"), "JPEG"),
        "named-otherwise.gif": whole,
        "clear.png": encoded(clear, "PNG"),
        "palette.png": encoded(FLOWER.convert("P"), "PNG", transparency=3),
        "bits.png": encoded(FLOWER.convert("1"), "PNG"),
        "deep.png": encoded(deep, "PNG"),
        "animated.png": encoded(FLOWER, "PNG", **more),
        "animated.gif": encoded(FLOWER, "GIF", **more),
        "animated.webp": encoded(FLOWER, "WEBP", **more),
        "two.mpo": encoded(FLOWER, "MPO", save_all=True, append_images=[FLOWER.rotate(90)]),
        "phone.heic": encoded(FLOWER, "HEIF"),
        "new.avif": encoded(FLOWER, "AVIF"),
        "lab.tif": encoded(lab, "TIFF"),
        "float.tif": encoded(FLOWER.convert("F"), "TIFF"),
        "one.png": encoded(FLOWER.resize((1, 1)), "PNG"),
        "thin.png": encoded(FLOWER.resize((1, 10_000)), "PNG"),
        "cut.jpg": whole[: len(whole) // 2],
        "empty.jpg": b"",
        "text.jpg": b"not a picture",
        "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "letter.pdf": b"%PDF-1.7\n",
        "film.mp4": b"\0\0\0 ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(2000),
        "bomb.png": encoded(Image.new("1", (30_000, 30_000)), "PNG"),
    }


GOOD = 19
"""Number of the files that are pictures."""

Results = dict[str, dict[str, float] | str]
"""Name of a file -> its probabilities, or the problem with it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for name, content in files().items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def expected(folder: Path) -> Results:
    """Return what the library makes of each file."""
    results: Results = {}
    for file in folder.iterdir():
        try:
            results[file.name] = load_classifier()(file).probabilities
        except InvalidImage as error:
            results[file.name] = str(error)
    assert sum(isinstance(answer, dict) for answer in results.values()) == GOOD, results
    return results


def assert_same(results: Results, expected: Results) -> None:
    assert results.keys() == expected.keys()
    for name, answer in expected.items():
        if isinstance(answer, str):
            assert str(results[name]).endswith(answer), name
        else:
            assert results[name] == pytest.approx(answer, abs=1e-5), name


def test_on_the_command_line(folder: Path, expected: Results, capsys: pytest.CaptureFixture[str]) -> None:
    names = sorted(expected)
    assert main(["classify", "--json", *(str(folder / name) for name in names)]) == 2
    printed = capsys.readouterr()
    results: Results = {
        Path(row["photo"]).name: {entry["label"]: entry["probability"] for entry in row["top"]}
        for row in json.loads(printed.out)
    }
    problems = printed.err.splitlines()
    for name in names:
        if name not in results:
            results[name] = problems.pop(0)
    assert_same(results, expected)
    assert not problems


def test_on_the_page_loose_and_in_a_zip(folder: Path, expected: Results, server: Server, tmp_path: Path) -> None:
    client = Client(server.url, verbose=False, ssl_verify=False)
    names = sorted(expected)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name in names:
            archive.write(folder / name, f"../../{name}")
    loose = client.predict([handle_file(str(folder / name)) for name in names], api_name="/classify_batch")
    zipped = client.predict([handle_file(str(tmp_path / "all.zip"))], api_name="/classify_batch")
    for rows in (loose, zipped):
        results = {Path(row["photo"]).name: row.get("probabilities") or row["problem"] for row in rows}
        assert_same(results, expected)
    assert not (tmp_path.parent / "plain.jpg").exists()
