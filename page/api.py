"""The endpoints for programs, which are tools for language models as well. Labels and errors are in English."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.components.label import LabelData

from flower_alexnet import Prediction
from page import answers
from page.answers import Upload
from page.models import MODELS
from page.subject import PAGE_LABELS
from page.wording import MAX_NAMES

_EXAMPLES = ", ".join([*PAGE_LABELS[:MAX_NAMES], *(["…"] if len(PAGE_LABELS) > MAX_NAMES else [])])
"""Labels of the model that the page begins with, for the descriptions."""


class Classification(LabelData):
    """What ``/classify`` returns: Gradio's label and confidences, and whether the photo shows a known class at all."""

    in_distribution: bool | None = None
    in_distribution_probability: float | None = None
    verdict: str = "conditional"


def answer_label(label: str) -> gr.Label:
    """Return a component for a ``Prediction``.

    It is a label with two methods of its own: beside a class of its own, Gradio would write a file of types into this
    folder.
    """
    component = gr.Label(label=label)

    def postprocess(value: Prediction | None) -> LabelData | None:
        if value is None:
            return None
        made = gr.Label.postprocess(component, value.probabilities)
        return Classification(
            label=made.label,
            confidences=made.confidences,
            in_distribution=value.in_distribution,
            in_distribution_probability=value.in_distribution_probability,
            verdict=value.verdict,
        )

    component.data_model, component.postprocess = Classification, postprocess
    return component


async def classify(image: Upload, model: str = MODELS.default) -> Prediction:
    """Tell which of the model's labels a photo shows: return the probability of each, and whether it shows one at all.

    Args:
        image: the photo.
        model: name of a model in the list.

    Returns:
        The most probable label; the probability, 0-1, of each of the model's labels, given that the photo shows one of
        them; whether it does (in_distribution), with the probability of that; and the verdict: certain (it shows that),
        conditional (it does if it shows one of the labels at all) or none (it shows none of them).
    """
    return await answers.predict(image, model, "en")


async def explain(image: Upload, label: str = "", model: str = MODELS.default) -> Any:
    """Show where in a photo the network looked (Grad-CAM): the photo under a color map, yellow where it looked most.

    Args:
        image: the photo.
        label: what to look for: one of the model's labels; the model's own answer if empty.
        model: name of a model in the list.

    Returns:
        The photo under the color map.
    """
    return (await answers.explain(image, label, model, "en")).overlay


async def compare(image: Upload) -> list[dict[str, Any]]:
    """Ask every model which of its labels a photo shows.

    Args:
        image: the photo.

    Returns:
        A row for each model: its label, its probability (0-1), whether the photo looks like one of the known classes,
        all probabilities and the milliseconds it took, or the problem that kept it from answering.
    """
    return [
        {
            "model": given.model,
            **_fields(given.prediction, given.problem),
            "milliseconds": given.milliseconds,
        }
        for given in await answers.compare_models(image, "en")
    ]


async def classify_batch(files: list[dict[str, Any]] | None, model: str = MODELS.default) -> list[dict[str, Any]]:
    """Tell what each of many photos shows. A photo that cannot be used gets a row that says why.

    Args:
        files: photos, and zips of photos.
        model: name of a model in the list.

    Returns:
        A row for each photo, in order: its name, its label, its probability (0-1), whether it looks like one of the
        known classes and all probabilities, or the problem with it.
    """
    photos = await answers.collect(files, "en")
    rows = answers.classify_each(await answers.load(model, "en"), photos)
    return [{"photo": row.name, **_fields(row.prediction, row.problem)} async for row in rows]


def _fields(prediction: Prediction | None, problem: str | None) -> dict[str, Any]:
    """Return a prediction's fields for programs, or the problem in its place."""
    return {"problem": problem} if prediction is None else prediction.fields()


for _endpoint in (classify, explain, compare, classify_batch):  # what programs and language models read of them
    _endpoint.__doc__ = (_endpoint.__doc__ or "").replace("model's labels", f"model's labels ({_EXAMPLES})", 1)

DIRECT = (classify,)
"""Functions that are answered in one response, if asked at ``/run/NAME``; the others go through Gradio's queue."""

ENDPOINTS = (*DIRECT, explain, compare, classify_batch)
"""The functions behind the endpoints, which are called by their names."""
