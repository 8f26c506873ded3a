"""``config.json`` of a model folder: everything inference needs beside the weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from huggingface_hub.constants import CONFIG_NAME
from pydantic import Field, TypeAdapter, ValidationError

from flower_alexnet.images import Preprocessing
from flower_alexnet.model import InvalidModel, ModelNotFound

LABELS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
"""Labels of flower_photos in the order of the logits; its class folders have the same names."""

ENGLISH_NAMES = {"roses": "rose", "sunflowers": "sunflower", "tulips": "tulip"}
"""Labels that are not the name of one such flower, and that name."""


class InvalidConfig(InvalidModel):
    """``config.json`` is damaged, contradicts itself, or belongs to another network."""


@dataclass(frozen=True)
class Config:
    """The contents of ``config.json``.

    Args:
        labels: class names in the order of the logits.
        num_classes, batch_norm, dropout: arguments of ``AlexNet``.
        preprocessing: how an image becomes the network's input.
        temperature: the logits are divided by it before the softmax (Guo et al., 2017).
        threshold: lowest ``in_distribution_score`` of a photo that counts as one of the known classes; None accepts
            every photo and needs no ``references.safetensors``.
        architecture: class of the network.
    """

    labels: Annotated[tuple[str, ...], Field(min_length=1, max_length=1000)] = LABELS
    num_classes: int = len(LABELS)
    batch_norm: bool = False
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None
    architecture: Literal["AlexNet"] = "AlexNet"


def english_name(label: str) -> str:
    """Return the English name of one flower of a class: "roses" -> "rose"; other labels are returned as they are."""
    return ENGLISH_NAMES.get(label, label)


def read_config(folder: Path) -> Config:
    """Read and check a model folder's ``config.json``.

    Raises:
        ModelNotFound: the file is missing.
        InvalidConfig: it is damaged, contradicts itself, or belongs to another network.
    """
    file = folder / CONFIG_NAME
    try:
        config = TypeAdapter(Config).validate_json(file.read_bytes())
    except FileNotFoundError as error:
        raise ModelNotFound(
            f"There is no {CONFIG_NAME} in {folder}. Copy the whole model folder, or train a model."
        ) from error
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'the file'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise InvalidConfig(f"{file} is not a configuration of this network ({problems}).") from error
    if len(config.labels) != config.num_classes or len(set(config.labels)) != len(config.labels):
        raise InvalidConfig(
            f"{file}: {len(set(config.labels))} different labels do not go with num_classes {config.num_classes}."
        )
    if config.preprocessing.crop > config.preprocessing.resize:
        raise InvalidConfig(f"{file}: preprocessing.crop is larger than preprocessing.resize.")
    return config
