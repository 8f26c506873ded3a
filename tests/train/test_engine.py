"""What decides the weights of a run: each number of the recipe that the loop uses, checked against the formula."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from flower_alexnet import LABELS, AlexNet, Config, FlowerClassifier
from flower_alexnet.model import NetworkWithHead
from train import checkpoint, engine, loaders
from train.checkpoint import History
from train.data import TrainingData
from train.recipes import InvalidRecipe, Recipe
from train.teacher import Targets


class Small(nn.Module):
    """A linear network of the mean colour, in place of AlexNet: a run takes a moment."""

    def __init__(self, num_classes: int, batch_norm: bool, dropout: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3) if batch_norm else nn.Identity()
        self.linear = nn.Linear(3, num_classes)

    @property
    def classifier(self) -> tuple[nn.Module]:
        return (self.linear,)

    def features(self, images: Tensor) -> Tensor:
        return images.float().mean((2, 3))

    def forward_pre_logits(self, feature_maps: Tensor) -> Tensor:
        return self.norm(feature_maps)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to logits (N, num_classes)."""
        return self.linear(self.forward_pre_logits(self.features(images)))


STEPS = 4
SETTINGS: dict[str, Any] = {"optimizer": "sgd", "learning_rate": 0.5, "batch_size": 8, "size": 64, "resize": 64}


@pytest.fixture
def fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a function that trains the small network in float32 on plain colours: 32 photos, of two classes."""
    monkeypatch.setattr(engine, "AlexNet", Small)
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    generator = torch.Generator().manual_seed(0)
    colours = torch.randint(256, (8 * STEPS, 3), dtype=torch.uint8, generator=generator)
    photos = [(colour.view(3, 1, 1).expand(3, 64, 64), int(colour[0] > 127)) for colour in colours]
    validation = (torch.stack([photo for photo, _ in photos]) / 127.5 - 1, torch.tensor([it for _, it in photos]))

    def fit(**changes: Any) -> tuple[dict[str, Tensor], History]:
        recipe = Recipe(**{**SETTINGS, "epochs": 1, **changes})
        outliers = photos[::2] if recipe.outliers else None
        data = TrainingData(("dark", "red"), photos, validation, outliers)  # type: ignore[arg-type]
        network, head, history = engine.fit(recipe, data, tmp_path)
        assert (head is None) is (recipe.outliers == 0)
        measured = engine.measure(network, validation, torch.device("cpu"))
        assert (history[-1]["validation_loss"], history[-1]["validation_accuracy"]) == pytest.approx(measured)
        logits = network(validation[0]).detach()
        assert measured[0] == pytest.approx(F.cross_entropy(logits, validation[1]).item(), abs=1e-6)
        assert measured[1] == pytest.approx((logits.argmax(1) == validation[1]).double().mean().item())
        return {name: tensor.clone() for name, tensor in network.state_dict().items()}, history

    AcceleratorState._reset_state()  # accelerate keeps the precision of the process's first run
    yield fit
    AcceleratorState._reset_state()


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Tensor]]:
    """Record learning rate, parameters after each step, and the loss's arguments of the runs of a test."""
    rows: list[dict[str, Any]] = []
    step, cross_entropy = torch.optim.SGD.step, F.cross_entropy

    def loss_of(logits: Tensor, targets: Tensor, **options: Any) -> Tensor:
        if logits.requires_grad:
            rows.append({"targets": targets, **options})
        return cross_entropy(logits, targets, **options)

    def step_of(optimizer: torch.optim.SGD, *arguments: Any) -> Any:
        result = step(optimizer, *arguments)
        groups = optimizer.param_groups
        rows[-1]["rate"] = groups[1]["lr"]
        rows[-1]["weight"] = groups[1]["params"][0].detach().clone()
        return result

    monkeypatch.setattr(torch.optim.SGD, "step", step_of)
    monkeypatch.setattr(engine.F, "cross_entropy", loss_of)
    return rows


def test_equal_seeds_give_equal_weights_and_others_do_not(fit: Any) -> None:
    weights = [fit(seed=seed)[0]["linear.weight"] for seed in (0, 0, 1)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.allclose(weights[0], weights[2])


def test_random_seed_decides_the_first_weights(fit: Any, steps: Any) -> None:
    for seed in (0, 1):
        fit(seed=seed, learning_rate=1e-12)
    assert not torch.allclose(steps[0]["weight"], steps[STEPS]["weight"], atol=1e-3)


def test_each_step_takes_the_learning_rate_of_the_schedule(fit: Any, steps: Any) -> None:
    history = fit(epochs=3, warmup_epochs=1, cosine=True)[1]
    expected = [
        0.5 * (n / STEPS if n < STEPS else (1 + math.cos(math.pi * (n / STEPS - 1) / 2)) / 2) for n in range(3 * STEPS)
    ]
    assert [row["rate"] for row in steps] == pytest.approx(expected)
    assert [row["learning_rate"] for row in history] == pytest.approx(expected[::STEPS])
    steps.clear()
    fit(epochs=2)
    assert [row["rate"] for row in steps] == [0.5] * 2 * STEPS


def test_result_is_the_moving_average_of_the_weights(fit: Any, steps: Any) -> None:
    """The first step's weights begin the average; each later step's enter it with a share of 1 - decay."""
    weights, _ = fit(epochs=5, ema_decay=0.7)
    average = steps[0]["weight"]
    for row in steps[1:]:
        average = 0.7 * average + 0.3 * row["weight"]
    assert torch.allclose(weights["linear.weight"], average, atol=1e-6)
    assert not torch.allclose(weights["linear.weight"], steps[-1]["weight"], atol=1e-3)
    steps.clear()
    weights, _ = fit(ema_decay=0.0)
    assert torch.equal(weights["linear.weight"], steps[-1]["weight"])


def test_statistics_of_batch_normalization_are_averaged_too(fit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, _ = fit(epochs=5, batch_norm=True)
    averaged, _ = fit(epochs=5, batch_norm=True, ema_decay=0.7)
    assert averaged["norm.running_mean"].abs().max() > 0
    assert not torch.allclose(averaged["norm.running_mean"], plain["norm.running_mean"], atol=1e-6)


def test_targets_are_smoothed_and_mixed_as_the_recipe_says(fit: Any, steps: Any) -> None:
    fit(label_smoothing=0.1)
    assert {row["label_smoothing"] for row in steps} == {0.1}
    assert all(row["targets"].max(1).values.eq(1).all() for row in steps)
    steps.clear()
    fit(mix_prob=1.0, epochs=3)
    assert any(row["targets"].max(1).values.lt(1).any() for row in steps)


def test_outliers_have_their_weights_in_the_loss(fit: Any, steps: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step sees as many outliers as the recipe says, of other photos in each, and the head learns to tell them."""
    monkeypatch.setattr(engine, "HIDDEN", 3)
    seen: list[tuple[int, int, list[float]]] = []
    outlier_loss = engine.outlier_loss

    def loss_of(logits: Tensor, in_distribution: Tensor, known: Tensor, recipe: Recipe) -> Tensor:
        seen.append((len(logits), len(in_distribution), known.tolist()))
        return outlier_loss(logits, in_distribution, known, recipe)

    monkeypatch.setattr(engine, "outlier_loss", loss_of)
    plain, _ = fit(epochs=2)
    with_outliers, _ = fit(epochs=2, outliers=6)
    assert seen == [(6, 14, [1.0] * 8 + [0.0] * 6)] * 2 * STEPS
    assert not torch.allclose(with_outliers["linear.weight"], plain["linear.weight"], atol=1e-3)


def test_outliers_are_mixed_among_themselves_as_photos_are(fit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the seams of a mixed image would say that it shows one of the classes."""
    monkeypatch.setattr(engine, "HIDDEN", 3)
    mixed: list[tuple[int, float]] = []
    mix = engine.mix

    def recorded(images: Tensor, targets: Tensor, probability: float, num_classes: int) -> tuple[Tensor, Tensor]:
        mixed.append((len(images), probability))
        return mix(images, targets, probability, num_classes)

    monkeypatch.setattr(engine, "mix", recorded)
    fit(outliers=6, mix_prob=0.5)
    assert mixed == [(8, 0.5), (6, 0.5)] * STEPS


def test_run_starts_from_the_weights_of_a_model(tmp_path: Path) -> None:
    trained = FlowerClassifier(AlexNet(), Config(threshold=0.5), nn.Linear(2048, 1))
    trained.network.save_pretrained(tmp_path, config=trained.config)
    head = trained.in_distribution_head
    assert head is not None
    save_file(head.state_dict(), tmp_path / "in_distribution.safetensors")
    started = NetworkWithHead(AlexNet(), nn.Linear(2048, 1))
    engine.start_from(str(tmp_path), started, LABELS)
    expected = trained.network.get_parameter("classifier.6.weight").half().float()
    assert torch.equal(started.network.get_parameter("classifier.6.weight"), expected)
    assert started.head is not None
    assert torch.equal(started.head.weight, head.weight)
    other = NetworkWithHead(AlexNet(2), None)
    last = other.network.get_parameter("classifier.6.weight").clone()
    engine.start_from(str(tmp_path), other, ("cat", "dog"))  # all layers but the last
    assert torch.equal(other.network.get_parameter("classifier.6.weight"), last)
    hidden = trained.network.get_parameter("classifier.4.weight").half().float()
    assert torch.equal(other.network.get_parameter("classifier.4.weight"), hidden)
    with pytest.raises(InvalidRecipe, match="batch normalization"):
        engine.start_from(str(tmp_path), NetworkWithHead(AlexNet(batch_norm=True), None), LABELS)


def test_loss_of_outliers_by_hand() -> None:
    logits = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    in_distribution = torch.tensor([2.0, 0.0, -1.0])  # one photo of the classes, two outliers
    to_uniform = (-(math.log(math.e / (math.e + 1)) + math.log(1 / (math.e + 1))) / 2 + math.log(2)) / 2
    of_outliers = math.log(2) + math.log(1 + math.exp(-1))
    for known in (1.0, 0.75):
        of_photo = known * math.log(1 + math.exp(-2)) + (1 - known) * math.log(1 + math.exp(2))
        head = (of_photo + of_outliers) / 3
        for uniform_weight, in_distribution_weight in ((0.0, 1.0), (1.0, 0.0), (0.3, 0.7)):
            recipe = Recipe(uniform_weight=uniform_weight, in_distribution_weight=in_distribution_weight)
            expected = uniform_weight * to_uniform + in_distribution_weight * head
            loss = engine.outlier_loss(logits, in_distribution, torch.tensor([known, 0.0, 0.0]), recipe)
            assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_square_that_shows_a_class_is_no_outlier() -> None:
    """Its probability, as the teacher tells it, is what the head learns, and takes it out of those that show none."""
    logits, in_distribution = torch.tensor([[3.0, 0.0], [1.0, 0.0]]), torch.tensor([2.0, 1.5, -1.0])
    recipe = Recipe(uniform_weight=1.0, in_distribution_weight=0.0)
    one = engine.outlier_loss(logits[1:], in_distribution[1:], torch.tensor([1.0, 0.0]), recipe)
    both = engine.outlier_loss(logits, in_distribution, torch.tensor([1.0, 1.0, 0.0]), recipe)
    assert both == pytest.approx(one.item())
    half = engine.outlier_loss(logits, in_distribution, torch.tensor([1.0, 0.5, 0.0]), recipe)
    uniform = -logits.log_softmax(1).mean(1)
    assert half.item() == pytest.approx((0.5 * uniform[0] + uniform[1]).item() / 1.5)


class Sure(nn.Module):
    """A teacher that is sure of the first class, and half sure that a photo shows one at all."""

    def __init__(self, name: str, labels: tuple[str, ...]) -> None:
        super().__init__()

    def forward(self, images: Tensor) -> Targets:
        """Say the same of each of the images (N, 3, H, W)."""
        return Targets(torch.tensor([[1.0, 0.0]]).expand(len(images), 2), torch.full((len(images),), 0.5))


def test_teacher_has_its_weight_in_the_targets(fit: Any, steps: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "Teacher", Sure)
    fit(teacher="a teacher", distillation_weight=0.2)
    targets = torch.cat([row["targets"] for row in steps])
    assert {tuple(row) for row in targets.mul(10).round().int().tolist()} == {(10, 0), (2, 8)}


def test_teacher_has_its_weight_in_what_the_head_learns(fit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of photos: what a photo of a class still shows, once it was cropped, a teacher knows. Outliers show none."""
    monkeypatch.setattr(engine, "HIDDEN", 3)
    monkeypatch.setattr(engine, "Teacher", Sure)
    seen: list[Tensor] = []
    binary = F.binary_cross_entropy_with_logits

    def recorded(logits: Tensor, targets: Tensor) -> Tensor:
        seen.append(targets)
        return binary(logits, targets)

    monkeypatch.setattr(engine.F, "binary_cross_entropy_with_logits", recorded)
    fit(teacher="a teacher", distillation_weight=0.2, outliers=6)
    assert all(torch.allclose(targets, torch.tensor([0.9] * 8 + [0.0] * 6)) for targets in seen)
    assert len(seen) == STEPS


def test_learning_rate_is_the_recipes_or_the_optimizers_own() -> None:
    assert Recipe(optimizer="sgd", learning_rate=0.5).peak_learning_rate == 0.5
    assert Recipe(optimizer="sgd").peak_learning_rate == 0.01
    groups = engine.build_optimizer(Small(2, True, 0.5), Recipe(optimizer="sgd", weight_decay=0.1)).param_groups
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [(0.01, 0.1), (0.01, 0.1), (0.01, 0.0)]
    convolution = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(16, 2))
    groups = engine.build_optimizer(convolution, Recipe(optimizer="muon", weight_decay=0.1)).param_groups
    assert [group["lr"] for group in groups] == [0.02, 0.001, 0.001]
    assert [group["weight_decay"] for group in groups] == pytest.approx([0.005, 0.1, 0])  # rate x decay is the same


def test_squares_are_judged_by_the_teacher(fit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "HIDDEN", 3)
    monkeypatch.setattr(engine, "Teacher", Sure)
    seen: list[Tensor] = []
    outlier_loss = engine.outlier_loss

    def recorded(logits: Tensor, in_distribution: Tensor, known: Tensor, recipe: Recipe) -> Tensor:
        seen.append(known.clone())
        assert len(logits) == 3 + 6
        return outlier_loss(logits, in_distribution, known, recipe)

    monkeypatch.setattr(engine, "outlier_loss", recorded)
    fit(teacher="a teacher", distillation_weight=0.2, outliers=6, squares=3)
    assert len(seen) == STEPS
    assert all(torch.allclose(known, torch.tensor([0.9] * 8 + [0.5] * 3 + [0.0] * 6)) for known in seen)


def test_squares_need_a_teacher_and_outliers(fit: Any) -> None:
    for changes in ({"outliers": 6}, {"teacher": "alexnet"}):
        with pytest.raises(InvalidRecipe, match="squares: a teacher"):
            fit(squares=3, **changes)


def test_outliers_take_the_colors_of_photos(fit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "HIDDEN", 3)
    taken: list[tuple[int, int, float]] = []

    def recorded(images: Tensor, others: Tensor, probability: float) -> Tensor:
        taken.append((len(images), len(others), probability))
        return images

    monkeypatch.setattr(engine, "recolored", recorded)
    fit(outliers=6)
    assert not taken
    fit(outliers=6, recolor_prob=0.4)
    assert taken == [(8, 6, 0.2), (6, 8, 0.4)] * STEPS


@pytest.mark.parametrize("changes", [{}, {"outliers": 6}])
def test_an_accelerator_trains_by_batches_as_a_cpu_does_by_images(
    fit: Any, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    """The photos of plain colors look the same however they are cropped, so only their order differs."""
    monkeypatch.setattr(engine, "HIDDEN", 3)
    by_images, history = fit(epochs=12, **changes)
    monkeypatch.setattr(loaders, "by_batches", lambda device: True)
    by_batches, other_history = fit(epochs=12, **changes)
    assert other_history[-1]["validation_loss"] == pytest.approx(history[-1]["validation_loss"], abs=0.05)
    assert torch.equal(by_batches["linear.weight"], fit(epochs=12, **changes)[0]["linear.weight"])
    assert not torch.equal(by_batches["linear.weight"], by_images["linear.weight"])


def test_an_accelerator_writes_few_checkpoints(fit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its epochs may be shorter than the time that a checkpoint takes; the first and the last are always written."""
    written: list[int] = []
    save = checkpoint.save

    def recorded(folder: Path, modules: Any, optimizer: Any, recipe: Recipe, history: History, *rest: Any) -> None:
        written.append(len(history))
        save(folder, modules, optimizer, recipe, history, *rest)

    monkeypatch.setattr(checkpoint, "save", recorded)
    fit(epochs=4)
    assert written == [1, 2, 3, 4]
    written.clear()
    monkeypatch.setattr(engine, "NO_ACCELERATOR", False)
    fit(epochs=4)
    assert written == [1, 4]
    written.clear()
    monkeypatch.setattr(engine, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    fit(epochs=4)
    assert written == [1, 2, 3, 4]


@pytest.mark.parametrize("by_batches", [False, True])
def test_outliers_and_squares_are_others_in_each_epoch_and_grow_with_the_photos(
    fit: Any, monkeypatch: pytest.MonkeyPatch, by_batches: bool
) -> None:
    monkeypatch.setattr(engine, "HIDDEN", 3)
    monkeypatch.setattr(engine, "Teacher", Sure)
    monkeypatch.setattr(loaders, "by_batches", lambda device: by_batches)
    seen: dict[int, list[Tensor]] = {8: [], 6: [], 3: []}
    normalize = engine.normalize

    def recorded(pixels: Tensor, preprocessing: Any) -> Tensor:
        seen[len(pixels)].append(pixels)
        return normalize(pixels, preprocessing)

    monkeypatch.setattr(engine, "normalize", recorded)
    sizes = {"size": 96, "resize": 96, "initial_size": 64, "epochs": 2}
    fit(teacher="a teacher", outliers=6, squares=3, **sizes)
    for batches in seen.values():
        assert [batch.shape[-1] for batch in batches] == [64] * STEPS + [96] * STEPS
        first, second = (torch.cat(some).float().mean((2, 3)) for some in (batches[:STEPS], batches[STEPS:]))
        assert not torch.equal(first, second)
