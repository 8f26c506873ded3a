"""One walk through a folder: links are followed, loops end, and folders that cannot be read are told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from flower_alexnet.__main__ import main
from flower_alexnet.files import walk
from tests.support.photos import drawn_flower


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with photos in it, in a linked folder outside, and below links that lead back."""
    folder, outside = tmp_path / "photos", tmp_path / "outside" / "inner"
    (folder / "b").mkdir(parents=True)
    outside.mkdir(parents=True)
    for file in (folder / "one.png", folder / "b" / "two.png", outside / "three.png"):
        drawn_flower("roses").save(file)
    (folder / "linked").symlink_to(outside.parent)
    (folder / "a link to b").symlink_to(folder / "b")
    (folder / "b" / "up").symlink_to(folder)
    (outside / "back").symlink_to(outside.parent)
    (folder / "itself").symlink_to(folder / "itself")
    (folder / "photo.png").symlink_to(outside / "three.png")
    (folder / "gone.png").symlink_to(folder / "nowhere")
    for hidden in ("__MACOSX", "@eaDir", ".git"):
        (folder / "b" / hidden).mkdir()
        drawn_flower("daisy").save(folder / "b" / hidden / "x.png")
    os.mkfifo(folder / "pipe.png")
    return folder


def test_links_are_followed_and_loops_end(folder: Path) -> None:
    files, unreadable = walk(folder)
    names = ["b/two.png", "gone.png", "itself", "linked/inner/three.png", "one.png", "photo.png"]
    assert files == [str(folder / name) for name in names]
    assert unreadable == []


def closed(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Make a folder unreadable, for whoever may read everything as well."""
    original = os.scandir

    def scandir(path: Any = ".") -> Any:
        if path == str(folder):
            raise PermissionError(13, "Permission denied", str(path))
        return original(path)

    folder.chmod(0)
    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(os, "access", lambda *_: False)


def test_unreadable_folder_is_told(
    folder: Path,
    random_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (folder / "gone.png").unlink()
    (folder / "itself").unlink()
    closed(monkeypatch, folder / "b")
    assert walk(folder).unreadable == [str(folder / "b")]
    assert main(["classify", str(folder), "--model", str(random_model)]) == 2
    output = capsys.readouterr()
    assert f"The folder {folder / 'b'} cannot be read" in output.err
    assert "three.png" in output.out
    command = ["label", str(folder), "--output", str(tmp_path / "x.parquet"), "--model", str(random_model)]
    assert main(command) == 2
    assert capsys.readouterr().err == "1 photo could not be labelled; see the column problem.\n"
    rows = {row["photo"]: row["problem"] for row in pq.read_table(tmp_path / "x.parquet").to_pylist()}
    assert "cannot be read" in rows.pop(str(folder / "b"))
    assert list(rows) == [str(folder / name) for name in ("linked/inner/three.png", "one.png", "photo.png")]
    assert set(rows.values()) == {None}
