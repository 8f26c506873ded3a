"""The page with the shipped models in a real browser: every step a visitor takes, and no error or foreign host."""

from __future__ import annotations

import csv
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from flower_alexnet import LABELS, registry
from tests.screenshots import answered
from tests.support.photos import PROJECT
from tests.support.server import Server

EXAMPLES = PROJECT / "examples"
MODELS = [model.name for model in registry.shipped_models()]

PASTE = """async ([bytes, target]) => {
    const file = new File([Uint8Array.from(bytes)], 'tulips.webp', {type: 'image/webp'});
    const transfer = new DataTransfer();
    transfer.items.add(file);
    if (target) {
        document.querySelector(target).dispatchEvent(new DragEvent('drop', {dataTransfer: transfer, bubbles: true}));
    } else {
        navigator.clipboard.read = async () => [{types: ['image/webp'], getType: async () => file}];
    }
}"""


@pytest.fixture
def visit(browser: Browser, server: Server, new_log: Callable[[], str]) -> Iterator[Callable[..., Page]]:
    """Return a function that opens the page; fail if the page logs an error or sends a request to another host."""
    problems: list[str] = []
    pages: list[Page] = []

    def visit(address: str = "/", width: int = 1280, height: int = 800, **visitor: str) -> Page:
        context = browser.new_context(
            base_url=server.url,
            viewport={"width": width, "height": height},
            **visitor,  # type: ignore[arg-type]
        )
        page = context.new_page()
        pages.append(page)
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: note_host(request.url))
        page.goto(address)
        page.locator("#examples .gallery-item[aria-label]").first.wait_for()  # the last thing to be ready
        return page

    def note_host(url: str) -> None:
        if not url.startswith((server.url, "data:", "blob:")):
            problems.append(f"request to {url}")

    yield visit
    for page in pages:
        page.context.close()
    assert problems == []
    assert "Traceback" not in new_log()


def bars(page: Page) -> Locator:
    return page.locator("[data-testid$='-confidence-set']")


def upload(page: Page, file: Path) -> None:
    page.locator("input[type=file]").first.set_input_files(file)


def choose_model(page: Page, name: str) -> None:
    page.get_by_label("Model", exact=True).click()
    page.get_by_role("option", name=f"{name} (").click()


def test_photo_is_classified_as_soon_as_it_is_there(visit: Callable[..., Page]) -> None:
    page = visit()
    expect(bars(page)).to_have_count(0)
    upload(page, EXAMPLES / "tulips.webp")
    expect(page.get_by_role("heading", name="Tulip, ")).to_be_visible()
    expect(bars(page)).to_have_count(len(LABELS))
    page.get_by_role("button", name="Classify", exact=True).click()
    expect(page.get_by_role("heading", name="Tulip, ")).to_be_visible()
    page.get_by_label("Remove Image").click()
    expect(bars(page)).to_have_count(0)
    expect(page.get_by_text("Drop a photo")).to_be_visible()


def test_photo_may_be_dropped_or_pasted(visit: Callable[..., Page]) -> None:
    content = list((EXAMPLES / "tulips.webp").read_bytes())
    page = visit()
    page.evaluate(PASTE, [content, "button[aria-dropeffect='copy']"])
    expect(page.get_by_role("heading", name="Tulip, ")).to_be_visible()
    page = visit()
    page.evaluate(PASTE, [content, None])
    page.get_by_label("Paste from clipboard").click()
    expect(page.get_by_role("heading", name="Tulip, ")).to_be_visible()


def test_photo_may_be_taken(visit: Callable[..., Page]) -> None:
    page = visit()
    page.get_by_label("Capture from camera").click()
    page.get_by_role("button", name="Click to Access Webcam").click()
    page.wait_for_function("document.querySelector('video').currentTime > 0")
    page.get_by_label("capture photo").click()
    expect(bars(page)).to_have_count(len(LABELS))
    expect(page.locator("#words h2")).to_be_visible()


def test_examples_are_named_and_classified_when_clicked(visit: Callable[..., Page]) -> None:
    page = visit()
    for name in ("daisy", "dandelion", "rose", "sunflower", "tulip"):
        page.get_by_role("button", name=name, exact=True).click()
        expect(page.get_by_role("heading", name=f"{name.capitalize()}, ")).to_be_visible()


def test_chosen_model_answers_and_a_link_restores_it(visit: Callable[..., Page]) -> None:
    page = visit()
    answered(page, "daisy")
    before = bars(page).all_inner_texts()
    choose_model(page, MODELS[-1])
    page.wait_for_url(f"**model={MODELS[-1]}")
    expect(bars(page).first).not_to_have_text(before[0])
    page.get_by_role("tab", name="About the model").click()
    expect(page.get_by_role("heading", name=MODELS[-1])).to_be_visible()
    card = page.get_by_role("link", name="Its card").get_attribute("href")
    assert f"# {MODELS[-1]}" in page.request.get(card or "").text()

    page = visit(f"/?model={MODELS[-1]}")
    expect(page.get_by_label("Model", exact=True)).to_have_value(re.compile(f"^{MODELS[-1]} "))
    page = visit("/?model=../../etc")
    expect(page.get_by_label("Model", exact=True)).to_have_value(re.compile(f"^{MODELS[0]} "))


def test_where_it_looked_for_any_label(visit: Callable[..., Page]) -> None:
    page = visit()
    answered(page, "daisy")
    page.get_by_role("button", name="Where did it look?").click()
    slider = page.locator("[data-testid=imageslider], .slider-wrap").first
    overlay = page.locator("img[src*='/file='][alt]").last
    expect(page.get_by_text("Drag the line")).to_be_visible()
    expect(slider).to_be_visible()
    before = overlay.get_attribute("src")
    page.get_by_label("What speaks for").click()
    page.get_by_role("option", name="tulip").click()
    expect(overlay).not_to_have_attribute("src", before or "")
    page.get_by_role("button", name="rose", exact=True).click()  # another photo: the old explanation is hidden
    expect(page.get_by_text("Drag the line")).to_be_hidden()


def test_all_models_side_by_side(visit: Callable[..., Page]) -> None:
    page = visit()
    answered(page, "sunflower")
    page.get_by_role("tab", name="All models").click()
    for model in MODELS:
        expect(page.get_by_role("gridcell", name=model, exact=True)).to_be_visible()
    expect(page.get_by_role("gridcell", name="Sunflower, ")).to_have_count(len(MODELS))
    expect(page.get_by_role("img").filter(has_text=MODELS[0])).to_be_visible()  # the chart
    page.get_by_role("button", name="tulip", exact=True).click()  # another photo: the old answers are removed
    expect(page.get_by_role("gridcell", name="Sunflower, ")).to_have_count(0)
    page.get_by_role("button", name="Ask all models").click()
    expect(page.get_by_role("gridcell", name=MODELS[0], exact=True)).to_be_visible()


def test_many_photos_one_of_them_bad(visit: Callable[..., Page], tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_text("not a picture")
    with zipfile.ZipFile(tmp_path / "three.zip", "w") as archive:
        for label in LABELS[:3]:
            archive.write(EXAMPLES / f"{label}.webp", f"{label}.webp")
    page = visit()
    page.get_by_role("tab", name="Many photos").click()
    files = [EXAMPLES / "tulips.webp", tmp_path / "bad.png", tmp_path / "three.zip"]
    page.locator("input[type=file][multiple]").set_input_files(files)
    page.get_by_role("button", name="Classify all").click()
    expect(page.get_by_text("5 of 5 photos")).to_be_visible()
    expect(page.get_by_role("gridcell", name="bad.png is not a picture of a known format")).to_be_visible()
    expect(page.locator(".grid-container img")).to_have_count(4)
    expect(page.get_by_text(re.compile("Daisy, .+ · daisy.webp")).first).to_be_attached()
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/many.png", full_page=True)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    with Path(download.value.path()).open(newline="", encoding="utf-8-sig") as file:
        lines = list(csv.DictReader(file))
    assert [line["label"] for line in lines] == ["tulips", "", *LABELS[:3]]
    assert float(lines[0]["probability"]) == float(lines[0]["tulips"]) > 0.5
    assert "not a picture" in lines[1]["problem"]


def test_many_photos_can_be_cancelled(visit: Callable[..., Page], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(400):
            archive.write(EXAMPLES / "daisy.webp", f"{number}.webp")
    page = visit()
    page.get_by_role("tab", name="Many photos").click()
    page.locator("input[type=file][multiple]").set_input_files(tmp_path / "many.zip")
    page.get_by_role("button", name="Classify all").click()
    expect(page.get_by_text(" of 400 photos")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled.")).to_be_visible()
    page.wait_for_timeout(3000)
    expect(page.get_by_text("400 of 400 photos")).to_be_hidden()


def test_unreadable_file_shows_the_reason(visit: Callable[..., Page], tmp_path: Path) -> None:
    (tmp_path / "note.png").write_text("not a picture")
    page = visit()
    upload(page, tmp_path / "note.png")
    expect(page.get_by_text("note.png is not a picture of a known format")).to_be_visible()
    expect(bars(page)).to_have_count(0)


@pytest.mark.parametrize(
    ("language", "words", "button"),
    [("zh-CN", "向日葵，", "识别"), ("de-DE", "Sonnenblume, ", "Bestimmen"), ("es-MX", "Girasol, ", "Clasificar")],
)
def test_page_speaks_the_language_of_the_browser(
    visit: Callable[..., Page], language: str, words: str, button: str, tmp_path: Path
) -> None:
    page = visit(locale=language)
    upload(page, EXAMPLES / "sunflowers.webp")
    expect(page.get_by_role("heading", name=words)).to_be_visible()
    expect(page.get_by_role("button", name=button, exact=True)).to_be_visible()
    (tmp_path / "note.png").write_text("not a picture")
    upload(page, tmp_path / "note.png")
    expect(page.get_by_text("JPEG, PNG" if language != "zh-CN" else "JPEG、PNG").first).to_be_visible()


def test_page_fits_a_phone(visit: Callable[..., Page]) -> None:
    page = visit(width=390, height=844)
    page.get_by_role("button", name="daisy", exact=True).click()
    expect(page.get_by_role("heading", name="Daisy, ")).to_be_in_viewport()
    for tab in ("All models", "Many photos", "About the model", "Answer"):
        if page.get_by_role("tab", name=tab).is_visible():
            page.get_by_role("tab", name=tab).click()
        else:
            page.get_by_label("More tabs").click()
            page.locator(".overflow-dropdown").get_by_text(tab).click()
        page.wait_for_timeout(1000)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, tab


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_can_be_used_by_everybody(visit: Callable[..., Page], scheme: str) -> None:
    page = visit(color_scheme=scheme)
    answered(page, "daisy")
    page.get_by_role("button", name="Where did it look?").click()
    expect(page.get_by_text("Drag the line")).to_be_visible()
    for tab in ("Answer", "All models", "Many photos", "About the model"):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(2000)
        violations = Axe().run(page).response["violations"]
        serious = [v for v in violations if v["impact"] in ("serious", "critical")]
        assert serious == [], (tab, [(v["id"], [node["html"] for node in v["nodes"]]) for v in serious])


def test_page_can_be_used_by_keyboard(visit: Callable[..., Page]) -> None:
    page = visit()
    page.get_by_role("button", name="tulip", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Tulip, ")).to_be_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Model"
