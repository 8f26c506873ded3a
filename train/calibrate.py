"""Calibration on validation photos: the softmax temperature, the in-distribution probability, and its threshold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from flower_alexnet import FlowerClassifier
from flower_alexnet.classifier import Output
from flower_alexnet.dataset import LabeledPhoto
from flower_alexnet.model_folder import ALL_PHOTOS
from train.outputs import corrupted_logits, ood_outputs, outputs_and_targets

ROUNDING = 1e-6
"""Probabilities differ by less from one batch size to another, so that a photo at the threshold stays above it."""

TEMPERATURES = (0.2, 20.0)
"""Range of the softmax temperature. Without it, a handful of validation photos that are all classified correctly would
give 0, and every later answer a probability of 1; photos classified worse than at random would give infinity. The
models here, fitted on 367 photos, have temperatures of 0.38 to 1.25."""

CERTAIN_OF_OTHERS = 0.02
"""Share of validation photos of other things that may be named without "if"."""

CONFIDENCE_MARGIN = 0.01
"""Difference of mean confidence and accuracy that a temperature may cost for the sake of photos that look different."""


def calibrated(
    classifier: FlowerClassifier,
    validation: Sequence[LabeledPhoto],
    labels: Sequence[str],
    others: Mapping[str, Sequence[Path]],
    elsewhere: Sequence[LabeledPhoto] = (),
) -> FlowerClassifier:
    """Return the model with temperature, in-distribution head, threshold and certainty fitted on validation photos.

    The threshold keeps 95 % of the photos.

    Args:
        classifier: the model.
        validation: photos of the classes that it was not trained on, from where those that it was come from.
        labels: of these photos.
        others: photos of other things by the name of their sub-set; needed if the model has a head.
        elsewhere: photos of the same classes from elsewhere. They count as much as those of validation: the set that
            has fewer is repeated.
    """
    sets = [photos for photos in (validation, elsewhere) if photos]
    most = max(map(len, sets))
    found = []
    for photos in sets:
        times = round(most / len(photos))
        outputs, targets = outputs_and_targets(classifier, photos, labels)
        corrupted, _ = corrupted_logits(classifier, photos)
        tensors = (*outputs, targets, *corrupted.values())
        found.append([torch.cat([tensor] * times) for tensor in tensors])
    logits, in_distribution, targets, *corrupted_copies = map(torch.cat, zip(*found, strict=True))
    temperature = fit_robust_temperature(logits, torch.cat(corrupted_copies), targets)
    config, head = replace(classifier.config, temperature=temperature, threshold=None), None
    if classifier.in_distribution_head is not None:
        of_others = ood_outputs(classifier, others)[ALL_PHOTOS]
        scale, shift = fit_platt_scaling(in_distribution, of_others.in_distribution_logit)
        head = deepcopy(classifier.in_distribution_head)
        with torch.no_grad():
            head.weight.mul_(scale)
            head.bias.mul_(scale).add_(shift)
        known = torch.sigmoid(scale * in_distribution.double() + shift)
        config = replace(config, threshold=max(0.0, fit_threshold(known) - ROUNDING))
        config = replace(config, certainty=fit_certainty(of_others, temperature, scale, shift))
    return FlowerClassifier(classifier.network, config, head)


def fit_certainty(of_others: Output, temperature: float, scale: float, shift: float) -> float:
    """Return the product of both probabilities, of showing a class and of the label, that a share ``CERTAIN_OF_OTHERS``
    of photos of other things reaches.

    Args:
        of_others: outputs for M photos of other things.
        temperature: of the softmax.
        scale, shift: of the in-distribution logits.
    """
    known = torch.sigmoid(scale * of_others.in_distribution_logit.double() + shift)
    products = known * torch.softmax(of_others.logits.double() / temperature, dim=1).max(1).values
    return min(1.0, products.quantile(1 - CERTAIN_OF_OTHERS, interpolation="higher").item() + ROUNDING)


def fit_threshold(scores: Tensor, recall: float = 0.95) -> float:
    """Return the threshold at or above which a fraction (0-1) of the scores (N,) lies."""
    return scores.quantile(1 - recall, interpolation="lower").item()


def fit_platt_scaling(in_distribution: Tensor, out_of_distribution: Tensor) -> tuple[float, float]:
    """Return scale and shift that turn in-distribution logits into those of calibrated probabilities.

    It is a logistic regression with the smoothed targets of Platt (1999), which stay finite where the two are
    separated; both count as many as there are of them.

    Args:
        in_distribution: logits of N photos of the classes, (N,).
        out_of_distribution: logits of M photos of other things, (M,).
    """
    logits = torch.cat([in_distribution, out_of_distribution]).double()
    targets = torch.cat(
        [
            torch.full((len(in_distribution),), (len(in_distribution) + 1) / (len(in_distribution) + 2)),
            torch.full((len(out_of_distribution),), 1 / (len(out_of_distribution) + 2)),
        ]
    ).double()
    parameters = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([parameters], max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-9)

    def loss() -> Tensor:
        optimizer.zero_grad()
        error = F.binary_cross_entropy_with_logits(parameters[0] * logits + parameters[1], targets)
        error.backward()
        return error

    optimizer.step(loss)
    scale, shift = parameters.tolist()
    return scale, shift


def fit_temperature(logits: Tensor, targets: Tensor) -> float:
    """Return the softmax temperature that minimizes the cross-entropy of logits (N, classes) (Guo et al., 2017).

    It lies within ``TEMPERATURES``. The cross-entropy is convex in 1 / temperature, so that bisection finds the minimum
    by the sign of its derivative: the mean of the logits under the softmax, less the logit of the target.
    """
    logits = logits.double()
    target_logits = logits.gather(1, targets[:, None]).squeeze(1)
    low, high = map(math.log, TEMPERATURES)
    for _ in range(60):  # halves of the range, to the precision of float64
        middle = (low + high) / 2
        expected_logits = (torch.softmax(logits / math.exp(middle), 1) * logits).sum(1)
        too_sure = (expected_logits - target_logits).mean() > 0
        low, high = (middle, high) if too_sure else (low, middle)
    return math.exp(high)


def fit_robust_temperature(logits: Tensor, corrupted: Tensor, targets: Tensor) -> float:
    """Return the temperature nearest to what all photos, corrupted ones too, need at which those as they are stay
    calibrated.

    A network is surer of corrupted photos than it is right; the temperature that mends this makes it less sure of the
    others than it is right. Of temperatures between the two, the one is taken that is nearest to the former and keeps
    the mean confidence of photos as they are within ``CONFIDENCE_MARGIN`` of their accuracy. (Their calibration error
    says too little of that: of 367 photos, chance alone makes 0.04 of it.)

    Args:
        logits: of N photos as they are, (N, classes).
        corrupted: of the same photos under each of C corruptions, (C * N, classes).
        targets: class indices of the photos, (N,).
    """
    copies = len(corrupted) // len(logits)
    as_they_are = fit_temperature(logits, targets)
    both = fit_temperature(torch.cat([logits, corrupted]), targets.repeat(1 + copies))
    for share in torch.linspace(1, 0, 101).tolist():
        temperature = as_they_are + share * (both - as_they_are)
        probabilities = torch.softmax(logits.double() / temperature, dim=1)
        confidences, predicted = probabilities.max(1)
        if abs(confidences.mean() - (predicted == targets).double().mean()) <= CONFIDENCE_MARGIN:
            return temperature
    return as_they_are
