"""Training speed: python -m benchmarks.training

Images per second at 224 pixels, and seconds to 67 % validation accuracy (the test accuracy that the blog post reports
after 15 epochs), against the training loop of tutorials.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import matplotlib

from benchmarks import tutorial
from benchmarks.measure import machine, purpose, table
from flower_alexnet import LABELS
from flower_alexnet.dataset import LabeledPhoto, split
from train import engine
from train.checkpoint import History
from train.data import load_tensors
from train.decoded import DecodedPhotos
from train.engine import TrainingData
from train.flower_photos import find_or_download
from train.recipes import RECIPES, Recipe

GOAL = 0.67
"""Validation accuracy, 0-1."""

EPOCHS = 2
"""Epochs of which the fastest gives the images per second."""

AT_224 = replace(RECIPES["alexnet-baseline"], batch_size=128, epochs=EPOCHS)
"""The baseline recipe with larger batches."""

BESIDE_OUTLIERS = replace(AT_224, outliers=96)
"""The same with three outliers to four photos in each step, as alexnet-bn has them."""

LIGHT = replace(
    RECIPES["alexnet-bn"],
    size=224,
    inference_size=None,
    warmup_epochs=1,
    ema_decay=0.0,
    crop_scale=0.35,
    trivial_augment=False,
    grayscale_prob=0.0,
    blur_prob=0.0,
    noise_prob=0.0,
    zoom_out_prob=0.0,
    compress_prob=0.0,
    mix_prob=0.0,
    outliers=0,
)
"""alexnet-bn with crops and flips as its only augmentation and without outliers, for a run of seconds."""

QUICK = {
    "this project, 128 px": replace(LIGHT, size=128, resize=128, initial_size=None, epochs=6),
    "this project, 96 px growing to 224": replace(LIGHT, initial_size=96, epochs=6),
}
"""Recipes for the goal; the first trains and validates at 128 pixels."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=purpose(__doc__))
    parser.add_argument("--data", type=Path, help="folder of flower photos (default: $FLOWER_PHOTOS, or a download)")
    parser.add_argument("--epochs", type=int, default=15, help="most epochs of the tutorial's loop (default: 15)")
    options = parser.parse_args(arguments)
    matplotlib.use("Agg")
    logging.basicConfig(format="%(message)s")
    splits = split(options.data or find_or_download())
    print(machine(), f"precision {engine.fastest_precision()}\n", sep=", ")

    tutorial_epochs, seconds_to_goal = run_tutorial(splits, options.epochs)
    theirs = len(splits["train"]) / min(tutorial_epochs[:EPOCHS])
    rows = [("tutorial", theirs, 1.0)]
    for setup, recipe in (("this project", AT_224), ("this project, outliers counted", BESIDE_OUTLIERS)):
        ours = images_per_second(recipe, splits)
        rows.append((setup, ours, ours / theirs))
    print(table(("setup", "images/s at 224 px", "ratio"), rows), end="\n\n")

    goals = [("tutorial", len(tutorial_epochs), seconds_to_goal)]
    goals += [(name, *run(recipe, splits)) for name, recipe in QUICK.items()]
    columns = ("setup", "epochs", f"seconds to {GOAL:.0%} on validation", "ratio")
    print(table(columns, [(*goal, goal[2] / seconds_to_goal) for goal in goals]))


def run_tutorial(splits: Mapping[str, Sequence[LabeledPhoto]], epochs: int) -> tuple[list[float], float]:
    """Train with the tutorial's loop until the goal.

    Returns:
        The training seconds of each epoch, and the total seconds to the goal with validation (NaN if not reached).
    """
    started = time.perf_counter()
    seconds = []
    for epoch_seconds, accuracy in tutorial.fit(splits, epochs):
        seconds.append(epoch_seconds)
        if accuracy >= GOAL:
            return seconds, time.perf_counter() - started
    return seconds, float("nan")


def images_per_second(recipe: Recipe, splits: Mapping[str, Sequence[LabeledPhoto]]) -> float:
    """Return the training images per second of the fastest epoch, outliers among them, photos being decoded before.

    What the outliers show makes no difference here: they are photos of the dataset.
    """
    batches = len(splits["train"]) // recipe.batch_size
    history, _ = _fit(recipe, splits, validation=1)
    return batches * (recipe.batch_size + recipe.outliers) / min(row["seconds"] for row in history)


def run(recipe: Recipe, splits: Mapping[str, Sequence[LabeledPhoto]]) -> tuple[int, float]:
    """Train with this project's loop; return epochs and seconds to the goal (NaN if not reached).

    The seconds include decoding and validation.
    """
    history, preparation = _fit(recipe, splits)
    for row, seconds in zip(history, accumulate(row["seconds"] for row in history), strict=True):
        if row["validation_accuracy"] >= GOAL:
            return int(row["epoch"]), preparation + seconds
    return len(history), float("nan")


def _fit(
    recipe: Recipe, splits: Mapping[str, Sequence[LabeledPhoto]], validation: int | None = None
) -> tuple[History, float]:
    """Train with an empty cache of decoded photos.

    Returns:
        The run's history, and the seconds of decoding and of loading the validation photos before it.
    """
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        photos = DecodedPhotos(splits["train"], recipe.resize, Path(folder))
        validation_tensors = load_tensors(splits["validation"][:validation], recipe.preprocessing)
        preparation = time.perf_counter() - started
        data = TrainingData(LABELS, photos, validation_tensors, photos if recipe.outliers else None)
        history = engine.fit(recipe, data, Path(folder)).history
    return history, preparation


if __name__ == "__main__":
    main()
