"""Two minutes of hostile files for the page: python -m tests.siege

Sixteen visitors send 300 files that would take much memory or time, one after another, while another visitor asks for
the answer to a photo twice a second. Print the highest memory of the page, how long the other visitor waited, and what
is left of the files.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.measure import machine, table
from tests.flower_alexnet import test_formats as formats
from tests.flower_alexnet import test_hostile_files as hostile
from tests.page.test_security import EXAMPLE
from tests.support.server import Visitor, serve

FILES, VISITORS, SECONDS, KEPT = 300, 16, 120, 20

PAGE = f"import app; app.uploads.DELETE_CACHE = (5, {KEPT}); app.launch()"
"""The page, which deletes photos sooner."""


def files() -> list[bytes]:
    """Return hostile files of all kinds, each kind with different bytes after its end, as many as ``FILES``."""
    made = [make() for group in (formats.HOSTILE, formats.SIXTEEN, hostile.FILES) for make in group.values()]
    made = [content for content in made if len(content) < 25_000_000]
    return [made[number % len(made)] + b"%d" % number for number in range(FILES)]


def present(folder: Path) -> set[str]:
    """Return the files in a folder, from which the page may be deleting some."""
    return {f"{parent}/{name}" for parent, _, names in os.walk(folder) for name in names}


def besiege(url: str, contents: list[bytes], end: float) -> Counter[str]:
    """Send files, chosen at random by each of the visitors, until a time; count what came of them."""
    outcomes = Counter[str]()

    def visit(number: int) -> None:
        order = random.Random(number)
        while time.monotonic() < end:
            try:
                Visitor(url, "run/classify", order.choice(contents), ["alexnet-bn"])()
                outcomes["answered"] += 1
            except RuntimeError as refusal:
                outcomes[str(refusal)[:3]] += 1

    with ThreadPoolExecutor(VISITORS) as visitors:
        list(visitors.map(visit, range(VISITORS)))
    return outcomes


def main() -> int:
    """Run the siege; return 1 if a limit does not hold."""
    contents, waits, peak = files(), list[float](), 0
    with serve("-c", PAGE) as server:
        end = time.monotonic() + SECONDS
        (folder,) = server.folder.glob("flower_alexnet-*")
        before = present(folder)

        # In a process of their own, so that the other visitor waits for the page alone.
        pool = multiprocessing.get_context("fork").Pool(1)
        siege = pool.apply_async(besiege, (server.url, contents, end))
        bystander = Visitor(server.url, "run/classify", EXAMPLE.read_bytes(), ["alexnet-bn"])
        while time.monotonic() < end:
            started = time.monotonic()
            assert "sunflowers" in bystander()
            waits.append(time.monotonic() - started)
            peak = max(peak, server.memory())
            time.sleep(0.5)
        outcomes = siege.get()
        pool.terminate()
        deadline = time.monotonic() + 3 * KEPT
        while (left := present(folder) - before) and time.monotonic() < deadline:
            time.sleep(1)
        log = server.log.read_text()
    rows = [
        ("hostile requests", sum(outcomes.values())),
        *((f"of them {outcome}", count) for outcome, count in sorted(outcomes.items())),
        ("highest memory, MB", peak / 1e6),
        ("answers to the other visitor", len(waits)),
        ("longest wait, s", max(waits)),
        ("files left", len(left)),
        ("stack traces in the log", log.count("Traceback")),
    ]
    print(machine(), table(("", "value"), rows), sep="\n\n")
    return int(peak > 1.2e9 or max(waits) > 1 or bool(left) or "Traceback" in log)


if __name__ == "__main__":
    sys.exit(main())
