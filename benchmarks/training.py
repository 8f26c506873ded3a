"""How fast it trains: python -m benchmarks.training

Images a second at 224 pixels, and seconds to 67 % on validation, which the blog post's network reaches on test after
its 15 epochs; beside the way that tutorials show.
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
from benchmarks.measure import machine, table
from flower_alexnet.dataset import Photo, split
from train import engine
from train.checkpoint import History
from train.data import DecodedPhotos, find_or_download, pictures
from train.recipes import RECIPES, Recipe

GOAL = 0.67
"""Validation accuracy, 0-1."""

EPOCHS = 2
"""Over which images a second are counted, best epoch."""

AT_224 = replace(RECIPES["seed"], batch_size=128, epochs=EPOCHS)
"""The blog post's recipe in larger batches."""

LIGHT = replace(
    RECIPES["alexnet_bn"],
    warmup_epochs=1,
    average_decay=0.0,
    crop_scale=0.35,
    trivial_augment=False,
    grayscale=0.0,
    blur=0.0,
    noise=0.0,
    zoom_out=0.0,
    mix=0.0,
    views=1,
)
"""alexnet_bn with little but crops and flips, for a run of seconds."""

QUICK = {
    "this project, 128 px": replace(LIGHT, size=128, resize=128, first_size=None, epochs=6),
    "this project, 96 px growing to 224": replace(LIGHT, first_size=96, epochs=6),
}
"""Recipes for the goal; the first trains and classifies at 128 pixels."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of flower photos (default: $FLOWER_PHOTOS, or a download)")
    parser.add_argument("--epochs", type=int, default=15, help="of the tutorial's way at most (default: 15)")
    options = parser.parse_args(arguments)
    matplotlib.use("Agg")
    logging.basicConfig(format="%(message)s")
    splits = split(options.data or find_or_download())
    print(machine(), f"precision {engine.fastest_precision()}\n", sep=", ")

    tutorial_epochs, seconds_to_goal = run_tutorial(splits, options.epochs)
    theirs = len(splits["train"]) / min(tutorial_epochs[:EPOCHS])
    ours = images_per_second(splits)
    rows = [("tutorial", theirs, 1.0), ("this project", ours, ours / theirs)]
    print(table(("way", "images/s at 224 px", "ratio"), rows), end="\n\n")

    goals = [("tutorial", len(tutorial_epochs), seconds_to_goal)]
    goals += [(way, *run(recipe, splits)) for way, recipe in QUICK.items()]
    columns = ("way", "epochs", f"seconds to {GOAL:.0%} on validation", "share of the tutorial's")
    print(table(columns, [(*goal, goal[2] / seconds_to_goal) for goal in goals]))


def run_tutorial(splits: Mapping[str, Sequence[Photo]], epochs: int) -> tuple[list[float], float]:
    """Train the tutorial's way up to the goal -> the seconds of each epoch, and of all with their validation."""
    started = time.perf_counter()
    seconds = []
    for taken, accuracy in tutorial.train(splits, epochs):
        seconds.append(taken)
        if accuracy >= GOAL:
            return seconds, time.perf_counter() - started
    return seconds, float("nan")


def images_per_second(splits: Mapping[str, Sequence[Photo]]) -> float:
    """Photos trained on in a second, in the faster epoch; all are decoded before."""
    batches = len(splits["train"]) // AT_224.batch_size
    history, _ = _fit(AT_224, splits, validation=1)
    return batches * AT_224.batch_size / min(row["seconds"] for row in history)


def run(recipe: Recipe, splits: Mapping[str, Sequence[Photo]]) -> tuple[int, float]:
    """Train this project's way -> epochs and seconds to the goal, decoding and validation included."""
    history, before = _fit(recipe, splits)
    for row, seconds in zip(history, accumulate(row["seconds"] for row in history), strict=True):
        if row["validation_accuracy"] >= GOAL:
            return int(row["epoch"]), before + seconds
    return len(history), float("nan")


def _fit(recipe: Recipe, splits: Mapping[str, Sequence[Photo]], validation: int | None = None) -> tuple[History, float]:
    """The rows of a run's epochs, and the seconds of what comes before them; nothing decoded earlier is used."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        photos = DecodedPhotos(splits["train"], recipe.resize, Path(folder))
        measured_on = pictures(splits["validation"][:validation], recipe.preprocessing)
        before = time.perf_counter() - started
        _, history = engine.fit(recipe, photos, measured_on, Path(folder))
    return history, before


if __name__ == "__main__":
    main()
