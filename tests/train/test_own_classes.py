"""python -m train on other classes than the five flowers, and on few photos of them, from folders to answers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from flower_alexnet import LABELS, FlowerClassifier
from tests.support import PROJECT
from tests.support.commands import run_module
from tests.support.photos import SHAPES, drawn_dataset
from train import checkpoint
from train.data import InvalidDataset, load_tensors
from train.recipes import Recipe

SMALL = ("--size", "64", "--inference-size", "None", "--resize", "72", "--batch-size", "16")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the decoded photos of this file's runs."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset of circles, squares and stripes, 20 drawn photos each."""
    return drawn_dataset(tmp_path_factory.mktemp("data") / "shapes", 20)


def run(cache: Path, module: str, *arguments: object, **changes: str) -> subprocess.CompletedProcess[str]:
    return run_module(module, *arguments, environment={**os.environ, "XDG_CACHE_HOME": str(cache), **changes})


def train(cache: Path, data: Path, output: Path, *options: object, recipe: str = "alexnet-baseline") -> Any:
    return run(cache, "train", recipe, "--data", data, "--output", output, "--epochs", 2, *SMALL, *options)


def decoded(cache: Path) -> set[Path]:
    return set(cache.rglob("decoded-*"))


def refused(result: subprocess.CompletedProcess[str]) -> str:
    """Return the one line of a refusal."""
    assert result.returncode == 2, result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    return result.stderr


def metrics_of(model: Path) -> dict[str, Any]:
    def no_constant(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads((model / "metrics.json").read_text(), parse_constant=no_constant)


@pytest.fixture(scope="module")
def model(cache: Path, shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the model folder of a run on the shapes."""
    output = tmp_path_factory.mktemp("runs") / "shapes-model"
    result = train(cache, shapes, output)
    assert result.returncode == 0, result.stderr
    assert all(label in result.stdout for label in SHAPES)
    return output


def test_model_knows_the_folders_classes(model: Path, shapes: Path) -> None:
    classifier = FlowerClassifier.from_pretrained(model)
    assert classifier.config.labels == SHAPES
    assert classifier.network.classifier[-1].out_features == 3
    assert list(classifier(shapes / "circles" / "0.png").probabilities) == list(SHAPES)
    metrics = metrics_of(model)
    dataset = metrics["dataset"]
    assert (dataset["name"], dataset["labels"], dataset["split_by"]) == ("shapes", list(SHAPES), "names")
    assert metrics["training"]["photos"] == 48
    for part in ("validation", "test"):
        assert {label: row["count"] for label, row in metrics[part]["per_class"].items()} == dict.fromkeys(SHAPES, 2)


def test_model_is_evaluated_on_its_classes(model: Path, shapes: Path, cache: Path) -> None:
    result = run(cache, "train.evaluate", "--model", model, "--data", shapes, "--json")
    assert result.returncode == 0, result.stderr
    measured, stated = json.loads(result.stdout), metrics_of(model)["test"]
    assert measured["confusion_matrix"] == stated["confusion_matrix"]
    assert measured["per_class"] == stated["per_class"]
    report = run(cache, "train.evaluate", "--model", model, "--data", shapes, "--split", "all").stdout
    assert "of 60 photos" in report
    again = run(cache, "train.export", "measure", shutil.copytree(model, model.parent / "again"), "--data", shapes)
    assert again.returncode == 0, again.stderr
    assert metrics_of(model.parent / "again")["dataset"] == metrics_of(model)["dataset"]


def test_command_of_the_card_gives_the_same_weights(model: Path, shapes: Path, cache: Path, tmp_path: Path) -> None:
    """It is run as it is printed, where the folder of the photos is."""
    (line,) = re.findall(r"^python -m train .*$", (model / "README.md").read_text(), re.MULTILINE)
    (tmp_path / "shapes").symlink_to(shapes)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(PROJECT), "XDG_CACHE_HOME": str(cache)}
    again = subprocess.run(
        line, shell=True, executable="/bin/bash", cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert again.returncode == 0, again.stderr
    output = tmp_path / "runs" / model.name
    assert metrics_of(output)["recipe"] == metrics_of(model)["recipe"]
    weights = [load_file(folder / "model.safetensors") for folder in (output, model)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])


def test_model_is_not_measured_again_on_other_photos(model: Path, shapes: Path, cache: Path, tmp_path: Path) -> None:
    """Its test photos may have been trained on."""
    copy = Path(shutil.copytree(model, tmp_path / "model"))
    others = Path(shutil.copytree(shapes, tmp_path / "others"))
    for number in (20, 21):
        shutil.copy(shapes / "circles" / "0.png", others / "circles" / f"{number}.png")
    before = (copy / "metrics.json").read_bytes()
    message = refused(run(cache, "train.export", "measure", copy, "--data", others))
    assert "was trained on other photos than those of" in message
    assert (copy / "metrics.json").read_bytes() == before
    assert run(cache, "train.evaluate", "--model", copy, "--data", others).returncode == 0


@pytest.mark.parametrize("command", ["evaluate", "export"])
def test_model_is_not_evaluated_on_other_classes(
    command: str, model: Path, flowers: Path, shapes: Path, cache: Path
) -> None:
    for name, data, knows, show in (
        (model, flowers, SHAPES, LABELS),
        (PROJECT / "weights" / "alexnet-baseline", shapes, LABELS, SHAPES),
    ):
        if command == "export" and name != model:
            continue  # no test may put a shipped model at risk
        arguments = ("train.evaluate", "--model", name) if command == "evaluate" else ("train.export", "measure", name)
        message = refused(run(cache, *arguments, "--data", data))
        assert f"The model knows {', '.join(knows)}, but the photos show {', '.join(show)}." in message


def test_teacher_of_other_classes_is_refused_before_anything_is_decoded(
    shapes: Path, cache: Path, tmp_path: Path
) -> None:
    before = decoded(cache)
    message = refused(train(cache, shapes, tmp_path / "run", "--no-others", recipe="alexnet"))
    assert "teacher: alexnet-bn knows daisy" in message
    assert "but the photos show circles, squares, stripes. Train without a teacher (--teacher None)" in message
    assert decoded(cache) == before
    assert not (tmp_path / "run").exists()


def test_recipe_trains_without_its_teacher_and_with_one_of_these_classes(
    shapes: Path, model: Path, cache: Path, tmp_path: Path
) -> None:
    """The refusal's two ways out work as it says."""
    small = ("--no-others", "--initial-size", "None", "--mix-prob", "1", "--epochs", "1")
    result = train(cache, shapes, tmp_path / "none", *small, "--teacher", "None", recipe="alexnet")
    assert result.returncode == 0, result.stderr
    assert metrics_of(tmp_path / "none")["recipe"]["teacher"] is None
    result = train(cache, shapes, tmp_path / "own", *small, "--teacher", model, recipe="alexnet")
    assert result.returncode == 0, result.stderr
    assert metrics_of(tmp_path / "own")["recipe"]["teacher"] == str(model)


def test_run_is_not_resumed_with_other_photos_or_classes(shapes: Path, cache: Path, tmp_path: Path) -> None:
    """The run to resume is stopped after its last epoch, before it writes its model."""
    output = tmp_path / "run"
    code = "import sys, train.__main__ as it; it.export.write_model_folder = lambda *_: sys.exit(1); it.main()"
    options = ("alexnet-baseline", "--data", str(shapes), "--output", str(output), "--epochs", "2", *SMALL)
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    stopped = subprocess.run([sys.executable, "-c", code, *options], cwd=PROJECT, env=environment)
    assert stopped.returncode == 1
    assert (output / checkpoint.NAME).is_file()

    others = shutil.copytree(shapes, tmp_path / "others")
    shutil.copy(shapes / "circles" / "0.png", others / "circles" / "20.png")
    before = decoded(cache)
    assert "holds a run on other photos than those given" in refused(train(cache, others, output, "--resume"))
    assert decoded(cache) == before
    shutil.copytree(shapes / "circles", others / "dots")
    message = refused(train(cache, others, output, "--resume"))
    assert "holds a run of the classes circles, squares, stripes, but the data have circles, dots, squares" in message
    assert decoded(cache) == before


def test_three_photos_a_class_train(cache: Path, tmp_path: Path) -> None:
    """One photo of each class is trained on, all in one incomplete batch; one validates and one tests."""
    data = drawn_dataset(tmp_path / "data", 3)
    options = ("--batch-norm", "--mix-prob", "1", "--ema-decay", "0.998", "--zoom-out-prob", "0.5")
    result = train(cache, data, tmp_path / "run", *options)
    assert result.returncode == 0, result.stderr
    metrics = metrics_of(tmp_path / "run")
    assert metrics["training"]["photos"] == 3
    assert metrics["test"]["photos"] == metrics["validation"]["photos"] == 3
    assert metrics["validation"]["in_distribution"] == 1  # there is no threshold
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert 0.2 <= config["temperature"] <= 20
    assert config["threshold"] is None
    FlowerClassifier.from_pretrained(tmp_path / "run")(data / "circles" / "0.png")


def test_few_photos_go_to_two_processes(cache: Path, tmp_path: Path) -> None:
    """Nine photos to train on: each process takes four of a batch of eight."""
    data = drawn_dataset(tmp_path / "data", 5)
    launch = ("torch.distributed.run", "--nproc_per_node", "2", "-m", "train", "alexnet-baseline", "--data", data)
    options = ("--epochs", "2", *SMALL, "--batch-norm", "--mix-prob", "1")
    result = run(cache, *launch, "--output", tmp_path / "run", *options, ACCELERATE_MIXED_PRECISION="no")
    assert result.returncode == 0, result.stderr
    assert metrics_of(tmp_path / "run")["training"]["photos"] == 9


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_photos_are_one_line(count: int, shapes: Path, cache: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(shapes, data)
    for number in range(count, 20):
        (data / "squares" / f"{number}.png").unlink()
    message = refused(train(cache, data, tmp_path / "run"))
    assert f"squares has {count} photo{'s' * (count > 1)}; at least 3 are needed" in message
    assert not (tmp_path / "run").exists()


def test_parts_made_by_others_are_trained_validated_and_tested_on(shapes: Path, cache: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for part, numbers in (("train", range(8)), ("val", range(8, 9)), ("test", range(9, 12))):
        for label in SHAPES[:2]:
            (data / part / label).mkdir(parents=True)
            for number in numbers:
                shutil.copy(shapes / label / f"{number}.png", data / part / label)
    (data / "__MACOSX" / "train").mkdir(parents=True)
    result = train(cache, data, tmp_path / "run")
    assert result.returncode == 0, result.stderr
    metrics = metrics_of(tmp_path / "run")
    assert [metrics["training"]["photos"], *(metrics[part]["photos"] for part in ("validation", "test"))] == [16, 2, 6]
    dataset = metrics["dataset"]
    assert (dataset["name"], dataset["labels"], dataset["split_by"]) == ("data", list(SHAPES[:2]), "folders")
    assert "The folder came split" in (tmp_path / "run" / "README.md").read_text()


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_part_whose_photos_are_all_damaged_is_one_line(part: str, shapes: Path, cache: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for folder in ("train", "val", "test"):
        for label in SHAPES:
            (data / folder / label).mkdir(parents=True)
            for number in range(2):
                (data / folder / label / f"{number}.png").write_bytes(
                    b"no picture" if folder == part else (shapes / label / f"{number}.png").read_bytes()
                )
    name = {"val": "validation"}.get(part, part)
    message = refused(train(cache, data, tmp_path / "run"))
    assert f"No {name} photo can be read. The first of them: 0.png is not a picture of a known format" in message


def test_class_whose_training_photos_are_all_damaged_is_one_line(shapes: Path, cache: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(shapes, data)
    for file in (data / "squares").iterdir():
        file.write_bytes(b"no picture")
    assert "No training photo of squares can be read." in refused(train(cache, data, tmp_path / "run"))


def test_photos_that_cannot_be_read_are_no_tensors(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset, match="None of the photos can be read"):
        load_tensors([], Recipe().preprocessing)


def test_thirty_classes_of_any_name(cache: Path, tmp_path: Path) -> None:
    """Long names, names in other scripts, and characters that mean something to plots and cards."""
    special = ["$5 bill^2 $", "a_b|c", "100%{x}", "山茶花", "<b>bold", "a very long name " * 4 + "of a plant"]
    labels = sorted([*special, *(f"class {number:02}" for number in range(26))])
    for index, label in enumerate(labels):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (80, 80), (index * 8, number * 80, 90)).save(tmp_path / "data" / label / f"{number}.png")
    result = train(cache, tmp_path / "data", tmp_path / "run", "--epochs", "1")
    assert result.returncode == 0, result.stderr
    assert "Warning" not in result.stderr
    assert FlowerClassifier.from_pretrained(tmp_path / "run").config.labels == tuple(labels)
    assert list(metrics_of(tmp_path / "run")["test"]["per_class"]) == labels
    assert all(label in result.stdout for label in labels)
    rows = [line for line in result.stdout.splitlines() if line.startswith("class ")]
    assert len({len(row) for row in rows}) == 1
    plot = Image.open(tmp_path / "run" / "confusion_matrix.png")
    assert 1000 < max(plot.size) < 2500
