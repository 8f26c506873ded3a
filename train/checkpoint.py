"""The state of a training run on disk, so that a stopped run goes on as if it never stopped."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from flower_alexnet.files import put
from train.recipes import Recipe

NAME = "checkpoint.safetensors"

History = list[dict[str, float]]
"""A row an epoch: what was measured in it."""


class InvalidCheckpoint(ValueError):
    """A run cannot go on from its checkpoint; the message says why and what to do."""


def save(folder: Path, modules: dict[str, nn.Module], optimizer: Optimizer, recipe: Recipe, history: History) -> None:
    """Write the whole state after ``len(history)`` epochs; the file is replaced in one step or not at all."""
    tensors = {f"{module}.{name}": tensor for module, it in modules.items() for name, tensor in it.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items() if isinstance(value, Tensor)}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    aside = folder / f"{NAME}.part"
    try:
        save_file(tensors, aside, metadata={"recipe": json.dumps(asdict(recipe)), "history": json.dumps(history)})
        put(aside, folder / NAME)
    except BaseException:
        aside.unlink(missing_ok=True)  # half a file, where space may be short
        raise


def restore(folder: Path, modules: dict[str, nn.Module], optimizer: Optimizer, recipe: Recipe) -> History:
    """Put the modules and the optimizer into the state of the checkpoint -> the rows of the epochs done.

    Raises:
        InvalidCheckpoint: the file is damaged, or was written by a run of another recipe.
    """
    try:
        with safe_open(folder / NAME, framework="pt") as file:
            metadata: dict[str, Any] = {key: json.loads(value) for key, value in file.metadata().items()}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
    except (SafetensorError, OSError, ValueError) as error:
        raise InvalidCheckpoint(f"{folder / NAME} cannot be read ({error}). Begin again in another folder.") from error

    asked = json.loads(json.dumps(asdict(recipe)))
    if different := [name for name in asked if asked[name] != metadata["recipe"].get(name)]:
        listed = "; ".join(f"{name} was {metadata['recipe'].get(name)}, now {asked[name]}" for name in different)
        raise InvalidCheckpoint(
            f"{folder} holds a run of another recipe ({listed}). Resume it as it was started, or choose another folder."
        )
    for module, it in modules.items():
        it.load_state_dict({name: tensors[f"{module}.{name}"] for name in it.state_dict()})
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, entry = name.split(".", 2)
            parameter = parameters[int(index)]
            if tensor.shape == parameter.shape:  # fused optimizers need the memory layout of the parameter
                tensor = torch.empty_like(parameter).copy_(tensor)
            state.setdefault(int(index), {})[entry] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return metadata["history"]
