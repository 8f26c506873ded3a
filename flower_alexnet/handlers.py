"""What the page and its endpoints do: from what a component sends to what components show."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from flower_alexnet import LABELS, FlowerClassifier, InvalidImage, InvalidModel, Prediction, batch, catalog, dataset
from flower_alexnet import compare as comparison
from flower_alexnet import explain as explanation
from flower_alexnet.about import describe_model
from flower_alexnet.labels import flower_name
from flower_alexnet.translations import describe, preferred_language, translate

MODELS = {model.name: model for model in (*catalog.shipped_models(), *catalog.added_models())}
DEFAULT = next((model.name for model in MODELS.values() if model.problem is None), None)

MOST_PHOTOS = 500
"""How many photos are classified at once."""

PLOTS = ("confusion_matrix", "reliability", "training_curves")
"""Pictures of a model folder, which the page shows under the same names."""

COLUMNS = ("name", "answer", "percent")
"""Of the table of many photos."""

Photo = dict[str, Any] | None
"""A photo's file as the page sent it, already checked to be an upload: ``images.load`` judges what is in it."""


def example_photos() -> list[tuple[str, str]]:
    """The drawn pictures, and where ``$FLOWER_PHOTOS`` is set two test photos of each flower, with their labels."""
    examples = [(str(Path(__file__).resolve().parent.parent / "examples" / f"{label}.webp"), label) for label in LABELS]
    if folder := os.environ.get("FLOWER_PHOTOS"):
        with suppress(dataset.InvalidDataset):
            test = dataset.split(Path(folder))["test"]
            for index, label in enumerate(LABELS):
                examples += [(str(photo.path), label) for photo in test if photo.label == index][:2]
    return examples


EXAMPLES = example_photos()
"""Pictures to click on, with the label of each."""


def titles(language: str = "en") -> list[tuple[str, str]]:
    """What the list of models shows, and the names behind it."""
    return [(model.title(language), model.name) for model in MODELS.values()]


def flowers(language: str = "en") -> list[tuple[str, str]]:
    """What the list of flowers shows, and the labels behind it; the first is the model's own answer."""
    return [(translate("its_answer", language), ""), *((flower_name(label, language), label) for label in LABELS)]


def arrive(model: str, request: gr.Request) -> tuple[Any, Any, list[str]]:
    """A visitor comes, perhaps by a link that names a model -> the lists of models, flowers and examples."""
    wanted = request.query_params.get("model")
    chosen = wanted if wanted in MODELS else model
    language = language_of(request)
    names = [flower_name(label, language) for _, label in EXAMPLES]
    return gr.update(choices=titles(language), value=chosen), gr.update(choices=flowers(language)), names


def answer(photo: Photo, model: str, request: gr.Request) -> tuple[str, dict[str, float] | None, Any]:
    """The answer in words, and the probability of each flower; what was explained before is hidden."""
    hidden, language = gr.update(visible=False), language_of(request)
    if (known := MODELS.get(model)) and known.problem is not None:
        return f"## {translate('model_unavailable', language, model=model)}\n{known.problem}", None, hidden
    if not photo:
        return translate("hint", language), None, hidden
    prediction = predict(photo, model, language)
    return f"## {prediction.in_words(language)}", named(prediction, language), hidden


def choose(model: str, request: gr.Request, progress: gr.Progress = gr.Progress(track_tqdm=True)) -> Any:
    """Load a model just chosen, which may have to be downloaded -> the list of models, with what became of it."""
    language = language_of(request)
    check_known(model, language)
    progress(None, desc=translate("loading", language, model=model))
    try:
        catalog.load(model)
    except InvalidModel as error:
        MODELS[model] = replace(MODELS[model], problem=without_paths(error))
    else:
        MODELS[model] = replace(MODELS[model], problem=None)
    return gr.update(choices=titles(language))


def show_where(photo: Photo, model: str, label: str, request: gr.Request) -> tuple[Any, Any]:
    """The photo, and over it what speaks for a label."""
    language = language_of(request)
    explained = explain_photo(photo, label, model, language)
    return gr.update(visible=True), (explained.picture, explained.overlay)


def show_all(photo: Photo, request: gr.Request) -> tuple[Any, Any]:
    """The answers of all models, as a chart and as a table."""
    if not photo:
        return None, None
    language = language_of(request)
    answers = ask_all(photo, language)
    shares = [
        {"model": answer.model, "flower": flower_name(label, language), "probability": probability}
        for answer in answers
        if answer.prediction
        for label, probability in answer.prediction.probabilities.items()
    ]
    rows = [
        [answer.model, answer.prediction.in_words(language), round(answer.milliseconds or 0, 1)]
        if answer.prediction
        else [answer.model, without_paths(answer.problem), None]
        for answer in answers
    ]
    columns = [translate(key, language) for key in ("model", "answer", "milliseconds")]
    return pd.DataFrame(shares), pd.DataFrame(rows, columns=columns)


def show_many(
    files: list[dict[str, Any]] | None,
    model: str,
    request: gr.Request,
    progress: gr.Progress = gr.Progress(),
) -> Iterator[tuple[Any, ...]]:
    """How many photos are done, a gallery, a table, and in the end a file with the table."""
    language = language_of(request)
    photos = collect(files, language)
    classifier = load(model, language)
    gallery, table, lines = [], [], []
    for row in batch.classify(classifier, photos, thumbnails=True):
        said = row.prediction.in_words(language) if row.prediction else row.problem
        if row.thumbnail:
            gallery.append((row.thumbnail, f"{said} · {Path(row.name).name}"))
        probability = round(100 * row.prediction.probability, 1) if row.prediction else None
        table.append([row.name, said, probability])
        lines.append(csv_line(row))
        progress((len(lines), len(photos)))
        if len(lines) % batch.BATCH == 0:
            so_far = translate("done", language, done=len(lines), all=len(photos))
            yield so_far, gr.skip(), table_of(table, language), gr.update(value=None, interactive=False)
    done = translate("done", language, done=len(lines), all=len(photos))
    with tempfile.TemporaryDirectory() as folder:  # Gradio takes a copy of what is in it
        file = Path(folder) / "flowers.csv"
        with file.open("w", newline="", encoding="utf-8") as output:
            writer = csv.DictWriter(output, lines[0])
            writer.writeheader()
            writer.writerows(lines)
        yield (
            done,
            gr.update(value=gallery, visible=bool(gallery)),
            table_of(table, language),
            gr.update(value=str(file), interactive=True),
        )


def cancelled(request: gr.Request) -> str:
    """What is said when many photos were cancelled."""
    return translate("cancelled", language_of(request))


def show_model(model: str, request: gr.Request) -> list[Any]:
    """What there is to know of a model, and its plots."""
    nothing = [*[None for _ in PLOTS], ""]
    if (known := MODELS.get(model)) is None:
        return ["", *nothing]
    try:
        network = str(catalog.load(model).network)
    except InvalidModel as error:
        return [without_paths(error), *nothing]
    files = [known.folder / f"{plot}.png" if known.folder else None for plot in PLOTS]
    plots = [str(file) if file and file.is_file() else None for file in files]
    return [describe_model(known, language_of(request)), *plots, network]


# What programs can ask for.


def classify(image: Photo, model: str = DEFAULT or "") -> dict[str, float]:
    """Name the flower in a photo: how probable is each of daisy, dandelion, roses, sunflowers and tulips?

    Args:
        image: the photo.
        model: name of a model in the list.

    Returns:
        The probability, 0-1, of each of the five flowers.
    """
    return predict(image, model, "en").probabilities


def explain(image: Photo, label: str = "", model: str = DEFAULT or "") -> Any:
    """Show where in a photo the network looked (Grad-CAM): the photo with colours over it, yellow where it looked most.

    Args:
        image: the photo.
        label: what to look for: daisy, dandelion, roses, sunflowers or tulips; the model's own answer if empty.
        model: name of a model in the list.

    Returns:
        The photo with the colours over it.
    """
    return explain_photo(image, label, model, "en").overlay


def compare(image: Photo) -> list[dict[str, Any]]:
    """Ask every model which flower a photo shows.

    Args:
        image: the photo.

    Returns:
        A row for each model: its label, its probability (0-1), whether the photo looks like one of the five flowers,
        all five probabilities and the milliseconds it took, or the problem that kept it from answering.
    """
    return [
        {
            "model": answer.model,
            **result(answer.prediction, without_paths(answer.problem)),
            "milliseconds": answer.milliseconds,
        }
        for answer in ask_all(image, "en")
    ]


def classify_batch(files: list[dict[str, Any]] | None, model: str = DEFAULT or "") -> list[dict[str, Any]]:
    """Name the flower in each of many photos. A photo that cannot be used is a row that says why.

    Args:
        files: photos, and zips of photos; at most 500 in all.
        model: name of a model in the list.

    Returns:
        A row for each photo, in order: its name, its label, its probability (0-1), whether it looks like one of the
        five flowers and all five probabilities, or the problem with it.
    """
    photos = collect(files, "en")
    rows = batch.classify(load(model, "en"), photos)
    return [{"photo": row.name, **result(row.prediction, row.problem)} for row in rows]


# What both stand on.


def language_of(request: gr.Request) -> str:
    """The language of a visitor's browser."""
    return preferred_language(request.headers.get("accept-language"))


def named(prediction: Prediction, language: str) -> dict[str, float]:
    """The probability of each flower by the name that it has in a language."""
    return {flower_name(label, language): value for label, value in prediction.probabilities.items()}


def result(prediction: Prediction | None, problem: str | None) -> dict[str, Any]:
    """A prediction for programs, or the problem that there is instead."""
    if prediction is None:
        return {"problem": problem}
    return {
        "label": prediction.label,
        "probability": prediction.probability,
        "in_distribution": prediction.in_distribution,
        "probabilities": prediction.probabilities,
    }


def table_of(rows: list[list[Any]], language: str) -> pd.DataFrame:
    """The table of many photos."""
    return pd.DataFrame(rows, columns=[translate(key, language) for key in COLUMNS])


def csv_line(row: batch.Row) -> dict[str, Any]:
    """A photo's line in the file with the table."""
    line = {"photo": row.name, **dict.fromkeys(("label", "probability", "in_distribution", *LABELS, "problem"))}
    if row.prediction is None:
        return line | {"problem": row.problem}
    summary = result(row.prediction, None)
    return line | summary.pop("probabilities") | summary


def predict(photo: Photo, model: str, language: str) -> Prediction:
    """A model's answer to a photo, or what is wrong in words."""
    path = path_of(photo, language)
    classifier = load(model, language)
    with bad_photo_in_words(language):
        return classifier(path)


def explain_photo(photo: Photo, label: str, model: str, language: str) -> explanation.Explanation:
    """What in a photo speaks for a label, or what is wrong in words."""
    path = path_of(photo, language)
    classifier = load(model, language)
    try:
        with bad_photo_in_words(language):
            return explanation.explain(classifier, path, label or None)
    except ValueError as error:  # no such label
        raise gr.Error(str(error), print_exception=False) from None


def ask_all(photo: Photo, language: str) -> list[comparison.Answer]:
    """Every model's answer to a photo, or what is wrong in words."""
    path = path_of(photo, language)
    with bad_photo_in_words(language):
        return comparison.compare(path, MODELS)


def collect(files: list[dict[str, Any]] | None, language: str) -> list[batch.PhotoFile]:
    """The photos among files and in zips."""
    if not files:
        raise gr.Error(translate("no_files", language), print_exception=False)
    named_files = [(file.get("orig_name") or Path(file["path"]).name, Path(file["path"])) for file in files]
    try:
        return batch.collect(named_files, MOST_PHOTOS)
    except batch.TooManyPhotos:
        raise gr.Error(translate("too_many", language, most=MOST_PHOTOS), print_exception=False) from None


def load(model: str, language: str) -> FlowerClassifier:
    """A model in the list."""
    check_known(model, language)
    try:
        return catalog.load(model)
    except InvalidModel as error:
        title = translate("model_unavailable", language, model=model)
        raise gr.Error(without_paths(error), title=title, print_exception=False) from None


def without_paths(problem: object) -> str:
    """A problem with a model, told without where this server keeps its models."""
    return str(problem or "").replace(f"{catalog.WEIGHTS}{os.sep}", "")


def check_known(model: str, language: str) -> None:
    """Only models in the list can be asked for."""
    if not isinstance(model, str) or model not in MODELS:
        raise gr.Error(translate("no_such_model", language), print_exception=False)


def path_of(photo: Photo, language: str) -> str:
    """The file of a photo."""
    if not photo or not photo.get("path"):
        raise gr.Error(translate("no_photo", language), print_exception=False)
    return photo["path"]


@contextmanager
def bad_photo_in_words(language: str) -> Iterator[None]:
    """What is wrong with a photo is said as the page says it."""
    try:
        yield
    except InvalidImage as error:
        title = translate("bad_photo", language)
        raise gr.Error(describe(error, language), title=title, print_exception=False) from None
