"""What the exported figures are of: which photos fit what, what is measured on which, and the mean over seeds."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import matplotlib
import pytest
import torch
from PIL import Image

from flower_alexnet import LABELS, AlexNet, Config, FlowerClassifier, InvalidModel, dataset
from tests.support.commands import run_module
from train import calibrate, data, evaluate, export
from train.evaluate import CALIBRATION_BINS
from train.outputs import corrupted_logits, outputs_and_targets, stack
from train.recipes import Recipe

HISTORY = [
    {
        "epoch": 1,
        "learning_rate": 0.1,
        "seconds": 90.0,
        **dict.fromkeys(("train_loss", "train_accuracy", "validation_loss", "validation_accuracy"), 0.5),
    }
]


@pytest.fixture(scope="module")
def splits(flowers: Path) -> dict[str, list[dataset.LabeledPhoto]]:
    """Return parts on which a model does differently: most photos to validate on are of the third class."""
    parts = dataset.split(flowers)
    moved = [photo for photo in parts["train"] if photo.target == 2][1:]
    return {
        "train": [photo for photo in parts["train"] if photo not in moved],
        "validation": [*parts["validation"], *moved],
        "test": parts["test"],
    }


@pytest.fixture(scope="module")
def exported(
    splits: dict[str, list[dataset.LabeledPhoto]], flowers: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """Return the folder and the summary of a model with random weights, which float16 rounds."""
    matplotlib.use("Agg")
    torch.manual_seed(0)
    recipe = Recipe(size=64, resize=64)
    network = AlexNet()
    weights = network.get_parameter("classifier.6.weight")
    with torch.no_grad():
        weights.mul_(300)  # probabilities that differ from photo to photo
    classifier = FlowerClassifier(network, Config(preprocessing=recipe.preprocessing), torch.nn.Linear(2048, 1))
    described = {"dataset": data.describe(flowers, LABELS, dataset.split(flowers))}
    summary = export.summarize("alexnet-baseline", recipe, HISTORY, 70) | described
    folder = tmp_path_factory.mktemp("exported") / "model"
    # Photos of the test part stand in for photos of other things.
    summary["dataset"]["others"] = {"name": "things", "photos": "0123", "train": 3, "validation": len(splits["test"])}
    other_photos = {"train": {}, "validation": {"things": [photo.path for photo in splits["test"]]}}
    return folder, export.write_model_folder(classifier, summary, splits, folder, other_photos)


def test_each_part_is_measured_on_its_photos(
    exported: tuple[Path, dict[str, Any]], splits: dict[str, list[dataset.LabeledPhoto]]
) -> None:
    """The figures are those of the model as it is loaded, whose weights are rounded to float16."""
    folder, summary = exported
    classifier = FlowerClassifier.from_pretrained(folder)
    assert json.loads((folder / "metrics.json").read_text()) == json.loads(json.dumps(summary))
    for part in ("validation", "test"):
        photos = splits[part]
        assert summary[part]["photos"] == len(photos)
        assert summary[part]["accuracy"] == pytest.approx(
            sum(classifier(photo.path).label == LABELS[photo.target] for photo in photos) / len(photos)
        )
        measured = evaluate.evaluate(classifier, photos)
        assert summary[part]["calibration_error"] == pytest.approx(measured["calibration_error"], abs=1e-5)
        assert summary[part]["confusion_matrix"] == measured["confusion_matrix"]
    assert summary["test"]["accuracy"] != summary["validation"]["accuracy"]
    assert summary["training"]["minutes"] == 1.5


def test_weights_are_measured_as_they_are_stored(
    exported: tuple[Path, dict[str, Any]], splits: dict[str, list[dataset.LabeledPhoto]], tmp_path: Path
) -> None:
    folder, summary = exported
    config = replace(FlowerClassifier.from_pretrained(folder).config, threshold=None)
    classifier = FlowerClassifier(AlexNet(), config)
    with torch.no_grad():
        for parameter in classifier.network.parameters():
            parameter.mul_(1 + 2**-13)  # between two numbers of float16
    export.write_model_folder(classifier, summary, splits, tmp_path / "model")
    for parameter in classifier.network.parameters():
        assert torch.equal(parameter, parameter.half().float())


def test_temperature_threshold_and_head_are_fitted_on_validation_photos(
    exported: tuple[Path, dict[str, Any]], splits: dict[str, list[dataset.LabeledPhoto]]
) -> None:
    classifier = FlowerClassifier.from_pretrained(exported[0])
    config, head = classifier.config, classifier.in_distribution_head
    outputs, targets = outputs_and_targets(classifier, splits["validation"])
    corrupted, _ = corrupted_logits(classifier, splits["validation"])
    logits = torch.cat([*corrupted.values()])
    temperature = calibrate.fit_robust_temperature(outputs.logits, logits, targets)
    assert config.temperature == pytest.approx(temperature, rel=1e-3)
    assert head is not None
    unknown = stack(classifier.outputs(photo.path for photo in splits["test"])).in_distribution_logit
    # The head is scaled already: what the same fit says of it is to leave it as it is.
    fitted = calibrate.fit_platt_scaling(outputs.in_distribution_logit, unknown)
    assert fitted == pytest.approx((1, 0), abs=1e-3)
    known = torch.sigmoid(outputs.in_distribution_logit.double())
    assert config.threshold == pytest.approx(calibrate.fit_threshold(known) - calibrate.ROUNDING, abs=1e-4)
    assert config.threshold is not None
    assert config.threshold < known.sort().values[len(known) // 20] + 1e-4


def test_photos_from_elsewhere_calibrate_as_much_as_those_of_validation_and_are_measured(
    exported: tuple[Path, dict[str, Any]], splits: dict[str, list[dataset.LabeledPhoto]], tmp_path: Path
) -> None:
    folder, summary = exported
    model = FlowerClassifier.from_pretrained(folder)
    few = splits["train"][:3]
    others = {"things": [photo.path for photo in splits["test"]]}
    repeated = [*few] * round(len(splits["validation"]) / len(few))
    one = calibrate.calibrated(model, splits["validation"], LABELS, others, few)
    other = calibrate.calibrated(model, [*splits["validation"], *repeated], LABELS, others)
    without = calibrate.calibrated(model, splits["validation"], LABELS, others)
    assert one.config.threshold == pytest.approx(other.config.threshold, abs=1e-6)
    assert one.config.temperature == pytest.approx(other.config.temperature, rel=1e-6)
    assert one.config.temperature != pytest.approx(without.config.temperature, rel=1e-3)

    described = {**summary["dataset"], "elsewhere": "holidays"}
    other_photos: Any = {"train": {}, "validation": others}
    written = export.write_model_folder(
        model, {**summary, "dataset": described}, splits, tmp_path / "model", other_photos, elsewhere=few
    )
    assert written["elsewhere"]["photos"] == 3
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "from elsewhere (holidays)" in card
    (title,) = [line for line in card.splitlines() if "test: right, kept" in line]
    assert title == "|  | test: right, kept | elsewhere: right, kept | things: taken, AUROC |"
    anew = written["elsewhere"]["compressed"]["224 pixels, JPEG 70"]
    (row,) = [line for line in card.splitlines() if line.startswith("| 224 pixels, JPEG 70 |")]
    assert f"| {anew['accuracy']:.1%}, {anew['in_distribution']:.1%} |".replace("%", " %") in row
    again = export.write_model_folder(model, written, splits, tmp_path / "again", other_photos)
    assert "elsewhere" not in again  # nothing of an earlier measurement stays


def run_of(seed: int, test: float, **recipe: Any) -> dict[str, Any]:
    fields = {**asdict(Recipe(seed=seed)), **recipe}
    accuracies = {"test": {"accuracy": test}, "validation": {"accuracy": 0.1}}
    return {"recipe": {"name": "alexnet-baseline", **fields}, "dataset": {"photos": "0123"}, **accuracies}


def test_mean_and_deviation_over_seeds() -> None:
    """The mean of 0.9, 0.8 and 0.76 is not their median, and their deviation is that of a sample."""
    runs = [run_of(0, 0.9), run_of(1, 0.8), run_of(2, 0.76)]
    expected = {"runs": 3, "mean": 0.82, "deviation": ((0.08**2 + 0.02**2 + 0.06**2) / 2) ** 0.5}
    over = export._over_seeds(runs)
    assert over.pop("figures") == {}
    assert over == pytest.approx(expected)


def test_spread_of_every_figure_that_all_runs_have() -> None:
    runs = [run_of(seed, 0.9) for seed in range(3)]
    for run, kept in zip(runs, (0.8, 0.9, 1.0), strict=True):
        run["elsewhere"] = {
            "accuracy": 0.5,
            "in_distribution": kept,
            "compressed": {"full size, JPEG 70": {"in_distribution": kept - 0.1}},
        }
        run["test"]["others"] = {"imagenet": {"taken": 1 - kept, "certain": 0.02}}
    del runs[2]["test"]["others"]["imagenet"]["certain"]
    figures = export._over_seeds(runs)["figures"]
    assert figures.keys() == {
        "elsewhere: right",
        "elsewhere: kept",
        "elsewhere: kept, full size, JPEG 70",
        "imagenet: taken",
    }
    assert figures["elsewhere: kept"] == pytest.approx([0.9, 0.1])
    assert figures["imagenet: taken"] == pytest.approx([0.1, 0.1])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (run_of(0, 0.9), "each have another seed"),
        (run_of(1, 0.9, epochs=3), "of the same recipe: epochs is .* in one and 3 in another"),
        ({**run_of(1, 0.9), "dataset": {"photos": "4567"}}, "on the same photos"),
    ],
)
def test_runs_of_other_recipes_or_photos_have_no_mean(other: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidModel, match=message):
        export._check_seeds([run_of(0, 0.9), other])


def test_threshold_is_not_fitted_to_other_strangers(
    exported: tuple[Path, dict[str, Any]], flowers: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(exported[0], tmp_path / "model"))
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    for number in range(12):
        Image.new("RGB", (70, 70), (20 * number, 0, 0)).save(strangers / f"{number}.png")
    before = (copy / "config.json").read_bytes()
    for options, message in (((), "beside the photos of other things in things"), (("--others", strangers), "beside")):
        environment = {name: value for name, value in os.environ.items() if name != "OTHER_PHOTOS"}
        done = run_module("train.export", "measure", copy, "--data", flowers, *options, environment=environment)
        assert done.returncode == 2
        assert f"was trained {message}" in done.stderr
    assert (copy / "config.json").read_bytes() == before


def test_bins_of_the_calibration_error_are_the_fifteen_that_cards_name() -> None:
    assert CALIBRATION_BINS == 15


@pytest.mark.parametrize(
    "content", ["", "{}", '{"recipe": {}}', '{"recipe": {"seed": 0}, "test": {"accuracy": 1}}', "[]"]
)
def test_partial_measurements_are_refused(content: str, exported: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(InvalidModel, match="is missing or is not what python -m train writes"):
        export._read_summary(tmp_path)


def test_classifier_of_the_summary_is_not_changed(exported: tuple[Path, dict[str, Any]]) -> None:
    summary = exported[1]
    assert summary["recipe"] == {"name": "alexnet-baseline", **asdict(replace(Recipe(), size=64, resize=64))}
