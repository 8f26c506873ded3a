"""The command line, python -m flower_alexnet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flower_alexnet.__main__ import main
from tests.support.photos import drawn_flower


@pytest.fixture
def photo(tmp_path: Path) -> str:
    file = tmp_path / "rose.jpg"
    drawn_flower("roses").save(file)
    return str(file)


def test_table(photo: str, random_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", photo, "--model", str(random_model), "--top", "3"]) == 0
    output = capsys.readouterr()
    assert output.out.splitlines()[0] == photo
    assert len(output.out.splitlines()) == 5
    assert output.err == ""


def test_json(photo: str, random_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", photo, photo, "--model", str(random_model), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["photo"] for row in rows] == [photo, photo]
    assert sum(entry["probability"] for entry in rows[0]["top"]) == pytest.approx(1)
    assert rows[0]["label"] == rows[0]["top"][0]["label"]


def test_the_other_photos_are_still_classified(
    photo: str, random_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["classify", "missing.jpg", photo, __file__, photo, "--model", str(random_model), "--json"]) == 2
    output = capsys.readouterr()
    assert len(json.loads(output.out)) == 2
    assert len(output.err.splitlines()) == 2
    assert "missing.jpg" in output.err
    assert "not a picture" in output.err


def test_no_such_model(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", photo, "--model", "./no/such/model"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_shipped_models_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    assert "alexnet-baseline (" in capsys.readouterr().out


def test_wrong_count(capsys: pytest.CaptureFixture[str]) -> None:
    for count in ("0", "-1", "many"):
        with pytest.raises(SystemExit, match="2"):
            main(["classify", "x.jpg", "--top", count])
        assert "invalid positive whole number value" in capsys.readouterr().err
