"""Models on the page: loaded once, never by surprise, and what is wrong with one affects no other."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from gradio_client import Client, handle_file
from playwright.sync_api import Page, expect

from flower_alexnet import Prediction, images, registry
from flower_alexnet.registry import Model
from page import render
from page.translations import LANGUAGES, describe
from tests.support import PROJECT
from tests.support.handlers import described
from tests.support.hub import File, Hub, Repo, serve_hub
from tests.support.page import choose_model, open_tab, upload
from tests.support.server import Server, serve

PHOTO = PROJECT / "examples" / "tulips_1.webp"
METRICS = json.loads((PROJECT / "weights" / "alexnet" / "metrics.json").read_text())


def project(folder: Path) -> Path:
    """Copy what the page needs of the project, and return the copy's weights."""
    for name in ("flower_alexnet", "page", "examples", "weights"):
        shutil.copytree(PROJECT / name, folder / name)
    shutil.copy(PROJECT / "app.py", folder)
    return folder / "weights"


def partial_metrics() -> Iterator[tuple[str, Any]]:
    """Yield measurements that lack something, or hold something else in its place."""
    yield from {"nothing": {}, "list": [], "text": "x", "null": None}.items()
    for name in METRICS:
        yield f"without {name}", {key: value for key, value in METRICS.items() if key != name}
        other: Any
        for other in (None, [], "x", {}):
            yield f"{name} {other!r}", {**METRICS, name: other}
    for name in METRICS["test"]:
        yield f"test without {name}", {**METRICS, "test": {k: v for k, v in METRICS["test"].items() if k != name}}


ABSURD: list[Any] = [float("inf"), float("nan"), -1, 1e308, 10**400, "9" * 5000, [], {}]


def absurd_metrics() -> Iterator[tuple[str, Any]]:
    """Yield measurements with numbers that cannot be."""
    test = METRICS["test"]
    yield "no reliability", {**METRICS, "test": {**test, "reliability": []}}
    for number, value in enumerate(ABSURD):
        bins = [{"confidence": value, "accuracy": value, "photos": value}] * 3
        yield f"reliability {number}", {**METRICS, "test": {**test, "reliability": bins}}
        yield f"no photos {number}", {**METRICS, "test": {**test, "reliability": [{**bins[0], "photos": 0}]}}
        yield f"accuracy {number}", {**METRICS, "test": {**test, "accuracy": value}}
        yield f"matrix {number}", {**METRICS, "test": {**test, "confusion_matrix": [[value] * 5] * 5}}
        yield f"minutes {number}", {**METRICS, "training": {**METRICS["training"], "minutes": value}}
        yield f"history {number}", {**METRICS, "history": [dict.fromkeys(METRICS["history"][0], value)]}


@pytest.fixture(scope="module")
def measured(random_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model folder whose measurements each test replaces."""
    return Path(shutil.copytree(random_model, tmp_path_factory.mktemp("models") / "measured"))


@pytest.mark.parametrize(("name", "metrics"), [*partial_metrics(), *absurd_metrics()])
def test_model_is_described_by_the_measurements_there_are(name: str, metrics: Any, measured: Path) -> None:
    (measured / "metrics.json").write_text(json.dumps(metrics))
    for language in LANGUAGES:
        assert "AlexNet" in described(Model(str(measured), shipped=False), language)[0]
    prediction = Prediction(dict(zip(METRICS["dataset"]["labels"], (0.9, 0.1, 0, 0, 0), strict=True)))
    render.trust(prediction, Model(str(measured), shipped=False), "en")  # raises nothing
    if name == "without test":
        assert "minutes on 1 core" in described(Model(str(measured), shipped=False), "en")[0]


def test_card_is_shown_whatever_the_folder_is_called(random_model: Path, tmp_path: Path, browser_page: Page) -> None:
    folders = [tmp_path / name for name in ("with space", "a#b", "ü?")]
    for folder in folders:
        shutil.copytree(random_model, folder)
        (folder / "README.md").write_text(f"---\nx: 1\n---\ncard of {folder.name}", encoding="utf-8")
    environment = {**os.environ, "FLOWER_ALEXNET_MODELS": ",".join(map(str, folders))}
    with serve("app.py", environment=environment, forked=True) as server:
        page = browser_page
        page.goto(server.url)
        page.locator(".examples button").last.wait_for()
        for folder in folders:
            open_tab(page, "Photo")
            choose_model(page, str(folder))
            open_tab(page, "About")
            expect(page.get_by_text(f"{folder} is an AlexNet")).to_be_visible()
            if folder == folders[0]:
                page.get_by_role("button", name="In detail").click()
            expect(page.get_by_text(f"card of {folder.name}", exact=True)).to_be_visible()


def test_broken_model_by_a_link_is_told_without_the_servers_folders(tmp_path: Path, browser_page: Page) -> None:
    weights = project(tmp_path / "project")
    (weights / "alexnet" / "config.json").write_text("{}")
    (weights / "alexnet-baseline" / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")
    with serve("app.py", project=tmp_path / "project") as server:
        for model, problem in {"alexnet": "lacks labels", "alexnet-baseline": "git lfs pull"}.items():
            browser_page.goto(f"{server.url}/?model={model}")
            upload(browser_page, PHOTO)
            expect(browser_page.get_by_text(problem).first).to_be_visible()
            assert str(tmp_path) not in browser_page.content()
        answer = Client(server.url, verbose=False, ssl_verify=False).predict(
            image=handle_file(str(PHOTO)), api_name="/classify"
        )
        assert answer["label"] == "tulips"


@pytest.fixture
def hub() -> Iterator[Hub]:
    """Serve a Hub with a good model, ann/good, and one with damaged weights, ann/bad."""
    shipped = PROJECT / "weights" / "alexnet-baseline"
    with serve_hub() as served:
        for name in ("ann/good", "ann/bad"):
            files = {
                file.name: File(file.read_bytes(), large=file.suffix == ".safetensors") for file in shipped.iterdir()
            }
            if name == "ann/bad":
                files["config.json"] = File(b'{"labels": 5}', large=False)
            repo = Repo("ann")
            repo.commit(files, "main")
            served.repos["model", name] = repo
        yield served


def test_comparison_downloads_nothing_and_remembers_what_failed(hub: Hub, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "FLOWER_ALEXNET_MODELS": "ann/good,ann/bad",
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "hf"),
    }
    with serve("app.py", environment=environment) as server:
        client, photo = Client(server.url, verbose=False, ssl_verify=False), handle_file(str(PHOTO))

        def compared() -> dict[str, Any]:
            rows = client.predict(image=photo, api_name="/compare")
            return {row["model"]: row.get("label") or row["problem"] for row in rows}

        first = compared()
        assert first["alexnet-bn"] == "tulips"
        assert "choose it in the list first" in first["ann/good"]
        assert hub.downloads == []
        client.predict(image=photo, model="ann/good", api_name="/classify")
        with pytest.raises(Exception, match="labels"):
            client.predict(image=photo, model="ann/bad", api_name="/classify")
        downloads = list(hub.downloads)
        second = compared()
        assert second["ann/good"] in ("tulips", "roses", "daisy", "dandelion", "sunflowers")
        assert "labels" in second["ann/bad"]
        assert str(tmp_path) not in second["ann/bad"]
        assert hub.downloads == downloads  # what failed is not tried again
        assert "Traceback" not in server.log.read_text()


COUNTED = """
import app
from flower_alexnet import classifier
from flower_alexnet.inference import SharedPass

loads, passes = [], []
load, run = classifier.FlowerClassifier._from_folder.__func__, SharedPass.submit

def counted_load(cls, folder, device=None):
    print("LOADED", folder.name, flush=True)
    return load(cls, folder, device)

def counted_run(self, inputs):
    print("PASS", flush=True)
    return run(self, inputs)

classifier.FlowerClassifier._from_folder = classmethod(counted_load)
SharedPass.submit = counted_run
app.launch()
"""


def test_each_model_is_loaded_once_and_asked_once() -> None:
    with serve("-c", COUNTED, forked=True) as server:
        client = Client(server.url, verbose=False, ssl_verify=False)
        client.predict(image=handle_file(str(PHOTO)), api_name="/compare")  # all models are loaded then
        before = server.log.read_text()
        loaded = re.findall(r"LOADED (\S+)", before)
        assert len(loaded) == len(set(loaded))
        client.predict(image=handle_file(str(PHOTO)), api_name="/compare")
        after = server.log.read_text()[len(before) :]
        assert after.count("PASS") == len(registry.shipped_models())
        assert "LOADED" not in after


def test_no_limit_is_written_twice() -> None:
    with pytest.raises(images.ImageTooLarge) as raised:
        raise images._too_large("photo.webp", "9000x6000 pixels")
    for language in LANGUAGES:
        text = describe(raised.value, language)
        assert re.findall(r"\d+", text.replace("9000x6000", "")) == [str(images.MAX_PIXELS // 1_000_000)]


def test_pages_config_names_no_folder_of_the_server(server: Server) -> None:
    config = httpx2.get(f"{server.url}/config").text
    assert str(PROJECT) not in config
