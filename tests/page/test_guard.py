"""The door of the page: who sends slowly, half, or nonsense neither stops it for others nor fills its log."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest

from page import guard
from tests.page.test_security import EXAMPLE, connect, picture, upload
from tests.support import PROJECT
from tests.support.server import Server, Visitor, serve

SLOW = (
    "import app; from page import guard; guard.SILENCE, guard.QUESTION_LIMIT, guard.UPLOAD_LIMIT = 1.5, 3, 4; "
    "app.launch()"
)
"""A page that waits for less long than the real one."""

HEAD = "POST /gradio_api/{path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\nContent-Type: {kind}\r\n\r\n"
KINDS = {"run/classify": "application/json", "run/predict": "application/json", "queue/join": "application/json"}
KINDS |= {"call/classify": "application/json", "upload": "multipart/form-data; boundary=x"}


@pytest.fixture(scope="module")
def impatient() -> Iterator[Server]:
    with serve("-c", SLOW, forked=True) as server:
        yield server


def begin(server: Server, path: str) -> socket.socket:
    """Send the head of a request and one byte of its body."""
    connection = connect(server)
    connection.sendall(HEAD.format(path=path, kind=KINDS[path]).encode() + (b"--x\r\n" if path == "upload" else b"{"))
    return connection


@pytest.mark.parametrize("path", ["run/classify", "run/predict"])
def test_senders_of_one_byte_take_nobody_elses_turn(server: Server, path: str) -> None:
    ask = Visitor(server.url, "run/classify", EXAMPLE.read_bytes(), ["alexnet-bn"])
    with ExitStack() as stack:
        for _ in range(guard.MAX_DIRECT + 10):
            stack.enter_context(begin(server, path))
        assert "sunflowers" in ask()


def test_idle_connections_change_nothing_for_others(server: Server) -> None:
    ask = Visitor(server.url, "run/classify", EXAMPLE.read_bytes(), ["alexnet-bn"])
    with ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(connect(server))
        assert "sunflowers" in ask()
        assert httpx2.get(server.url, timeout=60).is_success


@pytest.mark.parametrize("path", KINDS)
def test_who_sends_nothing_more_is_dropped(impatient: Server, path: str) -> None:
    with begin(impatient, path) as connection:
        connection.settimeout(60)
        answer = connection.recv(10_000)
        assert b" 408 " in answer.splitlines()[0]
        while connection.recv(10_000):  # the server closes it
            pass
    assert "Traceback" not in impatient.log.read_text()


def test_readme_says_after_how_long() -> None:
    readme = " ".join((PROJECT / "README.md").read_text().split())
    assert f"who sends nothing for {guard.SILENCE:.0f} seconds is dropped" in readme
    assert guard.QUESTION_LIMIT <= 60
    assert guard.UPLOAD_LIMIT <= 900


def test_who_sends_a_byte_now_and_then_is_dropped_as_well(impatient: Server) -> None:
    with begin(impatient, "run/classify") as connection:
        connection.settimeout(1)
        answer = b""
        for _ in range(60):
            connection.sendall(b" ")
            try:
                answer = connection.recv(10_000)
                break
            except TimeoutError:
                continue
        assert b" 408 " in answer.splitlines()[0]


def test_requests_on_their_way_share_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import app; from page import guard; guard.MAX_ARRIVING = 5_000_000; app.launch()"
    with serve("-c", code, forked=True) as server, ExitStack() as stack:
        for _ in range(4):
            connection = stack.enter_context(connect(server))
            head = HEAD.replace("100000", "2000000").format(path="run/classify", kind="application/json")
            connection.sendall(head.encode() + b" " * 1_200_000)
        body = json.dumps({"data": [{"url": "data:image/png;base64," + "A" * 1_500_000}]})
        headers = {"Content-Type": "application/json"}
        refused = httpx2.post(f"{server.url}/gradio_api/run/classify", content=body, headers=headers, timeout=60)
        assert refused.status_code == 503
        assert "busy" in refused.text


def calls(server: Server) -> Iterator[tuple[str, Any]]:
    """Yield path and body of calls that cannot be answered: wrong functions, numbers of arguments, and arguments."""
    config = httpx2.get(f"{server.url}/config").json()
    takes = {function["id"]: len(function["inputs"]) for function in config["dependencies"]}
    file = {"path": upload(server, "a.png", picture()), "meta": {"_type": "gradio.FileData"}}
    odd: list[Any] = [5, [], {}, [1], {"path": 5}, {**file, "orig_name": 5}, {**file, "orig_name": ["x"]}, True]
    odd += [
        {**file, "url": 5},
        {**file, "meta": 5},
        {**file, "size": "x"},
        [file],
        [{**file, "orig_name": 5}],
        "\ud800",
    ]
    odd += [
        {"url": "data:image/png;base64,!!"},
        {"url": "data:,"},
        {"path": "/etc/passwd"},
        [[file]],
        {"a": {"b": [1]}},
    ]
    numbers: list[Any] = [-1, 10**9, None, "x", [], 1.5, True]
    for number in numbers:
        for path in ("run/predict", "queue/join"):
            yield path, {"data": [None], "fn_index": number, "session_hash": "s"}
    for function, count in takes.items():
        yield "run/predict", {"data": [None] * (count + 1), "fn_index": function, "session_hash": "s"}
        for value in odd:
            yield "run/predict", {"data": [value] * count, "fn_index": function, "session_hash": "s"}
    for endpoint in ("classify", "explain", "compare", "classify_batch"):
        for value in odd:
            yield f"call/{endpoint}", {"data": [value]}
    for value in odd:
        yield "run/classify", {"data": [value]}
        yield "run/classify", {"data": [file, value]}
    bodies: list[Any] = [None, [], "x", {"data": None}, {"data": "x"}, {"data": {}}, {"fn_index": 1}]
    for body in bodies:
        for path in ("run/predict", "queue/join", "run/classify"):
            yield path, body


def test_calls_that_cannot_be_answered_are_refused_in_words(server: Server, new_log: Callable[[], str]) -> None:
    refused = 0
    with httpx2.Client(base_url=f"{server.url}/gradio_api/", timeout=60) as client:
        for path, body in calls(server):
            answer = client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})
            assert answer.status_code < 500, (path, body, answer.text)
            refused += answer.status_code == 422
            if path.startswith("call") and answer.is_success:
                assert "event: " in client.get(f"{path}/{answer.json()['event_id']}").text
    assert refused > 100
    assert new_log() == ""


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [("gzip", True), ("gzip;q=0", False), ("*;q=0", False), ("br", False), ("gzip;q=0.5, br", True), ("", False)],
)
def test_page_is_compressed_for_whom_accepts_it(server: Server, accepted: str, compressed: bool) -> None:
    answer = httpx2.get(server.url, headers={"Accept-Encoding": accepted})
    assert (answer.headers.get("content-encoding") == "gzip") is compressed
