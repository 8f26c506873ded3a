"""English words that messages, answers and cards are made of."""

from __future__ import annotations

ENGLISH_NAMES = {"roses": "rose", "sunflowers": "sunflower", "tulips": "tulip"}
"""Labels that are not the name of one such flower, and that name."""


SURE, UNSURE = "{flower}, {probability}", "{one} or {other}?"
PERHAPS = "{flower}? {probability}"
NONE_OF_THE_FIVE, NONE_OF_THE_CLASSES = "None of the five, it seems", "None of those it knows, it seems"
"""Answers to a photo, as ``str.format`` fills them in."""


def english_name(label: str) -> str:
    """Return the English name of one flower of a class: "roses" -> "rose"; other labels are returned as they are."""
    return ENGLISH_NAMES.get(label, label)


def capitalized(text: str) -> str:
    """Return a text with its first letter as a capital; the rest stays as it is."""
    return text[:1].upper() + text[1:]


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "1 photo", "2 photos"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def printable(text: str) -> str:
    """Return a name, or a text with a name in it, as Unicode: bytes of it that are no UTF-8 are written ``\\xe9``."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half of a UTF-16 pair, as names may have on Windows
        return text.encode("utf-8", "backslashreplace").decode()
