"""Models of the Hub on the page: each is loaded when it is chosen, and one that cannot be loaded affects no other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support import PROJECT
from tests.support.hub import File, Hub, Repo, serve_hub
from tests.support.page import bars, upload
from tests.support.photos import drawn_flower
from tests.support.server import Server, serve

SHIPPED = PROJECT / "weights" / "alexnet-baseline"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """Serve a Hub with one model repository, ann/flowers, tagged v1."""
    with serve_hub() as server:
        repo = Repo("ann")
        files = {file.name: File(file.read_bytes(), large=file.suffix == ".safetensors") for file in SHIPPED.iterdir()}
        repo.tags["v1"] = repo.commit(files, "main")
        server.repos["model", "ann/flowers"] = repo
        yield server


@pytest.fixture(scope="module")
def server(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve the page with three more models: one of the Hub, one that does not exist, and a folder."""
    environment = {
        **os.environ,
        "FLOWER_ALEXNET_MODELS": f"ann/flowers@v1, ann/nothing,{SHIPPED}",
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path_factory.mktemp("hf")),
    }
    with serve("app.py", environment=environment) as served:
        yield served


def test_models_of_the_hub_are_loaded_when_chosen(browser_page: Page, server: Server, hub: Hub, tmp_path: Path) -> None:
    page = browser_page
    page.goto(server.url)
    page.locator(".examples button").last.wait_for()
    drawn_flower("sunflowers", size=(400, 300)).save(tmp_path / "flower.jpg")
    upload(page, tmp_path / "flower.jpg")
    expect(bars(page)).to_have_count(5)
    assert hub.downloads == []  # nothing is downloaded before it is chosen

    def choose(name: str) -> None:
        page.get_by_label("Model").click()
        page.get_by_role("option", name=name).click()

    choose("ann/nothing")
    expect(page.get_by_text("no such repository on the Hub")).to_be_visible()
    expect(bars(page)).to_have_count(0)
    choose("ann/flowers@v1")
    expect(bars(page)).to_have_count(5)
    assert {name for name, _ in hub.downloads} == {"config.json", "model.safetensors"}
    choose(f"{SHIPPED}:")
    expect(bars(page)).to_have_count(5)
    page.get_by_label("Model").click()
    expect(page.get_by_role("option", name="ann/nothing: unavailable")).to_be_visible()
    assert "Traceback" not in server.log.read_text()
