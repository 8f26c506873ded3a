"""Describe a model to visitors: what it is, how good it is and how it was trained."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flower_alexnet.classifier import load_classifier
from flower_alexnet.page.translations import flower_name, translate
from flower_alexnet.registry import Model

HUB = "https://huggingface.co"


def describe_model(model: Model, language: str) -> str:
    """Return what a model is, how good it is and how it was trained, as Markdown.

    What ``metrics.json`` lacks, or holds in another form than ``train.export`` writes, is left out.

    Raises:
        InvalidModel: it cannot be loaded.
    """
    metrics = model.metrics()
    parts = [f"## {model.name}", _network(model, language)]
    lines = [
        line
        for about in (_others, _accuracy, _calibration, _training)
        if (line := _or_none(about, metrics, language)) is not None
    ]
    parts.append("\n".join(f"- {line}" for line in lines) if lines else translate("not_measured", language))
    if (recall := _or_none(_recall, metrics, language)) is not None:
        parts.append(recall)
    parts.append(f"[{translate('card', language)}]({_card(model)})")
    return "\n\n".join(parts)


def _or_none(about: Any, metrics: Any, language: str) -> str | None:
    """Return what there is to say of measurements, or None if they are missing or of another form."""
    try:
        return about(metrics, language)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        return None


def _network(model: Model, language: str) -> str:
    classifier = load_classifier(model.name)
    batch_norm, preprocessing = classifier.config.batch_norm, classifier.config.preprocessing
    return translate(
        "about_network",
        language,
        normalization=translate("with_batch_norm" if batch_norm else "without_batch_norm", language),
        parameters=f"{sum(parameter.numel() for parameter in classifier.network.parameters()) / 1e6:.1f}",
        size=preprocessing.crop,
    )


def _accuracy(metrics: Any, language: str) -> str:
    test = metrics["test"]
    seeds = _or_none(_seeds, metrics, language) or ""
    accuracy = f"{test['accuracy']:.1%}"
    return translate("about_accuracy", language, accuracy=accuracy, photos=int(test["photos"]), seeds=seeds)


def _seeds(metrics: Any, language: str) -> str:
    seeds = metrics["seeds"]
    mean, deviation = f"{seeds['mean']:.1%}", f"{seeds['deviation']:.1%}"
    return translate("about_seeds", language, mean=mean, deviation=deviation, count=int(seeds["runs"]))


def _calibration(metrics: Any, language: str) -> str:
    error, chance = (metrics["test"][name] for name in ("calibration_error", "calibration_error_by_chance"))
    return translate("about_calibration", language, calibration=f"{error:.3f}", chance=f"{chance:.3f}")


def _others(metrics: Any, language: str) -> str:
    others = metrics["test"]["others"]
    if "all photos" not in others:
        return translate("about_cannot_tell", language)
    photos = int(others["all photos"]["photos"])
    refused = round((1 - others["all photos"]["taken"]) * photos)
    return translate("about_others", language, refused=refused, others=photos)


def _training(metrics: Any, language: str) -> str:
    training = metrics["training"]
    return translate(
        "about_training",
        language,
        recipe=str(metrics["recipe"]["name"]),
        epochs=int(training["epochs"]),
        minutes=round(training["minutes"]),
        machine=str(training["machine"]),
    )


def _recall(metrics: Any, language: str) -> str:
    per_class = metrics["test"]["per_class"]
    header = " | ".join(flower_name(label, language) for label in per_class)
    values = " | ".join(f"{row['recall']:.1%}" for row in per_class.values())
    return f"**{translate('recall', language)}**\n\n| {header} |\n|{'---|' * len(per_class)}\n| {values} |"


def _card(model: Model) -> str:
    if model.folder is None:
        repo_id, _, revision = model.name.partition("@")
        return f"{HUB}/{repo_id}/tree/{quote(revision or 'main')}"
    if model.shipped and (space := os.environ.get("SPACE_ID")):
        return f"{HUB}/spaces/{space}/blob/main/weights/{model.name}/README.md"
    card = (model.folder / "README.md").absolute()
    if card.is_relative_to(Path.cwd()):  # without the server's folders
        card = card.relative_to(Path.cwd())
    return f"{os.environ.get('GRADIO_ROOT_PATH', '').rstrip('/')}/gradio_api/file={quote(card.as_posix())}"
