"""Event handlers of the page: from what a component sends to what components show."""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import gradio as gr

from flower_alexnet import InvalidImage, batch, registry
from flower_alexnet.classifier import BATCH_SIZE, PREDICTION_FIELDS
from flower_alexnet.registry import Model
from page import about, answers, render
from page.answers import Answer, Upload, in_words
from page.language import preferred_language
from page.models import MODELS
from page.translations import describe, flower_name, translate

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a text begins with that a spreadsheet takes for a formula (OWASP, CSV injection)."""

UNKNOWN = "none"
"""Folder, in the zip of sorted photos, of those that show no known class."""

COMPRESSED = 4
"""How many times smaller a photo is in the zip that it came in if it is worth compressing again."""


def model_choices(language: str = "en") -> list[tuple[str, str]]:
    """Return title and name of each model for the drop-down."""
    return [(answers.model_title(model, language), model.name) for model in MODELS.all()]


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
    return render.answer(Answer(prediction, MODELS.get(model) or Model(model), key, turned), language)


async def choose_model(model: str, request: gr.Request, progress: gr.Progress = gr.Progress(track_tqdm=True)) -> Any:
    """Load a model just chosen, downloading it if need be, and return the choices with its problem, if any."""
    language = _language(request)
    answers.check_known(model, language)
    progress(None, desc=translate("loading", language, model=model))
    with suppress(gr.Error):  # the choices say what is wrong
        await answers.load(model, language)
    return gr.update(choices=model_choices(language))


async def show_explanation(photo: Upload, asked: Any, model: str, request: gr.Request) -> dict[str, Any] | None:
    """Return the photo under its Grad-CAM heat, the photo itself, and what the heat is of; nothing if it fails."""
    language = _language(request)
    if answers.is_gone(photo):
        return {"gone": True, "key": _key(photo), "asked": asked}
    try:
        explanation = await answers.explain(photo, asked if isinstance(asked, str) else "", model, language)
    except gr.Error:
        return None  # what is wrong with the photo stands in place of its answer
    return {
        "key": _key(photo),
        "model": model,
        "asked": asked,
        "label": explanation.label,
        "name": flower_name(explanation.label, language),
        "overlay": render.data_url(explanation.overlay),
        "photo": render.data_url(explanation.image),
    }


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
    try:
        photos = await answers.collect(files, language)
        classifier = await answers.load(model, language)
    except gr.Error as error:
        yield render.problem(_title(error, language), str(error.message)), "", _hidden(), _hidden()
        return
    yield render.progress(0, len(photos), language), "", _hidden(), _hidden()
    rows: list[batch.Row] = []
    async for row in answers.classify_each(classifier, photos, thumbnails=True):
        rows.append(row)
        if len(rows) % BATCH_SIZE == 0:
            yield render.progress(len(rows), len(photos), language), *[gr.skip()] * 3
    words = [_in_words(row, language) for row in rows]
    problems = {PurePosixPath(row.name).name: said for row, said in zip(rows, words, strict=True) if row.problem}
    predictions = [row.prediction for row in rows if row.prediction]
    cards = [
        (PurePosixPath(row.name).name, said, render.data_url(row.thumbnail))
        for row, said in zip(rows, words, strict=True)
        if row.thumbnail
    ]
    with tempfile.TemporaryDirectory() as folder:  # Gradio copies the files
        table_file, sorted_photos = Path(folder) / "flowers.csv", Path(folder) / "flowers.zip"
        write_csv(rows, classifier.config.labels, table_file)
        write_sorted(photos, rows, sorted_photos)
        yield (
            render.summary(predictions, problems, language),
            render.photos(cards),
            gr.update(value=str(table_file), visible=True),
            gr.update(value=str(sorted_photos), visible=bool(predictions)),
        )


def cancel(request: gr.Request) -> str:
    """Return what is shown after many photos were cancelled."""
    return render.hint(translate("cancelled", _language(request)))


async def show_model(model: str, request: gr.Request) -> list[Any]:
    """Return the description of a model, its figures, its card and its layers."""
    return await about.describe_model(MODELS.get(model), _language(request))


def write_csv(rows: Sequence[batch.Row], labels: Sequence[str], file: Path) -> None:
    """Write a line a photo, with a byte order mark, by which Excel knows UTF-8.

    Args:
        rows: of the photos.
        labels: of the model.
        file: to write; a photo's name that is no Unicode is written with backslashes.
    """
    with file.open("w", newline="", encoding="utf-8-sig", errors="backslashreplace") as output:
        lines = [_csv_line(row, labels) for row in rows]
        writer = csv.writer(output)
        writer.writerow(map(_cell, lines[0]))
        writer.writerows(map(_cell, line.values()) for line in lines)


def write_sorted(photos: Sequence[batch.PhotoFile], rows: Sequence[batch.Row], file: Path) -> None:
    """Write the photos that were named into a zip, each in the folder of its answer; a name that occurs twice gets a
    number.

    At most about twice the bytes that the visitor sent are written: what would not fit is left out.

    Args:
        photos: as they came.
        rows: of the same photos.
        file: to write.
    """
    folders = _folders_of(rows)
    sent = {photo.path for photo in photos}
    budget = 2 * sum(path.stat().st_size for path in sent if path.exists()) + 1_000_000
    written, names = 0, set[str]()
    with ZipFile(file, "w", ZIP_STORED) as archive:
        for photo, row in zip(photos, rows, strict=True):
            if row.prediction is None:  # its row says why
                continue
            path = PurePosixPath(batch.printable(photo.name).replace("\\", "/"))
            folder = folders[row.prediction.label if row.prediction.in_distribution else None]
            name, number = f"{folder}/{_safe(path.name)}", 1
            while name.lower() in names:
                number += 1
                name = f"{folder}/{_safe(path.stem)} ({number}){path.suffix}"
            member = photo.member
            small = member is not None and member.file_size > COMPRESSED * max(1, member.compress_size)
            with suppress(InvalidImage, OSError):
                content = photo.content()
                size = member.compress_size if small and member is not None else len(content)
                if written + size > budget:
                    continue
                archive.writestr(name, content, ZIP_DEFLATED if small else ZIP_STORED, compresslevel=1)
                written += size
                names.add(name.lower())


def _folders_of(rows: Sequence[batch.Row]) -> dict[str | None, str]:
    """Return the folder of each label, and under None that of photos that show none: safe names, each once."""
    folders: dict[str | None, str] = {}
    labels = sorted({row.prediction.label for row in rows if row.prediction})
    for label, name in [*((label, _safe(label)) for label in labels), (None, UNKNOWN)]:
        taken = {folder.lower() for folder in folders.values()}
        while name.lower() in taken:
            name += "_"
        folders[label] = name
    return folders


def _safe(name: str) -> str:
    """Return a name that is one entry below its folder in any zip and on any system."""
    name = re.sub(r'[\x00-\x1f<>:"/\\|?*]', "_", name).rstrip(". ")
    return name or "_"


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


def _cell(value: object) -> object:
    """Return a value for a CSV file: a text that a spreadsheet would take for a formula begins with an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _csv_line(row: batch.Row, labels: Sequence[str]) -> dict[str, Any]:
    columns = {label: f"probability_{label}" for label in labels}  # a class may be called "photo"
    line = {"photo": row.name, **dict.fromkeys((*PREDICTION_FIELDS, *columns.values(), "problem"))}
    if row.prediction is None:
        return line | {"problem": row.problem}
    fields = row.prediction.fields()
    probabilities = fields.pop("probabilities")
    values = line | {columns[label]: probability for label, probability in probabilities.items()} | fields
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in values.items()}
