"""A model as an ONNX file: the library's probabilities, with and without a head, in batches of any size."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from flower_alexnet import LABELS, AlexNet, Config, FlowerClassifier
from flower_alexnet.config import Preprocessing
from flower_alexnet.dataset import split
from flower_alexnet.images import center_crop
from tests.support import PROJECT
from tests.support.commands import run_module
from tests.support.photos import drawn_flower
from train import onnx, publish
from train.onnx import INT8_TOLERANCE, NotTheSame, compare, write_int8, write_onnx


def random_classifier(batch_norm: bool = False, threshold: float | None = None) -> FlowerClassifier:
    """Return a classifier of three classes with random weights, on crops of another size than 224."""
    torch.manual_seed(0)
    config = Config(
        labels=("cat", "dog", "Hund ö"),
        num_classes=3,
        batch_norm=batch_norm,
        preprocessing=Preprocessing(resize=140, crop=127, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4)),
        temperature=0.02,
        threshold=threshold,
    )
    return FlowerClassifier(AlexNet(3, batch_norm), config, None if threshold is None else nn.Linear(2048, 1))


@pytest.mark.parametrize(("batch_norm", "threshold"), [(False, None), (True, 0.5)])
def test_batches_of_any_size(batch_norm: bool, threshold: float | None, tmp_path: Path) -> None:
    classifier = random_classifier(batch_norm, threshold)
    assert write_onnx(classifier, tmp_path / "model.onnx") <= 1e-4
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]  # the weights are inside
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert json.loads(session.get_modelmeta().custom_metadata_map["labels"]) == ["cat", "dog", "Hund ö"]
    assert session.get_inputs()[0].type == "tensor(uint8)"
    for number in (1, 2, 7):
        photos = [drawn_flower("daisy", seed, (150 + 20 * seed, 160)) for seed in range(number)]
        preprocessing = classifier.config.preprocessing
        batch = np.stack([center_crop(photo, preprocessing).permute(1, 2, 0).numpy() for photo in photos])
        probabilities, *known = session.run(None, {"images": batch})
        assert probabilities.dtype == np.float32
        predictions = classifier(photos)
        expected = [list(prediction.probabilities.values()) for prediction in predictions]
        assert np.abs(probabilities - expected).max() <= 1e-4
        assert len(known) == (threshold is not None)
        for one in known:
            assert one == pytest.approx([it.in_distribution_probability for it in predictions], abs=1e-4)


@pytest.mark.parametrize("name", ["alexnet", "alexnet-bn"])
def test_shipped_weights_take_half_the_bytes_and_in_8_bits_a_quarter(name: str, tmp_path: Path) -> None:
    classifier, small = FlowerClassifier.from_pretrained(name), tmp_path / "model_int8.onnx"
    assert write_onnx(classifier, tmp_path / "model.onnx") <= 1e-5  # they are of float16
    assert 29e6 < (tmp_path / "model.onnx").stat().st_size < 32e6
    assert write_int8(classifier, tmp_path / "model.onnx", small) <= 0.02
    assert small.stat().st_size < 18e6
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.onnx", "model_int8.onnx"]
    with pytest.raises(NotTheSame, match="differ"):
        compare(replace_temperature(classifier, 5.0), small, INT8_TOLERANCE)


def test_accuracy_of_a_file_is_the_classifiers(real_photos: Path, tmp_path: Path) -> None:
    classifier = FlowerClassifier.from_pretrained("alexnet")
    write_onnx(classifier, tmp_path / "model.onnx")
    photos = split(real_photos)["test"][::12]
    right = [classifier(photo.path).label == LABELS[photo.target] for photo in photos]
    assert onnx.accuracy(classifier, tmp_path / "model.onnx", photos) == sum(right) / len(right)


def replace_temperature(classifier: FlowerClassifier, temperature: float) -> FlowerClassifier:
    config = replace(classifier.config, temperature=temperature)
    return FlowerClassifier(classifier.network, config, classifier.in_distribution_head)


def test_file_names_no_path_of_this_machine(tmp_path: Path) -> None:
    write_onnx(random_classifier(), tmp_path / "model.onnx")
    content = (tmp_path / "model.onnx").read_bytes()
    assert b".py" not in content
    assert str(PROJECT).encode() not in content


def test_file_that_differs_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = random_classifier()
    file = tmp_path / "model.onnx"
    write_onnx(classifier, file)
    before = file.read_bytes()
    other = FlowerClassifier(classifier.network, replace(classifier.config, temperature=0.5))
    with pytest.raises(NotTheSame, match="differ"):
        compare(other, file)
    renamed = FlowerClassifier(classifier.network, replace(classifier.config, labels=("a", "b", "c")))
    with pytest.raises(NotTheSame, match="labels"):
        compare(renamed, file)
    monkeypatch.setattr(onnx, "TOLERANCE", 0.0)
    with pytest.raises(NotTheSame):
        write_onnx(classifier, file)
    assert file.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    file.write_bytes(b"cut")
    with pytest.raises(NotTheSame, match="is no ONNX file of this model"):
        compare(classifier, file)


def test_command_writes_it_and_publishing_makes_a_stale_one_again(tmp_path: Path) -> None:
    classifier = random_classifier()
    folder = tmp_path / "model"
    classifier.network.save_pretrained(folder, config=classifier.config)
    done = run_module("train.export", "onnx", folder)
    assert done.returncode == 0, done.stderr
    assert "model.onnx: the probabilities are the classifier's to" in done.stdout
    assert done.stderr == ""
    assert tuple(json.loads((folder / "labels.json").read_text())) == classifier.config.labels
    new, names = tmp_path / "new", ("model.onnx", "model_int8.onnx")
    new.mkdir()
    assert publish.onnx_files(folder, new) == {name: folder / name for name in names}

    config = asdict(replace(classifier.config, temperature=1.0))
    (folder / "config.json").write_text(json.dumps(config))
    stale = (folder / "model.onnx").read_bytes()
    assert publish.onnx_files(folder, new) == {name: new / name for name in names}
    compare(FlowerClassifier.from_pretrained(folder), new / "model.onnx")
    assert (folder / "model.onnx").read_bytes() == stale  # publishing changes no model folder

    shutil.rmtree(folder)
    done = run_module("train.export", "onnx", folder)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
