"""What event handlers and endpoints share: photos in, predictions or what is wrong in words out."""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from anyio import CapacityLimiter, to_thread
from PIL import Image

from flower_alexnet import FlowerClassifier, InvalidImage, InvalidModel, Prediction, batch, images
from flower_alexnet import explain as grad_cam
from flower_alexnet.classifier import BATCH_SIZE
from flower_alexnet.containers import picture_of
from flower_alexnet.registry import Model
from page.models import MODELS, StillLoading
from page.translations import describe, translate
from page.uploads import is_upload

Result = TypeVar("Result")


class Turns:
    """Threads in which some requests run at the same time, while others wait and hold no thread.

    Args:
        number: of the threads.
        waiting: requests that may wait; None for ``MAX_WAITING``.
    """

    def __init__(self, number: int, waiting: int | None = None) -> None:
        self._limiter = CapacityLimiter(number)
        self._waiting = waiting
        self.asked = 0

    async def run(self, language: str, function: Callable[..., Result], *args: Any) -> Result:
        """Call a function in a thread, when it is its turn; raise ``gr.Error`` if too many others wait."""
        most = MAX_WAITING if self._waiting is None else self._waiting
        if self.asked >= self._limiter.total_tokens + most:
            raise gr.Error(translate("busy", language), print_exception=False)
        return await self.run_part(function, *args)

    async def run_part(self, function: Callable[..., Result], *args: Any) -> Result:
        """Call a function in a thread, when it is its turn: a part of what was begun, which is never refused."""
        self.asked += 1
        try:
            return await to_thread.run_sync(function, *args, limiter=self._limiter)
        finally:
            self.asked -= 1


PHOTOS = Turns(16)
"""Photos that are classified at the same time: so many may be in memory at their full size. Their forward passes are
shared."""

HEAVY = Turns(4)
"""Explanations, comparisons and parts of batches at the same time; answers do not wait for them."""

MAX_WAITING = 256
"""Requests that may wait for a turn; later ones are told that the page is busy."""

MAX_PHOTOS = 500
"""Photos that are classified in one request."""

Upload = dict[str, Any] | None
"""An uploaded file as the page sends it; Gradio checked that it is an upload, ``images.load`` checks its contents."""


@dataclass(frozen=True)
class Answer:
    """The answer to a photo.

    Args:
        prediction: of the photo.
        model: that gave it.
        key: what tells the photo from others that the visitor chose: the path of the upload.
        turned: whether the photo is upright here, but not as the visitor's browser shows it.
    """

    prediction: Prediction
    model: Model
    key: str = ""
    turned: bool = False


@dataclass(frozen=True)
class ModelPrediction:
    """What one of several models says of a photo, or why it says nothing.

    Args:
        model: its name in the list.
        prediction: its prediction.
        milliseconds: from the decoded photo to the prediction.
        problem: why there is no prediction.
    """

    model: str
    prediction: Prediction | None = None
    milliseconds: float | None = None
    problem: str | None = None


async def predict(photo: Upload, model: str, language: str) -> Prediction:
    """Classify a photo; raise ``gr.Error`` with the problem in words."""
    source = _source(photo, language)
    classifier = await load(model, language)
    with photo_problems_in_words(language):
        return await PHOTOS.run(language, classifier, source)


async def explain(photo: Upload, label: str, model: str, language: str) -> grad_cam.Explanation:
    """Compute Grad-CAM for a label, or for the answer if it is empty; raise ``gr.Error`` with the problem in words."""
    source = _source(photo, language)
    classifier = await load(model, language)
    try:
        with photo_problems_in_words(language):
            return await HEAVY.run(language, grad_cam.explain, classifier, source, label or None)
    except ValueError as error:  # no such label
        raise gr.Error(str(error), print_exception=False) from None


async def shown(photo: Upload, language: str) -> Image.Image:
    """Return a photo upright and in RGB, small enough for a screen; raise ``gr.Error`` with the problem in words."""
    source = _source(photo, language)

    def load_small() -> Image.Image:
        image = images.load(source)
        image.thumbnail((grad_cam.MAX_SIDE, grad_cam.MAX_SIDE))
        return image

    with photo_problems_in_words(language):
        return await HEAVY.run(language, load_small)


async def compare_models(photo: Upload, language: str) -> list[ModelPrediction]:
    """Classify a photo with every model; raise ``gr.Error`` with the problem in words.

    A model of the Hub that nobody chose yet is not downloaded for it, and one that failed is not tried again.
    """
    source = _source(photo, language)
    for model in MODELS.all():
        if model.folder is not None and model.problem is None:
            with suppress(InvalidModel):
                await MODELS.load(model.name)
    classifiers = MODELS.loaded()

    def predict_each() -> dict[str, ModelPrediction]:
        shorter_side = max((classifier.shorter_side for classifier in classifiers.values()), default=None)
        image = images.load(source, shorter_side=shorter_side)
        predictions = {}
        for name, classifier in classifiers.items():
            started = time.perf_counter()
            predictions[name] = ModelPrediction(name, classifier(image), 1000 * (time.perf_counter() - started))
        return predictions

    with photo_problems_in_words(language):
        found = await HEAVY.run(language, predict_each)
    missing = {
        model.name: model.problem or translate("not_loaded", language, model=model.name) for model in MODELS.all()
    }
    return [found.get(name) or ModelPrediction(name, problem=problem) for name, problem in missing.items()]


async def collect(files: object, language: str) -> list[batch.PhotoFile]:
    """List the photos among uploaded files and inside zips; raise ``gr.Error`` if there are none or too many."""
    if not files or not isinstance(files, list):
        raise gr.Error(translate("no_files", language), print_exception=False)
    named_files = []
    for file in files:
        source = _source(file, language)
        if isinstance(source, Path):
            given = file.get("orig_name")
            named_files.append((given if isinstance(given, str) and given else source.name, source))
    try:
        return await HEAVY.run(language, batch.collect, named_files, MAX_PHOTOS, language)
    except batch.TooManyPhotos:
        raise gr.Error(translate("too_many", language, limit=MAX_PHOTOS), print_exception=False) from None


async def classify_each(
    classifier: FlowerClassifier, photos: list[batch.PhotoFile], *, thumbnails: bool = False
) -> AsyncIterator[batch.Row]:
    """Yield a row for each photo, in order, as ``batch.classify_each`` does."""
    rows = batch.classify_each(classifier, photos, thumbnails)  # who cancels drops it, and its last thread ends it
    group: list[batch.Row]
    while group := await HEAVY.run_part(list, islice(rows, BATCH_SIZE)):
        for row in group:
            yield row


async def load(model: str, language: str) -> FlowerClassifier:
    """Return the classifier of a model in the list; raise ``gr.Error`` with the problem in words."""
    check_known(model, language)
    try:
        return await MODELS.load(model)
    except InvalidModel as error:
        late = isinstance(error, StillLoading)
        words = translate("still_loading", language, model=model) if late else str(error)
        title = translate("model_unavailable", language, model=model)
        raise gr.Error(words, title=title, print_exception=False) from None


def check_known(model: str, language: str) -> None:
    """Raise ``gr.Error`` unless the model is in the list: no other can be asked for."""
    if MODELS.get(model) is None:
        raise gr.Error(translate("no_such_model", language), print_exception=False)


async def is_turned_here_alone(photo: Upload) -> bool:
    """Return whether a photo's metadata turn it as no browser does: browsers turn JPEGs alone."""

    def is_turned(file: Path) -> bool:
        with suppress(OSError, ValueError):  # whoever reads it says why
            container = picture_of(file.read_bytes())
            return container is not None and container.format != "JPEG" and container.orientation != 1
        return False

    source = _source(photo, "en")
    return isinstance(source, Path) and await PHOTOS.run_part(is_turned, source)


def is_gone(photo: object) -> bool:
    """Return whether an upload was deleted: within the hour, or by a start of the server since."""
    path = photo.get("path") if isinstance(photo, dict) else None
    return isinstance(path, str) and not (is_upload(Path(path)) and Path(path).is_file())


def _source(photo: object, language: str) -> Path | bytes:
    """Return the path of an uploaded photo, or the contents of a ``data:`` address."""
    if isinstance(photo, dict):
        address, path = photo.get("url"), photo.get("path")
        if isinstance(address, str) and address.startswith("data:"):
            with suppress(ValueError):
                return b64decode(address.partition(",")[2], validate=True)
        elif isinstance(path, str) and is_upload(Path(path)):
            return Path(path)
    raise gr.Error(translate("no_photo", language), print_exception=False)


@contextmanager
def photo_problems_in_words(language: str) -> Iterator[None]:
    """Raise ``gr.Error`` with the problem in words where a photo cannot be used."""
    try:
        yield
    except InvalidImage as error:
        title = translate("bad_photo", language)
        # Programs, which are answered in English, are told the file's name as well; the page shows that elsewhere.
        words = str(error) if language == "en" else describe(error, language)
        raise gr.Error(words, title=title, print_exception=False) from error
