"""Take screenshots of the page: python -m tests.screenshots writes them to docs/, or to a folder that is given."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from flower_alexnet import LABELS
from tests.support import PROJECT
from tests.support.browser import CHROMIUM, CHROMIUM_OPTIONS
from tests.support.page import click_example, open_tab
from tests.support.server import serve

VISITORS: dict[str, dict[str, Any]] = {
    "laptop": {"viewport": {"width": 1280, "height": 800}},
    "dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "has_touch": True,
        "is_mobile": True,
        "device_scale_factor": 2,
    },
}

IN_DOCS = {"laptop-answer", "phone-answer", "laptop-stranger", "phone-first", "laptop-inside"}
"""Screenshots that the README shows."""


def first(page: Page) -> None:
    """Show the page as it is opened."""
    page.locator(".examples button").last.wait_for()


def answer(page: Page) -> None:
    """Show an answer."""
    click_example(page, "Rose")


def stranger(page: Page) -> None:
    """Show a refusal."""
    click_example(page, "None of the five")


def heat(page: Page) -> None:
    """Show where the network looked."""
    click_example(page, "Sunflower")
    if page.locator(".stage .heat").is_hidden():
        page.get_by_role("button", name="Where it looked").click()
    expect(page.locator(".stage .heat")).to_be_visible()


def models(page: Page) -> None:
    """Show the answers of all models."""
    click_example(page, "A hard one")
    open_tab(page, "Models")
    expect(page.locator("#models article")).to_have_count(3)


def many(page: Page) -> None:
    """Show many photos."""
    open_tab(page, "Many photos")
    files = [PROJECT / "examples" / f"{label}_{number}.webp" for label in LABELS for number in (1, 2)]
    files += [PROJECT / "examples" / "other.webp", PROJECT / "README.md"]
    page.locator("#files input[type=file]").set_input_files(files)
    expect(page.locator("#photos img")).to_have_count(11)


def about(page: Page) -> None:
    """Show what the model is, with its figures."""
    open_tab(page, "About")
    expect(page.locator(".mistakes img").first).to_be_visible()


def game(page: Page) -> None:
    """Show a turn of You or the network."""
    page.get_by_role("button", name="You or the network?").click()
    page.locator("#game .guess button").nth(2).click()
    page.locator("#game .next").wait_for()


def inside(page: Page) -> None:
    """Show a photo on its way through the network."""
    click_example(page, "Sunflower")
    open_tab(page, "Inside")
    expect(page.locator("#inside .alike img")).to_have_count(6, timeout=60_000)
    page.locator("#inside .maps").nth(4).locator("button").nth(1).click()


SCENES: tuple[Callable[[Page], None], ...] = (first, answer, stranger, heat, models, many, inside, about, game)


def main(folder: Path, wanted: set[str] | None) -> None:
    """Write a screenshot of each scene for each visitor, or of those that are wanted."""
    folder.mkdir(parents=True, exist_ok=True)
    with serve("app.py") as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_OPTIONS)
        for visitor, options in VISITORS.items():
            for scene in SCENES:
                name = f"{visitor}-{scene.__name__}"
                if wanted is not None and name not in wanted:
                    continue
                page = browser.new_page(**options)
                page.goto(server.url)
                first(page)
                scene(page)
                page.mouse.move(0, 0)
                page.wait_for_timeout(1500)
                shot = page.screenshot(full_page=scene in (many, about) and visitor != "phone")
                Image.open(io.BytesIO(shot)).save(folder / f"{name}.webp", quality=85)
                page.close()
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]), None)
    else:
        main(PROJECT / "docs", IN_DOCS)
