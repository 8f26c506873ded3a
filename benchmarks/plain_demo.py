"""The demo of Gradio's guide to image classification, with the default model's network."""

from __future__ import annotations

import gradio as gr
from PIL import Image

from benchmarks.reference import Reference
from flower_alexnet.classifier import load_classifier

classifier = load_classifier("alexnet-bn")
reference = Reference(classifier.network, classifier.config)


def predict(image: Image.Image) -> dict[str, float]:
    """Return label -> probability."""
    return reference([image])[0]


if __name__ == "__main__":
    gr.Interface(predict, gr.Image(type="pil"), gr.Label(num_top_classes=5)).launch()
