"""The Space: a page that names the flower in a photo."""

from __future__ import annotations

import os
import tempfile
from types import SimpleNamespace
from typing import Any

# Before Gradio and torch are imported, which read them. Uploads go into a folder of this process alone.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("GOMP_SPINCOUNT", "0")  # threads that wait for a layer to be done leave the core to others
UPLOADS = tempfile.TemporaryDirectory(prefix="flower_alexnet-")
os.environ.setdefault("GRADIO_TEMP_DIR", UPLOADS.name)

import gradio as gr
from starlette.middleware import Middleware

from flower_alexnet.page import api, events, uploads
from flower_alexnet.page.answers import DEFAULT, MODELS
from flower_alexnet.page.guard import MAX_FILE, Guard
from flower_alexnet.page.theme import CSS, THEME
from flower_alexnet.page.translations import TEXTS

ANSWER_LIMIT = {"concurrency_limit": 16, "concurrency_id": "answers"}
"""Photos classified at the same time; their forward passes are shared."""

HEAVY_LIMIT = {"concurrency_limit": 4, "concurrency_id": "heavy"}
"""Explanations, comparisons and batches at the same time; answers do not wait for them."""

MAX_QUEUE = 256
"""Requests that may wait; later ones are told that the page is busy."""

I18N = gr.I18n(**TEXTS)

SHARE_MODEL = "(model) => { const url = new URL(location); url.searchParams.set('model', model); \
history.replaceState(null, '', url); }"
"""Puts the chosen model into the page's address."""

SHOW_ANSWER = "(photo) => { if (photo && innerWidth <= 640) \
document.getElementById('words').scrollIntoView({block: 'center', behavior: 'smooth'}); }"
"""Scrolls to the answer on a phone, where it is below the photo."""

NAME_EXAMPLES = "(names) => document.querySelectorAll('#examples .gallery-item').forEach( \
(button, index) => button.ariaLabel = names[index])"
"""Names the example photos for screen readers."""


def build() -> gr.Blocks:
    """Build the page: the photo on the left, four tabs on the right, then what happens on each event."""
    with gr.Blocks(title="Flower AlexNet", delete_cache=uploads.DELETE_CACHE) as page:
        gr.Markdown(I18N("heading"))
        with gr.Row():
            with gr.Column(scale=4, min_width=300):
                photo, model, classify_button = photo_column()
            with gr.Column(scale=5, min_width=300), gr.Tabs():
                answer = answer_tab()
                comparison = all_models_tab()
                many = many_photos_tab()
                about = about_tab()
        gr.Markdown(I18N("privacy"))

        on_answer(photo, model, classify_button, answer)
        on_model(page, model, photo, answer, about)
        on_comparison(photo, comparison)
        on_many_photos(model, many)
        endpoints(photo, model, answer, many)
    return page


def photo_column() -> tuple[gr.Image, gr.Dropdown, gr.Button]:
    """Lay out the photo, the examples and the list of models."""
    photo = gr.Image(
        label=I18N("photo"),
        sources=["upload", "webcam", "clipboard"],
        webcam_options=gr.WebcamOptions(mirror=False, constraints={"video": {"facingMode": {"ideal": "environment"}}}),
        height=320,
    )
    gr.Examples(
        [path for path, _ in events.EXAMPLES],
        photo,
        label=I18N("examples"),
        elem_id="examples",
        examples_per_page=20,
    )
    model = gr.Dropdown(events.model_choices(), value=DEFAULT, label=I18N("model"), info=I18N("model_info"))
    return photo, model, gr.Button(I18N("classify"), variant="primary")


def answer_tab() -> SimpleNamespace:
    """Lay out the answer, the probabilities, and where the network looked."""
    with gr.Tab(I18N("answer")):
        words = gr.Markdown(I18N("hint"), elem_id="words")
        bars = gr.Label(label=I18N("flower"), num_top_classes=5, show_heading=False)
        button = gr.Button(I18N("where"))
        with gr.Column(visible=False) as explanation:
            label = gr.Dropdown(events.label_choices(), value="", label=I18N("label_to_explain"))
            slider = gr.ImageSlider(label=I18N("where"), format="jpeg", max_height=400, interactive=False)
            gr.Markdown(I18N("where_info"))
    return SimpleNamespace(words=words, bars=bars, button=button, explanation=explanation, label=label, slider=slider)


def all_models_tab() -> SimpleNamespace:
    """Lay out the answers of all models side by side."""
    with gr.Tab(I18N("all_models")) as tab:
        button = gr.Button(I18N("compare"))
        chart = gr.BarPlot(x="model", y="probability", color="flower", x_title="", y_title="", y_lim=[0, 1], height=260)
        table = gr.Dataframe(interactive=False, wrap=True)
    return SimpleNamespace(tab=tab, button=button, chart=chart, table=table)


def many_photos_tab() -> SimpleNamespace:
    """Lay out many photos: the upload, the progress, a gallery and a table."""
    with gr.Tab(I18N("many_photos")):
        files = gr.File(label=I18N("files"), file_count="multiple", file_types=["image", ".zip"], height=160)
        with gr.Row():
            button = gr.Button(I18N("classify_all"), variant="primary")
            cancel_button = gr.Button(I18N("cancel"))
        done = gr.Markdown()
        gallery = gr.Gallery(
            label=I18N("gallery"),
            elem_id="gallery",
            columns=3,
            height="auto",
            format="jpeg",
            interactive=False,
            visible=False,
        )
        table = gr.Dataframe(interactive=False, wrap=True, max_height=400)
        download = gr.DownloadButton(I18N("download"), interactive=False)
    return SimpleNamespace(
        files=files,
        button=button,
        cancel_button=cancel_button,
        done=done,
        gallery=gallery,
        table=table,
        download=download,
    )


def about_tab() -> list[gr.Component]:
    """Lay out the description of the model, its plots and its layers."""
    with gr.Tab(I18N("about")):
        description = gr.Markdown()
        plots = []
        for plot in events.PLOTS:
            with gr.Accordion(I18N(plot)):
                plots.append(gr.Image(show_label=False, interactive=False, alt_text=I18N(plot)))
        with gr.Accordion(I18N("layers"), open=False):
            layers = gr.Code(show_label=False, interactive=False)
    return [description, *plots, layers]


def on_answer(photo: gr.Image, model: gr.Dropdown, classify_button: gr.Button, answer: SimpleNamespace) -> None:
    """Answer when the photo changes, and explain when asked to."""
    answered = gr.on(
        [photo.change, classify_button.click],
        events.answer,
        [photo, model],
        [answer.words, answer.bars, answer.explanation],
        **private(show_progress_on=answer.bars, **ANSWER_LIMIT),
    )
    answered.then(None, photo, None, js=SHOW_ANSWER)
    gr.on(
        [answer.button.click, answer.label.input],
        events.show_explanation,
        [photo, model, answer.label],
        [answer.explanation, answer.slider],
        **private(show_progress_on=answer.slider, **HEAVY_LIMIT),
    )


def on_model(
    page: gr.Blocks, model: gr.Dropdown, photo: gr.Image, answer: SimpleNamespace, about: list[gr.Component]
) -> None:
    """Translate the choices when the page loads; load, ask and describe a model when it is chosen."""
    names = gr.JSON(visible=False)
    loaded = page.load(events.load_page, model, [model, answer.label, names], **private())
    loaded.then(None, names, None, js=NAME_EXAMPLES)
    # A download of one visitor does not hold up the others.
    chosen = model.input(
        events.choose_model, model, model, **private(show_progress_on=answer.bars, concurrency_limit=8)
    )
    chosen.then(
        events.answer,
        [photo, model],
        [answer.words, answer.bars, answer.explanation],
        **private(show_progress_on=answer.bars, **ANSWER_LIMIT),
    )
    for event in (loaded, chosen):
        event.then(events.show_model, model, about, **private())
    model.change(None, model, None, js=SHARE_MODEL)


def on_comparison(photo: gr.Image, comparison: SimpleNamespace) -> None:
    """Ask all models when their tab is opened, and forget their answers when the photo changes."""
    outputs = [comparison.chart, comparison.table]
    gr.on(
        [comparison.tab.select, comparison.button.click],
        events.show_all_models,
        photo,
        outputs,
        **private(**HEAVY_LIMIT),
    )
    photo.change(None, None, outputs, js="() => [null, null]")


def on_many_photos(model: gr.Dropdown, many: SimpleNamespace) -> None:
    """Classify many photos, or stop doing so."""
    running = many.button.click(
        events.show_many,
        [many.files, model],
        [many.done, many.gallery, many.table, many.download],
        **private(show_progress_on=many.gallery, **HEAVY_LIMIT),
    )
    stopped = many.cancel_button.click(None, cancels=running, **private(queue=False))
    stopped.then(events.cancel, None, many.done, **private(queue=False))


def endpoints(photo: gr.Image, model: gr.Dropdown, answer: SimpleNamespace, many: SimpleNamespace) -> None:
    """Offer the endpoints for programs; they answer in English and by labels."""
    with gr.Row(visible=False):
        label = gr.Textbox("")
        overlay = gr.Image(format="jpeg")
        rows = gr.JSON()
        button = gr.Button()
    for endpoint, inputs, output, limit in (
        (api.classify, [photo, model], answer.bars, ANSWER_LIMIT),
        (api.explain, [photo, label, model], overlay, HEAVY_LIMIT),
        (api.compare, photo, rows, HEAVY_LIMIT),
        (api.classify_batch, [many.files, model], rows, HEAVY_LIMIT),
    ):
        button.click(endpoint, inputs, output, api_name=endpoint.__name__, preprocess=False, **limit)


def private(**options: Any) -> dict[str, Any]:
    """Return the options of an event of the page that programs cannot call; its photo comes as an unread file."""
    return {"api_visibility": "private", "preprocess": False, "show_progress": "minimal", **options}


def launch(**options: Any) -> gr.Blocks:
    """Serve the page."""
    page = build()
    uploads.start_sweeping(page)
    cards = [str(model.folder / "README.md") for model in MODELS.values() if model.folder]
    public = [event.api_name for event in page.fns.values() if event.api_visibility == "public"]
    page.queue(max_size=MAX_QUEUE)
    page.launch(
        theme=THEME,
        css=CSS,
        i18n=I18N,
        mcp_server=True,
        allowed_paths=cards,
        max_file_size=MAX_FILE,
        app_kwargs={"middleware": [Middleware(Guard, endpoints=public)]},
        enable_monitoring=False,
        run_history=False,  # which would keep visitors' photos in their browsers
        **options,
    )
    return page


if __name__ == "__main__":
    launch()
