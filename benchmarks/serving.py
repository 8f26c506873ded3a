"""Load test of the page: python -m benchmarks.serving

Throughput, latency and memory of app.py against a plain gr.Interface demo of the same network; quick looks of visitors
who move or film, and how long another's answer takes meanwhile; memory over thousands of requests; and startup time.
Users and server share this machine.
"""

from __future__ import annotations

import argparse
import http.client
import multiprocessing
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles

import gradio
from gradio_client import handle_file

from benchmarks.measure import SIZES, machine, photo, photos, purpose, table
from tests.support.server import Load, Visitor, ask, load, serve

COMMANDS = {"plain demo": ("-m", "benchmarks.plain_demo"), "app.py": ("app.py",)}
"""Page -> the arguments of python that serve it."""

WAYS: dict[str, tuple[str, str | None, list[str]]] = {
    "plain demo": ("plain demo", "call/predict", []),
    "app.py, the page": ("app.py", None, ["alexnet-bn"]),
    "app.py, /classify": ("app.py", "run/classify", ["alexnet-bn"]),
}
"""Name -> page, endpoint (None for what the page itself asks), and arguments after the photo."""

WARM_UP = 3
"""Seconds of load before a measurement: the first requests of a page take longer."""

LOOKS = 4
"""Looks a second of a visitor who moves or films, unless the last answer is late."""

LIVE = (1, 20)
"""Visitors who move or film at the same time."""

EMPTY_PAGE = "import torch, gradio\nwith gradio.Blocks() as page: pass\npage.launch()"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=purpose(__doc__))
    parser.add_argument("--users", type=int, nargs="+", default=[1, 8, 32], help="concurrent users (default: 1 8 32)")
    parser.add_argument("--seconds", type=float, default=30, help="duration of each load (default: 30)")
    parser.add_argument("--requests", type=int, default=5000, help="requests to track memory over (default: 5000)")
    parser.add_argument("--starts", type=int, default=5, help="measured starts of each page (default: 5)")
    options = parser.parse_args(arguments)
    print(machine(), f"Gradio {gradio.__version__}\n", sep=", ")
    print(cold_start(options.starts), flush=True)
    print("\n", under_load(options.users, options.seconds), sep="", flush=True)
    print("\n", live(options.seconds), sep="", flush=True)
    print("\n", memory(options.requests), sep="")


def under_load(users: Sequence[int], seconds: float) -> str:
    """Return a table of throughput, latency and memory of each setup by photo size, way and number of users.

    Visitors ask over plain HTTP, as a browser does; in further rows by gradio_client, which takes more of the two cores
    than the page does.
    """
    rows = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            files = photos(Path(folder), size, max(users))
            for by, visit in (("HTTP", _by_http), ("gradio_client", _by_client)):
                loads = {
                    (setup, count): measured
                    for setup, way in WAYS.items()
                    if by == "HTTP" or way[1] is not None
                    for count, measured in visit(*way, files, users, seconds)
                }
                for (setup, count), measured in sorted(loads.items(), key=lambda item: item[0][1]):
                    rows.append((size, by, count, setup, *_figures(measured, loads[next(iter(WAYS)), count])))
    columns = ("photo", "by", "users", "page", "answers/s", "ratio", "p50, ms", "p95, ms", "errors", "peak memory, MB")
    return table(columns, rows)


def _by_http(
    page: str, endpoint: str | None, more: list[str], files: list[Path], users: Sequence[int], seconds: float
) -> Iterator[tuple[int, Load]]:
    with serve(*COMMANDS[page]) as server:
        for count in users:
            visitors = [Visitor(server.url, endpoint, file.read_bytes(), more) for file in files[:count]]
            load(server, visitors, WARM_UP)
            yield count, load(server, visitors, seconds)


def _by_client(
    page: str, endpoint: str | None, more: list[str], files: list[Path], users: Sequence[int], seconds: float
) -> Iterator[tuple[int, Load]]:
    with serve(*COMMANDS[page]) as server:
        for count in users:
            requests = [[handle_file(str(file)), *more] for file in files[:count]]
            name = "/" + str(endpoint).rpartition("/")[2]
            ask(server, name, requests, WARM_UP)
            yield count, ask(server, name, requests, seconds)


def _figures(measured: Load, plain: Load) -> tuple[float, float, float, float, int, float]:
    """Return answers a second and their ratio to the plain demo's, p50 and p95 in ms, errors, and memory in MB."""
    rate, plain_rate = (len(load.latencies) / load.seconds for load in (measured, plain))
    p50, p95 = median(measured.latencies), quantiles(measured.latencies, n=20)[-1]
    return rate, rate / plain_rate, 1000 * p50, 1000 * p95, len(measured.errors), measured.peak / 1e6


def live(seconds: float) -> str:
    """Return a table of how many looks a second live visitors have, how long one takes, and how long a bystander's
    answer to a photo takes meanwhile."""
    picture, rows = photo((256, 256)), []
    with serve(*COMMANDS["app.py"]) as server:
        _look(server.url, picture, time.time() + WARM_UP)
        for visitors in (0, *LIVE):
            with multiprocessing.get_context("spawn").Pool(1) as pool:  # not in this process's time
                pool.apply(_looks, (server.url, picture, 1, 0.0))  # it has imported what it needs
                bystander = Visitor(server.url, None, photo(SIZES["500x333"]), ["alexnet"])
                bystander()
                end = time.time() + seconds
                looking = pool.apply_async(_looks, (server.url, picture, visitors, end)) if visitors else None
                answered = []
                while time.time() < end:
                    started = time.perf_counter()
                    bystander()
                    answered.append(1000 * (time.perf_counter() - started))
                    time.sleep(1 / LOOKS)
                looks = sorted(looking.get()) if looking else []
            took = f"{1000 * median(looks):.3g}" if looks else ""
            rows.append((visitors, len(looks) / seconds, took, median(answered), max(answered)))
    columns = ("live visitors", "looks/s", "one look, ms, median", "bystander's answer, ms, median", "slowest")
    return table(columns, rows)


def _looks(url: str, picture: bytes, visitors: int, end: float) -> list[float]:
    """Look as often as so many visitors do until a time; return the seconds that each look took."""
    with ThreadPoolExecutor(visitors) as executor:
        return [took for some in executor.map(lambda _: _look(url, picture, end), range(visitors)) for took in some]


def _look(url: str, picture: bytes, end: float) -> list[float]:
    connection, took = http.client.HTTPConnection(url.removeprefix("http://")), []
    while time.time() < end:
        started = time.perf_counter()
        connection.request("POST", "/look?model=alexnet", picture)
        response = connection.getresponse()
        text = response.read()
        if response.status != 200:
            raise RuntimeError(f"{response.status} {text!r}")
        took.append(time.perf_counter() - started)
        time.sleep(max(0, 1 / LOOKS - took[-1]))
    return took


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
