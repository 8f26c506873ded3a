"""Plots show class names of any script, or say where their names are."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from matplotlib import font_manager

from train import plots

CHINESE = ("山茶花", "向日葵")


@pytest.fixture
def no_other_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave matplotlib the fonts that it brings."""
    ours = [font for font in font_manager.fontManager.ttflist if font.name.startswith("DejaVu Sans")]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", ours)


@pytest.mark.usefixtures("no_other_fonts")
@pytest.mark.parametrize(
    ("labels", "texts"),
    [
        (("Gänseblümchen", "Тюльпан", "τουλίπα"), ["Gänseblümchen", "Тюльпан", "τουλίπα"]),
        (("rose", *CHINESE), ["rose", "2", "3"]),
        (("وردة", "गुलाब", "ורד"), ["1", "2", "3"]),  # letters that change, or run from right to left
        (("a" * 40, "$5"), ["a" * 29 + "…", r"\$5"]),
    ],
)
def test_labels_are_drawn_or_given_by_their_number(labels: tuple[str, ...], texts: list[str]) -> None:
    assert plots.plot_labels(labels)[0] == texts


def test_a_font_that_has_the_letters_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = "Another Font"
    has = plots._font_with
    monkeypatch.setattr(
        plots, "_font_with", lambda letter, families: chosen if letter in "山茶花" else has(letter, families)
    )
    texts, families = plots.plot_labels(["rose", "山茶花"])
    assert texts == ["rose", "山茶花"]
    assert families[-1] == chosen
    assert families.count(chosen) == 1


@pytest.mark.usefixtures("no_other_fonts")
def test_nothing_is_drawn_as_boxes(tmp_path: Path) -> None:
    metrics = {
        "confusion_matrix": torch.eye(3).int().tolist(),
        "per_class": dict.fromkeys(("rose", *CHINESE)),
        "accuracy": 1.0,
        "photos": 3,
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Glyph")
        plots.plot_confusion_matrix(metrics, tmp_path / "matrix.png")
    assert (tmp_path / "matrix.png").stat().st_size > 5000
