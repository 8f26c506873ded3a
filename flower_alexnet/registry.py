"""The models there are: shipped ones, those added by the environment, and any on the Hub; and how a name finds one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from flower_alexnet import hub
from flower_alexnet.config import InvalidModel, ModelNotFound
from flower_alexnet.model import check_weights
from flower_alexnet.model_folder import ALL_PHOTOS, METRICS, UNFINISHED, read_config, read_metrics

PACKAGE = Path(__file__).resolve().parent

CHECKOUT = PACKAGE.parent / "weights"
WEIGHTS = CHECKOUT if CHECKOUT.is_dir() and (PACKAGE.parent / "app.py").is_file() else PACKAGE / "weights"
"""Folder of the shipped models: that of the checkout, or the one inside an installed package."""

SHIPPED = ("alexnet", "alexnet-bn", "alexnet-baseline")
"""Names of the shipped models. An installed package holds the first of them alone."""

VARIABLE = "FLOWER_ALEXNET_MODELS"
"""Environment variable: model folders and Hub repositories to offer beside the shipped models, separated by commas."""

ONLY = "FLOWER_ALEXNET_MODEL"
"""Environment variable: the model that the page is about, alone, in place of the shipped ones."""

ALIASES = {"alexnet-seed": "alexnet-baseline"}
"""Former names of shipped models."""


@dataclass(frozen=True)
class Model:
    """A model to choose from.

    Args:
        name: the name that ``find`` takes.
        test_accuracy, validation_accuracy: 0-1, from its ``metrics.json``; None if not given there, or not local.
        shipped: whether it is a folder of ``WEIGHTS``.
        problem: why it cannot be used; None if it can, as far as is known.
        at: its folder, if that is known already; None finds it by the name.
    """

    name: str
    test_accuracy: float | None = None
    validation_accuracy: float | None = None
    shipped: bool = True
    problem: str | None = None
    at: Path | None = None

    @property
    def folder(self) -> Path | None:
        """Return the folder of its card, measurements and plots; None for a model of the Hub."""
        return self.at or _folder(self.name, WEIGHTS)

    def measurements(self) -> dict[str, Any]:
        """Return the contents of its ``metrics.json``, from memory as long as the file is not changed; nothing if it is
        damaged or not local."""
        file = self.folder / METRICS if self.folder else None
        try:
            metrics = _metrics_at(file.parent, file.stat().st_mtime_ns) if file else None
        except OSError:
            metrics = None
        return metrics if isinstance(metrics, dict) else {}


def shipped_models(weights: Path = WEIGHTS) -> list[Model]:
    """List the model folders of weights/.

    First come those with the best mean of accuracy, on validation photos and on photos from elsewhere with the same
    weight, and of the share of other photos that they refuse, which is 0 for a model that cannot tell; unusable ones
    come last.
    """
    folders = [folder for folder in weights.glob("*") if folder.is_dir() and not folder.name.startswith(".")]
    measured = {folder.name: read_metrics(folder) for folder in folders}
    models = [Model(folder.name, *_accuracies(measured[folder.name]), problem=_problem(folder)) for folder in folders]

    def rank(model: Model) -> tuple[bool, float, str]:
        taken = _share(measured[model.name], "validation", "others", ALL_PHOTOS, "taken")
        refused = 0 if taken is None else 1 - taken
        accuracies = [_share(measured[model.name], part, "accuracy") for part in ("validation", "elsewhere")]
        known = [accuracy for accuracy in accuracies if accuracy is not None]
        return model.problem is not None, -sum(known) / max(1, len(known)) - refused, model.name

    return sorted(models, key=rank)


def first_models() -> list[Model]:
    """Return the model that ``$FLOWER_ALEXNET_MODEL`` names, alone; without that variable the shipped models.

    Raises:
        ModelNotFound: there is no such model.
    """
    name = os.environ.get(ONLY, "").strip()
    if not name:
        return shipped_models()
    folder = find(name)  # downloaded, if it is of the Hub: the page is about its labels
    if _folder(name, WEIGHTS) is not None:
        name = folder.resolve().name  # visitors are not told where it is
    return [Model(name, *_accuracies(read_metrics(folder)), shipped=False, problem=_problem(folder), at=folder)]


def added_models() -> list[Model]:
    """List the models that ``$FLOWER_ALEXNET_MODELS`` names, in its order; they are loaded on first use."""
    names = dict.fromkeys(name.strip() for name in os.environ.get(VARIABLE, "").split(","))
    folders = {name: _folder(name, WEIGHTS) for name in names if name}
    return [
        Model(name, shipped=False)
        if folder is None
        else Model(name, *_accuracies(read_metrics(folder)), shipped=False, problem=_problem(folder))
        for name, folder in folders.items()
    ]


def current_name(name: str) -> str:
    """Return the present name of a model that may be given by a former one."""
    return ALIASES.get(name, name)


def find(name: str | Path | None = None, revision: str | None = None, weights: Path = WEIGHTS) -> Path:
    """Return the model folder of a name; a Hub repository is downloaded, or found in the Hub's cache.

    Args:
        name: a shipped model, the path of a model folder, or the id of a Hub repository, optionally followed by ``@``
            and a branch, tag or commit. The best shipped model if not given.
        revision: branch, tag or commit of the repository; its main branch if not given.

    Raises:
        ModelNotFound: there is no such model; the message says which there are.
        InvalidConfig: its ``config.json`` is damaged.
    """
    if name is None:
        models = shipped_models(weights)
        usable = [model.name for model in models if model.problem is None]
        if not usable:
            reason = models[0].problem if models else "Train one: python -m train --help"
            raise ModelNotFound(f"There is no usable model in {weights}. {reason}")
        return weights / usable[0]
    if isinstance(name, Path) and len(name.parts) == 1:
        name = Path.cwd() / name  # a path, not the name of a shipped model
    name = str(name)
    if (folder := _folder(name, weights) or _folder(current_name(name), weights)) is not None:
        return folder
    if Path(name).is_absolute() or name.startswith((".", "~")) or (os.sep != "/" and os.sep in name):
        raise ModelNotFound(f"There is no folder {name}. Check its path.")
    repo_id, _, revision_in_name = name.partition("@")
    if "/" not in repo_id:
        raise ModelNotFound(_not_here(name, weights))
    if problem := _mistyped(name):
        raise ModelNotFound(problem)
    return hub.download(repo_id, revision or revision_in_name or None)


def find_local(name: str) -> Path:
    """Return the model folder of a path, or of a shipped model's name from any working directory; never ask the Hub.

    Raises:
        ModelNotFound: there is none, or it is what a stopped process left of one.
    """
    if Path(name).name == UNFINISHED:
        raise ModelNotFound(f"{name} was left by a stopped run and is no model. Give the folder that it is in.")
    if Path(name).name != name and not Path(name).is_dir():
        raise ModelNotFound(f"There is no folder {name}. Check its path.")
    return find(name)


def _mistyped(name: str) -> str | None:
    """Return what is wrong with a path whose folder is here, or is called almost so; None if a repository is meant."""
    first, _, rest = name.partition("/")
    folders = [path.name for path in Path().iterdir() if path.is_dir()] if not Path(first).is_dir() else [first]
    for folder in get_close_matches(first, folders, cutoff=0.8):
        try:
            inside = [path.name for path in Path(folder).iterdir() if path.is_dir()]
        except OSError:
            inside = []
        near = get_close_matches(rest, inside, cutoff=0.6)
        if folder == first and not near:
            return f"There is no folder {name}: {first} holds {_listed(inside)}. Check the path."
        if near:
            return f"There is no folder {name}. Did you mean {folder}/{near[0]}?"
    return None


def _listed(names: list[str], limit: int = 5) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(sorted(names)[:limit]) + more if names else "no folder"


def _not_here(name: str, weights: Path) -> str:
    here = ", ".join(model.name for model in shipped_models(weights))
    if current_name(name) in SHIPPED:
        return (
            f"{name} is not part of this installation, which holds {here or 'no model'}. Copy the folder "
            f"weights/{current_name(name)} of the project, or publish it to the Hub, and give its path or user/name."
        )
    return (
        f"There is no model {name}. There are {here or 'none'} here; a model folder is given by its path, a repository "
        "of the Hub as user/name."
    )


def _folder(name: str, weights: Path) -> Path | None:
    """Return the folder of a shipped model, or of a path; what begins with a dot or has a separator is a path alone."""
    is_path = name.startswith(".") or name != Path(name).name
    places = (Path(name),) if is_path else (weights / name, Path(name))
    return next((folder for folder in places if name and folder.is_dir()), None)


@lru_cache(maxsize=64)
def _metrics_at(folder: Path, time: int) -> Any:  # noqa: ARG001  (a part of the cache's key)
    return read_metrics(folder)


def _problem(folder: Path) -> str | None:
    try:
        check_weights(folder, read_config(folder))
    except InvalidModel as error:
        return str(error)
    return None


def _accuracies(metrics: Any) -> tuple[float | None, float | None]:
    """Return the accuracy on test and on validation."""
    return _share(metrics, "test", "accuracy"), _share(metrics, "validation", "accuracy")


def _share(metrics: Any, *keys: str) -> float | None:
    """Return the fraction, 0-1, that stands under these keys; None if there is none."""
    try:
        for key in keys:
            metrics = metrics[key]
    except (KeyError, TypeError):
        return None
    return metrics if isinstance(metrics, float) and 0 <= metrics <= 1 else None
