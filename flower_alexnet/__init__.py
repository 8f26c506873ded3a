"""Names the flower in a photo with AlexNet.

>>> from flower_alexnet import FlowerClassifier
>>> prediction = FlowerClassifier.from_pretrained("weights/alexnet-seed")("photo.jpg")
>>> print(prediction.label, prediction.probability)
"""

from flower_alexnet import torchvision_operators

torchvision_operators.declare_missing()  # before anything imports torchvision

from flower_alexnet.classifier import Config, FlowerClassifier, InvalidConfig, Prediction
from flower_alexnet.images import (
    EmptyImage,
    ImageTooLarge,
    InvalidImage,
    Preprocessing,
    TruncatedImage,
    UnreadableImage,
    View,
)
from flower_alexnet.labels import LABELS
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
