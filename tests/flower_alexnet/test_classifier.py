"""FlowerClassifier turns photos into predictions; a damaged model folder raises an error that says why."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from textwrap import indent

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

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
    images,
)
from flower_alexnet.classifier import BATCH_SIZE, CHUNK, IN_FLIGHT, MANY, Output
from flower_alexnet.inference import FORWARD_THREAD
from flower_alexnet.model_folder import ADDED, HEAD
from tests.support import PROJECT
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


@pytest.mark.parametrize("count", [MANY - 5, 10 * CHUNK + 5])
def test_many_photos_are_read_ahead_in_order_and_no_further_than_needed(random_model: Path, count: int) -> None:
    """Some take longer to be read; the generator of photos is never far ahead of the results."""
    classifier = FlowerClassifier.from_pretrained(random_model)
    photos = [drawn_flower(LABELS[number % 5], number) for number in range(5)]
    expected = [prediction.probabilities for prediction in classifier(photos)]
    taken, most = 0, 0

    def numbers() -> Iterator[int]:
        nonlocal taken
        for number in range(count):
            taken += 1
            yield number

    def load(number: int) -> Image.Image:
        if number % 7 == 3:
            time.sleep(0.01)
        if number % 10 == 9:
            raise InvalidImage(f"{number} is damaged")
        return photos[number % 5]

    for number, result in enumerate(classifier.results(numbers(), load)):
        most = max(most, taken - number)
        if number % 10 == 9:
            assert str(result) == f"{number} is damaged"
        else:
            assert isinstance(result, Output)
            answer = classifier.prediction(result).probabilities
            assert answer == pytest.approx(expected[number % 5], abs=1e-5)
    assert number == count - 1
    assert most <= max(2 * BATCH_SIZE + IN_FLIGHT, (torch.get_num_threads() + 2) * CHUNK)
    assert FORWARD_THREAD.submit(torch.get_num_threads).result() == torch.get_num_threads()  # as before


def test_stopping_early_leaves_no_thread(random_model: Path) -> None:
    classifier = FlowerClassifier.from_pretrained(random_model)
    results = classifier.results(drawn_flower("roses", number) for number in range(100))
    next(results)
    results.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("decode", "classify"))]
    failing = classifier.stream([drawn_flower("roses"), b"no picture", drawn_flower("roses")])
    with pytest.raises(InvalidImage):
        list(failing)
    with pytest.raises(TypeError):
        classifier([drawn_flower("roses"), 5])  # type: ignore[list-item]


def test_bad_photo_is_refused(random_model: Path) -> None:
    with pytest.raises(InvalidImage):
        FlowerClassifier.from_pretrained(random_model)(b"no picture")


def test_temperature_divides_the_logits() -> None:
    network, photo = AlexNet(), drawn_flower("tulips")
    hot = FlowerClassifier(network, Config(temperature=4.0))(photo)
    logits = next(FlowerClassifier(network, Config()).outputs([photo])).logits
    assert list(hot.probabilities.values()) == pytest.approx(torch.softmax(logits / 4, 0).tolist(), abs=1e-6)


def test_head_gives_the_probability_that_the_threshold_is_held_to(random_model: Path) -> None:
    network, photo = FlowerClassifier.from_pretrained(random_model).network, drawn_flower("tulips")
    assert FlowerClassifier(network, Config())(photo).in_distribution_probability is None  # it cannot tell
    head = nn.Linear(2048, 1)
    hidden = network.forward_pre_logits(network.features(images.to_tensor(photo, Config().preprocessing)[None]))
    expected = torch.sigmoid(head(hidden)).item()
    for threshold, known in ((0.0, True), (expected - 0.01, True), (expected + 0.01, False)):
        prediction = FlowerClassifier(network, Config(threshold=threshold), head)(photo)
        assert prediction.in_distribution is known
        assert prediction.in_distribution_probability == pytest.approx(expected, abs=1e-4)


def test_threshold_needs_a_head(random_model: Path, tmp_path: Path) -> None:
    network = FlowerClassifier.from_pretrained(random_model).network
    with pytest.raises(InvalidConfig, match="needs an in-distribution head"):
        FlowerClassifier(network, Config(threshold=0.5))
    network.save_pretrained(tmp_path, config=Config(threshold=0.5))
    with pytest.raises(ModelNotFound, match=r"no in_distribution\.safetensors"):
        FlowerClassifier.from_pretrained(tmp_path)
    good = {"weight": torch.rand(1, 2048), "bias": torch.rand(1)}
    for wrong in ({"weight": torch.rand(1, 7)}, {"bias": torch.full((1,), torch.nan)}, {"other": torch.rand(1)}):
        save_file(good | wrong, tmp_path / HEAD)
        with pytest.raises(InvalidWeights, match=r"in_distribution\.safetensors"):
            FlowerClassifier.from_pretrained(tmp_path)
    save_file(good, tmp_path / HEAD)
    head = FlowerClassifier.from_pretrained(tmp_path).in_distribution_head
    assert head is not None
    assert torch.equal(head.weight, good["weight"])


def test_missing_folder_and_files(random_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="There is no folder"):
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
        ("preprocessing", {"views": [{"zoom": 2}]}, "preprocessing.views"),
        ("threshold", 1.5, "threshold"),
        ("preprocessing", {"crop": 10}, "preprocessing.crop"),
        ("preprocessing", {"std": [0, 1, 1]}, "preprocessing.std"),
    ],
)
def test_contradictory_config_names_its_field(
    random_model: Path, tmp_path: Path, field: str, value: object, message: str
) -> None:
    shutil.copytree(random_model, tmp_path, dirs_exist_ok=True)
    config = json.loads((random_model / "config.json").read_text())
    if isinstance(value, dict):
        value = config[field] | value
    (tmp_path / "config.json").write_text(json.dumps({**config, field: value}))
    with pytest.raises(InvalidConfig, match=message):
        FlowerClassifier.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"), [("dropout", "0.5"), ("num_classes", 5.0), ("batch_norm", 0), ("labels", "daisy"), ("extra", 1)]
)
def test_config_of_other_types_or_unknown_fields_is_refused(
    random_model: Path, tmp_path: Path, field: str, value: object
) -> None:
    shutil.copytree(random_model, tmp_path, dirs_exist_ok=True)
    config = json.loads((random_model / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, field: value}))
    for load in (FlowerClassifier.from_pretrained, AlexNet.from_pretrained):  # one parse serves both
        with pytest.raises(InvalidConfig, match=field):
            load(tmp_path)


def test_config_with_missing_fields_is_refused(random_model: Path, tmp_path: Path) -> None:
    shutil.copytree(random_model, tmp_path, dirs_exist_ok=True)
    config = json.loads((random_model / "config.json").read_text())
    for field in config:
        without = {name: value for name, value in config.items() if name != field}
        (tmp_path / "config.json").write_text(json.dumps(without))
        if field in ADDED:  # as models of an earlier version
            assert getattr(FlowerClassifier.from_pretrained(tmp_path).config, field) is None
            continue
        with pytest.raises(InvalidConfig, match=f"lacks {field}"):
            FlowerClassifier.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InvalidConfig, match="lacks labels, num_classes"):
        AlexNet.from_pretrained(tmp_path)


def test_config_with_a_byte_order_mark_is_read(random_model: Path, tmp_path: Path) -> None:
    shutil.copytree(random_model, tmp_path, dirs_exist_ok=True)
    (tmp_path / "config.json").write_text((random_model / "config.json").read_text(), encoding="utf-8-sig")
    for load in (FlowerClassifier.from_pretrained, AlexNet.from_pretrained):
        load(tmp_path)


def test_config_that_is_not_json(random_model: Path, tmp_path: Path) -> None:
    shutil.copytree(random_model, tmp_path, dirs_exist_ok=True)
    for text in ("", "{", "[]", '"x"'):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(InvalidConfig, match=r"config\.json"):
            FlowerClassifier.from_pretrained(tmp_path)


PROCESSES = """
import multiprocessing, pickle, sys
from copy import deepcopy
from torch.utils.data import DataLoader
from flower_alexnet import FlowerClassifier

name, photo = sys.argv[1:]
classifier = FlowerClassifier.from_pretrained(name)
expected = classifier(photo).probabilities  # the forward thread runs before any fork


def classify(_):
    return classifier(photo).probabilities


class Photos:
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return classifier(photo).probabilities


with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(classify, range(4)) == [expected] * 4
for batch in DataLoader(Photos(), batch_size=2, num_workers=2, multiprocessing_context="fork", collate_fn=list):
    assert batch == [expected] * 2
with multiprocessing.get_context("spawn").Pool(1) as pool:  # the classifier itself is sent
    assert pool.map(classifier, [photo])[0].probabilities == expected
assert deepcopy(classifier)(photo).probabilities == expected
assert len(pickle.dumps(classifier)) < 10_000
print("same")
"""


def test_classifier_survives_fork_and_travels_to_other_processes(random_model: Path, tmp_path: Path) -> None:
    drawn_flower("roses").save(tmp_path / "rose.png")
    (tmp_path / "processes.py").write_text(f"if __name__ == '__main__':\n{indent(PROCESSES, '    ')}")
    done = subprocess.run(
        [sys.executable, "processes.py", str(random_model), "rose.png"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout == "same\n", done.stderr


def test_copy_of_a_classifier_that_was_made_by_hand_answers_alike() -> None:
    classifier = FlowerClassifier(AlexNet(), Config())
    copies = (deepcopy(classifier), pickle.loads(pickle.dumps(classifier)))
    photo = drawn_flower("tulips")
    for copy in copies:
        assert copy.network is not classifier.network
        assert copy(photo).probabilities == pytest.approx(classifier(photo).probabilities, abs=1e-6)


def test_device(random_model: Path) -> None:
    photo = drawn_flower("roses")
    there = FlowerClassifier.from_pretrained(random_model, device="cpu")(photo)
    assert there == FlowerClassifier.from_pretrained(random_model)(photo)
    for device in ("cuda:99", "toaster"):
        with pytest.raises(ValueError, match=f"no device {device} here"):
            FlowerClassifier.from_pretrained(random_model, device=device)


@pytest.mark.skipif(not torch.accelerator.is_available(), reason="needs an accelerator")
def test_accelerator_answers_as_the_cpu_does(random_model: Path) -> None:
    device, photo = torch.accelerator.current_accelerator(), drawn_flower("roses")
    there = FlowerClassifier.from_pretrained(random_model, device=device)(photo)
    assert there.probabilities == pytest.approx(
        FlowerClassifier.from_pretrained(random_model)(photo).probabilities, abs=1e-3
    )


@pytest.mark.parametrize(
    ("known", "probability", "verdict"),
    [(0.95, 0.97, "certain"), (0.95, 0.9, "conditional"), (0.6, 0.99, "conditional")],
)
def test_verdict_joins_both_probabilities(known: float, probability: float, verdict: str) -> None:
    probabilities = {"cat": probability, "dog": 1 - probability}
    assert Prediction(probabilities, True, known, 0.9).verdict == verdict
    assert Prediction(probabilities, True, known, 0.9).fields()["verdict"] == verdict
    assert Prediction(probabilities, False, known, 0.9).verdict == "none"
    assert Prediction(probabilities, True, known).verdict == "conditional"  # a model of an earlier version
    assert Prediction(probabilities).verdict == "conditional"  # one that cannot tell
