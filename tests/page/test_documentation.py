"""Every way to call the endpoints that the page documents works as it is printed there."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from gradio_client import Client

from tests.support import PROJECT
from tests.support.server import Server

PHOTO = PROJECT / "examples" / "sunflowers_1.webp"
ENDPOINTS = ("classify", "explain", "compare", "classify_batch")
DATA = f"data:image/webp;base64,{base64.b64encode(PHOTO.read_bytes()).decode()}"


@pytest.fixture(scope="module")
def info(server: Server) -> dict[str, Any]:
    """Return what "Use via API" on the page shows."""
    return httpx2.get(f"{server.url}/gradio_api/info").json()["named_endpoints"]


def printed(info: dict[str, Any], endpoint: str, kind: str) -> str:
    """Return the snippet of an endpoint, with a photo of this machine in place of Gradio's example."""
    code = info[f"/{endpoint}"]["code_snippets"][kind]
    return re.sub(r"https://raw\.githubusercontent\.com/[^'\"]*|/path/to/your/file", str(PHOTO), code)


def assert_answered(endpoint: str, output: str) -> None:
    assert ("image.jpeg" if endpoint == "explain" else "sunflowers") in output, output


def call(server: Server, endpoint: str, body: object, version: str = "") -> str:
    """Call an endpoint by HTTP, and return its events or why it was refused."""
    url = f"{server.url}/gradio_api/call"
    asked = httpx2.post(f"{url}{version}/{endpoint}", json=body)
    if not asked.is_success:
        return f"{asked.status_code} {asked.text}"
    return httpx2.get(f"{url}/{endpoint}/{asked.json()['event_id']}", timeout=60).text


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_curl_as_printed(info: dict[str, Any], endpoint: str) -> None:
    code = printed(info, endpoint, "bash")
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, timeout=60)
    assert_answered(endpoint, done.stdout)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_command_line_as_printed(info: dict[str, Any], endpoint: str, tmp_path: Path) -> None:
    gradio = Path(sys.executable).with_name("gradio")
    code = printed(info, endpoint, "cli").replace("{command}", str(gradio))
    done = subprocess.run(["bash", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_answered(endpoint, done.stdout.replace("image.webp", "image.jpeg"))


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_python_as_printed(info: dict[str, Any], endpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(printed(info, endpoint, "python"), {})
    assert_answered(endpoint, capsys.readouterr().out.replace("image.webp", "image.jpeg"))


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_javascript_is_complete(info: dict[str, Any], endpoint: str) -> None:
    """It was run by hand with @gradio/client, which no Python package brings."""
    code = printed(info, endpoint, "javascript")
    assert "[object Object]" not in code
    assert 'fetch("")' not in code
    assert ("files: [handle_file(" if endpoint == "classify_batch" else "image: handle_file(") in code
    if shutil.which("node"):
        checked = subprocess.run(["node", "--check", "--input-type=module", "-"], input=code, text=True)
        assert checked.returncode == 0


def test_names_are_words(info: dict[str, Any], server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    for endpoint in info.values():
        for value in (*endpoint["parameters"], *endpoint["returns"]):
            assert re.fullmatch(r"[a-z]+", value["label"])
    Client(server.url, verbose=False, ssl_verify=False).view_api()
    shown = capsys.readouterr().out
    for call_, output in zip(ENDPOINTS, ("probabilities", "overlay", "answers", "rows"), strict=True):
        assert f'api_name="/{call_}") -> {output}\n' in shown


def test_openapi_describes_what_there_is(server: Server) -> None:
    paths = httpx2.get(f"{server.url}/gradio_api/openapi.json").json()["paths"]
    with PHOTO.open("rb") as file:
        (uploaded,) = httpx2.post(f"{server.url}/gradio_api/upload", files={"files": file}).json()
    photo = {"path": uploaded, "meta": {"_type": "gradio.FileData"}}
    posted = [path for path in paths if "/call/v2/" in path]
    assert [path.rpartition("/")[2] for path in posted] == list(ENDPOINTS)
    for path in posted:
        endpoint = path.rpartition("/")[2]
        names = paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]
        values = {"image": photo, "files": [photo], "label": "", "model": "alexnet"}
        event = httpx2.post(server.url + path, json={name: values[name] for name in names}).json()["event_id"]
        fetched = next(path for path in paths if path.endswith(f"call/{endpoint}/{{event_id}}"))
        assert_answered(endpoint, httpx2.get(server.url + fetched.format(event_id=event), timeout=60).text)


def test_data_addresses_and_defaults(server: Server) -> None:
    for photo in ({"url": DATA}, {"url": DATA, "meta": {"_type": "gradio.FileData"}}):
        for data in ([photo], [photo, "alexnet"]):
            assert_answered("classify", call(server, "classify", {"data": data}))
        assert_answered("explain", call(server, "explain", {"data": [photo]}))
        assert_answered("compare", call(server, "compare", {"data": [photo]}))
        assert_answered("classify", call(server, "classify", {"image": photo}, "/v2"))


@pytest.mark.parametrize(
    ("endpoint", "body", "version", "message"),
    [
        ("classify", {"data": []}, "", "Choose a photo first."),
        ("classify", {"data": [None, "alexnet"]}, "", "Choose a photo first."),
        ("classify", {}, "/v2", "Choose a photo first."),
        ("classify_batch", {"data": []}, "", "Choose photos first."),
        ("classify", {"image": {"url": DATA}, "photo": 1}, "/v2", "no argument photo; there are image, model"),
        ("classify", {"data": [{"url": DATA}, "alexnet", 3]}, "", "There are 3 arguments; at most 2"),
        ("classify", {"data": {"url": DATA}}, "", "not a list"),
        ("classify", {"data": ["x"]}, "", "image: a file is"),
        ("classify", {"data": [{"path": "/etc/passwd"}]}, "", "image: a file is"),
        ("classify_batch", {"data": [[{"path": 5}]]}, "", "files: a file is"),
        ("classify", {"data": [{"url": "data:image/png;base64,%%%"}]}, "", "Choose a photo first."),
        ("classify", {"data": [{"url": DATA}, "resnet"]}, "", "Choose a model from the list."),
    ],
)
def test_what_is_wrong_is_said(
    server: Server, new_log: Callable[[], str], endpoint: str, body: object, version: str, message: str
) -> None:
    said = call(server, endpoint, body, version)
    assert message in said
    assert json.dumps(None) not in said.partition("error")[2][:12]
    assert "Traceback" not in new_log()
