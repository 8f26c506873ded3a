"""A trained network -> a model folder: weights, configuration, measurements, plots and model card."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from flower_alexnet import FlowerClassifier
from train import evaluate
from train.checkpoint import History
from train.evaluate import Metrics
from train.recipes import Recipe

CARD_TEMPLATE = Path(__file__).with_name("model_card.md")


@dataclass(frozen=True)
class Run:
    """A finished training run and what was measured of it.

    Args:
        recipe_name: of the recipe on the command line.
        photos: how many it was trained on.
        validation, test: what ``evaluate`` returns for these photos.
    """

    recipe_name: str
    recipe: Recipe
    history: History
    photos: int
    validation: Metrics
    test: Metrics

    def summary(self) -> dict[str, Any]:
        """What ``metrics.json`` holds."""
        return {
            "recipe": {"name": self.recipe_name, **asdict(self.recipe)},
            "training": {
                "epochs": len(self.history),
                "photos": self.photos,
                "minutes": sum(row["seconds"] for row in self.history) / 60,
                "machine": machine(),
                "torch": str(torch.__version__),
            },
            "validation": self.validation,
            "test": self.test,
            "history": self.history,
        }


def write_model_folder(classifier: FlowerClassifier, run: Run, folder: Path) -> None:
    """Write every file of a model folder; they replace what the folder held of the same names."""
    aside = folder / "model.part"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    summary = run.summary()
    _card(classifier, summary, folder.resolve().name).save(aside / "README.md")
    (aside / "metrics.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    evaluate.plot_confusion_matrix(run.test, aside / "confusion_matrix.png")
    evaluate.plot_training_curves(run.history, aside / "training_curves.png")
    classifier.network.save_pretrained(aside, config=classifier.config)
    for file in aside.iterdir():
        file.replace(folder / file.name)
    aside.rmdir()


def machine() -> str:
    """The machine in words, such as "2 cores of an AMD EPYC"."""
    if torch.cuda.is_available():
        return f"one {torch.cuda.get_device_name()}"
    name = torch.cpu.get_capabilities().get("cpu_name") or "processor"
    return f"{torch.get_num_threads()} cores of {name}"


def _card(classifier: FlowerClassifier, summary: dict[str, Any], name: str) -> ModelCard:
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
        parameters=sum(parameter.numel() for parameter in classifier.network.parameters()),
        preprocessing=classifier.config.preprocessing,
        temperature=classifier.config.temperature,
    )
