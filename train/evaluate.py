"""Evaluate a model: accuracy, calibration, out-of-distribution detection, confusion matrix, and plots of them.

python -m train.evaluate --model weights/alexnet-baseline --data flower_photos --split test --json
"""

from __future__ import annotations

import json
import logging
import math
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import matplotlib
import torch
import tyro
from matplotlib import pyplot
from matplotlib.figure import Figure
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

from flower_alexnet import LABELS, FlowerClassifier, InvalidModel, dataset, images
from flower_alexnet.classifier import Output, load_classifier
from flower_alexnet.dataset import InvalidDataset, Photo
from flower_alexnet.words import counted
from train import data, drawn
from train import others as other_photos
from train.corruptions import CORRUPTIONS, corrupt

CALIBRATION_BINS = 15
"""Bins of equal width over confidence 0-1."""

TEMPERATURES = (0.2, 20.0)
"""Range of the softmax temperature. Without it, a handful of validation photos that are all classified correctly would
give 0, and every later answer a probability of 1; photos classified worse than at random would give infinity. The
models here, fitted on 367 photos, have temperatures of 0.38 to 1.25."""

CONFIDENCE_MARGIN = 0.01
"""Difference of mean confidence and accuracy that a temperature may cost for the sake of photos that look different."""

SURE = 0.9
"""Lowest probability of an answer that is counted as a sure one."""

ALL_OTHERS, DRAWN = "all photos", "drawn pictures"
"""Names of what all sub-sets of others are together, and of the sub-set that is drawn by code."""

MOST_ZEROS = 15
"""Most classes of a confusion matrix whose zeros are printed, too."""

log = logging.getLogger(__name__)

Metrics = dict[str, Any]
"""What ``evaluate`` returns."""


def evaluate(
    classifier: FlowerClassifier,
    photos: Sequence[Photo],
    labels: Sequence[str] = LABELS,
    others: Mapping[str, Output] | None = None,
) -> Metrics:
    """Classify photos through the library's inference path and compare the predictions with the labels.

    Args:
        classifier: the model.
        photos: with targets that are indices into labels.
        labels: of the dataset, as ``dataset.find_classes`` returns them.
        others: what ``outputs_of_others`` returns of the same model; None measures pictures drawn by code alone.

    Returns:
        accuracy: top-1, 0-1.
        calibration_error: expected calibration error over 15 bins of equal width, 0-1 (Naeini et al., 2015).
        calibration_error_by_chance: its mean on equally many photos if the model were perfectly calibrated.
        reliability: for each non-empty bin the mean confidence, accuracy (both 0-1) and number of photos.
        in_distribution: fraction of the photos, 0-1, at or above the model's threshold.
        others: what ``told_apart`` returns for each of the others.
        per_class: label -> precision and recall, 0-1, and number of photos; precision is 0 if the label was never
            predicted, recall is 0 if there is no photo of it.
        confusion_matrix: counts; rows are true, columns predicted labels, in the order of the config.
        photos: number of photos classified; an unreadable one is logged and skipped.

    Raises:
        InvalidModel: the model has other labels.
        InvalidDataset: no photo can be read.
    """
    outputs, targets = classify(classifier, photos, labels)
    others = outputs_of_others(classifier) if others is None else others
    probabilities = torch.softmax(outputs.logits.double() / classifier.config.temperature, dim=1)
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
        "in_distribution": _taken(classifier, outputs).double().mean().item(),
        "others": {name: told_apart(classifier, outputs, group) for name, group in others.items()},
    }


def told_apart(classifier: FlowerClassifier, photos: Output, others: Output) -> dict[str, float | None]:
    """Measure how well a model tells photos of other things from photos of its classes.

    Args:
        classifier: the model.
        photos: its outputs for N photos of the classes, stacked.
        others: its outputs for M photos of other things, stacked.

    Returns:
        photos: M.
        taken: fraction of the others, 0-1, that are taken for one of the classes: that reach the model's threshold.
        sure: fraction of those taken, 0-1, whose most probable label has a probability of 0.9 or more; None of none.
        auroc: area under the ROC curve of separating the two by the in-distribution probability, 0-1, where 0.5 is
            chance; None if the model has no in-distribution head.
        fpr95: fraction of the others, 0-1, that a threshold takes which keeps 95 % of the photos; None likewise.
    """
    taken = _taken(classifier, others)
    sure = torch.softmax(others.logits.double() / classifier.config.temperature, dim=1).max(1).values >= SURE
    known, unknown = (torch.sigmoid(it.in_distribution_logit.double()) for it in (photos, others))
    can_tell = classifier.in_distribution_head is not None
    is_known = torch.arange(len(known) + len(unknown)) < len(known)
    return {
        "photos": len(unknown),
        "taken": taken.double().mean().item(),
        "sure": sure[taken].double().mean().item() if taken.any() else None,
        "auroc": BinaryAUROC()(torch.cat([known, unknown]), is_known.int()).item() if can_tell else None,
        "fpr95": (unknown >= fit_threshold(known)).double().mean().item() if can_tell else None,
    }


def _taken(classifier: FlowerClassifier, outputs: Output) -> Tensor:
    """Return which of N stacked outputs reach the model's threshold, bool (N,); all if it has none."""
    return torch.sigmoid(outputs.in_distribution_logit.double()) >= (classifier.config.threshold or 0)


def outputs_of_others(
    classifier: FlowerClassifier, others: Mapping[str, Sequence[Path]] | None = None
) -> dict[str, Output]:
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
        if found := [it for it in results if not isinstance(it, images.InvalidImage)]:
            outputs[name] = found
    every = {ALL_OTHERS: [output for group in outputs.values() for output in group]} if outputs else {}
    drawings = {DRAWN: list(classifier.outputs(image for _, image in drawn.images()))}
    groups = every | (outputs if len(outputs) > 1 else {}) | drawings
    return {name: stack(group) for name, group in groups.items()}


def classify_corrupted(classifier: FlowerClassifier, photos: Sequence[Photo]) -> tuple[dict[str, Tensor], Tensor]:
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


def classify(
    classifier: FlowerClassifier, photos: Sequence[Photo], labels: Sequence[str] = LABELS
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
            log.warning("left out %s: %s", photo.path, result)
        else:
            targets.append(photo.target)
            outputs.append(result)
    if not outputs:
        raise InvalidDataset("None of the photos can be read.")
    return stack(outputs), torch.tensor(targets)


def stack(outputs: Iterable[Output]) -> Output:
    """Stack the outputs of N photos: logits (N, classes) and in_distribution_logit (N,)."""
    return Output(*map(torch.stack, zip(*outputs, strict=True)))


def evaluate_corrupted(classifier: FlowerClassifier, photos: Sequence[Photo]) -> dict[str, float]:
    """Return top-1 accuracy, 0-1, on the photos under each corruption, and the mean of all.

    Raises:
        InvalidDataset: no photo can be read.
    """
    corrupted, targets = classify_corrupted(classifier, photos)
    accuracies = {name: (logits.argmax(1) == targets).double().mean().item() for name, logits in corrupted.items()}
    return {**accuracies, "mean": sum(accuracies.values()) / len(accuracies)}


def calibration_error(probabilities: Tensor, targets: Tensor) -> float:
    """Return the expected calibration error, 0-1, of probabilities (N, classes) over ``CALIBRATION_BINS`` bins."""
    return MulticlassCalibrationError(probabilities.shape[1], CALIBRATION_BINS)(probabilities, targets).item()


def _calibration_error_by_chance(probabilities: Tensor, draws: int = 200) -> float:
    """Return the mean calibration error over random targets that are drawn from the probabilities themselves."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.multinomial(probabilities, draws, replacement=True, generator=generator)
    return sum(calibration_error(probabilities, targets) for targets in drawn.T) / draws


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


def fit_in_distribution(known: Tensor, unknown: Tensor) -> tuple[float, float]:
    """Return scale and shift that turn in-distribution logits into those of calibrated probabilities.

    It is a logistic regression with the smoothed targets of Platt (1999), which stay finite where the two are
    separated; both count as many as there are of them.

    Args:
        known: logits of N photos of the classes, (N,).
        unknown: logits of M photos of other things, (M,).
    """
    logits = torch.cat([known, unknown]).double()
    targets = torch.cat(
        [
            torch.full((len(known),), (len(known) + 1) / (len(known) + 2)),
            torch.full((len(unknown),), 1 / (len(unknown) + 2)),
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


def fit_temperature_off_the_dataset(logits: Tensor, corrupted: Tensor, targets: Tensor) -> float:
    """Return the temperature nearest to what corrupted photos need at which photos as they are stay calibrated.

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
            f"taken as known     {metrics['in_distribution']:.1%} of the photos",
            *rows,
            "",
            *_report_of_others(metrics["others"]),
        ]
    )


def _report_of_others(others: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    """Return a line of text for each sub-set of photos of other things, under a heading."""
    width = max(16, *(len(name) + 2 for name in others))
    lines = [
        f"{'other things':<{width}}{'photos':>8}{'taken':>8}{'of them at 90 %':>17}{'AUROC':>8}{'FPR at 95 % TPR':>17}"
    ]
    for name, row in others.items():
        sure, fpr = ("-" if (value := row[key]) is None else f"{value:.1%}" for key in ("sure", "fpr95"))
        auroc = "-" if row["auroc"] is None else f"{row['auroc']:.3f}"
        lines.append(f"{name:<{width}}{row['photos']:>8}{row['taken']:>8.1%}{sure:>17}{auroc:>8}{fpr:>17}")
    return lines


def main(
    model: str,
    data_folder: Annotated[Path, tyro.conf.arg(name="data")],
    split: Literal["test", "validation", "train", "all"] = "test",
    others: Path | None = None,
    corrupted: tyro.conf.FlagCreatePairsOff[bool] = False,
    json_output: Annotated[bool, tyro.conf.arg(name="json"), tyro.conf.FlagCreatePairsOff] = False,
) -> None:
    """Evaluate a model on photos sorted into class folders, one for each of its labels.

    Args:
        model: name of a shipped model, a model folder, or a repository of the Hugging Face Hub.
        data_folder: folder that holds a folder of photos for each class.
        split: split of the dataset; all takes every photo.
        others: folder of photos that show none of the labels: also measure how many are taken for one of them, for each
            folder in it as well. Photos that the model was trained on flatter it.
        corrupted: also measure accuracy under 13 corruptions.
        json_output: print the metrics as JSON.
    """
    try:
        classifier = load_classifier(model)
        photos = dataset.all_photos(data_folder) if split == "all" else dataset.split(data_folder)[split]
        subsets = other_photos.subfolders(others) if others else None
        if subsets:
            other_photos.check_apart(other_photos.listed(subsets), photos)
        labels = dataset.find_classes(data_folder)
        check_labels(classifier, labels)
        metrics = evaluate(classifier, photos, labels, outputs_of_others(classifier, subsets))
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
