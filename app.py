"""The Space: a page that names the flower in a photo."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before Gradio is imported, which reads it

import gradio as gr

from flower_alexnet import InvalidImage, InvalidModel, Prediction, catalog

MODELS = {model.name: model for model in (*catalog.shipped_models(), *catalog.added_models())}

THEME = gr.themes.Soft(
    primary_hue="green",
    font=["system-ui", "sans-serif"],  # the visitor's own fonts: no request to another host
    font_mono=["ui-monospace", "monospace"],
)


def classify(image: dict[str, Any] | None, model: str) -> dict[str, float]:
    """Name the flower in a photo.

    Args:
        image: the photo's file, as the page sent it: ``images.load`` judges it, not Gradio.
        model: name of a model in the list.

    Returns:
        The probability, 0-1, of each of the five flowers.
    """
    return _predict(image, model).probabilities


def answer(image: dict[str, Any] | None, model: str) -> tuple[str, dict[str, float]]:
    """The answer in words, and the probability of each flower."""
    prediction = _predict(image, model)
    return f"## {prediction.in_words()}", prediction.probabilities


def choose(
    image: dict[str, Any] | None, model: str, progress: gr.Progress = gr.Progress(track_tqdm=True)
) -> tuple[dict[str, Any], str, dict[str, float] | None]:
    """Load a model just chosen, which may have to be downloaded -> the list of models, and its answer to a photo."""
    _check_known(model)
    progress(None, desc=f"Loading {model}")
    try:
        catalog.load(model)
    except InvalidModel as error:
        MODELS[model] = replace(MODELS[model], problem=str(error))
        return gr.update(choices=titles()), f"## {model} is unavailable\n{error}", None
    MODELS[model] = replace(MODELS[model], problem=None)
    return gr.update(choices=titles()), *(answer(image, model) if image else ("", None))


def titles() -> list[tuple[str, str]]:
    """What the list of models shows, and the names behind it."""
    return [(model.title, model.name) for model in MODELS.values()]


def _predict(image: dict[str, Any] | None, model: str) -> Prediction:
    if not image or not image.get("path"):
        raise gr.Error("Choose a photo first.", title="No photo", print_exception=False)
    _check_known(model)
    try:
        return catalog.load(model)(image["path"])
    except InvalidImage as error:
        raise gr.Error(str(error), title="This photo cannot be used", print_exception=False) from None
    except InvalidModel as error:
        raise gr.Error(str(error), title="This model cannot be used", print_exception=False) from None


def _check_known(model: str) -> None:
    if not isinstance(model, str) or model not in MODELS:
        raise gr.Error("Choose a model from the list.", title="No such model", print_exception=False)


def build() -> gr.Blocks:
    """The page, not yet served."""
    usable = [model.name for model in MODELS.values() if model.problem is None]
    with gr.Blocks(title="Flower AlexNet") as page:
        gr.Markdown("# Flower AlexNet\nName the flower in a photo: daisy, dandelion, rose, sunflower or tulip.")
        with gr.Row():
            with gr.Column():
                photo = gr.Image(label="Photo", sources=["upload", "webcam", "clipboard"], height=360)
                model = gr.Dropdown(
                    choices=titles(),
                    value=usable[0] if usable else None,
                    label="Model",
                )
                button = gr.Button("Classify", variant="primary")
            with gr.Column():
                words = gr.Markdown()
                bars = gr.Label(label="Flower", num_top_classes=5, show_heading=False)

        asked, shown = [photo, model], [words, bars]
        button.click(answer, asked, shown, api_visibility="private", preprocess=False)
        model.input(
            choose,
            asked,
            [model, *shown],
            api_visibility="private",
            preprocess=False,
            show_progress_on=bars,
            concurrency_limit=8,  # who waits for a download does not hold up the others
        )
        photo.clear(lambda: ("", None), None, shown, api_visibility="private")
        # For programs, which want the probabilities alone.
        gr.Button(visible=False).click(classify, asked, bars, api_name="classify", preprocess=False)
    return page


if __name__ == "__main__":
    build().launch(theme=THEME)
