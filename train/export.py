"""A trained network -> a model folder: weights, configuration, measurements, plots and model card.

python -m train.export weights/alexnet-bn --data flower_photos --seeds runs/seed-1 runs/seed-2

measures a model folder again and adds the test accuracies of the same recipe's other seeds.
"""

from __future__ import annotations

import json
import logging
import shutil
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import matplotlib
import torch
import tyro
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from safetensors.torch import save_file
from torch.nn import functional as F

from flower_alexnet import FlowerClassifier, InvalidModel
from flower_alexnet.classifier import REFERENCES, in_distribution_score
from flower_alexnet.dataset import InvalidDataset, Photo, split
from flower_alexnet.files import put
from train import evaluate
from train.checkpoint import History
from train.data import find_or_download
from train.recipes import Recipe

REFERENCE_STEP = 6
"""One in so many training photos is a reference."""

CARD_TEMPLATE = Path(__file__).with_name("model_card.md")

Summary = dict[str, Any]
"""What ``metrics.json`` holds: recipe, training, validation, test, history, and the seeds if there are several."""


def summarise(name: str, recipe: Recipe, history: History, photos: int) -> Summary:
    """How a network came about: its recipe with the name it has on the command line, and photos trained on."""
    training = {
        "epochs": len(history),
        "photos": photos,
        "minutes": sum(row["seconds"] for row in history) / 60,
        "machine": machine(),
        "torch": str(torch.__version__),
    }
    return {"recipe": {"name": name, **asdict(recipe)}, "training": training, "history": history}


def write_model_folder(
    classifier: FlowerClassifier,
    summary: Summary,
    splits: dict[str, list[Photo]],
    folder: Path,
    others: Sequence[Summary] = (),
) -> Summary:
    """Fit temperature and threshold on validation photos, measure, and write every file of a model folder.

    Args:
        classifier: its references, and temperature and threshold of its config, are replaced.
        summary: what ``summarise`` returns; measurements are put in place of any it has.
        splits: photos by the names of ``dataset.split``.
        folder: files of the same names in it are replaced.
        others: summaries of runs of the same recipe from other seeds.

    Returns:
        The summary with the measurements.

    Raises:
        InvalidModel: one of the others is of another recipe, or of a seed that is there already.
    """
    classifier.network.half().float()  # what is measured is what is stored
    references = F.normalize(evaluate.classify(classifier, splits["train"][::REFERENCE_STEP])[0].features, dim=1)
    outputs, labels = evaluate.classify(classifier, splits["validation"])
    config = replace(
        classifier.config,
        temperature=evaluate.fit_temperature(outputs.logits, labels),
        threshold=evaluate.fit_threshold(in_distribution_score(outputs.features, references)),
    )
    references = references.half()
    classifier = FlowerClassifier(classifier.network, config, references.float())
    measured = {part: evaluate.evaluate(classifier, splits[part]) for part in ("validation", "test")}
    summary = {**summary, **measured}
    if others:
        summary["seeds"] = _seeds([summary, *others])

    aside = folder / "model.part"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    _card(classifier, summary, folder.resolve().name).save(aside / "README.md")
    (aside / "metrics.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    evaluate.plot_confusion_matrix(summary["test"], aside / "confusion_matrix.png")
    evaluate.plot_reliability(summary["test"], aside / "reliability.png")
    evaluate.plot_training_curves(summary["history"], aside / "training_curves.png")
    classifier.network.save_pretrained(aside, config=config)
    save_file({"features": references}, aside / REFERENCES)
    for file in aside.iterdir():
        file.chmod(0o644)  # safetensors writes files that only their owner may read
        put(file, folder / file.name)
    aside.rmdir()
    return summary


def machine() -> str:
    """The machine in words, such as "2 cores of an AMD EPYC"."""
    if torch.cuda.is_available():
        return f"one {torch.cuda.get_device_name()}"
    name = torch.cpu.get_capabilities().get("cpu_name") or "processor"
    cores = torch.get_num_threads()
    return f"{cores} core{'s' if cores > 1 else ''} of {name}"


def main(folder: tyro.conf.Positional[Path], data: Path | None = None, seeds: tuple[Path, ...] = ()) -> None:
    """Measure a model folder again and write its configuration, metrics, plots and card anew.

    Args:
        folder: the model folder.
        data: folder of flower photos; if not given, found or downloaded as python -m train does.
        seeds: model folders of the same recipe trained from other seeds; the card gives the mean of all.
    """
    try:
        classifier, summary = FlowerClassifier.from_pretrained(folder), _read_summary(folder)
        others = [_read_summary(seed) for seed in seeds]
        summary = write_model_folder(classifier, summary, split(data or find_or_download()), folder, others)
    except (InvalidModel, InvalidDataset) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    print(evaluate.report(summary["test"]))


def _read_summary(folder: Path) -> Summary:
    file = folder / "metrics.json"
    try:
        summary = json.loads(file.read_text(encoding="utf-8"))
        summary["recipe"], summary["test"]["accuracy"]  # a KeyError if they are not there
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidModel(f"{file} is missing or is not what python -m train writes ({error}).") from error
    return summary


def _seeds(runs: Sequence[Summary]) -> dict[str, float]:
    """Mean and standard deviation of test accuracy, 0-1, over runs that differ in nothing but their seed."""
    seeds = {run["recipe"]["seed"] for run in runs}
    if len(seeds) < len(runs) or any({**run["recipe"], "seed": 0} != {**runs[0]["recipe"], "seed": 0} for run in runs):
        raise InvalidModel("The runs given to --seeds must be of the same recipe, each with another seed.")
    accuracies = [run["test"]["accuracy"] for run in runs]
    return {"runs": len(runs), "mean": statistics.mean(accuracies), "deviation": statistics.stdev(accuracies)}


def _card(classifier: FlowerClassifier, summary: Summary, name: str) -> ModelCard:
    test = summary["test"]
    result = EvalResult(
        task_type="image-classification",
        dataset_type="flower_photos",
        dataset_name="flower_photos",
        dataset_split="test",
        metric_type="accuracy",
        metric_name="test accuracy",
        metric_value=round(test["accuracy"], 4),
    )
    card_data = ModelCardData(
        model_name=name,
        license="apache-2.0",
        library_name="flower_alexnet",
        pipeline_tag="image-classification",
        tags=["alexnet", "flowers", "image-classification", "pytorch"],
        datasets=["flower_photos"],
        metrics=["accuracy"],
        eval_results=[result],
    )
    recipe = {field: value for field, value in summary["recipe"].items() if field != "name"}
    return ModelCard.from_template(
        card_data,
        template_path=str(CARD_TEMPLATE),
        name=name,
        description=(
            "AlexNet at half width with batch normalisation after each convolution."
            if recipe["batch_norm"]
            else "AlexNet at half width, the network of the blog post layer for layer."
        ),
        recipe_name=summary["recipe"]["name"],
        recipe=recipe,
        training=summary["training"],
        validation=summary["validation"],
        test=test,
        seeds=summary.get("seeds"),
        parameters=sum(parameter.numel() for parameter in classifier.network.parameters()),
        preprocessing=classifier.config.preprocessing,
        temperature=classifier.config.temperature,
    )


if __name__ == "__main__":
    matplotlib.use("Agg")
    logging.basicConfig(format="%(message)s")
    tyro.cli(main, prog="python -m train.export")
