"""Which models there are: the folders under weights/, those named beside them, and how a name finds one."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from flower_alexnet.classifier import FlowerClassifier
from flower_alexnet.model import InvalidModel, ModelNotFound
from flower_alexnet.translations import translate

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"

VARIABLE = "FLOWER_ALEXNET_MODELS"
"""Environment variable: model folders and Hub repositories to offer beside the shipped models, commas between them."""


@dataclass(frozen=True)
class Model:
    """A model that can be chosen.

    Args:
        name: what ``load`` finds it by.
        test_accuracy, validation_accuracy: 0-1, from its ``metrics.json``; None if that does not say, or is not here.
        shipped: whether it is a folder under weights/.
        problem: why it cannot be used; None if it can, as far as anybody tried.
    """

    name: str
    test_accuracy: float | None = None
    validation_accuracy: float | None = None
    shipped: bool = True
    problem: str | None = None

    def title(self, language: str = "en") -> str:
        """The name with its accuracy beside it, in one of ``translations.LANGUAGES``."""
        if self.problem is not None:
            return translate("unavailable", language, model=self.name)
        if self.test_accuracy is not None:
            return translate("measured", language, model=self.name, accuracy=f"{self.test_accuracy:.1%}")
        return translate("unmeasured", language, model=self.name) if self.shipped else self.name

    @property
    def folder(self) -> Path | None:
        """Where its card, measurements and plots are; None for a model of the Hub."""
        return _folder(self.name, WEIGHTS)

    def metrics(self) -> dict[str, Any] | None:
        """What was measured of it, as in its ``metrics.json``; None if that is damaged or not here."""
        return _metrics(self.folder) if self.folder else None


def shipped_models(weights: Path = WEIGHTS) -> list[Model]:
    """The model folders under weights/, each loaded: the most accurate on validation first, unusable ones last."""
    folders = [folder for folder in weights.glob("*") if folder.is_dir() and not folder.name.startswith(".")]
    models = [Model(folder.name, *_accuracies(folder), problem=_problem(folder.name, weights)) for folder in folders]
    return sorted(models, key=lambda model: (model.problem is not None, -(model.validation_accuracy or 0), model.name))


def added_models() -> list[Model]:
    """The models that ``$FLOWER_ALEXNET_MODELS`` names, in its order; they are loaded when first asked for."""
    names = [name.strip() for name in os.environ.get(VARIABLE, "").split(",")]
    return [Model(name, *_accuracies(Path(name)), shipped=False) for name in dict.fromkeys(names) if name]


@cache
def load(name: str | None = None, weights: Path = WEIGHTS) -> FlowerClassifier:
    """The model of a name; read once and kept.

    Args:
        name: a folder under weights/, the path of a model folder, or the id of a Hub repository, which may be
            followed by ``@`` and a branch, tag or commit. The best shipped model if not given.

    Raises:
        InvalidModel: it cannot be had; the message says why.
    """
    if name is None:
        usable = [model.name for model in shipped_models(weights) if model.problem is None]
        if not usable:
            raise ModelNotFound(f"There is no usable model in {weights}. Train one: python -m train --help")
        return load(usable[0], weights)
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
    """On test and on validation."""
    metrics = _metrics(folder)
    return _accuracy(metrics, "test"), _accuracy(metrics, "validation")


def _accuracy(metrics: Any, split: str) -> float | None:
    try:
        accuracy = metrics[split]["accuracy"]
    except (KeyError, TypeError):
        return None
    return accuracy if isinstance(accuracy, float) and 0 <= accuracy <= 1 else None
