"""Plots of a model folder and of comparisons, as PNG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any
from unicodedata import bidirectional, category

import torch
from matplotlib import font_manager, pyplot
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from PIL import ImageOps

from flower_alexnet import images
from flower_alexnet.words import counted
from train.checkpoint import History
from train.evaluate import Mistake

MOST_MISTAKES, MISTAKES_A_ROW = 24, 6
"""Photos of a picture of mistakes, and of a row of it."""

MOST_ZEROS = 15
"""Most classes of a confusion matrix whose zeros are printed, too."""


def plot_confusion_matrix(metrics: Mapping[str, Any], file: Path) -> None:
    """Plot the confusion matrix: counts, shaded by the fraction of the true label's photos."""
    counts = torch.tensor(metrics["confusion_matrix"])
    labels, families = plot_labels([*metrics["per_class"]])
    pairs = zip(labels, metrics["per_class"], strict=True)
    given_by_number = any(text.isdecimal() and text != label for text, label in pairs)
    numbered = " (number: row of the card's table)" if given_by_number else ""
    fractions = counts / counts.sum(1, keepdim=True).clamp(min=1)
    classes, longest = len(labels), max(map(len, labels))
    steep = classes > 8 or longest > 12  # slanted labels would run into each other
    side = min(24.0, max(5.0, 0.34 * classes)) + 0.07 * max(0, longest - 10)
    figure, axes = pyplot.subplots(figsize=(side + 0.6, side), layout="constrained")
    axes.imshow(fractions, cmap="Greens", vmin=0, vmax=1)
    axes.set(
        xlabel=f"predicted{numbered}",
        ylabel="true",
        title=f"accuracy {metrics['accuracy']:.1%} on {counted(metrics['photos'], 'photo')}",
    )
    points = min(10.0, 50 * side / classes)
    axes.set_xticks(range(classes), labels, rotation=90 if steep else 30, fontsize=points, family=families)
    axes.set_yticks(range(classes), labels, fontsize=points, family=families)
    shown = torch.ones_like(counts) if classes <= MOST_ZEROS else counts
    for row, column in shown.nonzero().tolist():
        color, count = "white" if fractions[row, column] > 0.5 else "black", str(counts[row, column].item())
        axes.text(column, row, count, ha="center", va="center", color=color, fontsize=points)
    _save(figure, file)


def plot_mistakes(mistakes: Sequence[Mistake], file: Path) -> None:
    """Plot the photos with the largest losses, each under its label and the one that it was given."""
    shown = mistakes[:MOST_MISTAKES]
    rows = -(-len(shown) // MISTAKES_A_ROW)
    figure, axes = pyplot.subplots(
        rows, MISTAKES_A_ROW, figsize=(1.9 * MISTAKES_A_ROW, 2.3 * rows), layout="constrained", squeeze=False
    )
    for spot in axes.flat:
        spot.axis("off")
    for spot, mistake in zip(axes.flat, shown, strict=False):
        (true, said), families = plot_labels([mistake.true, mistake.said], 18)
        spot.imshow(ImageOps.fit(images.load(mistake.path, shorter_side=200), (200, 200)))
        title = f"{true},\nsaid {said} {mistake.probability:.0%}"
        spot.set_title(title, fontsize=8, family=families)
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


def plot_labels(labels: Sequence[str], longest: int = 30) -> tuple[list[str], list[str]]:
    """Return labels as texts of a plot, and the names of the fonts that draw them.

    A label is cut if it is long, and a dollar sign in it starts no formula. One in a script that no installed font has,
    or whose letters change with their neighbors or run from right to left, which matplotlib does not draw, is given by
    its number, counted from 1.
    """
    families, texts = [*pyplot.rcParams["font.sans-serif"][:1]], []
    for number, label in enumerate(labels, start=1):
        text = label if len(label) <= longest else label[: longest - 1] + "…"
        fonts = [_font_with(letter, families) for letter in text]
        if None in fonts or any(map(_is_shaped, text)):
            texts.append(str(number))
        else:
            families += dict.fromkeys(font for font in fonts if font is not None and font not in families)
            texts.append(text.replace("$", r"\$"))
    return texts, families


def _is_shaped(letter: str) -> bool:
    return bidirectional(letter) in ("R", "AL") or category(letter) in ("Mc", "Mn")


@cache
def _font(path: str) -> FT2Font:
    return FT2Font(path)


def _font_with(letter: str, families: Sequence[str]) -> str | None:
    """Return the name of a font that has a letter, one of the families if possible; None if no font has it."""
    preferred = ((name, font_manager.findfont(name)) for name in families)
    others = ((entry.name, entry.fname) for entry in font_manager.fontManager.ttflist)
    return next((name for name, path in chain(preferred, others) if _font(path).get_char_index(ord(letter))), None)


def _save(figure: Figure, file: Path) -> None:
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
