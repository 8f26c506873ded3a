"""Shipped models are listed best first, and a damaged one leaves the others usable."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from flower_alexnet import ModelNotFound, registry


@pytest.fixture
def weights(random_model: Path, tmp_path: Path) -> Path:
    """Return a folder of three models: 60 % on validation, 80 %, and 90 % but with truncated weights."""
    for name, test, validation in (("fair", 0.85, 0.6), ("good", 0.75, 0.8), ("broken", 0.9, 0.9)):
        shutil.copytree(random_model, tmp_path / name)
        metrics = {"test": {"accuracy": test}, "validation": {"accuracy": validation}}
        (tmp_path / name / "metrics.json").write_text(json.dumps(metrics))
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"cut")
    (tmp_path / "README.md").write_text("not a model")
    return tmp_path


def test_best_first_and_unusable_last(weights: Path) -> None:
    models = registry.shipped_models(weights)
    assert [(model.name, model.test_accuracy) for model in models] == [("good", 0.75), ("fair", 0.85), ("broken", 0.9)]
    assert [model.problem is None for model in models] == [True, True, False]
    assert "damaged" in str(models[-1].problem)


def test_model_is_loaded_once_and_the_best_is_the_default(weights: Path) -> None:
    assert registry.load("good", weights) is registry.load("good", weights)
    assert registry.load(weights=weights) is registry.load("good", weights)
    assert registry.load("fair", weights) is not registry.load("good", weights)


def test_folder_by_path(weights: Path) -> None:
    assert registry.load(str(weights / "fair"), weights).config.num_classes == 5


def test_no_model_at_all(tmp_path: Path) -> None:
    assert registry.shipped_models(tmp_path) == []
    with pytest.raises(ModelNotFound, match="no usable model"):
        registry.load(weights=tmp_path)


def test_accuracy_that_was_not_measured(random_model: Path, tmp_path: Path) -> None:
    shutil.copytree(random_model, tmp_path / "new")
    (model,) = registry.shipped_models(tmp_path)
    assert (model.name, model.test_accuracy, model.validation_accuracy) == ("new", None, None)
    assert model.problem is None


def test_old_name_finds_the_baseline() -> None:
    """Links and programs made before the model was renamed go on working."""
    old, new = registry.load("alexnet-seed"), registry.load("alexnet-baseline")
    assert old.config == new.config
    weights, expected = old.network.state_dict(), new.network.state_dict()
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert "alexnet-seed" not in [model.name for model in registry.shipped_models()]
