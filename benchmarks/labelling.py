"""Labeling of a large collection: python -m benchmarks.labelling

Memory of ``python -m flower_alexnet label`` by the number of photos, and photos per second in one process and in two
on a local Ray cluster.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import cycle, islice
from pathlib import Path

import psutil

from benchmarks.measure import machine, photos, purpose, table
from tests.support import PROJECT

DRAWN = 100
"""Different photos to draw if no folder is given."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.labelling", description=purpose(__doc__))
    parser.add_argument(
        "--photos", type=int, nargs="+", default=[1000, 20000], help="numbers of photos (default: 1000 20000)"
    )
    parser.add_argument("--data", type=Path, help="folder of JPEGs to label, repeated as needed (default: drawn ones)")
    options = parser.parse_args(arguments)
    print(machine(), end="\n\n")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        files = sorted(options.data.rglob("*.jpg")) if options.data else photos(Path(folder), "500x333", DRAWN)
        for count in options.photos:
            collection = _collection(files, count, Path(folder) / str(count))
            for processes, more in (("1", ()), ("2, on Ray", ("--ray", "local"))):
                seconds, peak = label(collection, Path(folder) / f"{count}{processes}.parquet", *more)
                rows.append((count, processes, seconds, count / seconds, peak / 1e6))
    print(table(("photos", "processes", "seconds", "photos/s", "peak memory of the largest process, MB"), rows))


def label(collection: Path, output: Path, *more: str) -> tuple[float, int]:
    """Run the label command.

    Args:
        collection: folder of photos.
        output: Parquet file to write.
        more: further arguments of the command.

    Returns:
        Its seconds, and the peak memory in bytes of its largest process.

    Raises:
        RuntimeError: it failed; the message holds its output.
    """
    command = [sys.executable, "-m", "flower_alexnet", "label", str(collection), "--output", str(output), *more]
    started, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile("w+") as log:
        process = psutil.Popen(command, cwd=PROJECT, stdout=log, stderr=subprocess.STDOUT)
        while process.poll() is None:
            for member in (process, *process.children(recursive=True)):
                with suppress(psutil.Error):
                    peak = max(peak, member.memory_full_info().uss)
            time.sleep(0.5)
        seconds = time.perf_counter() - started
        if process.returncode:
            log.seek(0)
            raise RuntimeError(f"{' '.join(command)} failed:\n{log.read()}")
    return seconds, peak


def _collection(files: Sequence[Path], count: int, folder: Path) -> Path:
    """Fill a new folder with symbolic links to the files, repeated up to the count."""
    folder.mkdir()
    for number, file in enumerate(islice(cycle(files), count)):
        os.symlink(file.resolve(), folder / f"{number:06}.jpg")  # noqa: PTH211  (several links to one file)
    return folder


if __name__ == "__main__":
    main()
