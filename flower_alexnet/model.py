"""AlexNet at half width, and how its weights are written and read."""

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
"""Shape of the last feature map of a 224x224 image: 128 x 6 x 6 = 4608 features."""

FEATURE_BANK = "references.safetensors"
"""File of a model folder with features of training photos."""

DOWNLOAD_OPTIONS = ("revision", "cache_dir", "force_download", "local_files_only", "token")


class InvalidModel(ValueError):
    """A model cannot be used; the message says which, why, and what to do."""


class ModelNotFound(InvalidModel):
    """The model, or a file of it, does not exist."""


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
        batch_norm: normalize after each convolution, which then needs no bias of its own.
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

    def forward(self, images: Tensor) -> Tensor:
        """Map normalized images (N, 3, H, W) to logits (N, num_classes).

        The network is made for 224x224. The feature maps of other sizes, from 63x63 up, are average-pooled to the
        same 6x6, so that training may begin on small images.
        """
        return self.classify(self.features(images))

    def classify(self, feature_maps: Tensor) -> Tensor:
        """Map the output of ``features`` (N, 128, H, W) to logits (N, num_classes)."""
        if feature_maps.shape[-2:] != (FEATURE_MAP, FEATURE_MAP):
            feature_maps = F.adaptive_avg_pool2d(feature_maps, FEATURE_MAP)
        return self.classifier(feature_maps.flatten(1))

    def _save_pretrained(self, save_directory: Path) -> None:
        """Write ``model.safetensors``: floating-point tensors as float16, named as in the state dict."""
        tensors = {
            name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
            for name, tensor in self.state_dict().items()
        }
        save_file(tensors, save_directory / SAFETENSORS_SINGLE_FILE, metadata={"format": "pt"})

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **options: Any) -> AlexNet:
        """Read ``model.safetensors`` and nothing else.

        It replaces the mixin's reader, which by default leaves missing tensors random, unpickles
        ``pytorch_model.bin`` if there are no safetensors, and prints.

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
        with torch.device("meta"):  # shapes only: no memory, no random numbers
            network = cls(**options)
        network.load_state_dict(_read_weights(file, network), strict=True, assign=True)
        return network.to(map_location).eval()


def _convolution(
    channels_in: int, channels_out: int, kernel_size: int, stride: int = 1, padding: int = 0, *, batch_norm: bool
) -> list[nn.Module]:
    conv = nn.Conv2d(channels_in, channels_out, kernel_size, stride, padding, bias=not batch_norm)
    normalization = [nn.BatchNorm2d(channels_out)] if batch_norm else []
    return [conv, *normalization, nn.ReLU(inplace=True)]


def _read_weights(file: Path, network: AlexNet) -> dict[str, Tensor]:
    """Read the tensors, floating-point ones as float32, and check them against the network's."""
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


def _some(names: set[str], limit: int = 3) -> str:
    listed = ", ".join(sorted(names)[:limit])
    return listed if len(names) <= limit else f"{listed} and {len(names) - limit} more tensors"
