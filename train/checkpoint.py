"""Checkpoints: save and restore the state of a training run, so that a resumed run equals an uninterrupted one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from flower_alexnet import LABELS
from flower_alexnet.files import replace_atomically
from train.recipes import Recipe

NAME = "checkpoint.safetensors"
"""File name of the checkpoint in a run's output folder."""

History = list[dict[str, float]]
"""One row of measurements per epoch."""


class InvalidCheckpoint(ValueError):
    """A run cannot start in, or resume from, its output folder; the message says why and what to do."""


def save(
    folder: Path,
    modules: dict[str, nn.Module],
    optimizer: Optimizer,
    recipe: Recipe,
    history: History,
    labels: Sequence[str] = LABELS,
) -> None:
    """Write the state after ``len(history)`` epochs; replace the file atomically.

    Args:
        folder: the run's output folder.
        modules: modules whose state is saved, by name.
        optimizer: its tensors are saved; hyperparameters come from the recipe.
        recipe: stored as JSON metadata.
        history: stored as JSON metadata.
        labels: of the photos; stored as JSON metadata.

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
    metadata = {"recipe": asdict(recipe), "history": history, "labels": list(labels)}
    try:
        save_file(tensors, temporary, metadata={name: json.dumps(value) for name, value in metadata.items()})
        replace_atomically(temporary, folder / NAME)
    except BaseException:
        temporary.unlink(missing_ok=True)  # an incomplete file, on a disk that may be full
        raise


def restore(
    folder: Path,
    modules: dict[str, nn.Module],
    optimizer: Optimizer,
    recipe: Recipe,
    labels: Sequence[str] = LABELS,
) -> History:
    """Load the checkpoint's state into the modules and the optimizer.

    Returns:
        The history of the completed epochs.

    Raises:
        InvalidCheckpoint: the file is damaged, or was written by a run of another recipe or of other labels.
    """
    metadata = check(folder, recipe, labels)
    tensors = load_file(folder / NAME)
    for prefix, module in modules.items():
        module.load_state_dict({name: tensors[f"{prefix}.{name}"] for name in module.state_dict()})
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, entry = name.split(".", 2)
            parameter = parameters[int(index)]
            if tensor.shape == parameter.shape:  # fused optimizers need the parameter's memory format
                tensor = torch.empty_like(parameter).copy_(tensor)
            state.setdefault(int(index), {})[entry] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return metadata["history"]


def check(folder: Path, recipe: Recipe, labels: Sequence[str] = LABELS) -> dict[str, Any]:
    """Return the metadata of a checkpoint that a run of this recipe on these labels can resume from.

    Raises:
        InvalidCheckpoint: the file is damaged, or was written by a run of another recipe or of other labels.
    """
    try:
        with safe_open(folder / NAME, framework="pt") as file:
            metadata: dict[str, Any] = {key: json.loads(value) for key, value in file.metadata().items()}
    except (SafetensorError, OSError, ValueError) as error:
        raise InvalidCheckpoint(f"{folder / NAME} cannot be read ({error}). Start again in another folder.") from error

    given, saved = json.loads(json.dumps(asdict(recipe))), metadata["recipe"]
    if different := [name for name in given if given[name] != saved.get(name)]:
        listed = "; ".join(f"{name} was {saved.get(name)}, now {given[name]}" for name in different)
        raise InvalidCheckpoint(
            f"{folder} holds a run of another recipe ({listed}). Resume it as it was started, or choose another folder."
        )
    if (trained := metadata.get("labels", list(LABELS))) != list(labels):
        raise InvalidCheckpoint(
            f"{folder} holds a run of the classes {', '.join(trained)}, but the data have {', '.join(labels)}. "
            "Resume it with the data it was started with, or choose another folder."
        )
    return metadata
