"""A page served by a process of its own, and users who ask it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from gradio_client import Client

from benchmarks.measure import PROJECT

STARTS_WITHIN = 120
"""Seconds."""


@dataclass
class Server:
    """A served page.

    Args:
        url: its address.
        process: who serves it.
        folder: what it writes, such as visitors' photos, is somewhere in it.
        started_in: seconds from the start of the process to the first page.
        log: the file with what it printed.
    """

    url: str
    process: psutil.Process
    folder: Path
    started_in: float
    log: Path

    def memory(self) -> int:
        """Bytes of memory that belong to the process alone."""
        return self.process.memory_full_info().uss


@contextmanager
def serve(
    *arguments: str,
    environment: Mapping[str, str] = os.environ,
    project: Path = PROJECT,
    python: str = sys.executable,
) -> Iterator[Server]:
    """The page of ``python ARGUMENTS``, run in a project's folder on a free port.

    Raises:
        RuntimeError: it does not answer; with what it printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        log, port = Path(folder) / "log.txt", free_port()
        variables = {**environment, "GRADIO_SERVER_PORT": str(port), "PYTHONUNBUFFERED": "1", "TMPDIR": folder}
        variables.pop("GRADIO_TEMP_DIR", None)  # each has its own
        started = time.perf_counter()
        with log.open("w") as output:
            process = psutil.Popen(
                [python, *arguments], cwd=project, env=variables, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(url, process, log)
            yield Server(url, process, Path(folder), time.perf_counter() - started, log)
        finally:
            with suppress(psutil.NoSuchProcess):
                process.terminate()
            process.wait(30)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _wait_for(url: str, process: psutil.Popen, log: Path) -> None:
    end = time.perf_counter() + STARTS_WITHIN
    while time.perf_counter() < end and process.poll() is None:
        with suppress(httpx.HTTPError):
            if httpx.get(url).is_success:
                return
        time.sleep(0.02)
    raise RuntimeError(f"{url} does not answer:\n{log.read_text()}")


@dataclass
class Load:
    """What users met.

    Args:
        seconds: for how long they asked.
        latencies: seconds of each request that was answered.
        answers: each answer, with the number of the user who got it.
        errors: what was said instead of an answer, each time, with the number of the user.
        peak: highest memory of the server meanwhile, bytes.
    """

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    answers: list[tuple[int, object]] = field(default_factory=list)
    errors: list[tuple[int, str]] = field(default_factory=list)
    peak: int = 0


def ask(server: Server, api_name: str, requests: Sequence[Sequence[object]], seconds: float, most: int = 0) -> Load:
    """Let users ask one question after another, all at the same time.

    Args:
        server: who is asked.
        api_name: endpoint.
        requests: arguments of each user's question.
        seconds: for how long.
        most: questions in all; 0 for as many as there is time for.
    """
    load = Load()
    # Without certificates, which would be read anew for each request and take longer than the server.
    clients = [Client(server.url, verbose=False, ssl_verify=False) for _ in requests]
    end = time.perf_counter() + seconds
    asked = iter(range(most or sys.maxsize))
    lock = threading.Lock()

    def use(user: int) -> None:
        while time.perf_counter() < end:
            with lock:
                if next(asked, None) is None:
                    return
            started = time.perf_counter()
            try:
                answer = clients[user].predict(*requests[user], api_name=api_name)
            except Exception as error:  # whatever it is, a user would see it
                load.errors.append((user, str(error)))
            else:
                load.latencies.append(time.perf_counter() - started)
                load.answers.append((user, answer))

    users = [threading.Thread(target=use, args=(user,)) for user in range(len(requests))]
    started = time.perf_counter()
    for user in users:
        user.start()
    while any(user.is_alive() for user in users):
        load.peak = max(load.peak, server.memory())
        time.sleep(0.2)
    load.seconds = time.perf_counter() - started
    return load
