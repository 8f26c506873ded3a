"""Grad-CAM: where in a photo the network looked."""

from __future__ import annotations

from collections.abc import Sequence
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
    crop = images.to_tensor(image, preprocessing)
    (heat_map,) = FORWARD_THREAD.submit(grad_cam, classifier, crop, [target]).result().numpy()

    image.thumbnail((MAX_SIDE, MAX_SIDE))
    heat = np.zeros((image.height, image.width), dtype=np.float32)
    left, top, right, _ = images.crop_box(image.size, preprocessing)
    side = max(1, round(right - left))
    x, y = min(round(left), image.width - side), min(round(top), image.height - side)
    resized = Image.fromarray(heat_map).resize((side, side), Image.Resampling.BICUBIC)
    heat[y : y + side, x : x + side] = np.asarray(resized).clip(min=0)
    return Explanation(label, image, heat / max(heat.max(), np.finfo(np.float32).tiny))


def heat_grids(classifier: FlowerClassifier, image: Image.Image, probabilities: dict[str, float]) -> np.ndarray:
    """Return Grad-CAM of several labels on one scale, float32 (labels, h, w), 0-1.

    Each is multiplied by its label's probability over that of the most probable one, or what speaks for a label of 1 %
    would shine like the answer; 1 is where most speaks for any of them.

    Args:
        classifier: the classifier to explain.
        image: the photo, as ``images.load`` returns it.
        probabilities: label -> probability, 0-1, of the labels that are asked about.
    """
    crop = images.to_tensor(image, classifier.config.preprocessing)
    targets = [classifier.config.labels.index(label) for label in probabilities]
    maps = FORWARD_THREAD.submit(grad_cam, classifier, crop, targets).result()
    shares = torch.tensor(list(probabilities.values())) / max(probabilities.values())
    weighted = maps * shares.view(-1, 1, 1)
    grids: np.ndarray = (weighted / weighted.max().clamp(min=torch.finfo(torch.float32).tiny)).numpy()
    return grids


def grad_cam(classifier: FlowerClassifier, crop: Tensor, targets: Sequence[int]) -> Tensor:
    """Return the Grad-CAM maps, float32 (targets, h, w), 0 or more, of the network's last convolution.

    Each channel of the last convolution's ReLU output is weighted by the mean of the target logit's gradient over its
    area; the weighted channels are summed, and negative sums set to 0.

    Args:
        classifier: its network is neither changed nor copied.
        crop: normalized, float32 (3, H, W).
        targets: indices of the labels.
    """
    *layers, pool = classifier.network.features
    with torch.no_grad():
        feature_maps = crop[None]
        for layer in layers:
            feature_maps = layer(feature_maps)
    each = feature_maps.repeat(len(targets), 1, 1, 1).requires_grad_()
    logits = classifier.network.forward_head(pool(each))
    (gradients,) = torch.autograd.grad(logits[range(len(targets)), list(targets)].sum(), each)
    weights = gradients.mean((2, 3), keepdim=True)
    return (weights * each.detach()).sum(1).relu()
