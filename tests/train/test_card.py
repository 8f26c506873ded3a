"""The model card of any run: its command gives the run's recipe, and its sentences are true of the run."""

from __future__ import annotations

import json
import re
import shlex
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard

from flower_alexnet import LABELS, AlexNet, Config, FlowerClassifier, InvalidModel, ModelNotFound, registry
from flower_alexnet.config import Preprocessing
from flower_alexnet.registry import find_local
from train import __main__, export
from train.card import card
from train.data import shown_path
from train.flower_photos import FINGERPRINTS
from train.recipes import RECIPES, Recipe

SHAPES = ("circles", "squares", "stripes")


def written(
    tmp_path: Path,
    name: str = "alexnet-baseline",
    recipe: Recipe | None = None,
    labels: tuple[str, ...] = SHAPES,
    dataset: dict[str, Any] | None = None,
    training: dict[str, Any] | None = None,
    test: dict[str, Any] | None = None,
    seeds: dict[str, Any] | None = None,
    **config: Any,
) -> str:
    """Return the card of a run on own photos; measurements are those of a shipped model."""
    recipe = recipe or RECIPES[name]
    shipped = json.loads((registry.find("alexnet-baseline") / "metrics.json").read_text())
    summary = export.summarize(name, recipe, shipped["history"], 48)
    summary["training"] |= training or {}
    summary["dataset"] = {"name": "shapes", "labels": labels, "photos": "0123", "split_by": "names"} | (dataset or {})
    summary |= {part: {**shipped[part]} for part in ("validation", "test")}
    summary["test"] |= test or {}
    if seeds:
        summary["seeds"] = seeds
    options: dict[str, Any] = {"preprocessing": recipe.preprocessing, "batch_norm": recipe.batch_norm} | config
    network = AlexNet(len(labels), batch_norm=recipe.batch_norm)
    head = torch.nn.Linear(2048, 1) if "threshold" in config else None
    classifier = FlowerClassifier(network, Config(labels, len(labels), **options), head)
    return str(card(classifier, summary, tmp_path / "shapes"))


def command_of(text: str) -> str:
    """Return the line that does a run again."""
    (line,) = re.findall(r"^python -m train .*$", text.partition("## Training")[2], re.MULTILINE)
    return str(line)


def parsed(line: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Recipe, Path, Path | None, bool, Path | None]:
    """Return what the command line makes of a line, without training."""
    calls: list[Any] = []
    with monkeypatch.context() as patch:
        patch.setattr(__main__, "train", lambda *arguments: calls.append(arguments))
        patch.setattr(sys, "argv", shlex.split(line)[2:])
        __main__.main()
    (call,) = calls
    trackers, _, minutes = call[6:]  # what is measured elsewhere is no part of a run
    assert (trackers, minutes) == ((), None)
    return call[:6]


CHANGED: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in RECIPES),
    ("alexnet-baseline", {"epochs": 3, "size": 128}),
    ("alexnet-baseline", {"batch_norm": True, "cosine": True, "trivial_augment": True, "learning_rate": 1e-05}),
    ("alexnet-baseline", {"optimizer": "muon", "muon_learning_rate": 0.1 + 0.2, "crop_pct": 1.0, "crop_scale": 0.08}),
    ("alexnet", {"teacher": None, "initial_size": None, "crop_scale": None}),
    ("alexnet", {"teacher": "runs/my own; teacher$(x)"}),
    ("alexnet", {"teacher": "-x"}),
    ("alexnet", {"teacher": "user/flowers@v1", "distillation_weight": 1.0}),
    ("alexnet-bn", {"batch_norm": False, "cosine": False, "trivial_augment": False, "ema_decay": 0.0}),
    (
        "alexnet-bn",
        {"seed": 7, "initial_size": 96, "warmup_epochs": 2.5, "mix_prob": 0.0, "outliers": 0, "dropout": 0.0},
    ),
]


@pytest.mark.parametrize(("name", "changes"), CHANGED)
def test_command_gives_the_recipe_of_the_run(
    name: str, changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(RECIPES[name], **changes)
    line = command_of(written(tmp_path, name, recipe))
    assert parsed(line, monkeypatch) == (name, recipe, Path("runs/shapes"), Path("shapes"), False, None)
    options = {f"--{'no-' if value is False else ''}{field.replace('_', '-')}" for field, value in changes.items()}
    assert {word.partition("=")[0] for word in shlex.split(line) if word.startswith("--")} == {
        *("--data", "--output"),
        *options,
    }


@pytest.mark.parametrize("folder", ["my photos", "-x", "it's $5", "花"])
def test_command_names_the_folder_of_own_photos(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = command_of(written(tmp_path, dataset={"name": folder}))
    assert parsed(line, monkeypatch)[3] == Path(folder)


def test_command_has_the_paths_as_they_were_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = command_of(written(tmp_path, dataset={"name": "pets", "path": "../photos/my pets"}))
    assert parsed(line, monkeypatch)[3] == Path("../photos/my pets")
    monkeypatch.chdir(tmp_path)
    assert shown_path(tmp_path / "pets") == shown_path(Path("pets")) == "pets"
    assert shown_path(Path("/home/ann/secret/pets")) == "pets"  # whose disk it is concerns nobody


def test_recipe_of_an_earlier_version_has_the_defaults_of_fields_it_did_not_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The shipped models were trained before some fields were added."""
    for name in registry.SHIPPED:
        line = command_of((registry.find(name) / "README.md").read_text())
        given = json.loads((registry.find(name) / "metrics.json").read_text())["recipe"]
        known = {field.name: given[field.name] for field in fields(Recipe) if field.name in given}
        assert parsed(line, monkeypatch) == (
            name,
            replace(RECIPES[name], **known),
            Path("runs") / name,
            None,
            False,
            None,
        )


def test_card_of_the_real_photos_and_of_own_ones(tmp_path: Path) -> None:
    """Own photos of the five flowers, even in a folder of that name, are not flower_photos."""
    real = written(tmp_path, labels=LABELS, dataset={"name": "flower_photos", "photos": FINGERPRINTS[0]})
    own = written(tmp_path, labels=LABELS, dataset={"name": "flower_photos"})
    for sentence in (
        "photos of flower_photos, from",
        "reports about 67 % on its own random tenth of the same photos",
        "The photos of flower_photos belong to their photographers",
        "Choices were made on validation; the test photos decided nothing.",
        "The models of this project err most",
    ):
        assert sentence in real
        assert sentence not in own
    assert "--data" not in real
    assert "--data flower_photos" in own
    assert "48 photos of the folder flower_photos, from" in own
    assert ModelCard(real).data.to_dict()["datasets"] == ["flower_photos"]
    assert "datasets" not in ModelCard(own).data.to_dict()
    for text in (real, own):
        assert "The model knows five flowers" in text


def test_numbers_are_written_as_people_do(tmp_path: Path) -> None:
    """One epoch, one photo, no minute, and temperatures of any size."""
    training = {"epochs": 1, "photos": 1, "minutes": 0.3}
    text = written(tmp_path, recipe=Recipe(epochs=1), training=training, test={"photos": 1}, temperature=2415524.0)
    assert "1 epoch on 1 photo of the folder shapes, from\nscratch, in less than a minute on" in text
    assert "| Test accuracy | **20.7 to 100.0 %**: 1 of 1 held-out photo right says little yet |" in text
    assert "On 1 photo even" in text
    assert "temperature (2.42e+06, fitted" in text
    assert "1 minute on" in written(tmp_path, training={"minutes": 1.4})
    assert "2 minutes on" in written(tmp_path, training={"minutes": 1.6})
    assert "temperature (0.383, fitted" in written(tmp_path, temperature=0.38295)
    assert not re.search(r"\b1 (epochs|photos|minutes|seeds|classes)\b", text)
    assert not re.search(r"\b0 minutes", text)


def test_split_is_told_as_it_was(tmp_path: Path) -> None:
    by_name, by_folders = written(tmp_path), written(tmp_path, dataset={"split_by": "folders"})
    assert "SHA-256" in by_name
    assert "The folder came split into training, validation and test photos." in by_folders
    assert "SHA-256" not in by_folders
    for text in (by_name, by_folders):
        assert "Temperature and threshold were fitted on the validation photos" in text


def test_training_is_told_as_it_was(tmp_path: Path) -> None:
    assert "Recipe `alexnet-bn`, " in written(tmp_path, "alexnet-bn")
    assert "Recipe `alexnet-bn` with changes, " in written(
        tmp_path, "alexnet-bn", replace(RECIPES["alexnet-bn"], epochs=2)
    )
    assert "distilled" not in written(tmp_path, "alexnet-bn")
    assert "distilled from alexnet-bn" in written(tmp_path, "alexnet")
    training = {"processes": 2, "machine": "1 core of a processor"}
    assert "by 2 processes, each on 1 core of a processor." in written(tmp_path, training=training)
    assert "over " not in written(tmp_path).partition("## Use")[0]  # no row of several seeds


@pytest.mark.parametrize(
    ("preprocessing", "expected"),
    [
        (Preprocessing(160, 128), "shorter side resized to 160 pixels, center crop of 128×128"),
        (Preprocessing(128, 128), "the central square, as 128×128"),
    ],
)
def test_input_is_told_as_it_is(preprocessing: Preprocessing, expected: str, tmp_path: Path) -> None:
    assert f"{expected} |" in written(tmp_path, preprocessing=preprocessing)


def test_figures_are_those_of_the_measurements(tmp_path: Path) -> None:
    """Each figure of the card has a value of its own."""
    per_class = {
        label: {"precision": 0.51 + n / 100, "recall": 0.61 + n / 100, "count": n} for n, label in enumerate(SHAPES)
    }
    others = {
        "all photos": {
            "photos": 330,
            "taken": 0.1234,
            "certain": 0.0345,
            "sure": 0.2345,
            "auroc": 0.9321,
            "fpr95": 0.1432,
        },
        "drawn pictures": {"photos": 245, "taken": 0.0, "certain": 0.0, "sure": None, "auroc": 0.9876, "fpr95": 0.0543},
    }
    test = {
        "accuracy": 0.8765,
        "photos": 321,
        "calibration_error": 0.0567,
        "calibration_error_by_chance": 0.0342,
        "in_distribution": 0.9321,
        "certain": 0.6543,
        "certain_accuracy": 0.9654,
        "per_class": per_class,
        "confusion_matrix": [[5, 1, 0], [0, 6, 2], [0, 0, 7]],
        "others": others,
    }
    text = written(
        tmp_path,
        test=test,
        dataset={"others": {"name": "things", "photos": "89ab", "train": 1154, "validation": 330}},
        seeds={"runs": 3, "mean": 0.8123, "deviation": 0.0456},
        threshold=0.4567,
    )
    for row in (
        "| Test accuracy | **87.6 %** on 321 held-out photos; 95 % interval 83.5 to 90.7 % |",
        "| Test accuracy over 3 seeds | 81.2 ± 4.6 % (mean ± standard deviation) |",
        "| Computation | 0.31 billion multiplications with addition (GMACs) a photo |",
        "| Calibration error on test (15 bins) | 0.057; 0.034 by chance alone |",
        "| Photos of other things taken for one of the classes | **12.3 %** of 330; AUROC 0.932; "
        "of pictures drawn by code **0.0 %** of 245 |",
        "| all photos | 330 | 12.3 % | 23.4 % | 3.5 % | 0.932 | 14.3 % |",
        "| drawn pictures | 245 | 0.0 % | – | 0.0 % | 0.988 | 5.4 % |",
        "beside 1154 photos of other things",
        "--others things",
        "| Validation accuracy | 72.5 % on 367 photos |",
        "| circles | 51.0 % | 61.0 % | 0 |",
        "| squares | 52.0 % | 62.0 % | 1 |",
        "| stripes | 53.0 % | 63.0 % | 2 |",
        "93.2 % of the test photos",
        "It errs most by taking squares for stripes: 2 of 8 photos.",
        "| Parameters | 14.6 million, stored as float16 safetensors |",
    ):
        assert row in text
    (result,) = ModelCard(text).data.to_dict()["model-index"][0]["results"]
    assert result["dataset"] == {"name": "shapes", "type": "imagefolder", "split": "test"}
    assert [metric["value"] for metric in result["metrics"]] == [0.8765]


@pytest.mark.parametrize(
    ("held_out", "words"),
    [
        ("kinds", "things, of kinds that the model was not trained on;"),
        ("photos", "**the figures flatter**"),
        (None, "things, which the model was not trained on;"),
    ],
)
def test_strangers_of_the_same_kinds_flatter(held_out: str | None, words: str, tmp_path: Path) -> None:
    row = {"photos": 9, "taken": 0.0, "certain": 0.0, "sure": None, "auroc": 0.9, "fpr95": 0.1}
    others = {"name": "things", "photos": "89ab", "train": 90, "validation": 9}
    text = written(
        tmp_path,
        test={"others": {"all photos": row, "drawn pictures": row}},
        dataset={"others": others | ({"held_out": held_out} if held_out else {})},
        threshold=0.5,
    )
    assert words in text
    assert ("flatter" in text) == (held_out == "photos")


def test_unknown_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match="names the recipe resnet; there are alexnet-baseline, alexnet, alexnet-bn"):
        written(tmp_path, "resnet", Recipe())


def test_model_that_a_killed_run_left_unfinished_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.part").mkdir()
    with pytest.raises(ModelNotFound, match="was left by a stopped run"):
        find_local(str(tmp_path / "model.part"))


def test_names_of_classes_do_not_break_the_tables(tmp_path: Path) -> None:
    labels = ("a | b", "two\nlines", "back\\slash")
    measured = {label: {"precision": 1.0, "recall": 1.0, "count": 2} for label in labels}
    matrix = [[2, 0, 0], [1, 1, 0], [0, 0, 2]]
    text = written(tmp_path, labels=labels, test={"per_class": measured, "confusion_matrix": matrix})
    assert "by taking two lines for a \\| b: 1 of 2 photos." in text
    rows = [line for line in text.splitlines() if line.startswith(("| a ", "| two", "| back"))]
    assert rows[0].startswith("| a \\| b | ")
    assert rows[1].startswith("| two lines | ")
    assert rows[2].startswith("| back\\\\slash | ")
