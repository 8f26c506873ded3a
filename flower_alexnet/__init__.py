"""Name the flower in a photo with AlexNet.

>>> from flower_alexnet import FlowerClassifier
>>> prediction = FlowerClassifier.from_pretrained("weights/alexnet-bn")("photo.jpg")
>>> print(prediction.label, prediction.probability)
"""

from flower_alexnet.classifier import FlowerClassifier, Prediction
from flower_alexnet.config import LABELS, Config, InvalidConfig
from flower_alexnet.images import (
    EmptyImage,
    ImageTooLarge,
    InvalidImage,
    Preprocessing,
    TruncatedImage,
    UnreadableImage,
    View,
)
from flower_alexnet.model import AlexNet, InvalidModel, InvalidWeights, ModelNotFound

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
    "View",
]
