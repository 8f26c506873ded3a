"""Load test of the page: python -m benchmarks.serving

Throughput, latency and memory of app.py against a plain gr.Interface demo of the same network; memory over thousands
of requests; and startup time. Users and server share this machine.
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
from tests.support.server import Load, ask, serve

COMMANDS = {"plain demo": ("-m", "benchmarks.plain_demo"), "app.py": ("app.py",)}
"""Page -> the arguments of python that serve it."""

WAYS: dict[str, tuple[str, str, list[str]]] = {
    "plain demo": ("plain demo", "/predict", []),
    "app.py": ("app.py", "/classify", ["alexnet-bn"]),
}
"""Name -> page, endpoint, and arguments after the photo."""

EMPTY_PAGE = "import torch, gradio\nwith gradio.Blocks() as page: pass\npage.launch()"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--users", type=int, nargs="+", default=[1, 8, 32], help="concurrent users (default: 1 8 32)")
    parser.add_argument("--seconds", type=float, default=30, help="duration of each load (default: 30)")
    parser.add_argument("--requests", type=int, default=5000, help="requests to track memory over (default: 5000)")
    parser.add_argument("--starts", type=int, default=5, help="measured starts of each page (default: 5)")
    options = parser.parse_args(arguments)
    print(machine(), f"Gradio {gradio.__version__}\n", sep=", ")
    print(under_load(options.users, options.seconds), memory(options.requests), cold_start(options.starts), sep="\n\n")


def under_load(users: Sequence[int], seconds: float) -> str:
    """Return a table of throughput, latency and memory of each setup by photo size and number of users."""
    rows = []
    for size in SIZES:
        loads: dict[tuple[str, int], Load] = {}
        with tempfile.TemporaryDirectory() as folder:
            files = [handle_file(str(file)) for file in photos(Path(folder), size, max(users))]
            for setup, (page, endpoint, more) in WAYS.items():
                with serve(*COMMANDS[page]) as server:
                    for count in users:
                        requests = [[file, *more] for file in files[:count]]
                        ask(server, endpoint, requests, 3)  # warm-up: the first requests of a page take longer
                        loads[setup, count] = ask(server, endpoint, requests, seconds)
        for count in users:
            for setup in WAYS:
                load, plain = loads[setup, count], loads[next(iter(WAYS)), count]
                rate = len(load.latencies) / load.seconds
                plain_rate = len(plain.latencies) / plain.seconds
                p50, p95 = median(load.latencies), quantiles(load.latencies, n=20)[-1]
                rows.append(
                    (
                        size,
                        count,
                        setup,
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
    """Return a table of the memory of app.py's process over a number of requests, in that many steps."""
    with serve("app.py") as server, tempfile.TemporaryDirectory() as folder:
        arguments = [[handle_file(str(file))] for file in photos(Path(folder), "500x333", users)]
        rows = []
        for step in range(1, steps + 1):
            ask(server, "/classify", arguments, 3600, requests // steps)
            rows.append((step * (requests // steps), server.memory() / 1e6))
    return table(("requests", "memory of app.py, MB"), rows)


def cold_start(times: int) -> str:
    """Return a table of the median seconds from process start to the first page, the pages taking turns."""
    pages = {"empty page": ("-c", EMPTY_PAGE), **COMMANDS}
    timings: dict[str, list[float]] = {page: [] for page in pages}
    for _ in range(times):
        for page, command in pages.items():
            with serve(*command) as server:
                timings[page].append(server.started_in)
    empty = median(timings["empty page"])
    rows = [(page, median(seconds), median(seconds) / empty) for page, seconds in timings.items()]
    return table(("page", "first page after, s", "ratio"), rows)


if __name__ == "__main__":
    main()
