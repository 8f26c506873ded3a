"""Evaluate a model: accuracy, calibration, out-of-distribution detection and confusion matrix.

python -m train.evaluate --model weights/alexnet-baseline --data flower_photos --split test --json
"""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import torch
import tyro
from torch import Tensor
from torchmetrics.classification import (
    BinaryAUROC,
    MulticlassCalibrationError,
    MulticlassConfusionMatrix,
    MulticlassPrecision,
    MulticlassRecall,
)

from flower_alexnet import LABELS, FlowerClassifier, InvalidModel, dataset, images, registry
from flower_alexnet.classifier import Output, load_classifier
from flower_alexnet.dataset import InvalidDataset, LabeledPhoto
from flower_alexnet.interval import accuracy_interval
from flower_alexnet.words import counted
from train import others as other_photos
from train.calibrate import fit_threshold
from train.outputs import check_labels, compressed_outputs, corrupted_logits, ood_outputs, outputs_and_targets
from train.recipes import InvalidRecipe

CALIBRATION_BINS = 15
"""Bins of equal width over confidence 0-1."""

HIGH_CONFIDENCE = 0.9
"""Lowest probability of a confident answer, which is worst where it is wrong."""

log = logging.getLogger(__name__)

Metrics = dict[str, Any]
"""What ``evaluate`` returns."""


def evaluate(
    classifier: FlowerClassifier,
    photos: Sequence[LabeledPhoto],
    labels: Sequence[str] = LABELS,
    others: Mapping[str, Output] | None = None,
) -> Metrics:
    """Classify photos through the library's inference path and compare the predictions with the labels.

    Args:
        classifier: the model.
        photos: with targets that are indices into labels.
        labels: of the dataset, as ``dataset.find_classes`` returns them.
        others: what ``ood_outputs`` returns of the same model; None measures pictures drawn by code alone.

    Returns:
        accuracy: top-1, 0-1.
        calibration_error: expected calibration error over 15 bins of equal width, 0-1 (Naeini et al., 2015).
        calibration_error_by_chance: its mean on equally many photos if the model were perfectly calibrated.
        reliability: for each non-empty bin the mean confidence, accuracy (both 0-1) and number of photos.
        in_distribution: fraction of the photos, 0-1, at or above the model's threshold.
        certain: fraction of the photos, 0-1, that are named without "if"; certain_accuracy: of these, top-1, 0-1, None
            if there are none.
        others: what ``ood_metrics`` returns for each of the others.
        per_class: label -> precision and recall, 0-1, and number of photos; precision is 0 if the label was never
            predicted, recall is 0 if there is no photo of it.
        confusion_matrix: counts; rows are true, columns predicted labels, in the order of the config.
        photos: number of photos classified; an unreadable one is logged and skipped.

    Raises:
        InvalidModel: the model has other labels.
        InvalidDataset: no photo can be read.
    """
    outputs, targets = outputs_and_targets(classifier, photos, labels)
    others = ood_outputs(classifier) if others is None else others
    probabilities = torch.softmax(outputs.logits.double() / classifier.config.temperature, dim=1)
    correct, certain = probabilities.argmax(1) == targets, _certain(classifier, outputs)
    classes = len(classifier.config.labels)
    precision = MulticlassPrecision(classes, average="none")(probabilities, targets)
    recall = MulticlassRecall(classes, average="none")(probabilities, targets)
    return {
        "accuracy": correct.double().mean().item(),
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
        "certain": certain.double().mean().item(),
        "certain_accuracy": correct[certain].double().mean().item() if certain.any() else None,
        "others": {name: ood_metrics(classifier, outputs, group) for name, group in others.items()},
    }


def ood_metrics(classifier: FlowerClassifier, photos: Output, ood: Output) -> dict[str, float | None]:
    """Measure how well a model tells photos of other things from photos of its classes.

    Args:
        classifier: the model.
        photos: its outputs for N photos of the classes, stacked.
        ood: its outputs for M out-of-distribution photos, stacked.

    Returns:
        photos: M.
        taken: fraction of these, 0-1, that are taken for one of the classes: that reach the model's threshold.
        certain: fraction of these, 0-1, that are named without "if".
        sure: fraction of those taken, 0-1, whose most probable label has a probability of 0.9 or more; None of none.
        auroc: area under the ROC curve of separating the two by the in-distribution probability, 0-1, where 0.5 is
            chance; None if the model has no in-distribution head.
        fpr95: fraction of these, 0-1, that a threshold takes which keeps 95 % of the photos; None likewise.
    """
    taken = _taken(classifier, ood)
    confidences = torch.softmax(ood.logits.double() / classifier.config.temperature, dim=1).max(1).values
    inside, outside = (torch.sigmoid(outputs.in_distribution_logit.double()) for outputs in (photos, ood))
    is_inside = torch.arange(len(inside) + len(outside)) < len(inside)
    has_head = classifier.in_distribution_head is not None
    return {
        "photos": len(outside),
        "taken": taken.double().mean().item(),
        "certain": _certain(classifier, ood).double().mean().item(),
        "sure": (confidences >= HIGH_CONFIDENCE)[taken].double().mean().item() if taken.any() else None,
        "auroc": BinaryAUROC()(torch.cat([inside, outside]), is_inside.int()).item() if has_head else None,
        "fpr95": (outside >= fit_threshold(inside)).double().mean().item() if has_head else None,
    }


def _certain(classifier: FlowerClassifier, outputs: Output) -> Tensor:
    """Return which of N stacked outputs are named without "if", bool (N,), as ``Prediction.verdict`` says."""
    each = zip(outputs.logits, outputs.in_distribution_logit, strict=True)
    return torch.tensor([classifier.prediction(Output(*output)).verdict == "certain" for output in each])


def _taken(classifier: FlowerClassifier, outputs: Output) -> Tensor:
    """Return which of N stacked outputs reach the model's threshold, bool (N,); all if it has none."""
    return torch.sigmoid(outputs.in_distribution_logit.double()) >= (classifier.config.threshold or 0)


def evaluate_corrupted(classifier: FlowerClassifier, photos: Sequence[LabeledPhoto]) -> dict[str, float]:
    """Return top-1 accuracy, 0-1, on the photos under each corruption, and the mean of all.

    Raises:
        InvalidDataset: no photo can be read.
    """
    corrupted, targets = corrupted_logits(classifier, photos)
    accuracies = {name: (logits.argmax(1) == targets).double().mean().item() for name, logits in corrupted.items()}
    return {**accuracies, "mean": sum(accuracies.values()) / len(accuracies)}


class Mistake(NamedTuple):
    """A photo that is given a wrong label.

    Args:
        path: the photo.
        true, said: its label, and the one that it is given.
        probability: of the one that it is given, 0-1.
        loss: cross-entropy.
    """

    path: Path
    true: str
    said: str
    probability: float
    loss: float


def mistakes(
    classifier: FlowerClassifier, photos: Sequence[LabeledPhoto], labels: Sequence[str] = LABELS
) -> list[Mistake]:
    """Return the photos that a model gives a wrong label, the one with the largest loss first.

    Raises:
        InvalidModel: the model has other labels.
    """
    check_labels(classifier, labels)
    found = []
    for photo, output in zip(photos, classifier.results(photo.path for photo in photos), strict=True):
        if isinstance(output, images.InvalidImage):
            continue
        probabilities = classifier.prediction(output).probabilities
        true, said = labels[photo.target], max(probabilities, key=lambda label: probabilities[label])
        if said != true:
            loss = -math.log(max(probabilities[true], sys.float_info.min))
            found.append(Mistake(photo.path, true, said, probabilities[said], loss))
    return sorted(found, key=lambda mistake: -mistake.loss)


def evaluate_compressed(
    classifier: FlowerClassifier, photos: Sequence[LabeledPhoto], others: Mapping[str, Sequence[Path]]
) -> dict[str, dict[str, Any]]:
    """Measure a model on photos of both kinds that were all saved anew in the same way.

    A model that tells the two by how they were compressed, which says where they come from, does worse then.

    Args:
        classifier: a model with an in-distribution head.
        photos: of its classes.
        others: photos of other things by the name of their sub-set.

    Returns:
        For each of ``COMPRESSIONS`` the accuracy, and in_distribution, the fraction at or above the threshold, of the
        photos, both 0-1; and of the others, by sub-set, ``taken`` and ``auroc`` as ``ood_metrics`` measures them.

    Raises:
        InvalidDataset: no photo, or none of a sub-set, can be read.
    """
    outputs, targets = compressed_outputs(classifier, photos)
    found: dict[str, dict[str, Any]] = {
        name: {
            "accuracy": (anew.logits.argmax(1) == targets).double().mean().item(),
            "in_distribution": _taken(classifier, anew).double().mean().item(),
            "others": {},
        }
        for name, anew in outputs.items()
    }
    for group, files in others.items():
        of_others, _ = compressed_outputs(classifier, [LabeledPhoto(file, 0) for file in files])
        for name, anew in of_others.items():
            measured = ood_metrics(classifier, outputs[name], anew)
            found[name]["others"][group] = {key: measured[key] for key in ("taken", "auroc")}
    return found


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
            f"accuracy           {metrics['accuracy']:.1%} of {counted(metrics['photos'], 'photo')} "
            f"(95 % interval: {_interval(metrics)})",
            f"calibration error  {metrics['calibration_error']:.3f} "
            f"({metrics['calibration_error_by_chance']:.3f} by chance alone)",
            f"taken as known     {metrics['in_distribution']:.1%} of the photos",
            *_report_of_certain(metrics),
            *rows,
            *filter(None, [most_confused(metrics)]),
            "",
            *_report_of_others(metrics["others"]),
            *_report_of_compressed(metrics.get("compressed", {})),
        ]
    )


def most_confused(metrics: Metrics) -> str | None:
    """Return which class was most often taken for which, in a sentence; None if there was no error."""
    labels, matrix = [*metrics["per_class"]], metrics["confusion_matrix"]
    errors = {
        (true, predicted): count
        for true, row in enumerate(matrix)
        for predicted, count in enumerate(row)
        if count and true != predicted
    }
    if not errors:
        return None
    true, predicted = max(errors, key=lambda pair: errors[pair])
    times = f"{errors[true, predicted]} of {counted(sum(matrix[true]), 'photo')}"
    return f"It errs most by taking {labels[true]} for {labels[predicted]}: {times}."


def _report_of_certain(metrics: Metrics) -> list[str]:
    if metrics["certain_accuracy"] is None:
        return []
    return [
        f"named without if   {metrics['certain']:.1%} of the photos ({round(metrics['certain'] * metrics['photos'])}), "
        f"{metrics['certain_accuracy']:.1%} of them right"
    ]


def _interval(metrics: Metrics) -> str:
    low, high = accuracy_interval(metrics["accuracy"], metrics["photos"])
    return f"{low:.1%} to {high:.1%}"


def _report_of_others(others: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    """Return a line of text for each sub-set of photos of other things, under a heading."""
    width = max(16, *(len(name) + 2 for name in others))
    titles = {"photos": 8, "taken": 8, "no if": 8, "of them at 90 %": 17, "AUROC": 8, "FPR at 95 % TPR": 17}
    lines = [f"{'other things':<{width}}" + "".join(f"{title:>{wide}}" for title, wide in titles.items())]
    for name, row in others.items():
        sure, fpr = ("-" if (value := row[key]) is None else f"{value:.1%}" for key in ("sure", "fpr95"))
        auroc = "-" if row["auroc"] is None else f"{row['auroc']:.3f}"
        lines.append(
            f"{name:<{width}}{row['photos']:>8}{row['taken']:>8.1%}{row['certain']:>8.1%}{sure:>17}{auroc:>8}{fpr:>17}"
        )
    return lines


def _report_of_compressed(compressed: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a table in plain text of photos that were saved anew; nothing if they were not measured."""
    if not compressed:
        return []
    width = max(len(name) + 2 for name in compressed)
    groups = [*next(iter(compressed.values()))["others"]]
    titles = "".join(f"{group + ': taken, AUROC':>{len(group) + 18}}" for group in groups)
    lines = ["", f"{'both saved anew':<{width}}{'accuracy':>10}{'kept':>8}{titles}"]
    for name, row in compressed.items():
        measured = [row["others"][group] for group in groups]
        texts = [f"{of_group['taken']:.1%}, {of_group['auroc']:.3f}" for of_group in measured]
        cells = "".join(f"{text:>{len(group) + 18}}" for group, text in zip(groups, texts, strict=True))
        lines.append(f"{name:<{width}}{row['accuracy']:>10.1%}{row['in_distribution']:>8.1%}{cells}")
    return lines


def main(
    model: str,
    data_folder: Annotated[Path, tyro.conf.arg(name="data")],
    split: Literal["test", "validation", "train", "all"] = "test",
    others: Path | None = None,
    corrupted: tyro.conf.FlagCreatePairsOff[bool] = False,
    json_output: Annotated[bool, tyro.conf.arg(name="json"), tyro.conf.FlagCreatePairsOff] = False,
    folds: int | None = None,
) -> None:
    """Evaluate a model on photos sorted into class folders, one for each of its labels.

    Args:
        model: name of a shipped model, a model folder, or a repository of the Hugging Face Hub.
        data_folder: folder that holds a folder of photos for each class.
        split: split of the dataset; all takes every photo.
        others: folder of photos that show none of the labels: also measure how many are taken for one of them, for each
            folder in it as well, and how it does on photos of both kinds that were saved anew. Photos that the model
            was trained on flatter it.
        corrupted: also measure accuracy under 13 corruptions.
        json_output: print the metrics as JSON.
        folds: instead, train by the model's recipe that many times, each time on other parts of the data, so that every
            photo is tested by a network that was not trained on it. For fewer than some hundred photos.
    """
    try:
        if folds is not None:
            from train.folds import cross_validate  # only here: it imports what trains

            if corrupted or json_output or split != "test":
                raise InvalidRecipe("folds: it goes without --split, --corrupted and --json.")
            print(cross_validate(registry.find_local(model), data_folder, folds, others))
            return
        classifier = load_classifier(model)
        photos = dataset.all_photos(data_folder) if split == "all" else dataset.split(data_folder)[split]
        subsets = other_photos.subfolders(others) if others else None
        if subsets:
            other_photos.check_apart(other_photos.listed(subsets), photos)
        labels = dataset.find_classes(data_folder)
        check_labels(classifier, labels)
        metrics = evaluate(classifier, photos, labels, ood_outputs(classifier, subsets))
        if subsets and classifier.in_distribution_head is not None:
            metrics["compressed"] = evaluate_compressed(classifier, photos, subsets)
        if corrupted:
            metrics["corrupted"] = evaluate_corrupted(classifier, photos)
    except (InvalidModel, InvalidDataset, InvalidRecipe) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("\nStopped. Nothing is kept.", file=sys.stderr)
        sys.exit(130)
    print(json.dumps(metrics, indent=2) if json_output else report(metrics))


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    tyro.cli(main, prog="python -m train.evaluate")
