"""Take screenshots of the page: python -m tests.screenshots writes them to docs/."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from tests.support.browser import CHROMIUM, CHROMIUM_OPTIONS
from tests.support.photos import PROJECT
from tests.support.server import serve

VISITORS: dict[str, dict] = {
    "laptop": {"viewport": {"width": 1280, "height": 800}},
    "phone": {"viewport": {"width": 390, "height": 844}},
    "dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "chinese": {"viewport": {"width": 1280, "height": 800}, "locale": "zh-CN"},
}


def answered(page: Page, flower: str) -> None:
    """Click on an example and wait until its answer is shown."""
    page.get_by_role("button", name=flower, exact=True).click()
    expect(page.locator("[data-testid$='-confidence-set']")).to_have_count(5)
    expect(page.locator("#words h2")).to_contain_text("%")


def main(folder: Path) -> None:
    """Write a screenshot of the page with an explained example for each of ``VISITORS``."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {key: value for key, value in os.environ.items() if key != "FLOWER_PHOTOS"}
    with serve("app.py", environment=environment) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_OPTIONS)
        for name, visitor in VISITORS.items():
            page = browser.new_page(**visitor)
            page.goto(server.url)
            chinese = name == "chinese"
            page.locator("#examples .gallery-item[aria-label]").first.wait_for()
            answered(page, "向日葵" if chinese else "sunflower")
            page.get_by_role("button", name="它看了哪里？" if chinese else "Where did it look?").click()
            page.get_by_text("Grad-CAM").wait_for()
            page.wait_for_load_state("networkidle")
            page.mouse.move(0, 0)
            page.wait_for_timeout(1000)
            picture = Image.open(io.BytesIO(page.screenshot(full_page=True)))
            picture.save(folder / f"{name}.webp", quality=85)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT / "docs")
