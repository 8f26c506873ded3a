"""The model card of a model folder, and the part of it that only its publisher knows: how to get and use the model."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from torch.utils.flop_counter import FlopCounterMode

from flower_alexnet import LABELS, AlexNet, FlowerClassifier
from flower_alexnet.config import InvalidModel, Preprocessing
from flower_alexnet.interval import accuracy_interval
from flower_alexnet.model_folder import ALL_PHOTOS, ONNX
from flower_alexnet.words import counted, english_name
from train.check import FEW_TO_TEST
from train.evaluate import most_confused
from train.flower_photos import FINGERPRINTS
from train.others import OTHER_PHOTOS
from train.recipes import ALIASES, RECIPES, Recipe

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=StrictUndefined,
    autoescape=False,  # noqa: S701  (Markdown, not HTML)
    keep_trailing_newline=True,
)
"""Jinja templates: ``model_card.md``, and ``model_card_use.md`` for its section "Use"."""

USE = re.compile(r"^## Use\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
"""The section "Use" of a model card. No line of its code begins with "## "."""

MAX_LABELS = 20
"""Labels that the card lists in a sentence; of more, it gives the number."""


def card(classifier: FlowerClassifier, summary: dict[str, Any], folder: Path) -> ModelCard:
    """Return the model card of a model folder.

    Args:
        classifier: the model.
        summary: the content of ``metrics.json``.
        folder: the model folder, whose name is the model's.
    """
    labels, test, name = classifier.config.labels, summary["test"], folder.resolve().name
    dataset = {"name": "flower_photos", "photos": FINGERPRINTS[0], "split_by": "names"} | summary.get("dataset", {})
    flowers = labels == LABELS
    own_photos = labels != LABELS or dataset["name"] != "flower_photos" or dataset["photos"] not in FINGERPRINTS
    result = EvalResult(
        task_type="image-classification",
        dataset_type="imagefolder" if own_photos else "flower_photos",
        dataset_name=dataset["name"],
        dataset_split="test",
        metric_type="accuracy",
        metric_name="test accuracy",
        metric_value=round(test["accuracy"], 4),
    )
    card_data = ModelCardData(
        model_name=name,
        license="apache-2.0",
        library_name="flower_alexnet",
        pipeline_tag="image-classification",
        tags=["alexnet", *(["flowers"] if flowers else []), "image-classification", "pytorch"],
        datasets=None if own_photos else ["flower_photos"],
        metrics=["accuracy"],
        eval_results=[result],
    )
    recipe_name, recipe = _recipe(summary)
    measured: dict[str, Any] = {part: summary[part] for part in ("test", "elsewhere") if part in summary}
    text = TEMPLATES.get_template("model_card.md").render(
        card_data=card_data.to_yaml(),
        name=name,
        description=(
            "AlexNet at half width with batch normalization after each convolution."
            if classifier.config.batch_norm
            else "AlexNet at half width, layer for layer the network of the blog post."
        ),
        flowers=flowers,
        own_photos=own_photos,
        dataset=dataset,
        changes=_changes(recipe_name, recipe),
        command=_command(
            recipe_name,
            recipe,
            name,
            dataset.get("path", dataset["name"]) if own_photos else None,
            dataset.get("others"),
            dataset.get("elsewhere_path", dataset.get("elsewhere")),
        ),
        counted=counted,
        accuracy=accuracy_in_words,
        most_confused=_cell(most_confused(test) or ""),
        cell=_cell,
        percent=lambda fraction: f"{fraction:.1%}".replace("%", " %"),
        crop=_described(classifier.config.preprocessing),
        known="the five flowers" if flowers else f"the {len(labels)} classes",
        answers=_one_of(labels),
        recipe_name=recipe_name,
        recipe=recipe,
        start=recipe.get("start"),
        teacher=recipe.get("teacher"),
        processes=summary["training"].get("processes", 1),
        duration=_duration(summary["training"]["minutes"]),
        training=summary["training"],
        validation=summary["validation"],
        test=test,
        seeds=summary.get("seeds"),
        parameters=sum(parameter.numel() for parameter in classifier.network.parameters()),
        macs=_macs(classifier.network, classifier.config.preprocessing.crop),
        speed=summary.get("speed"),
        seed=recipe.get("seed"),
        others={"held_out": None, **dataset["others"]} if "others" in dataset else None,
        told_apart=test["others"],
        elsewhere=summary.get("elsewhere"),
        compressed=test.get("compressed"),
        measured=measured,
        compression_table=_compression_table(measured) if "compressed" in test else "",
        threshold=classifier.config.threshold,
        certainty=classifier.config.certainty,
        use=use_section(classifier, address_of(folder), onnx=(folder / ONNX).is_file()),
    )
    return ModelCard(text)


def use_section(
    classifier: FlowerClassifier,
    address: str,
    repo_id: str | None = None,
    revision: str | None = None,
    install: str | None = None,
    onnx: bool = False,
) -> str:
    """Return the card's section "Use": code that runs as it is printed, in an empty folder beside a ``photo.jpg``.

    Args:
        classifier: the model.
        address: what ``FlowerClassifier.from_pretrained`` takes to load it.
        repo_id: the model's repository, which its files are downloaded from; None for a folder.
        revision: branch, tag or commit of the repository; its main branch if not given.
        install: what pip takes to install the library; None if it is not known.
        onnx: whether ``model.onnx`` is among the files.
    """
    config = classifier.config
    text = TEMPLATES.get_template("model_card_use.md").render(
        address=address,
        repo_id=repo_id,
        revision=revision,
        install=install,
        onnx=onnx,
        num_classes=config.num_classes,
        batch_norm=config.batch_norm,
        temperature=f"{config.temperature:.3g}",
        shorter_side=classifier.shorter_side,
        crop=_crop(config.preprocessing),
        size=config.preprocessing.crop,
        share=round(config.preprocessing.crop / config.preprocessing.resize, 4),
        threshold=config.threshold,
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n\n"


def address_of(folder: Path) -> str:
    """Return what ``FlowerClassifier.from_pretrained`` takes for a folder: its path from here, or its name alone."""
    try:
        return folder.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return folder.resolve().name


def _macs(network: AlexNet, side: int) -> int:
    """Return the number of multiplications with addition for one photo of this height and width."""
    counter = FlopCounterMode(display=False)  # which counts two operations for each
    with counter, torch.inference_mode():
        network(torch.zeros(1, 3, side, side, device=next(network.parameters()).device))
    return counter.get_total_flops() // 2


def _recipe(summary: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the name of a run's recipe, and its fields.

    Raises:
        InvalidModel: there is no such recipe.
    """
    recipe = {field: value for field, value in summary["recipe"].items() if field != "name"}
    given = summary["recipe"].get("name")
    name = ALIASES.get(given, given)
    if name not in RECIPES:
        raise InvalidModel(f"metrics.json names the recipe {name}; there are {', '.join(RECIPES)}. Train again.")
    return name, recipe


def _command(
    name: str,
    recipe: dict[str, Any],
    model: str,
    data: str | None,
    others: dict[str, Any] | None = None,
    elsewhere: str | None = None,
) -> str:
    """Return the line that runs a recipe again.

    Args:
        name: of the recipe.
        recipe: its fields; one that an earlier version of the recipe did not have has its default.
        model: name of the model folder.
        data: folder of the photos; None for flower_photos.
        others: what ``others.describe`` returned; None without photos of other things.
        elsewhere: folder of photos from elsewhere; None without.
    """
    options = ["python", "-m", "train", name]
    if data is not None:
        options += _option("--data", data)
    if others is not None and others["name"] != OTHER_PHOTOS:
        options += _option("--others", others.get("path", others["name"]))
    if elsewhere is not None:
        options += _option("--elsewhere", elsewhere)
    return shlex.join([*options, "--output", f"runs/{model}", *_changes(name, recipe)])


def _changes(name: str, recipe: dict[str, Any]) -> list[str]:
    """Return the options of the fields that differ from the recipe's defaults."""
    options: list[str] = []
    for field in fields(Recipe):
        default = getattr(RECIPES[name], field.name)
        value, option = recipe.get(field.name, default), field.name.replace("_", "-")
        if value == default:
            continue
        options += [f"--{'' if value else 'no-'}{option}"] if isinstance(value, bool) else _option(f"--{option}", value)
    return options


def _option(name: str, value: Any) -> list[str]:
    return [f"{name}={value}"] if str(value).startswith("-") else [name, str(value)]


def _compression_table(measured: dict[str, Any]) -> str:
    """Return a Markdown table: how many photos are right and kept, and others taken, as they are and saved anew.

    Args:
        measured: metrics of the test photos, and of those from elsewhere if there are.
    """
    test = measured["test"]
    groups = [*next(iter(test["compressed"].values()))["others"]]
    titles = [
        "",
        *(f"{part}: right, kept" for part in measured),
        *(f"{_cell(group)}: taken, AUROC" for group in groups),
    ]

    def row(how: str, parts: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]) -> list[str]:
        of_parts = [f"{part['accuracy']:.1%}, {part['in_distribution']:.1%}" for part in parts]
        of_others = [f"{group['taken']:.1%}, {group['auroc']:.3f}" for group in others]
        return [how, *(text.replace("%", " %") for text in (*of_parts, *of_others))]

    as_they_are = [test["others"].get(group, test["others"][ALL_PHOTOS]) for group in groups]
    rows = [titles, ["---"] * len(titles), row("as they are", [*measured.values()], as_they_are)]
    for how, anew in test["compressed"].items():
        parts = [part["compressed"][how] for part in measured.values()]
        rows.append(row(how, parts, [anew["others"][group] for group in groups]))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def accuracy_in_words(test: dict[str, Any]) -> str:
    """Return the accuracy on held-out photos and its 95 % interval; of few photos the interval alone."""
    number = test["photos"]
    low, high = (f"{100 * end:.1f}" for end in accuracy_interval(test["accuracy"], number))
    if number < FEW_TO_TEST:
        right = round(test["accuracy"] * number)
        return f"**{low} to {high} %**: {right} of {counted(number, 'held-out photo')} right says little yet"
    return f"**{100 * test['accuracy']:.1f} %** on {counted(number, 'held-out photo')}; 95 % interval {low} to {high} %"


def _cell(text: str) -> str:
    """Return a text for a cell of a Markdown table, which a line break or a bar would end."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")


def _duration(minutes: float) -> str:
    return counted(round(minutes), "minute") if minutes >= 1 else "less than a minute"


def _described(preprocessing: Preprocessing) -> str:
    """Return how the crop is taken, in words."""
    size = f"{preprocessing.crop}×{preprocessing.crop}"
    if preprocessing.crop == preprocessing.resize:
        return f"the central square, as {size}"
    return f"shorter side resized to {preprocessing.resize} pixels, center crop of {size}"


def _one_of(labels: tuple[str, ...]) -> str:
    """Return "daisy, dandelion or rose"."""
    if len(labels) > MAX_LABELS:
        return f"one of {len(labels)} classes"
    names = [english_name(label) for label in labels]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _crop(preprocessing: Preprocessing) -> str:
    """Return the Pillow expression for the crop of ``image``; the same as ``images.center_crop`` takes."""
    size = (preprocessing.crop, preprocessing.crop)
    bleed = (1 - preprocessing.crop / preprocessing.resize) / 2
    return f"ImageOps.fit(image, {size}, Image.Resampling.BILINEAR{f', bleed={bleed}' if bleed else ''})"
