"""Checkpoints: save and restore the state of a training run, so that a resumed run equals an uninterrupted one."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from flower_alexnet import LABELS
from flower_alexnet.files import replace_atomically
from train.recipes import Recipe

NAME = "checkpoint.safetensors"
"""File name of the checkpoint in a run's output folder."""

TABLE = "history.csv"
"""File name of the history as a table, beside the checkpoint."""

History = list[dict[str, float]]
"""One row of measurements per epoch."""

AGAIN = "Start again in another folder."

MEASUREMENTS = {
    "epoch",
    "learning_rate",
    "train_loss",
    "train_accuracy",
    "validation_loss",
    "validation_accuracy",
    "seconds",
}
"""The measurements of a row."""

ADAM, MOMENTUM = {"step", "exp_avg", "exp_avg_sq"}, {"momentum_buffer"}
STATES = {"sgd": set[str](), "momentum": MOMENTUM, "adagrad": {"step", "sum"}, "adam": ADAM, "muon": ADAM}
"""Tensors that each optimizer keeps of a parameter; of convolutions, muon keeps ``MOMENTUM``."""


class InvalidCheckpoint(ValueError):
    """A run cannot start in, or resume from, its output folder; the message says why and what to do."""


@dataclass(frozen=True)
class Metadata:
    """What a checkpoint says of its run, stored as JSON.

    Args:
        recipe: its fields.
        history: a row for each completed epoch.
        labels: of the photos.
        photos: what ``data.fingerprint`` returns.
    """

    recipe: dict[str, Any]
    history: History
    labels: list[str]
    photos: str


def save(
    folder: Path,
    modules: dict[str, nn.Module],
    optimizer: Optimizer,
    recipe: Recipe,
    history: History,
    labels: Sequence[str] = LABELS,
    photos: str = "",
) -> None:
    """Write the state after ``len(history)`` epochs; replace the file atomically.

    Args:
        folder: the run's output folder.
        modules: modules whose state is saved, by name.
        optimizer: its tensors are saved; hyperparameters come from the recipe.
        recipe, history, labels, photos: stored as ``Metadata``.

    Raises:
        OSError, SafetensorError: the file cannot be written; an earlier checkpoint is kept.
    """
    tensors = {
        f"{prefix}.{name}": tensor for prefix, module in modules.items() for name, tensor in module.state_dict().items()
    }
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items() if isinstance(value, Tensor)}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    temporary = folder / f"{NAME}.part"
    metadata = asdict(Metadata(asdict(recipe), history, list(labels), photos))
    try:
        save_file(tensors, temporary, metadata={name: json.dumps(value) for name, value in metadata.items()})
        replace_atomically(temporary, folder / NAME)
        _write_table(history, folder / TABLE)
    except BaseException:
        temporary.unlink(missing_ok=True)  # an incomplete file, on a disk that may be full
        raise


def _write_table(history: History, file: Path) -> None:
    """Write a line for each epoch."""
    temporary = file.with_name(f"{file.name}.part")
    try:
        with temporary.open("w", newline="", encoding="utf-8") as output:
            writer = csv.DictWriter(output, history[-1].keys())
            writer.writeheader()
            writer.writerows(history)
        replace_atomically(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def restore(
    folder: Path,
    modules: dict[str, nn.Module],
    optimizer: Optimizer,
    recipe: Recipe,
    labels: Sequence[str] = LABELS,
    photos: str = "",
) -> History:
    """Load the checkpoint's state into the modules and the optimizer.

    Returns:
        The history of the completed epochs.

    Raises:
        InvalidCheckpoint: the file is damaged, or was written by a run of another recipe, other labels or other photos.
    """
    metadata = read_metadata(folder, recipe, labels, photos)
    tensors = load_file(folder / NAME)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    _check_tensors(folder / NAME, tensors, _expected(modules, optimizer, recipe))
    for prefix, module in modules.items():
        module.load_state_dict({name: tensors[f"{prefix}.{name}"] for name in module.state_dict()})
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, entry = name.split(".", 2)
            parameter = parameters[int(index)]
            if tensor.shape == parameter.shape:  # fused optimizers need the parameter's memory format
                tensor = torch.empty_like(parameter).copy_(tensor)
            state.setdefault(int(index), {})[entry] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return metadata.history


def recipe_of(folder: Path) -> Recipe:
    """Return the recipe of the run whose checkpoint is in a folder.

    Raises:
        InvalidCheckpoint: the file is damaged.
    """
    file = folder / NAME
    try:
        with safe_open(file, framework="pt") as opened:
            return Recipe(**json.loads((opened.metadata() or {})["recipe"]))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidCheckpoint(f"{file} cannot be read ({error}). {AGAIN}") from error


def read_metadata(folder: Path, recipe: Recipe, labels: Sequence[str] = LABELS, photos: str = "") -> Metadata:
    """Return the metadata of a checkpoint that a run of this recipe on these photos can resume from.

    Raises:
        InvalidCheckpoint: the file is damaged, or was written by a run of another recipe, other labels or other photos.
    """
    file = folder / NAME
    try:
        with safe_open(file, framework="pt") as opened:
            entries = {key: json.loads(value) for key, value in (opened.metadata() or {}).items()}
    except (SafetensorError, OSError, ValueError) as error:
        raise InvalidCheckpoint(f"{file} cannot be read ({error}). {AGAIN}") from error
    try:
        metadata = TypeAdapter(Metadata).validate_python(entries)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}" for wrong in error.errors()[:3])
        raise InvalidCheckpoint(f"{file} does not say which run it is of ({problems}). {AGAIN}") from error

    given = json.loads(json.dumps(asdict(recipe)))
    if different := [name for name in given if given[name] != metadata.recipe.get(name)]:
        listed = "; ".join(f"{name} was {metadata.recipe.get(name)}, now {given[name]}" for name in different)
        raise InvalidCheckpoint(
            f"{folder} holds a run of another recipe ({listed}). Resume it as it was started, or choose another folder."
        )
    if metadata.labels != list(labels):
        raise InvalidCheckpoint(
            f"{folder} holds a run of the classes {', '.join(metadata.labels)}, but the data have {', '.join(labels)}. "
            "Resume it with the data it was started with, or choose another folder."
        )
    if metadata.photos != photos:
        raise InvalidCheckpoint(
            f"{folder} holds a run on other photos than those given: the names or contents of the files to train and "
            "validate on differ. Resume it with the data it was started with, or choose another folder."
        )
    epochs = [row.get("epoch") for row in metadata.history]
    complete = all(row.keys() >= MEASUREMENTS for row in metadata.history)
    if not complete or epochs != list(range(1, len(epochs) + 1)) or not 1 <= len(epochs) <= recipe.epochs:
        raise InvalidCheckpoint(f"{file} has no complete history of its epochs. {AGAIN}")
    return metadata


def _expected(modules: dict[str, nn.Module], optimizer: Optimizer, recipe: Recipe) -> dict[str, tuple[int, ...]]:
    """Return name -> shape of the tensors in a checkpoint."""
    shapes = {
        f"{prefix}.{name}": tuple(tensor.shape)
        for prefix, module in modules.items()
        for name, tensor in module.state_dict().items()
    }
    groups = [(group, parameter) for group in optimizer.param_groups for parameter in group["params"]]
    for index, (group, parameter) in enumerate(groups):
        for entry in MOMENTUM if group.get("muon") else STATES[recipe.optimizer]:
            shapes[f"optimizer.{index}.{entry}"] = () if entry == "step" else tuple(parameter.shape)
    return shapes


def _check_tensors(file: Path, tensors: dict[str, Tensor], expected: dict[str, tuple[int, ...]]) -> None:
    if different := sorted(tensors.keys() ^ expected.keys()):
        verb = "lacks" if different[0] in expected else "holds"
        raise InvalidCheckpoint(f"{file} {verb} {different[0]}, unlike a checkpoint of this run. {AGAIN}")
    for name, shape in expected.items():
        if tuple(tensors[name].shape) != shape:
            raise InvalidCheckpoint(
                f"{file}: {name} has the shape {tuple(tensors[name].shape)}, not {shape} as in this run. {AGAIN}"
            )
