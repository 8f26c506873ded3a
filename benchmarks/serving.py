"""How many visitors the page serves: python -m benchmarks.serving

Requests a second, latency and memory of app.py beside the plain gr.Interface demo of the same network; memory over
thousands of requests; and how long the page takes to come up. Users and server share this machine.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles

import gradio
from gradio_client import handle_file

from benchmarks.measure import SIZES, machine, photos, table
from benchmarks.server import Load, ask, serve

COMMANDS = {"plain demo": ("-m", "benchmarks.plain_demo"), "app.py": ("app.py",)}
"""What serves each page."""

WAYS: dict[str, tuple[str, str, list[str]]] = {
    "plain demo, 1 view": ("plain demo", "/predict", []),
    "app.py, 1 view": ("app.py", "/classify", ["alexnet-seed"]),
    "app.py, 4 views, the default": ("app.py", "/classify", ["alexnet-bn"]),
}
"""A page, its endpoint, and what it is asked beside the photo."""

EMPTY_PAGE = "import torch, gradio\nwith gradio.Blocks() as page: pass\npage.launch()"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--users", type=int, nargs="+", default=[1, 8, 32], help="at once (default: 1 8 32)")
    parser.add_argument("--seconds", type=float, default=30, help="of each load (default: 30)")
    parser.add_argument("--requests", type=int, default=5000, help="over which memory is looked at (default: 5000)")
    parser.add_argument("--starts", type=int, default=5, help="of each page, to see how long one takes (default: 5)")
    options = parser.parse_args(arguments)
    print(machine(), f"Gradio {gradio.__version__}\n", sep=", ")
    print(under_load(options.users, options.seconds), memory(options.requests), cold_start(options.starts), sep="\n\n")


def under_load(users: Sequence[int], seconds: float) -> str:
    """Each page under each number of users, with both sizes of photos."""
    rows = []
    for size in SIZES:
        loads: dict[tuple[str, int], Load] = {}
        with tempfile.TemporaryDirectory() as folder:
            files = [handle_file(str(file)) for file in photos(Path(folder), size, max(users))]
            for way, (page, endpoint, more) in WAYS.items():
                with serve(*COMMANDS[page]) as server:
                    for count in users:
                        requests = [[file, *more] for file in files[:count]]
                        ask(server, endpoint, requests, 3)  # not counted: the first requests of a page take longer
                        loads[way, count] = ask(server, endpoint, requests, seconds)
        for count in users:
            for way in WAYS:
                load, plain = loads[way, count], loads[next(iter(WAYS)), count]
                rate = len(load.latencies) / load.seconds
                plain_rate = len(plain.latencies) / plain.seconds
                p50, p95 = median(load.latencies), quantiles(load.latencies, n=20)[-1]
                rows.append(
                    (
                        size,
                        count,
                        way,
                        rate,
                        rate / plain_rate,
                        1000 * p50,
                        1000 * p95,
                        len(load.errors),
                        load.peak / 1e6,
                    )
                )
    columns = ("photo", "users", "page", "requests/s", "ratio", "p50, ms", "p95, ms", "errors", "peak memory, MB")
    return table(columns, rows)


def memory(requests: int, steps: int = 5, users: int = 8) -> str:
    """The memory of app.py's process after every so many requests."""
    with serve("app.py") as server, tempfile.TemporaryDirectory() as folder:
        questions = [[handle_file(str(file))] for file in photos(Path(folder), "500x333", users)]
        rows = []
        for step in range(1, steps + 1):
            ask(server, "/classify", questions, 3600, requests // steps)
            rows.append((step * (requests // steps), server.memory() / 1e6))
    return table(("requests", "memory of app.py, MB"), rows)


def cold_start(times: int) -> str:
    """Seconds from the start of a process to the first page, in turns."""
    pages = {"empty page": ("-c", EMPTY_PAGE), **COMMANDS}
    taken: dict[str, list[float]] = {page: [] for page in pages}
    for _ in range(times):
        for page, command in pages.items():
            with serve(*command) as server:
                taken[page].append(server.started_in)
    empty = median(taken["empty page"])
    rows = [(page, median(seconds), median(seconds) / empty) for page, seconds in taken.items()]
    return table(("page", "first page after, s", "ratio"), rows)


if __name__ == "__main__":
    main()
