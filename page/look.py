"""The quick look: the page asks again and again about a part of a photo, or about what the camera sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from flower_alexnet import FlowerClassifier, Prediction, explain, images
from page import answers, render
from page.answers import Answer
from page.language import preferred_language
from page.models import MODELS
from page.translations import flower_name, translate

MAX_LOOK = 700_000
"""Bytes of a picture: the browser cuts out what the network sees, and scales it to 448 pixels at most."""

SHOWN = 5
"""Labels whose heat is told: those with a bar."""

LOOKS = answers.Turns(1, waiting=64)
"""Looks at the same time, and those that may wait: however many visitors move and film, one processor is for photos.
A browser asks again when it was answered, so that it is slower where there are many."""


async def look(request: Request) -> JSONResponse:
    """Answer what a model says of a picture, which is the body of the request, and where it looks if asked.

    The answer is the panel that the page shows, its verdict and probabilities, and with ``heat=1`` for each of
    the labels with a bar a grid of numbers, 0 to 255, rows from the top. Nothing of it is written or kept.
    """
    return await answer_picture(request, LOOKS, _told)


async def answer_picture(
    request: Request, turns: answers.Turns, tell: Callable[[FlowerClassifier, str, bytes, QueryParams, str], Any]
) -> JSONResponse:
    """Answer what is told of a picture, which is the body of a request, by the model that its query names.

    Args:
        request: with the picture, and the model's name in its query; the page's first model if there is none of it.
        turns: that it waits for.
        tell: given the model, its name, the picture, the query and the language, returns what to answer.
    """
    language = preferred_language(request.headers.get("accept-language"))
    picture, query = await request.body(), request.query_params
    if len(picture) > MAX_LOOK:
        return JSONResponse({"error": f"At most {MAX_LOOK / 1e6} MB are looked at."}, 413)
    try:
        model = query["model"] if MODELS.get(query.get("model")) else MODELS.default
        classifier = await answers.load(model, language)
        with answers.photo_problems_in_words(language):
            return JSONResponse(await turns.run(language, tell, classifier, model, picture, query, language))
    except gr.Error as error:
        busy = str(error.message) == translate("busy", language)
        return JSONResponse({"error": str(error.message)}, 503 if busy else 422)


def _told(
    classifier: FlowerClassifier, model: str, picture: bytes, query: QueryParams, language: str
) -> dict[str, Any]:
    prediction, grids = _ask(classifier, picture, "heat" in query)
    told: dict[str, Any] = {
        "panel": render.answer(Answer(prediction, MODELS[model], query.get("key", "")), language),
        "verdict": prediction.verdict,
        "in_distribution_probability": prediction.in_distribution_probability,
        "probabilities": prediction.probabilities,
    }
    if grids is not None:
        told["heat"] = {label: {"name": flower_name(label, language), "grid": grid} for label, grid in grids.items()}
    return told


def _ask(classifier: FlowerClassifier, picture: bytes, heat: bool) -> tuple[Prediction, dict[str, Any] | None]:
    """Return what a classifier says of a picture, and of each label with a bar where it looks and how much."""
    image = images.load(picture, shorter_side=classifier.shorter_side)
    prediction = classifier(image)
    if not heat:
        return prediction, None
    shown = dict(prediction.top(SHOWN))
    grids = (255 * explain.heat_grids(classifier, image, shown)).round().astype(int)
    return prediction, {label: grid.tolist() for label, grid in zip(shown, grids, strict=True)}


ROUTE = Route("/look", look, methods=["POST"])
