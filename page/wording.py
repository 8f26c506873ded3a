"""Answers and models in words, in the visitor's language."""

from __future__ import annotations

from flower_alexnet import LABELS, Prediction
from flower_alexnet.registry import Model
from flower_alexnet.words import capitalized
from page.models import MODELS
from page.subject import ABOUT_FLOWERS
from page.translations import TEXTS, flower_name, percent, translate

MAX_NAMES = 12
"""Most labels that are listed in a sentence."""


def model_title(model: Model, language: str) -> str:
    """Return a model's name with what it is for a visitor and its test accuracy, as the list of models shows it."""
    title, name = _title(model, language), _name(model, language)
    return f"{title} · {name}" if title else name


def _title(model: Model, language: str) -> str:
    """Return what a shipped model is for a visitor; the first of the list is recommended."""
    if not model.shipped or model.problem is not None or not ABOUT_FLOWERS:
        return ""
    key = "default" if model.name == MODELS.default else model.name
    return TEXTS[language].get(f"title_{key}", "")


def _name(model: Model, language: str) -> str:
    """Return a model's name with its test accuracy, or that it cannot be used."""
    if model.problem is not None:
        return translate("unavailable", language, model=model.name)
    if model.test_accuracy is not None:
        return translate("measured", language, model=model.name, right=f"{100 * model.test_accuracy:.0f}")
    return translate("unmeasured", language, model=model.name) if model.shipped else model.name


def knows_flowers(prediction: Prediction) -> bool:
    """Return whether a prediction is of a model of the five flowers."""
    return set(prediction.probabilities) == set(LABELS)


def in_words(prediction: Prediction, language: str) -> str:
    """Return the answer to a photo in a few words: the flower, with a question mark unless it is certain, two
    candidates, or that it is none of them."""
    if prediction.verdict == "none":
        return translate("none_of_the_five" if knows_flowers(prediction) else "none_of_the_classes", language)
    one, other = (flower_name(label, language) for label in candidates(prediction))
    if prediction.is_confident:
        probability = percent(prediction.probability, language)
        key = "sure" if prediction.verdict == "certain" else "perhaps"
        return capitalized(translate(key, language, flower=one, probability=probability))
    return capitalized(translate("unsure", language, one=capitalized(one), other=other))


def candidates(prediction: Prediction) -> tuple[str, str]:
    """Return the two most probable labels."""
    (one, _), (other, _) = prediction.top(2)
    return one, other


def known_names(prediction: Prediction) -> list[str]:
    """Return the labels that the model knows, the first of them if they are many."""
    labels = list(prediction.probabilities)
    return labels if len(labels) <= MAX_NAMES else [*labels[:MAX_NAMES], "…"]
