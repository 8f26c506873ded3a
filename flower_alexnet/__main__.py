"""Command line: flower-alexnet (or python -m flower_alexnet) classify, label and models."""

from __future__ import annotations

import argparse
import io
import json
import locale
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from flower_alexnet import InvalidModel, Prediction, __version__, batch, registry
from flower_alexnet.classifier import PREDICTION_FIELDS, find_device, load_classifier
from flower_alexnet.registry import Model
from flower_alexnet.words import counted, printable

BAR = 30
"""Characters of the bar of probability 1."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 2 if anything could not be read, 130 on Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console may lack letters of a file's name
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except InvalidModel as error:
        _print(error, sys.stderr)
        return 2
    except KeyboardInterrupt:
        continues = " The same command continues where it stopped." if options.run is label else ""
        print(f"Stopped.{continues}", file=sys.stderr)
        return 130


def classify(options: argparse.Namespace) -> int:
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


def models(_: argparse.Namespace) -> int:
    """List the shipped models, best first."""
    shipped = registry.shipped_models()
    for model in shipped:
        print(_description(model))
    if not shipped:
        print(f"There is no model in {registry.WEIGHTS}.", file=sys.stderr)
    return 0 if shipped else 2


def label(options: argparse.Namespace) -> int:
    """Label a collection into a Parquet file."""
    try:
        from flower_alexnet import collection
    except ImportError as error:
        print(
            f"{error.name} is not installed. In a checkout: pip install -r requirements-scale.txt",
            file=sys.stderr,
        )
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="flower-alexnet", description="Name the flower in photos.")
    parser.add_argument("--version", action="version", version=f"flower-alexnet {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("classify", help="name the flower in each photo")
    command.add_argument(
        "photos",
        nargs="+",
        metavar="PHOTO",
        help="image file, folder, zip, pattern such as '*.jpg', or http(s) address",
    )
    _add_model(command)
    command.add_argument("--top", type=_positive, default=5, metavar="K", help="how many labels to show (default: 5)")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.add_argument(
        "--device", type=_device, metavar="DEVICE", help="where the network computes, such as cuda (default: the CPU)"
    )
    command.set_defaults(run=classify)

    command = commands.add_parser("label", help="label a large collection into a Parquet file")
    command.add_argument("source", help="folder, file or pattern, local or at an address such as s3://bucket/photos")
    command.add_argument("--output", type=Path, required=True, metavar="FILE", help="Parquet file to write")
    _add_model(command)
    command.add_argument(
        "--ray", metavar="ADDRESS", help="Ray cluster to run on, as host:port or auto; local starts one on this machine"
    )
    command.set_defaults(run=label)

    command = commands.add_parser("models", help="list the shipped models, best first")
    command.set_defaults(run=models)
    return parser


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model",
        help="shipped model, model folder or Hub repository (default: the best shipped model)",
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


_positive.__name__ = "positive whole number"  # argparse shows the name of the type in its message


def _device(name: str) -> str:
    try:
        find_device(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return name


if __name__ == "__main__":
    sys.exit(main())
