"""What a visit is like: the language that is chosen, the photo that a reload keeps, and what the page promises."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from page.translations import LANGUAGES, TEXTS
from tests.support import PROJECT
from tests.support.page import bars, choose_model, click_example, example, heading, open_tab, settle, upload
from tests.support.server import Server

EXAMPLES = PROJECT / "examples"


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Callable[..., Page]]:
    """Return a function that opens the page in a browser of its own."""
    contexts = []

    def open_page(path: str = "", **options: object) -> Page:
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options}))  # type: ignore[arg-type]
        page = contexts[-1].new_page()
        page.goto(f"{server.url}/{path}")
        page.locator(".examples button").last.wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()


def test_language_is_chosen_and_stays_for_answers_and_other_tabs(visit: Callable[..., Page]) -> None:
    page = visit(locale="en-US")
    expect(page.locator("#languages a")).to_have_count(len(LANGUAGES))
    expect(page.locator("#languages a[aria-current]")).to_have_text("English")
    page.get_by_role("link", name="Deutsch").click()
    page.wait_for_url("**lang=de*")
    expect(page.locator("#languages a[aria-current]")).to_have_text("Deutsch")
    click_example(page, "Rose")
    expect(heading(page)).to_contain_text("Rose.")
    expect(page.locator("#words .press")).to_have_text(TEXTS["de"]["press_bar"])
    open_tab(page, "Info")
    expect(page.locator("#about .lead")).to_contain_text("Gewichten")
    assert page.locator("footer").get_by_text("Settings").count() == 0


def test_unknown_language_is_the_visitors_own(visit: Callable[..., Page]) -> None:
    page = visit("?lang=xx", locale="fr-FR")
    expect(page.locator("#languages a[aria-current]")).to_have_text("Français")


def test_unknown_model_of_a_link_is_told(visit: Callable[..., Page]) -> None:
    page = visit("?model=no-such-model")
    expect(page.get_by_text("There is no model no-such-model here.")).to_be_visible()
    click_example(page, "Rose")
    expect(heading(page)).to_contain_text("Rose", ignore_case=True)


def test_reload_keeps_photo_and_tab_in_this_browser_alone(visit: Callable[..., Page]) -> None:
    page = visit()
    upload(page, EXAMPLES / "tulips_2.webp")
    expect(heading(page)).to_contain_text("tulip", ignore_case=True)
    open_tab(page, "Models")
    page.reload()
    expect(page.locator("#models .words").first).to_contain_text("Tulip", ignore_case=True)
    open_tab(page, "Photo")
    expect(heading(page)).to_contain_text("tulip", ignore_case=True)
    assert page.evaluate("localStorage.length") == 0
    other = visit()
    other.wait_for_timeout(1000)
    expect(other.locator(".drop")).to_be_visible()
    assert "until this tab is closed" in page.locator("#footer").inner_text()


def test_reload_keeps_the_square(visit: Callable[..., Page]) -> None:
    page = visit()
    click_example(page, "Rose")
    with page.expect_response(lambda response: "/look?" in response.url and "heat=1" in response.url):
        page.locator(".square").press("-")
        page.locator(".square").press("ArrowLeft")
    square, bars = page.locator(".square"), page.locator("#words .bars:not(.known)")
    style = "it => [it.style.left, it.style.top, it.style.width]"
    settle(page)
    placed, answer = square.evaluate(style), bars.inner_text()
    page.reload()
    expect(page.get_by_role("button", name="Middle again")).to_be_visible()
    expect(bars).to_have_text(answer, use_inner_text=True)
    assert square.evaluate(style) == pytest.approx(placed)
    upload(page, EXAMPLES / "tulips_2.webp")
    expect(heading(page)).to_contain_text("tulip", ignore_case=True)
    page.reload()
    expect(heading(page)).to_contain_text("tulip", ignore_case=True)
    expect(page.get_by_role("button", name="Middle again")).to_be_hidden()  # of another photo


def test_back_goes_to_the_tab_before_and_out_of_the_game(visit: Callable[..., Page]) -> None:
    page = visit()
    click_example(page, "Rose")
    open_tab(page, "Many photos")
    page.locator("#files input[type=file]").set_input_files([EXAMPLES / "roses_2.webp", EXAMPLES / "daisy_2.webp"])
    expect(page.locator("#photos figure")).to_have_count(2)
    page.locator("#photos figure button").first.click()
    expect(page.get_by_role("tab", name="Photo", exact=True)).to_have_attribute("aria-selected", "true")
    page.go_back()
    expect(page.locator("#photos figure")).to_have_count(2)
    expect(page.locator("#photos figure").first).to_be_visible()
    page.go_back()
    expect(page.locator(".stage")).to_be_visible()
    page.get_by_role("button", name="You or the network?").click()
    expect(page.locator("#game")).to_be_visible()
    page.go_back()
    expect(page.locator("#game")).to_be_hidden()
    expect(page.locator(".stage")).to_be_visible()
    page.go_forward()
    open_tab(page, "About")
    page.go_back()
    expect(page.locator(".stage")).to_be_visible()


def test_page_promises_what_the_model_can_do(visit: Callable[..., Page]) -> None:
    page = visit()
    expect(page.locator("#tagline")).to_contain_text("when it is none of them")
    choose_model(page, "alexnet-baseline")
    expect(page.locator("#tagline")).to_have_text("This model names one of the five in any photo.")
    expect(visit("?model=alexnet-baseline").locator("#tagline")).to_have_text(TEXTS["en"]["cannot_tell"])


def test_examples_do_not_tell_what_they_show_and_are_not_compared_with_themselves(visit: Callable[..., Page]) -> None:
    page = visit()
    told = page.locator(".examples").inner_text() + "".join(
        page.locator(".examples img").evaluate_all("all => all.map(it => it.alt)")
    )
    assert not any(name in told.lower() for name in ("daisy", "rose", "tulip", "sunflower", "dandelion", "none of"))
    click_example(page, "Rose")
    sources = page.locator(".references img").evaluate_all("all => all.map(it => it.src.split('/').pop())")
    assert "roses_1.webp" not in sources
    assert {"roses_2.webp", "roses_3.webp"} <= set(sources)
    expect(example(page, "Rose")).to_be_visible()


def test_saved_card_is_a_picture_of_photo_bars_and_address(visit: Callable[..., Page]) -> None:
    page = visit()
    click_example(page, "Sunflower")
    page.evaluate(
        "() => { const write = CanvasRenderingContext2D.prototype.fillText; window.written = [];"
        "CanvasRenderingContext2D.prototype.fillText ="
        " function (...it) { written.push(it[0]); write.apply(this, it); } }"
    )
    with page.expect_download() as download:
        page.get_by_role("button", name="Save").click()
    assert download.value.suggested_filename == "sunflowers.jpg"
    written = page.evaluate("written")
    assert "sunflower" in written[0].lower()
    assert bars(page).first.locator(".p").inner_text() in written
    assert "127.0.0.1" in written[-1]
    assert "20" in written[-1]  # the year


def test_texts_and_buttons_fit_every_width(visit: Callable[..., Page]) -> None:
    for width in (320, 390, 820, 1024, 2560):
        for language in ("es", "de"):
            page = visit(viewport={"width": width, "height": 800}, locale=language)
            click_example(page, "Tulip")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            tabs = page.get_by_role("tablist").first.bounding_box()
            assert tabs is not None
            assert tabs["x"] + tabs["width"] <= width
            words = page.locator(".ref p").first.bounding_box()
            assert words is not None
            assert words["width"] > 120


def test_answer_is_beside_the_photo_at_200_percent(visit: Callable[..., Page]) -> None:
    page = visit(viewport={"width": 640, "height": 400})
    click_example(page, "Tulip")
    page.locator(".columns").scroll_into_view_if_needed()
    photo, answer = page.locator(".stage").bounding_box(), heading(page).bounding_box()
    assert photo is not None
    assert answer is not None
    assert answer["x"] > photo["x"] + photo["width"]


def test_bars_stay_with_forced_colors(browser: Browser, server: Server) -> None:
    context = browser.new_context(forced_colors="active")
    page = context.new_page()
    page.goto(server.url)
    click_example(page, "Tulip")
    color = page.locator("#words button.bar i").first.evaluate("it => getComputedStyle(it).backgroundColor")
    assert color == "rgb(142, 60, 196)"
    context.close()


def test_portrait_photo_takes_its_own_shape(visit: Callable[..., Page]) -> None:
    page = visit(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    with Image.open(EXAMPLES / "roses_1.webp") as photo:
        tall = photo.convert("RGB").resize((600, 800))
    content = io.BytesIO()
    tall.save(content, "JPEG")
    upload(page, {"name": "tall.jpg", "mimeType": "image/jpeg", "buffer": content.getvalue()})
    expect(page.locator("#words:not(.stale) .panel[data-label]")).to_be_visible()
    frame = page.locator(".stage figure").bounding_box()
    assert frame is not None
    assert frame["height"] / frame["width"] == pytest.approx(4 / 3, rel=0.02)
    assert frame["height"] > 300
    assert page.locator(".stage .pill:visible").first.bounding_box()["height"] >= 44  # type: ignore[index]
