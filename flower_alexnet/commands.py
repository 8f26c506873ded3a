"""What the commands of the command line do."""

from __future__ import annotations

import json
import locale
import re
import shlex
import sys
from argparse import Namespace
from collections.abc import Callable
from importlib.metadata import requires
from typing import TextIO

from flower_alexnet import InvalidModel, Prediction, batch, registry
from flower_alexnet.classifier import PREDICTION_FIELDS, load_classifier
from flower_alexnet.registry import Model
from flower_alexnet.words import counted, printable

BAR = 30
"""Characters of the bar of probability 1."""


def run(options: Namespace) -> int:
    """Run the command that the options name, and return its exit code: 0, or 2 if anything could not be read."""
    commands: dict[str, Callable[[Namespace], int]] = {"classify": classify, "label": label, "models": models}
    try:
        return commands[options.command](options)
    except InvalidModel as error:
        _print(error, sys.stderr)
        return 2


def classify(options: Namespace) -> int:
    """Classify the photos that can be read; report the others on stderr."""
    classifier = load_classifier(options.model, options.device)
    photos = batch.find_photos(options.photos, _language())
    rows = []
    for row in batch.classify_each(classifier, photos.found):
        rows.append(row)
        if row.prediction is None:
            _print(row.problem, sys.stderr)
        elif not options.json:
            _print(row.name)
            print(_table(row.prediction, options.top))
    if options.json:
        print(json.dumps([_row(row.name, row.prediction, options.top) for row in rows if row.prediction], indent=2))
    _print_skipped(photos.skipped)
    if not rows:
        print("There is no picture to classify.", file=sys.stderr)
    return 2 if not rows or any(row.problem for row in rows) else 0


def models(_: Namespace) -> int:
    """List the shipped models, best first."""
    shipped = registry.shipped_models()
    for model in shipped:
        print(_description(model))
    if not shipped:
        print(f"There is no model in {registry.WEIGHTS}.", file=sys.stderr)
    return 0 if shipped else 2


def label(options: Namespace) -> int:
    """Label a collection into a Parquet file."""
    try:
        from flower_alexnet import collection
    except ImportError as error:
        print(f"{error.name} is not installed. Install what label needs: {_installation()}", file=sys.stderr)
        return 2
    try:
        labelled = collection.label_collection(options.source, options.output, options.model, options.ray)
    except collection.InvalidCollection as error:
        _print(error, sys.stderr)
        return 2
    _print(options.output)
    _print_skipped(labelled.skipped)
    if labelled.problems:
        problems = counted(labelled.problems, "photo")
        print(f"{problems} could not be labelled; see the column problem.", file=sys.stderr)
    return 2 if labelled.problems else 0


def _installation() -> str:
    """Return the command that installs what ``label`` needs: in a checkout, or beside an installed package."""
    if (registry.PACKAGE.parent / "requirements-scale.txt").is_file():
        return "pip install -r requirements-scale.txt"
    requirements = [line.partition(";") for line in requires("flower-alexnet") or []]
    needed = [name.strip() for name, _, condition in requirements if "scale" in condition]
    return f"pip install {' '.join(map(shlex.quote, needed))}"


def _language() -> str:
    try:
        return locale.getlocale()[0] or "en"
    except ValueError:  # a name that Python does not know
        return "en"


def _print(line: object, file: TextIO | None = None) -> None:
    """Print a name, or a line with a name in it, of which control characters are written ``\\x1b``."""
    text = re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda found: f"\\x{ord(found[0]):02x}", printable(str(line)))
    print(text, file=file)


def _print_skipped(skipped: int) -> None:
    if skipped:
        are = "is no picture" if skipped == 1 else "are no pictures"
        print(f"Passed over {counted(skipped, 'file')} that {are}.", file=sys.stderr)


def _description(model: Model) -> str:
    if model.problem is not None:
        return f"{model.name} (unavailable): {model.problem}"
    if model.test_accuracy is None:
        return f"{model.name} (accuracy not measured)"
    return f"{model.name} ({model.test_accuracy:.1%} on test)"


def _row(photo: str, prediction: Prediction, k: int) -> dict[str, object]:
    return {
        "photo": printable(photo),
        **{name: getattr(prediction, name) for name in PREDICTION_FIELDS},
        "top": [{"label": label, "probability": probability} for label, probability in prediction.top(k)],
    }


def _table(prediction: Prediction, k: int) -> str:
    width = max(len(label) for label in prediction.probabilities)
    block = _block()
    bars = [
        f"  {label:<{width}} {probability:>6.1%}  {block * round(BAR * probability)}".rstrip()
        for label, probability in prediction.top(k)
    ]
    return "\n".join([f"  {prediction.in_words()}", *bars])


def _block() -> str:
    """Return the character that bars are made of: a full block if the console has it."""
    try:
        "█".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return "#"
    return "█"
