"""The tab that shows a photo on its way through the network: its numbers, what can be pressed, and how much is sent."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import httpx2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Request, expect

from flower_alexnet import LABELS, FlowerClassifier
from flower_alexnet.inside import covered, kernels, look_inside, look_inside_each
from page.inside import MAPS, SIDE
from page.look import MAX_LOOK
from tests.support import PROJECT
from tests.support.page import click_example, open_tab, upload, wait_until
from tests.support.photos import encoded
from tests.support.server import Server

EXAMPLES = PROJECT / "examples"


def picture(name: str, side: int = 224) -> bytes:
    with Image.open(EXAMPLES / f"{name}.webp") as photo:
        return encoded(photo.convert("RGB").resize((side, side)), "PNG")


@pytest.mark.parametrize("model", ["alexnet", "alexnet-baseline"])
def test_numbers_are_the_librarys(server: Server, model: str) -> None:
    content = picture("roses_1")
    told = httpx2.post(f"{server.url}/inside?model={model}", content=content, timeout=60).json()
    classifier = FlowerClassifier.from_pretrained(model)
    found = look_inside(classifier, content)
    assert told["features"] == [2048, int((found.features > 0).sum())]
    assert [row[1] for row in told["answers"]] == [*LABELS]
    assert [row[2] for row in told["answers"]] == pytest.approx(found.logits.tolist(), abs=1e-3)
    assert [row[3] for row in told["answers"]] == pytest.approx(found.probabilities.tolist(), abs=1e-3)
    assert told["known"] == (
        None
        if found.in_distribution_probability is None
        else pytest.approx(found.in_distribution_probability, abs=1e-3)
    )
    for number, (sent, layer) in enumerate(zip(told["layers"], found.layers, strict=True)):
        assert sent["shape"] == list(layer.maps.shape)
        assert (sent["field"], sent["stride"]) == (layer.field, layer.stride)
        assert len(sent["maps"]) == (MAPS if number else 48)
        channel, grid, place = sent["maps"][0]
        values = np.frombuffer(b64decode(grid), np.uint8)
        assert len(values) == sent["side"] ** 2 <= SIDE**2
        assert channel == layer.strongest(1)[0]
        assert layer.maps[channel].flat[place] == layer.maps[channel].max()
        assert values.max() == 255
    kernel = np.frombuffer(b64decode(told["kernels"][5]), np.uint8).reshape(11, 11, 3)
    assert kernel / 255 == pytest.approx(kernels(classifier)[5], abs=0.003)
    lines = (PROJECT / "flower_alexnet" / "model.py").read_text().splitlines()
    assert "11, stride=4" in lines[told["lines"]["kernels"][0] - 1]


def test_most_alike_is_the_photo_itself(server: Server) -> None:
    name = sorted((EXAMPLES / "gallery" / "tulips").iterdir())[3]
    with Image.open(name) as photo:
        content = encoded(photo.convert("RGB"), "PNG")
    found = httpx2.post(f"{server.url}/inside?model=alexnet-baseline&alike=1", content=content, timeout=120).json()
    assert len(found) == 6
    assert found[0]["address"] == f"examples/gallery/tulips/{name.name}"
    assert found[0]["likeness"] == pytest.approx(1, abs=0.01)
    assert all(it["by"] and it["at"].startswith("https://www.flickr.com/") for it in found)


def test_compare_for_yourself_shows_the_test_photos_most_alike(browser_page: Page, server: Server) -> None:
    page = browser_page
    page.goto(server.url)
    page.locator(".examples button").last.wait_for()
    upload(page, EXAMPLES / "tulips_2.webp")
    page.get_by_role("button", name="Those most like it").click()
    expect(page.locator(".references a img")).to_have_count(6)
    rows = page.locator(".references .ref")
    for row in rows.all():
        label = row.get_attribute("data-label")
        for photo in row.locator("img").all():
            assert f"examples/gallery/{label}/" in (photo.get_attribute("src") or "")
    expect(page.get_by_role("button", name="Those most like it")).to_have_count(0)
    expect(page.get_by_role("heading", name="Those most like it")).to_be_visible()


def test_photos_in_which_a_map_finds_most_are_those_of_the_library(server: Server) -> None:
    classifier = FlowerClassifier.from_pretrained("alexnet-baseline")
    photos = sorted((EXAMPLES / "gallery").glob("*/*.webp"))
    layers = [inside.layers[3] for inside in look_inside_each(classifier, photos)]
    most = np.array([layer.maps[17].max() for layer in layers])
    found = httpx2.get(f"{server.url}/inside?model=alexnet-baseline&layer=3&map=17", timeout=120).json()
    assert [it["address"] for it in found] == [
        f"examples/gallery/{photos[at].parent.name}/{photos[at].name}" for at in most.argsort()[::-1][: len(found)]
    ]
    best = layers[int(most.argmax())]
    left, top, right, bottom = best.sees(*divmod(int(best.maps[17].argmax()), 13))
    assert found[0]["box"] == pytest.approx(
        [1 / 16 + 7 / 8 * min(1, max(0, it / 224)) for it in (left, top, right, bottom)], abs=1e-3
    )  # of the photo, of which this model sees the middle 7 of 8
    for wrong in ("layer=9&map=1", "layer=3&map=999", "layer=x&map=1", "layer=-1&map=1", "map=1"):
        assert httpx2.get(f"{server.url}/inside?model=alexnet-baseline&{wrong}", timeout=60).status_code == 422


def test_where_covering_costs_most_is_the_librarys(server: Server) -> None:
    content = picture("sunflowers_1")
    told = httpx2.post(f"{server.url}/inside?model=alexnet&cover=sunflowers", content=content, timeout=60).json()
    expected = covered(FlowerClassifier.from_pretrained("alexnet"), content, "sunflowers")
    assert told["label"] == "sunflowers"
    assert np.array(told["costs"]) == pytest.approx(expected, abs=2e-3)


def test_what_is_no_picture_is_refused(server: Server) -> None:
    assert httpx2.post(f"{server.url}/inside", content=b"no picture").status_code == 422
    assert httpx2.post(f"{server.url}/inside", content=b"x" * (MAX_LOOK + 1)).status_code == 413


def test_story_of_an_example_and_then_of_a_photo(browser_page: Page, server: Server) -> None:
    page, sizes = browser_page, list[int]()

    def count(request: Request) -> None:
        if "/inside" in request.url:
            sizes.append(request.sizes()["responseBodySize"])

    page.on("requestfinished", count)
    page.goto(server.url)
    page.locator(".examples button").last.wait_for()
    assert sizes == []  # nothing is computed that is not looked at
    open_tab(page, "Inside")
    expect(page.locator("#inside .kernels button")).to_have_count(48)
    expect(page.locator("#inside .alike img")).to_have_count(6)
    wait_until(page, lambda: len(sizes) == 2)
    assert sum(sizes) < 150_000
    open_tab(page, "Photo")
    click_example(page, "Sunflower")
    open_tab(page, "Inside")
    expect(page.locator("#inside table").last.locator("tbody tr").first).to_contain_text("sunflower")
    expect(page.locator("#inside .alike figcaption").first).to_have_text("sunflower")
    for row in range(5):
        expect(page.locator("#inside .maps").nth(row).locator("button")).to_have_count(MAPS)
    assert page.locator("#inside canvas:not([aria-label])").evaluate_all(
        "all => all.every(it => it.closest('[aria-label]') || it.className === 'over')"
    )


def test_kernels_and_maps_lie_over_the_photo_and_places_show_what_they_see(browser_page: Page, server: Server) -> None:
    page = browser_page
    page.goto(server.url)
    click_example(page, "Rose")
    open_tab(page, "Inside")
    over, frame = page.locator("#inside .seen .over"), page.locator("#inside .seen i")
    page.locator("#inside .kernels button").nth(3).click()
    expect(over).to_be_visible()
    first = over.evaluate("it => it.toDataURL()")
    fifth = page.locator("#inside .maps").nth(4).locator("button")
    fifth.nth(0).click()
    assert over.evaluate("it => it.toDataURL()") != first
    expect(frame).to_be_visible()
    wide = frame.evaluate("it => parseFloat(it.style.width)")
    page.locator("#inside .maps").nth(0).locator("button").nth(0).hover()
    narrow = frame.evaluate("it => parseFloat(it.style.width)")
    expect(page.locator("#inside .exciting .boxed i")).to_have_count(6)  # each where it is strongest
    assert narrow == pytest.approx(100 * 11 / 224, abs=0.1)
    assert wide > 50
    fifth.nth(0).click()
    expect(over).to_be_hidden()


def test_a_small_photo_of_odd_width_has_the_answer_that_the_first_tab_gives(
    browser_page: Page, server: Server, tmp_path: Path
) -> None:
    """Cut at half a pixel, it would be blurred, and a small photo's answer be another."""
    with Image.open(EXAMPLES / "tulips_3.webp") as photo:
        photo.convert("RGB").resize((240, 159)).save(tmp_path / "small.png")
    page = browser_page
    page.goto(server.url)
    page.locator(".examples button").last.wait_for()
    upload(page, tmp_path / "small.png")
    first = page.locator("#words .bars:not(.known) .bar").first
    expect(first).to_be_visible()
    sure = first.locator(".p").inner_text().strip(">%\u00a0 ")
    open_tab(page, "Inside")
    told = page.locator("#inside table").last.locator("tbody tr").first.locator("td").last.inner_text()
    assert float(told.strip("% ")) == pytest.approx(float(sure), abs=1.2)


def test_a_photo_that_is_spoiled_loses_its_answer(browser_page: Page, server: Server) -> None:
    page = browser_page
    page.goto(server.url)
    click_example(page, "Sunflower")
    open_tab(page, "Inside")
    bars = page.locator("#inside .break .bar")
    expect(bars.nth(1)).to_contain_text("sunflower")
    before = page.locator("#inside .break .p").nth(1).inner_text()
    page.locator("#inside .break input").nth(2).fill("90")
    expect(page.locator("#inside .break .p").nth(1)).not_to_have_text(before)
    page.get_by_role("button", name="As it was").click()
    expect(page.locator("#inside .break .p").nth(1)).to_have_text(before)
    for slider, most in ((0, "8"), (1, "100"), (4, "99")):  # blur, noise, JPEG
        page.locator("#inside .break input").nth(slider).fill(most)
        expect(page.locator("#inside .break .p").nth(1)).not_to_have_text(before)
        page.get_by_role("button", name="As it was").click()
        expect(page.locator("#inside .break .p").nth(1)).to_have_text(before)
    page.get_by_role("button", name="Where covering costs most").click()
    expect(page.locator("#inside .break .over")).to_be_visible()
    expect(page.locator("#inside .break [role=status]").first).to_contain_text("it costs sunflower most: up to")
    page.locator("#inside .break .arrives").focus()
    page.keyboard.press("ArrowRight")
    page.locator("#inside .break .arrives").click(position={"x": 60, "y": 60})
    expect(bars.first).to_be_visible()


@pytest.mark.parametrize("language", ["es", "fr", "de"])
def test_five_tabs_and_the_story_fit_a_narrow_phone(browser_page: Page, server: Server, language: str) -> None:
    browser = browser_page.context.browser
    assert browser is not None
    page = browser.new_page(viewport={"width": 320, "height": 640}, locale=language)
    page.goto(server.url)
    upload(page, EXAMPLES / "tulips_1.webp")
    expect(page.get_by_role("tab")).to_have_count(5)
    page.get_by_role("tab").nth(3).click()
    expect(page.locator("#inside .alike img").first).to_be_visible()
    for part in page.locator("#inside .station, #inside aside, [role=tab]").all():
        box = part.bounding_box()
        assert box is not None
        assert box["x"] >= -1
        assert box["x"] + box["width"] <= 321
    page.close()
