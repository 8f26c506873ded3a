"""Helpers of the benchmarks: interleaved timing, description of the machine, tables, and test photos."""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import PIL
import psutil
import torch
from PIL import Image
from tabulate import tabulate

from tests.support import PROJECT
from tests.support.photos import encoded

SIZES = {"500x333": (500, 333), "12 megapixels": (4000, 3000)}
"""Width and height in pixels of a typical photo of flower_photos, and of a phone."""

TURNS = 5
"""Turns of each candidate."""

PAUSE = 0.1
"""Seconds before each turn."""

NOISE = 6
"""Standard deviation (of 255) of the noise that makes a drawn image as large as a photo: about 2 bits per pixel."""


def purpose(documentation: str | None) -> str:
    """Return what ``--help`` says of a benchmark: its module's documentation without the first line, which names it."""
    return " ".join((documentation or "").partition("\n\n")[2].split())


def medians(candidates: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """Return the median seconds per call of each candidate.

    The candidates take turns, so that other load on the machine affects all of them. Each turn starts with a pause and
    an uncounted call, because OpenMP threads of the previous candidate keep spinning for some milliseconds.

    Args:
        candidates: functions by their names.
        seconds: measuring time per candidate, over all turns.
    """
    timings: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(TURNS):
        for name, candidate in candidates.items():
            time.sleep(PAUSE)
            candidate()
            end = time.perf_counter() + seconds / TURNS
            while (started := time.perf_counter()) < end:
                candidate()
                timings[name].append(time.perf_counter() - started)
    return {name: median(times) for name, times in timings.items()}


def machine() -> str:
    """Return the processor, its number of cores, and the versions of Python, torch and Pillow."""
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", cpuinfo.read_text()) if cpuinfo.is_file() else None
    processor = found[1] if found else platform.processor()
    cores = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else psutil.cpu_count()
    return (
        f"{processor}, {cores} cores; Python {platform.python_version()}, torch {torch.__version__}, "
        f"Pillow {PIL.__version__}"
    )


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table, with floats at three significant digits, or as integers from 1000 on."""
    cells = [[_short(value) if isinstance(value, float) else value for value in row] for row in rows]
    return tabulate(cells, headers, tablefmt="github", disable_numparse=True)


def _short(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 1000 else f"{number:.3g}"


def photos(folder: Path, size: str, count: int) -> list[Path]:
    """Return files of a folder with that many different photos of one of ``SIZES``; write those that are missing."""
    files = [folder / f"{size}-{number}.jpg" for number in range(count)]
    for number, file in enumerate(files):
        if not file.exists():
            file.write_bytes(photo(SIZES[size], number))
    return files


def photo(size: tuple[int, int], seed: int = 0) -> bytes:
    """Return a JPEG file of a size (width, height): an example image, cropped, enlarged, with noise of the seed."""
    with Image.open(PROJECT / "examples" / "sunflowers_1.webp") as drawn:
        side = min(drawn.size)
        box = (0, 0, side, side * size[1] / size[0])
        pixels = np.asarray(drawn.convert("RGB").resize(size, Image.Resampling.BICUBIC, box), dtype=np.float32)
    noise = np.random.default_rng(seed).normal(0, NOISE, pixels.shape)
    return encoded(Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8)), "JPEG", quality=90)
