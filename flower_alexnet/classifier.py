"""FlowerClassifier: weights, labels and preprocessing together turn photos into predictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, overload

import httpx2
import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.constants import CONFIG_NAME, SAFETENSORS_SINGLE_FILE
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from pydantic import Field, TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from flower_alexnet import images
from flower_alexnet.images import Preprocessing
from flower_alexnet.inference import FORWARD, SharedPass, prepare
from flower_alexnet.labels import LABELS, flower_name
from flower_alexnet.model import CHANNELS, AlexNet, InvalidModel, InvalidWeights, ModelNotFound
from flower_alexnet.translations import percent, translate

BATCH = 32
"""Photos answered together."""

PICTURES = 32
"""Views of photos that the network computes at once: of 128 each takes a third longer, as they outgrow the caches."""

REFERENCES = "references.safetensors"
"""The file of a model folder with features of photos that the network was trained on."""

NEIGHBOURS = 10
"""Which of the nearest references a picture's score is taken from."""

OVERSAMPLING = 1.4
"""How much larger than needed a JPEG file is decoded at least. On validation photos enlarged four and eight times,
accuracy was the same from 1 to 2; 1.4 lets a photo of 3000 pixels be decoded at an eighth of its size."""

SURE = 0.5
"""Probability from which on an answer is given without reserve."""


class InvalidConfig(InvalidModel):
    """``config.json`` is damaged, contradicts itself, or is of another network."""


@dataclass(frozen=True)
class Config:
    """``config.json``: everything inference needs beside the weights.

    Args:
        labels: class names in the order of the logits.
        num_classes, batch_norm, dropout: arguments of ``AlexNet``.
        preprocessing: how a photo becomes the network's input.
        temperature: the logits are divided by it before the softmax (Guo et al., 2017).
        threshold: lowest ``in_distribution_score`` of a picture taken for one of the flowers; None takes every picture,
            and needs no ``references.safetensors``.
        architecture: the network's class.
    """

    labels: Annotated[tuple[str, ...], Field(min_length=1, max_length=1000)] = LABELS
    num_classes: int = len(LABELS)
    batch_norm: bool = False
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = None
    architecture: Literal["AlexNet"] = "AlexNet"


@dataclass(frozen=True)
class Prediction:
    """What a network makes of one photo.

    Args:
        probabilities: label -> its probability, 0-1, if the photo shows one of the flowers; together 1.
        in_distribution: whether the photo looks like the flowers the network was trained on. Where it does not,
            the probabilities mean little.
    """

    probabilities: dict[str, float]
    in_distribution: bool = True

    @property
    def label(self) -> str:
        """The most probable label."""
        return self.top(1)[0][0]

    @property
    def probability(self) -> float:
        """The probability of the most probable label, 0-1."""
        return self.top(1)[0][1]

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """The k most probable labels with their probabilities, best first."""
        return sorted(self.probabilities.items(), key=lambda item: -item[1])[:k]

    def in_words(self, language: str = "en") -> str:
        """The answer as a person would give it, in one of ``translations.LANGUAGES``."""
        if not self.in_distribution:
            return translate("none_of_them", language)
        answer = "sure" if self.probability >= SURE else "not_sure"
        name = flower_name(self.label, language)
        words = translate(answer, language, flower=name, probability=percent(self.probability))
        return words[0].upper() + words[1:]


class Output(NamedTuple):
    """What a network says of one photo, averaged over its views.

    Args:
        logits: before temperature and softmax, float32 (num_classes,).
        features: the last feature map averaged over its area, float32 (128,).
        in_distribution: whether a photo with these features looks like those the network was trained on, bool ().
    """

    logits: Tensor
    features: Tensor
    in_distribution: Tensor


class FlowerClassifier:
    """Names the flower in photos.

    Args:
        network: the trained network.
        config: how it is used.
        references: features of photos it was trained on, float32 (N, 128); needed if the config has a threshold.

    >>> classifier = FlowerClassifier.from_pretrained("weights/alexnet-seed")
    >>> classifier("photo.jpg").label
    'daisy'
    """

    def __init__(self, network: AlexNet, config: Config, references: Tensor | None = None) -> None:
        if config.threshold is not None and references is None:
            raise InvalidConfig("A threshold needs references: features of photos that the network was trained on.")
        self.network = network.eval()
        self.config = config
        self.references = None if references is None else F.normalize(references, dim=1)

    @classmethod
    def from_pretrained(cls, name: str | Path, revision: str | None = None) -> FlowerClassifier:
        """Load a model folder, or a model repository of the Hugging Face Hub.

        Args:
            name: path of a folder, or id of a repository such as ``"user/flower-alexnet"``.
            revision: branch, tag or commit of the repository; its main branch if not given.

        Raises:
            ModelNotFound: there is no such folder or repository, or a file of it is missing.
            InvalidConfig, InvalidWeights: a file is damaged or does not fit the other one.
        """
        folder = Path(name) if Path(name).is_dir() else _download(str(name), revision)
        return FORWARD.submit(cls._from_folder, folder).result()

    @classmethod
    def _from_folder(cls, folder: Path) -> FlowerClassifier:
        config = read_config(folder)
        references = None if config.threshold is None else read_references(folder)
        return cls(AlexNet.from_pretrained(folder), config, references)

    @overload
    def __call__(self, photos: images.Source) -> Prediction: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, photos: Sequence[images.Source]) -> list[Prediction]: ...

    def __call__(self, photos: images.Source | Sequence[images.Source]) -> Prediction | list[Prediction]:
        """Classify a photo, or a list of them.

        Raises:
            InvalidImage: a photo cannot be used.
        """
        if isinstance(photos, (list, tuple)):
            return list(self.stream(photos))
        return next(self.stream([photos]))  # type: ignore[list-item]

    def stream(self, photos: Iterable[images.Source]) -> Iterator[Prediction]:
        """Classify any number of photos, ``BATCH`` at a time, in constant memory."""
        for output in self.outputs(photos):
            # In float64, so that the probabilities sum to 1 as far as a float can tell.
            probabilities = torch.softmax(output.logits.double() / self.config.temperature, dim=0)
            yield Prediction(
                dict(zip(self.config.labels, probabilities.tolist(), strict=True)), bool(output.in_distribution)
            )

    @property
    def shorter_side(self) -> int:
        """Pixels of a photo's shorter side that are enough: ``OVERSAMPLING`` times what views are made of."""
        preprocessing = self.config.preprocessing
        return round(OVERSAMPLING * preprocessing.resize * max(1, *(view.zoom for view in preprocessing.views)))

    def outputs(self, photos: Iterable[images.Source]) -> Iterator[Output]:
        """What the network says of each photo. Threads that ask at the same time share forward passes."""
        remaining = iter(photos)
        # Photos are cut into squares one by one, so that no more than one is in memory at its full size.
        while batch := [self._squares(photo) for photo in islice(remaining, BATCH)]:
            yield from self._pass(batch)

    def _squares(self, photo: images.Source) -> Tensor:
        return images.squares(images.load(photo, shorter_side=self.shorter_side), self.config.preprocessing)

    @cached_property
    def _pass(self) -> SharedPass[Tensor, Output]:
        network = FORWARD.submit(prepare, self.network).result()

        @torch.inference_mode()
        def run(squares: list[Tensor]) -> list[Output]:
            """The squares of N photos, uint8 (views, 3, H, W) each -> what the network says of each of N photos."""
            logits: list[Tensor] = []
            features: list[Tensor] = []
            for pixels in torch.cat(squares).split(PICTURES):
                maps = network.features(images.normalise(pixels, self.config.preprocessing))
                logits += network.classify(maps)
                features += maps.mean((2, 3))
            mean_logits, mean_features = (
                torch.stack(views).unflatten(0, (len(squares), -1)).mean(1) for views in (logits, features)
            )
            return list(map(Output, mean_logits, mean_features, self._in_distribution(mean_features)))

        return SharedPass(run, BATCH)

    def _in_distribution(self, features: Tensor) -> Tensor:
        if self.config.threshold is None or self.references is None:
            return torch.ones(len(features), dtype=torch.bool)
        return in_distribution_score(features, self.references) >= self.config.threshold


def in_distribution_score(features: Tensor, references: Tensor) -> Tensor:
    """Features (N, 128) and those of photos trained on (M, 128), of length 1 -> (N,), high for pictures like them.

    The cosine similarity to the ``NEIGHBOURS``-th nearest reference (Sun et al., 2022). train/README.md compares it
    with scores made of logits.
    """
    similarities = F.normalize(features, dim=1) @ references.T
    return similarities.topk(min(NEIGHBOURS, len(references)), dim=1).values[:, -1]


def read_config(folder: Path) -> Config:
    """A model folder's ``config.json``, checked.

    Raises:
        ModelNotFound: there is none.
        InvalidConfig: it is damaged, contradicts itself, or is of another network.
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


def read_references(folder: Path) -> Tensor:
    """A model folder's ``references.safetensors``, checked -> float32 (N, 128).

    Raises:
        ModelNotFound: there is none.
        InvalidWeights: it is damaged, or holds something else.
    """
    file = folder / REFERENCES
    if not file.is_file():
        raise ModelNotFound(f"There is no {REFERENCES} in {folder}. Copy the whole model folder, or train a model.")
    try:
        features = load_file(file)["features"].float()
    except (SafetensorError, OSError, KeyError) as error:
        raise InvalidWeights(f"{file} is damaged and cannot be read ({error}). Copy or download it again.") from error
    if features.ndim != 2 or features.shape[1] != CHANNELS or not len(features) or not torch.isfinite(features).all():
        raise InvalidWeights(
            f"{file} does not hold finite features of shape (N, {CHANNELS}). Copy or download it again."
        )
    return features


def _download(repo_id: str, revision: str | None) -> Path:
    """Download a repository's configuration and weights, or find them in the Hub's cache -> their folder."""
    at = f"{repo_id} at {revision}" if revision else repo_id
    try:
        config = hf_hub_download(repo_id, CONFIG_NAME, revision=revision)
        folder = Path(config).parent
        hf_hub_download(repo_id, SAFETENSORS_SINGLE_FILE, revision=folder.name)
        if read_config(folder).threshold is not None:
            hf_hub_download(repo_id, REFERENCES, revision=folder.name)
        return folder
    except HFValidationError as error:
        raise ModelNotFound(
            f"{repo_id} is neither a folder here nor the id of a repository, which is written user/name."
        ) from error
    except GatedRepoError as error:
        raise ModelNotFound(
            f"{repo_id} is gated: ask for access on its page, then log in with `hf auth login` or set HF_TOKEN."
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelNotFound(
            f"There is no folder {repo_id} here and no such repository on the Hub, or it is private: "
            "check the name, or log in with `hf auth login` or set HF_TOKEN."
        ) from error
    except RevisionNotFoundError as error:
        raise ModelNotFound(f"{repo_id} has no branch, tag or commit {revision}.") from error
    except LocalEntryNotFoundError as error:
        raise ModelNotFound(
            f"There is no folder {repo_id} here, the Hub cannot be reached, and {at} was not downloaded before."
        ) from error
    except EntryNotFoundError as error:
        raise ModelNotFound(
            f"{at} on the Hub lacks {CONFIG_NAME}, {SAFETENSORS_SINGLE_FILE} or {REFERENCES}; "
            "weights in another format are not read: a pickle can run any program."
        ) from error
    except (HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        raise ModelNotFound(
            f"{at} could not be downloaded ({error}). Try again: it goes on where it stopped."
        ) from error
