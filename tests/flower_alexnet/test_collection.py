"""Labelling a collection: Ray gives the same rows as one process, and a resumed run the same as an unbroken one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pyarrow.parquet as pq
import pytest

from flower_alexnet import FlowerClassifier, collection
from flower_alexnet.__main__ import main
from flower_alexnet.collection import InvalidCollection


@pytest.fixture
def photo_folder(flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of 100 drawn flowers and a file that is no picture; set parts of 16 rows."""
    monkeypatch.setattr(collection, "PART_SIZE", 16)
    folder = Path(shutil.copytree(flowers, tmp_path / "photos"))
    (folder / "note.txt").write_text("no picture")
    (folder / ".hidden").write_text("not looked at")
    first = folder / "daisy" / "0.jpg"
    first.rename(folder / ".moved")
    first.symlink_to(folder / ".moved")
    return folder


def rows(file: Path) -> list[dict]:
    return pq.read_table(file).to_pylist()


def test_each_photo_has_a_row(photo_folder: Path, random_model: Path, tmp_path: Path) -> None:
    output = tmp_path / "labels.parquet"
    assert collection.label_collection(str(photo_folder), output, str(random_model)) == 1
    found = rows(output)
    assert [row["photo"] for row in found] == sorted(row["photo"] for row in found)
    assert len(found) == 101
    (note,) = [row for row in found if row["problem"]]
    assert "note.txt is not a picture" in note["problem"]
    assert note["label"] is None
    classifier = FlowerClassifier.from_pretrained(random_model)
    for row in [row for row in found if row["label"]][::20]:
        expected = classifier(row["photo"])
        assert row["label"] == expected.label
        assert {name: row[name] for name in expected.probabilities} == pytest.approx(expected.probabilities, abs=1e-6)
    assert list(tmp_path.glob("labels*")) == [output]


def test_stopped_run_is_resumed(
    photo_folder: Path, random_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = str(photo_folder)
    collection.label_collection(source, tmp_path / "whole.parquet", str(random_model))
    output, labelled = tmp_path / "labels.parquet", []

    class Stops(collection.Labeler):
        def __call__(self, photos: dict) -> object:
            labelled.extend(photos["photo"])
            if len(labelled) == 48:
                raise KeyboardInterrupt
            return super().__call__(photos)

    with monkeypatch.context() as patch:
        patch.setattr(collection, "Labeler", Stops)
        with pytest.raises(KeyboardInterrupt):
            collection.label_collection(source, output, str(random_model))
        assert not output.exists()
        with pytest.raises(InvalidCollection, match="another collection or model"):
            collection.label_collection(f"{photo_folder}/r*/*", output, str(random_model))
        collection.label_collection(source, output, str(random_model))
    assert len(labelled) == 48 + 101 - 32  # two parts of 16 were kept
    assert rows(output) == rows(tmp_path / "whole.parquet")
    with pytest.raises(InvalidCollection, match="exists already"):
        collection.label_collection(source, output, str(random_model))


def test_ray_gives_the_same_rows(photo_folder: Path, random_model: Path, tmp_path: Path) -> None:
    source = str(photo_folder)
    collection.label_collection(source, tmp_path / "here.parquet", str(random_model))
    collection.label_collection(source, tmp_path / "ray.parquet", str(random_model), ray="local")
    here, there = rows(tmp_path / "here.parquet"), rows(tmp_path / "ray.parquet")
    assert [row["photo"] for row in there] == [row["photo"] for row in here]
    for one, other in zip(here, there, strict=True):
        assert one["label"] == other["label"]
        assert one["problem"] == other["problem"]
        assert one["probability"] == pytest.approx(other["probability"], abs=1e-6)


@pytest.fixture
def bucket(flowers: Path) -> Iterator[str]:
    """Return an address that is not a path of this machine."""
    memory = fsspec.filesystem("memory")
    for photo in (flowers / "roses").iterdir():
        memory.pipe(f"/bucket/{photo.name}", photo.read_bytes())
    yield "memory://bucket"
    memory.rm("/bucket", recursive=True)


def test_photos_may_be_at_any_address(bucket: str, random_model: Path, tmp_path: Path) -> None:
    assert collection.label_collection(f"{bucket}/*.jpg", tmp_path / "labels.parquet", str(random_model)) == 0
    found = rows(tmp_path / "labels.parquet")
    assert len(found) == 20
    assert all(row["photo"].startswith("memory://") for row in found)


def test_command_line(flowers: Path, random_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "labels.parquet"
    command = ["label", str(flowers), "--output", str(output), "--model", str(random_model)]
    assert main(command) == 0
    assert len(rows(output)) == 100
    assert main(command) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["label", str(tmp_path / "nothing"), "--output", str(tmp_path / "x.parquet")]) == 2
    assert "There is no file" in capsys.readouterr().err
    assert main(["label", "nowhere://x", "--output", str(tmp_path / "x.parquet")]) == 2
    assert "cannot be read" in capsys.readouterr().err
