"""Sets of photos are told apart where their features differ, and not where they are alike."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.support.commands import run_module
from train.sources import separability


def test_sets_are_told_by_a_feature_that_differs_and_by_no_other() -> None:
    torch.manual_seed(0)
    one, other = torch.randn(300, 20), torch.randn(120, 20)
    assert separability(one, other) == pytest.approx(0.5, abs=0.1)
    other[:, 3] += 3
    assert separability(one, other) > 0.95


def test_command(flowers: Path, random_model: Path) -> None:
    folders = ["--one", flowers / "tulips", "--other", flowers / "sunflowers"]
    result = run_module("train.sources", "--model", random_model, *folders)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 4
    assert "full size, JPEG 70    AUROC 1.000 of 20 and 20 photos" in result.stdout
    result = run_module("train.sources", "--model", random_model, "--one", flowers, "--other", flowers / "none")
    assert result.returncode == 2
    assert "does not exist" in result.stderr
