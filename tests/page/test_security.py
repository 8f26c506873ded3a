"""Attacks on the served page, each of which must fail."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

from page import events, guard
from tests.support import PROJECT
from tests.support.photos import drawn_flower, encoded
from tests.support.server import Server, serve

EXAMPLE = PROJECT / "examples" / "sunflowers_1.webp"


def upload(server: Server, name: str, content: bytes) -> str:
    """Upload a file as the page does; return its path on the server."""
    answer = httpx2.post(f"{server.url}/gradio_api/upload", files={"files": (name, content)})
    return answer.raise_for_status().json()[0]


def ask(server: Server, photo: dict[str, Any], endpoint: str = "classify") -> str:
    """Send a photo to an endpoint as curl would; return the events of the response."""
    data = [{**photo, "meta": {"_type": "gradio.FileData"}}, "alexnet-bn"]
    response = httpx2.post(f"{server.url}/gradio_api/call/{endpoint}", json={"data": data})
    if not response.is_success:
        return response.text
    return httpx2.get(f"{server.url}/gradio_api/call/{endpoint}/{response.json()['event_id']}", timeout=60).text


def connect(server: Server) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)))


def picture(seed: int = 0) -> bytes:
    return encoded(drawn_flower("roses", seed), "PNG")


SECRETS = ("/etc/passwd", str(PROJECT / "app.py"), str(PROJECT / "requirements.txt"), str(PROJECT / ".git" / "config"))
TRICKS = [
    *(f"/gradio_api/file={path}" for path in SECRETS),
    "/gradio_api/file=../../../../../../etc/passwd",
    "/gradio_api/file=" + quote("../" * 12 + "etc/passwd", safe=""),
    "/gradio_api/file=" + quote(quote("../" * 12 + "etc/passwd", safe=""), safe=""),
    f"/gradio_api/file={PROJECT}/weights/alexnet-baseline/../../app.py",
    "/gradio_api/file=/proc/self/environ",
    "/gradio_api/file=file:///etc/passwd",
    "/gradio_api/file=//etc/passwd",
    "/gradio_api/file=\\..\\..\\etc\\passwd",
    "/gradio_api/file=/etc/passwd%00.png",
    *(f"/{folder}/{quote('../' * 12, safe='')}etc/passwd" for folder in ("assets", "static", "svelte")),
    "/static/..%2f..%2f..%2f..%2fetc/passwd",
    "/assets//etc/passwd",
    "/file=/etc/passwd",
    "/file//etc/passwd",
]


@pytest.mark.parametrize("trick", TRICKS)
def test_no_file_of_the_server_can_be_read(server: Server, trick: str) -> None:
    with connect(server) as connection:  # httpx2 would normalize the path
        connection.sendall(f"GET {trick} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode(errors="replace")
    status = int(answer.split()[1])
    assert 400 <= status < 500, answer[:500]
    assert "root:" not in answer
    assert "import " not in answer


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/proxy=https://example.hf.space/x",
        "/gradio_api/file=https://example.com/picture.png",
        "/gradio_api/file=http://127.0.0.1/",
        "/gradio_api/vibe-code",
        "/gradio_api/runs",
        "/gradio_api/run-history/buckets",
        "/gradio_api/dev/reload",
        "/gradio_api/deep_link?session_hash=x",
        "/monitoring",
        "/monitoring/summary",
        "/monitoring/guess",
        "/docs",
        "/openapi.json",
        "/login",
        "/logout",
        "/token",
    ],
)
def test_routes_that_the_page_does_not_need_are_closed(server: Server, path: str) -> None:
    assert httpx2.get(server.url + path).status_code == 404


@pytest.mark.parametrize("path", ["process_recording", "component_server", "vibe-edit", "vibe-code", "stream/x"])
def test_routes_that_take_data_and_are_not_needed_are_closed(server: Server, path: str) -> None:
    assert httpx2.post(f"{server.url}/gradio_api/{path}", json={}).status_code == 404


def test_folders_of_uploads_are_not_listed_and_hold_only_what_was_named(server: Server) -> None:
    path = Path(upload(server, "garden.png", picture(1)))
    assert httpx2.get(f"{server.url}/gradio_api/file={path}").content == picture(1)  # the uploader knows its address
    assert len(path.parent.name) == 64  # a SHA-256: nobody else can guess it
    for guess in (path.parent, path.parent.parent, path.parent.parent / "garden.png", path.parent / ".." / ".."):
        assert 400 <= httpx2.get(f"{server.url}/gradio_api/file={guess}").status_code < 500


@pytest.mark.parametrize(
    "name", ["../../evil.png", "..\\..\\evil.png", "/etc/evil.png", "a\0b.png", ".." * 300 + ".png"]
)
def test_names_of_uploads_cannot_lead_elsewhere(server: Server, name: str) -> None:
    before = upload(server, "harmless.png", picture(2))
    answer = httpx2.post(f"{server.url}/gradio_api/upload", files={"files": (name, picture(2))})
    if answer.is_success:
        assert Path(answer.json()[0]).parent == Path(before).parent


def test_uploaded_photo_can_be_classified(server: Server) -> None:
    assert "confidence" in ask(server, {"path": upload(server, "a.png", picture())})


@pytest.mark.parametrize("path", [*SECRETS, str(PROJECT / "docs" / "laptop.webp"), "../../etc/passwd"])
def test_no_file_of_the_server_can_be_classified(server: Server, path: str) -> None:
    text = ask(server, {"path": path})
    assert "image: a file is" in text  # nothing was read
    assert "confidence" not in text
    assert str(PROJECT) not in text.replace(path, "")


@pytest.fixture(scope="module")
def inner() -> Iterator[tuple[str, list[str]]]:
    """Serve a picture on the internal network; return the server's address and the list of paths it was asked for."""
    requested: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.end_headers()
            self.wfile.write(picture())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{served.server_port}", requested
        served.shutdown()


@pytest.mark.parametrize(
    "address",
    [
        "http://{host}/a.png",
        "http://localhost:{port}/a.png",
        "http://2130706433:{port}/a.png",  # 127.0.0.1 as one number
        "http://0.0.0.0:{port}/a.png",
        "http://[::1]:{port}/a.png",
        "http://[::ffff:127.0.0.1]:{port}/a.png",
        "http://user@{host}/a.png",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/a.png",
        "file:///etc/passwd",
        "ftp://{host}/a.png",
    ],
)
def test_the_server_fetches_nothing_from_its_own_network(
    server: Server, inner: tuple[str, list[str]], address: str
) -> None:
    host, requested = inner
    url = address.format(host=host, port=host.partition(":")[2])
    for photo in ({"path": url}, {"url": url, "path": url}, {"path": "x.png", "url": url}):
        text = ask(server, photo)
        assert "confidence" not in text
    assert not requested


def test_tools_for_language_models_fetch_nothing_from_the_network(server: Server, inner: tuple[str, list[str]]) -> None:
    host, requested = inner

    async def classify(image: str) -> str:
        async with (
            streamablehttp_client(f"{server.url}/gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            tool = next(tool.name for tool in (await session.list_tools()).tools if tool.name.endswith("classify"))
            return str(await session.call_tool(tool, {"image": image}))

    for image in (f"http://{host}/a.png", "/etc/passwd", str(PROJECT / "app.py"), "file:///etc/passwd"):
        text = asyncio.run(classify(image))
        assert "isError=True" in text
    assert not requested


def test_too_large_a_file_is_refused(server: Server) -> None:
    answer = httpx2.post(
        f"{server.url}/gradio_api/upload", files={"files": ("a.png", bytes(guard.MAX_FILE + 1))}, timeout=60
    )
    assert answer.status_code == 413


@pytest.mark.parametrize("announced", [True, False])
def test_too_large_a_request_is_refused(server: Server, announced: bool) -> None:
    content = b'{"data": ["' + bytes(guard.MAX_REQUEST) + b'"]}'
    for path in ("call/classify", "queue/join", "run/predict", "run/classify", "mcp/"):
        parts = (content[start : start + 1_000_000] for start in range(0, len(content), 1_000_000))
        try:
            answer = httpx2.post(
                f"{server.url}/gradio_api/{path}",
                content=content if announced else parts,
                headers={"Content-Type": "application/json", "Accept": "application/json, text/event-stream"},
                timeout=60,
            )
        except httpx2.WriteError:  # the server closed the connection before everything was sent
            continue
        assert answer.status_code == 413, answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"data": null}',
        b'{"data": "x"}',
        b'{"data": [[[[]]]]}',
        b"[" * 100_000,
        b'{"data": [{"path": 5}]}',
        b'{"data": [1, 2, 3, 4, 5, 6, 7]}',
        b'{"data": [{"path": null, "meta": {"_type": "gradio.FileData"}}, {"a": []}]}',
        b'{"data": [NaN, Infinity]}',
        b"\xff\xfe",
    ],
)
def test_malformed_requests_are_refused_without_a_stack_trace(server: Server, body: bytes) -> None:
    paths = ("run/classify", "call/classify", "call/explain", "call/compare", "call/classify_batch", "queue/join")
    for path in paths:
        answer = httpx2.post(
            f"{server.url}/gradio_api/{path}", content=body, headers={"Content-Type": "application/json"}, timeout=60
        )
        text = answer.text
        if answer.is_success and "event_id" in text and path.startswith("call"):
            text += httpx2.get(f"{server.url}/gradio_api/{path}/{answer.json()['event_id']}", timeout=60).text
        assert "Traceback" not in text
        assert str(PROJECT) not in text
    assert "confidence" in ask(server, {"path": upload(server, "a.png", picture())})


@pytest.mark.parametrize(
    "name",
    [
        "answer",
        "load_page",
        "choose_model",
        "show_model",
        "show_photo",
        "show_all_models",
        "show_many",
        "cancel",
    ],
)
def test_private_events_cannot_be_called_by_name(server: Server, name: str) -> None:
    assert callable(getattr(events, name))
    for route in ("call", "run", "call/v2"):
        answer = httpx2.post(f"{server.url}/gradio_api/{route}/{name}", json={"data": [None, "alexnet-bn"]})
        text = answer.text
        if answer.is_success and "event_id" in text:
            text = httpx2.get(f"{server.url}/gradio_api/call/{name}/{answer.json()['event_id']}").text
        assert not answer.is_success or "error" in text, text


def test_other_sites_may_not_use_a_visitors_browser(server: Server) -> None:
    evil = {"Origin": "https://evil.example"}
    for method in ("GET", "OPTIONS", "POST"):
        headers = {**evil, "Access-Control-Request-Method": "POST"}
        answer = httpx2.request(method, f"{server.url}/gradio_api/queue/join", headers=headers)
        assert answer.headers.get("access-control-allow-origin") not in ("*", "https://evil.example")


def test_headers_cannot_change_what_others_see(server: Server) -> None:
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/evil"}
    httpx2.get(server.url, headers=forged)
    assert "evil" not in httpx2.get(server.url).text
    assert "evil" not in httpx2.get(f"{server.url}/config").text


def test_slow_clients_do_not_hold_up_the_others(server: Server) -> None:
    slow = [connect(server) for _ in range(100)]
    try:
        for index, connection in enumerate(slow):  # some stop in the headers, some in an upload
            connection.sendall(b"POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n")
            if index % 2:
                connection.sendall(b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n")
        client = Client(server.url, verbose=False, ssl_verify=False)
        assert client.predict(handle_file(str(EXAMPLE)), api_name="/classify")["label"] == "sunflowers"
    finally:
        for connection in slow:
            connection.close()


@pytest.mark.parametrize("path", ["upload", "call/classify", "run/classify", "queue/join"])
def test_visitor_who_leaves_while_sending_is_no_error(server: Server, path: str, new_log: Callable[[], str]) -> None:
    with connect(server) as connection:
        head = f"POST /gradio_api/{path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
        head += "Content-Type: multipart/form-data; boundary=x\r\n" if path == "upload" else ""
        connection.sendall(f"{head}\r\n--x\r\n".encode())
        time.sleep(0.5)  # until the server waits for the rest
    time.sleep(0.5)  # until it knows that there is none
    assert new_log() == ""


BUSY = """
import time
import app
from flower_alexnet import FlowerClassifier
from page import answers

def slowly(self, photo, call=FlowerClassifier.__call__):
    time.sleep(0.5)
    return call(self, photo)

FlowerClassifier.__call__ = slowly
answers.PHOTOS, answers.MAX_WAITING = answers.Turns(1), 2
app.launch()
"""
"""The page, which answers one request at a time, in half a second at least, while two may wait."""


def test_request_to_a_full_queue_is_refused_with_the_reason(tmp_path: Path) -> None:
    """Thirty users at once, where two may wait."""
    (tmp_path / "photo.png").write_bytes(picture())
    with serve("-c", BUSY, forked=True) as server:
        patient = {"timeout": 60}
        clients = [Client(server.url, verbose=False, ssl_verify=False, httpx_kwargs=patient) for _ in range(30)]

        def classify(client: Client) -> str:
            try:
                return client.predict(handle_file(str(tmp_path / "photo.png")), api_name="/classify")["label"]
            except Exception as error:
                return str(error)

        with ThreadPoolExecutor(30) as pool:
            results = list(pool.map(classify, clients))
        answers = [label for label in results if label in ("roses", "tulips", "daisy", "dandelion", "sunflowers")]
        refused = [text for text in results if "busy" in text]
        assert answers
        assert refused
        assert len(answers) + len(refused) == 30, results


def test_errors_and_logs_hold_no_paths_no_names_and_no_stack_traces(tmp_path: Path) -> None:
    with serve("app.py", forked=True) as server:
        client = Client(server.url, verbose=False, ssl_verify=False)
        (tmp_path / "my-garden.png").write_bytes(picture(3))
        for endpoint in ("/classify", "/explain", "/compare"):
            client.predict(image=handle_file(str(tmp_path / "my-garden.png")), api_name=endpoint)
        (tmp_path / "my-diary.png").write_bytes(picture(3)[:200])
        for endpoint in ("/classify", "/explain", "/compare"):
            with pytest.raises(AppError) as error:
                client.predict(image=handle_file(str(tmp_path / "my-diary.png")), api_name=endpoint)
            assert "cut short or damaged" in str(error.value)
            assert "/" not in str(error.value)
        with pytest.raises(AppError, match="Choose a model from the list"):
            client.predict(handle_file(str(EXAMPLE)), "../../etc", api_name="/classify")
        for body in (b"[" * 1000, json.dumps({"data": [{"path": "/etc/passwd"}]}).encode()):
            httpx2.post(f"{server.url}/gradio_api/call/classify", content=body)
        log = server.log.read_text()
        for word in ("my-garden", "my-diary", "Traceback", "passwd"):
            assert word not in log
