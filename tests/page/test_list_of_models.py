"""The owner of the page's models: one load a model, in a thread of its own, and snapshots for those who read."""

from __future__ import annotations

import asyncio
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from flower_alexnet import FlowerClassifier, InvalidModel
from flower_alexnet.registry import Model
from page import answers, models
from page.models import MODELS, Models, StillLoading
from tests.support.photos import drawn_flower, encoded

HUB = [Model("ann/flowers", shipped=False), Model("bob/flowers", shipped=False)]


class Hub:
    """What loads models: it waits until it may go on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        self.go_on = threading.Event()

    def __call__(self, name: str) -> FlowerClassifier:
        self.asked.append(name)
        assert self.go_on.wait(60)
        if name == "bob/flowers":
            raise InvalidModel(f"{models.registry.WEIGHTS}/bob is damaged")
        return FlowerClassifier.from_pretrained(self.folder)


@pytest.fixture
def hub(random_model: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    hub = Hub(random_model)
    monkeypatch.setattr(models, "load_classifier", hub)
    return hub


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_who_waits_for_a_model_holds_no_thread_and_asks_once(hub: Hub) -> None:
    listed = Models(HUB)

    async def ask() -> None:
        asked = [asyncio.create_task(listed.load(name)) for name in ("ann/flowers", "bob/flowers") for _ in range(45)]
        before = threading.active_count()
        await asyncio.to_thread(wait_until, lambda: len(hub.asked) == 2)
        assert threading.active_count() <= before + 3  # one a model, and one that waits here
        hub.go_on.set()
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert len({id(result) for result in results[:45]}) == 1
        assert {str(result) for result in results[45:]} == {"bob is damaged"}

    asyncio.run(ask())
    assert sorted(hub.asked) == ["ann/flowers", "bob/flowers"]
    assert list(listed.loaded()) == ["ann/flowers"]
    assert [model.problem for model in listed.all()] == [None, "bob is damaged"]


def test_model_that_does_not_come_is_told_of_in_time(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "LOADING_LIMIT", 0.1)
    listed = Models(HUB)
    for _ in range(2):  # the second is told at once
        with pytest.raises(StillLoading, match="ann/flowers is still being loaded"):
            asyncio.run(listed.load("ann/flowers"))
    hub.go_on.set()
    wait_until(listed.loaded)
    assert isinstance(asyncio.run(listed.load("ann/flowers")), FlowerClassifier)
    assert hub.asked == ["ann/flowers"]


def test_model_that_failed_is_tried_again(hub: Hub, random_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.go_on.set()
    listed = Models(HUB)
    with pytest.raises(InvalidModel, match="bob is damaged"):
        asyncio.run(listed.load("bob/flowers"))
    monkeypatch.setattr(models, "load_classifier", lambda _: FlowerClassifier.from_pretrained(random_model))
    assert asyncio.run(listed.load("bob/flowers"))
    assert [model.problem for model in listed.all()] == [None, None]


def test_comparison_while_models_finish_loading(random_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is loaded meanwhile changes nothing of what a comparison reads."""
    many = [Model(f"ann/{number}", shipped=False) for number in range(60)]
    listed = Models(many)
    classifier = FlowerClassifier.from_pretrained(random_model)

    def load(_: str) -> FlowerClassifier:
        time.sleep(0.001)
        return classifier

    monkeypatch.setattr(models, "load_classifier", load)
    monkeypatch.setattr(answers, "MODELS", listed)
    photo = {"url": f"data:image/png;base64,{b64encode(encoded(drawn_flower('roses'), 'PNG')).decode()}"}

    def load_all() -> None:
        for model in many:
            listed.start_loading(model.name).future.result()

    loading = threading.Thread(target=load_all)
    loading.start()
    while loading.is_alive():
        given = asyncio.run(answers.compare_models(photo, "en"))
        assert [row.model for row in given] == [model.name for model in many]
    loading.join()
    assert all(row.prediction for row in asyncio.run(answers.compare_models(photo, "en")))


def test_list_of_this_page() -> None:
    assert MODELS.names()[0] == MODELS.default
    assert MODELS.get("../../etc") is None
    assert MODELS.get(["alexnet"]) is None
    assert "roses" in MODELS.labels()
    assert np.isin(["daisy", "tulips"], MODELS.labels()).all()
