"""Cross-validation tests each photo once, by a network that has not seen it."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from flower_alexnet.dataset import InvalidDataset, all_photos
from tests.support.commands import run_module
from tests.support.photos import drawn_dataset
from train.folds import folds


def test_each_photo_is_tested_once_and_never_trained_on_then(flowers: Path) -> None:
    photos = all_photos(flowers)
    tested: Counter[Path] = Counter()
    for parts in folds(photos, 5):
        paths = {part: {photo.path for photo in group} for part, group in parts.items()}
        assert not paths["test"] & (paths["train"] | paths["validation"])
        assert not paths["train"] & paths["validation"]
        assert set.union(*paths.values()) == {photo.path for photo in photos}
        assert {len(parts["test"]), len(parts["validation"])} == {20}
        assert {photo.target for photo in parts["test"]} == set(range(5))
        tested.update(paths["test"])
    assert set(tested.values()) == {1}
    with pytest.raises(InvalidDataset, match="too few for 21 folds"):
        next(folds(photos, 21))


def test_command_trains_by_the_recipe_of_the_model(tmp_path: Path) -> None:
    data = drawn_dataset(tmp_path / "shapes", 8)
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    small = ["--epochs", "6", "--size", "64", "--resize", "64", "--batch-size", "8"]
    options = ["--data", data, "--output", tmp_path / "run", *small]
    made = run_module("train", "alexnet-baseline", *options, environment=environment)
    assert made.returncode == 0, made.stderr
    command = ["--model", tmp_path / "run", "--data", data, "--folds"]
    done = run_module("train.evaluate", *command, "3", environment=environment)
    assert done.returncode == 0, done.stderr
    assert "epoch 6/6" in done.stderr
    assert "fold 3/3: " in done.stderr
    assert "% of 24 photos (95 % interval: " in done.stdout
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    recipe = {**metrics["recipe"], "start": "alexnet", "teacher": str(tmp_path / "run"), "epochs": 1}
    (tmp_path / "run" / "metrics.json").write_text(json.dumps({**metrics, "recipe": recipe}))
    done = run_module("train.evaluate", *command, "3", environment=environment)
    assert done.returncode == 0, done.stderr
    assert f"Without alexnet and {tmp_path / 'run'}, which may have been trained on these photos." in done.stderr
    done = run_module("train.evaluate", *command, "2", environment=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert "folds: at least 3" in done.stderr
