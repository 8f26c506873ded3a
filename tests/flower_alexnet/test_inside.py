"""Inside the network: the same numbers as plain torch hooks give, and fields that are those of the gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from flower_alexnet import AlexNet, Config, FlowerClassifier, InvalidImage, images
from flower_alexnet.inside import contributions, covered, kernels, look_inside, look_inside_each
from flower_alexnet.registry import SHIPPED
from tests.support import PROJECT

ROSE = PROJECT / "examples" / "roses_1.webp"


@pytest.mark.parametrize("name", SHIPPED)
def test_maps_and_numbers_are_those_of_hooks(name: str) -> None:
    classifier = FlowerClassifier.from_pretrained(name)
    kept: list[np.ndarray] = []

    def keep(_: nn.Module, __: Any, output: torch.Tensor) -> None:
        kept.append(output.detach()[0].numpy().copy())

    handles = [layer.register_forward_hook(keep) for layer in classifier.network.features if isinstance(layer, nn.ReLU)]
    handles.append(classifier.network.classifier[5].register_forward_hook(keep))
    crop = images.to_tensor(images.load(ROSE, shorter_side=classifier.shorter_side), classifier.config.preprocessing)
    with torch.no_grad():
        logits = classifier.network(crop[None])[0].numpy()
    for handle in handles:
        handle.remove()

    inside = look_inside(classifier, ROSE)
    assert len(inside.layers) == 5
    for layer, expected in zip(inside.layers, kept, strict=False):
        assert layer.maps == pytest.approx(expected, abs=1e-4)
    assert inside.features == pytest.approx(kept[-1], abs=1e-4)
    assert inside.logits == pytest.approx(logits, abs=1e-4)
    prediction = classifier(ROSE)
    assert inside.probabilities == pytest.approx([*prediction.probabilities.values()], abs=1e-4)
    if inside.in_distribution_probability is None:
        assert prediction.in_distribution_probability in (None, 1.0)
    else:
        assert inside.in_distribution_probability == pytest.approx(prediction.in_distribution_probability, abs=1e-4)
    assert inside.crop.shape == (224, 224, 3)
    assert classifier.network.state_dict()[f"{inside.layers[3].name}.weight"].shape[0] == 192


def test_strongest_maps_come_first() -> None:
    layer = look_inside(FlowerClassifier.from_pretrained(), ROSE).layers[2]
    highest = [layer.maps[index].max() for index in layer.strongest(6)]
    assert highest == sorted(highest, reverse=True)
    assert highest[0] == layer.maps.max()


@pytest.mark.parametrize("batch_norm", [False, True])
def test_fields_are_where_gradients_come_from(batch_norm: bool) -> None:
    """With weights above zero everything that a place sees changes it, and nothing else does."""
    torch.manual_seed(0)
    network = AlexNet(3, batch_norm).eval()
    with torch.no_grad():
        for module in network.features:
            if isinstance(module, nn.Conv2d):
                module.weight.uniform_(0.1, 1)
    classifier = FlowerClassifier(network, Config(("a", "b", "c"), 3, batch_norm))
    for number, layer in enumerate(look_inside(classifier, ROSE).layers):
        pixels = torch.ones(1, 3, 224, 224, requires_grad=True)
        values = pixels + 0.01 * torch.rand(1, 3, 224, 224)
        seen = 0
        for step in network.features:
            values = nn.functional.avg_pool2d(values, 3, 2) if isinstance(step, nn.MaxPool2d) else step(values)
            if isinstance(step, nn.ReLU):
                seen += 1
                if seen == number + 1:
                    break
        row, column = values.shape[2] // 2, values.shape[3] // 2 - 1
        values[0, :, row, column].sum().backward()
        assert pixels.grad is not None
        rows, columns = pixels.grad.abs().sum((0, 1)).nonzero().T
        left, top, right, bottom = layer.sees(row, column)
        found = columns.min().item(), rows.min().item(), columns.max().item() + 1, rows.max().item() + 1
        assert found == (max(0, left), max(0, top), min(224, right), min(224, bottom)), layer.name


def test_kernels_are_pictures_of_the_weights() -> None:
    classifier = FlowerClassifier.from_pretrained()
    pictures, weight = kernels(classifier), next(iter(classifier.network.features.parameters())).detach()
    assert pictures.shape == (48, 11, 11, 3)
    assert pictures.min() >= 0
    assert pictures.max() <= 1
    for picture, kernel in zip(pictures, weight, strict=True):
        signs = np.sign(picture - 0.5)
        assert (signs == np.sign(kernel.permute(1, 2, 0).numpy())).all()
        assert np.abs(picture - 0.5).max() == pytest.approx(0.5)


def test_what_is_no_photo_is_told(tmp_path: Any) -> None:
    (tmp_path / "bad.png").write_text("no picture")
    with pytest.raises(InvalidImage):
        look_inside(FlowerClassifier.from_pretrained(), tmp_path / "bad.png")


def test_photos_together_are_what_each_is_alone() -> None:
    classifier = FlowerClassifier.from_pretrained("alexnet")
    photos = sorted((PROJECT / "examples" / "gallery" / "daisy").iterdir())[:20]
    for together, photo in zip(look_inside_each(classifier, photos), photos, strict=True):
        alone = look_inside(classifier, photo)
        assert together.features == pytest.approx(alone.features, abs=1e-3)
        assert together.layers[4].maps == pytest.approx(alone.layers[4].maps, abs=1e-3)
        assert [layer.pooled for layer in alone.layers] == [27, 13, None, None, 6]


def test_what_covering_costs_is_what_the_classifier_says_of_covered_photos() -> None:
    classifier = FlowerClassifier.from_pretrained("alexnet")
    crop = look_inside(classifier, ROSE).crop
    costs = covered(classifier, ROSE, "roses", places=3)
    assert costs.shape == (3, 3)
    whole = classifier(crop).probabilities["roses"]
    for row, top in enumerate((0, 84, 168)):
        for column, left in enumerate((0, 84, 168)):
            gray = crop.copy()
            gray[top : top + 56, left : left + 56] = 127
            assert costs[row, column] == pytest.approx(whole - classifier(gray).probabilities["roses"], abs=1e-3)
    with pytest.raises(ValueError, match="no label"):
        covered(classifier, ROSE, "cats")


def test_contributions_add_up_to_the_logits() -> None:
    classifier = FlowerClassifier.from_pretrained("alexnet-baseline")
    inside = look_inside(classifier, ROSE)
    added = contributions(classifier, inside.features)
    assert added.shape == (5, 2048)
    bias = classifier.network.state_dict()["classifier.6.bias"].numpy()
    assert added.sum(1) + bias == pytest.approx(inside.logits, abs=1e-3)
