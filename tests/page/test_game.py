"""You or the network: ten photos without captions, guessed by a tap or a key."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Page, Response, expect

from flower_alexnet import LABELS
from page import game
from page.examples import gallery
from tests.support.server import Server


def test_ten_photos_of_which_two_are_none_of_the_five(server: Server) -> None:
    for _ in range(3):
        photos = httpx2.get(f"{server.url}/game").json()
        assert len(photos) == len({photo["address"] for photo in photos}) == 10
        labels = Counter(photo["label"] for photo in photos)
        assert labels[None] == game.NONE
        assert set(labels) - {None} <= set(LABELS)
        for photo in photos:
            assert httpx2.get(f"{server.url}/{photo['address']}").headers["content-type"] == "image/webp"
            assert photo["credit"]


def test_every_game_has_photos_that_the_network_gets_wrong() -> None:
    wrong = {row["photo"] for row in game.MODELS[game.MODELS.default].measurements()["test"]["mistakes"]}
    assert wrong <= gallery().keys()
    for _ in range(20):
        assert len(wrong & set(game._draw())) >= game.WRONG


def test_photos_whose_labels_are_wrong_are_never_asked_for_and_others_come_until_all_were_seen() -> None:
    checked = game.CHECKED
    assert {*checked["none"], *checked["unfair"]} <= gallery().keys()
    assert not {*checked["none"]} & {*checked["unfair"]}
    seen = list[str]()
    for _ in range(4):
        drawn = game._draw(seen)
        assert len(set(drawn)) == 10
        assert not {*drawn} & {*checked["unfair"]}
        assert not {*drawn} & {*seen} - {row for row in seen if row in checked["none"]} or len(seen) >= 30
        seen += drawn


@pytest.mark.parametrize("how", ["keys", "taps"])
def test_a_game_to_its_end(browser_page: Page, server: Server, how: str) -> None:
    page, photos, looks = browser_page, list[dict[str, Any]](), list[Response]()

    def keep(response: Response) -> None:
        if "/game?" in response.url:
            photos.extend(response.json())
        elif "/look?" in response.url:
            looks.append(response)

    page.on("response", keep)
    page.goto(server.url)
    page.get_by_role("button", name="You or the network?").click()
    dialog = page.locator("#game")
    expect(dialog.locator(".guess button")).to_have_count(6)
    network = 0
    for number in range(10):
        expect(dialog.locator(".count")).to_have_text(f"Photo {number + 1} of 10 · you {number}, network {network}")
        for name in LABELS:  # nothing tells what it shows
            assert name not in (dialog.locator("img").get_attribute("alt") or "").lower()
        guess = [*LABELS, None].index(photos[number]["label"])
        if how == "keys":
            page.keyboard.press(str(guess + 1))
        else:
            dialog.locator(".guess button").nth(guess).click()
        expect(dialog.locator(".told")).to_contain_text("✓ You")
        answer = looks[-1].json()
        said = None if answer["verdict"] == "none" else next(iter(answer["heat"]))
        network += said == photos[number]["label"]
        expect(dialog.locator(".told")).to_contain_text("✓ The net" if said == photos[number]["label"] else "✗ The net")
        assert dialog.locator(".heat").is_visible() == (said is not None)
        assert dialog.locator(".next").evaluate("it => it === document.activeElement")
        if how == "taps":  # once more, where it was pressed already, does nothing
            dialog.locator(".guess button").nth(guess).click(force=True)
            expect(dialog.locator(".told")).to_contain_text("✓ You")
            dialog.locator(".next").focus()
        page.keyboard.press("Enter")
    expect(dialog.locator("h2")).to_have_text(f"You 10 of 10, the network {network}.")
    expect(dialog.locator(".played li")).to_have_count(10)
    for photo, row in zip(photos, dialog.locator(".played li").all(), strict=False):
        assert row.locator("img").get_attribute("src") == photo["address"]
        expect(row).to_contain_text("✓ You")
    expect(dialog.locator(".played").get_by_text("✓ The network")).to_have_count(network)
    expect(dialog.locator("h2")).to_be_in_viewport()
    dialog.get_by_role("button", name="Ten others").click()
    expect(dialog.locator(".count")).to_contain_text("Photo 1 of 10 · you 0")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
