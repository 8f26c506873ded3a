"""Cross-validation: where photos are few, each is tested once, by a network that was not trained on it."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from flower_alexnet import Config, FlowerClassifier, InvalidModel
from flower_alexnet.dataset import InvalidDataset, LabeledPhoto, all_photos, by_hash, find_classes
from flower_alexnet.interval import accuracy_interval
from flower_alexnet.model_folder import METRICS
from flower_alexnet.words import counted
from train import engine, others
from train.data import TrainingData, fingerprint, load_tensors
from train.decoded import DecodedPhotos
from train.outputs import outputs_and_targets
from train.pretrained import TIMM
from train.recipes import InvalidRecipe, Recipe, validate
from train.teacher import names

Parts = dict[str, list[LabeledPhoto]]
"""Photos to train on, to validate on and to test on, by ``train``, ``validation`` and ``test``."""


def folds(photos: Sequence[LabeledPhoto], number: int) -> Iterator[Parts]:
    """Cut photos into folds, in each class by the SHA-256 of their names; each fold is tested on once, validated once.

    Raises:
        InvalidDataset: a class has fewer photos than there are folds.
    """
    of_class: dict[int, list[LabeledPhoto]] = {}
    for photo in photos:
        of_class.setdefault(photo.target, []).append(photo)
    numbered = []
    for target, group in of_class.items():
        if len(group) < number:
            raise InvalidDataset(f"A class has {counted(len(group), 'photo')}, too few for {number} folds.")
        numbered += [(index % number, LabeledPhoto(path, target)) for index, path in enumerate(by_hash(_paths(group)))]
    for fold in range(number):
        part_of = {fold: "test", (fold + 1) % number: "validation"}
        parts: Parts = {"train": [], "validation": [], "test": []}
        for index, photo in numbered:
            parts[part_of.get(index, "train")].append(photo)
        yield parts


def cross_validate(model: Path, data: Path, number: int, others_folder: Path | None = None) -> str:
    """Train by a model's recipe once for each fold, and return how many photos were right, in words.

    Args:
        model: model folder, of whose ``metrics.json`` the recipe is taken.
        data: folder of class folders.
        number: of folds, 3 or more.
        others_folder: photos of other things, if the recipe has outliers; None finds them or makes them.

    Raises:
        InvalidModel: the folder says of no recipe.
        InvalidRecipe, InvalidDataset: the message says what to do.
    """
    if number < 3:
        raise InvalidRecipe("folds: at least 3 are needed: to train, to validate and to test on.")
    (recipe, beside), labels = _run_of(model), find_classes(data)
    teacher = recipe.teacher if recipe.teacher and all(it.startswith(TIMM) for it in names(recipe.teacher)) else None
    if (recipe.start, recipe.teacher) != (None, teacher):
        known = " and ".join(name for name in (recipe.start, recipe.teacher) if name not in (None, teacher))
        tqdm.write(f"Without {known}, which may have been trained on these photos.", file=sys.stderr)
        recipe = replace(recipe, start=None, teacher=teacher, squares=recipe.squares if teacher else 0)
    outliers, weights, seen_others = None, None, ""
    if recipe.outliers:
        folder_of_others = others.find_again(others_folder, beside)
        every = others.split(folder_of_others)
        other_photos, seen_others = every["train"], f" {others.describe(folder_of_others, every)['photos']}"
        outliers, weights = others.decoded(other_photos, recipe.resize)
    right = tested = 0
    for fold, parts in enumerate(folds(all_photos(data), number), start=1):
        validation = load_tensors(parts["validation"], recipe.preprocessing)
        photos, seen = DecodedPhotos(parts["train"], recipe.resize), fingerprint(parts, labels) + seen_others
        fold_data = TrainingData(labels, photos, validation, outliers, weights, seen)
        with tempfile.TemporaryDirectory() as folder:
            network, head, _ = engine.fit(recipe, fold_data, Path(folder))
        config = Config(labels, len(labels), recipe.batch_norm, recipe.dropout, recipe.preprocessing)
        outputs, targets = outputs_and_targets(FlowerClassifier(network, config, head), parts["test"], labels)
        right, tested = right + int((outputs.logits.argmax(1) == targets).sum()), tested + len(targets)
        tqdm.write(f"fold {fold}/{number}: {right} of {tested} photos right so far", file=sys.stderr)
    low, high = accuracy_interval(right / tested, tested)
    return (
        f"accuracy           {right / tested:.1%} of {counted(tested, 'photo')} (95 % interval: {low:.1%} to "
        f"{high:.1%}), in {number} folds: each photo was tested by a network that was not trained on it"
    )


def _paths(photos: Sequence[LabeledPhoto]) -> list[Path]:
    return [photo.path for photo in photos]


def _run_of(model: Path) -> tuple[Recipe, dict[str, Any]]:
    """Return the recipe that a model folder was made by, and what it says of the photos of other things."""
    try:
        run = json.loads((model / METRICS).read_text(encoding="utf-8"))
        known = {field.name for field in fields(Recipe)}
        recipe = validate(Recipe(**{name: value for name, value in run["recipe"].items() if name in known}))
        return recipe, run.get("dataset", {}).get("others", {})
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InvalidModel(f"{model / METRICS} does not say by which recipe the model was made ({error}).") from error
