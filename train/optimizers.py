"""Compare four optimizers on the baseline recipe, in one figure and one table.

python -m train.optimizers --data flower_photos --output runs/optimizers
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib
import tyro

from flower_alexnet.dataset import InvalidDataset, find_classes, split
from flower_alexnet.files import replace_atomically
from train import checkpoint, engine
from train.checkpoint import History, InvalidCheckpoint
from train.data import fingerprint, load_tensors
from train.decoded import DecodedPhotos
from train.flower_photos import find_or_download
from train.plots import plot_histories
from train.recipes import RECIPES, InvalidRecipe, Recipe

TITLES = {
    "sgd": "SGD",
    "momentum": "SGD with Nesterov momentum 0.9",
    "adagrad": "AdaGrad",
    "adam": "Adam",
}
"""The optimizers by their names in recipes, with their titles in figure and table."""


def compare(folder_of_photos: Path, output: Path) -> dict[str, History]:
    """Train the baseline recipe with each optimizer; skip runs that an earlier call finished.

    Args:
        folder_of_photos: folder of class folders.
        output: folder with a subfolder per optimizer, in which an unfinished run resumes.

    Returns:
        Optimizer -> its history.

    Raises:
        InvalidCheckpoint: a run of an earlier call was on other photos, or is damaged.
    """
    baseline, splits, labels = RECIPES["alexnet-baseline"], split(folder_of_photos), find_classes(folder_of_photos)
    same_photos = fingerprint(splits, labels)
    data = engine.TrainingData(
        labels,
        DecodedPhotos(splits["train"], baseline.resize),
        load_tensors(splits["validation"], baseline.preprocessing),
        fingerprint=same_photos,
    )
    histories = {}
    for optimizer in TITLES:
        recipe: Recipe = replace(baseline, optimizer=optimizer)  # type: ignore[arg-type]
        folder = output / optimizer
        folder.mkdir(parents=True, exist_ok=True)
        finished = folder / "history.json"
        if not finished.is_file():
            resume = (folder / checkpoint.NAME).is_file()
            history = engine.fit(recipe, data, folder, resume).history
            temporary = folder / f"{finished.name}.part"
            content = {"photos": same_photos, "history": history}
            temporary.write_text(json.dumps(content, indent=2), encoding="utf-8")
            replace_atomically(temporary, finished)
        (folder / checkpoint.NAME).unlink(missing_ok=True)
        histories[optimizer] = _read_history(finished, same_photos)
    return histories


def _read_history(file: Path, photos: str) -> History:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        history, trained_on = content["history"], content["photos"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidCheckpoint(f"{file} cannot be read ({error}). Delete it to run this optimizer again.") from error
    if trained_on != photos:
        raise InvalidCheckpoint(f"{file} is of a run on other photos than those given. Choose another folder.")
    return history


def table(histories: dict[str, History]) -> str:
    """Return the last epoch of each history as a Markdown table."""
    rows = ["| optimizer | learning rate | training loss | validation accuracy | minutes |", "|---|---|---|---|---|"]
    for optimizer, history in histories.items():
        last = history[-1]
        minutes = sum(row["seconds"] for row in history) / 60
        rows.append(
            f"| {TITLES[optimizer]} | {last['learning_rate']:g} | {last['train_loss']:.3f} "
            f"| {last['validation_accuracy']:.1%} | {minutes:.1f} |"
        )
    return "\n".join(rows)


def main(output: Path, data: Path | None = None) -> None:
    """Compare four optimizers on the baseline recipe, with the same random seed and number of epochs.

    Args:
        output: folder for optimizers.png and the runs; a stopped comparison resumes in it.
        data: folder of class folders; if not given, found or downloaded as python -m train does.
    """
    try:
        histories = compare(data or find_or_download(), output)
    except (InvalidDataset, InvalidCheckpoint, InvalidRecipe) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    plot_histories({TITLES[name]: history for name, history in histories.items()}, output / "optimizers.png")
    print(table(histories))


if __name__ == "__main__":
    matplotlib.use("Agg")
    logging.basicConfig(format="%(message)s")
    tyro.cli(main, prog="python -m train.optimizers")
