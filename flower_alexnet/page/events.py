"""Event handlers of the page: from what a component sends to what components show."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from flower_alexnet import LABELS, InvalidModel, batch, dataset, registry
from flower_alexnet.classifier import load_classifier
from flower_alexnet.page import answers
from flower_alexnet.page.about import describe_model
from flower_alexnet.page.answers import MODELS, Photo, in_words, prediction_fields, without_paths
from flower_alexnet.page.language import preferred_language
from flower_alexnet.page.translations import flower_name, translate

PLOTS = ("confusion_matrix", "reliability", "training_curves")
"""Plots of a model folder; the texts of the page have the same keys."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a text begins with that a spreadsheet takes for a formula (OWASP, CSV injection)."""

COLUMNS = ("name", "answer", "percent")
"""Columns of the table of many photos."""


def example_photos() -> list[tuple[str, str]]:
    """List path and label of the drawn pictures and, if ``$FLOWER_PHOTOS`` is set, of two test photos a class."""
    folder = Path(__file__).resolve().parent.parent.parent / "examples"
    examples = [(str(folder / f"{label}.webp"), label) for label in LABELS]
    if photos := os.environ.get("FLOWER_PHOTOS"):
        with suppress(dataset.InvalidDataset):
            test = dataset.split(Path(photos))["test"]
            for index, label in enumerate(LABELS):
                examples += [(str(photo.path), label) for photo in test if photo.target == index][:2]
    return examples


EXAMPLES = example_photos()
"""Example photos to click on, with their labels."""


def model_choices(language: str = "en") -> list[tuple[str, str]]:
    """Return title and name of each model for the drop-down."""
    return [(answers.model_title(model, language), model.name) for model in MODELS.values()]


def load_page(model: str, request: gr.Request) -> tuple[Any, Any, list[str]]:
    """Return the choices of models and flowers and the names of the examples; ``?model=`` chooses a model."""
    wanted = registry.current_name(request.query_params.get("model") or "")
    chosen = wanted if wanted in MODELS else model
    language = _language(request)
    names = [flower_name(label, language) for _, label in EXAMPLES]
    labels = gr.update(choices=answers.label_choices(chosen, language), value="")
    return gr.update(choices=model_choices(language), value=chosen), labels, names


def answer(photo: Photo, model: str, request: gr.Request) -> tuple[str, str, dict[str, float] | None, Any]:
    """Return the key of photo and model, the answer in words, each label's probability, and the model's labels."""
    language, probabilities = _language(request), None
    if (known := MODELS.get(model)) and known.problem is not None:
        title = translate("model_unavailable", language, model=model)
        words = f"## {title}\n{without_paths(known.problem)}"
    elif not photo:
        words = translate("hint", language)
    else:
        prediction = answers.predict(photo, model, language)
        words = f"## {in_words(prediction, language)}"
        probabilities = {flower_name(label, language): value for label, value in prediction.probabilities.items()}
    labels = gr.update(choices=answers.label_choices(model, language), value="")
    return _key(photo, model), words, probabilities, labels


def choose_model(model: str, request: gr.Request, progress: gr.Progress = gr.Progress(track_tqdm=True)) -> Any:
    """Load a model just chosen, downloading it if need be, and return the choices with its problem, if any."""
    language = _language(request)
    answers.check_known(model, language)
    progress(None, desc=translate("loading", language, model=model))
    answers.try_to_load(model)
    return gr.update(choices=model_choices(language))


def show_explanation(photo: Photo, model: str, label: str, request: gr.Request) -> tuple[Any, Any]:
    """Return the key of photo and model, and the photo without and with its Grad-CAM heat."""
    explanation = answers.explain(photo, label, model, _language(request))
    return _key(photo, model), (explanation.image, explanation.overlay)


def show_all_models(photo: Photo, request: gr.Request) -> tuple[str, Any, Any]:
    """Return the key of the photo, and the answers of all models as a chart and as a table."""
    if not photo:
        return "", None, None
    language = _language(request)
    all_answers = answers.compare_models(photo, language)
    bars = [
        {"model": answer.model, "flower": flower_name(label, language), "probability": probability}
        for answer in all_answers
        if answer.prediction
        for label, probability in answer.prediction.probabilities.items()
    ]
    rows = [
        [answer.model, in_words(answer.prediction, language), round(answer.milliseconds or 0, 1)]
        if answer.prediction
        else [answer.model, without_paths(answer.problem), None]
        for answer in all_answers
    ]
    columns = [translate(key, language) for key in ("model", "answer", "milliseconds")]
    return _key(photo), pd.DataFrame(bars), pd.DataFrame(rows, columns=columns)


def show_many(
    files: list[dict[str, Any]] | None,
    model: str,
    request: gr.Request,
    progress: gr.Progress = gr.Progress(),
) -> Iterator[tuple[Any, ...]]:
    """Yield how many photos are done, a gallery, a table and, at the end, the table as a CSV file."""
    language = _language(request)
    photos = answers.collect(files, language)
    classifier = answers.load(model, language)
    gallery, table, lines = [], [], []
    for row in batch.classify(classifier, photos, thumbnails=True):
        words = in_words(row.prediction, language) if row.prediction else row.problem
        if row.thumbnail:
            gallery.append((row.thumbnail, f"{words} · {Path(row.name).name}"))
        probability = round(100 * row.prediction.probability, 1) if row.prediction else None
        table.append([row.name, words, probability])
        lines.append(_csv_line(row, classifier.config.labels))
        progress((len(lines), len(photos)))
        if len(lines) % batch.BATCH_SIZE == 0:
            so_far = translate("done", language, done=len(lines), all=len(photos))
            yield so_far, gr.skip(), _table(table, language), gr.update(value=None, interactive=False)
    done = translate("done", language, done=len(lines), all=len(photos))
    with tempfile.TemporaryDirectory() as folder:  # Gradio copies the file
        file = Path(folder) / "flowers.csv"
        # With a byte order mark, by which Excel knows UTF-8; a file's name may hold what is no Unicode.
        with file.open("w", newline="", encoding="utf-8-sig", errors="backslashreplace") as output:
            writer = csv.writer(output)
            writer.writerow(map(_cell, lines[0]))
            writer.writerows(map(_cell, line.values()) for line in lines)
        yield (
            done,
            gr.update(value=gallery, visible=bool(gallery)),
            _table(table, language),
            gr.update(value=str(file), interactive=True),
        )


def cancel(request: gr.Request) -> str:
    """Return the text shown after many photos were cancelled."""
    return translate("cancelled", _language(request))


def show_model(model: str, request: gr.Request) -> list[Any]:
    """Return the description of a model, its plots and its layers."""
    nothing = [*[None for _ in PLOTS], ""]
    if (known := MODELS.get(model)) is None:
        return ["", *nothing]
    try:
        network = str(load_classifier(model).network)
    except InvalidModel as error:
        return [without_paths(error), *nothing]
    files = [known.folder / f"{plot}.png" if known.folder else None for plot in PLOTS]
    plots = [str(file) if file and file.is_file() else None for file in files]
    return [describe_model(known, _language(request)), *plots, network]


def _key(photo: Photo, model: str = "") -> str:
    """Return what an answer belongs to, as app.py's SHOW_CURRENT computes it."""
    return f"{model} {(photo or {}).get('path') or ''}"


def _language(request: gr.Request) -> str:
    return preferred_language(request.headers.get("accept-language"))


def _table(rows: list[list[Any]], language: str) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[translate(key, language) for key in COLUMNS])


def _cell(value: object) -> object:
    """Return a value for a CSV file: a text that a spreadsheet would take for a formula begins with an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _csv_line(row: batch.Row, labels: Sequence[str]) -> dict[str, Any]:
    answer = ("label", "probability", "in_distribution", "in_distribution_probability")
    line = {"photo": row.name, **dict.fromkeys((*answer, *labels, "problem"))}
    if row.prediction is None:
        return line | {"problem": row.problem}
    fields = prediction_fields(row.prediction, None)
    return line | fields.pop("probabilities") | fields
