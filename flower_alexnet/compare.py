"""One photo, several models."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from flower_alexnet import catalog, images
from flower_alexnet.classifier import FlowerClassifier, Prediction
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
    classifiers: dict[str, FlowerClassifier | InvalidModel] = {}
    for model in models:
        try:
            classifiers[model] = catalog.load(model)
        except InvalidModel as error:
            classifiers[model] = error
    sides = [it.shorter_side for it in classifiers.values() if isinstance(it, FlowerClassifier)]
    picture = images.load(photo, shorter_side=max(sides, default=None))
    return [_ask(model, classifier, picture) for model, classifier in classifiers.items()]


def _ask(model: str, classifier: FlowerClassifier | InvalidModel, picture: images.Source) -> Answer:
    if isinstance(classifier, InvalidModel):
        return Answer(model, problem=str(classifier))
    classifier(picture)  # the first time takes longer: memory is found, kernels are chosen
    started = time.perf_counter()
    prediction = classifier(picture)
    return Answer(model, prediction, 1000 * (time.perf_counter() - started))
