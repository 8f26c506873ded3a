"""Plots of a model folder and of comparisons, as PNG files."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.figure import Figure

from flower_alexnet.words import counted
from train.checkpoint import History

MOST_ZEROS = 15
"""Most classes of a confusion matrix whose zeros are printed, too."""


def plot_confusion_matrix(metrics: Mapping[str, Any], file: Path) -> None:
    """Plot the confusion matrix: counts, shaded by the fraction of the true label's photos."""
    counts = torch.tensor(metrics["confusion_matrix"])
    labels = [plot_label(label) for label in metrics["per_class"]]
    fractions = counts / counts.sum(1, keepdim=True).clamp(min=1)
    classes, longest = len(labels), max(map(len, labels))
    steep = classes > 8 or longest > 12  # slanted labels would run into each other
    side = min(24.0, max(5.0, 0.34 * classes)) + 0.07 * max(0, longest - 10)
    figure, axes = pyplot.subplots(figsize=(side + 0.6, side), layout="constrained")
    axes.imshow(fractions, cmap="Greens", vmin=0, vmax=1)
    axes.set(
        xlabel="predicted",
        ylabel="true",
        title=f"accuracy {metrics['accuracy']:.1%} on {counted(metrics['photos'], 'photo')}",
    )
    points = min(10.0, 50 * side / classes)
    axes.set_xticks(range(classes), labels, rotation=90 if steep else 30, fontsize=points)
    axes.set_yticks(range(classes), labels, fontsize=points)
    shown = torch.ones_like(counts) if classes <= MOST_ZEROS else counts
    for row, column in shown.nonzero().tolist():
        color, count = "white" if fractions[row, column] > 0.5 else "black", str(counts[row, column].item())
        axes.text(column, row, count, ha="center", va="center", color=color, fontsize=points)
    _save(figure, file)


def plot_reliability(metrics: Mapping[str, Any], file: Path, bins_of_confidence: int = 15) -> None:
    """Plot a reliability diagram: accuracy over confidence, one bar per bin, and the number of photos per bin."""
    figure, (upper, lower) = pyplot.subplots(
        2, 1, figsize=(4.6, 5.4), sharex=True, height_ratios=(3, 1), layout="constrained"
    )
    bins = metrics["reliability"]
    confidence, accuracy, photos = ([row[name] for row in bins] for name in ("confidence", "accuracy", "photos"))
    width = 0.9 / bins_of_confidence
    upper.bar(confidence, accuracy, width, color="tab:green", alpha=0.7, label="this model")
    upper.plot((0, 1), (0, 1), "--", color="black", linewidth=1, label="perfect calibration")
    upper.set(
        ylabel="accuracy", title=f"calibration error {metrics['calibration_error']:.3f}", xlim=(0, 1), ylim=(0, 1)
    )
    upper.legend(loc="upper left")
    lower.bar(confidence, photos, width, color="tab:gray")
    lower.set(xlabel="confidence", ylabel="photos")
    _save(figure, file)


def plot_training_curves(history: History, file: Path) -> None:
    """Plot training and validation loss and accuracy over the epochs."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    epochs = [row["epoch"] for row in history]
    marker = "o" if len(epochs) == 1 else None
    for axes, quantity in ((left, "loss"), (right, "accuracy")):
        for part in ("train", "validation"):
            axes.plot(epochs, [row[f"{part}_{quantity}"] for row in history], label=part, marker=marker)
        axes.set(xlabel="epoch", ylabel=quantity)
        axes.grid(alpha=0.3)
        axes.legend()
    right.set_ylim(0, 1)
    _save(figure, file)


def plot_label(label: str, longest: int = 30) -> str:
    """Return a label as text of a plot: cut if it is long, and a dollar sign starts no formula."""
    text = label if len(label) <= longest else label[: longest - 1] + "…"
    return text.replace("$", r"\$")


def _save(figure: Figure, file: Path) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a label in a script that the font lacks
        figure.savefig(file, dpi=110)
    pyplot.close(figure)


def plot_histories(histories: Mapping[str, History], file: Path) -> None:
    """Plot training loss and validation accuracy over the epochs, one line for each run by its title."""
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for title, history in histories.items():
        epochs = [row["epoch"] for row in history]
        axes[0].plot(epochs, [row["train_loss"] for row in history], label=title)
        axes[1].plot(epochs, [row["validation_accuracy"] for row in history], label=title)
    axes[0].set(xlabel="epoch", ylabel="training loss")
    axes[1].set(xlabel="epoch", ylabel="validation accuracy", ylim=(0, 1))
    for plot_axes in axes:
        plot_axes.grid(alpha=0.3)
    axes[1].legend()
    _save(figure, file)
