"""Grad-CAM: it finds the flower, and leaves the network as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flower_alexnet import LABELS, Config, FlowerClassifier, Preprocessing, images, registry
from flower_alexnet.classifier import load_classifier
from flower_alexnet.explain import MAX_SIDE, explain
from tests.support import PROJECT

FLOWER = Image.open(PROJECT / "examples" / "sunflowers_1.webp").convert("RGB").resize((300, 300))


def test_heat_is_laid_where_the_crop_was_cut() -> None:
    """Of a wide picture the network sees the central square: there is that square's heat, and none beside it."""
    wide = Image.new("RGB", (900, 300), "gray")
    wide.paste(FLOWER, (300, 0))
    classifier = load_classifier()
    explained, square = explain(classifier, wide, "sunflowers"), explain(classifier, FLOWER, "sunflowers")
    assert explained.heat.shape == (300, 900)
    assert explained.heat.min() >= 0
    assert explained.heat.max() == pytest.approx(1)
    assert explained.heat[:, 300:600] == pytest.approx(square.heat, abs=0.02)
    assert not explained.heat[:, :300].any()
    assert not explained.heat[:, 600:].any()


def test_explaining_changes_neither_predictions_nor_network() -> None:
    classifier = load_classifier()
    before = classifier(FLOWER).probabilities
    assert explain(classifier, FLOWER).label == max(before, key=lambda label: before[label])
    assert classifier(FLOWER).probabilities == before
    assert all(parameter.grad is None for parameter in classifier.network.parameters())
    assert not any(module._forward_hooks for module in classifier.network.modules())


def test_every_model_every_label_any_shape(random_model: Path) -> None:
    classifiers = [load_classifier(model.name) for model in registry.shipped_models()]
    network = FlowerClassifier.from_pretrained(random_model).network
    classifiers += [FlowerClassifier(network, Config(preprocessing=Preprocessing(resize))) for resize in (224, 600)]
    for classifier in classifiers:
        for size in ((1, 1), (1, 3000), (3000, 2), (17, 40)):
            explained = explain(classifier, FLOWER.resize(size), LABELS[0])
            assert max(explained.image.size) <= MAX_SIDE
            assert explained.overlay.size == explained.image.size
            assert np.isfinite(explained.heat).all()


def test_unknown_label_is_refused() -> None:
    with pytest.raises(ValueError, match="no label orchid; there are daisy"):
        explain(load_classifier(), FLOWER, "orchid")


@pytest.mark.parametrize("model", [model.name for model in registry.shipped_models()])
@pytest.mark.parametrize("label", LABELS)
def test_heat_is_grad_cam_of_the_plain_network(model: str, label: str) -> None:
    """The map agrees with one computed step by step from the definition (Selvaraju et al., 2017, equations 1 and 2)."""
    shipped = FlowerClassifier.from_pretrained(registry.WEIGHTS / model)
    network = shipped.network
    preprocessing = Preprocessing(resize=224, crop=224)  # all of a square photo of this size
    config = replace(shipped.config, preprocessing=preprocessing, threshold=None)
    classifier = FlowerClassifier(network, config)
    photo = FLOWER.resize((224, 224))

    maps = network.features[:-1](
        images.to_tensor(photo, preprocessing)[None]
    )  # after the last ReLU, before its max-pooling
    maps = maps.detach().requires_grad_()
    logits = network.forward_head(network.features[-1](maps))
    logits[0, LABELS.index(label)].backward()
    assert maps.grad is not None
    weights = maps.grad.mean((2, 3), keepdim=True)
    grad_cam = (weights * maps).sum(1).relu()[0].detach().numpy()
    heat = np.asarray(Image.fromarray(grad_cam).resize(photo.size, Image.Resampling.BICUBIC)).clip(min=0)

    # Nothing may speak for a label: then there is no heat at all.
    assert explain(classifier, photo, label).heat == pytest.approx(heat / max(heat.max(), 1e-30), abs=1e-3)
