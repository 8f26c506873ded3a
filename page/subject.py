"""What the page is about: the five flowers, or the classes of somebody's own model."""

from __future__ import annotations

import re
from pathlib import Path

from flower_alexnet import LABELS, InvalidModel
from flower_alexnet.model_folder import read_config
from flower_alexnet.words import capitalized
from page.models import MODELS


def _subject() -> tuple[tuple[str, ...], bool]:
    """Return the labels of the default model, and whether it can tell what it does not know; of the flowers if it is
    not here."""
    model = MODELS.get(MODELS.default)
    if model is None or model.folder is None:
        return LABELS, True
    try:
        config = read_config(model.folder)
    except InvalidModel:
        return LABELS, True
    return config.labels, config.threshold is not None


PAGE_LABELS, CAN_TELL = _subject()
"""Labels of the model that the page begins with, and whether it says so when a photo shows none of them."""

ABOUT_FLOWERS = set(PAGE_LABELS) == set(LABELS)
"""Whether these are the five flowers: only then do texts, examples and the drawing at the top speak of flowers."""

TITLE = "Flower AlexNet" if ABOUT_FLOWERS else capitalized(" ".join(re.split("[-_]", Path(MODELS.default).name)))
"""Title of the page: of own classes, the name of the model."""

NAME = "flowers" if ABOUT_FLOWERS else "photos"
"""Name of the files that visitors download, without an ending."""
