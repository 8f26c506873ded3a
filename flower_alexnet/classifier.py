"""FlowerClassifier: weights and configuration turn photos into predictions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import NamedTuple, overload

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from flower_alexnet import images, registry
from flower_alexnet.config import Config, InvalidConfig, InvalidWeights, ModelNotFound, read_config
from flower_alexnet.hub import FEATURE_BANK
from flower_alexnet.inference import CPU, FORWARD_THREAD, SharedPass, prepare
from flower_alexnet.model import CHANNELS, AlexNet, load_network

BATCH_SIZE = 32
"""Photos classified together."""

MICRO_BATCH_SIZE = 32
"""Crops in one call of the network: with 128, each takes a third longer, because they outgrow the caches."""

NEIGHBOR = 10
"""The nearest entry of the feature bank that the in-distribution score is taken from, counted from 1."""

OVERSAMPLING = 1.4
"""How much larger than needed a JPEG is decoded at least. On validation photos enlarged four and eight times, accuracy
was the same from 1 to 2; 1.4 lets a photo of 3000 pixels be decoded at an eighth of its size."""


@dataclass(frozen=True)
class Prediction:
    """The result of classifying one photo.

    Args:
        probabilities: label -> probability, 0-1, given that the photo shows one of the known classes; they sum to 1.
        in_distribution: whether the photo looks like those the network was trained on. If not, the probabilities
            mean little.
    """

    probabilities: dict[str, float]
    in_distribution: bool = True

    @property
    def label(self) -> str:
        """Return the most probable label."""
        return self.top(1)[0][0]

    @property
    def probability(self) -> float:
        """Return the probability of the most probable label, 0-1."""
        return self.top(1)[0][1]

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """Return the top-k labels with their probabilities, best first."""
        return sorted(self.probabilities.items(), key=lambda item: -item[1])[:k]


class Output(NamedTuple):
    """What the network computes for one photo, averaged over its crops.

    Args:
        logits: before temperature and softmax, float32 (num_classes,).
        features: the last feature map averaged over its area, float32 (128,).
        in_distribution: whether these features look like those of training photos, bool ().
    """

    logits: Tensor
    features: Tensor
    in_distribution: Tensor


class FlowerClassifier:
    """Classify photos with a trained network.

    Args:
        network: the trained network.
        config: labels, preprocessing, temperature and threshold.
        feature_bank: features of training photos, float32 (N, 128); required if the config has a threshold.
        device: where the network computes, such as "cuda"; the CPU if not given.

    It may be used by many threads at the same time and in processes made by ``fork``; it can be pickled and copied.

    >>> classifier = FlowerClassifier.from_pretrained("alexnet-bn")
    >>> classifier("photo.jpg").label
    'daisy'

    Raises:
        InvalidConfig: the config has a threshold, but there is no feature bank.
        ValueError: there is no such device.
    """

    def __init__(
        self,
        network: AlexNet,
        config: Config,
        feature_bank: Tensor | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        if config.threshold is not None and feature_bank is None:
            raise InvalidConfig("A threshold needs a feature bank: features of photos the network was trained on.")
        self.network = network.eval()
        self.config = config
        self.device = find_device(device)
        self._source: Path | None = None
        self.feature_bank = None if feature_bank is None else F.normalize(feature_bank, dim=1)

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path | None = None,
        revision: str | None = None,
        device: str | torch.device | None = None,
    ) -> FlowerClassifier:
        """Load a shipped model, a model folder, or a model repository of the Hugging Face Hub.

        Args:
            name: name of a shipped model, path of a folder, or id of a repository such as ``"user/flowers"``, with
                ``@`` and a revision if need be. The best shipped model if not given.
            revision: branch, tag or commit of the repository; its main branch if not given.
            device: where the network computes, such as "cuda"; the CPU if not given.

        Raises:
            ModelNotFound: the model, or a file of it, does not exist.
            InvalidConfig, InvalidWeights: a file is damaged or does not fit the other one.
            ValueError: there is no such device.
        """
        folder = registry.find(name, revision)
        return FORWARD_THREAD.submit(cls._from_folder, folder, device).result()

    @classmethod
    def _from_folder(cls, folder: Path, device: str | torch.device | None = None) -> FlowerClassifier:
        config = read_config(folder)
        feature_bank = None if config.threshold is None else read_feature_bank(folder)
        classifier = cls(load_network(folder, config), config, feature_bank, device)
        classifier._source = folder.resolve()
        return classifier

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle a classifier that was loaded from a folder by the folder's path, any other by its parts."""
        if self._source is not None:
            return type(self).from_pretrained, (self._source, None, self.device)
        return type(self), (self.network, self.config, self.feature_bank, self.device)

    def __deepcopy__(self, memo: dict[int, object]) -> FlowerClassifier:
        """Copy the network; configuration and feature bank are never changed and are shared."""
        copy = type(self)(deepcopy(self.network, memo), self.config, self.feature_bank, self.device)
        copy._source = self._source
        return copy

    @overload
    def __call__(self, photos: images.Source) -> Prediction: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, photos: Sequence[images.Source]) -> list[Prediction]: ...

    def __call__(self, photos: images.Source | Sequence[images.Source]) -> Prediction | list[Prediction]:
        """Classify one photo, or a list of them.

        Raises:
            InvalidImage: a photo cannot be used.
        """
        if isinstance(photos, (list, tuple)):
            return list(self.stream(photos))
        return next(self.stream([photos]))  # type: ignore[list-item]

    def stream(self, photos: Iterable[images.Source]) -> Iterator[Prediction]:
        """Classify any number of photos, ``BATCH_SIZE`` at a time, in constant memory."""
        for output in self.outputs(photos):
            # In float64, so that the probabilities sum to 1 to the precision of a float.
            probabilities = torch.softmax(output.logits.double() / self.config.temperature, dim=0)
            yield Prediction(
                dict(zip(self.config.labels, probabilities.tolist(), strict=True)), bool(output.in_distribution)
            )

    @property
    def shorter_side(self) -> int:
        """Return the pixels of a photo's shorter side that suffice: ``OVERSAMPLING`` times what the crops need."""
        preprocessing = self.config.preprocessing
        return round(OVERSAMPLING * preprocessing.resize * max(1, *(view.zoom for view in preprocessing.views)))

    def outputs(self, photos: Iterable[images.Source]) -> Iterator[Output]:
        """Yield the network's output for each photo. Threads that call this at the same time share forward passes."""
        remaining = iter(photos)
        # Photos are cropped one by one, so that no more than one is in memory at its full size.
        while crops := [self._crops(photo) for photo in islice(remaining, BATCH_SIZE)]:
            yield from self._pass(crops)

    def _crops(self, photo: images.Source) -> Tensor:
        return images.crop_views(images.load(photo, shorter_side=self.shorter_side), self.config.preprocessing)

    @cached_property
    def _pass(self) -> SharedPass[Tensor, Output]:
        network = FORWARD_THREAD.submit(prepare, self.network, self.device).result()

        @torch.inference_mode()
        def run(crops: list[Tensor]) -> list[Output]:
            """Map the crops of N photos, uint8 (views, 3, H, W) each, to N outputs."""
            logits: list[Tensor] = []
            features: list[Tensor] = []
            for pixels in torch.cat(crops).split(MICRO_BATCH_SIZE):
                normalized = images.normalize(pixels.to(self.device), self.config.preprocessing)
                feature_maps = network.features(normalized)
                logits += network.classify(feature_maps).cpu()
                features += feature_maps.mean((2, 3)).cpu()
            mean_logits, mean_features = (
                torch.stack(views).unflatten(0, (len(crops), -1)).mean(1) for views in (logits, features)
            )
            return list(map(Output, mean_logits, mean_features, self._in_distribution(mean_features)))

        return SharedPass(run, BATCH_SIZE)

    def _in_distribution(self, features: Tensor) -> Tensor:
        if self.config.threshold is None or self.feature_bank is None:
            return torch.ones(len(features), dtype=torch.bool)
        return in_distribution_score(features, self.feature_bank) >= self.config.threshold


def load_classifier(name: str | None = None, device: str | None = None) -> FlowerClassifier:
    """Load a model as ``FlowerClassifier.from_pretrained`` does and warm it up; later calls return the same classifier.

    Raises:
        InvalidModel: it cannot be loaded; the message says why.
        ValueError: there is no such device.
    """
    with LOADING[name, device]:
        return _load_classifier(name, device)


LOADING: defaultdict[tuple[str | None, str | None], Lock] = defaultdict(Lock)
"""Held while a model is loaded, so that threads that ask for it at the same time load it once."""


@cache
def _load_classifier(name: str | None, device: str | None) -> FlowerClassifier:
    classifier = FlowerClassifier.from_pretrained(name, device=device)
    crop = classifier.config.preprocessing.crop
    classifier(np.zeros((crop, crop, 3), dtype=np.uint8))  # the first pass takes longer: memory, choice of kernels
    return classifier


def find_device(name: str | torch.device | None) -> torch.device:
    """Return the device of a name; the CPU for None.

    Raises:
        ValueError: there is no such device.
    """
    if name is None:
        return CPU
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"There is no device {name} here ({reason}). Leave it out to compute on the CPU.") from error
    return device


def in_distribution_score(features: Tensor, feature_bank: Tensor) -> Tensor:
    """Return one score a photo, float32 (N,), in -1 to 1: high for photos like those the network was trained on.

    It is the cosine similarity to the ``NEIGHBOR``-th nearest entry of the feature bank (Sun et al., 2022);
    train/README.md compares it with scores made from logits.

    Args:
        features: of the photos, float32 (N, 128).
        feature_bank: of training photos, float32 (M, 128), each of length 1.
    """
    similarities = F.normalize(features, dim=1) @ feature_bank.T
    return similarities.topk(min(NEIGHBOR, len(feature_bank)), dim=1).values[:, -1]


def read_feature_bank(folder: Path) -> Tensor:
    """Read and check a model folder's ``references.safetensors``; return float32 (N, 128).

    Raises:
        ModelNotFound: the file is missing.
        InvalidWeights: it is damaged, or holds something else.
    """
    file = folder / FEATURE_BANK
    if not file.is_file():
        raise ModelNotFound(f"There is no {FEATURE_BANK} in {folder}. Copy the whole model folder, or train a model.")
    try:
        features = load_file(file)["features"].float()
    except (SafetensorError, OSError, KeyError) as error:
        raise InvalidWeights(f"{file} is damaged and cannot be read ({error}). Copy or download it again.") from error
    if features.ndim != 2 or features.shape[1] != CHANNELS or not len(features) or not torch.isfinite(features).all():
        raise InvalidWeights(
            f"{file} does not hold finite features of shape (N, {CHANNELS}). Copy or download it again."
        )
    return features
