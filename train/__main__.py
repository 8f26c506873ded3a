"""Command line: ``python -m train RECIPE`` trains a network and writes its model folder."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Annotated

import matplotlib
import tyro
from accelerate import PartialState
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers
from filelock import FileLock, Timeout
from safetensors import SafetensorError

from flower_alexnet import Config, FlowerClassifier, InvalidModel
from flower_alexnet.config import MAX_LABELS
from flower_alexnet.dataset import InvalidDataset, find_classes, split
from flower_alexnet.files import make_writable
from flower_alexnet.model_folder import WEIGHTS
from flower_alexnet.words import printable
from train import check, checkpoint, data, engine, evaluate, export, others, recipes
from train.cache import CACHE
from train.checkpoint import InvalidCheckpoint
from train.data import TrainingData, load_tensors
from train.decoded import DecodedPhotos
from train.flower_photos import FINGERPRINTS, find_or_download
from train.pretrained import TIMM, PretrainedTeacher
from train.recipes import ALIASES, RECIPES, InvalidRecipe, Recipe
from train.teacher import Teacher, names

TIME_TO_EVALUATE, SECONDS_TO_EVALUATE = 0.1, 45.0
"""Share of the time of a run, and seconds, that are kept for validation, checkpoints and the evaluation at its end;
of a short run a quarter of its time instead of these seconds."""


def train(
    name: str,
    recipe: Recipe,
    output: Path,
    folder: Path | None,
    resume: bool,
    others_folder: Path | None = None,
    trackers: Sequence[str] = (),
    elsewhere: Path | None = None,
    minutes: float | None = None,
) -> None:
    """Train by a recipe, evaluate the network, and write the model folder.

    Args:
        name: the recipe's name, for metrics.json and the model card.
        recipe: the hyperparameters.
        output: folder for the checkpoint and, at the end, the model.
        folder: folder of class folders, whose names become the labels; None finds or downloads flower_photos.
        resume: continue from the checkpoint in output.
        others_folder: photos of other things, if the recipe has outliers; None finds them or makes them of public
            datasets.
        trackers: as for ``engine.fit``.
        elsewhere: folder of class folders with photos of the same classes from elsewhere; None for none.
        minutes: that the whole run may take: image size and epochs follow from them; None for the recipe's.

    Raises:
        InvalidRecipe, InvalidModel, InvalidDataset, InvalidCheckpoint: the message says what to do.
    """
    started = time.monotonic()
    recipes.validate(recipe)
    if minutes is not None and not minutes > 0:
        raise InvalidRecipe(f"minutes: a run takes more than {minutes:g}. Give a number above 0, or leave it out.")
    if others_folder and not recipe.outliers:
        raise InvalidRecipe(
            f"{others_folder} would not be used: with outliers 0 a run does not train on photos of other things. Leave "
            "out --others, or leave out --no-others; with the recipe alexnet-baseline, add --outliers 16."
        )
    _check_output(output, resume)
    _check_trackers(trackers)
    processes = PartialState(cpu=engine.NO_ACCELERATOR)
    with processes.local_main_process_first():  # the other processes reuse its decoded photos
        folder = folder or find_or_download()
        _check_apart(output, [it for it in (folder, others_folder, elsewhere) if it])
        splits, labels = split(folder), find_classes(folder)
        if len(labels) > MAX_LABELS:
            raise InvalidDataset(f"{folder} has {len(labels)} classes; a model has at most {MAX_LABELS}.")
        photos_elsewhere = data.find_elsewhere(elsewhere, labels)
        dataset = data.describe(folder, labels, splits)
        if elsewhere:
            dataset["elsewhere"] = printable(elsewhere.resolve().name)
            dataset["elsewhere_path"] = data.shown_path(elsewhere)
        fingerprint = dataset["photos"]
        other_photos: others.OtherPhotos | None = None
        if recipe.outliers:
            others_folder = others_folder or others.find_or_make()
            other_photos = others.split(others_folder)
            others.check_apart(chain(*map(others.listed, other_photos.values())), chain(*splits.values()))
            dataset["others"] = others.describe(others_folder, other_photos)
            fingerprint += f" {dataset['others']['photos']}"
        recipe = recipes.fitted(recipe, len(splits["train"]))
        if resume and minutes:
            chosen = checkpoint.recipe_of(output)  # when it was started
            recipe = replace(recipe, **{field: getattr(chosen, field) for field in recipes.FOR_SECONDS})
        if resume:
            checkpoint.read_metadata(output, recipe, labels, fingerprint)
        for teacher in names(recipe.teacher) if recipe.teacher else ():
            if teacher.startswith(TIMM):
                PretrainedTeacher(teacher.removeprefix(TIMM), len(labels))
            else:
                Teacher(teacher, labels)
        data.check_readable(splits, labels)
        if other_photos:
            data.check_readable({f"other {part}": others.listed(groups) for part, groups in other_photos.items()}, ())
        if processes.is_main_process:
            found = [] if dataset["photos"] in FINGERPRINTS else check.problems(splits, labels)
            print(*check.overview(splits, labels), *found, *_changed(recipe, name), sep="\n", file=sys.stderr)
        _make_folder(output)
        photos = DecodedPhotos(splits["train"], recipe.resize)
        outliers, weights = None, None
        if other_photos:
            outliers, weights = others.decoded(other_photos["train"], recipe.resize)
    validation = load_tensors(splits["validation"], recipe.preprocessing)
    training_data = TrainingData(labels, photos, validation, outliers, weights, fingerprint)
    if minutes and not resume:
        if processes.num_processes > 1:
            raise InvalidRecipe("minutes: the time of a step is measured in one process. Give --epochs to several.")
        steps = len(photos) // engine.batch_size_for(recipe, len(photos), 1)
        seconds = engine.seconds_a_step(recipe, training_data)
        kept = 60 * minutes * TIME_TO_EVALUATE + min(SECONDS_TO_EVALUATE, 15 * minutes)
        left = 60 * minutes - kept - (time.monotonic() - started)
        recipe = recipes.validate(recipes.for_seconds(recipe, left, seconds, steps))
        print(f"A step takes {seconds:.2f} s.", *_changed(recipe, name), sep="\n", file=sys.stderr)
        training_data = replace(  # of that size, as a resumed run has them
            training_data,
            photos=DecodedPhotos(splits["train"], recipe.resize),
            validation=load_tensors(splits["validation"], recipe.preprocessing),
        )
        if other_photos:
            outliers, _ = others.decoded(other_photos["train"], recipe.resize)
            training_data = replace(training_data, outliers=outliers)
    if not processes.is_main_process:
        engine.fit(recipe, training_data, output, resume, trackers)
        return
    with _locked(output):
        network, head, history = engine.fit(recipe, training_data, output, resume, trackers)
        summary = export.summarize(name, recipe, history, len(photos), processes.num_processes) | {"dataset": dataset}
        config = Config(labels, len(labels), recipe.batch_norm, recipe.dropout, recipe.preprocessing)
        classifier = FlowerClassifier(network, config, head)
        summary = export.write_model_folder(
            classifier, summary, splits, output, other_photos, elsewhere=photos_elsewhere
        )
    (output / checkpoint.NAME).unlink()
    print(evaluate.report(summary["test"]))
    print(export.told_mistakes(summary["test"], output))
    print(f"The model is in {output}. Try it: python -m flower_alexnet classify PHOTO --model {output}")


def main() -> None:
    """Run the command line; print an expected error in one line and exit with code 2 (130 on Ctrl-C)."""
    matplotlib.use("Agg")
    logging.basicConfig(format="%(message)s")
    name, *options = sys.argv[1:] or ["--help"]
    name = ALIASES.get(name, name)
    try:
        if name in RECIPES:
            tyro.cli(_command(name, RECIPES[name]), prog=f"python -m train {name}", args=options)
        elif name.startswith("-"):
            tyro.extras.subcommand_cli_from_dict(
                {recipe: _command(recipe, default) for recipe, default in RECIPES.items()},
                prog="python -m train",
                description="Train AlexNet on flower photos, or on any folder of class folders.",
            )
        else:
            raise InvalidRecipe(f"There is no recipe {name}. There are {', '.join(RECIPES)}.")
    except (InvalidRecipe, InvalidModel, InvalidDataset, InvalidCheckpoint) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except (OSError, SafetensorError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
            raise
        print(
            f"The run stopped: {error}. Free disk space or memory, then run the same command again, with --resume if "
            "an epoch was complete: its checkpoint is kept.",
            file=sys.stderr,
        )
        sys.exit(2)
    except KeyboardInterrupt:
        print("\nStopped. If an epoch was complete, the same command with --resume goes on after it.", file=sys.stderr)
        sys.exit(130)


def _command(name: str, default: Recipe) -> Callable[..., None]:
    """Return the subcommand of a recipe: a function whose arguments are the command line's options."""

    def train_recipe(
        output: Path,
        recipe: Annotated[Recipe, tyro.conf.arg(name="")] = default,
        data: Path | None = None,
        others: Path | None = None,
        no_others: tyro.conf.FlagCreatePairsOff[bool] = False,
        resume: tyro.conf.FlagCreatePairsOff[bool] = False,
        log: tuple[str, ...] = (),
        elsewhere: Path | None = None,
        minutes: Annotated[float, tyro.conf.arg(metavar="N")] | None = None,
    ) -> None:
        if no_others:
            recipe = replace(recipe, outliers=0)
        train(name, recipe, output, data, resume, others, log, elsewhere, minutes)

    train_recipe.__doc__ = f"""{(default.__doc__ or "").splitlines()[0]}

    Args:
        output: folder for the checkpoint and, at the end of the run, the model.
        data: folder of class folders; if not given, $FLOWER_PHOTOS, or flower_photos, downloaded and kept in {CACHE}.
        others: folder of photos that show none of the classes, from which the model learns to say so; if not given,
            $OTHER_PHOTOS, or photos of other flowers and of things, downloaded and kept in {CACHE}. Give each kind of
            thing a folder in it: of five and more, whole ones are held out to measure on. Or give it two folders, train
            and validation.
        no_others: train without such photos, as with outliers 0; the model takes every photo for one of the classes.
        resume: continue the stopped run in output.
        log: also tell the figures of each epoch to these of accelerate's trackers, each installed by you:
            {", ".join(LOGGER_TYPE_TO_CLASS)}.
        elsewhere: folder of class folders with photos of the same classes from elsewhere, other cameras or websites:
            none is trained on; the model is calibrated on them as much as on the validation photos, and measured.
        minutes: time for the whole run: a step is measured, and images are made smaller and epochs fewer to suit it.
    """
    return train_recipe


def _changed(recipe: Recipe, name: str) -> list[str]:
    """Return what of a recipe follows from the photos or the time, in a sentence; nothing if nothing does."""
    default = RECIPES[name]
    fields = ("epochs", "batch_size", "outliers", "size", "initial_size", "inference_size")
    different = [field for field in fields if getattr(recipe, field) != getattr(default, field)]
    if not different:
        return []
    return [f"The run has {', '.join(f'{field} {getattr(recipe, field)}' for field in different)}."]


@contextmanager
def _locked(output: Path) -> Iterator[None]:
    """Hold a file lock on the output folder.

    Raises:
        InvalidCheckpoint: another run holds it.
    """
    lock = FileLock(output / ".lock", timeout=0)
    try:
        with lock:
            yield
            Path(lock.lock_file).unlink(missing_ok=True)
    except Timeout as error:
        raise InvalidCheckpoint(f"Another run is writing into {output}. Choose another folder.") from error


def _make_folder(output: Path) -> None:
    """Create the output folder before the run starts.

    Raises:
        InvalidCheckpoint: it cannot be created or written to.
    """
    try:
        make_writable(output)
    except OSError as error:
        raise InvalidCheckpoint(
            f"Nothing can be written into {output}: {error.strerror}. Choose another folder."
        ) from error


def _check_trackers(names: Sequence[str]) -> None:
    """Check that accelerate knows these trackers and that they are installed: it would leave out others silently.

    Raises:
        InvalidRecipe: names the first that is not.
    """
    installed = set(map(str, get_available_trackers()))
    for name in names:
        if name not in LOGGER_TYPE_TO_CLASS:
            raise InvalidRecipe(f"log: there is no tracker {name}. There are {', '.join(LOGGER_TYPE_TO_CLASS)}.")
        if name not in installed:
            raise InvalidRecipe(f"log: {name} is not installed. Install it first: pip install {name}")


def _check_output(output: Path, resume: bool) -> None:
    """Check that the output folder holds a checkpoint to resume, or no earlier run.

    Raises:
        InvalidCheckpoint: it does not.
    """
    if output.resolve().name != printable(output.resolve().name):
        raise InvalidCheckpoint(f"{printable(str(output))}: its name, which the model's card gives, is no UTF-8.")
    finished, begun = (output / WEIGHTS).exists(), (output / checkpoint.NAME).exists()
    if resume and not begun:
        state = "holds a finished model: there is nothing to resume" if finished else "holds no checkpoint to resume"
        raise InvalidCheckpoint(f"{output} {state}. Leave out --resume and choose a new folder.")
    if not resume and (begun or finished):
        raise InvalidCheckpoint(f"{output} holds a run already. Continue it with --resume, or choose another folder.")


def _check_apart(output: Path, folders: Sequence[Path]) -> None:
    """Check that a run does not write its plots among photos, which the next run would train on.

    Raises:
        InvalidCheckpoint: it would.
    """
    for folder in folders:
        if output.resolve().is_relative_to(folder.resolve()):
            raise InvalidCheckpoint(f"{output} is in {folder}, where photos are. Choose another folder.")


if __name__ == "__main__":
    main()
