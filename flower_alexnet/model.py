"""AlexNet at half width, and how its weights are written and read."""

from __future__ import annotations

from pathlib import Path

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn
from torch.nn import functional as F

from flower_alexnet import hub, model_folder
from flower_alexnet.config import Config

CHANNELS, FEATURE_MAP = 128, 6
"""Shape of the last feature map of a 224x224 image: 128 x 6 x 6 = 4608 features."""

HIDDEN = 2048
"""Features before the last layer."""


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
            nn.Linear(CHANNELS * FEATURE_MAP * FEATURE_MAP, HIDDEN),
            nn.ReLU(inplace=True),
            nn.Dropout(p=dropout),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(inplace=True),
            nn.Linear(HIDDEN, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map normalized images (N, 3, H, W) to logits (N, num_classes).

        The network is made for 224x224. The feature maps of other sizes, from 63x63 up, are average-pooled to the
        same 6x6, so that training may begin on small images.
        """
        return self.forward_head(self.features(images))

    def forward_head(self, feature_maps: Tensor) -> Tensor:
        """Map the output of ``features`` (N, 128, H, W) to logits (N, num_classes)."""
        return self.classifier[-1](self.forward_pre_logits(feature_maps))

    def forward_pre_logits(self, feature_maps: Tensor) -> Tensor:
        """Map the output of ``features`` (N, 128, H, W) to the features before the last layer, (N, 2048), 0 or more."""
        if feature_maps.shape[-2:] != (FEATURE_MAP, FEATURE_MAP):
            feature_maps = F.adaptive_avg_pool2d(feature_maps, FEATURE_MAP)
        hidden = feature_maps.flatten(1)
        for layer in list(self.classifier)[:-1]:
            hidden = layer(hidden)
        return hidden

    def _save_pretrained(self, save_directory: Path) -> None:
        """Write ``model.safetensors``: floating-point tensors as float16, named as in the state dict."""
        tensors = {
            name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in self.state_dict().items()
        }
        model_folder.write_tensors(tensors, save_directory / model_folder.WEIGHTS)

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls, name: str | Path, *, revision: str | None = None, map_location: str = "cpu"
    ) -> AlexNet:
        """Load the network of a model folder, or of a model repository of the Hub, in evaluation mode.

        It replaces the mixin's loader, which by default leaves missing tensors random, unpickles
        ``pytorch_model.bin`` if there are no safetensors, and prints.

        Args:
            name: path of a folder, or id of a repository; a shipped model's name is for ``FlowerClassifier``.
            revision: branch, tag or commit of the repository; its main branch if not given.
            map_location: device for the weights.

        Raises:
            ModelNotFound: the folder or repository, or a file of it, does not exist.
            InvalidConfig: ``config.json`` is damaged, or belongs to another network.
            InvalidWeights: ``model.safetensors`` is damaged, or does not hold this network's tensors.
        """
        folder = Path(name) if Path(name).is_dir() else hub.download(str(name), revision)
        return load_network(folder, model_folder.read_config(folder)).to(map_location)


class NetworkWithHead(nn.Module):
    """A network and its in-distribution head, which both read the features before the network's last layer.

    Args:
        network: the network.
        head: linear layer from 2048 features to one logit; None for a network alone.
    """

    def __init__(self, network: AlexNet, head: nn.Linear | None) -> None:
        super().__init__()
        self.network = network
        self.head = head

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Map normalized images (N, 3, H, W) to logits (N, num_classes) and in-distribution logits (N,)."""
        hidden = self.network.forward_pre_logits(self.network.features(images))
        known = None if self.head is None else self.head(hidden).squeeze(1)
        return self.network.classifier[-1](hidden), known


def load_network(folder: Path, config: Config) -> AlexNet:
    """Load a model folder's ``model.safetensors`` into the network of its configuration, in evaluation mode.

    Raises:
        ModelNotFound: the file is missing.
        InvalidWeights: it is damaged, or does not hold this network's tensors.
    """
    network = _empty_network(config)
    tensors = model_folder.read_tensors(folder / model_folder.WEIGHTS, network)
    network.load_state_dict(tensors, strict=True, assign=True)
    return network.eval()


def load_in_distribution_head(folder: Path) -> nn.Linear:
    """Load a model folder's ``in_distribution.safetensors``: a linear layer that maps ``AlexNet.forward_pre_logits``,
    (N, 2048), to the logit, (N, 1), of the probability that a photo shows one of the known classes.

    Raises:
        ModelNotFound: the file is missing.
        InvalidWeights: it is damaged, or holds something else.
    """
    head = nn.Linear(HIDDEN, 1)
    head.load_state_dict(model_folder.read_tensors(folder / model_folder.HEAD, head), strict=True)
    return head.eval().requires_grad_(False)


def check_weights(folder: Path, config: Config) -> None:
    """Check names, shapes and types of the tensors in a model folder's ``model.safetensors`` without reading them.

    Raises:
        ModelNotFound: the file is missing.
        InvalidWeights: it is damaged, or does not hold this network's tensors.
    """
    model_folder.check_tensors(folder / model_folder.WEIGHTS, _empty_network(config))


def _empty_network(config: Config) -> AlexNet:
    with torch.device("meta"):  # shapes only: no memory, no random numbers
        return AlexNet(config.num_classes, config.batch_norm, config.dropout)


def _convolution(
    channels_in: int, channels_out: int, kernel_size: int, stride: int = 1, padding: int = 0, *, batch_norm: bool
) -> list[nn.Module]:
    conv = nn.Conv2d(channels_in, channels_out, kernel_size, stride, padding, bias=not batch_norm)
    normalization = [nn.BatchNorm2d(channels_out)] if batch_norm else []
    return [conv, *normalization, nn.ReLU(inplace=True)]
