"""Name the flower in a photo with AlexNet.

>>> from flower_alexnet import FlowerClassifier
>>> prediction = FlowerClassifier.from_pretrained()("photo.jpg")
>>> print(prediction.label, prediction.probability)
"""

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
