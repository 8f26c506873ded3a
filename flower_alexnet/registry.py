"""The models there are: shipped in weights/, added by the environment, or on the Hub; and how a name finds one."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from flower_alexnet.classifier import FlowerClassifier
from flower_alexnet.model import InvalidModel, ModelNotFound

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"

VARIABLE = "FLOWER_ALEXNET_MODELS"
"""Environment variable: model folders and Hub repositories to offer beside the shipped models, separated by commas."""

ALIASES = {"alexnet-seed": "alexnet-baseline"}
"""Former names of shipped models."""


@dataclass(frozen=True)
class Model:
    """A model to choose from.

    Args:
        name: the name that ``load`` takes.
        test_accuracy, validation_accuracy: 0-1, from its ``metrics.json``; None if not given there, or not local.
        shipped: whether it is a folder of weights/.
        problem: why it cannot be used; None if it can, as far as is known.
    """

    name: str
    test_accuracy: float | None = None
    validation_accuracy: float | None = None
    shipped: bool = True
    problem: str | None = None

    @property
    def folder(self) -> Path | None:
        """Return the folder of its card, measurements and plots; None for a model of the Hub."""
        return _folder(self.name, WEIGHTS)

    def metrics(self) -> dict[str, Any] | None:
        """Return the contents of its ``metrics.json``; None if that is damaged or not local."""
        return _metrics(self.folder) if self.folder else None


def shipped_models(weights: Path = WEIGHTS) -> list[Model]:
    """Load every model folder of weights/ and list them: best validation accuracy first, unusable ones last."""
    folders = [folder for folder in weights.glob("*") if folder.is_dir() and not folder.name.startswith(".")]
    models = [Model(folder.name, *_accuracies(folder), problem=_problem(folder.name, weights)) for folder in folders]
    return sorted(models, key=lambda model: (model.problem is not None, -(model.validation_accuracy or 0), model.name))


def added_models() -> list[Model]:
    """List the models that ``$FLOWER_ALEXNET_MODELS`` names, in its order; they are loaded on first use."""
    names = [name.strip() for name in os.environ.get(VARIABLE, "").split(",")]
    return [Model(name, *_accuracies(Path(name)), shipped=False) for name in dict.fromkeys(names) if name]


def current_name(name: str) -> str:
    """Return the present name of a model that may be given by a former one."""
    return ALIASES.get(name, name)


@cache
def load(name: str | None = None, weights: Path = WEIGHTS) -> FlowerClassifier:
    """Load the model of a name; later calls return the same classifier.

    Args:
        name: a folder of weights/, the path of a model folder, or the id of a Hub repository, optionally followed by
            ``@`` and a branch, tag or commit. The best shipped model if not given.

    Raises:
        InvalidModel: it cannot be loaded; the message says why.
    """
    if name is None:
        usable = [model.name for model in shipped_models(weights) if model.problem is None]
        if not usable:
            raise ModelNotFound(f"There is no usable model in {weights}. Train one: python -m train --help")
        return load(usable[0], weights)
    if name in ALIASES and _folder(name, weights) is None:
        return load(ALIASES[name], weights)
    if (folder := _folder(name, weights)) is not None:
        return FlowerClassifier.from_pretrained(folder)
    repo_id, _, revision = name.partition("@")
    return FlowerClassifier.from_pretrained(repo_id, revision or None)


def _folder(name: str, weights: Path) -> Path | None:
    return next((folder for folder in (weights / name, Path(name)) if folder.is_dir()), None)


def _metrics(folder: Path) -> Any:
    try:
        return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _problem(name: str, weights: Path) -> str | None:
    try:
        load(name, weights)
    except InvalidModel as error:
        return str(error)
    return None


def _accuracies(folder: Path) -> tuple[float | None, float | None]:
    """Return the accuracy on test and on validation."""
    metrics = _metrics(folder)
    return _accuracy(metrics, "test"), _accuracy(metrics, "validation")


def _accuracy(metrics: Any, split: str) -> float | None:
    try:
        accuracy = metrics[split]["accuracy"]
    except (KeyError, TypeError):
        return None
    return accuracy if isinstance(accuracy, float) and 0 <= accuracy <= 1 else None
