"""The texts of the page: every text in every language."""

from __future__ import annotations

import string

import pytest

from flower_alexnet import LABELS, InvalidImage, images
from flower_alexnet.page.translations import DISPLAY_NAMES, TEXTS, describe, percent

KINDS = {kind.__name__ for kind in InvalidImage.__subclasses__()}


def fields(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


def test_every_text_is_there_in_every_language() -> None:
    english = TEXTS["en"]
    for language, texts in TEXTS.items():
        assert set(texts) - KINDS == set(english), language
        assert language == "en" or set(texts) >= KINDS
        for key in english:
            assert fields(texts[key]) == fields(english[key]), (language, key)
        assert set(DISPLAY_NAMES[language]) == set(LABELS)


def test_uncertain_probability_is_never_100_percent() -> None:
    assert percent(1.0) == percent(0.9951) == ">99%"
    assert percent(0.994) == "99%"


def test_errors_are_described() -> None:
    with pytest.raises(InvalidImage) as raised:
        images.load(b"")
    assert describe(raised.value, "en") == str(raised.value)
    assert describe(raised.value, "zh-CN") == "文件是空的。请换一份。"
