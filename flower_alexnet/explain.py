"""Where the network looked: Grad-CAM."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from flower_alexnet import images
from flower_alexnet.classifier import FlowerClassifier
from flower_alexnet.inference import FORWARD

LONGEST_SIDE = 1024
"""Pixels of the longer side of an explanation; larger photos are made smaller."""

OPACITY = 0.6
"""How much of the colours covers the photo where the heat is highest."""


@dataclass(frozen=True)
class Explanation:
    """What in a photo speaks for a label.

    Args:
        label: the label.
        picture: the photo, RGB, its longer side at most ``LONGEST_SIDE`` pixels.
        heat: 0-1 a pixel, float32 (height, width) of the picture; 1 is what speaks most for the label.
    """

    label: str
    picture: Image.Image
    heat: np.ndarray

    @property
    def overlay(self) -> Image.Image:
        """The picture with its heat over it: dark and clear where there is none, then red, then yellow."""
        from matplotlib import colormaps  # as captum below, imported late: the page comes up half a second sooner

        colours = colormaps["inferno"](self.heat)[..., :3] * 255
        opacity = OPACITY * np.maximum(self.heat, 0.5)[..., None]
        mixed = np.asarray(self.picture) * (1 - opacity) + colours * opacity
        return Image.fromarray(mixed.round().astype(np.uint8))


def explain(classifier: FlowerClassifier, photo: images.Source, label: str | None = None) -> Explanation:
    """Find what in a photo speaks for a label (Grad-CAM; Selvaraju et al., 2017).

    The last feature map, weighted by how much each channel raises the label's logit, for each view that the
    classifier takes of the photo; the views are laid back where they were cut and averaged where they overlap.

    Args:
        classifier: whose answer is explained.
        photo: as for ``images.load``.
        label: one of the classifier's labels; the most probable if not given.

    Raises:
        InvalidImage: the photo cannot be used.
        ValueError: the classifier knows no such label.
    """
    from captum.attr import LayerGradCam

    picture = images.load(photo, shorter_side=classifier.shorter_side)
    label = classifier(picture).label if label is None else label
    if label not in classifier.config.labels:
        raise ValueError(f"There is no label {label}; there are {', '.join(classifier.config.labels)}.")

    preprocessing = classifier.config.preprocessing
    views = images.to_tensor(picture, preprocessing)
    # Grad-CAM hangs hooks on a network, which a photo classified at the same time would trip over: on a copy, then,
    # which shares the tensors.
    tensors = classifier.network.state_dict(keep_vars=True).values()
    network = deepcopy(classifier.network, {id(tensor): tensor for tensor in tensors})
    grad_cam = LayerGradCam(network, network.features[-2])  # the last convolution's ReLU
    target = classifier.config.labels.index(label)
    maps = FORWARD.submit(grad_cam.attribute, views, target, relu_attributions=True).result()

    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    heat, views_there = np.zeros((2, picture.height, picture.width), dtype=np.float32)
    for view, values in zip(preprocessing.views, maps[:, 0].detach().numpy(), strict=True):
        left, top, right, _ = images.box(picture.size, preprocessing, view)
        side = max(1, round(right - left))
        square = Image.fromarray(values).resize((side, side), Image.Resampling.BICUBIC)
        x, y = min(round(left), picture.width - side), min(round(top), picture.height - side)
        there = np.s_[y : y + side, x : x + side]
        heat[there] += np.asarray(ImageOps.mirror(square) if view.flip else square)
        views_there[there] += 1
    heat = (heat / np.maximum(views_there, 1)).clip(min=0)
    return Explanation(label, picture, heat / max(heat.max(), np.finfo(np.float32).tiny))
