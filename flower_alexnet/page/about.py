"""Describe a model to visitors: what it is, how good it is and how it was trained."""

from __future__ import annotations

import os
from typing import Any

from flower_alexnet import registry
from flower_alexnet.page.translations import flower_name, translate
from flower_alexnet.registry import Model

HUB = "https://huggingface.co"


def describe_model(model: Model, language: str) -> str:
    """Return what a model is, how good it is and how it was trained, as Markdown.

    Raises:
        InvalidModel: it cannot be loaded.
    """
    metrics = model.metrics()
    if metrics is None:
        parts = [f"## {model.name}\n{translate('not_measured', language)}"]
    else:
        parts = [_figures(model, metrics, language), _recall(metrics["test"]["per_class"], language)]
    parts.append(f"[{translate('card', language)}]({_card(model)})")
    return "\n\n".join(parts)


def _figures(model: Model, metrics: dict[str, Any], language: str) -> str:
    test, training, seeds = metrics["test"], metrics["training"], metrics.get("seeds")
    drawn, classifier = test["not_flowers"], registry.load(model.name)
    batch_norm, preprocessing = classifier.config.batch_norm, classifier.config.preprocessing
    return translate(
        "about_text",
        language,
        model=model.name,
        normalization=translate("with_batch_norm" if batch_norm else "without_batch_norm", language),
        parameters=f"{sum(parameter.numel() for parameter in classifier.network.parameters()) / 1e6:.1f}",
        size=preprocessing.crop,
        views=len(preprocessing.views),
        accuracy=f"{test['accuracy']:.1%}",
        photos=test["photos"],
        seeds=_seeds(seeds, language) if seeds else "",
        calibration=f"{test['calibration_error']:.3f}",
        chance=f"{test['calibration_error_by_chance']:.3f}",
        refused=round((1 - drawn["in_distribution"]) * drawn["pictures"]),
        others=drawn["pictures"],
        recipe=metrics["recipe"]["name"],
        epochs=training["epochs"],
        minutes=round(training["minutes"]),
        machine=training["machine"],
    )


def _seeds(seeds: dict[str, Any], language: str) -> str:
    return translate(
        "about_seeds",
        language,
        mean=f"{seeds['mean']:.1%}",
        deviation=f"{seeds['deviation']:.1%}",
        count=seeds["runs"],
    )


def _recall(per_class: dict[str, Any], language: str) -> str:
    header = " | ".join(flower_name(label, language) for label in per_class)
    values = " | ".join(f"{row['recall']:.1%}" for row in per_class.values())
    return f"**{translate('recall', language)}**\n\n| {header} |\n|{'---|' * len(per_class)}\n| {values} |"


def _card(model: Model) -> str:
    if model.folder is None:
        repo_id, _, revision = model.name.partition("@")
        return f"{HUB}/{repo_id}/tree/{revision or 'main'}"
    if model.shipped and (space := os.environ.get("SPACE_ID")):
        return f"{HUB}/spaces/{space}/blob/main/weights/{model.name}/README.md"
    return f"/gradio_api/file={os.path.relpath(model.folder / 'README.md')}"
