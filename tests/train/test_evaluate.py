"""Metrics agree with values worked out by hand, and with what the command prints."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import matplotlib
import pytest
import torch
from PIL import Image, JpegImagePlugin
from torch import Tensor

from flower_alexnet import LABELS, Config, FlowerClassifier, InvalidModel, dataset
from flower_alexnet.classifier import Output
from flower_alexnet.dataset import LabeledPhoto
from tests.support import PROJECT
from tests.support.commands import run_module
from train import calibrate, evaluate, outputs, plots
from train.corruptions import COMPRESSIONS, saved_anew


@pytest.fixture
def unprepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run networks unprepared, so that any module can stand in for one."""
    monkeypatch.setattr("flower_alexnet.classifier.prepare", lambda network, device: network)


class RedIsSure(torch.nn.Module):
    """Gives roses a probability of 0.9 for a red image, and tulips one of 0.6 for any other."""

    def features(self, images: Tensor) -> Tensor:
        return images

    classifier: tuple[Any, ...] = (torch.nn.Identity(),)

    def forward_pre_logits(self, images: Tensor) -> Tensor:
        red = torch.tensor([0.025, 0.025, 0.9, 0.025, 0.025]).log()
        other = torch.tensor([0.1, 0.1, 0.1, 0.1, 0.6]).log()
        return torch.stack([red if image[0].mean() > 0 else other for image in images])


def test_metrics_by_hand(tmp_path: Path, unprepared: None) -> None:
    photos = []
    for number, (colour, label) in enumerate(
        [("red", "roses"), ("red", "roses"), ("red", "daisy"), ("blue", "tulips"), ("blue", "roses")]
    ):
        Image.new("RGB", (70, 70), colour).save(tmp_path / f"{number}.png")
        photos.append(LabeledPhoto(tmp_path / f"{number}.png", LABELS.index(label)))
    metrics = evaluate.evaluate(FlowerClassifier(RedIsSure(), Config()), photos)  # type: ignore[arg-type]
    assert metrics["photos"] == 5
    assert metrics["accuracy"] == pytest.approx(3 / 5)
    # Two bins are filled: three photos of confidence 0.9, two of them right; two of 0.6, one right.
    assert metrics["calibration_error"] == pytest.approx(3 / 5 * (0.9 - 2 / 3) + 2 / 5 * (0.6 - 1 / 2), abs=1e-6)
    assert metrics["per_class"]["roses"] == {
        "precision": pytest.approx(2 / 3),
        "recall": pytest.approx(2 / 3),
        "count": 3,
    }
    assert metrics["per_class"]["tulips"] == {"precision": 1 / 2, "recall": 1, "count": 1}
    (row,) = [line for line in evaluate.report(metrics).splitlines() if line.startswith("tulips")]
    assert row.split() == ["tulips", "50.0%", "100.0%", "1"]
    assert evaluate.CALIBRATION_BINS == 15
    assert "It errs most by taking daisy for roses: 1 of 1 photo.\n" in evaluate.report(metrics)
    assert metrics["confusion_matrix"] == [
        [0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 0, 2, 0, 1],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 1],
    ]
    confidences = [(row["confidence"], row["accuracy"], row["photos"]) for row in metrics["reliability"]]
    assert confidences == [(pytest.approx(0.6), 1 / 2, 2), (pytest.approx(0.9), pytest.approx(2 / 3), 3)]
    assert metrics["in_distribution"] == metrics["others"]["drawn pictures"]["taken"] == 1  # there is no threshold
    json.dumps(metrics)


def test_confidences_are_those_of_the_temperature(tmp_path: Path, unprepared: None) -> None:
    Image.new("RGB", (70, 70), "red").save(tmp_path / "red.png")
    photos = [LabeledPhoto(tmp_path / "red.png", 2)]
    metrics = evaluate.evaluate(FlowerClassifier(RedIsSure(), Config(temperature=2.0)), photos)  # type: ignore[arg-type]
    confidence = 0.9**0.5 / (0.9**0.5 + 4 * 0.025**0.5)  # the softmax of half the logits
    assert metrics["reliability"] == [{"confidence": pytest.approx(confidence), "accuracy": 1, "photos": 1}]
    assert metrics["calibration_error"] == pytest.approx(1 - confidence)


def test_accuracy_under_corruptions_is_of_the_corrupted_photos(
    tmp_path: Path, unprepared: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A corruption that paints every photo blue makes the red ones wrong."""
    Image.new("RGB", (70, 70), "red").save(tmp_path / "red.png")
    corruptions = {
        "none": lambda photo, other, random: photo,
        "blue": lambda photo, other, random: Image.new("RGB", photo.size, "blue"),
    }
    monkeypatch.setattr(outputs, "CORRUPTIONS", corruptions)
    classifier = FlowerClassifier(RedIsSure(), Config())  # type: ignore[arg-type]
    accuracies = evaluate.evaluate_corrupted(classifier, [LabeledPhoto(tmp_path / "red.png", 2)])
    assert accuracies == {"none": 1, "blue": 0, "mean": 0.5}


def test_others_are_told_apart_by_the_head(tmp_path: Path, unprepared: None) -> None:
    """The head's logit is the mean red, -1 to 1; red photos are known, and those of others are of any red."""

    class Redness(RedIsSure):
        classifier = (lambda hidden: torch.tensor([0.025, 0.025, 0.9, 0.025, 0.025]).log().expand(len(hidden), 5),)

        def forward_pre_logits(self, images: Tensor) -> Tensor:
            return images.mean((2, 3))[:, :1]

    head = torch.nn.Linear(1, 1)
    with torch.no_grad():
        head.weight.fill_(1)
        head.bias.zero_()
    others = {}
    for name, reds in {"a": (0, 255, 100, 20), "b": (250,)}.items():
        others[name] = [tmp_path / f"{name}{red}.png" for red in reds]
        for red, file in zip(reds, others[name], strict=True):
            Image.new("RGB", (70, 70), (red, 0, 0)).save(file)
    photos = []
    for red in (200, 255):
        Image.new("RGB", (70, 70), (red, 9, 9)).save(tmp_path / f"{red}.png")
        photos.append(LabeledPhoto(tmp_path / f"{red}.png", 2))
    config = Config(threshold=0.5)  # at the logit 0: a red of 127.5
    model = FlowerClassifier(Redness(), config, head)  # type: ignore[arg-type]
    metrics = evaluate.evaluate(model, photos, others=outputs.ood_outputs(model, others))
    assert metrics["in_distribution"] == 1
    assert list(metrics["others"]) == ["all photos", "a", "b", "drawn pictures"]
    # Of the pairs of 200 and 255 with 0, 255, 100 and 20, one is in the wrong order and one a tie.
    assert metrics["others"]["a"] == {
        "photos": 4,
        "taken": 1 / 4,
        "certain": 0,
        "sure": 1,
        "auroc": 6.5 / 8,
        "fpr95": 1 / 4,
    }
    assert metrics["others"]["b"] == {"photos": 1, "taken": 1, "certain": 0, "sure": 1, "auroc": 1 / 2, "fpr95": 1}
    assert metrics["others"]["all photos"]["taken"] == 2 / 5
    assert metrics["others"]["drawn pictures"]["photos"] == 245
    lines = evaluate.report(metrics).splitlines()
    assert ["a", "4", "25.0%", "0.0%", "100.0%", "0.812", "25.0%"] in [line.split() for line in lines]


def test_photos_of_both_kinds_are_saved_anew_in_the_same_way(tmp_path: Path, unprepared: None) -> None:
    """A model that tells noise from plain pictures by its edges."""

    class Sharpness(RedIsSure):
        classifier = (lambda hidden: torch.zeros(len(hidden), 5),)

        def forward_pre_logits(self, images: Tensor) -> Tensor:
            return images.diff(dim=3).abs().mean((1, 2, 3))[:, None]

    head = torch.nn.Linear(1, 1)
    with torch.no_grad():
        head.weight.fill_(1)
        head.bias.fill_(-0.01)
    Image.effect_noise((400, 400), 100).convert("RGB").save(tmp_path / "photo.png")
    Image.new("RGB", (400, 400)).save(tmp_path / "other.png")
    model = FlowerClassifier(Sharpness(), Config(threshold=0.5), head)  # type: ignore[arg-type]
    photos = [LabeledPhoto(tmp_path / "photo.png", 0)]
    measured = evaluate.evaluate_compressed(model, photos, {"plain": [tmp_path / "other.png"]})
    assert list(measured) == list(COMPRESSIONS)
    assert {row["others"]["plain"]["taken"] for row in measured.values()} == {0}
    assert {row["others"]["plain"]["auroc"] for row in measured.values()} == {1}
    metrics = evaluate.evaluate(model, photos, others=outputs.ood_outputs(model, {"plain": [tmp_path / "other.png"]}))
    lines = evaluate.report({**metrics, "compressed": measured}).splitlines()
    assert ["full", "size,", "JPEG", "70", "100.0%", "100.0%", "0.0%,", "1.000"] in [line.split() for line in lines]


@pytest.mark.parametrize(("side", "size"), [(None, (600, 300)), (256, (512, 256)), (1000, (600, 300))])
def test_saved_anew_is_a_jpeg_of_that_size_with_halved_color_resolution(
    side: int | None, size: tuple[int, int]
) -> None:
    photo = Image.effect_noise((600, 300), 100).convert("RGB")
    anew = Image.open(io.BytesIO(saved_anew(photo, side, 70)))
    assert (anew.format, anew.size) == ("JPEG", size)
    assert JpegImagePlugin.get_sampling(anew) == 2  # 4:2:0
    assert len(saved_anew(photo, side, 40)) < len(saved_anew(photo, side, 90))


def test_temperature_goes_towards_corrupted_photos_as_far_as_others_stay_calibrated() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(2000, 5, generator=generator)
    targets = torch.multinomial(torch.softmax(logits, 1), 1, generator=generator).squeeze(1)
    for noise in (0.0, 1.0):  # the more, the surer of corrupted photos than right
        corrupted = logits + noise * torch.randn(2000, 5, generator=generator)
        temperature = calibrate.fit_robust_temperature(logits, corrupted, targets)
        probabilities = torch.softmax(logits.double() / temperature, 1)
        confidences, predicted = probabilities.max(1)
        accuracy = (predicted == targets).double().mean()
        assert abs(confidences.mean() - accuracy) <= calibrate.CONFIDENCE_MARGIN
        both = calibrate.fit_temperature(torch.cat([logits, corrupted]), targets.repeat(2))
        alone = calibrate.fit_temperature(logits, targets)
        if noise:
            assert 1.005 * alone < temperature < 0.95 * both
        else:
            assert temperature == pytest.approx(alone, rel=1e-3)


def test_head_is_calibrated_by_a_logistic_fit() -> None:
    """Logits that are three times too large, and shifted, become those they were drawn from."""
    generator = torch.Generator().manual_seed(0)
    true = 2 * torch.randn(40_000, generator=generator, dtype=torch.float64)
    known = torch.rand(40_000, generator=generator, dtype=torch.float64) < torch.sigmoid(true)
    scale, shift = calibrate.fit_platt_scaling(3 * true[known] + 1, 3 * true[~known] + 1)
    assert (scale, shift) == pytest.approx((1 / 3, -1 / 3), abs=0.02)
    scale, shift = calibrate.fit_platt_scaling(torch.ones(9), -torch.ones(4))  # apart: still finite
    assert torch.sigmoid(torch.tensor([scale + shift, shift - scale])).tolist() == pytest.approx(
        [10 / 11, 1 / 6], abs=1e-4
    )


def test_certainty_leaves_two_of_a_hundred_photos_of_other_things() -> None:
    torch.manual_seed(0)
    of_others = Output(2 * torch.randn(400, 5), torch.randn(400))
    certainty = calibrate.fit_certainty(of_others, 0.5, 1.5, -0.2)
    config = Config(temperature=0.5, threshold=0.1, certainty=certainty)
    products = []
    for logits, logit in zip(*of_others, strict=True):
        known = torch.sigmoid(1.5 * logit.double() - 0.2)
        products.append((known * torch.softmax(logits.double() / config.temperature, 0).max()).item())
    assert sum(product >= certainty for product in products) / 400 == pytest.approx(0.02, abs=0.003)


def test_calibration_error_by_chance_is_that_of_true_probabilities() -> None:
    probabilities = torch.tensor([[0.8, 0.2, 0, 0, 0]]).expand(40, 5).double()
    # One bin: the mean distance of the fraction of 40 draws from 0.8 is about 0.8 standard deviations.
    expected = 0.798 * (0.8 * 0.2 / 40) ** 0.5
    assert evaluate._calibration_error_by_chance(probabilities) == pytest.approx(expected, rel=0.15)


def test_threshold_keeps_95_percent_of_the_scores() -> None:
    scores = torch.randn(1000)
    kept = scores >= calibrate.fit_threshold(scores)
    assert kept.double().mean() == pytest.approx(0.95, abs=0.002)


def test_unreadable_photo_is_named_and_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, unprepared: None
) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    Image.new("RGB", (70, 70), "red").save(tmp_path / "red.png")
    photos = [LabeledPhoto(tmp_path / "bad.jpg", 0), LabeledPhoto(tmp_path / "red.png", 2)]
    metrics = evaluate.evaluate(FlowerClassifier(RedIsSure(), Config()), photos)  # type: ignore[arg-type]
    assert (metrics["photos"], metrics["accuracy"]) == (1, 1)
    assert "bad.jpg" in caplog.text


def test_temperature_is_the_one_the_logits_were_scaled_by() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20_000, 5, generator=generator)
    labels = torch.multinomial(torch.softmax(logits, 1), 1, generator=generator).squeeze(1)
    assert calibrate.fit_temperature(logits * 3, labels) == pytest.approx(3, rel=0.05)


@pytest.mark.parametrize("scale", [0.0, 0.1, 30.0, 1e4, 1e38])
@pytest.mark.parametrize("targets", [[0], [1], [0, 1, 2], [1, 2, 0], [0, 0, 1]])
def test_temperature_stays_in_its_range(targets: list[int], scale: float) -> None:
    """All photos right, all wrong, and logits of any size: a handful of photos gives no absurd temperature."""
    logits = torch.eye(3)[: len(targets)] * scale
    temperature = calibrate.fit_temperature(logits, torch.tensor(targets))
    low, high = calibrate.TEMPERATURES
    assert low * 0.999 <= temperature <= high * 1.001
    assert torch.isfinite(torch.softmax(logits.double() / temperature, 1)).all()
    if scale == 30 and targets in ([0], [0, 1, 2]):
        assert temperature == pytest.approx(low)
    if scale == 30 and targets in ([1], [1, 2, 0]):
        assert temperature == pytest.approx(high)


def test_labels_without_a_photo_have_finite_numbers(tmp_path: Path, unprepared: None) -> None:
    Image.new("RGB", (70, 70), "red").save(tmp_path / "red.png")
    metrics = evaluate.evaluate(
        FlowerClassifier(RedIsSure(), Config()),  # type: ignore[arg-type]
        [LabeledPhoto(tmp_path / "red.png", 2)],
    )
    assert metrics["per_class"]["daisy"] == {"precision": 0, "recall": 0, "count": 0}
    json.dumps(metrics, allow_nan=False)
    assert "100.0% of 1 photo (95 % interval: 20.7% to 100.0%)\n" in evaluate.report(metrics)


def test_the_most_confused_pair_is_told() -> None:
    metrics = {"per_class": dict.fromkeys("abc"), "confusion_matrix": [[4, 1, 0], [0, 5, 0], [3, 0, 7]]}
    assert evaluate.most_confused(metrics) == "It errs most by taking c for a: 3 of 10 photos."
    assert evaluate.most_confused(metrics | {"confusion_matrix": [[4, 0, 0], [0, 5, 0], [0, 0, 7]]}) is None


def test_labels_are_those_of_the_photos(tmp_path: Path, unprepared: None) -> None:
    Image.new("RGB", (70, 70), "red").save(tmp_path / "red.png")
    labels = ("a", "b", "c", "d", "e")
    classifier = FlowerClassifier(RedIsSure(), Config(labels))  # type: ignore[arg-type]
    photos = [LabeledPhoto(tmp_path / "red.png", 2)]
    assert list(evaluate.evaluate(classifier, photos, labels)["per_class"]) == list(labels)
    for others in (LABELS, labels[::-1]):
        with pytest.raises(InvalidModel, match=f"The model knows a, b, c, d, e, but the photos show {others[0]}, "):
            evaluate.evaluate(classifier, photos, others)


@pytest.mark.parametrize("classes", [2, 9, 40, 200])
def test_plots_and_report_of_any_number_of_labels(classes: int, tmp_path: Path) -> None:
    labels = [f"$label {number} of a_long^name {{x}}" * 2 for number in range(classes)]
    metrics = {
        "accuracy": 1.0,
        "photos": classes,
        "per_class": {label: {"precision": 1.0, "recall": 1.0, "count": 1} for label in labels},
        "confusion_matrix": torch.eye(classes, dtype=torch.int64).tolist(),
        "calibration_error": 0.0,
        "calibration_error_by_chance": 0.0,
        "in_distribution": 1.0,
        "certain": 0.0,
        "certain_accuracy": None,
        "others": {
            "drawn pictures": {"photos": 245, "taken": 1.0, "certain": 0.0, "sure": None, "auroc": None, "fpr95": None}
        },
    }
    matplotlib.use("Agg")
    plots.plot_confusion_matrix(metrics, tmp_path / "plot.png")
    assert 500 < max(Image.open(tmp_path / "plot.png").size) < 3000
    rows = evaluate.report(metrics).partition("\n\n")[0].splitlines()[3:]
    assert len(rows) == 1 + classes
    assert len({len(row) for row in rows}) == 1


def test_command(flowers: Path, random_model: Path) -> None:
    result = run_module("train.evaluate", "--model", random_model, "--data", flowers, "--split", "all", "--json")
    assert result.returncode == 0, result.stderr
    metrics = json.loads(result.stdout)
    assert metrics["photos"] == 100
    assert metrics["others"]["drawn pictures"]["photos"] == 245
    predictions = FlowerClassifier.from_pretrained(random_model)([photo.path for photo in dataset.all_photos(flowers)])
    right = [p.label == LABELS[photo.target] for p, photo in zip(predictions, dataset.all_photos(flowers), strict=True)]
    assert metrics["accuracy"] == pytest.approx(sum(right) / 100)


def test_command_on_wrong_input(flowers: Path, random_model: Path, tmp_path: Path) -> None:
    for model, folder, message in (
        (str(random_model), str(tmp_path), "holds no class folders"),
        ("./nowhere", str(flowers), "There is no folder ./nowhere"),
    ):
        result = run_module("train.evaluate", "--model", model, "--data", folder)
        assert result.returncode == 2
        assert message in result.stderr
        assert "Traceback" not in result.stderr


def test_shipped_models_are_as_accurate_as_they_say(real_photos: Path) -> None:
    for folder in sorted((PROJECT / "weights").iterdir()):
        stated = json.loads((folder / "metrics.json").read_text())["test"]
        classifier = FlowerClassifier.from_pretrained(folder)
        measured = evaluate.evaluate(classifier, dataset.split(real_photos)["test"])
        assert measured["accuracy"] == pytest.approx(stated["accuracy"], abs=0.006), folder.name
        kept, stated_kept = (metrics["others"]["drawn pictures"]["taken"] for metrics in (measured, stated))
        assert kept == pytest.approx(stated_kept, abs=0.02), folder.name
        assert measured["calibration_error"] == pytest.approx(stated["calibration_error"], abs=0.01), folder.name
