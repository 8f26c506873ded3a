"""A checkpoint that cannot be resumed from is refused in one line; a resumed run equals an uninterrupted one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from train import checkpoint, engine
from train.checkpoint import NAME, InvalidCheckpoint
from train.data import TrainingData
from train.recipes import Recipe

RECIPE = Recipe(epochs=3, optimizer="muon", size=64, resize=64, batch_size=8, dropout=0.0)
LABELS = ("circles", "squares")
PHOTOS = "0123"
ROW = dict.fromkeys(sorted(checkpoint.MEASUREMENTS), 0.5)

Tensors = dict[str, Tensor]
Metadata = dict[str, str]


def network() -> tuple[dict[str, nn.Module], torch.optim.Optimizer]:
    """Return a small network that has taken a step, and its optimizer."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(16, 2))
    optimizer = engine.build_optimizer(layers, RECIPE)
    layers(torch.randn(2, 3, 4, 4)).sum().backward()
    optimizer.step()
    return {"network": layers}, optimizer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the output folder of a run of one epoch."""
    modules, optimizer = network()
    checkpoint.save(tmp_path, modules, optimizer, RECIPE, [{**ROW, "epoch": 1}], LABELS, PHOTOS)
    return tmp_path


def restore(folder: Path, **changes: Any) -> checkpoint.History:
    modules, optimizer = network()
    run: dict[str, Any] = {"recipe": RECIPE, "labels": LABELS, "photos": PHOTOS}
    return checkpoint.restore(folder, modules, optimizer, **{**run, **changes})


def rewrite(folder: Path, change: Callable[[Tensors, Metadata], object]) -> None:
    """Write a changed checkpoint in place of the one in the folder."""
    with safe_open(folder / NAME, framework="pt") as file:
        metadata = dict(file.metadata())
    tensors = load_file(folder / NAME)
    change(tensors, metadata)
    save_file(tensors, folder / NAME, metadata=metadata or None)


def test_state_comes_back(folder: Path) -> None:
    modules, optimizer = network()
    expected = {name: tensor.clone() for name, tensor in modules["network"].state_dict().items()}
    state = {index: {**entry} for index, entry in optimizer.state_dict()["state"].items()}
    with torch.no_grad():
        for parameter in modules["network"].parameters():
            parameter.zero_()
    assert checkpoint.restore(folder, modules, optimizer, RECIPE, LABELS, PHOTOS) == [{**ROW, "epoch": 1}]
    for name, tensor in modules["network"].state_dict().items():
        assert torch.equal(tensor, expected[name])
    for index, entry in optimizer.state_dict()["state"].items():
        assert entry.keys() == state[index].keys()
        assert all(torch.equal(entry[name], state[index][name]) for name in entry)


def test_save_that_fails_keeps_the_earlier_checkpoint_and_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full after a few bytes."""

    def full(tensors: Tensors, file: Path, metadata: Metadata) -> None:
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert before.keys() == {NAME, checkpoint.TABLE}
    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(folder, *network(), RECIPE, [{**ROW, "epoch": 1}], LABELS, PHOTOS)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def set_json(name: str, value: object) -> Callable[[Tensors, Metadata], object]:
    return lambda tensors, metadata: metadata.update({name: json.dumps(value)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors, metadata: metadata.clear(), "does not say which run it is of"),
        (lambda tensors, metadata: metadata.pop("recipe"), "does not say which run it is of (recipe: "),
        (lambda tensors, metadata: metadata.pop("photos"), "does not say which run it is of (photos: "),
        (lambda tensors, metadata: metadata.update(recipe="{"), "cannot be read"),
        (set_json("recipe", [1]), "does not say which run it is of (recipe: "),
        (set_json("history", None), "does not say which run it is of (history: "),
        (set_json("history", [{"epoch": "first"}]), "does not say which run it is of (history.0.epoch: "),
        (set_json("labels", "circles"), "does not say which run it is of (labels: "),
        (set_json("history", []), "no complete history"),
        (set_json("history", [{"epoch": 1}]), "no complete history"),
        (set_json("history", [{**ROW, "epoch": 2}]), "no complete history"),
        (set_json("history", [{**ROW, "epoch": number + 1} for number in range(4)]), "no complete history"),
        (lambda tensors, metadata: tensors.pop("network.0.weight"), "lacks network.0.weight"),
        (lambda tensors, metadata: tensors.update({"x": torch.zeros(1)}), "holds x"),
        (
            lambda tensors, metadata: tensors.update({"network.2.bias": torch.zeros(7)}),
            "network.2.bias has the shape (7,), not (2,)",
        ),
        (
            lambda tensors, metadata: tensors.update({"optimizer.0.momentum_buffer": torch.zeros(2)}),
            "optimizer.0.momentum_buffer has the shape (2,)",
        ),
        (
            lambda tensors, metadata: tensors.update({"optimizer.1.sum": tensors.pop("optimizer.1.exp_avg")}),
            "lacks optimizer.1.exp_avg",
        ),
        (lambda tensors, metadata: tensors.update({"optimizer.99.step": torch.zeros(())}), "holds optimizer.99.step"),
        (lambda tensors, metadata: tensors.update({"optimizer.x": torch.zeros(())}), "holds optimizer.x"),
    ],
)
def test_damaged_checkpoint_is_refused_in_one_line(
    change: Callable[[Tensors, Metadata], object], message: str, folder: Path
) -> None:
    rewrite(folder, change)
    with pytest.raises(InvalidCheckpoint) as refusal:
        restore(folder)
    assert message in str(refusal.value)
    assert str(refusal.value).endswith("Start again in another folder.")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"cut", b"\xff" * 100, b"{}" * 50])
def test_file_that_is_no_checkpoint_is_refused_in_one_line(content: bytes, folder: Path) -> None:
    (folder / NAME).write_bytes(content)
    with pytest.raises(InvalidCheckpoint, match="cannot be read") as refusal:
        restore(folder)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adagrad", "adam", "muon"])
@pytest.mark.parametrize("other", ["sgd", "momentum", "adagrad", "adam", "muon"])
def test_state_of_another_optimizer_is_refused(optimizer: Any, other: Any, tmp_path: Path) -> None:
    """The recipe in the metadata says one optimizer, and the tensors are another's."""
    recipes = [replace(RECIPE, optimizer=name) for name in (optimizer, other)]
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(16, 2))
    built = [engine.build_optimizer(layers, recipe) for recipe in recipes]
    for one in built:
        layers(torch.randn(2, 3, 4, 4)).sum().backward()
        one.step()
    history = [{**ROW, "epoch": 1}]
    checkpoint.save(tmp_path, {"network": layers}, built[0], recipes[0], history, LABELS, PHOTOS)
    rewrite(tmp_path, set_json("recipe", asdict(recipes[1])))
    if optimizer == other:
        assert checkpoint.restore(tmp_path, {"network": layers}, built[1], recipes[1], LABELS, PHOTOS) == history
    else:
        with pytest.raises(InvalidCheckpoint, match="unlike a checkpoint of this run"):
            checkpoint.restore(tmp_path, {"network": layers}, built[1], recipes[1], LABELS, PHOTOS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": replace(RECIPE, epochs=4)}, "another recipe (epochs was 3, now 4)"),
        ({"labels": ("circles", "dots")}, "of the classes circles, squares, but the data have circles, dots"),
        ({"photos": "4567"}, "a run on other photos than those given"),
    ],
)
def test_run_belongs_to_its_recipe_and_photos(changes: dict[str, Any], message: str, folder: Path) -> None:
    with pytest.raises(InvalidCheckpoint) as refusal:
        restore(folder, **changes)
    assert message in str(refusal.value)
    assert len(restore(folder)) == 1


def test_stopped_run_resumes_to_the_weights_of_an_unbroken_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With this random seed, two backgrounds of the first epoch are views of the photos' own memory."""
    recipe = Recipe(
        batch_norm=True,
        optimizer="muon",
        ema_decay=0.9,
        epochs=2,
        batch_size=4,  # of 16 photos: enough steps for an average
        size=64,
        resize=64,
        crop_scale=0.2,
        zoom_out_prob=1.0,
        outliers=4,
        seed=16,
    )

    def fit(name: str, resume: bool = False) -> Tensors:
        """Train on freshly decoded photos."""
        generator = torch.Generator().manual_seed(0)
        shape = (200, 220, 3)
        sources = [torch.randint(256, shape, dtype=torch.uint8, generator=generator) for _ in range(16)]
        photos: Any = [(source.permute(2, 0, 1), number % 5) for number, source in enumerate(sources)]
        validation = (torch.zeros(1, 3, 64, 64), torch.tensor([0]))
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        data = TrainingData(tuple("abcde"), photos, validation, photos[:5])
        network, head, _ = engine.fit(recipe, data, folder, resume)
        assert head is not None
        return {**network.state_dict(), **{f"head.{name}": tensor for name, tensor in head.state_dict().items()}}

    unbroken = fit("unbroken")
    save = checkpoint.save

    def stop(*arguments: Any) -> None:
        save(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoint, "save", stop)
        fit("stopped")
    resumed = fit("stopped", resume=True)
    assert all(torch.equal(resumed[name], unbroken[name]) for name in unbroken)
