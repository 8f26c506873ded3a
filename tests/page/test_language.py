"""One negotiation decides the language of headings, answers, errors and Gradio's own texts."""

from __future__ import annotations

import httpx2
import pytest
from playwright.sync_api import Browser, expect

from page.language import preferred_language
from page.translations import TEXTS
from tests.support import PROJECT
from tests.support.page import upload
from tests.support.server import Server

HEADERS = {
    "": "en",
    "sv-SE,sv;q=0.9": "en",
    "sv, es;q=0": "en",  # anything but Spanish
    "en;q=0.3, de;q=0.9": "de",
    "de-AT, en;q=0.5": "de",
    "de-AT,de;q=0.9,en;q=0.8": "de",
    "en;q=0.5, es;q=0.8": "es",
    "pt-BR, es": "es",
    "zh-TW": "zh-CN",
    "fr-CA, en;q=0.5": "fr",
    "ja": "ja",
    "zh-Hant-HK, en;q=0.9": "zh-CN",
    "ZH": "zh-CN",
    "sv,zh;q=oops,*;q=0.1": "en",  # no valid header
    "*": "en",
}


def test_no_header_is_english() -> None:
    assert preferred_language(None) == "en"


@pytest.mark.parametrize(("header", "language"), HEADERS.items())
def test_language_is_what_the_browser_prefers(header: str, language: str) -> None:
    assert preferred_language(header) == language


@pytest.mark.parametrize("header", ["de-AT, en;q=0.5", "zh-TW", "sv, es;q=0", "pt-BR, es"])
def test_page_says_its_language(server: Server, header: str) -> None:
    response = httpx2.get(server.url, headers={"Accept-Language": header})
    language = HEADERS[header]
    assert response.headers["content-language"] == language
    assert f'documentElement.lang = "{language}"' in response.text
    assert response.headers["content-encoding"] == "gzip"
    plain = httpx2.get(server.url, headers={"Accept-Language": header, "Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert f'documentElement.lang = "{language}"' in plain.text


@pytest.mark.parametrize(
    ("header", "tab"),
    [("sv, es;q=0", "About"), ("zh-TW", "关于"), ("pt-BR, es;q=0.9", "Info")],
)
def test_headings_answers_errors_and_gradio_speak_one_language(
    server: Server, browser: Browser, header: str, tab: str
) -> None:
    """The browser's own language is English: what counts is the header."""
    language = HEADERS.get(header) or preferred_language(header)
    context = browser.new_context(extra_http_headers={"Accept-Language": header})
    page = context.new_page()
    page.goto(server.url)
    expect(page.get_by_role("tab", name=tab)).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == language
    upload(page, PROJECT / "examples" / "sunflowers_1.webp")
    name = {"en": "Sunflower", "zh-CN": "向日葵", "es": "Girasol"}[language]
    expect(page.locator("#words h2")).to_contain_text(name, ignore_case=True)
    upload(page, PROJECT / "README.md")
    expect(page.get_by_text(TEXTS[language]["UnreadableImage"])).to_be_visible()
    context.close()
