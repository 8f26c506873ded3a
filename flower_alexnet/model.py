"""AlexNet at half width: the network, and how its weights are written and read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from huggingface_hub import PyTorchModelHubMixin, hf_hub_download
from huggingface_hub.constants import SAFETENSORS_SINGLE_FILE
from huggingface_hub.errors import EntryNotFoundError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

CHANNELS, FEATURE_MAP = 128, 6
"""The last feature map of a 224x224 picture: 128 x 6 x 6 = 4608 features."""

DOWNLOAD_OPTIONS = ("revision", "cache_dir", "force_download", "local_files_only", "token")


class InvalidModel(ValueError):
    """A model cannot be used; the message says which, why, and what to do."""


class ModelNotFound(InvalidModel):
    """There is no such model, or a file of it is missing."""


class InvalidWeights(InvalidModel):
    """``model.safetensors`` is damaged, or does not hold this network's tensors."""


class AlexNet(
    nn.Module,
    PyTorchModelHubMixin,
    library_name="flower_alexnet",
    license="apache-2.0",
    pipeline_tag="image-classification",
    tags=["alexnet", "flowers"],
):
    """AlexNet (Krizhevsky, Sutskever and Hinton, 2012) with half of its channels: 14.6 M parameters.

    Args:
        num_classes: number of logits.
        batch_norm: normalise after each convolution, which then needs no bias of its own.
        dropout: probability with which a feature is dropped before each hidden linear layer.
    """

    def __init__(self, num_classes: int = 5, batch_norm: bool = False, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_convolution(3, 48, kernel_size=11, stride=4, padding=2, batch_norm=batch_norm),
            nn.MaxPool2d(kernel_size=3, stride=2),
            *_convolution(48, 128, kernel_size=5, padding=2, batch_norm=batch_norm),
            nn.MaxPool2d(kernel_size=3, stride=2),
            *_convolution(128, 192, kernel_size=3, padding=1, batch_norm=batch_norm),
            *_convolution(192, 192, kernel_size=3, padding=1, batch_norm=batch_norm),
            *_convolution(192, 128, kernel_size=3, padding=1, batch_norm=batch_norm),
            nn.MaxPool2d(kernel_size=3, stride=2),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout),
            nn.Linear(CHANNELS * FEATURE_MAP * FEATURE_MAP, 2048),
            nn.ReLU(inplace=True),
            nn.Dropout(p=dropout),
            nn.Linear(2048, 2048),
            nn.ReLU(inplace=True),
            nn.Linear(2048, num_classes),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Normalised pictures (N, 3, H, W) -> logits (N, num_classes).

        224x224 is the network's own size. Other sizes, from 63x63 up, are averaged to the same
        6x6 feature map, so that training may begin on small pictures.
        """
        return self.classify(self.features(pictures))

    def classify(self, features: Tensor) -> Tensor:
        """What ``features`` makes of pictures (N, 128, H, W) -> logits (N, num_classes)."""
        if features.shape[-2:] != (FEATURE_MAP, FEATURE_MAP):
            features = F.adaptive_avg_pool2d(features, FEATURE_MAP)
        return self.classifier(features.flatten(1))

    def _save_pretrained(self, save_directory: Path) -> None:
        """Write ``model.safetensors``: floating-point tensors as float16, under their own names."""
        tensors = {
            name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
            for name, tensor in self.state_dict().items()
        }
        save_file(tensors, save_directory / SAFETENSORS_SINGLE_FILE, metadata={"format": "pt"})

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **options: Any) -> AlexNet:
        """Read ``model.safetensors`` and nothing else.

        It stands in for the mixin's own reader, which leaves missing tensors random unless told
        otherwise, unpickles ``pytorch_model.bin`` where there are no safetensors, and prints.

        Raises:
            ModelNotFound: there is no ``model.safetensors``.
            InvalidWeights: the file is damaged or does not hold this network's tensors.
        """
        download_options = {name: options.pop(name) for name in DOWNLOAD_OPTIONS if name in options}
        map_location = options.pop("map_location", "cpu")
        options.pop("strict", None)  # always strict
        if Path(model_id).is_dir():
            file = Path(model_id) / SAFETENSORS_SINGLE_FILE
        else:
            try:
                file = Path(hf_hub_download(model_id, SAFETENSORS_SINGLE_FILE, **download_options))
            except EntryNotFoundError as error:
                raise ModelNotFound(
                    f"{model_id} on the Hub has no {SAFETENSORS_SINGLE_FILE}. "
                    "Weights in another format are not read: a pickle can run any program."
                ) from error
        with torch.device("meta"):  # shapes alone: no memory taken, no random numbers drawn
            network = cls(**options)
        network.load_state_dict(_read_weights(file, network), strict=True, assign=True)
        return network.to(map_location).eval()


def _convolution(
    channels_in: int, channels_out: int, kernel_size: int, stride: int = 1, padding: int = 0, *, batch_norm: bool
) -> list[nn.Module]:
    convolution = nn.Conv2d(channels_in, channels_out, kernel_size, stride, padding, bias=not batch_norm)
    normalisation = [nn.BatchNorm2d(channels_out)] if batch_norm else []
    return [convolution, *normalisation, nn.ReLU(inplace=True)]


def _read_weights(file: Path, network: AlexNet) -> dict[str, Tensor]:
    """The file's tensors, floating-point ones as float32, checked against the network's."""
    if not file.is_file():
        raise ModelNotFound(f"There is no {file.name} in {file.parent}. Copy the whole model folder, or train a model.")
    again = "Copy or download the file again, or train the model again."
    try:
        tensors = load_file(file)
    except (SafetensorError, OSError) as error:
        raise InvalidWeights(f"{file} is damaged and cannot be read ({error}). {again}") from error

    expected = network.state_dict()
    if missing := expected.keys() - tensors.keys():
        raise InvalidWeights(f"{file} lacks {_some(missing)}. {again}")
    if unknown := tensors.keys() - expected.keys():
        raise InvalidWeights(f"{file} holds {_some(unknown)}, which this network does not have. {again}")
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise InvalidWeights(
                f"{file}: {name} has the shape {tuple(tensor.shape)} where the network of its config.json "
                f"has {tuple(expected[name].shape)}. {again}"
            )
        if tensor.is_floating_point() != expected[name].is_floating_point():
            raise InvalidWeights(f"{file}: {name} is of type {tensor.dtype}, not {expected[name].dtype}. {again}")
        if not torch.isfinite(tensor).all():
            raise InvalidWeights(f"{file}: {name} holds values that are not finite numbers. {again}")
    return {name: tensor.to(expected[name].dtype) for name, tensor in tensors.items()}


def _some(names: set[str], most: int = 3) -> str:
    listed = ", ".join(sorted(names)[:most])
    return listed if len(names) <= most else f"{listed} and {len(names) - most} more tensors"
