"""``config.json`` of a model folder: everything inference needs beside the weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, with_config

LABELS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
"""Labels of flower_photos in the order of the logits; its class folders have the same names."""

MAX_LABELS = 1000
"""Most classes of a model."""

STRICT = ConfigDict(extra="forbid")
"""How ``config.json`` is parsed: unknown fields are errors."""

Value = Annotated[float, Field(ge=0, le=1)]
Deviation = Annotated[float, Field(gt=0, le=1)]


class InvalidModel(ValueError):
    """A model cannot be used; the message says which, why, and what to do."""


class ModelNotFound(InvalidModel):
    """The model, or a file of it, does not exist."""


class InvalidConfig(InvalidModel):
    """``config.json`` is damaged, contradicts itself, or belongs to another network."""


class InvalidWeights(InvalidModel):
    """``model.safetensors`` is damaged, or does not hold this network's tensors."""


@with_config(STRICT)
@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the network's input; a part of ``config.json``.

    Args:
        resize: pixels that the image's shorter side is scaled to.
        crop: height and width in pixels of the square that is then cut from its center.
        mean, std: per channel, for values in 0-1: the mean is subtracted, then the std divided by.
    """

    resize: Annotated[int, Field(ge=63, le=1024)] = 256
    crop: Annotated[int, Field(ge=63, le=1024)] = 224
    mean: tuple[Value, Value, Value] = (0.5, 0.5, 0.5)
    std: tuple[Deviation, Deviation, Deviation] = (0.5, 0.5, 0.5)


@with_config(STRICT)
@dataclass(frozen=True)
class Config:
    """The contents of ``config.json``.

    Args:
        labels: class names in the order of the logits.
        num_classes, batch_norm, dropout: arguments of ``AlexNet``.
        preprocessing: how an image becomes the network's input.
        temperature: the logits are divided by it before the softmax (Guo et al., 2017).
        threshold: lowest probability, 0-1, of showing one of the known classes at which a photo counts as one of them;
            None if the model cannot tell, accepts every photo and needs no ``in_distribution.safetensors``.
        certainty: lowest product of the probability of showing one of the known classes and that of the most probable
            one at which an answer is given without "if"; None if that was not fitted, or the model cannot tell.
        architecture: class of the network.
    """

    labels: Annotated[tuple[str, ...], Field(min_length=2, max_length=MAX_LABELS)] = LABELS
    num_classes: int = len(LABELS)
    batch_norm: bool = False
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    certainty: Annotated[float, Field(ge=0, le=1)] | None = None
    architecture: Literal["AlexNet"] = "AlexNet"
