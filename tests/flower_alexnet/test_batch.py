"""Classifying many photos gives a row for each, also for a file that is no photo."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from flower_alexnet import FlowerClassifier, batch
from flower_alexnet.batch import PhotoFile, TooManyPhotos
from tests.support.photos import drawn_flower


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "flower.jpg"
    drawn_flower("tulips").save(file)
    return file


def test_rows_are_in_order_and_bad_photos_say_why(random_model: Path, tmp_path: Path, photo: Path) -> None:
    (tmp_path / "bad.jpg").write_text("no picture")
    files = ["flower.jpg", "bad.jpg", "missing.jpg", "flower.jpg"] * 12  # more than one batch
    classifier = FlowerClassifier.from_pretrained(random_model)
    rows = list(batch.classify_each(classifier, [PhotoFile(name, tmp_path / name) for name in files], thumbnails=True))
    assert [row.name for row in rows] == files
    for row in rows:
        if row.name == "flower.jpg":
            assert row.prediction is not None
            assert row.prediction.probabilities == pytest.approx(classifier(photo).probabilities, abs=1e-6)
            assert row.thumbnail is not None
        else:
            assert row.prediction is None
            assert row.name in (row.problem or "")


def test_zips_are_read_without_being_unpacked(random_model: Path, tmp_path: Path, photo: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.ZIP", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(photo, "folder/one.jpg")
        archive.write(photo, "../../outside.jpg")
        archive.writestr("__MACOSX/._one.jpg", b"")
        archive.writestr(".hidden", b"")
        archive.writestr("inner.zip", b"")
        archive.writestr("large.jpg", bytes(batch.MAX_MEMBER + 1))
        archive.writestr("note.txt", b"text")
    before = set(tmp_path.rglob("*"))
    photos = batch.collect([("photos.ZIP", tmp_path / "photos.ZIP")], limit=10)
    rows = {row.name: row for row in batch.classify_each(FlowerClassifier.from_pretrained(random_model), photos)}
    assert set(tmp_path.rglob("*")) == before
    assert rows["photos.ZIP/folder/one.jpg"].prediction
    assert rows["photos.ZIP/../../outside.jpg"].prediction
    problems = {name.partition("/")[2]: row.problem for name, row in rows.items() if row.problem}
    assert set(problems) == {"inner.zip", "large.jpg", "note.txt"}
    assert "zip inside a zip" in problems["inner.zip"]
    assert "larger than" in problems["large.jpg"]
    assert "note.txt is not a picture" in problems["note.txt"]


def test_damaged_and_empty_zips_are_rows(random_model: Path, tmp_path: Path, photo: Path) -> None:
    (tmp_path / "text.zip").write_text("no zip")
    zipfile.ZipFile(tmp_path / "empty.zip", "w").close()
    with zipfile.ZipFile(tmp_path / "bad.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(photo, "one.jpg")
    content = bytearray((tmp_path / "bad.zip").read_bytes())
    content[60:90] = bytes(30)
    (tmp_path / "bad.zip").write_bytes(content)
    names = ["text.zip", "empty.zip", "bad.zip"]
    photos = batch.collect([(name, tmp_path / name) for name in names], limit=10)
    rows = list(batch.classify_each(FlowerClassifier.from_pretrained(random_model), photos))
    assert ["not a zip" in (row.problem or "") for row in rows] == [True, False, False]
    assert "no file in empty.zip" in (rows[1].problem or "")
    assert "damaged" in (rows[2].problem or "")


def test_more_photos_than_the_limit_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(11):
            archive.writestr(f"{number}.jpg", b"")
    with pytest.raises(TooManyPhotos, match="more than 10"):
        batch.collect([("many.zip", tmp_path / "many.zip")], limit=10)
