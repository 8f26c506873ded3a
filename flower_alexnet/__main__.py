"""Command line: flower-alexnet (or python -m flower_alexnet) classify, label and models."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from flower_alexnet import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 2 if anything could not be read, 130 on Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console may lack letters of a file's name
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        # Imported now: torch takes two seconds, which neither --help nor a mistyped option needs.
        return import_module("flower_alexnet.commands").run(options)
    except KeyboardInterrupt:
        continues = " The same command continues where it stopped." if options.command == "label" else ""
        print(f"Stopped.{continues}", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="flower-alexnet", description="Name the flower in photos.")
    parser.add_argument("--version", action="version", version=f"flower-alexnet {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")

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

    command = commands.add_parser("label", help="label a large collection into a Parquet file")
    command.add_argument("source", help="folder, file or pattern, local or at an address such as s3://bucket/photos")
    command.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="Parquet file to write, such as labels.parquet"
    )
    _add_model(command)
    command.add_argument(
        "--ray", metavar="ADDRESS", help="Ray cluster to run on, as host:port or auto; local starts one on this machine"
    )

    commands.add_parser("models", help="list the shipped models, best first")
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
    from flower_alexnet.classifier import find_device

    try:
        find_device(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return name


if __name__ == "__main__":
    sys.exit(main())
