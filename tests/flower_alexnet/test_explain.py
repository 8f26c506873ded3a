"""Grad-CAM: it finds the flower, and leaves the network as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from flower_alexnet import LABELS, Config, FlowerClassifier, Preprocessing, View, catalog
from flower_alexnet.explain import LONGEST_SIDE, explain
from tests.conftest import PROJECT

FLOWER = Image.open(PROJECT / "examples" / "sunflowers.webp").convert("RGB").resize((300, 300))


@pytest.mark.parametrize("left", [0, 600])
def test_heat_is_where_the_flower_is(left: int) -> None:
    """A sunflower on one side of a wide picture of blurred leaves draws the heat to its side."""
    leaves = FLOWER.crop((0, 200, 60, 300)).resize((900, 300)).filter(ImageFilter.GaussianBlur(30))
    leaves.paste(FLOWER, (left, 0))
    explained = explain(catalog.load(), leaves, "sunflowers")
    assert explained.heat.shape == (300, 900)
    assert explained.heat.min() >= 0
    assert explained.heat.max() == pytest.approx(1)
    on_flower = explained.heat[:, left : left + 300].mean()
    elsewhere = explained.heat[:, 300:600].mean()
    assert on_flower > 2 * elsewhere


def test_answer_and_network_stay_as_they_were() -> None:
    classifier = catalog.load()
    before = classifier(FLOWER).probabilities
    assert explain(classifier, FLOWER).label == max(before, key=lambda label: before[label])
    assert classifier(FLOWER).probabilities == before
    assert all(parameter.grad is None for parameter in classifier.network.parameters())
    assert not any(module._forward_hooks for module in classifier.network.modules())


def test_every_model_every_label_any_shape(random_model: Path) -> None:
    classifiers = [catalog.load(model.name) for model in catalog.shipped_models()]
    views = (View(), View(0.875, x=1, y=1, flip=True), View(2.5, x=1, y=1))
    network = FlowerClassifier.from_pretrained(random_model).network
    classifiers.append(FlowerClassifier(network, Config(preprocessing=Preprocessing(views=views))))
    for classifier in classifiers:
        for size in ((1, 1), (1, 3000), (3000, 2), (17, 40)):
            explained = explain(classifier, FLOWER.resize(size), LABELS[0])
            assert max(explained.picture.size) <= LONGEST_SIDE
            assert explained.overlay.size == explained.picture.size
            assert np.isfinite(explained.heat).all()


def test_unknown_label_is_refused() -> None:
    with pytest.raises(ValueError, match="no label orchid; there are daisy"):
        explain(catalog.load(), FLOWER, "orchid")
