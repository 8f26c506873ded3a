"""Each benchmark runs on little data and prints its tables; no measured time is checked.

BENCHMARKS=1 pytest tests/test_benchmarks.py runs all of them, which takes minutes.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import inference, labelling, serving, soak, training

long = pytest.mark.skipif("BENCHMARKS" not in os.environ, reason="set BENCHMARKS=1 to run every benchmark")


@long
def test_inference(
    flowers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.measure.PAUSE", 0)
    monkeypatch.setattr("benchmarks.measure.TURNS", 1)
    monkeypatch.setattr(inference, "MODELS", ("alexnet-baseline",))
    for photo in flowers.glob("*/1.jpg"):
        (tmp_path / photo.parent.name).mkdir()
        shutil.copy(photo, tmp_path / photo.parent.name)
    inference.main(["--seconds", "0.001", "--photos", str(tmp_path), "--plot", str(tmp_path / "plot.webp")])
    assert (tmp_path / "plot.webp").stat().st_size > 1000
    printed = capsys.readouterr().out
    for row in ("1 x 12 megapixels", "32 x 500x333", "ONNX Runtime, ms", "| alexnet-baseline | 5 "):
        assert row in printed


@long
def test_serving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "SIZES", {"small": (120, 90)})
    monkeypatch.setattr(serving, "WARM_UP", 0.1)
    monkeypatch.setattr("benchmarks.measure.SIZES", {"small": (120, 90)})
    table = serving.under_load([2], 1)
    assert all(way in table for way in serving.WAYS)
    table = serving.cold_start(1)
    assert all(page in table for page in ("empty page", "plain demo", "app.py"))


def test_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "WARM_UP", 0.1)
    monkeypatch.setattr(serving, "LIVE", (2,))
    *_, nobody, two = serving.live(2).splitlines()
    assert nobody.startswith("| 0 ")
    assert two.startswith("| 2 ")
    assert float(two.split("|")[2]) > 1


def test_memory() -> None:
    assert "\n| 20 " in serving.memory(20, steps=2, users=2)


@long
def test_training(flowers: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "AT_224", replace(training.AT_224, batch_size=16, epochs=1))
    monkeypatch.setattr(training, "BESIDE_OUTLIERS", replace(training.AT_224, outliers=8))
    quick = replace(next(iter(training.QUICK.values())), size=64, resize=64, epochs=1, batch_size=16)
    monkeypatch.setattr(training, "QUICK", {"quick": quick})
    training.main(["--data", str(flowers), "--epochs", "1"])
    printed = capsys.readouterr().out
    assert "images/s at 224 px" in printed
    assert "| quick " in printed


@long
def test_labelling(capsys: pytest.CaptureFixture[str]) -> None:
    labelling.main(["--photos", "30"])
    printed = capsys.readouterr().out
    assert "\n| 30 " in printed
    assert "| 2, on Ray " in printed


@long
def test_soak(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "KEPT", 8)
    assert soak.main(["--clients", "20", "--seconds", "4"]) == 0, capsys.readouterr()
    assert "garbage with its reason" in capsys.readouterr().out
