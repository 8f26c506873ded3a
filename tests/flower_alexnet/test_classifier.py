"""FlowerClassifier turns photos into predictions; a damaged model folder raises an error that says why."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from flower_alexnet import (
    LABELS,
    AlexNet,
    Config,
    FlowerClassifier,
    InvalidConfig,
    InvalidImage,
    InvalidWeights,
    ModelNotFound,
    Preprocessing,
    View,
    images,
)
from flower_alexnet.classifier import BATCH_SIZE, FEATURE_BANK, in_distribution_score
from tests.support.photos import drawn_flower


def test_prediction_of_one_photo_in_every_form(random_model: Path, tmp_path: Path) -> None:
    classifier = FlowerClassifier.from_pretrained(random_model)
    photo = drawn_flower("roses")
    photo.save(tmp_path / "rose.png")
    forms: list[images.Source] = [
        tmp_path / "rose.png",
        (tmp_path / "rose.png").read_bytes(),
        photo,
        np.asarray(photo),
    ]
    first, *others = classifier(forms)
    for other in [*others, classifier(photo), classifier(str(tmp_path / "rose.png"))]:
        assert other.probabilities == pytest.approx(first.probabilities, abs=1e-6)
    assert set(first.probabilities) == set(LABELS)
    assert sum(first.probabilities.values()) == pytest.approx(1, abs=1e-9)
    assert first.top(5)[0] == (first.label, first.probability)
    assert [p for _, p in first.top()] == sorted(first.probabilities.values(), reverse=True)
    assert len(first.top(2)) == 2


def test_batch_gives_the_same_probabilities_as_single_photos(random_model: Path) -> None:
    classifier = FlowerClassifier.from_pretrained(random_model)
    photos = [drawn_flower(LABELS[number % 5], number) for number in range(BATCH_SIZE + 3)]
    predictions = classifier(photos)
    assert len(predictions) == BATCH_SIZE + 3
    for number in (0, BATCH_SIZE - 1, BATCH_SIZE, BATCH_SIZE + 2):
        assert predictions[number].probabilities == pytest.approx(classifier(photos[number]).probabilities, abs=1e-5)
    assert classifier([]) == []


def test_logits_are_averaged_over_the_views(random_model: Path, tmp_path: Path) -> None:
    network = FlowerClassifier.from_pretrained(random_model).network
    photo = drawn_flower("roses", size=(300, 200))
    one, other = View(x=0), View(zoom=1.5, flip=True)
    logits = [
        next(FlowerClassifier(network, Config(preprocessing=Preprocessing(views=views))).outputs([photo])).logits
        for views in ((one,), (other,), (one, other))
    ]
    assert torch.allclose(logits[2], (logits[0] + logits[1]) / 2, atol=1e-5)
    config = Config(preprocessing=Preprocessing(views=(one, other)))
    network.save_pretrained(tmp_path / "model", config=config)
    assert FlowerClassifier.from_pretrained(tmp_path / "model").config == config


def test_bad_photo_is_refused(random_model: Path) -> None:
    with pytest.raises(InvalidImage):
        FlowerClassifier.from_pretrained(random_model)(b"no picture")


def test_temperature_divides_the_logits() -> None:
    network, photo = AlexNet(), drawn_flower("tulips")
    hot = FlowerClassifier(network, Config(temperature=4.0))(photo)
    logits = next(FlowerClassifier(network, Config()).outputs([photo])).logits
    assert list(hot.probabilities.values()) == pytest.approx(torch.softmax(logits / 4, 0).tolist(), abs=1e-6)


def test_photo_scored_below_the_threshold_is_out_of_distribution(random_model: Path) -> None:
    network, photo = FlowerClassifier.from_pretrained(random_model).network, drawn_flower("tulips")
    feature_bank = torch.nn.functional.normalize(torch.rand(20, 128, generator=torch.Generator().manual_seed(0)))
    features = next(FlowerClassifier(network, Config()).outputs([photo])).features
    cosines = torch.nn.functional.cosine_similarity(features, feature_bank)
    score = in_distribution_score(features[None], feature_bank).item()
    assert score == pytest.approx(cosines.sort(descending=True).values[9].item(), abs=1e-6)  # the tenth nearest
    for threshold, expected in ((None, True), (score - 0.01, True), (score + 0.01, False)):
        classifier = FlowerClassifier(network, Config(threshold=threshold), feature_bank)
        assert classifier(photo).in_distribution is expected


def test_threshold_needs_a_feature_bank(random_model: Path, tmp_path: Path) -> None:
    network = FlowerClassifier.from_pretrained(random_model).network
    with pytest.raises(InvalidConfig, match="needs a feature bank"):
        FlowerClassifier(network, Config(threshold=0.5))
    network.save_pretrained(tmp_path, config=Config(threshold=0.5))
    with pytest.raises(ModelNotFound, match=r"no references\.safetensors"):
        FlowerClassifier.from_pretrained(tmp_path)
    for tensors in ({"features": torch.zeros(3, 7)}, {"features": torch.full((3, 128), torch.nan)}, {}):
        save_file(tensors, tmp_path / FEATURE_BANK)
        with pytest.raises(InvalidWeights, match=r"references\.safetensors"):
            FlowerClassifier.from_pretrained(tmp_path)
    save_file({"features": torch.rand(3, 128)}, tmp_path / FEATURE_BANK)
    assert FlowerClassifier.from_pretrained(tmp_path).feature_bank is not None


def test_missing_folder_and_files(random_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="neither a folder here nor"):
        FlowerClassifier.from_pretrained(tmp_path / "nowhere")
    with pytest.raises(ModelNotFound, match=r"no config\.json"):
        FlowerClassifier.from_pretrained(tmp_path)
    shutil.copy(random_model / "config.json", tmp_path)
    with pytest.raises(ModelNotFound, match=r"no model\.safetensors"):
        FlowerClassifier.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("labels", ["a", "b"], "labels"),
        ("labels", ["a"] * 5, "1 different labels"),
        ("num_classes", 7, "num_classes 7"),
        ("num_classes", "many", "num_classes"),
        ("architecture", "ResNet", "architecture"),
        ("temperature", 0, "temperature"),
        ("threshold", "high", "threshold"),
        ("batch_norm", 3, "batch_norm"),
        ("preprocessing", {"resize": 100, "crop": 224}, "preprocessing.crop is larger"),
        ("preprocessing", {"resize": 10**9, "crop": 224}, "preprocessing.resize"),
        ("preprocessing", {"views": []}, "preprocessing.views"),
        ("preprocessing", {"views": [{"zoom": 0}]}, "preprocessing.views.0.zoom"),
        ("preprocessing", {"crop": 10}, "preprocessing.crop"),
        ("preprocessing", {"std": [0, 1, 1]}, "preprocessing.std"),
    ],
)
def test_contradictory_config_names_its_field(
    random_model: Path, tmp_path: Path, field: str, value: object, message: str
) -> None:
    shutil.copytree(random_model, tmp_path, dirs_exist_ok=True)
    config = json.loads((random_model / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, field: value}))
    with pytest.raises(InvalidConfig, match=message):
        FlowerClassifier.from_pretrained(tmp_path)


def test_config_that_is_not_json(random_model: Path, tmp_path: Path) -> None:
    shutil.copytree(random_model, tmp_path, dirs_exist_ok=True)
    for text in ("", "{", "[]", '"x"'):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(InvalidConfig, match=r"config\.json"):
            FlowerClassifier.from_pretrained(tmp_path)
