"""What the benchmarks share: medians in turns, the machine, tables, and photos to work on."""

from __future__ import annotations

import io
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

PROJECT = Path(__file__).resolve().parent.parent

SIZES = {"500x333": (500, 333), "12 megapixels": (4000, 3000)}
"""Width and height of a photo of flower_photos, and of one that a phone takes."""

TURNS = 5
PAUSE = 0.1
"""Seconds."""

NOISE = 6
"""Standard deviation of the noise that makes a drawn picture as hard to decode as a photo: about 2 bits a pixel."""


def medians(ways: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """Median seconds that each way of doing a thing takes.

    The ways take turns, so that whatever else the machine does hits all of them. Before each turn comes a pause, and
    its first run is not counted: threads that helped the one before go on looking for work for some milliseconds.

    Args:
        ways: each by its name.
        seconds: for how long each is measured, together.
    """
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(TURNS):
        for name, way in ways.items():
            time.sleep(PAUSE)
            way()
            end = time.perf_counter() + seconds / TURNS
            while (started := time.perf_counter()) < end:
                way()
                taken[name].append(time.perf_counter() - started)
    return {name: median(times) for name, times in taken.items()}


def machine() -> str:
    """The processor, its cores, and the versions that matter."""
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", cpuinfo.read_text()) if cpuinfo.is_file() else None
    processor = found[1] if found else platform.processor()
    cores = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else psutil.cpu_count()
    return (
        f"{processor}, {cores} cores; Python {platform.python_version()}, torch {torch.__version__}, "
        f"Pillow {PIL.__version__}"
    )


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as Markdown has it; numbers with three digits, or all that are before the point."""
    cells = [[_short(value) if isinstance(value, float) else value for value in row] for row in rows]
    return tabulate(cells, headers, tablefmt="github", disable_numparse=True)


def _short(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 1000 else f"{number:.3g}"


def photos(folder: Path, size: str, count: int) -> list[Path]:
    """Files of a folder with so many different photos of one of ``SIZES``; what is there already stays."""
    files = [folder / f"{size}-{number}.jpg" for number in range(count)]
    for number, file in enumerate(files):
        if not file.exists():
            file.write_bytes(photo(SIZES[size], number))
    return files


def photo(size: tuple[int, int], seed: int = 0) -> bytes:
    """A JPEG of a size (width, height): an example, cropped, enlarged and made noisy."""
    with Image.open(PROJECT / "examples" / "sunflowers.webp") as drawn:
        side = min(drawn.size)
        box = (0, 0, side, side * size[1] / size[0])
        picture = np.asarray(drawn.convert("RGB").resize(size, Image.Resampling.BICUBIC, box), dtype=np.float32)
    noise = np.random.default_rng(seed).normal(0, NOISE, picture.shape)
    file = io.BytesIO()
    Image.fromarray((picture + noise).clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()
