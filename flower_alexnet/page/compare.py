"""Classify one photo with several models."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from flower_alexnet import images, registry
from flower_alexnet.classifier import FlowerClassifier, Prediction
from flower_alexnet.model import InvalidModel


@dataclass(frozen=True)
class Answer:
    """The answer of one model, or why it has none.

    Args:
        model: its name in the registry.
        prediction: its prediction.
        milliseconds: from the decoded photo to the prediction.
        problem: why there is no prediction.
    """

    model: str
    prediction: Prediction | None = None
    milliseconds: float | None = None
    problem: str | None = None


def compare(photo: images.Source, models: Iterable[str]) -> list[Answer]:
    """Classify a photo with each model in turn.

    Raises:
        InvalidImage: the photo cannot be used.
    """
    classifiers: dict[str, FlowerClassifier | InvalidModel] = {}
    for model in models:
        try:
            classifiers[model] = registry.load(model)
        except InvalidModel as error:
            classifiers[model] = error
    sides = [it.shorter_side for it in classifiers.values() if isinstance(it, FlowerClassifier)]
    image = images.load(photo, shorter_side=max(sides, default=None))
    return [_predict(model, classifier, image) for model, classifier in classifiers.items()]


def _predict(model: str, classifier: FlowerClassifier | InvalidModel, image: images.Source) -> Answer:
    if isinstance(classifier, InvalidModel):
        return Answer(model, problem=str(classifier))
    classifier(image)  # the first pass takes longer: memory is allocated, kernels are chosen
    started = time.perf_counter()
    prediction = classifier(image)
    return Answer(model, prediction, 1000 * (time.perf_counter() - started))
