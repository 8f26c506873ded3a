"""Name the flower in a photo with AlexNet.

>>> from flower_alexnet import FlowerClassifier
>>> prediction = FlowerClassifier.from_pretrained()("photo.jpg")
>>> print(prediction.label, prediction.probability)
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flower_alexnet.classifier import FlowerClassifier, Prediction
    from flower_alexnet.config import (
        LABELS,
        Config,
        InvalidConfig,
        InvalidModel,
        InvalidWeights,
        ModelNotFound,
        Preprocessing,
    )
    from flower_alexnet.images import (
        EmptyImage,
        ImageTooLarge,
        InvalidImage,
        TruncatedImage,
        UnreadableImage,
    )
    from flower_alexnet.model import AlexNet

__version__ = "1.0.0"

__all__ = [
    "LABELS",
    "AlexNet",
    "Config",
    "EmptyImage",
    "FlowerClassifier",
    "ImageTooLarge",
    "InvalidConfig",
    "InvalidImage",
    "InvalidModel",
    "InvalidWeights",
    "ModelNotFound",
    "Prediction",
    "Preprocessing",
    "TruncatedImage",
    "UnreadableImage",
]

_MODULES = {
    "classifier": ("FlowerClassifier", "Prediction"),
    "config": ("LABELS", "Config", "InvalidConfig", "InvalidModel", "InvalidWeights", "ModelNotFound", "Preprocessing"),
    "images": ("EmptyImage", "ImageTooLarge", "InvalidImage", "TruncatedImage", "UnreadableImage"),
    "model": ("AlexNet",),
}
"""Module -> the names above that it defines. They are imported when first asked for, since torch takes two seconds."""


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
