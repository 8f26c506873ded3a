"""Serve a page in a process of its own, and send it requests from many users at once."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx2
import psutil
from gradio_client import Client

from tests.support import PROJECT
from tests.support.pages import start_page

STARTS_WITHIN = 120
"""Seconds after which a page that does not answer is taken to have failed."""


@dataclass
class Server:
    """A page that is being served.

    Args:
        url: its address.
        process: the process that serves it.
        folder: the folder of its temporary files, visitors' photos among them.
        started_in: seconds from the start of the process to the first answer.
        log: the file with its standard output and standard error.
    """

    url: str
    process: psutil.Process
    folder: Path
    started_in: float
    log: Path

    def memory(self) -> int:
        """Return the bytes of memory that belong to the process alone (its unique set size)."""
        return self.process.memory_full_info().uss


@contextmanager
def serve(
    *arguments: str,
    environment: Mapping[str, str] = os.environ,
    project: Path = PROJECT,
    python: str = sys.executable,
    forked: bool = False,
) -> Iterator[Server]:
    """Serve a page on a free port until the context ends.

    Args:
        arguments: what follows ``python`` on the command line that serves the page.
        environment: the environment variables of the process, beside those for its port and its temporary files.
        project: the folder in which the command runs.
        python: the interpreter.
        forked: fork it from a process that has imported Gradio and torch, which saves four seconds.

    Raises:
        RuntimeError: the page does not answer within ``STARTS_WITHIN``; the message holds what it printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        log, port = Path(folder) / "log.txt", free_port()
        variables = {**environment, "GRADIO_SERVER_PORT": str(port), "PYTHONUNBUFFERED": "1", "TMPDIR": folder}
        variables.pop("GRADIO_TEMP_DIR", None)  # the page makes one of its own
        started = time.perf_counter()
        log.touch()
        process: psutil.Process
        if forked:
            process = start_page(arguments, variables, log)
        else:
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


def is_running(process: psutil.Process) -> bool:
    """Return whether a process has not ended."""
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def free_port() -> int:
    """Return a TCP port that is free on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _wait_for(url: str, process: psutil.Process, log: Path) -> None:
    end = time.perf_counter() + STARTS_WITHIN
    with httpx2.Client(verify=False) as client:  # reading certificates anew each time would take a core
        while time.perf_counter() < end and is_running(process):
            with suppress(httpx2.HTTPError):
                if client.get(url).is_success:
                    return
            time.sleep(0.02)
    raise RuntimeError(f"{url} does not answer:\n{log.read_text()}")


@dataclass
class Load:
    """The outcome of requests that many users sent at once.

    Args:
        seconds: time from the first request to the last answer.
        latencies: seconds that each successful request took.
        answers: the number of the user, and the answer, of each successful request.
        errors: the number of the user, and the message, of each failed request.
        peak: highest memory of the server meanwhile, in bytes.
    """

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    answers: list[tuple[int, object]] = field(default_factory=list)
    errors: list[tuple[int, str]] = field(default_factory=list)
    peak: int = 0


def ask(server: Server, api_name: str, requests: Sequence[Sequence[object]], seconds: float, most: int = 0) -> Load:
    """Let users send requests at the same time, each user one request after another.

    Args:
        server: the page.
        api_name: the endpoint.
        requests: for each user, the arguments of the request that this user repeats.
        seconds: time after which no new request is sent.
        most: largest number of requests of all users together; 0 sets no limit.
    """
    # Certificates are not needed, and reading them anew for each request would take longer than the server does.
    clients = [Client(server.url, verbose=False, ssl_verify=False) for _ in requests]
    users = [
        partial(client.predict, *arguments, api_name=api_name)
        for client, arguments in zip(clients, requests, strict=True)
    ]
    return load(server, users, seconds, most)


def load(server: Server, users: Sequence[Callable[[], object]], seconds: float, most: int = 0) -> Load:
    """Let users send requests at the same time, each user one request after another.

    Args:
        server: the page.
        users: for each, the function that sends a request and returns its answer.
        seconds: time after which no new request is sent.
        most: largest number of requests of all users together; 0 sets no limit.
    """
    measured = Load()
    end = time.perf_counter() + seconds
    budget = iter(range(most or sys.maxsize))
    lock = threading.Lock()

    def use(user: int) -> None:
        while time.perf_counter() < end:
            with lock:
                if next(budget, None) is None:
                    return
            started = time.perf_counter()
            try:
                answer = users[user]()
            except Exception as error:  # any failure counts: a user would see it
                measured.errors.append((user, str(error)))
            else:
                measured.latencies.append(time.perf_counter() - started)
                measured.answers.append((user, answer))

    threads = [threading.Thread(target=use, args=(user,)) for user in range(len(users))]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        measured.peak = max(measured.peak, server.memory())
        time.sleep(0.2)
    measured.seconds = time.perf_counter() - started
    return measured


class Visitor:
    """Ask a page over plain HTTP as a browser does, on one connection that is kept: upload a photo, ask, and read.

    Args:
        url: of the page.
        endpoint: ``run/NAME``, which answers in one response, or ``call/NAME``, through Gradio's queue; None for what
            the page itself asks when a photo is chosen.
        photo: the contents of a JPEG file.
        arguments: those after the photo.
    """

    def __init__(self, url: str, endpoint: str | None, photo: bytes, arguments: Sequence[object] = ()) -> None:
        self.connection = http.client.HTTPConnection(url.removeprefix("http://"))
        head = (
            b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        )
        self.form = head + photo + b"\r\n--x--\r\n"
        self.endpoint, self.arguments = endpoint, list(arguments)
        self.function = None if endpoint else answer_function(url)

    def __call__(self) -> str:
        """Return the text of the answer."""
        (path,) = json.loads(self._send("upload", self.form, "multipart/form-data; boundary=x"))
        data = [{"path": path, "orig_name": "a.jpg", "meta": {"_type": "gradio.FileData"}}, *self.arguments]
        if self.endpoint is None:
            body = {"data": data, "fn_index": self.function, "session_hash": "visitor"}
            return self._send("run/predict", json.dumps(body).encode())
        answer = self._send(self.endpoint, json.dumps({"data": data}).encode())
        if self.endpoint.startswith("run/"):
            return answer
        answer = self._send(f"{self.endpoint}/{json.loads(answer)['event_id']}")
        if "event: complete" not in answer:
            raise RuntimeError(answer)
        return answer

    def _send(self, path: str, body: bytes | None = None, kind: str = "application/json") -> str:
        headers = {"Content-Type": kind} if body is not None else {}
        self.connection.request("GET" if body is None else "POST", f"/gradio_api/{path}", body, headers)
        response = self.connection.getresponse()
        text = response.read().decode()
        if response.status != 200:
            raise RuntimeError(f"{response.status} {text}")
        return text


def answer_function(url: str) -> int:
    """Return the number of the function that the page calls when a photo is chosen."""
    config = httpx2.get(f"{url}/config").json()
    photo = next(it["id"] for it in config["components"] if it["props"].get("elem_id") == "photo")
    return next(int(it["id"]) for it in config["dependencies"] if [photo, "input"] in it["targets"])
