"""Fixtures of the page's tests: the served page, and a browser to open it with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.browser import CHROMIUM, CHROMIUM_OPTIONS
from tests.support.server import Server, serve

expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Serve the page with the shipped models and the drawn examples."""
    environment = {key: value for key, value in os.environ.items() if key != "FLOWER_PHOTOS"}
    with serve("app.py", environment=environment) as served:  # not forked: its tools keep the folder for uploads
        yield served


@pytest.fixture
def new_log(server: Server) -> Callable[[], str]:
    """Return a function that reads what the server logged in this test: other tests log, too."""
    start = server.log.stat().st_size
    return lambda: server.log.read_bytes()[start:].decode(errors="replace")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium; skip the test where it is not installed."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def browser_page(browser: Browser) -> Iterator[Page]:
    """Open an empty page at the width of a laptop."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(60_000)
    yield page
    page.close()
