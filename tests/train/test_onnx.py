"""A model as an ONNX file: the library's probabilities, for one view and for several, in batches of any size."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from flower_alexnet import AlexNet, Config, FlowerClassifier
from flower_alexnet.images import Preprocessing, View, crop_views
from tests.support.photos import PROJECT, drawn_flower
from train import onnx, publish
from train.onnx import NotTheSame, compare, write_onnx

VIEWS = (View(1.2), View(1, 0, 1, flip=True))


def random_classifier(views: tuple[View, ...], batch_norm: bool = False) -> FlowerClassifier:
    """Return a classifier of three classes with random weights, on crops of another size than 224."""
    torch.manual_seed(0)
    config = Config(
        labels=("cat", "dog", "Hund ö"),
        num_classes=3,
        batch_norm=batch_norm,
        preprocessing=Preprocessing(resize=140, crop=127, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4), views=views),
        temperature=0.02,
    )
    return FlowerClassifier(AlexNet(3, batch_norm), config)


@pytest.mark.parametrize(("views", "batch_norm"), [((View(),), False), (VIEWS, True)])
def test_batches_of_any_size(views: tuple[View, ...], batch_norm: bool, tmp_path: Path) -> None:
    classifier = random_classifier(views, batch_norm)
    assert write_onnx(classifier, tmp_path / "model.onnx") <= 1e-4
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]  # the weights are inside
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert json.loads(session.get_modelmeta().custom_metadata_map["labels"]) == ["cat", "dog", "Hund ö"]
    assert session.get_inputs()[0].type == "tensor(uint8)"
    for number in (1, 2, 7):
        photos = [drawn_flower("daisy", seed, (150 + 20 * seed, 160)) for seed in range(number)]
        crops = [
            crop_views(photo, classifier.config.preprocessing).permute(0, 2, 3, 1).contiguous().numpy()
            for photo in photos
        ]
        batch = np.stack(crops) if len(views) > 1 else np.concatenate(crops)
        (probabilities,) = session.run(["probabilities"], {"images": batch})
        assert probabilities.dtype == np.float32
        expected = [list(prediction.probabilities.values()) for prediction in classifier(photos)]
        assert np.abs(probabilities - expected).max() <= 1e-4


def test_file_names_no_path_of_this_machine(tmp_path: Path) -> None:
    write_onnx(random_classifier((View(),)), tmp_path / "model.onnx")
    content = (tmp_path / "model.onnx").read_bytes()
    assert b".py" not in content
    assert str(PROJECT).encode() not in content


def test_file_that_differs_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = random_classifier((View(),))
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
    classifier = random_classifier((View(),))
    folder = tmp_path / "model"
    classifier.network.save_pretrained(folder, config=classifier.config)
    command = [sys.executable, "-m", "train.export", "onnx"]
    done = subprocess.run([*command, str(folder)], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "model.onnx: the probabilities are the classifier's to" in done.stdout
    assert done.stderr == ""
    assert publish.onnx_file(folder, tmp_path / "new.onnx") == folder / "model.onnx"

    config = asdict(replace(classifier.config, temperature=1.0))
    (folder / "config.json").write_text(json.dumps(config))
    stale = (folder / "model.onnx").read_bytes()
    assert publish.onnx_file(folder, tmp_path / "new.onnx") == tmp_path / "new.onnx"
    compare(FlowerClassifier.from_pretrained(folder), tmp_path / "new.onnx")
    assert (folder / "model.onnx").read_bytes() == stale  # publishing changes no model folder

    shutil.rmtree(folder)
    done = subprocess.run([*command, str(folder)], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
