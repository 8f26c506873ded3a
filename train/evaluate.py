"""Measures a model: accuracy, calibration, confusion matrix, and their plots.

python -m train.evaluate --model weights/alexnet-seed --data flower_photos --split test --json
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import matplotlib
import torch
import tyro
from matplotlib import pyplot
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.classification import (
    BinaryAUROC,
    MulticlassCalibrationError,
    MulticlassConfusionMatrix,
    MulticlassPrecision,
    MulticlassRecall,
)
from tqdm import tqdm

from flower_alexnet import LABELS, FlowerClassifier, InvalidModel, catalog, dataset, images
from flower_alexnet.classifier import Output, in_distribution_score
from flower_alexnet.dataset import InvalidDataset, Photo
from train import data, not_flowers
from train.corruptions import CORRUPTIONS, corrupt

CALIBRATION_BINS = 15

Metrics = dict[str, Any]


def evaluate(classifier: FlowerClassifier, photos: Sequence[Photo]) -> Metrics:
    """Classify photos as any user does and compare with their folders.

    Returns:
        accuracy: top-1, 0-1.
        calibration_error: expected calibration error over 15 bins of equal width, 0-1 (Naeini et al., 2015).
        calibration_error_by_chance: what it would be on average, on as many photos, if each probability were true.
        reliability: a row a bin that is not empty: its mean confidence, accuracy (0-1) and count of photos.
        in_distribution: share of the photos, 0-1, that are taken for one of the flowers.
        not_flowers: the same share of the pictures of ``not_flowers``, their count, and the area under the ROC curve
            of telling them from the photos by ``in_distribution_score`` (None if the model has no references).
        per_class: label -> precision and recall, 0-1, and count of photos.
        confusion_matrix: a row a true label, a column a predicted one, in the labels' order.
        photos: how many were classified; an unreadable one is named in the log and left out.
    """
    outputs, labels = classify(classifier, photos)
    probabilities = torch.softmax(outputs.logits.double() / classifier.config.temperature, dim=1)
    others = stack(classifier.outputs(picture for _, picture in not_flowers.pictures()))
    classes = len(classifier.config.labels)
    precision = MulticlassPrecision(classes, average="none")(probabilities, labels)
    recall = MulticlassRecall(classes, average="none")(probabilities, labels)
    return {
        "accuracy": (probabilities.argmax(1) == labels).double().mean().item(),
        "calibration_error": calibration_error(probabilities, labels),
        "calibration_error_by_chance": _calibration_error_by_chance(probabilities),
        "reliability": _reliability(probabilities, labels),
        "per_class": {
            label: {
                "precision": precision[index].item(),
                "recall": recall[index].item(),
                "count": int((labels == index).sum()),
            }
            for index, label in enumerate(classifier.config.labels)
        },
        "confusion_matrix": MulticlassConfusionMatrix(classes)(probabilities, labels).tolist(),
        "photos": len(labels),
        "in_distribution": outputs.in_distribution.double().mean().item(),
        "not_flowers": {
            "in_distribution": others.in_distribution.double().mean().item(),
            "auroc": _auroc(classifier, outputs.features, others.features),
            "pictures": len(others.features),
        },
    }


def classify(classifier: FlowerClassifier, photos: Sequence[Photo]) -> tuple[Output, Tensor]:
    """Logits (N, classes), features (N, 128) and true labels (N,) of the photos that can be read."""
    if classifier.config.labels != LABELS:
        raise InvalidModel(f"The model names {', '.join(classifier.config.labels)}, not {', '.join(LABELS)}.")
    labels: list[int] = []

    def pictures() -> Iterator[images.Source]:
        for picture, label in data.readable(tqdm(photos, desc="classifying", leave=False)):
            labels.append(label)
            yield picture

    outputs = list(classifier.outputs(pictures()))
    if not outputs:
        raise InvalidDataset("None of the photos can be read.")
    return stack(outputs), torch.tensor(labels)


def stack(outputs: Iterable[Output]) -> Output:
    """What a network says of each of N photos -> logits (N, classes), features (N, 128) and in_distribution (N,)."""
    return Output(*map(torch.stack, zip(*outputs, strict=True)))


def evaluate_corrupted(classifier: FlowerClassifier, photos: Sequence[Photo]) -> dict[str, float]:
    """Top-1 accuracy, 0-1, on the photos under each corruption, and their mean."""
    pictures, labels = zip(*data.readable(photos), strict=True)
    accuracies = {}
    for name, corruption in tqdm(CORRUPTIONS.items(), desc="corrupting", leave=False):
        logits = stack(classifier.outputs(corrupt(pictures, corruption))).logits
        accuracies[name] = (logits.argmax(1) == torch.tensor(labels)).double().mean().item()
    return {**accuracies, "mean": sum(accuracies.values()) / len(accuracies)}


def calibration_error(probabilities: Tensor, labels: Tensor) -> float:
    """Expected calibration error of probabilities (N, classes) over ``CALIBRATION_BINS`` bins, 0-1."""
    return MulticlassCalibrationError(probabilities.shape[1], CALIBRATION_BINS)(probabilities, labels).item()


def _calibration_error_by_chance(probabilities: Tensor, draws: int = 200) -> float:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.multinomial(probabilities, draws, replacement=True, generator=generator)
    return sum(calibration_error(probabilities, labels) for labels in drawn.T) / draws


def _auroc(classifier: FlowerClassifier, flowers: Tensor, others: Tensor) -> float | None:
    """Area under the ROC curve of telling features of flowers from those of other pictures; None without references."""
    if classifier.references is None:
        return None
    scores = in_distribution_score(torch.cat([flowers, others]), classifier.references)
    is_flower = torch.arange(len(scores)) < len(flowers)
    return BinaryAUROC()((scores + 1) / 2, is_flower.int()).item()  # a cosine, brought into 0-1


def _reliability(probabilities: Tensor, labels: Tensor) -> list[dict[str, float]]:
    confidences, predicted = probabilities.max(1)
    bins = (confidences * CALIBRATION_BINS).long().clamp(max=CALIBRATION_BINS - 1)
    return [
        {
            "confidence": confidences[bins == index].mean().item(),
            "accuracy": (predicted == labels)[bins == index].double().mean().item(),
            "photos": int((bins == index).sum()),
        }
        for index in bins.unique().tolist()
    ]


def fit_threshold(scores: Tensor, share: float = 0.95) -> float:
    """The threshold that keeps a share of the photos with these scores (N,)."""
    return scores.quantile(1 - share, interpolation="lower").item()


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The softmax temperature that makes the labels most likely (Guo et al., 2017)."""
    logarithm = torch.zeros((), dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.LBFGS([logarithm], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(logits.double() / logarithm.exp(), labels)
        value.backward()
        return value

    optimizer.step(loss)
    return logarithm.exp().item()


def plot_confusion_matrix(metrics: Metrics, file: Path) -> None:
    """Draw the confusion matrix with its counts."""
    labels, counts = list(metrics["per_class"]), torch.tensor(metrics["confusion_matrix"])
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    figure, axes = pyplot.subplots(figsize=(5.6, 5), layout="constrained")
    axes.imshow(shares, cmap="Greens", vmin=0, vmax=1)
    axes.set(
        xlabel="predicted",
        ylabel="true",
        title=f"{metrics['accuracy']:.1%} of {metrics['photos']} photos right",
    )
    axes.set_xticks(range(len(labels)), labels, rotation=30)
    axes.set_yticks(range(len(labels)), labels)
    for row in range(len(labels)):
        for column in range(len(labels)):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(counts[row, column].item()), ha="center", va="center", color=colour)
    figure.savefig(file, dpi=110)
    pyplot.close(figure)


def plot_reliability(metrics: Metrics, file: Path) -> None:
    """Draw accuracy against confidence, a bar a bin, and how many photos each holds."""
    figure, (upper, lower) = pyplot.subplots(
        2, 1, figsize=(4.6, 5.4), sharex=True, height_ratios=(3, 1), layout="constrained"
    )
    bins = metrics["reliability"]
    confidence, accuracy, photos = ([row[name] for row in bins] for name in ("confidence", "accuracy", "photos"))
    width = 0.9 / CALIBRATION_BINS
    upper.bar(confidence, accuracy, width, color="tab:green", alpha=0.7, label="this model")
    upper.plot((0, 1), (0, 1), "--", color="black", linewidth=1, label="as sure as it is right")
    upper.set(
        ylabel="accuracy", title=f"calibration error {metrics['calibration_error']:.3f}", xlim=(0, 1), ylim=(0, 1)
    )
    upper.legend(loc="upper left")
    lower.bar(confidence, photos, width, color="tab:gray")
    lower.set(xlabel="confidence", ylabel="photos")
    figure.savefig(file, dpi=110)
    pyplot.close(figure)


def plot_training_curves(history: Sequence[dict[str, float]], file: Path) -> None:
    """Draw loss and accuracy on training and validation photos over the epochs."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    epochs = [row["epoch"] for row in history]
    marker = "o" if len(epochs) == 1 else None
    for axes, quantity in ((left, "loss"), (right, "accuracy")):
        for part in ("train", "validation"):
            axes.plot(epochs, [row[f"{part}_{quantity}"] for row in history], label=part, marker=marker)
        axes.set(xlabel="epoch", ylabel=quantity)
        axes.grid(alpha=0.3)
        axes.legend()
    right.set_ylim(0, 1)
    figure.savefig(file, dpi=110)
    pyplot.close(figure)


def report(metrics: Metrics) -> str:
    """The metrics as a text for people."""
    rows = [f"{'':<12}{'precision':>10}{'recall':>8}{'photos':>8}"]
    rows += [
        f"{label:<12}{row['precision']:>10.1%}{row['recall']:>8.1%}{row['count']:>8}"
        for label, row in metrics["per_class"].items()
    ]
    rows += [f"{name:<12}{accuracy:>10.1%}" for name, accuracy in metrics.get("corrupted", {}).items()]
    return "\n".join(
        [
            f"accuracy           {metrics['accuracy']:.1%} of {metrics['photos']} photos",
            f"calibration error  {metrics['calibration_error']:.3f} "
            f"({metrics['calibration_error_by_chance']:.3f} by chance alone)",
            f"taken for a flower {metrics['in_distribution']:.1%} of the photos, "
            f"{metrics['not_flowers']['in_distribution']:.1%} of {metrics['not_flowers']['pictures']} other pictures",
            *rows,
        ]
    )


def main(
    model: str,
    data_folder: Annotated[Path, tyro.conf.arg(name="data")],
    split: Literal["test", "validation", "train", "all"] = "test",
    corrupted: tyro.conf.FlagCreatePairsOff[bool] = False,
    json_output: Annotated[bool, tyro.conf.arg(name="json"), tyro.conf.FlagCreatePairsOff] = False,
) -> None:
    """Measure a model on photos sorted into the five class folders.

    Args:
        model: name of a shipped model, a model folder, or a repository of the Hugging Face Hub.
        data_folder: folder that holds daisy, dandelion, roses, sunflowers and tulips.
        split: part of the photos; all takes every file.
        corrupted: measure the accuracy on corrupted photos as well.
        json_output: print JSON.
    """
    try:
        classifier = catalog.load(model)
        photos = dataset.all_photos(data_folder) if split == "all" else dataset.split(data_folder)[split]
        metrics = evaluate(classifier, photos)
        if corrupted:
            metrics["corrupted"] = evaluate_corrupted(classifier, photos)
    except (InvalidModel, InvalidDataset) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    print(json.dumps(metrics, indent=2) if json_output else report(metrics))


if __name__ == "__main__":
    matplotlib.use("Agg")
    logging.basicConfig(format="%(message)s")
    tyro.cli(main, prog="python -m train.evaluate")
