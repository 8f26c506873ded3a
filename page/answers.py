"""What event handlers and endpoints share: the models, their predictions, and problems in words without paths."""

from __future__ import annotations

import os
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

import gradio as gr
from huggingface_hub.constants import HF_HOME, HF_HUB_CACHE

from flower_alexnet import LABELS, FlowerClassifier, InvalidImage, InvalidModel, Prediction, batch, registry
from flower_alexnet import explain as grad_cam
from flower_alexnet.classifier import load_classifier
from flower_alexnet.model_folder import read_config
from flower_alexnet.registry import Model
from flower_alexnet.words import capitalized
from page import compare
from page.translations import describe, flower_name, percent, translate
from page.uploads import is_upload

MODELS = {model.name: model for model in (*registry.shipped_models(), *registry.added_models())}
DEFAULT = next((model.name for model in MODELS.values() if model.problem is None), None)

READY: dict[str, FlowerClassifier] = {}
"""The models that are loaded, by name."""

TURNS = BoundedSemaphore(16)
"""Held while a photo is classified: so many may be in memory at their full size. Their forward passes are shared."""

MAX_PHOTOS = 500
"""Photos that are classified in one request."""

SURE = 0.5
"""Probability from which on one flower is named; below, two are."""

MAX_NAMES = 12
"""Most labels that are listed in a sentence."""

Photo = dict[str, Any] | None
"""An uploaded file as the page sends it; Gradio checked that it is an upload, ``images.load`` checks its contents."""


@dataclass(frozen=True)
class Answered:
    """The answer to a photo.

    Args:
        prediction: of the photo.
        model: that gave it.
        key: what tells the photo from others that the visitor chose: the path of the upload.
    """

    prediction: Prediction
    model: Model
    key: str = ""


def model_title(model: Model, language: str) -> str:
    """Return a model's name with its test accuracy, as the list of models shows it."""
    if model.problem is not None:
        return translate("unavailable", language, model=model.name)
    if model.test_accuracy is not None:
        return translate("measured", language, model=model.name, right=f"{100 * model.test_accuracy:.0f}")
    return translate("unmeasured", language, model=model.name) if model.shipped else model.name


def all_labels() -> list[str]:
    """Return the labels of all models that are here."""
    labels: dict[str, None] = {}
    for model in MODELS.values():
        if model.folder is not None and model.problem is None:
            labels |= dict.fromkeys(read_config(model.folder).labels)
    return list(labels)


def in_words(prediction: Prediction, language: str) -> str:
    """Return the answer to a photo in a few words: the flower, two candidates, or that it is none of them."""
    if not prediction.in_distribution:
        five = set(prediction.probabilities) <= set(LABELS)
        return translate("none_of_the_five" if five else "none_of_the_classes", language)
    one, other = (flower_name(label, language) for label in candidates(prediction))
    if is_sure(prediction):
        probability = percent(prediction.probability, language)
        return capitalized(translate("sure", language, flower=one, probability=probability))
    return capitalized(translate("unsure", language, one=capitalized(one), other=other))


def is_sure(prediction: Prediction) -> bool:
    """Return whether one flower is named rather than two."""
    return prediction.probability >= SURE


def candidates(prediction: Prediction) -> tuple[str, str]:
    """Return the two most probable labels."""
    (one, _), (other, _) = prediction.top(2)
    return one, other


def known_names(prediction: Prediction) -> list[str]:
    """Return the labels that the model knows, the first of them if they are many."""
    labels = list(prediction.probabilities)
    return labels if len(labels) <= MAX_NAMES else [*labels[:MAX_NAMES], "…"]


def prediction_fields(prediction: Prediction | None, problem: str | None) -> dict[str, Any]:
    """Return a prediction's fields for programs, or the problem in its place."""
    if prediction is None:
        return {"problem": problem}
    return {
        "label": prediction.label,
        "probability": prediction.probability,
        "in_distribution": prediction.in_distribution,
        "in_distribution_probability": prediction.in_distribution_probability,
        "probabilities": prediction.probabilities,
    }


def predict(photo: Photo, model: str, language: str) -> Prediction:
    """Classify a photo; raise ``gr.Error`` with the problem in words."""
    source = _source(photo, language)
    classifier = load(model, language)
    with TURNS, _photo_problems_in_words(language):
        return classifier(source)


def explain(photo: Photo, label: str, model: str, language: str) -> grad_cam.Explanation:
    """Compute Grad-CAM for a label, or for the answer if it is empty; raise ``gr.Error`` with the problem in words."""
    source = _source(photo, language)
    classifier = load(model, language)
    try:
        with _photo_problems_in_words(language):
            return grad_cam.explain(classifier, source, label or None)
    except ValueError as error:  # no such label
        raise gr.Error(str(error), print_exception=False) from None


def compare_models(photo: Photo, language: str) -> list[compare.Answer]:
    """Classify a photo with every model; raise ``gr.Error`` with the problem in words.

    A model of the Hub that nobody chose yet is not downloaded for it, and one that failed is not tried again.
    """
    source = _source(photo, language)
    for model in MODELS.values():
        if model.folder is not None and model.name not in READY and model.problem is None:
            try_to_load(model.name)
    with _photo_problems_in_words(language):
        found = {answer.model: answer for answer in compare.compare(source, READY)}
    return [found.get(name) or compare.Answer(name, problem=_why_not(name, language)) for name in MODELS]


def try_to_load(name: str) -> None:
    """Load a model of the list, and note in ``MODELS`` what kept it from being loaded."""
    try:
        READY[name] = load_classifier(name)
    except InvalidModel as error:
        READY.pop(name, None)
        MODELS[name] = replace(MODELS[name], problem=without_paths(error))
    else:
        MODELS[name] = replace(MODELS[name], problem=None)


def load_local_models() -> None:
    """Load the models that need not be downloaded, the default first, so that no visitor waits for it."""
    with suppress(RuntimeError):  # the page ends meanwhile
        for model in list(MODELS.values()):
            if model.folder is not None and model.problem is None:
                try_to_load(model.name)


def _why_not(name: str, language: str) -> str:
    return MODELS[name].problem or translate("not_loaded", language, model=name)


def collect(files: object, language: str) -> list[batch.PhotoFile]:
    """List the photos among uploaded files and inside zips; raise ``gr.Error`` if there are none or too many."""
    if not files or not isinstance(files, list):
        raise gr.Error(translate("no_files", language), print_exception=False)
    named_files = []
    for file in files:
        source = _source(file, language)
        if isinstance(source, Path):
            named_files.append((file.get("orig_name") or source.name, source))
    try:
        return batch.collect(named_files, MAX_PHOTOS, language)
    except batch.TooManyPhotos:
        raise gr.Error(translate("too_many", language, limit=MAX_PHOTOS), print_exception=False) from None


def load(model: str, language: str) -> FlowerClassifier:
    """Return the classifier of a model in the list; raise ``gr.Error`` with the problem in words."""
    check_known(model, language)
    if model not in READY:
        try_to_load(model)
    if model not in READY:
        title = translate("model_unavailable", language, model=model)
        raise gr.Error(without_paths(MODELS[model].problem), title=title, print_exception=False)
    return READY[model]


def check_known(model: str, language: str) -> None:
    """Raise ``gr.Error`` unless the model is in the list: no other can be asked for."""
    if not isinstance(model, str) or model not in MODELS:
        raise gr.Error(translate("no_such_model", language), print_exception=False)


def without_paths(problem: object) -> str:
    """Return a problem with a model without the folders in which this server keeps models."""
    words = str(problem or "")
    for folder in (registry.WEIGHTS, HF_HUB_CACHE, HF_HOME, Path.cwd()):
        words = words.replace(f"{folder}{os.sep}", "")
    return words


def _source(photo: object, language: str) -> Path | bytes:
    """Return the path of an uploaded photo, or the contents of a ``data:`` address."""
    if isinstance(photo, dict):
        address, path = photo.get("url"), photo.get("path")
        if isinstance(address, str) and address.startswith("data:"):
            with suppress(ValueError):
                return b64decode(address.partition(",")[2], validate=True)
        elif isinstance(path, str) and is_upload(Path(path)):
            return Path(path)
    raise gr.Error(translate("no_photo", language), print_exception=False)


@contextmanager
def _photo_problems_in_words(language: str) -> Iterator[None]:
    try:
        yield
    except InvalidImage as error:
        title = translate("bad_photo", language)
        # Programs, which are answered in English, are told the file's name as well; the page shows that elsewhere.
        words = str(error) if language == "en" else describe(error, language)
        raise gr.Error(words, title=title, print_exception=False) from error
