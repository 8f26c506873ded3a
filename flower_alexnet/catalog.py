"""Which models there are: the folders under weights/, and how a model is found by what a user types."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flower_alexnet.classifier import FlowerClassifier
from flower_alexnet.model import InvalidModel, ModelNotFound

WEIGHTS = Path(__file__).resolve().parent.parent / "weights"


@dataclass(frozen=True)
class Model:
    """A shipped model.

    Args:
        name: of its folder.
        test_accuracy: 0-1, from its ``metrics.json``; None if that does not say.
        problem: why it cannot be used; None if it can.
    """

    name: str
    test_accuracy: float | None
    problem: str | None = None

    @property
    def title(self) -> str:
        """The name with its accuracy beside it."""
        if self.problem is not None:
            return f"{self.name} (unavailable)"
        if self.test_accuracy is None:
            return f"{self.name} (accuracy not measured)"
        return f"{self.name} ({self.test_accuracy:.1%} on test)"


def shipped_models(weights: Path = WEIGHTS) -> list[Model]:
    """The model folders under weights/, each loaded: the most accurate first, unusable ones last."""
    folders = [folder for folder in weights.glob("*") if folder.is_dir() and not folder.name.startswith(".")]
    models = [Model(folder.name, _test_accuracy(folder), _problem(folder.name, weights)) for folder in folders]
    return sorted(models, key=lambda model: (model.problem is not None, -(model.test_accuracy or 0), model.name))


@cache
def load(name: str | None = None, weights: Path = WEIGHTS) -> FlowerClassifier:
    """A shipped model by name (the best one if not given), a model folder or a Hub repository; read once and kept.

    Args:
        name: as above; a repository may be followed by ``@`` and a branch, tag or commit.

    Raises:
        InvalidModel: it cannot be had; the message says why.
    """
    if name is None:
        usable = [model.name for model in shipped_models(weights) if model.problem is None]
        if not usable:
            raise ModelNotFound(f"There is no usable model in {weights}. Train one: python -m train --help")
        return load(usable[0], weights)
    for folder in (weights / name, Path(name)):
        if folder.is_dir():
            return FlowerClassifier.from_pretrained(folder)
    repo_id, _, revision = name.partition("@")
    return FlowerClassifier.from_pretrained(repo_id, revision or None)


def _problem(name: str, weights: Path) -> str | None:
    try:
        load(name, weights)
    except InvalidModel as error:
        return str(error)
    return None


def _test_accuracy(folder: Path) -> float | None:
    try:
        accuracy = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["test"]["accuracy"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return accuracy if isinstance(accuracy, float) and 0 <= accuracy <= 1 else None
