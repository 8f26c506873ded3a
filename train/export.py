"""Write a model folder: weights, configuration, metrics, plots and model card of a trained network.

python -m train.export weights/alexnet-bn --data flower_photos --seeds runs/alexnet-bn-1 runs/alexnet-bn-2

evaluates a model folder again, and adds the mean test accuracy over runs of the same recipe from other random seeds.
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
from flower_alexnet.classifier import FEATURE_BANK, in_distribution_score
from flower_alexnet.dataset import InvalidDataset, Photo, split
from flower_alexnet.files import replace_atomically
from train import evaluate
from train.checkpoint import History
from train.data import find_or_download
from train.recipes import Recipe

FEATURE_BANK_STEP = 6
"""Every sixth training photo goes into the feature bank."""

CARD_TEMPLATE = Path(__file__).with_name("model_card.md")
"""Jinja template of the model card."""

Summary = dict[str, Any]
"""The content of ``metrics.json``: recipe, training, history, validation, test, and seeds if several were trained."""


def summarize(name: str, recipe: Recipe, history: History, photos: int) -> Summary:
    """Return the summary of a training run, before evaluation.

    Args:
        name: the recipe's name on the command line.
        recipe: the hyperparameters.
        history: one row of measurements per epoch.
        photos: number of training photos.
    """
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
    """Fit temperature and threshold on validation photos, evaluate, and write every file of a model folder.

    Args:
        classifier: the trained network and its config; the config's temperature and threshold and the feature bank are
            computed anew.
        summary: what ``summarize`` returns; metrics in it are replaced.
        splits: photos by split, as ``dataset.split`` returns them.
        folder: folder to write; existing files are replaced atomically.
        others: summaries of runs of the same recipe with other random seeds.

    Returns:
        The summary with validation and test metrics.

    Raises:
        InvalidModel: one of the others is of another recipe, or has a random seed that occurs already.
    """
    classifier.network.half().float()  # evaluate the weights as stored, rounded to float16
    feature_bank = F.normalize(evaluate.classify(classifier, splits["train"][::FEATURE_BANK_STEP])[0].features, dim=1)
    outputs, targets = evaluate.classify(classifier, splits["validation"])
    config = replace(
        classifier.config,
        temperature=evaluate.fit_temperature(outputs.logits, targets),
        threshold=evaluate.fit_threshold(in_distribution_score(outputs.features, feature_bank)),
    )
    feature_bank = feature_bank.half()
    classifier = FlowerClassifier(classifier.network, config, feature_bank.float())
    metrics = {name: evaluate.evaluate(classifier, splits[name]) for name in ("validation", "test")}
    summary = {**summary, **metrics}
    if others:
        summary["seeds"] = _over_seeds([summary, *others])

    temporary = folder / "model.part"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    _card(classifier, summary, folder.resolve().name).save(temporary / "README.md")
    (temporary / "metrics.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    evaluate.plot_confusion_matrix(summary["test"], temporary / "confusion_matrix.png")
    evaluate.plot_reliability(summary["test"], temporary / "reliability.png")
    evaluate.plot_training_curves(summary["history"], temporary / "training_curves.png")
    classifier.network.save_pretrained(temporary, config=config)
    save_file({"features": feature_bank}, temporary / FEATURE_BANK)
    for file in temporary.iterdir():
        file.chmod(0o644)  # safetensors makes its files readable for the owner only
        replace_atomically(file, folder / file.name)
    temporary.rmdir()
    return summary


def machine() -> str:
    """Return the hardware that torch uses here, such as "2 cores of AMD EPYC"."""
    if torch.cuda.is_available():
        return f"one {torch.cuda.get_device_name()}"
    name = torch.cpu.get_capabilities().get("cpu_name") or "processor"
    cores = torch.get_num_threads()
    return f"{cores} core{'s' if cores > 1 else ''} of {name}"


def main(folder: tyro.conf.Positional[Path], data: Path | None = None, seeds: tuple[Path, ...] = ()) -> None:
    """Evaluate a model folder again and rewrite its configuration, metrics, plots and model card.

    Args:
        folder: the model folder.
        data: folder of flower photos; if not given, found or downloaded as python -m train does.
        seeds: model folders of the same recipe, trained with other random seeds; the card gives the mean of all.
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
        summary["recipe"], summary["test"]["accuracy"]  # raise KeyError if missing
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidModel(f"{file} is missing or is not what python -m train writes ({error}).") from error
    return summary


def _over_seeds(runs: Sequence[Summary]) -> dict[str, float]:
    """Return mean and standard deviation of test accuracy, 0-1, over runs that differ only in their random seed.

    Raises:
        InvalidModel: the recipes differ, or a random seed occurs twice.
    """
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
            "AlexNet at half width with batch normalization after each convolution."
            if recipe["batch_norm"]
            else "AlexNet at half width, layer for layer the network of the blog post."
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
