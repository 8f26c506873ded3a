"""Comparing models on one photo."""

from __future__ import annotations

import pytest

from flower_alexnet import InvalidImage, registry
from flower_alexnet.classifier import load_classifier
from page.compare import compare
from tests.support.photos import drawn_flower


def test_each_model_gives_a_prediction() -> None:
    photo = drawn_flower("daisy")
    classifiers = {model.name: load_classifier(model.name) for model in registry.shipped_models()}
    answers = compare(photo, classifiers)
    assert [answer.model for answer in answers] == list(classifiers)
    for answer in answers:
        assert answer.prediction == classifiers[answer.model](photo)
        assert answer.milliseconds is not None


def test_bad_photo_is_refused() -> None:
    with pytest.raises(InvalidImage, match="not a picture"):
        compare(b"text", {})
