"""Describe a model to visitors: what it is, how good it is, how it was trained, and its card."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd
from PIL import Image

from flower_alexnet import FlowerClassifier, InvalidModel
from flower_alexnet.interval import accuracy_interval
from flower_alexnet.model_folder import ALL_PHOTOS, CARD, mistakes_of
from flower_alexnet.registry import Model
from page import render
from page.examples import gallery
from page.models import MODELS, StillLoading
from page.render import Figure
from page.translations import translate

HUB = "https://huggingface.co"

CORES = re.compile(r"(\d+) cores? of (.+)")
"""How ``train.export`` names a machine without an accelerator."""

FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
IMAGE = re.compile(r"^!\[.*?\]\(.*?\)\n+", re.MULTILINE)
"""What is left out of a card: its metadata, and its plots, which the page draws itself."""


async def describe_model(model: Model | None, language: str) -> list[Any]:
    """Return what a model is and how good it is (HTML), its training (a plot), its card (Markdown) and its layers
    (HTML).

    What ``metrics.json`` lacks, or holds in another form than ``train.export`` writes, is left out.
    """
    if model is None:
        return ["", _no_plot(), "", ""]
    try:
        classifier = await MODELS.load(model.name)
    except StillLoading:
        return [render.hint(translate("still_loading", language, model=model.name)), _no_plot(), "", ""]
    except InvalidModel as error:
        return [render.hint(str(error)), _no_plot(), "", ""]
    metrics = model.measurements()
    figures = [told for tell in (_accuracy, _elsewhere, _others) if (told := _or_none(tell, metrics, language))]
    sentences = [_network(model, classifier, language), _or_none(_training, metrics, language)]
    if not figures and sentences[1] is None:
        sentences.append(translate("not_measured", language))
    confused = _or_none(lambda known, to: render.confusion(known["test"], to), metrics, language) or ""
    reliability = _or_none(lambda known, to: render.reliability(known["test"], to), metrics, language) or ""
    return [
        render.lead([sentence for sentence in sentences if sentence])
        + render.section("how_good", render.figures(figures), language)
        + render.section("recall", _mistakes(model, metrics, language) + confused, language)
        + render.section("reliability", reliability, language),
        _or_none(_curves, metrics, language) or _no_plot(),
        card(model, language),
        render.layers(classifier.network),
    ]


def _mistakes(model: Model, metrics: Any, language: str) -> str:
    """Return the test photos that a model gets wrong: of the gallery, or the picture beside one's own folder."""
    told = _or_none(lambda known, to: render.mistakes(known["test"], gallery(), to), metrics, language)
    if told or model.folder is None:
        return told or ""
    try:
        with Image.open(mistakes_of(model.folder)) as picture:
            return render.own_mistakes(picture.convert("RGB"), language)
    except OSError:
        return ""


def in_short(language: str) -> dict[str, str]:
    """Return, of each model that can be used, how it does on photos of other things."""
    return {
        model.name: (_or_none(_others, model.measurements(), language) or [translate("not_measured", language)])[0]
        for model in MODELS.all()
        if model.problem is None
    }


def card(model: Model, language: str) -> str:
    """Return a model's card as Markdown, or a link to that of a model of the Hub."""
    if model.folder is None:
        repo_id, _, revision = model.name.partition("@")
        link = translate("card_link", language, model=repo_id)
        return f"[{link}]({HUB}/{repo_id}/blob/{revision or 'main'}/README.md)"
    try:
        text = Path(model.folder / CARD).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return translate("not_measured", language)
    return IMAGE.sub("", FRONT_MATTER.sub("", text))


def _or_none(tell: Callable[[Any, str], Any], metrics: Any, language: str) -> Any:
    """Return what there is to tell of measurements, or None if they are missing or of another form."""
    try:
        return tell(metrics, language)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
        return None


def _network(model: Model, classifier: FlowerClassifier, language: str) -> str:
    parameters = sum(parameter.numel() for parameter in classifier.network.parameters())
    return translate(
        "about_what",
        language,
        model=model.name,
        parameters=round(parameters / 1e6),
        size=classifier.config.preprocessing.crop,
    )


def _accuracy(metrics: Any, language: str) -> Figure:
    return _right("about_accuracy", metrics["test"], language)


def _right(key: str, measured: Any, language: str) -> Figure:
    accuracy, number = measured["accuracy"], measured["photos"]
    low, high = (f"{100 * end:.0f}" for end in accuracy_interval(accuracy, number))
    told = translate(key, language, right=f"{100 * accuracy:.0f}", number=number, low=low, high=high)
    return Figure(told, round(100 * accuracy))


def _others(metrics: Any, language: str) -> Figure:
    others = metrics["test"]["others"]
    if ALL_PHOTOS not in others:
        return Figure(translate("about_cannot_tell", language), None)
    measured = others[ALL_PHOTOS]
    told = translate("about_others", language, taken=f"{100 * measured['taken']:.0f}", number=measured["photos"])
    return Figure(told, round(100 * measured["taken"]), good=False)


def _elsewhere(metrics: Any, language: str) -> Figure:
    return _right("about_elsewhere", metrics["elsewhere"], language)


def _training(metrics: Any, language: str) -> str:
    training = metrics["training"]
    machine = str(training["machine"])
    if known := CORES.fullmatch(machine):
        machine = translate("core" if known[1] == "1" else "cores", language, cores=known[1], processor=known[2])
    key = "about_last_run" if metrics.get("recipe", {}).get("start") else "about_training"
    return translate(key, language, minutes=round(training["minutes"]), machine=machine)


def _curves(metrics: Any, language: str) -> Any:
    rows = [
        {"epoch": row["epoch"], "accuracy": 100 * row[f"{part}_accuracy"], "photos": translate(key, language)}
        for part, key in (("train", "training_photos"), ("validation", "other_photos"))
        for row in metrics["history"]
    ]
    titles = {"x_title": translate("epoch", language), "y_title": f"{translate('right', language)} (%)"}
    return gr.update(value=pd.DataFrame(rows), **titles)


def _no_plot() -> Any:
    return gr.update(value=None)
