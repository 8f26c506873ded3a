"""Limits of what runs and waits at the same time, each of which fails here if it is taken away."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from base64 import b64encode
from collections.abc import Iterator

import gradio as gr
import httpx2
import pytest

from flower_alexnet import LABELS, Prediction
from page import answers
from page.models import MODELS
from tests.page.test_security import picture
from tests.support.server import Server, serve

PHOTO = {"url": f"data:image/png;base64,{b64encode(picture()).decode()}"}


class Counting:
    """A classifier that counts how many photos it has at the same time."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.lock = threading.Lock()

    def __call__(self, _: object) -> Prediction:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.05)
        with self.lock:
            self.now -= 1
        return Prediction(dict.fromkeys(LABELS, 0.2))


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    classifier = Counting()

    async def load(_: str, __: str) -> Counting:
        return classifier

    monkeypatch.setattr(answers, "load", load)
    return classifier


def ask(number: int) -> list[object]:
    async def all_at_once() -> list[object]:
        asked = [answers.predict(PHOTO, MODELS.default, "en") for _ in range(number)]
        return list(await asyncio.gather(*asked, return_exceptions=True))

    return asyncio.run(all_at_once())


def test_few_photos_are_in_memory_at_the_same_time(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answers.PHOTOS._limiter.total_tokens == 16
    monkeypatch.setattr(answers, "PHOTOS", answers.Turns(3))
    assert all(isinstance(given, Prediction) for given in ask(20))
    assert counting.most == 3


def test_who_comes_when_too_many_wait_is_told(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "PHOTOS", answers.Turns(1))
    monkeypatch.setattr(answers, "MAX_WAITING", 4)
    given = ask(20)
    refused = [error for error in given if isinstance(error, gr.Error)]
    assert all("busy" in str(error.message) for error in refused)
    assert sum(isinstance(prediction, Prediction) for prediction in given) == 5
    assert len(refused) == 15


def test_explanations_do_not_take_the_turns_of_answers(counting: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "HEAVY", answers.Turns(1))
    monkeypatch.setattr(answers.grad_cam, "explain", lambda *_: time.sleep(2))

    async def answer_beside_explanations() -> float:
        heavy = [asyncio.create_task(answers.explain(PHOTO, "", MODELS.default, "en")) for _ in range(10)]
        await asyncio.sleep(0)
        done, _ = await asyncio.wait(
            [asyncio.create_task(answers.predict(PHOTO, MODELS.default, "en")), *heavy],
            return_when=asyncio.FIRST_COMPLETED,
        )
        first = next(iter(done)).result()
        for task in heavy:
            task.cancel()
        return isinstance(first, Prediction)

    assert asyncio.run(answer_beside_explanations())


@pytest.fixture(scope="module", params=["guard.MAX_DIRECT = 0", "answers.MAX_WAITING = -16"])
def full(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Serve a page at which too many wait already: at its door, or for their turn."""
    code = f"""
import app
from page import answers, guard
{request.param}
app.launch()
"""
    with serve("-c", code, forked=True) as server:
        yield server


def test_full_page_is_told_as_503(full: Server) -> None:
    headers = {"Content-Type": "application/json"}
    body = json.dumps({"data": [PHOTO, MODELS.default]})
    answer = httpx2.post(f"{full.url}/gradio_api/run/classify", content=body, headers=headers, timeout=60)
    assert answer.status_code == 503
    assert "busy" in answer.text
