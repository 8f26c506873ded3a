"""Write a model folder: weights, configuration, metrics, plots and model card of a trained network.

python -m train.export measure runs/alexnet-bn --data flower_photos --seeds runs/alexnet-bn-1 runs/alexnet-bn-2
python -m train.export onnx runs/alexnet-bn

The first evaluates a model folder again, and adds the mean test accuracy over runs of the same recipe from other random
seeds. The second writes the model as ``model.onnx`` beside its weights, and in 8 bits as ``model_int8.onnx``.
"""

from __future__ import annotations

import json
import logging
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import matplotlib
import torch
import tyro

from flower_alexnet import FlowerClassifier, InvalidModel, model_folder, registry
from flower_alexnet.dataset import InvalidDataset, LabeledPhoto, find_classes, split
from flower_alexnet.model import NetworkWithHead
from flower_alexnet.model_folder import (
    CARD,
    CONFUSION_MATRIX,
    HEAD,
    LABELS_FILE,
    METRICS,
    ONNX,
    ONNX_INT8,
    RELIABILITY,
    TRAINING_CURVES,
    mistakes_of,
)
from flower_alexnet.words import counted, printable
from train import evaluate, plots
from train.calibrate import calibrated
from train.card import card
from train.checkpoint import History
from train.data import describe, find_elsewhere, shown_path
from train.flower_photos import FINGERPRINTS, find_or_download
from train.others import OtherPhotos, find_again
from train.others import describe as describe_others
from train.others import split as split_others
from train.outputs import ood_outputs
from train.recipes import Recipe

Name = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]

TIMED = 50
"""Answers whose median time is that of one."""

Summary = dict[str, Any]
"""The content of ``metrics.json``: dataset, recipe, training, history, validation, test, speed, and
seeds if several were trained."""


def summarize(name: str, recipe: Recipe, history: History, photos: int, processes: int = 1) -> Summary:
    """Return the summary of a training run, before evaluation.

    Args:
        name: the recipe's name on the command line.
        recipe: the hyperparameters.
        history: one row of measurements per epoch.
        photos: number of training photos.
        processes: number of processes that trained together.
    """
    training = {
        "epochs": len(history),
        "photos": photos,
        "processes": processes,
        "minutes": sum(row["seconds"] for row in history) / 60,
        "machine": machine(),
        "torch": str(torch.__version__),
    }
    return {"recipe": {"name": name, **asdict(recipe)}, "training": training, "history": history}


def write_model_folder(
    classifier: FlowerClassifier,
    summary: Summary,
    splits: dict[str, list[LabeledPhoto]],
    folder: Path,
    other_photos: OtherPhotos | None = None,
    seeds: Sequence[Summary] = (),
    elsewhere: Sequence[LabeledPhoto] = (),
) -> Summary:
    """Calibrate the model on validation photos, evaluate it, and write every file of a model folder.

    Args:
        classifier: the trained network, its in-distribution head if it has one, and its config; the scale of the head
            and the config's temperature and threshold are fitted anew.
        summary: what ``summarize`` returns, and the ``dataset`` that ``data.describe`` returns; metrics in it are
            replaced.
        splits: photos by split, as ``dataset.split`` returns them.
        folder: folder to write; existing files are replaced atomically.
        other_photos: of other things, as ``others.split`` returns them; needed if the model has a head.
        seeds: summaries of runs of the same recipe with other random seeds.
        elsewhere: photos of the same classes from elsewhere, to calibrate on beside those of validation, and to
            measure on.

    Returns:
        The summary with the metrics of validation and test, and of elsewhere if there are such photos.

    Raises:
        InvalidModel: the dataset has other labels than the classifier; one of the seeds is of another recipe, or has a
            random seed that occurs already.
    """
    _check_seeds([summary, *seeds])  # before minutes of work
    classifier.network.half().float()  # evaluate the weights as stored, rounded to float16
    labels = summary["dataset"]["labels"]
    others = other_photos["validation"] if other_photos else {}
    classifier = calibrated(classifier, splits["validation"], labels, others, elsewhere)
    outputs = ood_outputs(classifier, others)
    parts = {"validation": splits["validation"], "test": splits["test"]}
    if elsewhere:
        parts["elsewhere"] = [*elsewhere]
    metrics = {name: evaluate.evaluate(classifier, photos, labels, outputs) for name, photos in parts.items()}
    if others and classifier.in_distribution_head is not None:
        for name in parts.keys() - {"validation"}:
            metrics[name]["compressed"] = evaluate.evaluate_compressed(classifier, parts[name], others)
    summary = {name: value for name, value in summary.items() if name != "elsewhere"} | metrics
    summary.pop("seeds", None)  # of an earlier measurement
    if seeds:
        summary["seeds"] = _over_seeds([summary, *seeds])
    summary["speed"] = speed(classifier)
    found = evaluate.mistakes(classifier, splits["test"], labels)
    if summary["dataset"].get("photos") in FINGERPRINTS:  # whose names tell nothing of anybody
        summary["test"]["mistakes"] = [
            {"photo": f"{it.true}/{it.path.stem}", "said": it.said, "probability": it.probability} for it in found
        ]

    with model_folder.rewriting(folder) as new:
        card(classifier, summary, folder).save(new / CARD)
        (new / METRICS).write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        plots.plot_confusion_matrix(summary["test"], new / CONFUSION_MATRIX)
        plots.plot_reliability(summary["test"], new / RELIABILITY)
        plots.plot_training_curves(summary["history"], new / TRAINING_CURVES)
        classifier.network.save_pretrained(new, config=classifier.config)
        if classifier.in_distribution_head is not None:
            model_folder.write_tensors(classifier.in_distribution_head.state_dict(), new / HEAD)
    file = mistakes_of(folder)
    if found:
        plots.plot_mistakes(found, file)
    else:
        file.unlink(missing_ok=True)
    return summary


def told_mistakes(test: dict[str, Any], folder: Path) -> str:
    """Return, in a sentence, where the picture of the test photos is that a model gets wrong."""
    photos = counted(test["photos"], "test photo")
    wrong = test["photos"] - sum(row[index] for index, row in enumerate(test["confusion_matrix"]))
    if not wrong:
        return f"It gets none of the {photos} wrong."
    return f"The photos that it gets wrong, {wrong} of {photos}, are in {mistakes_of(folder)}."


def machine() -> str:
    """Return the hardware that torch uses here, such as "2 cores of AMD EPYC"."""
    if torch.cuda.is_available():
        return f"one {torch.cuda.get_device_name()}"
    name = torch.cpu.get_capabilities().get("cpu_name") or "processor"
    cores = torch.get_num_threads()
    return f"{cores} core{'s' if cores > 1 else ''} of {name}"


def measure(
    name: Name,
    data: Path | None = None,
    others: Path | None = None,
    elsewhere: Path | None = None,
    seeds: tuple[Path, ...] = (),
) -> None:
    """Evaluate a model folder again and rewrite its configuration, metrics, plots and model card.

    Args:
        name: a model folder, or the name of a shipped model.
        data: folder of class folders; if not given, found or downloaded as python -m train does.
        others: folder of photos of other things that the model was trained beside; found or made likewise.
        elsewhere: folder of class folders with photos of the same classes from elsewhere, all to calibrate and measure
            on.
        seeds: model folders of the same recipe, trained with other random seeds; the card gives the mean of all.
    """
    folder = registry.find_local(name)
    classifier, summary = FlowerClassifier.from_pretrained(folder), _read_summary(folder)
    runs = [_read_summary(seed) for seed in seeds]
    data = data or find_or_download()
    splits, labels = split(data), find_classes(data)
    dataset, trained_on = describe(data, labels, splits), summary.get("dataset", {}).get("photos")
    same = FINGERPRINTS if dataset["photos"] in FINGERPRINTS else (dataset["photos"],)
    if list(classifier.config.labels) == dataset["labels"] and trained_on not in (None, *same):
        raise InvalidDataset(
            f"{folder} was trained on other photos than those of {data}: the names or contents of the files to train "
            "and validate on differ, so its test photos may have been trained on. Give the data of the run, or "
            "evaluate with python -m train.evaluate, which changes no file."
        )
    other_photos = None
    if classifier.in_distribution_head is not None:
        beside = summary.get("dataset", {}).get("others", {})
        others = find_again(others, beside)
        other_photos = split_others(others)
        dataset["others"] = describe_others(others, other_photos)
        if beside.get("photos") not in (None, dataset["others"]["photos"]):
            raise InvalidDataset(
                f"{folder} was trained beside other photos than those of {others}: its threshold would be fitted to "
                "strangers of other kinds. Give those of the run, or evaluate with python -m train.evaluate --others, "
                "which changes no file."
            )
    summary["dataset"] = dataset
    photos_elsewhere = find_elsewhere(elsewhere, labels)
    if elsewhere:
        dataset["elsewhere"] = printable(elsewhere.resolve().name)
        dataset["elsewhere_path"] = shown_path(elsewhere)
    summary = write_model_folder(classifier, summary, splits, folder, other_photos, runs, photos_elsewhere)
    if (folder / ONNX).exists():
        onnx(str(folder))  # its temperature is another one now
    print(evaluate.report(summary["test"]))
    print(told_mistakes(summary["test"], folder))


def onnx(name: Name, data: Path | None = None) -> None:
    """Write a model as model.onnx beside its weights: uint8 crops in, calibrated probabilities out; and labels.json.

    Also model_int8.onnx, with its linear layers in 8 bits.

    Args:
        name: a model folder, or the name of a shipped model.
        data: folder of class folders, on whose test photos both files are measured; if not given, neither is.
    """
    from train import onnx as files  # only here, because it needs ONNX Runtime

    folder = registry.find_local(name)
    classifier = FlowerClassifier.from_pretrained(folder)
    difference = files.write_onnx(classifier, folder / ONNX)
    other = files.write_int8(classifier, folder / ONNX, folder / ONNX_INT8)
    (folder / LABELS_FILE).write_text(json.dumps(classifier.config.labels) + "\n", encoding="utf-8")
    print(f"{folder / ONNX}: the probabilities are the classifier's to {max(difference, 1e-7):.0e}.")
    print(f"{folder / ONNX_INT8}: those of drawn pictures differ by up to {max(other, 1e-3):.3f}.")
    if data is not None:
        photos, labels = split(data)["test"], find_classes(data)
        if labels != classifier.config.labels:
            raise InvalidDataset(f"{data} has other classes than {folder}: {', '.join(labels)}.")
        for file in (ONNX, ONNX_INT8):
            right = files.accuracy(classifier, folder / file, photos)
            print(f"{file}: {right:.1%} of {counted(len(photos), 'test photo')} right")


def main() -> None:
    """Run the command line; print an expected error in one line and exit with code 2."""
    matplotlib.use("Agg")
    logging.basicConfig(format="%(message)s")
    try:
        tyro.extras.subcommand_cli_from_dict({"measure": measure, "onnx": onnx}, prog="python -m train.export")
    except (InvalidModel, InvalidDataset) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(f"The model folder was not written: {error}.", file=sys.stderr)
        sys.exit(2)


def _read_summary(folder: Path) -> Summary:
    file = folder / METRICS
    try:
        summary = json.loads(file.read_text(encoding="utf-8"))
        for part, field in (("recipe", "seed"), ("training", "minutes"), ("test", "accuracy"), ("history", 0)):
            summary[part][field]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InvalidModel(f"{file} is missing or is not what python -m train writes ({error}).") from error
    return summary


def _check_seeds(runs: Sequence[Summary]) -> None:
    """Raise ``InvalidModel`` if runs differ in more than their random seed, or one of these occurs twice."""
    first, *others = (run["recipe"] for run in runs)
    for other in others:
        for name in sorted((first.keys() | other.keys()) - {"seed"}):
            if first.get(name) != other.get(name):
                raise InvalidModel(
                    f"The runs given to --seeds must be of the same recipe: {name} is {first.get(name)} in one and "
                    f"{other.get(name)} in another."
                )
    if len({run["recipe"]["seed"] for run in runs}) < len(runs):
        raise InvalidModel("The runs given to --seeds must each have another seed.")
    photos = {run["dataset"]["photos"] for run in runs if "photos" in run.get("dataset", {})}
    if len(photos) > 1 and not photos <= set(FINGERPRINTS):
        raise InvalidModel("The runs given to --seeds must be on the same photos.")


def _over_seeds(runs: Sequence[Summary]) -> dict[str, Any]:
    """Return mean and standard deviation of test accuracy, 0-1, over runs that differ only in their random seed, and
    as ``figures`` those of what else all of them measured, by its name."""
    rows = [_figures(run) for run in runs]
    figures = {
        name: [compute([row[name] for row in rows]) for compute in (statistics.mean, statistics.stdev)]
        for name in rows[0]
        if all(name in row for row in rows)
    }
    mean, deviation = figures.pop("test: right")
    return {"runs": len(runs), "mean": mean, "deviation": deviation, "figures": figures}


def _figures(run: Summary) -> dict[str, float]:
    """Return the figures of a run, 0-1, whose spread over seeds a card tells."""
    figures: dict[str, float] = {}
    for part in ("test", "elsewhere"):
        if part in run:
            figures[f"{part}: right"] = run[part]["accuracy"]
            if run[part].get("in_distribution") is not None:
                figures[f"{part}: kept"] = run[part]["in_distribution"]
            for how, anew in run[part].get("compressed", {}).items():
                figures[f"{part}: kept, {how}"] = anew["in_distribution"]
    for group, measured in run["test"].get("others", {}).items():
        figures[f"{group}: taken"] = measured["taken"]
        if measured.get("certain") is not None:
            figures[f'{group}: named without "if"'] = measured["certain"]
    return figures


def speed(classifier: FlowerClassifier) -> dict[str, Any]:
    """Return how long the network takes for one photo that is decoded and cropped, by the median of some on this
    machine, and the machine."""
    network = NetworkWithHead(classifier.network, classifier.in_distribution_head).eval()
    side, seconds = classifier.config.preprocessing.crop, []
    images = torch.zeros(1, 3, side, side, device=next(network.parameters()).device)
    with torch.inference_mode():
        for _ in range(TIMED):
            started = time.perf_counter()
            network(images)[0].cpu()
            seconds.append(time.perf_counter() - started)
    return {"milliseconds": 1000 * statistics.median(seconds), "machine": machine()}


if __name__ == "__main__":
    main()
