"""The texts of the page: every text in every language."""

from __future__ import annotations

import string

import pytest

from flower_alexnet import LABELS, InvalidImage, images
from page.translations import FLOWERS, LANGUAGES, MARKS, TEXTS, describe, percent

KINDS = {kind.__name__ for kind in InvalidImage.__subclasses__()}


def fields(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field}


def test_every_text_is_there_in_every_language() -> None:
    english = TEXTS["en"]
    assert tuple(TEXTS) == LANGUAGES
    assert set(FLOWERS) == set(MARKS) == set(LABELS)
    for language, texts in TEXTS.items():
        assert set(texts) == set(english) >= KINDS, language
        for key in english:
            assert texts[key].strip() == texts[key] != "", (language, key)
            assert fields(texts[key]) == fields(english[key]), (language, key)


def test_uncertain_probability_is_never_0_or_100_percent() -> None:
    assert percent(1.0) == percent(0.9951) == ">99%"
    assert percent(0.994) == "99%"
    assert percent(0.0) == percent(0.0049) == "<1%"
    assert percent(0.5, "de") == "50\u00a0%"


def test_errors_are_described() -> None:
    with pytest.raises(InvalidImage) as raised:
        images.load(b"")
    assert describe(raised.value, "en") == "The file is empty. Try another copy."
    assert describe(raised.value, "zh-CN") == "文件是空的。请换一份。"
    assert describe(InvalidImage("anything else"), "de") == "anything else"
