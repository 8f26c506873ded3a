"""Soak test of the page: python -m benchmarks.soak

Hundreds of users at once, one in ten of whom sends an invalid file. Check that every photo gets the right prediction
and every invalid file its error message, that memory returns to its earlier level, and that every upload is deleted.
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

from benchmarks.measure import SIZES, machine, photo, purpose, table
from flower_alexnet import InvalidImage
from flower_alexnet.classifier import load_classifier
from tests.support.server import Load, Server, ask, serve

KEPT = 45
"""Seconds that uploads are kept in this test, instead of 3,000."""

PAGE = "import app; app.uploads.DELETE_CACHE = (5, {kept}); app.launch()"

PHOTOS = 20
"""Number of different photos."""

TOLERANCE = 1e-4
"""Largest absolute difference of a right probability from that of the library on the same photo."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, or 1 on a wrong response or an upload that is left."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=purpose(__doc__))
    parser.add_argument("--clients", type=int, default=200, help="concurrent users (default: 200)")
    parser.add_argument("--seconds", type=float, default=60, help="duration (default: 60)")
    options = parser.parse_args(arguments)
    print(machine(), end="\n\n")
    with serve("-c", PAGE.format(kept=KEPT)) as server, tempfile.TemporaryDirectory() as folder:
        garbage = _garbage()
        files = [_file(Path(folder), client, garbage) for client in range(options.clients)]
        requests = [[handle_file(str(file))] for file in files]
        ask(server, "/classify", requests, 5)  # warm-up: memory is allocated on first use, and then kept
        uploads = _uploads(server)
        before = server.memory()
        load = ask(server, "/classify", requests, options.seconds)
        right, wrong = _check(load, files)
        after, left = _after(server)
    rows = [
        ("requests", len(load.answers) + len(load.errors)),
        ("requests/s", (len(load.answers) + len(load.errors)) / load.seconds),
        ("photos with their right answer", right["photo"]),
        ("garbage with its reason", right["garbage"]),
        ("anything else", len(wrong)),
        ("latency of photos, median, s", median(load.latencies)),
        ("95th percentile, s", quantiles(load.latencies, n=20)[-1]),
        ("memory before, MB", before / 1e6),
        ("highest, MB", load.peak / 1e6),
        ("after, MB", after / 1e6),
        ("uploads to be deleted", len(uploads)),
        ("uploads left", left),
    ]
    print(table(("", ""), rows))
    for problem, times in Counter(wrong).most_common(10):
        print(f"{times} times: {problem}", file=sys.stderr)
    return 1 if wrong or left else 0


def _file(folder: Path, client: int, garbage: Sequence[bytes]) -> Path:
    """Write the file that a client sends: a photo, or for every tenth client an invalid file."""
    if client % 10 == 9:
        file = folder / f"garbage-{client}.jpg"
        file.write_bytes(garbage[client // 10 % len(garbage)])
    else:
        file = folder / f"photo-{client}.jpg"
        file.write_bytes(photo(SIZES["500x333"], client % PHOTOS))
    return file


def _garbage() -> list[bytes]:
    """Return invalid files: truncated, not an image, empty, SVG, PDF, damaged, and a decompression bomb."""
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


def _check(load: Load, files: Sequence[Path]) -> tuple[Counter[str], list[str]]:
    """Return the number of right responses by kind (photo, garbage), and a description of each wrong one."""
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
    """Return the library's probabilities for a file, or its error message."""
    try:
        return load_classifier()(file).probabilities
    except InvalidImage as error:
        return str(error)


def _uploads(server: Server) -> list[Path]:
    """Return the uploaded files that are on the server's disk, without the page's own files, such as examples."""
    return [file for file in server.folder.rglob("*.jpg") if file.name.startswith(("photo-", "garbage-"))]


def _after(server: Server) -> tuple[int, int]:
    """Wait until the uploads are deleted, at most 2 x ``KEPT`` seconds; return memory in bytes and uploads left."""
    end = time.perf_counter() + 2 * KEPT
    while time.perf_counter() < end and _uploads(server):
        time.sleep(1)
    return server.memory(), len(_uploads(server))


if __name__ == "__main__":
    sys.exit(main())
