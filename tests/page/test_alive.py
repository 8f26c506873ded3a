"""The page is asked all the time: the square on the photo, the camera, and the quick look that serves both."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Request, Route, expect

from flower_alexnet import LABELS, FlowerClassifier
from flower_alexnet.dataset import split
from page.look import MAX_LOOK
from tests.flower_alexnet import test_formats as formats
from tests.flower_alexnet import test_hostile_files as hostile
from tests.support import PROJECT
from tests.support.browser import CHROMIUM, CHROMIUM_OPTIONS
from tests.support.page import bars, click_example, heading, look, open_tab, upload, wait_until
from tests.support.photos import encoded
from tests.support.server import Server

ROSE = PROJECT / "examples" / "roses_1.webp"


@pytest.fixture(scope="module")
def filming(browser: Browser) -> Iterator[Browser]:
    """Start Chromium with a camera that films a drawing."""
    arguments = [*CHROMIUM_OPTIONS, "--use-fake-device-for-media-stream"]
    filming = browser.browser_type.launch(executable_path=str(CHROMIUM), args=arguments)
    yield filming
    filming.close()


@pytest.fixture
def looks(browser_page: Page) -> list[dict[str, Any]]:
    """Return the quick looks that the page asks for, with their answers once they are there."""
    answered: list[dict[str, Any]] = []

    def keep(response: Any) -> None:
        if "/look?" in response.url:
            answered.append({"url": response.url, "status": response.status, "answer": response})

    browser_page.on("response", keep)
    return answered


def square(page: Page) -> Locator:
    return page.locator(".stage .square")


def drag(page: Page, right: float, down: float, steps: int = 10) -> None:
    """Drag the square by its middle, as slowly as a hand does."""
    box = square(page).bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, steps + 1):
        page.mouse.move(x + right * step / steps, y + down * step / steps)
        page.wait_for_timeout(30)
    page.mouse.up()


def two_flowers(file: Path) -> Path:
    """Write a wide picture of a rose at its left and a sunflower at its right."""
    picture = Image.new("RGB", (900, 300), "#3a5a30")
    for left, name in ((0, "roses_1"), (600, "sunflowers_1")):
        with Image.open(PROJECT / "examples" / f"{name}.webp") as photo:
            picture.paste(photo.convert("RGB").resize((300, 300)), (left, 0))
    picture.save(file)
    return file


def test_square_is_dragged_and_the_answer_follows(
    browser_page: Page, server: Server, looks: list[dict[str, Any]], tmp_path: Path
) -> None:
    page = browser_page
    page.goto(server.url)
    upload(page, two_flowers(tmp_path / "two.png"))
    expect(square(page)).to_be_visible()
    assert looks == []
    drag(page, -200, 0)
    expect(heading(page)).to_contain_text("rose", ignore_case=True)
    assert any("heat=1" not in it["url"] for it in looks)  # while it moved
    drag(page, 400, 0)
    expect(heading(page)).to_contain_text("sunflower", ignore_case=True)
    page.locator(".stage .middle").click()
    expect(page.locator(".stage .middle")).to_be_hidden()
    wait_until(page, lambda: "heat=1" in looks[-1]["url"])


def test_square_by_keyboard_wheel_and_corner(browser_page: Page, server: Server) -> None:
    page = browser_page
    page.goto(server.url)
    click_example(page, "Tulip")

    def box() -> dict[str, Any]:
        found = square(page).bounding_box()
        assert found is not None
        return {**found}

    whole = box()
    page.mouse.move(whole["x"] + 50, whole["y"] + 50)
    page.mouse.wheel(0, -200)
    assert box() == pytest.approx(whole, abs=0.5) or box()["width"] == pytest.approx(whole["width"])  # it scrolls
    square(page).focus()
    for _ in range(3):
        page.keyboard.press("-")
    smaller = box()
    assert smaller["width"] < 0.85 * whole["width"]
    page.keyboard.press("ArrowRight")
    assert box()["x"] > smaller["x"]
    page.mouse.wheel(0, 200)
    assert box()["width"] > smaller["width"]
    page.keyboard.press("Escape")
    assert box()["width"] == pytest.approx(whole["width"], abs=0.5)
    page.mouse.move(whole["x"] + whole["width"] - 8, whole["y"] + whole["height"] - 8)
    page.mouse.down()
    page.mouse.move(whole["x"] + whole["width"] - 108, whole["y"] + whole["height"] - 108)
    page.mouse.up()
    assert box()["width"] == pytest.approx(whole["width"] - 100, abs=3)


def test_only_the_newest_question_counts(browser_page: Page, server: Server, tmp_path: Path) -> None:
    """While one look is on its way, however slow, no other is sent; then the last place alone is asked about."""
    page, held, sent = browser_page, list[Route](), list[str]()

    def hold(route: Route) -> None:
        sent.append(route.request.url)
        held.append(route) if not held else route.continue_()

    page.goto(server.url)
    upload(page, two_flowers(tmp_path / "two.png"))
    expect(square(page)).to_be_visible()
    page.route("**/look?*", hold)
    drag(page, -200, 0)
    page.wait_for_timeout(500)
    assert len(sent) == 1
    held[0].continue_()
    expect(heading(page)).to_contain_text("rose", ignore_case=True)
    assert len(sent) <= 3


def test_heat_comes_with_the_look_and_follows_the_square(
    browser_page: Page, server: Server, looks: list[dict[str, Any]]
) -> None:
    page = browser_page
    page.goto(server.url)
    click_example(page, "Sunflower")
    expect(page.locator(".stage .heat")).to_be_hidden()
    look(page)
    assert len(looks) == 1
    for bar in bars(page).all():
        bar.click()
        expect(page.locator(".stage .looked")).to_contain_text(bar.locator(".n").inner_text(), ignore_case=True)
    assert len(looks) == 1
    grids = looks[0]["answer"].json()["heat"]
    assert list(grids) == list(dict(looks[0]["answer"].json()["probabilities"])) or len(grids) == 5
    highest = {label: max(map(max, heat["grid"])) for label, heat in grids.items()}
    assert highest["sunflowers"] == 255
    least = min(looks[0]["answer"].json()["probabilities"].items(), key=lambda item: item[1])
    assert highest[least[0]] < 64  # one scale: what is improbable does not shine
    first = page.locator(".stage .heat").bounding_box()
    square(page).focus()
    for _ in range(4):
        page.keyboard.press("-")
    wait_until(page, lambda: len(looks) > 2)
    assert page.locator(".stage .heat").bounding_box() != first
    expect(page.locator(".stage .heat")).to_be_visible()


def test_answer_to_a_still_photo_is_that_of_the_photo(
    browser_page: Page, server: Server, looks: list[dict[str, Any]], real_photos: Path
) -> None:
    """A look at rest differs by less than 0.02 in any probability: nothing is lost on its way."""
    page, classifier = browser_page, FlowerClassifier.from_pretrained("alexnet")
    page.goto(server.url)
    photos = [photo.path for photo in split(real_photos)["test"][::40]]
    others = sorted((real_photos.parent / "elsewhere" / "validation").rglob("*.jp*g"))
    for photo in [*photos, *others[::20]]:
        before = len(looks)
        upload(page, photo)
        expect(page.locator("#words:not(.stale) .panel[data-label]")).to_be_visible()
        page.wait_for_function("!document.querySelector('.stage .square').hidden")
        page.evaluate("document.querySelector('.stage .where').click()")
        wait_until(page, lambda before=before: len(looks) > before)  # type: ignore[misc]
        told, expected = looks[-1]["answer"].json(), classifier(photo)
        probabilities = {**expected.probabilities, "known": expected.in_distribution_probability or 0.0}
        looked = {**told["probabilities"], "known": told["in_distribution_probability"]}
        difference = max(abs(looked[label] - probabilities[label]) for label in [*LABELS, "known"])
        assert difference < 0.02, photo


def test_camera_answers_and_its_picture_is_held(filming: Browser, server: Server) -> None:
    context = filming.new_context(permissions=["camera"])
    page, sizes = context.new_page(), list[int]()
    page.goto(server.url)

    def measure(request: Request) -> None:
        if "/look?" in request.url:
            sizes.append(request.sizes()["requestBodySize"])

    page.on("requestfinished", measure)
    page.locator(".drop .film").click()
    expect(page.locator(".stage .video")).to_be_visible()
    wait_until(page, lambda: len(sizes) >= 12)
    assert max(sizes) < 30_000
    expect(page.locator("#words .panel .bars.known")).to_be_visible()
    page.locator(".stage .where").click()
    expect(page.locator(".stage .heat")).to_be_visible()
    page.get_by_role("button", name="Hold").click()
    expect(page.locator(".stage .video")).to_be_hidden()
    expect(page.locator("#words:not(.stale) .panel[data-key*='camera']")).to_be_visible()
    assert page.evaluate("document.querySelector('.stage .picture').naturalWidth") > 200
    page.wait_for_timeout(300)
    sizes.clear()
    page.wait_for_timeout(500)
    assert sizes == []  # it films no more
    context.close()


@pytest.mark.parametrize("how", ["tab", "button", "photo"])
def test_camera_stops_when_nobody_looks(filming: Browser, server: Server, how: str) -> None:
    context = filming.new_context(permissions=["camera"])
    page = context.new_page()
    page.add_init_script(
        "const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);"
        "navigator.mediaDevices.getUserMedia = async (it) => window.stream = await ask(it);"
    )
    page.goto(server.url)
    page.locator(".drop .film").click()
    expect(page.locator("#words .panel .bars.known")).to_be_visible()
    assert page.evaluate("stream.active")
    if how == "tab":
        open_tab(page, "About")
    elif how == "button":
        page.get_by_role("button", name="Stop camera").click()
        expect(page.locator(".drop")).to_be_visible()
        expect(heading(page)).to_contain_text("Daisy, dandelion, rose")
    else:
        upload(page, ROSE)
        expect(heading(page)).to_contain_text("Rose", ignore_case=True)
    page.wait_for_function("!stream.active")
    context.close()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("throw new DOMException('', 'NotAllowedError')", "was not allowed"),
        ("throw new DOMException('', 'NotFoundError')", "no camera here"),
        ("throw new DOMException('', 'NotReadableError')", "Another program may be using it"),
    ],
)
def test_camera_that_cannot_be_used_is_told_in_words(filming: Browser, server: Server, script: str, words: str) -> None:
    page = filming.new_page()
    page.add_init_script(f"navigator.mediaDevices.getUserMedia = async () => {{ {script}; }};")
    page.goto(server.url)
    page.locator(".drop .film").click()
    expect(page.locator(".stage .trouble")).to_contain_text(words)
    upload(page, ROSE)
    expect(page.locator(".stage .trouble")).to_be_hidden()
    expect(heading(page)).to_contain_text("Rose", ignore_case=True)
    page.close()


def test_camera_needs_https_and_a_camera(filming: Browser, server: Server) -> None:
    page = filming.new_page()
    page.add_init_script("Object.defineProperty(navigator, 'mediaDevices', {value: undefined});")
    page.goto(server.url)
    page.locator(".drop .film").click()
    expect(page.locator(".stage .trouble")).to_contain_text("over https alone")
    page.close()
    page = filming.new_page()
    page.add_init_script("navigator.mediaDevices.enumerateDevices = async () => [];")
    page.goto(server.url)
    page.locator(".drop label").first.wait_for()
    expect(page.locator(".drop .film")).to_be_hidden()
    page.close()


def test_look_refuses_what_is_no_picture_or_too_large(server: Server) -> None:
    def ask(content: bytes, query: str = "model=alexnet") -> httpx2.Response:
        return httpx2.post(f"{server.url}/look?{query}", content=content)

    assert ask(b"").status_code == 422
    assert "picture" in ask(b"<svg/>").json()["error"]
    assert ask(b"x" * (MAX_LOOK + 1)).status_code == 413
    picture = encoded(Image.open(ROSE).convert("RGB").resize((256, 256)), "WEBP")
    told = ask(picture, "model=no-such&heat=1").json()
    assert told["verdict"] in ("certain", "conditional", "none")
    assert sum(told["probabilities"].values()) == pytest.approx(1)
    (rows,) = {len(heat["grid"]) for heat in told["heat"].values()}
    assert rows == 13
    assert "heat" not in ask(picture).json()
    assert httpx2.get(f"{server.url}/look").status_code == 405
    assert json.loads(ask(picture, "model=alexnet-baseline").content)["in_distribution_probability"] in (None, 1.0)


def test_look_writes_and_keeps_nothing(server: Server) -> None:
    def files() -> set[Path]:
        return {path for path in server.folder.rglob("*") if path.is_file()}

    before, content = files(), io.BytesIO()
    Image.open(ROSE).convert("RGB").resize((224, 224)).save(content, "PNG")
    assert httpx2.post(f"{server.url}/look?model=alexnet", content=content.getvalue()).status_code == 200
    assert files() <= before | {server.log}


def test_hostile_pictures_are_refused_in_words(server: Server, new_log: Callable[[], str]) -> None:
    for name, make in {**formats.HOSTILE, **hostile.FILES}.items():
        content = make()
        answer = httpx2.post(f"{server.url}/look?model=alexnet&heat=1", content=content, timeout=60)
        assert answer.status_code == 413 if len(content) > MAX_LOOK else answer.status_code in (200, 422), name
        if answer.status_code != 200:
            assert answer.json()["error"], name
    assert "Traceback" not in new_log()


def test_too_many_looks_are_told_to_wait(server: Server) -> None:
    """The page asks again a second later: who is too many is slowed."""
    picture = encoded(Image.open(ROSE).convert("RGB").resize((256, 256)), "WEBP")

    def ask(_: int) -> int:
        return httpx2.post(f"{server.url}/look?model=alexnet", content=picture, timeout=60).status_code

    with ThreadPoolExecutor(90) as visitors:
        statuses = Counter(visitors.map(ask, range(180)))
    assert set(statuses) <= {200, 503}
    assert statuses[200] >= 65
