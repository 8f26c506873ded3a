"""The endpoints of the served page: for programs, for curl and for language models."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
import subprocess
import time
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from mcp.types import CallToolResult, ImageContent, TextContent, Tool
from PIL import Image

import app
from flower_alexnet import LABELS, dataset, registry
from flower_alexnet.classifier import load_classifier
from page import uploads
from tests.support import PROJECT
from tests.support.photos import drawn_flower
from tests.support.server import Server, serve

EXAMPLE = PROJECT / "examples" / "sunflowers_1.webp"


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    return Client(server.url, verbose=False, ssl_verify=False)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "flower.jpg"
    drawn_flower("sunflowers", size=(400, 300)).save(file)
    return file


def probabilities(answer: dict) -> dict[str, float]:
    return {entry["label"]: entry["confidence"] for entry in answer["confidences"]}


def test_classify_returns_the_probabilities_of_the_library(client: Client, photo: Path) -> None:
    expected = load_classifier()(photo).probabilities
    answer = client.predict(image=handle_file(str(photo)), api_name="/classify")
    assert probabilities(answer) == pytest.approx(expected, abs=1e-6)
    for model in registry.shipped_models():
        answer = client.predict(image=handle_file(str(photo)), model=model.name, api_name="/classify")
        assert probabilities(answer) == pytest.approx(load_classifier(model.name)(photo).probabilities, abs=1e-6)


def test_classify_answers_in_one_response(server: Server, photo: Path) -> None:
    def ask(content: bytes, endpoint: str = "classify") -> httpx2.Response:
        (path,) = httpx2.post(f"{server.url}/gradio_api/upload", files={"files": ("a.jpg", content)}).json()
        data = [{"path": path, "meta": {"_type": "gradio.FileData"}}]
        return httpx2.post(f"{server.url}/gradio_api/run/{endpoint}", json={"data": data})

    (answer,) = ask(photo.read_bytes()).json()["data"]
    assert probabilities(answer) == pytest.approx(load_classifier()(photo).probabilities, abs=1e-6)
    refused = ask(b"text")
    assert refused.status_code == 422
    assert "not a picture" in refused.json()["error"]
    assert ask(photo.read_bytes(), "explain").status_code == 404  # it takes long, and goes through the queue


def test_classify_a_photo_of_each_class(client: Client, real_photos: Path) -> None:
    for label in range(len(LABELS)):
        photo = next(photo for photo in dataset.split(real_photos)["test"] if photo.target == label)
        answer = client.predict(image=handle_file(str(photo.path)), api_name="/classify")
        assert set(probabilities(answer)) == set(LABELS)
        assert sum(probabilities(answer).values()) == pytest.approx(1)


def test_endpoints_say_why_they_refuse(client: Client, photo: Path, new_log: Callable[[], str]) -> None:
    content = photo.read_bytes()
    for bad, message in ((b"", "empty"), (b"text", "not a picture"), (content[: len(content) // 2], "cut short")):
        photo.write_bytes(bad)
        for endpoint in ("/classify", "/explain", "/compare"):
            with pytest.raises(AppError, match=message):
                client.predict(image=handle_file(str(photo)), api_name=endpoint)
    for endpoint in ("/classify", "/explain", "/compare"):
        with pytest.raises(AppError, match="Choose a photo"):
            client.predict(image=None, api_name=endpoint)
    with pytest.raises(AppError, match="Choose photos"):
        client.predict(files=[], api_name="/classify_batch")
    photo.write_bytes(content)
    for model in ("nothing", "../weights/alexnet-baseline", ["alexnet-baseline"], None):
        with pytest.raises(AppError, match="Choose a model"):
            client.predict(image=handle_file(str(photo)), model=model, api_name="/classify")
    with pytest.raises(AppError, match="There is no label orchid"):
        client.predict(image=handle_file(str(photo)), label="orchid", api_name="/explain")
    assert "Traceback" not in new_log()


def test_explain_colours_the_photo(client: Client) -> None:
    plain = np.asarray(Image.open(EXAMPLE).convert("RGB"), dtype=float)
    overlays = []
    for label in ("sunflowers", "daisy"):
        answer = client.predict(image=handle_file(str(EXAMPLE)), label=label, api_name="/explain")
        overlays.append(np.asarray(Image.open(answer["path"] if isinstance(answer, dict) else answer), dtype=float))
        assert overlays[-1].shape == plain.shape
        assert np.abs(overlays[-1] - plain).mean() > 5
    assert np.abs(overlays[0] - overlays[1]).mean() > 1


def test_compare_runs_every_model(client: Client) -> None:
    rows = client.predict(image=handle_file(str(EXAMPLE)), api_name="/compare")
    assert [row["model"] for row in rows] == [model.name for model in registry.shipped_models()]
    for row in rows:
        assert row["probabilities"] == pytest.approx(load_classifier(row["model"])(EXAMPLE).probabilities, abs=1e-6)
        assert row["milliseconds"] > 0


def test_classify_batch_has_a_row_for_each_file(client: Client, tmp_path: Path, photo: Path) -> None:
    (tmp_path / "note.png").write_text("not a picture")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.write(EXAMPLE, "folder/one.webp")
        archive.writestr("folder/two.jpg", b"\xff\xd8 cut")
    files = [handle_file(str(tmp_path / name)) for name in ("flower.jpg", "note.png", "more.zip")]
    rows = client.predict(files=files, api_name="/classify_batch")
    assert [row["photo"] for row in rows] == [
        "flower.jpg",
        "note.png",
        "more.zip/folder/one.webp",
        "more.zip/folder/two.jpg",
    ]
    assert rows[0]["probabilities"] == pytest.approx(load_classifier()(photo).probabilities, abs=1e-6)
    assert "not a picture" in rows[1]["problem"]
    assert rows[2]["label"] == "sunflowers"
    assert "two.jpg" in rows[3]["problem"]


def test_only_what_is_documented_can_be_called(client: Client) -> None:
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(endpoints) == {"/classify", "/explain", "/compare", "/classify_batch"}
    assert all(endpoint["description"] for endpoint in endpoints.values())
    with pytest.raises(ValueError, match="answer"):
        client.predict(None, "alexnet-bn", api_name="/answer")


Tools = dict[str, Tool]


@asynccontextmanager
async def tools_of(url: str) -> AsyncIterator[tuple[ClientSession, Tools]]:
    """Connect the official client, and list the tools by the names of their endpoints."""
    address = f"{url.rstrip('/')}/gradio_api/mcp/"
    async with streamablehttp_client(address) as (read, write, _), ClientSession(read, write) as session:
        await session.initialize()
        tools = (await session.list_tools()).tools
        yield session, {tool.name.removeprefix("flower_alexnet_"): tool for tool in tools}


def as_text(picture: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(picture).decode()}"


async def ask_tools(url: str, picture: bytes) -> tuple[Tools, dict[str, CallToolResult]]:
    """Call each tool with a picture that is sent as text."""
    image = as_text(picture)
    arguments: dict[str, dict[str, Any]] = {
        "classify": {"image": image},
        "explain": {"image": image, "label": "daisy"},
        "compare": {"image": image},
        "classify_batch": {"files": [image, image]},
    }
    async with tools_of(url) as (session, tools):
        assert tools.keys() == arguments.keys()
        return tools, {name: await session.call_tool(tools[name].name, given) for name, given in arguments.items()}


def text_of(result: CallToolResult) -> str:
    return "".join(part.text for part in result.content if isinstance(part, TextContent))


def test_tools_for_language_models(server: Server) -> None:
    tools, results = asyncio.run(ask_tools(server.url, EXAMPLE.read_bytes()))
    for name, tool in tools.items():
        assert tool.description
        assert all("description" in field for field in tool.inputSchema["properties"].values())
        assert "$ref" not in json.dumps(tool.inputSchema)
        assert not results[name].isError, text_of(results[name])
    for name in ("classify", "compare", "classify_batch"):
        assert "sunflowers" in text_of(results[name])
    assert any(isinstance(part, ImageContent) for part in results["explain"].content)


def test_tools_take_uploads_refuse_wrong_names_and_answer_many_at_once(server: Server) -> None:
    (path,) = httpx2.post(f"{server.url}/gradio_api/upload", files={"files": EXAMPLE.read_bytes()}).json()
    address = f"{server.url}/gradio_api/file={path}"

    async def ask() -> None:
        async with tools_of(server.url) as (session, tools):
            wrong = await session.call_tool(
                tools["classify"].name, {"image": as_text(EXAMPLE.read_bytes()), "model": "x"}
            )
            assert wrong.isError
            assert "is not one of" in text_of(wrong)
            unknown = await session.call_tool("flower_alexnet_answer", {})
            assert unknown.isError
            assert "Unknown tool" in text_of(unknown)
            image = as_text(EXAMPLE.read_bytes())
            many = await asyncio.gather(
                *(session.call_tool(tools["classify"].name, {"image": image}) for _ in range(8))
            )
            assert all("sunflowers" in text_of(result) for result in many)
            uploaded = await session.call_tool(tools["classify_batch"].name, {"files": [address]})
            assert "Traceback" not in text_of(uploaded)

    asyncio.run(ask())


def readme_examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.+?)```", (PROJECT / "README.md").read_text(), re.DOTALL)


def test_readme_examples_for_programs_run(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (photo,) = [code for code in readme_examples("python") if "gradio_client" in code]
    (curl,) = [code for code in readme_examples("bash") if "curl" in code]
    monkeypatch.chdir(PROJECT)
    namespace: dict[str, Any] = {}
    exec(photo.replace("http://127.0.0.1:7860", server.url), namespace)
    assert "roses" in capsys.readouterr().out
    answer = subprocess.run(
        ["bash", "-c", curl.replace("http://127.0.0.1:7860", server.url)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "roses" in answer.stdout


def test_photos_are_deleted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What visitors send is deleted after a while, here of two seconds."""
    assert sum(uploads.DELETE_CACHE) <= 3600
    monkeypatch.setattr(uploads, "DELETE_CACHE", (1, 2))
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    monkeypatch.setattr(app, "UPLOADS", tmp_path / "uploads")
    monkeypatch.setattr("gradio.mcp.DEFAULT_TEMP_DIR", str(tmp_path / "uploads"))
    page = app.launch(prevent_thread_lock=True, quiet=True)
    try:
        kept = files_in(tmp_path / "uploads")
        drawn_flower("roses", size=(333, 222)).save(tmp_path / "private.png")
        client = Client(page.local_url, verbose=False, ssl_verify=False)
        for endpoint in ("/classify", "/explain"):
            client.predict(image=handle_file(str(tmp_path / "private.png")), api_name=endpoint)
        assert asyncio.run(ask_tools(page.local_url, (tmp_path / "private.png").read_bytes()))
        assert len(files_in(tmp_path / "uploads")) > len(kept) + 2
        deadline = time.monotonic() + 20
        while left := files_in(tmp_path / "uploads") - kept:
            assert time.monotonic() < deadline, left
            time.sleep(0.5)
        assert files_in(tmp_path / "uploads") == kept
    finally:
        page.close()


def files_in(folder: Path) -> set[Path]:
    return {file for file in folder.rglob("*") if file.is_file()}


def test_broken_model_is_shown_as_unavailable_without_the_servers_paths(tmp_path: Path) -> None:
    """Serve a copy of the project in which the weights of one model are truncated."""
    project = tmp_path / "project"
    for folder in ("flower_alexnet", "page", "examples", "weights"):
        shutil.copytree(PROJECT / folder, project / folder)
    shutil.copy(PROJECT / "app.py", project)
    broken = registry.shipped_models()[-1].name
    weights = project / "weights" / broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with serve("app.py", project=project) as server:
        client = Client(server.url, verbose=False, ssl_verify=False)
        *rest, problem = client.predict(image=handle_file(str(EXAMPLE)), api_name="/compare")
        assert all(row["label"] == "sunflowers" for row in rest)
        assert problem["model"] == broken
        assert problem["problem"].startswith(f"{broken}/model.safetensors is damaged")
        with pytest.raises(AppError, match=f"^{broken}/model.safetensors is damaged"):
            client.predict(image=handle_file(str(EXAMPLE)), model=broken, api_name="/classify")
