"""The page describes a model by what was measured of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from flower_alexnet import registry
from flower_alexnet.model_folder import mistakes_of
from flower_alexnet.registry import Model
from page import about
from page.translations import LANGUAGES, flower_name
from tests.support.handlers import described


@pytest.mark.parametrize("language", LANGUAGES)
def test_shipped_models_are_described_by_their_measurements(language: str) -> None:
    for model in registry.shipped_models():
        metrics = model.measurements()
        text, curves, card, layers = described(model, language)
        assert f"{100 * metrics['test']['accuracy']:.0f}" in text
        for label, counts in zip(metrics["test"]["per_class"], metrics["test"]["confusion_matrix"], strict=True):
            assert flower_name(label, language) in text
            assert all(f">{count}</td>" in text for count in counts)
        wrong = metrics["test"]["photos"] - sum(row[at] for at, row in enumerate(metrics["test"]["confusion_matrix"]))
        assert text.count("<figure>") == len(metrics["test"]["mistakes"]) == wrong
        assert 1 < text.count("<u ") <= len(metrics["test"]["reliability"])
        right = f"{100 * metrics['test']['accuracy']:.0f}"
        assert f"<b>{right}<small>" in text
        dots = re.findall(r'<path d="([^"]*)"', text)
        assert dots[0].count("h0") == int(right)
        assert dots[1].count("h0") == 100 - int(right)
        assert len(curves["value"]) == 2 * metrics["training"]["epochs"]
        assert card.lstrip().startswith(f"# {model.name}")
        assert "![" not in card
        assert layers.startswith("<pre>AlexNet(")


def test_photos_that_a_model_of_ones_own_gets_wrong_are_shown_where_they_are(random_model: Path) -> None:
    assert "own-mistakes" not in described(Model(str(random_model), None, shipped=False), "en")[0]
    Image.new("RGB", (40, 30)).save(mistakes_of(random_model))
    assert "own-mistakes" in described(Model(str(random_model), None, shipped=False), "en")[0]
    mistakes_of(random_model).unlink()


def test_others_are_told_of_first_hand(random_model: Path) -> None:
    texts = {model.name: described(model, "en")[0] for model in registry.shipped_models()}
    assert "It cannot tell what it does not know" in texts["alexnet-baseline"]
    assert "photos of other things it takes about" in texts["alexnet-bn"]
    unmeasured = described(Model(str(random_model), None, shipped=False), "en")[0]
    assert "Nothing was measured" in unmeasured
    assert "<section" not in unmeasured


def test_card_of_a_model_of_the_hub_is_linked() -> None:
    link = about.card(Model("ann/flowers@v1", shipped=False), "en")
    assert link == "[The card of ann/flowers](https://huggingface.co/ann/flowers/blob/v1/README.md)"
