"""Labelling a collection: Ray gives the same rows as one process, and a resumed run the same as an unbroken one."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from flower_alexnet import LABELS, AlexNet, Config, FlowerClassifier, collection
from flower_alexnet.__main__ import main
from flower_alexnet.collection import InvalidCollection
from flower_alexnet.model_folder import identity
from tests.support import PROJECT
from tests.support.photos import drawn_flower


@pytest.fixture
def photo_folder(flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of 100 drawn flowers, a damaged one and a file that is no picture; set parts of 16 rows."""
    monkeypatch.setattr(collection, "PART_SIZE", 16)
    folder = Path(shutil.copytree(flowers, tmp_path / "photos"))
    (folder / "note.txt").write_text("no picture")
    (folder / "damaged.jpg").write_text("no picture")
    (folder / ".hidden").write_text("not looked at")
    first = folder / "daisy" / "0.jpg"
    first.rename(folder / ".moved")
    first.symlink_to(folder / ".moved")
    return folder


def rows(file: Path) -> list[dict]:
    return pq.read_table(file).to_pylist()


def test_each_photo_has_a_row(photo_folder: Path, random_model: Path, tmp_path: Path) -> None:
    output = tmp_path / "labels.parquet"
    assert collection.label_collection(str(photo_folder), output, str(random_model)) == (1, 1)
    found = rows(output)
    assert [row["photo"] for row in found] == sorted(row["photo"] for row in found)
    assert len(found) == 101
    (damaged,) = [row for row in found if row["problem"]]
    assert "damaged.jpg is not a picture" in damaged["problem"]
    assert damaged["label"] is None
    classifier = FlowerClassifier.from_pretrained(random_model)
    for row in [row for row in found if row["label"]][::20]:
        expected = classifier(row["photo"])
        assert row["label"] == expected.label
        assert row["probabilities"] == pytest.approx(expected.probabilities, abs=1e-6)
    assert list(tmp_path.glob("labels*")) == [output]


def test_stopped_run_is_resumed(
    photo_folder: Path, random_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = str(photo_folder)
    collection.label_collection(source, tmp_path / "whole.parquet", str(random_model))
    output, labelled = tmp_path / "labels.parquet", []

    class Stops(collection.Labeler):
        def __call__(self, photos: Any) -> pa.Table:
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
    assert collection.label_collection(f"{bucket}/*.jpg", tmp_path / "labels.parquet", str(random_model)) == (0, 0)
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


def test_text_beside_photos_is_passed_over_and_counted(
    flowers: Path, random_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As LICENSE.txt in flower_photos; a picture without a suffix is one by its content."""
    folder = tmp_path / "flower_photos"
    shutil.copytree(flowers / "roses", folder)
    (folder / "LICENSE.txt").write_text("CC BY 2.0")
    (folder / "0.jpg").rename(folder / "without suffix")
    for hidden in (".git", "__MACOSX"):
        shutil.copytree(flowers / "daisy", folder / hidden)
    output = tmp_path / "labels.parquet"
    assert main(["label", str(folder), "--output", str(output), "--model", str(random_model)]) == 0
    assert capsys.readouterr().err == "Passed over 1 file that is no picture.\n"
    assert {Path(row["photo"]).name for row in rows(output)} == {"without suffix", *(f"{i}.jpg" for i in range(1, 20))}


def test_output_inside_the_collection_is_never_labelled(
    photo_folder: Path, random_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its parts, when a stopped run continues, nor the output itself."""
    output = photo_folder / "labels.parquet"

    class Stops(collection.Labeler):
        calls = 0

        def __call__(self, photos: Any) -> pa.Table:
            Stops.calls += 1
            if Stops.calls == 4:
                raise KeyboardInterrupt
            return super().__call__(photos)

    monkeypatch.setattr(collection, "Labeler", Stops)
    with pytest.raises(KeyboardInterrupt):
        collection.label_collection(str(photo_folder), output, str(random_model))
    kept = sorted((photo_folder / "labels.parquet.parts").iterdir())
    assert len(kept) == 3
    shutil.copyfile(photo_folder / "roses" / "0.jpg", kept[0].with_name("photo.jpg"))  # a picture among the parts
    assert collection.label_collection(str(photo_folder), output, str(random_model)) == (1, 1)
    assert len(rows(output)) == 101
    assert not [row for row in rows(output) if "labels.parquet" in row["photo"]]
    assert output not in map(Path, collection.list_photos(str(photo_folder), output).photos)


def label(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "flower_alexnet", "label", *arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")} | variables
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("ray", ["nosuchhost.invalid:6379", "nowhere"])
def test_no_ray_cluster_is_told_at_once_and_leaves_nothing(ray: str, flowers: Path, tmp_path: Path) -> None:
    start = time.monotonic()
    done = label(flowers, "--output", tmp_path / "new" / "labels.parquet", "--ray", ray)
    assert time.monotonic() - start < 40  # most of it for imports
    assert done.returncode == 2
    assert done.stderr.startswith(f"There is no Ray cluster to use at {ray}: ")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_ray_cluster_is_told_in_bounded_time(
    flowers: Path, random_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collection, "CONNECTING", 3)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it accepts and says nothing
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(InvalidCollection, match=r"no answer within 3 seconds.*RAY_AUTH_MODE=token"):
            collection.label_collection(str(flowers), tmp_path / "labels.parquet", str(random_model), ray=address)
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(InvalidCollection, match=f"no Ray cluster to use at {address}"):
            collection.label_collection(str(flowers), tmp_path / "labels.parquet", str(random_model), ray="auto")
    assert list(tmp_path.iterdir()) == []


def test_own_model_reaches_the_workers_of_a_cluster(flowers: Path, random_model: Path, tmp_path: Path) -> None:
    """Of one that asks for a token and was started elsewhere; without the token, one line says what to set."""
    ray, token = shutil.which("ray", path=Path(sys.executable).parent), "5" * 64
    assert ray is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    home, model = tmp_path / "home", tmp_path / "runs" / "x"
    home.mkdir()
    shutil.copytree(random_model, model)
    ours = {"HOME": str(home), "RAY_TMPDIR": str(home), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    command = [ray, "start", "--head", "--block", "--port", address.partition(":")[2], "--include-dashboard=false"]
    command += ["--num-cpus=1", f"--temp-dir=/tmp/ray-{os.getpid()}"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    environment.pop("PYTHONPATH", None)
    head = subprocess.Popen(
        command, cwd=home, env={**environment, **ours}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(120):
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", int(address.partition(":")[2]))) == 0:
                    break
            time.sleep(0.5)
        output = tmp_path / "labels.parquet"
        arguments = (
            flowers / "roses",
            "--output",
            output,
            "--ray",
            address,
            "--model",
            os.path.relpath(model, PROJECT),
        )
        done = label(*arguments, "--model", os.path.relpath(model, PROJECT), **ours)
        assert (done.returncode, done.stderr) == (0, "")
        classifier = FlowerClassifier.from_pretrained(model)
        found = rows(output)
        assert len(found) == 20
        assert found[7]["probability"] == pytest.approx(classifier(found[7]["photo"]).probability, abs=1e-6)
    finally:
        head.terminate()
        head.wait(60)
        shutil.rmtree(f"/tmp/ray-{os.getpid()}", ignore_errors=True)


@pytest.mark.parametrize("name", ["labels.csv", "labels.json"])
def test_name_of_another_format_is_refused(name: str, flowers: Path, random_model: Path, tmp_path: Path) -> None:
    with pytest.raises(collection.InvalidCollection, match=f"{name} would be a Parquet file.*to_csv"):
        collection.label_collection(str(flowers), tmp_path / name, str(random_model))
    assert list(tmp_path.iterdir()) == []


def test_output_that_cannot_be_written_is_told_in_one_line(
    flowers: Path, random_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    output = tmp_path / "file" / "folder" / "labels.parquet"
    assert main(["label", str(flowers), "--output", str(output), "--model", str(random_model)]) == 2
    error = capsys.readouterr().err
    assert "cannot be written" in error
    assert len(error.splitlines()) == 1
    assert (tmp_path / "file").read_text() == "mine"


def test_a_run_that_labelled_nothing_leaves_nothing(
    flowers: Path, random_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stops(collection.Labeler):
        def __call__(self, photos: Any) -> pa.Table:
            raise KeyboardInterrupt

    monkeypatch.setattr(collection, "Labeler", Stops)
    with pytest.raises(KeyboardInterrupt):
        collection.label_collection(str(flowers), tmp_path / "new" / "labels.parquet", str(random_model))
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_says_that_the_same_command_continues(random_model: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    flower = drawn_flower("roses")
    for number in range(1000):
        flower.save(photos / f"{number:03}.bmp")
    output = tmp_path / "labels.parquet"
    command = [sys.executable, "-m", "flower_alexnet", "label", str(photos), "--output", str(output)]
    command += ["--model", str(random_model)]
    with subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True) as process:
        while not list(tmp_path.glob("labels.parquet.parts/*.parquet")):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error == "Stopped. The same command continues where it stopped.\n"
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout == f"{output}\n"
    assert len(rows(output)) == 1000


def model_of(folder: Path, labels: tuple[str, ...], seed: int = 0) -> Path:
    torch.manual_seed(seed)
    AlexNet(len(labels)).save_pretrained(folder, config=Config(labels=labels, num_classes=len(labels)))
    return folder


def test_classes_may_have_the_names_of_columns(flowers: Path, tmp_path: Path) -> None:
    labels = ("photo", "problem", "label", "probability", "path", "probabilities", "in_distribution")
    model = model_of(tmp_path / "model", labels)
    assert collection.label_collection(f"{flowers}/roses/*", tmp_path / "x.parquet", str(model)) == (0, 0)
    found = rows(tmp_path / "x.parquet")
    assert len(found) == 20
    assert tuple(found[0]["probabilities"]) == labels
    assert found[0]["probabilities"][found[0]["label"]] == found[0]["probability"]
    assert found[0]["photo"].endswith("roses/0.jpg")


def stop_after(monkeypatch: pytest.MonkeyPatch, parts: int) -> None:
    """Have the labeler stop as Ctrl-C does after some parts of 16 rows."""
    calls = []

    class Stops(collection.Labeler):
        def __call__(self, photos: Any) -> pa.Table:
            calls.append(1)
            if len(calls) > parts:
                raise KeyboardInterrupt
            return super().__call__(photos)

    monkeypatch.setattr(collection, "Labeler", Stops)


def test_model_is_known_by_its_contents(photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of the model that was in the folder before are not mixed with those of the one that is there now."""
    model, output = model_of(tmp_path / "model", LABELS), tmp_path / "x.parquet"
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            collection.label_collection(str(photo_folder), output, str(model))
    moved = model.rename(tmp_path / "moved")
    model_of(model, LABELS, seed=1)
    with pytest.raises(InvalidCollection, match="another collection or model"):
        collection.label_collection(str(photo_folder), output, str(model))
    assert collection.label_collection(str(photo_folder), output, str(moved)) == (1, 1)
    assert pq.read_schema(output).metadata[b"model"].decode() == identity(moved)
    assert identity(model) != identity(moved)


def test_parts_of_an_earlier_layout_are_told(photo_folder: Path, random_model: Path, tmp_path: Path) -> None:
    parts = tmp_path / "x.parquet.parts"
    parts.mkdir()
    old = pa.table({"photo": ["a.jpg"], "label": ["roses"], "roses": [1.0], "problem": [None]})
    pq.write_table(old.replace_schema_metadata({"model": "alexnet", "source": "photos"}), parts / "000000.parquet")
    with pytest.raises(InvalidCollection, match=r"earlier version.*Delete that folder"):
        collection.label_collection(str(photo_folder), tmp_path / "x.parquet", str(random_model))
    assert (parts / "000000.parquet").exists()


def test_second_run_to_an_output_says_so(photo_folder: Path, random_model: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.parquet"
    parts = tmp_path / "x.parquet.parts"
    with collection._writing(output, parts):
        with pytest.raises(InvalidCollection, match="Another run is writing"):
            collection.label_collection(str(photo_folder), output, str(random_model))
        assert parts.is_dir()
    assert collection.label_collection(str(photo_folder), output, str(random_model)) == (1, 1)
    assert not parts.exists()


def test_chained_addresses_are_read_or_refused(flowers: Path, random_model: Path, tmp_path: Path) -> None:
    """Photos inside a zip at an address, and in a folder that is the root of a file system."""
    archive = shutil.make_archive(str(tmp_path / "photos"), "zip", flowers / "roses")
    for number, source in enumerate((f"zip://*.jpg::file://{archive}", f"dir://*.jpg::file://{flowers}/tulips")):
        output = tmp_path / f"{number}.parquet"
        try:
            labelled = collection.label_collection(source, output, str(random_model))
        except InvalidCollection as error:
            assert "Copy the photos to a folder first" in str(error)
            assert not output.exists()
        else:
            assert labelled == (0, 0)
            assert len(rows(output)) == 20
    assert len(rows(tmp_path / "0.parquet")) == 20  # of the zip


def test_file_addresses_home_and_brackets(
    flowers: Path, random_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copytree(flowers / "roses", tmp_path / "trip [2024]")
    sources = ("~/trip [2024]", f"{tmp_path}/trip [2024]/*.jpg", (tmp_path / "trip [2024]").as_uri())
    for number, source in enumerate(sources):
        assert collection.label_collection(source, tmp_path / f"{number}.parquet", str(random_model)) == (0, 0)
        assert len(rows(tmp_path / f"{number}.parquet")) == 20
