"""One photo, several models."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from flower_alexnet import catalog, images
from flower_alexnet.classifier import Prediction
from flower_alexnet.model import InvalidModel


@dataclass(frozen=True)
class Answer:
    """What one model makes of the photo, or why it cannot be asked.

    Args:
        model: its name in the catalog.
        prediction: its answer.
        milliseconds: from the decoded photo to the answer.
        problem: why there is no answer.
    """

    model: str
    prediction: Prediction | None = None
    milliseconds: float | None = None
    problem: str | None = None


def compare(photo: images.Source, models: Iterable[str]) -> list[Answer]:
    """Ask each model in turn.

    Raises:
        InvalidImage: the photo cannot be used.
    """
    picture = images.load(photo)
    return [_ask(model, picture) for model in models]


def _ask(model: str, picture: images.Source) -> Answer:
    try:
        classifier = catalog.load(model)
    except InvalidModel as error:
        return Answer(model, problem=str(error))
    classifier(picture)  # the first time takes longer: memory is found, kernels are chosen
    started = time.perf_counter()
    prediction = classifier(picture)
    return Answer(model, prediction, 1000 * (time.perf_counter() - started))
