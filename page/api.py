"""The endpoints for programs, which are tools for language models as well. Labels and errors are in English."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.components.label import LabelData

from flower_alexnet import Prediction, batch
from page import answers
from page.answers import DEFAULT, Photo, prediction_fields, without_paths


class AnswerData(LabelData):
    """What ``/classify`` returns: Gradio's label and confidences, and whether the photo shows a known class at all."""

    in_distribution: bool | None = None
    in_distribution_probability: float | None = None


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
        return AnswerData(
            label=made.label,
            confidences=made.confidences,
            in_distribution=value.in_distribution,
            in_distribution_probability=value.in_distribution_probability,
        )

    component.data_model, component.postprocess = AnswerData, postprocess
    return component


def classify(image: Photo, model: str = DEFAULT or "") -> Prediction:
    """Name the flower in a photo: return the probability of each label, such as daisy, dandelion, roses or tulips, and
    whether the photo shows one of them at all.

    Args:
        image: the photo.
        model: name of a model in the list.

    Returns:
        The most probable label; the probability, 0-1, of each of the model's labels, given that the photo shows one of
        them; and whether it does (in_distribution), with the probability of that.
    """
    return answers.predict(image, model, "en")


def explain(image: Photo, label: str = "", model: str = DEFAULT or "") -> Any:
    """Show where in a photo the network looked (Grad-CAM): the photo under a color map, yellow where it looked most.

    Args:
        image: the photo.
        label: what to look for: one of the model's labels, such as roses; the model's own answer if empty.
        model: name of a model in the list.

    Returns:
        The photo under the color map.
    """
    return answers.explain(image, label, model, "en").overlay


def compare(image: Photo) -> list[dict[str, Any]]:
    """Ask every model which flower a photo shows.

    Args:
        image: the photo.

    Returns:
        A row for each model: its label, its probability (0-1), whether the photo looks like one of the known classes,
        all probabilities and the milliseconds it took, or the problem that kept it from answering.
    """
    return [
        {
            "model": answer.model,
            **prediction_fields(answer.prediction, without_paths(answer.problem)),
            "milliseconds": answer.milliseconds,
        }
        for answer in answers.compare_models(image, "en")
    ]


def classify_batch(files: list[dict[str, Any]] | None, model: str = DEFAULT or "") -> list[dict[str, Any]]:
    """Name the flower in each of many photos. A photo that cannot be used gets a row that says why.

    Args:
        files: photos, and zips of photos.
        model: name of a model in the list.

    Returns:
        A row for each photo, in order: its name, its label, its probability (0-1), whether it looks like one of the
        known classes and all probabilities, or the problem with it.
    """
    photos = answers.collect(files, "en")
    rows = batch.classify_each(answers.load(model, "en"), photos)
    return [{"photo": row.name, **prediction_fields(row.prediction, row.problem)} for row in rows]


ENDPOINTS = (classify, explain, compare, classify_batch)
"""The functions behind the endpoints, which are called by their names."""
