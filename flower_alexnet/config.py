"""``config.json`` of a model folder: everything inference needs beside the weights."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from huggingface_hub.constants import CONFIG_NAME
from pydantic import Field, TypeAdapter, ValidationError, with_config

from flower_alexnet.images import STRICT, Preprocessing

LABELS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
"""Labels of flower_photos in the order of the logits; its class folders have the same names."""

ENGLISH_NAMES = {"roses": "rose", "sunflowers": "sunflower", "tulips": "tulip"}
"""Labels that are not the name of one such flower, and that name."""


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
class Config:
    """The contents of ``config.json``.

    Args:
        labels: class names in the order of the logits.
        num_classes, batch_norm, dropout: arguments of ``AlexNet``.
        preprocessing: how an image becomes the network's input.
        temperature: the logits are divided by it before the softmax (Guo et al., 2017).
        threshold: lowest probability, 0-1, of showing one of the known classes at which a photo counts as one of them;
            None if the model cannot tell, accepts every photo and needs no ``in_distribution.safetensors``.
        architecture: class of the network.
    """

    labels: Annotated[tuple[str, ...], Field(min_length=2, max_length=1000)] = LABELS
    num_classes: int = len(LABELS)
    batch_norm: bool = False
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    architecture: Literal["AlexNet"] = "AlexNet"


def english_name(label: str) -> str:
    """Return the English name of one flower of a class: "roses" -> "rose"; other labels are returned as they are."""
    return ENGLISH_NAMES.get(label, label)


def read_config(folder: Path) -> Config:
    """Read and check a model folder's ``config.json``. Types are strict; unknown and missing fields are errors.

    Raises:
        ModelNotFound: the file is missing.
        InvalidConfig: it is damaged, contradicts itself, or belongs to another network.
    """
    file = folder / CONFIG_NAME
    try:
        text = file.read_bytes().decode("utf-8-sig")
        config = TypeAdapter(Config).validate_json(text, strict=True)
    except FileNotFoundError as error:
        raise ModelNotFound(
            f"There is no {CONFIG_NAME} in {folder}. Copy the whole model folder, or train a model."
        ) from error
    except OSError as error:
        raise InvalidConfig(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidConfig(f"{file} is not a text in UTF-8. Copy or download it again.") from error
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'the file'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise InvalidConfig(f"{file} is not a configuration of this network ({problems}).") from error
    if missing := _missing_fields(json.loads(text)):
        raise InvalidConfig(f"{file} lacks {', '.join(missing)}. Copy or download it again.")
    if len(config.labels) != config.num_classes or len(set(config.labels)) != len(config.labels):
        raise InvalidConfig(
            f"{file}: {len(set(config.labels))} different labels do not go with num_classes {config.num_classes}."
        )
    if config.preprocessing.crop > config.preprocessing.resize:
        raise InvalidConfig(f"{file}: preprocessing.crop is larger than preprocessing.resize.")
    return config


def _missing_fields(content: dict[str, Any]) -> list[str]:
    preprocessing = content.get("preprocessing", {})
    return [
        *(it.name for it in fields(Config) if it.name not in content),
        *(f"preprocessing.{it.name}" for it in fields(Preprocessing) if preprocessing and it.name not in preprocessing),
    ]
