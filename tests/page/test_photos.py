"""What the page does with photos: any file is judged by its contents, and no answer outlives its photo."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from tests.support import PROJECT
from tests.support.page import choose_model, heading, look, open_tab, upload, wait_until
from tests.support.photos import encoded
from tests.support.server import Server, serve

EXAMPLES = PROJECT / "examples"

SLOW = """
import asyncio
import app
from page import answers

def slowly(function):
    async def slow(photo, *rest):
        result = await function(photo, *rest)
        if "slow" in photo["path"]:
            print("BEGUN", function.__name__, flush=True)
            await asyncio.sleep(3)
            print("DONE", function.__name__, flush=True)
        return result
    return slow

for name in ("predict", "compare_models"):
    setattr(answers, name, slowly(getattr(answers, name)))
app.launch()
"""
"""The page, in which a photo named slow takes three seconds longer, which it logs."""

DROP = """([name, bytes]) => {
  const files = new DataTransfer();
  files.items.add(new File([new Uint8Array(bytes)], name));  // of a type that the browser does not know
  const target = document.querySelector(".stage .drop");
  target.dispatchEvent(new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: files}));
}"""


@pytest.fixture(scope="module")
def slow_server() -> Iterator[Server]:
    with serve("-c", SLOW, forked=True) as served:
        yield served


@pytest.fixture
def photos(tmp_path: Path) -> tuple[Path, Path]:
    """Return a sunflower that is slow, and a tulip."""
    for name, example in (("slow.webp", "sunflowers_1.webp"), ("quick.webp", "tulips_1.webp")):
        (tmp_path / name).write_bytes((EXAMPLES / example).read_bytes())
    return tmp_path / "slow.webp", tmp_path / "quick.webp"


@pytest.fixture
def logged(slow_server: Server) -> Callable[[str], bool]:
    """Return a function that says whether the slow page has logged a text in this test."""
    start = slow_server.log.stat().st_size
    return lambda text: text.encode() in slow_server.log.read_bytes()[start:]


def until(page: Page, condition: Callable[[], bool]) -> Iterator[None]:
    """Repeat until a condition holds, and for a second more."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        page.wait_for_timeout(50)
        yield
    for _ in range(20):
        page.wait_for_timeout(50)
        yield


def test_answer_of_the_former_photo_is_never_shown(
    browser_page: Page, slow_server: Server, photos: tuple[Path, Path], logged: Callable[[str], bool]
) -> None:
    page, (slow, quick) = browser_page, photos
    page.goto(slow_server.url)
    upload(page, slow)
    wait_until(page, lambda: logged("BEGUN predict"))
    upload(page, quick)
    shown = set()
    for _ in until(page, lambda: logged("DONE predict")):
        shown |= set(page.locator("#words:not(.stale) .panel[data-label] h2").all_inner_texts())
    assert [text.split()[-1] for text in shown] == ["tulip."]


def test_heat_and_models_of_the_former_photo_are_never_shown(
    browser_page: Page, slow_server: Server, photos: tuple[Path, Path], logged: Callable[[str], bool]
) -> None:
    page, (slow, quick) = browser_page, photos
    page.goto(slow_server.url)
    upload(page, slow)
    expect(heading(page)).to_contain_text("Sunflower", ignore_case=True)
    held: list[Route] = []
    page.route("**/look?*", lambda route: route.continue_() if held else held.append(route))
    page.locator(".stage .where").click()
    wait_until(page, lambda: bool(held))
    upload(page, quick)
    expect(heading(page)).to_contain_text("Tulip", ignore_case=True)
    held[0].continue_()
    for _ in range(20):
        page.wait_for_timeout(50)
        assert page.get_by_text("speak for sunflower").filter(visible=True).count() == 0
    look(page)
    expect(page.get_by_text("speak for tulip")).to_be_visible()
    open_tab(page, "Models")
    expect(page.locator("#models .words").filter(has_text="Tulip").first).to_be_visible()
    expect(page.locator("#models .words").filter(has_text="Sunflower")).to_have_count(0)


def test_answer_of_the_former_model_is_never_shown(
    browser_page: Page, slow_server: Server, photos: tuple[Path, Path]
) -> None:
    page = browser_page
    page.goto(slow_server.url)
    upload(page, photos[1])
    expect(heading(page)).to_contain_text("Tulip", ignore_case=True)
    before = page.locator("#words .bars:not(.known)").inner_text()
    choose_model(page, "alexnet-baseline")
    expect(page.locator("#words:not(.stale) .bars")).not_to_have_text(before)
    expect(heading(page)).to_be_visible()


@pytest.mark.parametrize("name", ["IMG_0001.HEIC", "photo.heif", "photo.avif", "photo.mpo", "photo.tif", "photo"])
@pytest.mark.parametrize("way", ["choose", "drop"])
def test_photo_of_a_type_that_the_browser_does_not_know(
    browser_page: Page, server: Server, tmp_path: Path, name: str, way: str
) -> None:
    kinds = {".heic": "HEIF", ".heif": "HEIF", ".avif": "AVIF", ".mpo": "MPO", ".tif": "TIFF", "": "JPEG"}
    flower = Image.open(EXAMPLES / "sunflowers_1.webp").convert("RGB").resize((300, 300))
    content = encoded(flower, kinds[Path(name).suffix.lower()])
    page = browser_page
    page.goto(server.url)
    page.locator(".examples button").last.wait_for()
    if way == "choose":
        upload(page, {"name": name, "mimeType": "", "buffer": content})
    else:
        page.evaluate(DROP, [name, list(content)])
    expect(heading(page)).to_contain_text("Sunflower", ignore_case=True)
    page.wait_for_function("document.querySelector('.stage .picture').naturalWidth > 0")  # the server's, if need be
    expect(page.locator(".stage .picture")).to_be_visible()


def test_unknown_types_among_many_photos(browser_page: Page, server: Server) -> None:
    flower = Image.open(EXAMPLES / "sunflowers_1.webp").convert("RGB").resize((300, 300))
    files = [{"name": "IMG_0001.HEIC", "mimeType": "", "buffer": encoded(flower, "HEIF")}]
    page = browser_page
    page.goto(server.url)
    open_tab(page, "Many photos")
    page.locator("#files input[type=file]").set_input_files(files)  # type: ignore[arg-type]
    expect(page.locator("#photos").get_by_text(re.compile("Sunflower[,?] "))).to_be_visible()


def test_no_icon_shares_a_photo_with_another_host(server: Server) -> None:
    for component in httpx2.get(f"{server.url}/config").json()["components"]:
        assert "share" not in (component["props"].get("buttons") or []), json.dumps(component)[:300]
        assert component["props"].get("show_share_button") in (None, False)
