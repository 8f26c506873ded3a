"""What a network computes for photos, stacked: what it is calibrated and evaluated by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from flower_alexnet import LABELS, FlowerClassifier, InvalidModel, images
from flower_alexnet.classifier import Output
from flower_alexnet.dataset import InvalidDataset, LabeledPhoto
from flower_alexnet.model_folder import ALL_PHOTOS
from train import data, drawn
from train.corruptions import COMPRESSIONS, CORRUPTIONS, corrupt, saved_anew

DRAWN = "drawn pictures"
"""Name of the sub-set of photos of other things that is drawn by code."""


def ood_outputs(classifier: FlowerClassifier, others: Mapping[str, Sequence[Path]] | None = None) -> dict[str, Output]:
    """Return a model's outputs, stacked, for what shows none of its classes.

    Args:
        classifier: the model.
        others: photos of other things by the name of their sub-set; unreadable ones are left out.

    Returns:
        The outputs for all of the others together, for each sub-set if there are several, and for the pictures of
        ``train.drawn``.
    """
    outputs = {}
    for name, files in (others or {}).items():
        results = classifier.results(tqdm(files, desc=f"classifying {name}", leave=False))
        if found := list(_readable(files, results)):
            outputs[name] = found
    every = {ALL_PHOTOS: [output for group in outputs.values() for output in group]} if outputs else {}
    drawings = {DRAWN: list(classifier.outputs(image for _, image in drawn.images()))}
    groups = every | (outputs if len(outputs) > 1 else {}) | drawings
    return {name: stack(group) for name, group in groups.items()}


def _readable(files: Iterable[Path], results: Iterable[Output | images.InvalidImage]) -> Iterator[Output]:
    """Yield the outputs of the photos that can be read; log the others."""
    for file, result in zip(files, results, strict=True):
        if isinstance(result, images.InvalidImage):
            data.tell_left_out(file, result)
        else:
            yield result


def compressed_outputs(
    classifier: FlowerClassifier, photos: Sequence[LabeledPhoto]
) -> tuple[dict[str, Output], Tensor]:
    """Return the outputs, stacked over N photos that were saved anew by each of ``COMPRESSIONS``, and the targets (N,).

    Raises:
        InvalidDataset: no photo can be read.
    """
    found: dict[str, list[Output]] = {name: [] for name in COMPRESSIONS}
    targets = []
    for photo, target in data.readable(tqdm(photos, desc="saving anew", leave=False)):
        anew = [saved_anew(photo, side, quality) for side, quality in COMPRESSIONS.values()]
        for name, output in zip(COMPRESSIONS, classifier.outputs(anew), strict=True):
            found[name].append(output)
        targets.append(target)
    if not targets:
        raise InvalidDataset("None of the photos can be read.")
    return {name: stack(outputs) for name, outputs in found.items()}, torch.tensor(targets)


def corrupted_logits(classifier: FlowerClassifier, photos: Sequence[LabeledPhoto]) -> tuple[dict[str, Tensor], Tensor]:
    """Return the logits (N, classes) of the photos under each corruption, and the targets (N,).

    Raises:
        InvalidDataset: no photo can be read.
    """
    readable = list(data.readable(photos))
    if not readable:
        raise InvalidDataset("None of the photos can be read.")
    loaded, targets = zip(*readable, strict=True)
    logits = {
        name: stack(classifier.outputs(corrupt(loaded, corruption))).logits
        for name, corruption in tqdm(CORRUPTIONS.items(), desc="corrupting", leave=False)
    }
    return logits, torch.tensor(targets)


def check_labels(classifier: FlowerClassifier, labels: Sequence[str]) -> None:
    """Raise InvalidModel, which tells both, if a model has other labels than a dataset."""
    if classifier.config.labels != tuple(labels):
        raise InvalidModel(
            f"The model knows {', '.join(classifier.config.labels)}, but the photos show {', '.join(labels)}. "
            "Give a model and photos of the same classes."
        )


def outputs_and_targets(
    classifier: FlowerClassifier, photos: Sequence[LabeledPhoto], labels: Sequence[str] = LABELS
) -> tuple[Output, Tensor]:
    """Return the outputs, stacked over N photos, and the targets (N,) of the photos that can be read.

    Raises:
        InvalidModel: the model has other labels.
        InvalidDataset: no photo can be read.
    """
    check_labels(classifier, labels)
    targets, outputs = [], []
    progress = tqdm(photos, desc="classifying", leave=False)
    for photo, result in zip(photos, classifier.results(photo.path for photo in progress), strict=True):
        if isinstance(result, images.InvalidImage):
            data.tell_left_out(photo.path, result)
        else:
            targets.append(photo.target)
            outputs.append(result)
    if not outputs:
        raise InvalidDataset("None of the photos can be read.")
    return stack(outputs), torch.tensor(targets)


def stack(outputs: Iterable[Output]) -> Output:
    """Stack the outputs of N photos: logits (N, classes) and in_distribution_logit (N,)."""
    return Output(*map(torch.stack, zip(*outputs, strict=True)))
