"""Command line: python -m train RECIPE trains a network and writes its model folder."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import matplotlib
import tyro
from accelerate import PartialState
from filelock import FileLock, Timeout
from huggingface_hub.constants import SAFETENSORS_SINGLE_FILE
from safetensors import SafetensorError

from flower_alexnet import AlexNet, Config, FlowerClassifier, InvalidModel
from flower_alexnet.dataset import InvalidDataset, Photo, split
from train import checkpoint, engine, evaluate, export, recipes
from train.checkpoint import InvalidCheckpoint
from train.data import CACHE, DecodedPhotos, find_or_download, pictures
from train.recipes import RECIPES, InvalidRecipe, Recipe


def train(name: str, recipe: Recipe, output: Path, data: Path | None, resume: bool) -> None:
    """Train a recipe, measure what came of it, and write the model folder.

    Raises:
        InvalidRecipe, InvalidModel, InvalidDataset, InvalidCheckpoint: with what to do.
    """
    recipes.check(recipe)
    _check_output(output, resume)
    processes = PartialState(cpu=engine.CPU)
    with processes.local_main_process_first():  # the others find what it decoded
        splits = split(data or find_or_download())
        _make_folder(output)
        photos = DecodedPhotos(splits["train"], recipe.resize)
    validation = pictures(splits["validation"], recipe.preprocessing)
    if not processes.is_main_process:
        engine.fit(recipe, photos, validation, output, resume)
        return
    with _alone_in(output):
        network, history = engine.fit(recipe, photos, validation, output, resume)
        summary = export.summarise(name, recipe, history, len(photos))
        _finish(summary, recipe, network, splits, output)


def _finish(
    summary: export.Summary, recipe: Recipe, network: AlexNet, splits: dict[str, list[Photo]], output: Path
) -> None:
    """Measure what came of a run, write the model folder, and say so."""
    config = Config(batch_norm=recipe.batch_norm, dropout=recipe.dropout, preprocessing=recipe.preprocessing)
    summary = export.write_model_folder(FlowerClassifier(network, config), summary, splits, output)
    (output / checkpoint.NAME).unlink()
    print(evaluate.report(summary["test"]))
    print(f"The model is in {output}. Try it: python -m flower_alexnet classify PHOTO --model {output}")


def main() -> None:
    """Run the command line; what goes wrong is said in one line, with exit code 2."""
    matplotlib.use("Agg")
    logging.basicConfig(format="%(message)s")
    try:
        tyro.extras.subcommand_cli_from_dict(
            {name: _command(name, recipe) for name, recipe in RECIPES.items()},
            prog="python -m train",
            description="Train AlexNet on flower photos.",
        )
    except (InvalidRecipe, InvalidModel, InvalidDataset, InvalidCheckpoint) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except (OSError, SafetensorError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
            raise
        print(
            f"The run stopped: {error}. Whole epochs are kept: when there is space and memory again, the same command "
            "with --resume goes on.",
            file=sys.stderr,
        )
        sys.exit(2)
    except KeyboardInterrupt:
        print("\nStopped. The same command with --resume goes on after the last whole epoch.", file=sys.stderr)
        sys.exit(130)


def _command(name: str, default: Recipe) -> Callable[..., None]:
    def train_recipe(
        output: Path,
        recipe: Annotated[Recipe, tyro.conf.arg(name="")] = default,
        data: Path | None = None,
        resume: tyro.conf.FlagCreatePairsOff[bool] = False,
    ) -> None:
        train(name, recipe, output, data, resume)

    train_recipe.__doc__ = f"""{(default.__doc__ or "").splitlines()[0]}

    Args:
        output: folder for the checkpoint of the run and, at its end, the model.
        data: folder of flower photos; if not given, $FLOWER_PHOTOS, or a download kept in {CACHE}.
        resume: go on with the run that was stopped in output.
    """
    return train_recipe


@contextmanager
def _alone_in(output: Path) -> Iterator[None]:
    """Two runs never write into one folder: the second is refused."""
    lock = FileLock(output / ".lock", timeout=0)
    try:
        with lock:
            yield
            Path(lock.lock_file).unlink(missing_ok=True)
    except Timeout as error:
        raise InvalidCheckpoint(f"Another run is writing into {output}. Choose another folder.") from error


def _make_folder(output: Path) -> None:
    """Before hours are spent: whether anything can be written there."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        if not os.access(output, os.W_OK):
            raise PermissionError(errno.EROFS, "it is read-only")
    except OSError as error:
        raise InvalidCheckpoint(
            f"Nothing can be written into {output}: {error.strerror}. Choose another folder."
        ) from error


def _check_output(output: Path, resume: bool) -> None:
    finished, begun = (output / SAFETENSORS_SINGLE_FILE).exists(), (output / checkpoint.NAME).exists()
    if resume and not begun:
        state = "holds a finished model: there is nothing to resume" if finished else "holds no checkpoint to resume"
        raise InvalidCheckpoint(f"{output} {state}. Leave out --resume and choose a new folder.")
    if not resume and (begun or finished):
        raise InvalidCheckpoint(f"{output} holds a run already. Go on with it by --resume, or choose another folder.")


if __name__ == "__main__":
    main()
