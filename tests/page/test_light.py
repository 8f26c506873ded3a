"""The page over a slow line: what it needs is named in its head, and it takes a photo before Gradio is there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from page import preload
from tests.support import PROJECT
from tests.support.page import heading
from tests.support.server import Server

EXAMPLES = PROJECT / "examples"


def test_head_names_the_files_that_the_page_loads(browser_page: Page, server: Server) -> None:
    named = set(re.findall(r'href="\./assets/([^"]+)"', httpx2.get(server.url).text))
    loaded: set[str] = set()
    browser_page.on("request", lambda it: loaded.add(it.url.rpartition("/")[2]) if "/assets/" in it.url else None)
    browser_page.goto(server.url)
    browser_page.locator(".examples button").last.wait_for()
    assert len(loaded) > 50
    unnamed = {name for name in loaded if name not in named and not name.startswith("index-")}
    assert unnamed == set()
    assert len(named - loaded) < 10


@pytest.mark.parametrize("files", [{}, {"index.html": ""}, {"index.html": '<script src="./assets/index-1.js">'}])
def test_a_gradio_that_is_built_otherwise_has_no_links(files: dict[str, str], tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert preload.links(["html"], tmp_path) == ""


def test_links_are_of_files_that_there_are(tmp_path: Path) -> None:
    shutil.copytree(preload.FRONTEND, tmp_path / "frontend")
    before = preload.links(["html", "image", "no such component"], tmp_path / "frontend")
    assert before.count("<link") > 20
    gone = re.findall(r"assets/(HTML-[^\"]+\.js)", before)[0]
    (tmp_path / "frontend" / "assets" / gone).unlink()
    assert preload.links(["html", "image"], tmp_path / "frontend").count("<link") == before.count("<link") - 1


@pytest.mark.parametrize("language", ["en-US", "ja-JP"])
def test_photo_is_taken_before_the_page_is_there(browser: Browser, server: Server, language: str) -> None:
    page, held = browser.new_page(locale=language), list[Route]()
    page.route("**/assets/Blocks-*", lambda route: held.append(route))
    page.goto(server.url, wait_until="commit")
    page.locator("#early input").set_input_files(EXAMPLES / "roses_2.webp")
    expect(page.locator("#early output")).to_contain_text("roses_2.webp")
    page.wait_for_timeout(300)
    assert page.locator(".stage").count() == 0
    assert held
    page.unroute("**/assets/Blocks-*")  # which goes on with what was held
    expect(heading(page)).to_contain_text({"en-US": "rose", "ja-JP": "バラ"}[language], ignore_case=True)
    expect(page.locator("#early")).to_be_hidden()
    page.close()
