"""A model folder in, probabilities out; a damaged folder is refused in words."""

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
    Prediction,
    Preprocessing,
    View,
    images,
)
from flower_alexnet.classifier import BATCH, in_distribution_score
from tests.conftest import drawn_flower


def test_prediction_of_one_photo_in_every_form(random_model: Path, tmp_path: Path) -> None:
    classifier = FlowerClassifier.from_pretrained(random_model)
    picture = drawn_flower("roses")
    picture.save(tmp_path / "rose.png")
    forms: list[images.Source] = [
        tmp_path / "rose.png",
        (tmp_path / "rose.png").read_bytes(),
        picture,
        np.asarray(picture),
    ]
    first, *others = classifier(forms)
    for other in [*others, classifier(picture), classifier(str(tmp_path / "rose.png"))]:
        assert other.probabilities == pytest.approx(first.probabilities, abs=1e-6)
    assert set(first.probabilities) == set(LABELS)
    assert sum(first.probabilities.values()) == pytest.approx(1, abs=1e-9)
    assert first.top(5)[0] == (first.label, first.probability)
    assert [p for _, p in first.top()] == sorted(first.probabilities.values(), reverse=True)
    assert len(first.top(2)) == 2


def test_a_batch_gives_what_each_photo_gives(random_model: Path) -> None:
    classifier = FlowerClassifier.from_pretrained(random_model)
    pictures = [drawn_flower(LABELS[number % 5], number) for number in range(BATCH + 3)]
    predictions = classifier(pictures)
    assert len(predictions) == BATCH + 3
    for number in (0, BATCH - 1, BATCH, BATCH + 2):
        assert predictions[number].probabilities == pytest.approx(classifier(pictures[number]).probabilities, abs=1e-5)
    assert classifier([]) == []


def test_answer_is_the_mean_of_the_views(random_model: Path, tmp_path: Path) -> None:
    network = FlowerClassifier.from_pretrained(random_model).network
    picture = drawn_flower("roses", size=(300, 200))
    one, other = View(x=0), View(zoom=1.5, flip=True)
    logits = [
        next(FlowerClassifier(network, Config(preprocessing=Preprocessing(views=views))).outputs([picture])).logits
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
    network, picture = AlexNet(), drawn_flower("tulips")
    hot = FlowerClassifier(network, Config(temperature=4.0))(picture)
    logits = next(FlowerClassifier(network, Config()).outputs([picture])).logits
    assert list(hot.probabilities.values()) == pytest.approx(torch.softmax(logits / 4, 0).tolist(), abs=1e-6)


def test_picture_below_the_threshold_is_none_of_the_flowers(random_model: Path) -> None:
    network, picture = FlowerClassifier.from_pretrained(random_model).network, drawn_flower("tulips")
    references = torch.nn.functional.normalize(torch.rand(20, 128, generator=torch.Generator().manual_seed(0)))
    features = next(FlowerClassifier(network, Config()).outputs([picture])).features
    cosines = torch.nn.functional.cosine_similarity(features, references)
    score = in_distribution_score(features[None], references).item()
    assert score == pytest.approx(cosines.sort(descending=True).values[9].item(), abs=1e-6)  # the tenth nearest
    for threshold, expected in ((None, True), (score - 0.01, True), (score + 0.01, False)):
        classifier = FlowerClassifier(network, Config(threshold=threshold), references)
        assert classifier(picture).in_distribution is expected


def test_threshold_needs_references(random_model: Path, tmp_path: Path) -> None:
    network = FlowerClassifier.from_pretrained(random_model).network
    with pytest.raises(InvalidConfig, match="needs references"):
        FlowerClassifier(network, Config(threshold=0.5))
    network.save_pretrained(tmp_path, config=Config(threshold=0.5))
    with pytest.raises(ModelNotFound, match=r"no references\.safetensors"):
        FlowerClassifier.from_pretrained(tmp_path)
    for tensors in ({"features": torch.zeros(3, 7)}, {"features": torch.full((3, 128), torch.nan)}, {}):
        save_file(tensors, tmp_path / "references.safetensors")
        with pytest.raises(InvalidWeights, match=r"references\.safetensors"):
            FlowerClassifier.from_pretrained(tmp_path)
    save_file({"features": torch.rand(3, 128)}, tmp_path / "references.safetensors")
    assert FlowerClassifier.from_pretrained(tmp_path).references is not None


def test_answer_in_words() -> None:
    sure, unsure = {"roses": 0.97, "tulips": 0.03}, {"roses": 0.48, "tulips": 0.27, "daisy": 0.25}
    assert Prediction(sure).in_words() == "Rose, 97%"
    assert Prediction(unsure).in_words() == "Not sure: maybe a rose (48%)"
    assert Prediction(sure, in_distribution=False).in_words() == "This does not look like one of the five flowers"


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
