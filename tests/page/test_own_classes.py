"""Classes of one's own: trained, evaluated, published, chosen on the page and on the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from gradio_client import Client, handle_file
from playwright.sync_api import Browser, Page, expect

from tests.support import PROJECT
from tests.support.commands import run_module
from tests.support.hub import Hub, serve_hub
from tests.support.page import bars, open_tab, upload
from tests.support.photos import SHAPES, drawn_dataset, drawn_shape
from tests.support.server import Server, serve

MODEL = "ann/shapes"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """Serve an empty Hub on which Ann may write."""
    with serve_hub() as served:
        served.tokens["token-of-ann"] = "ann"
        yield served


@pytest.fixture(scope="module")
def environment(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {
        **os.environ,
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path_factory.mktemp("hf")),
        "HF_TOKEN": "token-of-ann",
        "HF_HUB_DISABLE_XET": "1",
        "FLOWER_ALEXNET_MODELS": MODEL,
    }


@pytest.fixture(scope="module")
def published(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train three drawn classes of 20 photos for two epochs, evaluate and publish; return the model folder."""
    folder = tmp_path_factory.mktemp("own")
    data, model = drawn_dataset(folder / "shapes", 20), folder / "model"
    small = ["--epochs", "2", "--size", "64", "--resize", "72", "--batch-size", "16"]
    commands = [
        ["train", "alexnet-baseline", "--data", str(data), "--output", str(model), *small],
        ["train.evaluate", "--model", str(model), "--data", str(data)],
        ["train.publish", "model", str(model), MODEL],
    ]
    for command in commands:
        done = run_module(*command, environment=environment)
        assert done.returncode == 0, done.stderr
    return model


@pytest.fixture(scope="module")
def server(environment: dict[str, str], published: Path) -> Iterator[Server]:
    with serve("app.py", environment=environment) as served:
        yield served


def test_on_the_command_line(environment: dict[str, str], published: Path, tmp_path: Path) -> None:
    drawn_shape(SHAPES[0]).save(tmp_path / "shape.png")
    command = ("flower_alexnet", "classify", tmp_path / "shape.png", "--json", "--model")
    for model in (MODEL, published):
        done = run_module(*command, model, environment=environment)
        assert {entry["label"] for entry in json.loads(done.stdout)[0]["top"]} == set(SHAPES)


def test_by_the_endpoints(server: Server, tmp_path: Path) -> None:
    drawn_shape(SHAPES[0]).save(tmp_path / "shape.png")
    photo, client = handle_file(str(tmp_path / "shape.png")), Client(server.url, verbose=False, ssl_verify=False)
    answer = client.predict(image=photo, model=MODEL, api_name="/classify")
    assert {entry["label"] for entry in answer["confidences"]} == set(SHAPES)
    assert client.predict(image=photo, label=SHAPES[1], model=MODEL, api_name="/explain")
    (row,) = client.predict(files=[photo], model=MODEL, api_name="/classify_batch")
    assert set(row["probabilities"]) == set(SHAPES)
    rows = {row["model"]: row for row in client.predict(image=photo, api_name="/compare")}
    assert set(rows[MODEL]["probabilities"]) == set(SHAPES)
    assert set(rows["alexnet-bn"]["probabilities"]) == {"daisy", "dandelion", "roses", "sunflowers", "tulips"}


def test_on_the_page(server: Server, browser_page: Page, tmp_path: Path) -> None:
    page = browser_page
    drawn_shape(SHAPES[0], size=(400, 300)).save(tmp_path / "shape.png")
    page.goto(server.url)
    upload(page, tmp_path / "shape.png")
    expect(bars(page)).to_have_count(5)
    page.get_by_label("Model", exact=True).click()
    page.get_by_role("option", name=MODEL).click()
    expect(bars(page)).to_have_count(len(SHAPES))
    for label in SHAPES:
        expect(bars(page).filter(has_text=label.capitalize())).to_have_count(1)
    expect(page.locator(".references")).to_have_count(0)  # there are no photos of these to compare with
    bars(page).filter(has_text=SHAPES[1].capitalize()).click()
    expect(page.get_by_text(re.compile(f"speaks? for {SHAPES[1]}"))).to_be_visible()
    open_tab(page, "Models")
    expect(page.get_by_role("heading", name=MODEL, exact=True)).to_be_visible()
    open_tab(page, "Many photos")
    page.locator("#files input[type=file]").set_input_files(str(tmp_path / "shape.png"))
    with page.expect_download() as download:
        page.get_by_role("button", name="Table (CSV)").click()
    header = Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()[0]
    assert header.split(",") == [
        "photo",
        "label",
        "probability",
        "in_distribution",
        "in_distribution_probability",
        "verdict",
        *(f"probability_{label}" for label in SHAPES),
        "problem",
    ]


FLOWERS = {
    "en": "flower|rose|tulip", "zh-CN": "花|玫瑰", "es": "flor|rosa", "de": "Blume|Rose|Tulpe", "fr": "fleur|rose",
    "ja": "花|バラ",
}  # fmt: skip


@pytest.fixture(scope="module")
def space(hub: Hub, environment: dict[str, str], published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Publish a Space of these classes, and return a folder with its files."""
    options = ["--model", published, "--title", "My shapes", "--examples", published.parent / "shapes"]
    done = run_module("train.publish", "space", "ann/shapes", *options, environment=environment)
    assert done.returncode == 0, done.stderr
    repo = hub.repos["space", "ann/shapes"]
    folder = tmp_path_factory.mktemp("space")
    for name, file in repo.commits[repo.branches["main"]].items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(file.content)
    return folder


def test_space_of_own_classes_holds_no_flowers_and_says_what_it_is(space: Path) -> None:
    assert [folder.name for folder in (space / "weights").iterdir()] == ["My shapes"]
    assert {file.suffix for file in (space / "examples").iterdir() if file.is_file()} == {".webp", ".json"}
    assert {folder.name for folder in (space / "examples" / "gallery").iterdir()} == set(SHAPES)
    card = (space / "README.md").read_text(encoding="utf-8")
    assert 'title: "My shapes"' in card
    assert "sdk: gradio" in card
    assert not re.search(FLOWERS["en"], card)
    assert (space / "weights/My shapes/README.md").is_file()  # which its card links to


def test_page_of_own_classes_knows_nothing_of_flowers(
    space: Path, environment: dict[str, str], browser_page: Page, browser: Browser
) -> None:
    variables = {name: value for name, value in environment.items() if name != "FLOWER_ALEXNET_MODELS"}
    with serve("app.py", environment=variables, project=space) as server:
        for language, flower in FLOWERS.items():
            context = browser.new_context(locale=language)
            visitor = context.new_page()
            visitor.goto(server.url)
            expect(visitor.get_by_role("heading", level=1)).to_have_text("My shapes")
            expect(visitor).to_have_title("My shapes")
            expect(visitor.locator(".strip.examples button")).to_have_count(6)
            for tab in range(5):
                visitor.get_by_role("tab").nth(tab).click()
                assert not re.search(flower, visitor.inner_text("body"), re.IGNORECASE), (language, tab)
            context.close()
        gallery = sorted((space / "examples/gallery").glob("*/*.webp"))
        assert gallery
        alike = httpx2.post(f"{server.url}/inside?alike=1", content=gallery[0].read_bytes(), timeout=60).json()
        assert alike[0]["address"].endswith(f"/{gallery[0].name}")
        assert alike[0]["label"] in SHAPES
        assert httpx2.get(f"{server.url}/game").json() == []  # which is about flowers
        endpoints = httpx2.get(f"{server.url}/gradio_api/info").json()["named_endpoints"]
        described = " ".join(str(endpoint["description"]) for endpoint in endpoints.values())
        assert f"labels ({', '.join(SHAPES)})" in described
        assert not re.search(FLOWERS["en"], described, re.IGNORECASE)
        browser_page.goto(server.url)
        browser_page.locator(".strip.examples button").first.click()
        expect(browser_page.locator(".bars .bar")).to_have_count(len(SHAPES))
        assert not re.search(FLOWERS["en"], browser_page.inner_text("body"), re.IGNORECASE)


def test_page_of_one_model_is_about_its_classes(
    environment: dict[str, str], published: Path, browser_page: Page
) -> None:
    with serve("app.py", "--model", str(published), environment=environment | {"FLOWER_ALEXNET_MODELS": ""}) as server:
        browser_page.goto(server.url)
        expect(browser_page.get_by_role("heading", level=1)).to_have_text("Model")
        expect(browser_page.locator("#words h2")).to_contain_text(SHAPES[0], ignore_case=True)
        expect(browser_page.locator(".strip.examples")).to_be_hidden()


@pytest.mark.parametrize(("name", "problem"), [("typo", "There is no folder"), ("", "There is no config.json in")])
def test_model_that_is_not_there_is_told_before_the_page_starts(name: str, problem: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "app.py", "--model", str(tmp_path / name)], cwd=PROJECT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr
    assert "Traceback" not in done.stderr
