"""The page describes a model by what was measured of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from flower_alexnet import registry
from flower_alexnet.page.about import describe_model
from flower_alexnet.page.translations import LANGUAGES
from flower_alexnet.registry import Model


@pytest.mark.parametrize("language", LANGUAGES)
def test_shipped_models_are_described_by_their_measurements(language: str) -> None:
    for model in registry.shipped_models():
        text, metrics = describe_model(model, language), model.metrics()
        assert metrics is not None
        assert f"{metrics['test']['accuracy']:.1%}" in text
        assert f"{metrics['test']['calibration_error']:.3f}" in text
        assert all(f"{row['recall']:.1%}" in text for row in metrics["test"]["per_class"].values())


def test_card_is_linked_where_it_is(random_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = registry.shipped_models()[0]
    monkeypatch.setenv("SPACE_ID", "ann/flowers")
    assert f"spaces/ann/flowers/blob/main/weights/{shipped.name}/README.md" in describe_model(shipped, "en")
    monkeypatch.delenv("SPACE_ID")
    assert str(registry.WEIGHTS) not in describe_model(shipped, "en")
    unmeasured = describe_model(Model(str(random_model), None, shipped=False), "en")
    assert "Nothing was measured" in unmeasured
