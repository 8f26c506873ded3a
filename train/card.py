"""The model card of a model folder, and the part of it that only its publisher knows: how to get and use the model."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from flower_alexnet import LABELS, FlowerClassifier, registry
from flower_alexnet.config import ModelNotFound, english_name
from flower_alexnet.images import Preprocessing, View

ONNX = "model.onnx"
"""File of a model folder for ONNX Runtime; made by ``python -m train.export onnx``."""

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
    flowers, dataset = labels == LABELS, summary.get("dataset", {}).get("name", "flower_photos")
    result = EvalResult(
        task_type="image-classification",
        dataset_type="flower_photos" if flowers else "imagefolder",
        dataset_name=dataset,
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
        datasets=["flower_photos"] if flowers else None,
        metrics=["accuracy"],
        eval_results=[result],
    )
    recipe = {field: value for field, value in summary["recipe"].items() if field != "name"}
    text = TEMPLATES.get_template("model_card.md").render(
        card_data=card_data.to_yaml(),
        name=name,
        description=(
            "AlexNet at half width with batch normalization after each convolution."
            if classifier.config.batch_norm
            else "AlexNet at half width, layer for layer the network of the blog post."
        ),
        flowers=flowers,
        dataset=dataset,
        data_option=shlex.quote(dataset),
        known="the five flowers" if flowers else f"the {len(labels)} classes",
        answers=_one_of(labels),
        recipe_name=summary["recipe"]["name"],
        recipe=recipe,
        training=summary["training"],
        validation=summary["validation"],
        test=test,
        seeds=summary.get("seeds"),
        parameters=sum(parameter.numel() for parameter in classifier.network.parameters()),
        preprocessing=classifier.config.preprocessing,
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
        temperature=config.temperature,
        shorter_side=classifier.shorter_side,
        crops=[_crop(config.preprocessing, view) for view in config.preprocessing.views],
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n\n"


def local_folder(name: str) -> Path:
    """Return the model folder of a path, or of a shipped model's name from any working directory; never ask the Hub.

    Raises:
        ModelNotFound: there is none.
    """
    if Path(name).name != name and not Path(name).is_dir():
        raise ModelNotFound(f"There is no folder {name}. Check its path.")
    return registry.find(name)


def address_of(folder: Path) -> str:
    """Return what ``FlowerClassifier.from_pretrained`` takes for a folder: its path from here, or its name alone."""
    try:
        return folder.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return folder.resolve().name


def _one_of(labels: tuple[str, ...]) -> str:
    """Return "daisy, dandelion or rose"."""
    if len(labels) > MAX_LABELS:
        return f"one of {len(labels)} classes"
    names = [english_name(label) for label in labels]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _crop(preprocessing: Preprocessing, view: View) -> str:
    """Return the Pillow expression for a view of ``image``; the same crop as ``images.crop_views`` takes."""
    size = (preprocessing.crop, preprocessing.crop)
    share = min(preprocessing.crop / preprocessing.resize / view.zoom, 1)
    if share == 1:
        at = "" if (view.x, view.y) == (0.5, 0.5) else f", centering=({view.x}, {view.y})"
        crop = f"ImageOps.fit(image, {size}, Image.Resampling.BILINEAR{at})"
    elif (view.x, view.y) == (0.5, 0.5):
        crop = f"ImageOps.fit(image, {size}, Image.Resampling.BILINEAR, bleed={(1 - share) / 2})"
    else:
        side = f"{share} * min(image.size)"
        left, top = f"(image.width - {side}) * {view.x}", f"(image.height - {side}) * {view.y}"
        crop = f"image.resize({size}, Image.Resampling.BILINEAR, ({left}, {top}, {left} + {side}, {top} + {side}))"
    return f"ImageOps.mirror({crop})" if view.flip else crop
