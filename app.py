"""The Space: a page that names the flower in a photo."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before Gradio is imported, which reads it

import gradio as gr

from flower_alexnet import InvalidImage, InvalidModel, catalog

MODELS = catalog.shipped_models()

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
    if not image or not image.get("path"):
        raise gr.Error("Choose a photo first.", title="No photo", print_exception=False)
    if model not in [shipped.name for shipped in MODELS]:
        raise gr.Error("Choose a model from the list.", title="No such model", print_exception=False)
    try:
        return catalog.load(model)(image["path"]).probabilities
    except InvalidImage as error:
        raise gr.Error(str(error), title="This photo cannot be used", print_exception=False) from None
    except InvalidModel as error:
        raise gr.Error(str(error), title="This model cannot be used", print_exception=False) from None


def reclassify(image: dict[str, Any] | None, model: str) -> dict[str, float] | None:
    """Classify the photo that is there, if one is, by a model just chosen."""
    return classify(image, model) if image else None


def build() -> gr.Blocks:
    """The page, not yet served."""
    usable = [model.name for model in MODELS if model.problem is None]
    with gr.Blocks(title="Flower AlexNet") as page:
        gr.Markdown("# Flower AlexNet\nName the flower in a photo: daisy, dandelion, rose, sunflower or tulip.")
        with gr.Row():
            with gr.Column():
                photo = gr.Image(label="Photo", sources=["upload", "webcam", "clipboard"], height=360)
                model = gr.Dropdown(
                    choices=[(model.title, model.name) for model in MODELS],
                    value=usable[0] if usable else None,
                    label="Model",
                )
                button = gr.Button("Classify", variant="primary")
            with gr.Column():
                label = gr.Label(label="Flower", num_top_classes=5)

        button.click(classify, [photo, model], label, api_name="classify", preprocess=False)
        model.input(reclassify, [photo, model], label, api_visibility="private", preprocess=False)
        photo.clear(lambda: None, None, label, api_visibility="private")
    return page


if __name__ == "__main__":
    build().launch(theme=THEME)
