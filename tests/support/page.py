"""What a visitor does on the page, for tests and screenshots."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

EXAMPLE_FILES = {
    "Daisy": "daisy_1.webp",
    "Dandelion": "dandelion_1.webp",
    "Rose": "roses_1.webp",
    "Sunflower": "sunflowers_1.webp",
    "Tulip": "tulips_1.webp",
    "A hard one": "hard.webp",
    "None of the five": "other.webp",
}
"""What an example shows -> its file."""

KEY = "document.querySelector('#words:not(.stale) .panel[data-label]')?.dataset.key"
"""What tells the answer that is shown from others."""


STILL = "document.getAnimations().every(it => it.playState !== 'running' || it.effect.getTiming().iterations > 99)"
"""Whether all animations that end have ended."""


def upload(page: Page, file: Path | dict[str, Any]) -> None:
    """Choose a photo."""
    page.locator("#photo input[type=file]").first.set_input_files(file)  # type: ignore[arg-type]


def bars(page: Page) -> Locator:
    """Return the bars of the answer."""
    return page.locator("#words button.bar")


def heading(page: Page) -> Locator:
    """Return the heading of the answer."""
    return page.locator("#words h2")


def look(page: Page) -> None:
    """Press what shows where the network looked, and wait until it does."""
    page.locator(".stage .where").click()
    page.locator(".stage .heat").wait_for()


def example(page: Page, name: str) -> Locator:
    """Return the button of an example, which does not say what it shows."""
    return page.locator(f'.examples button[data-name="{EXAMPLE_FILES[name]}"]')


def click_example(page: Page, name: str) -> None:
    """Click on an example and wait until its answer is there."""
    before = page.evaluate(KEY)
    example(page, name).click()
    page.wait_for_function(f"(before) => ({KEY}) && ({KEY}) !== before", arg=before)
    settle(page)  # until it is no longer faded


def settle(page: Page) -> None:
    """Wait until nothing moves or fades any more."""
    page.wait_for_function(f"() => {STILL}")


def wait_until(page: Page, condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, while the browser goes on; fail after half a minute."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        page.wait_for_timeout(20)


def open_tab(page: Page, name: str) -> None:
    """Open a tab."""
    page.get_by_role("tab", name=name, exact=True).click()


def choose_model(page: Page, name: str, label: str = "Model") -> None:
    """Choose a model."""
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option").filter(has_text=re.compile(rf"(?<!\S){re.escape(name)}(: |\s*$)")).click()
