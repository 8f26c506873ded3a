"""What several tests stand on: pictures, model folders, the dataset, and the served app."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks.measure import PROJECT
from benchmarks.server import Server, serve
from flower_alexnet import LABELS, AlexNet, Config

REAL_PHOTOS = Path(os.environ.get("FLOWER_PHOTOS", PROJECT.parent / "shared" / "flower_photos"))
expect.set_options(timeout=30_000)

CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--use-fake-device-for-media-stream",  # a camera that shows a pattern
    "--use-fake-ui-for-media-stream",
]
COLOURS = {"daisy": "white", "dandelion": "gold", "roses": "crimson", "sunflowers": "orange", "tulips": "purple"}


def drawn_flower(label: str, seed: int = 0, size: tuple[int, int] = (120, 90)) -> Image.Image:
    """A noisy picture in the colour of a flower: enough for a network to learn in a few steps."""
    generator = np.random.default_rng([seed, LABELS.index(label)])
    noise = generator.integers(-40, 40, (size[1], size[0], 3))
    colour = np.array(Image.new("RGB", size, COLOURS[label])).astype(int)
    return Image.fromarray((colour + noise).clip(0, 255).astype(np.uint8))


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """A picture as the bytes of a file."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="session")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small dataset of drawn flowers: 20 pictures in each of the five class folders."""
    folder = tmp_path_factory.mktemp("data") / "flower_photos"
    for label in LABELS:
        (folder / label).mkdir(parents=True)
        for number in range(20):
            drawn_flower(label, number).save(folder / label / f"{number}.jpg")
    return folder


@pytest.fixture(scope="session")
def real_photos() -> Path:
    """The real flower_photos; tests on them are skipped where they are not."""
    if not REAL_PHOTOS.is_dir():
        pytest.skip(f"{REAL_PHOTOS} is not there; set FLOWER_PHOTOS to the folder of flower_photos")
    return REAL_PHOTOS


@pytest.fixture(scope="session")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with random weights; not to be changed."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "random"
    AlexNet().save_pretrained(folder, config=Config())
    return folder


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The app as it comes, with the shipped models."""
    environment = {key: value for key, value in os.environ.items() if key != "FLOWER_PHOTOS"}
    with serve("app.py", environment=environment) as served:
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def browser_page(browser: Browser) -> Iterator[Page]:
    """A page of its own, at the width of a laptop."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(60_000)
    yield page
    page.close()
