"""Whether a network's features tell which of two sets a photo is from, as they tell what it shows.

python -m train.sources --model alexnet-bn --one flower_photos --other web

A logistic regression on the 2048 features before the last layer is fitted to tell the sets, and measured on photos that
it was not fitted to: its AUROC is 0.5 where they say nothing of it. Photos of both sets are saved anew in the same way
first, so that only what they show, and how it was taken, can differ.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
import tyro
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.classification import BinaryAUROC
from tqdm import tqdm

from flower_alexnet import FlowerClassifier, InvalidModel, images
from flower_alexnet.classifier import load_classifier
from flower_alexnet.dataset import InvalidDataset, LabeledPhoto
from train import data, others
from train.corruptions import COMPRESSIONS, saved_anew

FOLDS = 5

PENALTY = 1e-2
"""Weight of the squared coefficients; the features are standardized."""


def separability(one: Tensor, other: Tensor) -> float:
    """Return the AUROC, 0.5-1 or a little below by chance, of telling two sets of features, (N, D) and (M, D), on those
    that were left out of the fit, over ``FOLDS`` folds; both sets weigh the same."""
    features = torch.cat([one, other]).double()
    targets = torch.cat([torch.zeros(len(one)), torch.ones(len(other))]).double()
    weights = torch.where(targets == 1, 0.5 / len(other), 0.5 / len(one))
    fold = torch.cat([torch.arange(len(one)), torch.arange(len(other))]) % FOLDS
    scores = torch.zeros(len(targets), dtype=torch.float64)
    for left_out in range(FOLDS):
        fitted = fold != left_out
        mean, std = features[fitted].mean(0), features[fitted].std(0) + 1e-6
        inputs = (features - mean) / std
        weight, bias = _fitted(inputs[fitted], targets[fitted], weights[fitted])
        scores[~fitted] = inputs[~fitted] @ weight + bias
    return float(BinaryAUROC()(scores, targets.int()))


def _fitted(inputs: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return coefficients (D,) and bias () of a logistic regression on inputs (N, D)."""
    weight = torch.zeros(inputs.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        logits = inputs @ weight + bias
        error = F.binary_cross_entropy_with_logits(logits, targets, weights, reduction="sum")
        error = error + PENALTY * weight.square().sum()
        error.backward()
        return error

    optimizer.step(loss)
    return weight.detach(), bias.detach()


@torch.inference_mode()
def features(classifier: FlowerClassifier, files: Sequence[Path], side: int | None, quality: int) -> Tensor:
    """Return the features, (N, 2048), of the photos that can be read, each saved anew first."""
    rows = []
    for file in tqdm(files, desc="looking at photos", leave=False):
        if (photo := data.load(LabeledPhoto(file, 0))) is not None:
            anew = images.load(saved_anew(photo, side, quality))
            pixels = images.to_tensor(anew, classifier.config.preprocessing)[None]
            rows.append(classifier.network.forward_pre_logits(classifier.network.features(pixels))[0])
    return torch.stack(rows)


def main(model: str, one: Path, other: Path) -> None:
    """Measure whether a network's features tell which of two sets a photo is from.

    Args:
        model: name of a shipped model, a model folder, or a repository of the Hugging Face Hub.
        one: folder of photos, with folders in it or without.
        other: folder of photos of the same things from elsewhere.
    """
    try:
        classifier = load_classifier(model)
        sets = [[photo.path for photo in others.listed(others.subfolders(folder))] for folder in (one, other)]
    except (InvalidModel, InvalidDataset) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    for name, (side, quality) in COMPRESSIONS.items():
        both = [features(classifier, files, side, quality) for files in sets]
        print(f"{name:<22}AUROC {separability(*both):.3f} of {len(both[0])} and {len(both[1])} photos")


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    tyro.cli(main, prog="python -m train.sources")
