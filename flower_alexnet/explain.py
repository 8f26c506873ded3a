"""Grad-CAM: where in a photo the network looked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from flower_alexnet import images
from flower_alexnet.classifier import FlowerClassifier
from flower_alexnet.inference import FORWARD_THREAD

MAX_SIDE = 1024
"""Pixels of the longer side of an explanation; larger photos are scaled down."""

OPACITY = 0.6
"""Opacity of the color map where the heat is 1."""

INFERNO = np.array(
    [
        [0, 0, 4],
        [22, 11, 57],
        [66, 10, 104],
        [106, 23, 110],
        [147, 38, 103],
        [188, 55, 84],
        [221, 81, 58],
        [243, 120, 25],
        [252, 165, 10],
        [246, 215, 70],
        [252, 255, 164],
    ]
)
"""Eleven evenly spaced colors, RGB 0-255, of the color map inferno (Smith and van der Walt, 2015; CC0)."""


@dataclass(frozen=True)
class Explanation:
    """What in a photo speaks for a label.

    Args:
        label: the label.
        image: the photo, RGB, its longer side at most ``MAX_SIDE`` pixels.
        heat: one value a pixel, 0-1, float32 (height, width); 1 where most speaks for the label.
    """

    label: str
    image: Image.Image
    heat: np.ndarray

    @property
    def overlay(self) -> Image.Image:
        """Return the image under its heat in the color map inferno: dark, then red, then yellow."""
        positions = np.linspace(0, 1, len(INFERNO))
        colors = np.stack([np.interp(self.heat, positions, channel) for channel in INFERNO.T], axis=-1)
        opacity = OPACITY * np.maximum(self.heat, 0.5)[..., None]
        blended = np.asarray(self.image) * (1 - opacity) + colors * opacity
        return Image.fromarray(blended.round().astype(np.uint8))


def explain(classifier: FlowerClassifier, photo: images.Source, label: str | None = None) -> Explanation:
    """Compute Grad-CAM (Selvaraju et al., 2017) for a label.

    The map of the classifier's crop is laid back where it was cut; around it the heat is 0.

    Args:
        classifier: the classifier to explain.
        photo: as for ``images.load``.
        label: one of the classifier's labels; the most probable if not given.

    Raises:
        InvalidImage: the photo cannot be used.
        ValueError: the classifier has no such label.
    """
    image = images.load(photo, shorter_side=classifier.shorter_side)
    label = classifier(image).label if label is None else label
    if label not in classifier.config.labels:
        raise ValueError(f"There is no label {label}; there are {', '.join(classifier.config.labels)}.")

    preprocessing = classifier.config.preprocessing
    target = classifier.config.labels.index(label)
    crops = images.to_tensor(image, preprocessing)[None]
    (heat_map,) = FORWARD_THREAD.submit(grad_cam, classifier, crops, target).result().numpy()

    image.thumbnail((MAX_SIDE, MAX_SIDE))
    heat = np.zeros((image.height, image.width), dtype=np.float32)
    left, top, right, _ = images.crop_box(image.size, preprocessing)
    side = max(1, round(right - left))
    x, y = min(round(left), image.width - side), min(round(top), image.height - side)
    resized = Image.fromarray(heat_map).resize((side, side), Image.Resampling.BICUBIC)
    heat[y : y + side, x : x + side] = np.asarray(resized).clip(min=0)
    return Explanation(label, image, heat / max(heat.max(), np.finfo(np.float32).tiny))


def grad_cam(classifier: FlowerClassifier, crops: Tensor, target: int) -> Tensor:
    """Return the Grad-CAM maps, float32 (N, h, w), 0 or more, of the network's last convolution.

    Each channel of the last convolution's ReLU output is weighted by the mean of the target logit's gradient over its
    area; the weighted channels are summed, and negative sums set to 0.

    Args:
        classifier: its network is neither changed nor copied.
        crops: normalized, float32 (N, 3, H, W).
        target: index of the label.
    """
    *layers, pool = classifier.network.features
    with torch.no_grad():
        feature_maps = crops
        for layer in layers:
            feature_maps = layer(feature_maps)
    feature_maps.requires_grad_()
    logits = classifier.network.forward_head(pool(feature_maps))
    (gradients,) = torch.autograd.grad(logits[:, target].sum(), feature_maps)
    weights = gradients.mean((2, 3), keepdim=True)
    return (weights * feature_maps.detach()).sum(1).relu()
