"""Whether the page keeps answering: python -m benchmarks.soak

Hundreds of visitors at once, one in ten of whom sends garbage: does every photo get its right answer and all garbage
its reason, does memory return to where it was, and is every upload deleted?
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles

from gradio_client import handle_file
from PIL import Image

from benchmarks.measure import SIZES, machine, photo, table
from benchmarks.server import Load, Server, ask, serve
from flower_alexnet import InvalidImage, catalog

KEPT = 45
"""Seconds that uploads are kept here, in place of most of an hour."""

PAGE = "import app; app.DELETE_CACHE = (5, {kept}); app.launch()"

PHOTOS = 20
"""Different photos."""

TOLERANCE = 1e-4
"""Largest difference of a right answer's probabilities from those of the photo classified by itself."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line -> its exit code: 0, or 1 if anything is not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--clients", type=int, default=200, help="at once (default: 200)")
    parser.add_argument("--seconds", type=float, default=60, help="for how long (default: 60)")
    options = parser.parse_args(arguments)
    print(machine(), end="\n\n")
    with serve("-c", PAGE.format(kept=KEPT)) as server, tempfile.TemporaryDirectory() as folder:
        garbage = _garbage()
        files = [_file(Path(folder), client, garbage) for client in range(options.clients)]
        requests = [[handle_file(str(file))] for file in files]
        ask(server, "/classify", requests, 5)  # memory is taken when first needed, and then kept
        kept = _uploads(server)
        before = server.memory()
        load = ask(server, "/classify", requests, options.seconds)
        right, wrong = _judge(load, files)
        after, left = _after(server)
    rows = [
        ("requests", len(load.answers) + len(load.errors)),
        ("requests a second", (len(load.answers) + len(load.errors)) / load.seconds),
        ("photos with their right answer", right["photo"]),
        ("garbage with its reason", right["garbage"]),
        ("anything else", len(wrong)),
        ("latency of photos, median, s", median(load.latencies)),
        ("95th percentile, s", quantiles(load.latencies, n=20)[-1]),
        ("memory before, MB", before / 1e6),
        ("highest, MB", load.peak / 1e6),
        ("after, MB", after / 1e6),
        ("uploads to be deleted", len(kept)),
        ("uploads left", left),
    ]
    print(table(("", ""), rows))
    for problem, times in Counter(wrong).most_common(10):
        print(f"{times} times: {problem}", file=sys.stderr)
    return 1 if wrong or left else 0


def _file(folder: Path, client: int, garbage: Sequence[bytes]) -> Path:
    """What a client sends: a photo, or one time in ten garbage."""
    if client % 10 == 9:
        file = folder / f"garbage-{client}.jpg"
        file.write_bytes(garbage[client // 10 % len(garbage)])
    else:
        file = folder / f"photo-{client}.jpg"
        file.write_bytes(photo(SIZES["500x333"], client % PHOTOS))
    return file


def _garbage() -> list[bytes]:
    bomb = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(bomb, "PNG")
    return [
        photo(SIZES["500x333"])[:20_000],
        b"not a picture",
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7\n",
        b"\xff\xd8\xff" + bytes(range(256)) * 1000,
        bomb.getvalue(),
    ]


def _judge(load: Load, files: Sequence[Path]) -> tuple[Counter[str], list[str]]:
    """How many got what they must, and what the others got."""
    expected = [_expected(file) for file in files]
    right: Counter[str] = Counter()
    wrong = []
    for client, answer in load.answers:
        found = {entry["label"]: entry["confidence"] for entry in answer["confidences"]}  # type: ignore[index]
        photo_expected = expected[client]
        if isinstance(photo_expected, dict) and all(
            abs(found[label] - probability) < TOLERANCE for label, probability in photo_expected.items()
        ):
            right["photo"] += 1
        else:
            wrong.append(f"{files[client].name} was answered {found}")
    for client, reason in load.errors:
        if reason == expected[client]:
            right["garbage"] += 1
        else:
            wrong.append(f"{files[client].name}: {reason}")
    return right, wrong


def _expected(file: Path) -> dict[str, float] | str:
    """What the library answers, or the reason that it gives."""
    try:
        return catalog.load()(file).probabilities
    except InvalidImage as error:
        return str(error)


def _uploads(server: Server) -> list[Path]:
    """The visitors' files: not those that the page itself keeps, such as examples."""
    return [file for file in server.folder.rglob("*.jpg") if file.name.startswith(("photo-", "garbage-"))]


def _after(server: Server) -> tuple[int, int]:
    """Memory in bytes, and how many uploads there are, once there was time to delete them."""
    end = time.perf_counter() + 2 * KEPT
    while time.perf_counter() < end and _uploads(server):
        time.sleep(1)
    return server.memory(), len(_uploads(server))


if __name__ == "__main__":
    sys.exit(main())
