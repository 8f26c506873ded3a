"""What the page does with photos: any file is judged by its contents, and no answer outlives its photo."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.support.photos import PROJECT, encoded
from tests.support.server import Server, serve

EXAMPLES = PROJECT / "examples"

SLOW = """
import time
import app
from flower_alexnet.page import answers

def slowly(function):
    def slow(photo, *rest):
        result = function(photo, *rest)
        if "slow" in photo["path"]:
            time.sleep(3)
        return result
    return slow

for name in ("predict", "explain", "compare_models"):
    setattr(answers, name, slowly(getattr(answers, name)))
app.launch()
"""
"""The page, in which a photo named slow takes three seconds longer."""

DROP = """([name, bytes]) => {
  const files = new DataTransfer();
  files.items.add(new File([new Uint8Array(bytes)], name));  // of a type that the browser does not know
  const target = document.querySelector("#photo button, #photo [role=button]");
  target.dispatchEvent(new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: files}));
}"""


@pytest.fixture(scope="module")
def slow_server() -> Iterator[Server]:
    with serve("-c", SLOW) as served:
        yield served


@pytest.fixture
def photos(tmp_path: Path) -> tuple[Path, Path]:
    """Return a sunflower that is slow, and a tulip."""
    for name, example in (("slow.webp", "sunflowers.webp"), ("quick.webp", "tulips.webp")):
        (tmp_path / name).write_bytes((EXAMPLES / example).read_bytes())
    return tmp_path / "slow.webp", tmp_path / "quick.webp"


def choose(page: Page, file: Path) -> None:
    page.locator("#photo input[type=file]").set_input_files(str(file))


def test_answer_of_the_former_photo_is_never_shown(
    browser_page: Page, slow_server: Server, photos: tuple[Path, Path]
) -> None:
    page, (slow, quick) = browser_page, photos
    page.goto(slow_server.url)
    words = page.locator("#words h2")
    choose(page, slow)
    page.wait_for_timeout(700)
    choose(page, quick)
    shown = set()
    for _ in range(80):  # eight seconds: both have been answered
        shown |= {text for text in words.filter(visible=True).all_inner_texts() if text}
        page.wait_for_timeout(100)
    assert [text.partition(",")[0] for text in shown] == ["Tulip"]


@pytest.mark.parametrize(
    ("tab", "button", "element"),
    [
        ("Answer", "Where did it look?", "#explanation"),
        ("All models", "Ask all models", "#comparison"),
    ],
)
def test_heat_and_chart_of_the_former_photo_are_never_shown(
    browser_page: Page, slow_server: Server, photos: tuple[Path, Path], tab: str, button: str, element: str
) -> None:
    page, (slow, quick) = browser_page, photos
    page.goto(slow_server.url)
    choose(page, slow)
    expect(page.locator("#words h2")).to_contain_text("Sunflower")
    page.get_by_role("tab", name=tab).click()
    if tab == "Answer":
        page.get_by_role("button", name=button).click()
    page.wait_for_timeout(700)
    choose(page, quick)
    for _ in range(60):
        expect(page.locator(element)).to_be_hidden(timeout=100)
        page.wait_for_timeout(100)
    page.get_by_role("button", name=button).click()
    expect(page.locator(element)).to_be_visible()


def test_answer_of_the_former_model_is_never_shown(
    browser_page: Page, slow_server: Server, photos: tuple[Path, Path]
) -> None:
    page = browser_page
    page.goto(slow_server.url)
    choose(page, photos[1])
    expect(page.locator("#words h2")).to_be_visible()
    page.get_by_label("Model").click()
    page.get_by_role("option", name="alexnet-baseline").click()
    expect(page.locator("#words h2")).to_be_visible()
    baseline = httpx.post(f"{slow_server.url}/gradio_api/call/classify", json={"data": []})  # the server is idle
    assert baseline.is_success
    page.get_by_role("button", name="Where did it look?").click()
    expect(page.locator("#explanation")).to_be_visible()
    page.get_by_label("Model").click()
    page.get_by_role("option", name="alexnet-bn").click()
    expect(page.locator("#explanation")).to_be_hidden()


@pytest.mark.parametrize("name", ["IMG_0001.HEIC", "photo.heif", "photo.avif", "photo.mpo", "photo.tif", "photo"])
@pytest.mark.parametrize("way", ["choose", "drop"])
def test_photo_of_a_type_that_the_browser_does_not_know(
    browser_page: Page, server: Server, tmp_path: Path, name: str, way: str
) -> None:
    kinds = {".heic": "HEIF", ".heif": "HEIF", ".avif": "AVIF", ".mpo": "MPO", ".tif": "TIFF", "": "JPEG"}
    flower = Image.open(EXAMPLES / "sunflowers.webp").convert("RGB").resize((300, 300))
    content = encoded(flower, kinds[Path(name).suffix.lower()])
    page = browser_page
    page.goto(server.url)
    page.locator("#examples .gallery-item[aria-label]").first.wait_for()
    if way == "choose":
        file = {"name": name, "mimeType": "", "buffer": content}
        page.locator("#photo input[type=file]").set_input_files(file)  # type: ignore[arg-type]
    else:
        page.evaluate(DROP, [name, list(content)])
    expect(page.locator("#words h2")).to_contain_text("Sunflower")
    expect(page.get_by_text("Only image")).to_have_count(0)


def test_unknown_types_among_many_photos(browser_page: Page, server: Server) -> None:
    flower = Image.open(EXAMPLES / "sunflowers.webp").convert("RGB").resize((300, 300))
    files = [{"name": "IMG_0001.HEIC", "mimeType": "", "buffer": encoded(flower, "HEIF")}]
    page = browser_page
    page.goto(server.url)
    page.get_by_role("tab", name="Many photos").click()
    page.locator("input[type=file][multiple]").set_input_files(files)  # type: ignore[arg-type]
    page.get_by_role("button", name="Classify all").click()
    expect(page.get_by_role("gridcell", name="Sunflower")).to_be_visible()


def test_no_icon_shares_a_photo_with_another_host(server: Server) -> None:
    for component in httpx.get(f"{server.url}/config").json()["components"]:
        assert "share" not in (component["props"].get("buttons") or []), json.dumps(component)[:300]
        assert component["props"].get("show_share_button") in (None, False)
