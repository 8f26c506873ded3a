"""The command line, python -m flower_alexnet."""

from __future__ import annotations

import json
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from zipfile import ZipFile

import pytest

from flower_alexnet import __version__
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


def names(output: str) -> list[str]:
    return [row["photo"] for row in json.loads(output)]


def test_folders_zips_and_patterns(tmp_path: Path, random_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "photos"
    (folder / "inner").mkdir(parents=True)
    drawn_flower("roses").save(folder / "b.png")
    drawn_flower("daisy").save(folder / "inner" / "a.jpg")
    (folder / "inner" / "without suffix").write_bytes((folder / "b.png").read_bytes())
    (folder / "LICENSE.txt").write_text("no picture")
    (folder / ".hidden.png").write_bytes((folder / "b.png").read_bytes())
    with ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.write(folder / "b.png", "in the zip.png")
    model = ["--model", str(random_model), "--json"]
    assert main(["classify", str(folder), *model]) == 0
    output = capsys.readouterr()
    expected = [str(folder / name) for name in ("b.png", "inner/a.jpg", "inner/without suffix")]
    assert names(output.out) == expected
    assert output.err == "Passed over 1 file that is no picture.\n"
    assert (
        main(["classify", str(tmp_path / "*.zip"), str(folder / "**" / "*.jpg"), *model]) == 0
    )  # as Windows leaves it
    assert names(capsys.readouterr().out) == [f"{tmp_path / 'photos.zip'}/in the zip.png", str(folder / "inner/a.jpg")]
    assert main(["classify", str(tmp_path / "*.gif"), *model]) == 2
    assert "No file matches" in capsys.readouterr().err


def test_addresses(tmp_path: Path, random_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn_flower("roses").save(tmp_path / "rose.png")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        command = ["classify", f"{url}/rose.png", f"{url}/none.png", "--model", str(random_model), "--json"]
        assert main(command) == 2
        server.shutdown()
    output = capsys.readouterr()
    assert names(output.out) == [f"{url}/rose.png"]
    assert f"{url}/none.png cannot be downloaded: 404" in output.err
    assert main(["classify", f"{url}/rose.png", "--model", str(random_model)]) == 2  # nobody answers any more
    assert "cannot be downloaded" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"flower-alexnet {__version__}\n"


def test_unknown_model_is_told_at_once_with_those_there_are(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", photo, "--model", "alexnet-xl"]) == 2
    assert "alexnet-bn, alexnet, alexnet-baseline" in capsys.readouterr().err


def test_unknown_device(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["classify", photo, "--device", "toaster"])
    assert "no device toaster" in capsys.readouterr().err
