"""FlowerClassifier: weights and configuration turn photos into predictions."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain, islice
from pathlib import Path
from threading import Lock
from typing import Any, Literal, NamedTuple, TypeVar, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from flower_alexnet import images, registry
from flower_alexnet.config import LABELS, Config, InvalidConfig
from flower_alexnet.images import InvalidImage
from flower_alexnet.inference import CPU, FORWARD_THREAD, SharedPass, pool_of_single_cores, prepare
from flower_alexnet.model import AlexNet, NetworkWithHead, load_in_distribution_head, load_network
from flower_alexnet.model_folder import read_config
from flower_alexnet.words import (
    NONE_OF_THE_CLASSES,
    NONE_OF_THE_FIVE,
    PERHAPS,
    SURE,
    UNSURE,
    capitalized,
    english_name,
)

BATCH_SIZE = 32
"""Photos classified together."""

MICRO_BATCH_SIZE = 32
"""Crops in one call of the network: with 128, each takes a third longer, because they outgrow the caches."""

DECODERS = 2
"""Threads that load and crop photos while the network runs: with one, half of two cores is idle; more take turns."""

IN_FLIGHT = 2 * DECODERS
"""Photos that are being loaded or wait for it."""

MANY = 64
"""Photos from which on each core reads and classifies its own."""

CHUNK = 32
"""Photos that a core reads and classifies together, where there are many."""

Item = TypeVar("Item")

OVERSAMPLING = 1.4
"""How much larger than needed a JPEG is decoded at least. On validation photos enlarged four and eight times, accuracy
was the same from 1 to 2; 1.4 lets a photo of 3000 pixels be decoded at an eighth of its size."""


CONFIDENT = 0.5
"""Probability from which on an answer names one label; below, two."""

Verdict = Literal["certain", "conditional", "none"]

PREDICTION_FIELDS = ("label", "probability", "in_distribution", "in_distribution_probability", "verdict")
"""What programs and tables are given of a prediction, beside the probability of each label."""


@dataclass(frozen=True)
class Prediction:
    """The result of classifying one photo.

    Args:
        probabilities: label -> probability, 0-1, given that the photo shows one of the known classes; they sum to 1.
        in_distribution: whether the photo shows one of the known classes: whether ``in_distribution_probability`` is
            at or above the model's threshold. If not, ``probabilities`` mean little.
        in_distribution_probability: calibrated probability, 0-1, that the photo shows one of the known classes; None
            if the model cannot tell, which then takes every photo for one of them.
        certainty: ``Config.certainty`` of the model.
    """

    probabilities: dict[str, float]
    in_distribution: bool = True
    in_distribution_probability: float | None = None
    certainty: float | None = None

    @property
    def label(self) -> str:
        """Return the most probable label."""
        return self.top(1)[0][0]

    @property
    def probability(self) -> float:
        """Return the probability of the most probable label, 0-1."""
        return self.top(1)[0][1]

    @property
    def verdict(self) -> Verdict:
        """Return ``none`` if the photo shows none of the known classes, ``certain`` if it shows one and the label is
        it, both so probably as ``certainty`` says; ``conditional`` otherwise: the label holds if it shows one."""
        if not self.in_distribution:
            return "none"
        if self.certainty is None or self.in_distribution_probability is None:
            return "conditional"
        return "certain" if self.in_distribution_probability * self.probability >= self.certainty else "conditional"

    def fields(self) -> dict[str, Any]:
        """Return what programs are given: label, probability, in_distribution, in_distribution_probability, the
        verdict, and the probabilities of all labels under ``probabilities``."""
        answer = {name: getattr(self, name) for name in PREDICTION_FIELDS}
        return {**answer, "probabilities": self.probabilities}

    def in_words(self) -> str:
        """Return the answer in a line of English: "Rose, 93%" where that is certain, "Rose? 93%" where it holds if the
        photo shows one of the classes at all, "Rose or tulip?" or "None of the five, it seems"."""
        if self.verdict == "none":
            return NONE_OF_THE_FIVE if set(self.probabilities) == set(LABELS) else NONE_OF_THE_CLASSES
        one, other = (english_name(label) for label, _ in self.top(2))
        if not self.is_confident:
            return capitalized(UNSURE.format(one=one, other=other))
        percent = ">99" if self.probability >= 0.995 else f"{100 * self.probability:.0f}"
        said = SURE if self.verdict == "certain" else PERHAPS
        return capitalized(said.format(flower=one, probability=f"{percent}%"))

    @property
    def is_confident(self) -> bool:
        """Return whether the most probable label has a probability of ``CONFIDENT`` or more; if not, two are named."""
        return self.probability >= CONFIDENT

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """Return the top-k labels with their probabilities, best first."""
        return sorted(self.probabilities.items(), key=lambda item: -item[1])[:k]


class Output(NamedTuple):
    """What the network computes for one photo.

    Args:
        logits: before temperature and softmax, float32 (num_classes,).
        in_distribution_logit: logit of the probability that the photo shows one of the known classes, float32 ();
            infinite from a model without in-distribution head.
    """

    logits: Tensor
    in_distribution_logit: Tensor


class FlowerClassifier:
    """Classify photos with a trained network.

    Args:
        network: the trained network.
        config: labels, preprocessing, temperature and threshold.
        in_distribution_head: linear layer that maps the 2048 features before the network's last layer to the logit of
            the probability that a photo shows one of the known classes; required if the config has a threshold.
        device: where the network computes, such as "cuda"; the CPU if not given.

    It may be used by many threads at the same time and in processes made by ``fork``; it can be pickled and copied.

    >>> classifier = FlowerClassifier.from_pretrained("alexnet-bn")
    >>> classifier("photo.jpg").label
    'daisy'

    Raises:
        InvalidConfig: the config has a threshold, but there is no in-distribution head.
        ValueError: there is no such device.
    """

    def __init__(
        self,
        network: AlexNet,
        config: Config,
        in_distribution_head: nn.Linear | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        if config.threshold is not None and in_distribution_head is None:
            raise InvalidConfig("A threshold needs an in-distribution head, which gives the probability it is held to.")
        self.network = network.eval()
        self.config = config
        self.device = find_device(device)
        self._source: Path | None = None
        self.in_distribution_head = in_distribution_head

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
        head = None if config.threshold is None else load_in_distribution_head(folder)
        classifier = cls(load_network(folder, config), config, head, device)
        classifier._source = folder.resolve()
        return classifier

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle a classifier that was loaded from a folder by the folder's path, any other by its parts."""
        if self._source is not None:
            return type(self).from_pretrained, (self._source, None, self.device)
        return type(self), (self.network, self.config, self.in_distribution_head, self.device)

    def __deepcopy__(self, memo: dict[int, object]) -> FlowerClassifier:
        """Copy the network and its head; the configuration is never changed and is shared."""
        head = deepcopy(self.in_distribution_head, memo)
        copy = type(self)(deepcopy(self.network, memo), self.config, head, self.device)
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
        """Classify any number of photos, in order and in constant memory, ``BATCH_SIZE`` in a forward pass.

        Raises:
            InvalidImage: a photo cannot be used.
        """
        return map(self.prediction, self.outputs(photos))

    def prediction(self, output: Output) -> Prediction:
        """Return the prediction that the network's output for a photo is."""
        # In float64, so that the probabilities sum to 1 to the precision of a float.
        probabilities = torch.softmax(output.logits.double() / self.config.temperature, dim=0)
        known = torch.sigmoid(output.in_distribution_logit.double()).item()
        threshold = self.config.threshold
        return Prediction(
            dict(zip(self.config.labels, probabilities.tolist(), strict=True)),
            in_distribution=threshold is None or bool(known >= threshold),
            in_distribution_probability=None if threshold is None else known,
            certainty=self.config.certainty,
        )

    @property
    def shorter_side(self) -> int:
        """Return the pixels of a photo's shorter side that suffice: ``OVERSAMPLING`` times what is resized to."""
        return round(OVERSAMPLING * self.config.preprocessing.resize)

    def outputs(self, photos: Iterable[images.Source]) -> Iterator[Output]:
        """Yield the network's output for each photo, in order.

        Raises:
            InvalidImage: a photo cannot be used.
        """
        for result in self.results(photos):
            if isinstance(result, InvalidImage):
                raise result
            yield result

    def results(
        self, photos: Iterable[Item], load: Callable[[Item], Image.Image] | None = None
    ) -> Generator[Output | InvalidImage]:
        """Yield, for each photo in order, the network's output, or why the photo cannot be used.

        Photos are loaded and cropped by ``DECODERS`` threads while the network runs on those before, and threads that
        call this at the same time share forward passes; from ``MANY`` photos on, each core loads and classifies photos
        of its own. Of photos at their full size no more than ``IN_FLIGHT``, or one a core, are in memory.

        Args:
            photos: any number, of any type that load takes.
            load: reads a photo as ``images.load`` does, which it is by default.
        """
        read: Callable[[Any], Image.Image] = load or self._load

        def crop(photo: Item) -> Tensor | InvalidImage:
            try:
                return images.center_crop(read(photo), self.config.preprocessing)
            except InvalidImage as error:
                return error

        remaining = iter(photos)
        first = list(islice(remaining, MANY))
        if len(first) < 2:  # threads would take longer than they save
            yield from self._submit([crop(photo) for photo in first])()
            return
        remaining = chain(first, remaining)
        if len(first) == MANY and self.device == CPU:
            yield from self._results_of_many(remaining, crop)
            return
        pool = ThreadPoolExecutor(DECODERS, "decode")
        try:
            cropping = deque(pool.submit(crop, photo) for photo in islice(remaining, IN_FLIGHT))
            running: Callable[[], Iterator[Output | InvalidImage]] = lambda: iter(())  # noqa: E731
            while cropping:
                batch: list[Tensor | InvalidImage] = []
                while cropping and len(batch) < BATCH_SIZE:
                    batch.append(cropping.popleft().result())
                    cropping.extend(pool.submit(crop, photo) for photo in islice(remaining, 1))
                submitted = self._submit(batch)
                yield from running()  # of the batch before, while this one runs
                running = submitted
            yield from running()
        finally:
            pool.shutdown(cancel_futures=True)

    def _results_of_many(
        self, photos: Iterator[Item], crop: Callable[[Item], Tensor | InvalidImage]
    ) -> Generator[Output | InvalidImage]:
        """Yield the results of photos, ``CHUNK`` of which a core loads and classifies at a time."""

        def answer(chunk: list[Item]) -> list[Output | InvalidImage]:
            crops = [crop(photo) for photo in chunk]
            return list(_in_their_places(crops, self._run([it for it in crops if isinstance(it, Tensor)])))

        chunks = iter(lambda: list(islice(photos, CHUNK)), [])
        pool, cores = pool_of_single_cores()
        try:
            answering = deque(pool.submit(answer, chunk) for chunk in islice(chunks, cores + 1))
            while answering:
                answered = answering.popleft().result()
                answering.extend(pool.submit(answer, chunk) for chunk in islice(chunks, 1))
                yield from answered
        finally:
            pool.shutdown(cancel_futures=True)

    def outputs_of(self, crops: Sequence[Tensor]) -> list[Output]:
        """Return the network's output for each of the crops, uint8 (3, crop, crop), as ``images.center_crop`` makes
        them."""
        return self._pass.submit(list(crops)).result()

    def _submit(self, crops: list[Tensor | InvalidImage]) -> Callable[[], Iterator[Output | InvalidImage]]:
        """Start a forward pass; return a function that waits for its outputs, with errors in their places."""
        future = self._pass.submit([crop for crop in crops if isinstance(crop, Tensor)])

        def results() -> Iterator[Output | InvalidImage]:
            return _in_their_places(crops, future.result())

        return results

    def _load(self, photo: images.Source) -> Image.Image:
        return images.load(photo, shorter_side=self.shorter_side)

    @cached_property
    def _run(self) -> Callable[[list[Tensor]], list[Output]]:
        prepared = FORWARD_THREAD.submit(prepare, self.network, self.device).result()
        network = NetworkWithHead(prepared, deepcopy(self.in_distribution_head)).to(self.device)

        @torch.inference_mode()
        def run(crops: list[Tensor]) -> list[Output]:
            """Map the crops of N photos, uint8 (3, H, W) each, to N outputs."""
            outputs: list[Output] = []
            if not crops:
                return outputs
            stacked = torch.stack([crop.permute(1, 2, 0) for crop in crops]).permute(0, 3, 1, 2)  # NHWC
            for pixels in stacked.split(MICRO_BATCH_SIZE):
                normalized = images.normalize(pixels.to(self.device), self.config.preprocessing)
                logits, known = network(normalized)
                known = torch.full((len(logits),), torch.inf) if known is None else known
                outputs += map(Output, logits.cpu(), known.cpu())
            return outputs

        return run

    @cached_property
    def _pass(self) -> SharedPass[Tensor, Output]:
        return SharedPass(self._run, BATCH_SIZE)


def _in_their_places(
    crops: Iterable[Tensor | InvalidImage], outputs: Iterable[Output]
) -> Iterator[Output | InvalidImage]:
    """Yield the outputs of the crops, and the errors where there is none."""
    remaining = iter(outputs)
    return (crop if isinstance(crop, InvalidImage) else next(remaining) for crop in crops)


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
