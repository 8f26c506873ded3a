"""A pretrained classifier of timm as a teacher: downloaded, fitted to the photos, kept, and distilled."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save

import train.torchvision_operators  # noqa: F401  (before timm, which imports torchvision)
from tests.support import PROJECT
from tests.support.commands import run_module
from tests.support.hub import File, Repo, serve_hub

timm = pytest.importorskip("timm")

NAME = "test_efficientnet"  # timm's smallest, made for tests; its weights here are random


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Serve a Hub with the weights of one classifier, and return the environment of runs that use it."""
    torch.manual_seed(0)
    network = timm.create_model(NAME)
    with serve_hub() as hub:
        repo = Repo("timm")
        repo.commit({"model.safetensors": File(save(network.state_dict(), {"format": "pt"}), large=True)}, "main")
        hub.repos["model", network.pretrained_cfg["hf_hub_id"]] = repo
        home = tmp_path_factory.mktemp("home")
        yield {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}


OPTIONS = ["--size", "64", "--resize", "64", "--batch-size", "16", "--epochs", "1", "--seed", "3"]


def test_teacher_is_fitted_told_kept_and_distilled(flowers: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    other_things = tmp_path / "others"
    for number in range(6):
        (other_things / f"kind {number}").mkdir(parents=True)
        for photo in range(2):
            source = sorted((flowers / "tulips").iterdir())[2 * number + photo]
            pixels = source.read_bytes() + bytes([number, photo])  # no copy of a photo of a class, byte for byte
            (other_things / f"kind {number}" / f"{photo}.jpg").write_bytes(pixels)
    teacher = ["--teacher", f"timm/{NAME}", "--teacher-epochs", "1", "--distillation-weight"]
    weights = {}
    for share in ("0", "1"):
        result = run_module(
            "train", "alexnet-baseline", "--data", flowers, "--output", tmp_path / share, *OPTIONS, *teacher, share,
            "--outliers", "4", "--others", other_things, environment=environment,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        weights[share] = load_file(tmp_path / share / "model.safetensors")["classifier.6.bias"]
        first_time = share == "0"
        assert ("its last layer fitted: " in result.stderr) is first_time
        assert ("teacher, epoch 1/1: " in result.stderr) is first_time
        assert ("trained on these photos before" in result.stderr) is not first_time
    assert not torch.equal(weights["0"], weights["1"])
    card = (tmp_path / "1" / "README.md").read_text(encoding="utf-8")
    assert f"distilled from timm/{NAME}" in card
    assert f"--teacher timm/{NAME} --teacher-epochs 1" in card


def test_last_layer_separates_what_the_features_do(flowers: Path, environment: dict[str, str], tmp_path: Path) -> None:
    """Even random features tell drawn flowers of different colors."""
    script = f"""
import sys
sys.path.insert(0, ".")
import torch
import train.torchvision_operators
from flower_alexnet.dataset import find_classes, split
from train.data import TrainingData, load_tensors
from train.decoded import DecodedPhotos
from train.pretrained import pretrained_teacher
from flower_alexnet.config import Preprocessing
from pathlib import Path

folder = Path({str(flowers)!r})
splits = split(folder)
validation = load_tensors(splits["validation"], Preprocessing(resize=224, crop=224))
data = TrainingData(find_classes(folder), DecodedPhotos(splits["train"], 224), validation)
teacher = pretrained_teacher({NAME!r}, data, 0, torch.device("cpu"))
images, targets = validation
said = teacher(images)
assert said.probabilities.shape == (len(targets), 5)
assert said.in_distribution is None  # it saw no photos of other things
assert (said.probabilities.sum(1) - 1).abs().max() < 1e-5
print((said.probabilities.argmax(1) == targets).float().mean().item())
"""
    file = tmp_path / "script_of_a_test.py"
    file.write_text(script, encoding="utf-8")
    result = subprocess.run([sys.executable, file], cwd=PROJECT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert float(result.stdout.splitlines()[-1]) >= 0.6


def test_teacher_is_trained_on_all_photos_before_a_step_is_measured(
    flowers: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    options = [
        "--size",
        "64",
        "--resize",
        "64",
        "--minutes",
        "0.3",
        "--teacher",
        f"timm/{NAME}",
        "--teacher-epochs",
        "0",
    ]
    command = ["alexnet-baseline", "--data", flowers, "--output", tmp_path / "run", *options, "--seed", "8"]
    variables = {**environment, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    result = run_module("train", *command, environment=variables)
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("its last layer fitted: ") == 1
    looked_at = set(re.findall(r"looking at photos:.*?\d+/(\d+) \[", result.stderr))
    assert looked_at == {"2"}  # of 80 photos two batches, not one, as those of three steps would be
    assert "A step takes" in result.stderr


@pytest.mark.parametrize(
    ("name", "reason"),
    [("timm/no_such_network", "timm has no pretrained model no_such_network"), ("timm/resnet18", "resnet18")],
    ids=["unknown", "not on the Hub"],
)
def test_teacher_that_is_not_there_is_told_before_the_run(
    name: str, reason: str, flowers: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    options = [*OPTIONS, "--teacher", name]
    result = run_module(
        "train", "alexnet-baseline", "--data", flowers, "--output", tmp_path / "run", *options, environment=environment
    )
    assert result.returncode == 2
    assert reason in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "run").exists()
