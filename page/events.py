"""Event handlers of the page: from what a component sends to what components show."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any
from weakref import WeakValueDictionary

import gradio as gr

from flower_alexnet import InvalidImage, batch, registry
from flower_alexnet.classifier import BATCH_SIZE
from flower_alexnet.registry import Model
from page import about, answers, downloads, render
from page.answers import Answer, Upload
from page.language import preferred_language
from page.models import MODELS
from page.subject import NAME
from page.translations import describe, translate
from page.wording import in_words, model_title

RUNS: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()
"""A visitor's session -> what ends the run that answers the many photos, as long as there is one."""


def model_choices(language: str = "en") -> list[tuple[str, str]]:
    """Return title and name of each model for the drop-down."""
    return [(model_title(model, language), model.name) for model in MODELS.all()]


def load_page(request: gr.Request) -> Any:
    """Return the choices of models; ``?model=`` chooses one.

    Without it the choice stays what it is: the visitor may have chosen already.
    """
    wanted = registry.current_name(request.query_params.get("model") or "")
    language = _language(request)
    chosen = {"value": wanted} if wanted in MODELS.names() else {}
    return gr.update(choices=model_choices(language), **chosen)


async def answer(photo: Upload, model: str, request: gr.Request) -> Any:
    """Return the answer to a photo, or what is wrong, as HTML; nothing as long as there is no photo."""
    language, key = _language(request), _key(photo)
    if not photo:
        known = MODELS.get(model)
        return gr.skip() if known is None or known.problem is None else _problem_of(known, language)
    if answers.is_gone(photo):
        return render.gone(key)
    try:
        prediction = await answers.predict(photo, model, language)
    except gr.Error as error:
        return render.problem(_title(error, language), _words(error, language), key)
    turned = await answers.is_turned_here_alone(photo)
    return render.answer(Answer(prediction, MODELS[model], key, turned), language)


async def choose_model(model: str, request: gr.Request, progress: gr.Progress = gr.Progress(track_tqdm=True)) -> Any:
    """Load a model just chosen, downloading it if need be, and return the choices with its problem, if any."""
    language = _language(request)
    answers.check_known(model, language)
    progress(None, desc=translate("loading", language, model=model))
    with suppress(gr.Error):  # the choices say what is wrong
        await answers.load(model, language)
    return gr.update(choices=model_choices(language))


async def show_photo(photo: Upload, request: gr.Request) -> dict[str, Any] | None:
    """Return a photo that the visitor's browser does not show, or shows turned, as one that it can; or nothing."""
    if answers.is_gone(photo):
        return {"gone": True, "key": _key(photo)}
    try:
        shown = await answers.shown(photo, _language(request))
    except gr.Error:
        return None  # what is wrong with the photo stands in place of its answer
    return {"key": _key(photo), "photo": render.data_url(shown)}


async def show_all_models(photo: Upload, request: gr.Request) -> str:
    """Return the answers of all models as HTML."""
    language = _language(request)
    described = about.in_short(language)
    if answers.is_gone(photo):
        return render.gone(_key(photo))
    if not photo:
        return render.known_models(translate("no_photo_yet", language), described, language)
    try:
        return render.models(await answers.compare_models(photo, language), described, language)
    except gr.Error as error:
        return render.known_models(f"{_title(error, language)}. {_words(error, language)}", described, language)


async def show_many(
    files: list[dict[str, Any]] | None, model: str, request: gr.Request
) -> AsyncIterator[tuple[Any, Any, Any, Any]]:
    """Yield how many photos are done and, at the end, a summary, the photos, a CSV file and a sorted zip."""
    language = _language(request)
    if not files:
        yield "", "", _hidden(), _hidden()
        return
    stop = RUNS[request.session_hash] = asyncio.Event()
    try:
        photos = await answers.collect(files, language)
        classifier = await answers.load(model, language)
    except gr.Error as error:
        yield render.problem(_title(error, language), str(error.message)), "", _hidden(), _hidden()
        return
    yield render.progress(0, len(photos), language), "", _hidden(), _hidden()
    rows: list[batch.Row] = []
    cards: list[str] = []
    shown = BATCH_SIZE
    async for row in answers.classify_each(classifier, photos, thumbnails=True):
        photo = photos[len(rows)]
        rows.append(row)
        if row.prediction is not None and row.thumbnail is not None:
            # What is in a zip is not at hand any more: its thumbnail is what can be looked at.
            at = str(photo.path) if photo.member is None else ""
            cards.append(render.card(PurePosixPath(row.name).name, row.prediction, row.thumbnail, at, language))
        if len(rows) % BATCH_SIZE == 0:
            answered: Any = gr.skip()
            if len(rows) >= shown:  # twice as many as before, so that all of it is sent only a few times
                answered, shown = render.photos(cards), 2 * shown
            yield render.progress(len(rows), len(photos), language), answered, *[gr.skip()] * 2
        if RUNS.get(request.session_hash) is not stop:
            return  # another model was chosen, and answers them
        if stop.is_set():
            break
    problems = {PurePosixPath(row.name).name: _in_words(row, language) for row in rows if row.problem}
    predictions = [row.prediction for row in rows if row.prediction]
    with tempfile.TemporaryDirectory() as folder:  # Gradio copies the files
        table_file, sorted_photos = Path(folder) / f"{NAME}.csv", Path(folder) / f"{NAME}.zip"
        downloads.write_csv(rows, classifier.config.labels, table_file)
        downloads.write_sorted(photos[: len(rows)], rows, sorted_photos)
        yield (
            render.summary(predictions, problems, model, language)
            + (render.cancelled(len(rows), len(photos), language) if len(rows) < len(photos) else ""),
            render.photos(cards),
            gr.update(value=str(table_file), visible=True),
            gr.update(value=str(sorted_photos), visible=bool(predictions)),
        )


async def show_many_anew(
    files: list[dict[str, Any]] | None, model: str, request: gr.Request
) -> AsyncIterator[tuple[Any, Any, Any, Any]]:
    """Ask about the photos that are there, if there are any, once more: another model was chosen."""
    if not files:
        yield gr.skip(), gr.skip(), gr.skip(), gr.skip()
        return
    async for shown in show_many(files, model, request):
        yield shown


def cancel(request: gr.Request) -> None:
    """Let the answers to a visitor's many photos end with those that are there."""
    if stop := RUNS.get(request.session_hash):
        stop.set()


async def show_model(model: str, request: gr.Request) -> list[Any]:
    """Return the description of a model, its figures, its card and its layers."""
    return await about.describe_model(MODELS.get(model), _language(request))


def _in_words(row: batch.Row, language: str) -> str:
    if row.prediction is not None:
        return in_words(row.prediction, language)
    return describe(row.error, language) if row.error else ""


def _problem_of(model: Model, language: str) -> str:
    return render.problem(translate("model_unavailable", language, model=model.name), model.problem or "")


def _words(error: gr.Error, language: str) -> str:
    cause = error.__cause__
    return describe(cause, language) if isinstance(cause, InvalidImage) else str(error.message)


def _title(error: gr.Error, language: str) -> str:
    return error.title if error.title and error.title != "Error" else translate("failed", language)


def _hidden() -> Any:
    return gr.update(value=None, visible=False)


def _key(photo: Upload) -> str:
    """Return what tells a photo from others: ``page.js`` ignores what was computed of a former one."""
    path = photo.get("path") if isinstance(photo, dict) else None
    return path if isinstance(path, str) else ""


def _language(request: gr.Request) -> str:
    return preferred_language(request.headers.get("accept-language"))
