"""The shipped models are listed best first, and a damaged one does not take the others along."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from flower_alexnet import ModelNotFound, catalog


@pytest.fixture
def weights(random_model: Path, tmp_path: Path) -> Path:
    """A folder of three models: 60 % on validation, 80 %, and one of 90 % with cut weights."""
    for name, test, validation in (("fair", 0.85, 0.6), ("good", 0.75, 0.8), ("broken", 0.9, 0.9)):
        shutil.copytree(random_model, tmp_path / name)
        metrics = {"test": {"accuracy": test}, "validation": {"accuracy": validation}}
        (tmp_path / name / "metrics.json").write_text(json.dumps(metrics))
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"cut")
    (tmp_path / "README.md").write_text("not a model")
    return tmp_path


def test_best_first_and_unusable_last(weights: Path) -> None:
    titles = [model.title() for model in catalog.shipped_models(weights)]
    assert titles == ["good (75.0% on test)", "fair (85.0% on test)", "broken (unavailable)"]
    assert "damaged" in str(catalog.shipped_models(weights)[-1].problem)


def test_loaded_once_and_kept_and_the_best_is_the_default(weights: Path) -> None:
    assert catalog.load("good", weights) is catalog.load("good", weights)
    assert catalog.load(weights=weights) is catalog.load("good", weights)
    assert catalog.load("fair", weights) is not catalog.load("good", weights)


def test_folder_by_path(weights: Path) -> None:
    assert catalog.load(str(weights / "fair"), weights).config.num_classes == 5


def test_no_model_at_all(tmp_path: Path) -> None:
    assert catalog.shipped_models(tmp_path) == []
    with pytest.raises(ModelNotFound, match="no usable model"):
        catalog.load(weights=tmp_path)


def test_accuracy_that_was_not_measured(random_model: Path, tmp_path: Path) -> None:
    shutil.copytree(random_model, tmp_path / "new")
    assert catalog.shipped_models(tmp_path)[0].title() == "new (accuracy not measured)"
