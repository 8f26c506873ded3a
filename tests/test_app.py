"""The served app: by its API, and in a real browser."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from playwright.sync_api import Page, expect

from flower_alexnet import LABELS, catalog
from tests.conftest import Server, drawn_flower
from train import data


@pytest.fixture(scope="module")
def client(server: Server) -> Client:
    return Client(server.url, verbose=False)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "flower.jpg"
    drawn_flower("sunflowers", size=(400, 300)).save(file)
    return file


def probabilities(answer: dict) -> dict[str, float]:
    return {entry["label"]: entry["confidence"] for entry in answer["confidences"]}


def test_api_answers_what_the_library_answers(client: Client, photo: Path) -> None:
    expected = catalog.load()(photo).probabilities
    answer = client.predict(image=handle_file(str(photo)), api_name="/classify")
    assert probabilities(answer) == pytest.approx(expected, abs=1e-6)
    for model in catalog.shipped_models():
        answer = client.predict(image=handle_file(str(photo)), model=model.name, api_name="/classify")
        assert probabilities(answer) == pytest.approx(catalog.load(model.name)(photo).probabilities, abs=1e-6)


def test_api_on_a_photo_of_each_class(client: Client, real_photos: Path) -> None:
    for label in range(len(LABELS)):
        photo = next(photo for photo in data.split(real_photos)["test"] if photo.label == label)
        answer = client.predict(image=handle_file(str(photo.path)), api_name="/classify")
        assert set(probabilities(answer)) == set(LABELS)
        assert sum(probabilities(answer).values()) == pytest.approx(1)


def test_api_refuses_in_words(client: Client, photo: Path, server: Server) -> None:
    content = photo.read_bytes()
    for bad, message in ((b"", "empty"), (b"text", "not a picture"), (content[: len(content) // 2], "cut short")):
        photo.write_bytes(bad)
        with pytest.raises(AppError, match=message):
            client.predict(image=handle_file(str(photo)), api_name="/classify")
    with pytest.raises(AppError, match="Choose a photo"):
        client.predict(image=None, api_name="/classify")
    photo.write_bytes(content)
    for model in ("nothing", "../weights/alexnet-seed", ["alexnet-seed"], None):
        with pytest.raises(AppError, match="Choose a model"):
            client.predict(image=handle_file(str(photo)), model=model, api_name="/classify")
    assert "Traceback" not in server.log.read_text()


def test_visitor_uploads_chooses_a_model_and_reads_five_probabilities(
    browser_page: Page, server: Server, photo: Path
) -> None:
    page, problems, hosts = browser_page, [], set()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.goto(server.url)
    page.locator("input[type=file]").first.set_input_files(str(photo))
    page.locator("img[src*='/file=']").first.wait_for()

    page.get_by_label("Model").click()
    page.get_by_role("option", name=catalog.shipped_models()[-1].name).click()
    bars = page.locator("[data-testid$='-confidence-set']")
    expect(bars).to_have_count(5)  # choosing another model classifies the photo that is there
    page.get_by_role("button", name="Classify").click()
    expect(bars).to_have_count(5)
    text = " ".join(bars.all_inner_texts())
    assert all(label in text for label in LABELS)
    assert text.count("%") == 5
    assert problems == []
    assert hosts == {server.url.removeprefix("http://")}
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/laptop.png")
        page.set_viewport_size({"width": 390, "height": 844})
        page.screenshot(path=f"{folder}/phone.png", full_page=True)


def test_visitor_reads_why_a_file_is_no_photo(browser_page: Page, server: Server, tmp_path: Path) -> None:
    (tmp_path / "note.png").write_text("not a picture")
    page = browser_page
    page.goto(server.url)
    page.locator("input[type=file]").first.set_input_files(str(tmp_path / "note.png"))
    page.locator("img[src*='/file=']").first.wait_for(state="attached")
    page.get_by_role("button", name="Classify").click()
    expect(page.get_by_text("note.png is not a picture of a known kind")).to_be_visible()
    expect(page.locator("[data-testid$='-confidence-set']")).to_have_count(0)
