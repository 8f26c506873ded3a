"""What event handlers and endpoints share: the models, their predictions, and problems in words without paths."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr

from flower_alexnet import FlowerClassifier, InvalidImage, InvalidModel, Prediction, batch, registry
from flower_alexnet import explain as grad_cam
from flower_alexnet.page import compare
from flower_alexnet.page.translations import describe, flower_name, percent, translate
from flower_alexnet.registry import Model

MODELS = {model.name: model for model in (*registry.shipped_models(), *registry.added_models())}
DEFAULT = next((model.name for model in MODELS.values() if model.problem is None), None)

MAX_PHOTOS = 500
"""Photos that are classified in one request."""

SURE = 0.5
"""Probability from which on an answer is given without reserve."""

Photo = dict[str, Any] | None
"""An uploaded file as the page sends it; Gradio checked that it is an upload, ``images.load`` checks its contents."""


def model_title(model: Model, language: str) -> str:
    """Return a model's name with its test accuracy, as the list of models shows it."""
    if model.problem is not None:
        return translate("unavailable", language, model=model.name)
    if model.test_accuracy is not None:
        return translate("measured", language, model=model.name, accuracy=f"{model.test_accuracy:.1%}")
    return translate("unmeasured", language, model=model.name) if model.shipped else model.name


def in_words(prediction: Prediction, language: str) -> str:
    """Return the answer to a photo in words."""
    if not prediction.in_distribution:
        return translate("none_of_them", language)
    key = "sure" if prediction.probability >= SURE else "not_sure"
    name = flower_name(prediction.label, language)
    words = translate(key, language, flower=name, probability=percent(prediction.probability))
    return words[0].upper() + words[1:]


def prediction_fields(prediction: Prediction | None, problem: str | None) -> dict[str, Any]:
    """Return a prediction's fields for programs, or the problem in its place."""
    if prediction is None:
        return {"problem": problem}
    return {
        "label": prediction.label,
        "probability": prediction.probability,
        "in_distribution": prediction.in_distribution,
        "probabilities": prediction.probabilities,
    }


def predict(photo: Photo, model: str, language: str) -> Prediction:
    """Classify a photo; raise ``gr.Error`` with the problem in words."""
    path = _path(photo, language)
    classifier = load(model, language)
    with _photo_problems_in_words(language):
        return classifier(path)


def explain(photo: Photo, label: str, model: str, language: str) -> grad_cam.Explanation:
    """Compute Grad-CAM for a label, or for the answer if it is empty; raise ``gr.Error`` with the problem in words."""
    path = _path(photo, language)
    classifier = load(model, language)
    try:
        with _photo_problems_in_words(language):
            return grad_cam.explain(classifier, path, label or None)
    except ValueError as error:  # no such label
        raise gr.Error(str(error), print_exception=False) from None


def compare_models(photo: Photo, language: str) -> list[compare.Answer]:
    """Classify a photo with every model; raise ``gr.Error`` with the problem in words."""
    path = _path(photo, language)
    with _photo_problems_in_words(language):
        return compare.compare(path, MODELS)


def collect(files: list[dict[str, Any]] | None, language: str) -> list[batch.PhotoFile]:
    """List the photos among uploaded files and inside zips; raise ``gr.Error`` if there are none or too many."""
    if not files:
        raise gr.Error(translate("no_files", language), print_exception=False)
    named_files = [(file.get("orig_name") or Path(file["path"]).name, Path(file["path"])) for file in files]
    try:
        return batch.collect(named_files, MAX_PHOTOS)
    except batch.TooManyPhotos:
        raise gr.Error(translate("too_many", language, limit=MAX_PHOTOS), print_exception=False) from None


def load(model: str, language: str) -> FlowerClassifier:
    """Return the classifier of a model in the list; raise ``gr.Error`` with the problem in words."""
    check_known(model, language)
    try:
        return registry.load(model)
    except InvalidModel as error:
        title = translate("model_unavailable", language, model=model)
        raise gr.Error(without_paths(error), title=title, print_exception=False) from None


def check_known(model: str, language: str) -> None:
    """Raise ``gr.Error`` unless the model is in the list: no other can be asked for."""
    if not isinstance(model, str) or model not in MODELS:
        raise gr.Error(translate("no_such_model", language), print_exception=False)


def without_paths(problem: object) -> str:
    """Return a problem with a model without the folder in which this server keeps its models."""
    return str(problem or "").replace(f"{registry.WEIGHTS}{os.sep}", "")


def _path(photo: Photo, language: str) -> str:
    if not photo or not photo.get("path"):
        raise gr.Error(translate("no_photo", language), print_exception=False)
    return photo["path"]


@contextmanager
def _photo_problems_in_words(language: str) -> Iterator[None]:
    try:
        yield
    except InvalidImage as error:
        title = translate("bad_photo", language)
        raise gr.Error(describe(error, language), title=title, print_exception=False) from None
