"""One photo, several models."""

from __future__ import annotations

import pytest

from flower_alexnet import InvalidImage, catalog
from flower_alexnet.compare import compare
from tests.conftest import drawn_flower


def test_each_model_answers_or_says_why_not() -> None:
    picture = drawn_flower("daisy")
    shipped = [model.name for model in catalog.shipped_models()]
    *answers, missing = compare(picture, [*shipped, "not//a//model"])
    assert [answer.model for answer in answers] == shipped
    for answer in answers:
        assert answer.prediction == catalog.load(answer.model)(picture)
        assert answer.milliseconds is not None
    assert missing.prediction is None
    assert "not//a//model" in (missing.problem or "")


def test_bad_photo_is_refused() -> None:
    with pytest.raises(InvalidImage, match="not a picture"):
        compare(b"text", [])
