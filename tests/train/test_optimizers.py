"""The comparison of optimizers, on a short recipe."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import pytest
from PIL import Image

from train import engine, optimizers, plots
from train.recipes import RECIPES, Recipe


def test_four_runs_a_figure_and_a_table(flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    matplotlib.use("Agg")
    monkeypatch.setitem(RECIPES, "alexnet-baseline", Recipe(epochs=1, size=64, resize=64, batch_size=16))
    histories = optimizers.compare(flowers, tmp_path)
    assert list(histories) == ["sgd", "momentum", "adagrad", "adam"]
    assert len({history[-1]["train_loss"] for history in histories.values()}) == 4

    plots.plot_histories(histories, tmp_path / "optimizers.png")
    assert Image.open(tmp_path / "optimizers.png").size[0] > 800
    assert optimizers.table(histories).count("\n| ") == 4

    monkeypatch.setattr(engine, "fit", None)  # what is finished is not done again
    assert optimizers.compare(flowers, tmp_path) == histories
