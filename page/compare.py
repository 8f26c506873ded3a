"""Classify one photo with several models."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from flower_alexnet import images
from flower_alexnet.classifier import FlowerClassifier, Prediction


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


def compare(photo: images.Source, classifiers: Mapping[str, FlowerClassifier]) -> list[Answer]:
    """Classify a photo with each model in turn.

    Args:
        photo: as for ``images.load``.
        classifiers: by the names of their models.

    Raises:
        InvalidImage: the photo cannot be used.
    """
    shorter_side = max((classifier.shorter_side for classifier in classifiers.values()), default=None)
    image = images.load(photo, shorter_side=shorter_side)
    return [_predict(model, classifier, image) for model, classifier in classifiers.items()]


def _predict(model: str, classifier: FlowerClassifier, image: images.Source) -> Answer:
    started = time.perf_counter()
    prediction = classifier(image)
    return Answer(model, prediction, 1000 * (time.perf_counter() - started))
