"""Comparing models on one photo."""

from __future__ import annotations

import pytest

from flower_alexnet import InvalidImage, registry
from flower_alexnet.page.compare import compare
from tests.support.photos import drawn_flower


def test_each_model_gives_a_prediction_or_a_problem() -> None:
    photo = drawn_flower("daisy")
    shipped = [model.name for model in registry.shipped_models()]
    *answers, missing = compare(photo, [*shipped, "not//a//model"])
    assert [answer.model for answer in answers] == shipped
    for answer in answers:
        assert answer.prediction == registry.load(answer.model)(photo)
        assert answer.milliseconds is not None
    assert missing.prediction is None
    assert "not//a//model" in (missing.problem or "")


def test_bad_photo_is_refused() -> None:
    with pytest.raises(InvalidImage, match="not a picture"):
        compare(b"text", [])
