"""Evaluate a model: accuracy, calibration, out-of-distribution detection, confusion matrix, and plots of them.

python -m train.evaluate --model weights/alexnet-baseline --data flower_photos --split test --json
"""

from __future__ import annotations

import json
import logging
import math
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import matplotlib
import torch
import tyro
from matplotlib import pyplot
from matplotlib.figure import Figure
from torch import Tensor
from torchmetrics.classification import (
    BinaryAUROC,
    MulticlassCalibrationError,
    MulticlassConfusionMatrix,
    MulticlassPrecision,
    MulticlassRecall,
)
from tqdm import tqdm

from flower_alexnet import LABELS, FlowerClassifier, InvalidModel, dataset, images
from flower_alexnet.classifier import Output, in_distribution_score, load_classifier
from flower_alexnet.dataset import InvalidDataset, Photo
from train import data, strangers
from train.card import counted
from train.corruptions import CORRUPTIONS, corrupt

CALIBRATION_BINS = 15
"""Bins of equal width over confidence 0-1."""

TEMPERATURES = (0.2, 20.0)
"""Range of the softmax temperature. Without it, a handful of validation photos that are all classified correctly would
give 0, and every later answer a probability of 1; photos classified worse than at random would give infinity. The
models here, fitted on 367 photos, have temperatures of 0.38 to 1.25."""

MOST_ZEROS = 15
"""Most classes of a confusion matrix whose zeros are printed, too."""

Metrics = dict[str, Any]
"""What ``evaluate`` returns."""


def evaluate(classifier: FlowerClassifier, photos: Sequence[Photo], labels: Sequence[str] = LABELS) -> Metrics:
    """Classify photos through the library's inference path and compare the predictions with the labels.

    Args:
        classifier: the model.
        photos: with targets that are indices into labels.
        labels: of the dataset, as ``dataset.find_classes`` returns them.

    Returns:
        accuracy: top-1, 0-1.
        calibration_error: expected calibration error over 15 bins of equal width, 0-1 (Naeini et al., 2015).
        calibration_error_by_chance: its mean on equally many photos if the model were perfectly calibrated.
        reliability: for each non-empty bin the mean confidence, accuracy (both 0-1) and number of photos.
        in_distribution: fraction of the photos, 0-1, at or above the model's threshold.
        not_flowers: the same fraction of the images of ``strangers``, their number, and the AUROC of separating
            photos from them by ``in_distribution_score`` (None if the model has no feature bank).
        per_class: label -> precision and recall, 0-1, and number of photos; precision is 0 if the label was never
            predicted, recall is 0 if there is no photo of it.
        confusion_matrix: counts; rows are true, columns predicted labels, in the order of the config.
        photos: number of photos classified; an unreadable one is logged and skipped.

    Raises:
        InvalidModel: the model has other labels.
        InvalidDataset: no photo can be read.
    """
    outputs, targets = classify(classifier, photos, labels)
    probabilities = torch.softmax(outputs.logits.double() / classifier.config.temperature, dim=1)
    others = stack(classifier.outputs(image for _, image in strangers.images()))
    classes = len(classifier.config.labels)
    precision = MulticlassPrecision(classes, average="none")(probabilities, targets)
    recall = MulticlassRecall(classes, average="none")(probabilities, targets)
    return {
        "accuracy": (probabilities.argmax(1) == targets).double().mean().item(),
        "calibration_error": calibration_error(probabilities, targets),
        "calibration_error_by_chance": _calibration_error_by_chance(probabilities),
        "reliability": _reliability(probabilities, targets),
        "per_class": {
            label: {
                "precision": precision[index].item(),
                "recall": recall[index].item(),
                "count": int((targets == index).sum()),
            }
            for index, label in enumerate(classifier.config.labels)
        },
        "confusion_matrix": MulticlassConfusionMatrix(classes)(probabilities, targets).tolist(),
        "photos": len(targets),
        "in_distribution": outputs.in_distribution.double().mean().item(),
        "not_flowers": {
            "in_distribution": others.in_distribution.double().mean().item(),
            "auroc": _auroc(classifier, outputs.features, others.features),
            "pictures": len(others.features),
        },
    }


def classify(
    classifier: FlowerClassifier, photos: Sequence[Photo], labels: Sequence[str] = LABELS
) -> tuple[Output, Tensor]:
    """Return the outputs, stacked over N photos, and the targets (N,) of the photos that can be read.

    Raises:
        InvalidModel: the model has other labels.
        InvalidDataset: no photo can be read.
    """
    if classifier.config.labels != tuple(labels):
        raise InvalidModel(
            f"The model knows {', '.join(classifier.config.labels)}, but the photos show {', '.join(labels)}. "
            "Give a model and photos of the same classes."
        )
    targets: list[int] = []

    def readable() -> Iterator[images.Source]:
        for image, target in data.readable(tqdm(photos, desc="classifying", leave=False)):
            targets.append(target)
            yield image

    outputs = list(classifier.outputs(readable()))
    if not outputs:
        raise InvalidDataset("None of the photos can be read.")
    return stack(outputs), torch.tensor(targets)


def stack(outputs: Iterable[Output]) -> Output:
    """Stack the outputs of N photos: logits (N, classes), features (N, 128) and in_distribution (N,)."""
    return Output(*map(torch.stack, zip(*outputs, strict=True)))


def evaluate_corrupted(classifier: FlowerClassifier, photos: Sequence[Photo]) -> dict[str, float]:
    """Return top-1 accuracy, 0-1, on the photos under each corruption, and the mean of all.

    Raises:
        InvalidDataset: no photo can be read.
    """
    readable = list(data.readable(photos))
    if not readable:
        raise InvalidDataset("None of the photos can be read.")
    loaded, targets = zip(*readable, strict=True)
    accuracies = {}
    for name, corruption in tqdm(CORRUPTIONS.items(), desc="corrupting", leave=False):
        logits = stack(classifier.outputs(corrupt(loaded, corruption))).logits
        accuracies[name] = (logits.argmax(1) == torch.tensor(targets)).double().mean().item()
    return {**accuracies, "mean": sum(accuracies.values()) / len(accuracies)}


def calibration_error(probabilities: Tensor, targets: Tensor) -> float:
    """Return the expected calibration error, 0-1, of probabilities (N, classes) over ``CALIBRATION_BINS`` bins."""
    return MulticlassCalibrationError(probabilities.shape[1], CALIBRATION_BINS)(probabilities, targets).item()


def _calibration_error_by_chance(probabilities: Tensor, draws: int = 200) -> float:
    """Return the mean calibration error over random targets that are drawn from the probabilities themselves."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.multinomial(probabilities, draws, replacement=True, generator=generator)
    return sum(calibration_error(probabilities, targets) for targets in drawn.T) / draws


def _auroc(classifier: FlowerClassifier, flowers: Tensor, others: Tensor) -> float | None:
    """Return the AUROC of separating flowers' features (N, 128) from others' (M, 128); None without a feature bank."""
    if classifier.feature_bank is None:
        return None
    scores = in_distribution_score(torch.cat([flowers, others]), classifier.feature_bank)
    is_flower = torch.arange(len(scores)) < len(flowers)
    return BinaryAUROC()((scores + 1) / 2, is_flower.int()).item()  # cosine similarity, mapped to 0-1


def _reliability(probabilities: Tensor, targets: Tensor) -> list[dict[str, float]]:
    confidences, predicted = probabilities.max(1)
    bins = (confidences * CALIBRATION_BINS).long().clamp(max=CALIBRATION_BINS - 1)
    return [
        {
            "confidence": confidences[bins == index].mean().item(),
            "accuracy": (predicted == targets)[bins == index].double().mean().item(),
            "photos": int((bins == index).sum()),
        }
        for index in bins.unique().tolist()
    ]


def fit_threshold(scores: Tensor, recall: float = 0.95) -> float:
    """Return the threshold at or above which a fraction (0-1) of the scores (N,) lies."""
    return scores.quantile(1 - recall, interpolation="lower").item()


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


def plot_confusion_matrix(metrics: Metrics, file: Path) -> None:
    """Plot the confusion matrix: counts, shaded by the fraction of the true label's photos."""
    counts = torch.tensor(metrics["confusion_matrix"])
    labels = [plot_label(label) for label in metrics["per_class"]]
    fractions = counts / counts.sum(1, keepdim=True).clamp(min=1)
    classes, longest = len(labels), max(map(len, labels))
    steep = classes > 8 or longest > 12  # slanted labels would run into each other
    side = min(24.0, max(5.0, 0.34 * classes)) + 0.07 * max(0, longest - 10)
    figure, axes = pyplot.subplots(figsize=(side + 0.6, side), layout="constrained")
    axes.imshow(fractions, cmap="Greens", vmin=0, vmax=1)
    axes.set(
        xlabel="predicted",
        ylabel="true",
        title=f"accuracy {metrics['accuracy']:.1%} on {counted(metrics['photos'], 'photo')}",
    )
    points = min(10.0, 50 * side / classes)
    axes.set_xticks(range(classes), labels, rotation=90 if steep else 30, fontsize=points)
    axes.set_yticks(range(classes), labels, fontsize=points)
    shown = torch.ones_like(counts) if classes <= MOST_ZEROS else counts
    for row, column in shown.nonzero().tolist():
        color, count = "white" if fractions[row, column] > 0.5 else "black", str(counts[row, column].item())
        axes.text(column, row, count, ha="center", va="center", color=color, fontsize=points)
    _save(figure, file)


def plot_reliability(metrics: Metrics, file: Path) -> None:
    """Plot a reliability diagram: accuracy over confidence, one bar per bin, and the number of photos per bin."""
    figure, (upper, lower) = pyplot.subplots(
        2, 1, figsize=(4.6, 5.4), sharex=True, height_ratios=(3, 1), layout="constrained"
    )
    bins = metrics["reliability"]
    confidence, accuracy, photos = ([row[name] for row in bins] for name in ("confidence", "accuracy", "photos"))
    width = 0.9 / CALIBRATION_BINS
    upper.bar(confidence, accuracy, width, color="tab:green", alpha=0.7, label="this model")
    upper.plot((0, 1), (0, 1), "--", color="black", linewidth=1, label="perfect calibration")
    upper.set(
        ylabel="accuracy", title=f"calibration error {metrics['calibration_error']:.3f}", xlim=(0, 1), ylim=(0, 1)
    )
    upper.legend(loc="upper left")
    lower.bar(confidence, photos, width, color="tab:gray")
    lower.set(xlabel="confidence", ylabel="photos")
    _save(figure, file)


def plot_training_curves(history: Sequence[dict[str, float]], file: Path) -> None:
    """Plot training and validation loss and accuracy over the epochs."""
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
    _save(figure, file)


def plot_label(label: str, longest: int = 30) -> str:
    """Return a label as text of a plot: cut if it is long, and a dollar sign starts no formula."""
    text = label if len(label) <= longest else label[: longest - 1] + "…"
    return text.replace("$", r"\$")


def _save(figure: Figure, file: Path) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a label in a script that the font lacks
        figure.savefig(file, dpi=110)
    pyplot.close(figure)


def report(metrics: Metrics) -> str:
    """Return the metrics as a plain-text report."""
    corrupted = metrics.get("corrupted", {})
    width = max(12, *(len(name) + 2 for name in (*metrics["per_class"], *corrupted)))
    rows = [f"{'':<{width}}{'precision':>10}{'recall':>8}{'photos':>8}"]
    rows += [
        f"{label:<{width}}{row['precision']:>10.1%}{row['recall']:>8.1%}{row['count']:>8}"
        for label, row in metrics["per_class"].items()
    ]
    rows += [f"{name:<{width}}{accuracy:>10.1%}" for name, accuracy in corrupted.items()]
    return "\n".join(
        [
            f"accuracy           {metrics['accuracy']:.1%} of {counted(metrics['photos'], 'photo')}",
            f"calibration error  {metrics['calibration_error']:.3f} "
            f"({metrics['calibration_error_by_chance']:.3f} by chance alone)",
            f"in distribution    {metrics['in_distribution']:.1%} of the photos, "
            f"{metrics['not_flowers']['in_distribution']:.1%} of {metrics['not_flowers']['pictures']} other images",
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
    """Evaluate a model on photos sorted into class folders, one for each of its labels.

    Args:
        model: name of a shipped model, a model folder, or a repository of the Hugging Face Hub.
        data_folder: folder that holds a folder of photos for each class.
        split: split of the dataset; all takes every photo.
        corrupted: also measure accuracy under 13 corruptions.
        json_output: print the metrics as JSON.
    """
    try:
        classifier = load_classifier(model)
        photos = dataset.all_photos(data_folder) if split == "all" else dataset.split(data_folder)[split]
        metrics = evaluate(classifier, photos, dataset.find_classes(data_folder))
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
