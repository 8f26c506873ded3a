"""The page kept open: photos that were deleted, a server that restarts, a line that is gone, and what is on its way."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import psutil
import pytest
from PIL import ExifTags, Image
from playwright.sync_api import Browser, Page, Route, expect

from tests.support import PROJECT
from tests.support.page import bars, choose_model, click_example, example, heading, look, open_tab, upload
from tests.support.pages import start_page
from tests.support.server import STARTS_WITHIN, Server, free_port, is_running, serve

MODEL = "alexnet-baseline"


class Restartable:
    """A page that may be stopped and started at the same address."""

    def __init__(self, folder: Path) -> None:
        self.port, self.folder = free_port(), folder
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: psutil.Process | None = None

    def start(self) -> None:
        variables = {**os.environ, "GRADIO_SERVER_PORT": str(self.port), "TMPDIR": str(self.folder)}
        self.process = start_page(["app.py"], variables, Path(os.devnull))
        end = time.monotonic() + STARTS_WITHIN
        with httpx2.Client() as client:  # each client reads all certificates
            while time.monotonic() < end and is_running(self.process):
                with suppress(httpx2.HTTPError):
                    if client.get(self.url).is_success:
                        return
                time.sleep(0.1)
        raise RuntimeError(f"{self.url} does not answer")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None


@contextmanager
def opened(browser: Browser, url: str) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(60_000)
    page.goto(url)
    page.locator(".examples button").last.wait_for()
    yield page
    page.close()


def delete_uploads(server: Server) -> None:
    """Do what the hourly deletion does to all photos."""
    (folder,) = server.folder.glob("flower_alexnet-*")
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)


@pytest.mark.parametrize("then", ["model", "same photo", "bar", "tab"])
def test_deleted_photo_is_sent_again_unseen(browser: Browser, then: str) -> None:
    with serve("app.py", forked=True) as server, opened(browser, server.url) as page:
        click_example(page, "Rose")
        before = heading(page).inner_text()
        delete_uploads(server)
        if then == "model":
            choose_model(page, MODEL)
            expect(page.locator("#words:not(.stale) .panel[data-label]")).to_be_visible()
            expect(bars(page)).to_have_count(5)
        elif then == "same photo":
            example(page, "Rose").click()
            expect(page.locator("#words:not(.stale) h2")).to_have_text(re.compile(re.escape(before.split()[0])))
        elif then == "bar":
            page.locator(".stage .where").click()
            bars(page).last.click()
            expect(page.locator("#words .bar.asked")).to_have_attribute(
                "data-label", bars(page).last.get_attribute("data-label") or ""
            )
        else:
            open_tab(page, "Models")
            expect(page.locator("#models article .bars")).to_have_count(3)
        assert "no picture" not in page.locator("body").inner_text().lower()
        assert "Traceback" not in server.log.read_text()


def test_restarted_server_is_found_again(browser: Browser, tmp_path: Path) -> None:
    server = Restartable(tmp_path)
    server.start()
    try:
        with opened(browser, server.url) as page:
            page.evaluate("window.stillTheSamePage = true")
            click_example(page, "Rose")
            server.stop()
            choose_model(page, MODEL)
            expect(page.locator("#lost")).to_be_visible()
            expect(page.locator("#lost")).to_contain_text("No connection to the server.")
            expect(page.locator("#words .panel[data-label]")).to_have_count(0)  # no old answer under a new model
            server.start()
            expect(page.locator("#lost")).to_have_count(0)
            expect(page.locator("#words:not(.stale) .panel[data-label=roses]")).to_be_visible()
            server.stop()
            server.start()
            bars(page).last.click()  # the photo is gone with the former server
            label = bars(page).last.get_attribute("data-label")
            expect(page.locator(f"#words .bar.asked[data-label={label}]")).to_be_visible()
            assert page.evaluate("window.stillTheSamePage")
    finally:
        server.stop()


def test_line_that_is_gone_for_some_seconds_costs_nothing(browser: Browser, server: Server) -> None:
    with opened(browser, server.url) as page:
        page.evaluate("window.stillTheSamePage = true")
        click_example(page, "Tulip")
        answer = heading(page).inner_text()
        page.context.set_offline(True)
        bars(page).last.click()
        expect(page.locator("#lost")).to_be_visible()
        page.context.set_offline(False)
        expect(page.locator("#lost")).to_have_count(0)
        assert heading(page).inner_text() == answer
        bars(page).last.click()
        expect(page.locator("#words .bar.asked")).to_have_count(1)
        assert page.evaluate("window.stillTheSamePage")


def test_nothing_of_an_old_answer_can_be_used_beside_a_new_photo(browser: Browser, server: Server) -> None:
    with opened(browser, server.url) as page:
        click_example(page, "Rose")
        held: list[Route] = []
        page.route("**/gradio_api/upload*", lambda route: route.continue_() if held else held.append(route))
        example(page, "Tulip").click()
        expect(page.locator("#words.stale")).to_be_visible()
        expect(page.locator(".stage .save")).to_be_disabled()
        expect(page.locator(".stage .where")).to_be_disabled()
        assert "Rose" not in page.locator("#words").inner_text()
        assert page.locator("#words").evaluate("(words) => words.inert")
        held[0].continue_()
        expect(page.locator("#words:not(.stale) .panel[data-label=tulips]")).to_be_visible()
        expect(page.locator(".stage .save")).to_be_enabled()


def test_without_scripts_one_sentence_says_what_is_missing(browser: Browser, server: Server) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(server.url)
    assert "needs JavaScript" in page.locator("body").inner_text()
    context.close()


@pytest.mark.parametrize("kind", ["WEBP", "PNG", "JPEG"])
def test_photo_and_heat_have_one_orientation(browser: Browser, server: Server, kind: str, tmp_path: Path) -> None:
    """Browsers turn JPEGs alone by their metadata, and others are drawn upright by the server."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    file = tmp_path / f"flower.{kind.lower()}"
    with Image.open(PROJECT / "examples" / "roses_1.webp") as rose:
        upright = rose.convert("RGB").resize((200, 400))
    upright.transpose(Image.Transpose.ROTATE_90).save(file, kind, exif=exif, quality=95, subsampling=0)
    with opened(browser, server.url) as page:
        upload(page, file)
        expect(page.locator("#words .panel[data-label]")).to_be_visible()
        page.wait_for_function("document.querySelector('.stage .picture').naturalHeight === 400")
        look(page)
        page.wait_for_timeout(300)
        frame, heat = (page.locator(f".stage {name}").bounding_box() for name in ("figure", ".heat"))
        assert frame is not None and heat is not None
        assert frame["height"] == pytest.approx(2 * frame["width"], rel=0.02)
        assert heat["height"] == pytest.approx(frame["width"], rel=0.02)  # over the middle square
        assert heat["y"] - frame["y"] == pytest.approx(frame["width"] / 2, rel=0.05)
