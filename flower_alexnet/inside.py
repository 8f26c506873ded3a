"""Inside AlexNet: what each layer makes of a photo, from the kernels of the first to the numbers of the last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import nn

from flower_alexnet import images
from flower_alexnet.classifier import FlowerClassifier
from flower_alexnet.inference import FORWARD_THREAD

HALF = 0.5
"""Value of a kernel's weight 0 in its picture: gray."""

BATCH = 16
"""Photos that go through the network together."""

GRAY = 127
"""Value, of 255, of each channel of the square that covers a part of a photo."""


@dataclass(frozen=True)
class Layer:
    """What one convolution finds in a photo, after its ReLU.

    Args:
        name: of the convolution in the network's state dict, such as ``features.0``.
        maps: float32 (channels, h, w), 0 or more: how much of what a kernel looks for is at each place.
        field: height and width in pixels of the crop that one place of a map sees: its receptive field.
        stride: pixels of the crop between the middles of what two neighboring places see.
        start: pixels from the crop's edge to the middle of what the first place sees.
        pooled: height and width of the maps after the pooling that follows; None if none follows.
    """

    name: str
    maps: np.ndarray
    field: int
    stride: int
    start: float
    pooled: int | None = None

    def strongest(self, number: int) -> list[int]:
        """Return the maps with the largest values, the largest first, as indices."""
        return [int(index) for index in self.maps.max(axis=(1, 2)).argsort()[::-1][:number]]

    def sees(self, row: int, column: int) -> tuple[float, float, float, float]:
        """Return what a place of a map sees: left, top, right and bottom in pixels of the crop, beyond its edges where
        the network pads it."""
        x, y = self.start + column * self.stride, self.start + row * self.stride
        return x - self.field / 2, y - self.field / 2, x + self.field / 2, y + self.field / 2


@dataclass(frozen=True)
class Inside:
    """What a network makes of a photo, layer after layer.

    Args:
        crop: what arrives, RGB, uint8 (side, side, 3), before it is normalized.
        layers: the five convolutions, in order.
        features: the numbers before the last layer, float32 (2048,), 0 or more.
        logits: float32 (num_classes,), in the order of the config's labels.
        probabilities: softmax of the logits over the temperature, float32 (num_classes,).
        in_distribution_probability: that the photo shows one of the classes, 0-1; None if the model has no such head.
    """

    crop: np.ndarray
    layers: tuple[Layer, ...]
    features: np.ndarray
    logits: np.ndarray
    probabilities: np.ndarray
    in_distribution_probability: float | None


def kernels(classifier: FlowerClassifier) -> np.ndarray:
    """Return the kernels of the first convolution as pictures, float32 (48, 11, 11, 3), 0-1.

    A weight of 0 is 0.5; the largest weight of each kernel, of either sign, is at 0 or 1.
    """
    weight = next(classifier.network.features.parameters()).detach().float().cpu()
    largest = weight.abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
    pictures: np.ndarray = (HALF + HALF * weight / largest).permute(0, 2, 3, 1).numpy()
    return pictures


def look_inside(classifier: FlowerClassifier, photo: images.Source) -> Inside:
    """Return what a classifier's network makes of a photo, layer after layer.

    >>> classifier = FlowerClassifier.from_pretrained()
    >>> inside = look_inside(classifier, "examples/roses_1.webp")
    >>> [layer.maps.shape for layer in inside.layers]
    [(48, 55, 55), (128, 27, 27), (192, 13, 13), (192, 13, 13), (128, 13, 13)]
    >>> inside.layers[1].field, inside.layers[1].strongest(3)  # of the second convolution

    Args:
        classifier: its network is neither changed nor copied.
        photo: as for ``images.load``.

    Raises:
        InvalidImage: the photo cannot be used.
    """
    return next(look_inside_each(classifier, [photo]))


def look_inside_each(classifier: FlowerClassifier, photos: Iterable[images.Source]) -> Iterator[Inside]:
    """Yield what a classifier's network makes of each photo, as ``look_inside`` does, in less time.

    Raises:
        InvalidImage: a photo cannot be used.
    """
    remaining = iter(photos)
    while batch := [_crop(classifier, photo) for photo in islice(remaining, BATCH)]:
        yield from FORWARD_THREAD.submit(_run, classifier, torch.stack(batch)).result()


def contributions(classifier: FlowerClassifier, features: np.ndarray) -> np.ndarray:
    """Return what each of the numbers before the last layer adds to the logit of each label.

    Args:
        classifier: whose last layer it is.
        features: as in ``Inside``, float32 (2048,).

    Returns:
        float32 (num_classes, 2048), of either sign; with the last layer's bias, rows sum to the logits.
    """
    last: nn.Linear = classifier.network.classifier[-1]  # type: ignore[assignment]
    added: np.ndarray = last.weight.detach().float().cpu().numpy() * features
    return added


def covered(classifier: FlowerClassifier, photo: images.Source, label: str, places: int = 8) -> np.ndarray:
    """Return how much of a label's probability is lost where a gray square covers the photo (Zeiler and Fergus, 2014).

    The square's side is a quarter of the crop's, and its places are evenly spaced from edge to edge.

    Args:
        classifier: the classifier to ask.
        photo: as for ``images.load``.
        label: one of the classifier's labels.
        places: of the square in each direction, 2 or more.

    Returns:
        float32 (places, places), rows from the top, -1 to 1: above 0 where covering costs the label probability.

    Raises:
        InvalidImage: the photo cannot be used.
        ValueError: the classifier has no such label.
    """
    if label not in classifier.config.labels:
        raise ValueError(f"There is no label {label}; there are {', '.join(classifier.config.labels)}.")
    crop = _crop(classifier, photo)
    side = crop.shape[-1] // 4
    corners = [round(at * (crop.shape[-1] - side) / (places - 1)) for at in range(places)]
    crops = [crop]
    for top in corners:
        for left in corners:
            crops.append(crop.clone())
            crops[-1][:, top : top + side, left : left + side] = GRAY
    whole, *others = (classifier.prediction(output).probabilities[label] for output in classifier.outputs_of(crops))
    return np.array([whole - other for other in others], np.float32).reshape(places, places)


def _crop(classifier: FlowerClassifier, photo: images.Source) -> torch.Tensor:
    image = images.load(photo, shorter_side=classifier.shorter_side)
    return images.center_crop(image, classifier.config.preprocessing)


@torch.no_grad()
def _run(classifier: FlowerClassifier, pixels: torch.Tensor) -> list[Inside]:
    """Return what a network makes of crops, uint8 (N, 3, side, side)."""
    network, config = classifier.network, classifier.config
    values = images.normalize(pixels, config.preprocessing)
    found: list[tuple[str, torch.Tensor, int, int, float]] = []
    pooled: dict[str, int] = {}
    name, field, stride, start = "", 1, 1, 0.5
    for index, layer in enumerate(network.features):
        values = layer(values)
        if isinstance(layer, (nn.Conv2d, nn.MaxPool2d)):
            kernel, step, padding = (_first(getattr(layer, it)) for it in ("kernel_size", "stride", "padding"))
            # Araujo, Norris and Sim, 2019: each layer sees what so many places of the one before see.
            start += ((kernel - 1) / 2 - padding) * stride
            field += (kernel - 1) * stride
            stride *= step
        if isinstance(layer, nn.Conv2d):
            name = f"features.{index}"
        elif isinstance(layer, nn.ReLU):
            found.append((name, values.float().cpu(), field, stride, start))
        elif isinstance(layer, nn.MaxPool2d):
            pooled[name] = values.shape[-1]
    features = network.forward_pre_logits(values)
    logits = network.classifier[-1](features).float()
    known = None
    if classifier.in_distribution_head is not None:
        known = torch.sigmoid(classifier.in_distribution_head(features)[:, 0])
    return [
        Inside(
            pixels[photo].permute(1, 2, 0).contiguous().numpy(),
            tuple(
                Layer(name, maps[photo].numpy().copy(), field, stride, start, pooled.get(name))
                for name, maps, field, stride, start in found
            ),
            features[photo].float().cpu().numpy(),
            logits[photo].cpu().numpy(),
            torch.softmax(logits[photo] / config.temperature, dim=0).cpu().numpy(),
            None if known is None else known[photo].item(),
        )
        for photo in range(len(pixels))
    ]


def _first(value: int | tuple[int, ...]) -> int:
    """Return a size of a layer, which is the same in both directions."""
    return value if isinstance(value, int) else value[0]
