"""The command line, python -m flower_alexnet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from zipfile import ZipFile

import pyarrow.parquet as pq
import pytest

from flower_alexnet import __version__, batch
from flower_alexnet.__main__ import main
from tests.support import PROJECT
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


def test_addresses_that_are_no_photos(
    tmp_path: Path, random_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "MAX_MEMBER", 100_000)
    drawn_flower("roses").save(tmp_path / "rose.jpg")
    (tmp_path / "large.jpg").write_bytes(bytes(100_001))
    with ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.write(tmp_path / "rose.jpg", "rose.jpg")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"HTTP://127.0.0.1:{server.server_port}"
        photos = [f"{url}/{name}" for name in ("rose.jpg", "large.jpg", "photos.zip")]
        assert main(["classify", *photos, "--model", str(random_model), "--json"]) == 2
        server.shutdown()
    output = capsys.readouterr()
    assert names(output.out) == [photos[0]]
    large, zipped = [line for line in output.err.splitlines() if line.startswith(url)]  # beside the server's log
    assert large.startswith(f"{photos[1]} is larger than")
    assert "Download it" in large
    assert zipped.startswith(f"{photos[2]} is a zip. Download it")


def test_names_that_are_no_plain_paths(
    tmp_path: Path, random_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the home folder, as an address, with brackets, too long, and of a zip that is not there."""
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "trip [2024]"
    folder.mkdir()
    drawn_flower("roses").save(folder / "rose.png")
    model = ["--model", str(random_model), "--json"]
    photo = str(folder / "rose.png")
    for source in ("~/trip [2024]", f"{folder}/*.png", (folder / "rose.png").as_uri(), f"{tmp_path}/*/rose.png"):
        assert main(["classify", source, *model]) == 0
        assert names(capsys.readouterr().out) == [photo]
    long, gone, pattern = "x" * 300, str(tmp_path / "nope.zip"), f"{tmp_path}/none[1]*.png"
    assert main(["classify", photo, long, gone, pattern, *model]) == 2
    output = capsys.readouterr()
    assert names(output.out) == [photo]
    too_long, no_zip, no_match = output.err.splitlines()
    assert too_long.endswith("cannot be read: File name too long.")
    assert no_zip == f"There is no file {gone}. Check its name."
    assert no_match.startswith(f"No file matches {pattern}. In a pattern, [ stands for")
    assert main(["label", long, "--output", str(tmp_path / "x.parquet"), *model[:2]]) == 2
    assert main(["label", photo, "--output", str(tmp_path / f"{long}.parquet"), *model[:2]]) == 2
    assert "cannot be written: File name too long" in capsys.readouterr().err


def test_zip_that_is_not_there_leaves_no_stack_trace(tmp_path: Path, random_model: Path) -> None:
    code, out, err = run("classify", tmp_path / "nope.zip", "--model", random_model)
    assert (code, out) == (2, "")
    assert err == f"There is no file {tmp_path / 'nope.zip'}. Check its name.\n"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"flower-alexnet {__version__}\n"


def test_unknown_model_is_told_at_once_with_those_there_are(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", photo, "--model", "alexnet-xl"]) == 2
    assert "alexnet, alexnet-bn, alexnet-baseline" in capsys.readouterr().err


def test_unknown_device(photo: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["classify", photo, "--device", "toaster"])
    assert "no device toaster" in capsys.readouterr().err


CONSOLES = {
    "Windows": {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
    "Latin-1": {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "UTF-8": {"LC_ALL": "C.UTF-8"},
}
"""Console -> environment variables that make one."""


def run(*arguments: str | bytes | Path, console: str = "UTF-8") -> tuple[int, str, str]:
    """Run the command in a process of its own; return its exit code and what it wrote to stdout and stderr."""
    command = [sys.executable, "-m", "flower_alexnet", *arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "PYTHON"))}
    done = subprocess.run(command, cwd=PROJECT, env=environment | CONSOLES[console], capture_output=True)
    return done.returncode, done.stdout.decode("ascii", "replace"), done.stderr.decode("ascii", "replace")


@pytest.fixture
def odd_names(tmp_path: Path) -> Path:
    """Return a folder of photos whose names are Chinese, Latin-1, that of a URL of fsspec, and a pattern."""
    folder = tmp_path / "photos"
    folder.mkdir()
    drawn_flower("roses").save(folder / "a::b.png")
    content = (folder / "a::b.png").read_bytes()
    for name in ("玫瑰.png".encode(), b"caf\xe9.png", b"[1]*.png", b"escape\x1b]0;x.png"):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(content)
    return folder


@pytest.mark.parametrize("console", CONSOLES)
def test_names_and_consoles_of_any_encoding(console: str, odd_names: Path, random_model: Path, tmp_path: Path) -> None:
    broken = Path(os.fsdecode(os.fsencode(odd_names) + b"/broken \xe9.png"))
    broken.write_text("no picture")
    for options in ((), ("--json",)):
        code, out, err = run("classify", odd_names, "--model", random_model, *options, console=console)
        assert (code, err.count("\n")) == (2, 1)
        assert "broken \\xe9.png is not a picture" in err
        assert "\x1b" not in out
    names = [Path(row["photo"]).name for row in json.loads(out)]
    assert sorted(names) == sorted(["a::b.png", "玫瑰.png", "caf\\xe9.png", "[1]*.png", "escape\x1b]0;x.png"])
    output = Path(os.fsdecode(os.fsencode(tmp_path) + b"/l\xe9.parquet"))
    code, out, err = run("label", odd_names, "--output", output, "--model", random_model, console=console)
    assert (code, err) == (2, "1 photo could not be labelled; see the column problem.\n")
    with output.open("rb") as file:
        found = {Path(row["photo"]).name: row["problem"] for row in pq.read_table(file).to_pylist()}
    assert sorted(found) == sorted([*names, "broken \\xe9.png"])
    assert "broken \\xe9.png is not a picture" in found["broken \\xe9.png"]


def test_files_of_odd_names_one_by_one(
    odd_names: Path, random_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not taken for addresses or patterns where there are such files."""
    model = ["--model", str(random_model)]
    for number, file in enumerate(sorted(odd_names.iterdir())):
        assert main(["classify", str(file), *model]) == 0
        output = tmp_path / f"{number}.parquet"
        assert main(["label", str(file), "--output", str(output), *model]) == 0
        assert pq.read_metadata(output).num_rows == 1
    missing = os.fsdecode(os.fsencode(tmp_path) + b"/none \xe9")
    assert main(["label", missing, "--output", str(tmp_path / "x.parquet"), *model]) == 2
    assert f"There is no file at {tmp_path}/none \\xe9." in capsys.readouterr().err
