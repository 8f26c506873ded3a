"""Predictions, models and errors in words."""

from __future__ import annotations

import pytest

from flower_alexnet import LABELS, Prediction
from flower_alexnet.registry import Model
from page.translations import LANGUAGES
from page.wording import in_words, model_title


def test_prediction_in_words() -> None:
    sure, unsure = {"roses": 0.97, "tulips": 0.03}, {"roses": 0.48, "tulips": 0.27, "daisy": 0.25}
    assert in_words(Prediction(sure), "en") == "Rose? 97%"  # it cannot tell whether it is one of them at all
    assert in_words(Prediction(sure, True, 0.95, 0.9), "en") == "Rose, 97%"
    assert in_words(Prediction(unsure), "en") == "Rose or tulip?"
    assert in_words(Prediction(dict.fromkeys(LABELS, 0.2), in_distribution=False), "en") == "None of the five, it seems"


def test_prediction_in_words_of_other_languages() -> None:
    rest = dict.fromkeys(LABELS[:4], 0.0)
    assert in_words(Prediction({**rest, "tulips": 0.97}, True, 1.0, 0.9), "de") == "Tulpe, 97\u00a0%"
    assert in_words(Prediction({**rest, "tulips": 0.97}, True, 0.5, 0.9), "de") == "Tulpe? 97\u00a0%"
    assert in_words(Prediction({**rest, "tulips": 0.4}), "zh-CN") == "郁金香还是雏菊？"
    assert in_words(Prediction({**rest, "tulips": 0.97}, in_distribution=False), "es").startswith("Parece que ninguna")


def test_title_of_a_model_gives_its_accuracy() -> None:
    assert model_title(Model("good", 0.75, 0.8), "en") == "good: 75 of 100 photos right"
    assert model_title(Model("fair", 0.85, 0.6), "en") == "fair: 85 of 100 photos right"
    assert model_title(Model("broken", 0.9, 0.9, problem="model.safetensors is damaged"), "en") == "broken: unavailable"
    assert model_title(Model("new"), "en") == "new: not measured"


@pytest.mark.parametrize("probability", [0.3, 0.4999, 0.5, 0.97, 0.994, 0.9951, 1.0])
@pytest.mark.parametrize("in_distribution", [True, False])
@pytest.mark.parametrize("label", LABELS)
def test_library_gives_the_same_answer(label: str, probability: float, in_distribution: bool) -> None:
    rest = dict.fromkeys(LABELS, (1 - probability) / 5)
    for certainty in (None, 0.4, 0.9):
        prediction = Prediction({**rest, label: probability}, in_distribution, 0.95, certainty)
        assert prediction.in_words() == in_words(prediction, "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_title_of_a_model_of_the_hub_is_its_name(language: str) -> None:
    assert model_title(Model("ann/flowers@v1", shipped=False), language) == "ann/flowers@v1"


@pytest.mark.parametrize("labels", [LABELS[:2], ("roses", "cats"), (*LABELS, "orchids")])
def test_only_a_model_of_the_five_says_none_of_the_five(labels: tuple[str, ...]) -> None:
    prediction = Prediction(dict.fromkeys(labels, 1 / len(labels)), in_distribution=False)
    assert prediction.in_words() == in_words(prediction, "en") == "None of those it knows, it seems"
