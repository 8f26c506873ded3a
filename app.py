"""The Space: a page that names the flower in a photo."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

# Before Gradio and torch are imported, which read them. What is uploaded goes into a folder of this process alone.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("GOMP_SPINCOUNT", "0")  # threads that wait for a layer to be done leave the core to visitors
UPLOADS = tempfile.TemporaryDirectory(prefix="flower_alexnet-")
os.environ.setdefault("GRADIO_TEMP_DIR", UPLOADS.name)

import gradio as gr
from starlette.middleware import Middleware

from flower_alexnet import handlers
from flower_alexnet.guard import MAX_FILE, Guard
from flower_alexnet.handlers import DEFAULT, EXAMPLES, MODELS, PLOTS, flowers, titles
from flower_alexnet.translations import TEXTS

AT_ONCE = {"concurrency_limit": 16, "concurrency_id": "answers"}
"""Visitors whose photos are looked at together; their forward passes are shared."""

HEAVY_AT_ONCE = {"concurrency_limit": 4, "concurrency_id": "heavy"}
"""Visitors who ask for more than an answer: none waits for another's hundreds of photos."""

MOST_WAITING = 256
"""Visitors who may wait for their turn; who comes then is told that the page is busy."""

DELETE_CACHE = (600, 3000)
"""Every 600 s, what was uploaded or made more than 3,000 s ago is deleted: within the hour."""

THEME = gr.themes.Soft(
    primary_hue="green",
    font=["system-ui", "sans-serif"],  # the visitor's own fonts: no request to another host
    font_mono=["ui-monospace", "monospace"],
).set(  # text that stands out from what is behind it, at least 4.5:1
    block_label_text_color="*primary_800",
    block_title_text_color="*primary_800",
    block_info_text_color="*neutral_600",
    body_text_color_subdued="*neutral_600",
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    color_accent="*primary_700",
    block_label_background_fill_dark="*primary_700",
    block_title_background_fill_dark="*primary_700",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover_dark="*primary_800",
    button_secondary_background_fill_hover_dark="*neutral_500",
    link_text_color_dark="*secondary_300",
)
CSS = """
.dark { --color-accent: var(--primary-400); }
#gallery .fixed-height { min-height: 0; }
@media (max-width: 640px) { #examples .gallery-item { --size-20: 52px; } }
"""
I18N = gr.I18n(**TEXTS)

SHARE_MODEL = "(model) => { const url = new URL(location); url.searchParams.set('model', model); \
history.replaceState(null, '', url); }"
"""Puts the chosen model into the page's address."""

SHOW_ANSWER = "(photo) => { if (photo && innerWidth <= 640) \
document.getElementById('words').scrollIntoView({block: 'center', behavior: 'smooth'}); }"
"""On a phone the answer is below the photo."""

NAME_EXAMPLES = "(names) => document.querySelectorAll('#examples .gallery-item').forEach( \
(button, index) => button.ariaLabel = names[index])"
"""Gives the pictures to click on their names, for those who cannot see them."""


def build() -> gr.Blocks:
    """The page, not yet served."""
    with gr.Blocks(title="Flower AlexNet", delete_cache=DELETE_CACHE) as page:
        gr.Markdown(I18N("heading"))
        with gr.Row():
            with gr.Column(scale=4, min_width=300):
                photo = gr.Image(
                    label=I18N("photo"),
                    sources=["upload", "webcam", "clipboard"],
                    webcam_options=gr.WebcamOptions(
                        mirror=False, constraints={"video": {"facingMode": {"ideal": "environment"}}}
                    ),
                    height=320,
                )
                gr.Examples(
                    [path for path, _ in EXAMPLES],
                    photo,
                    label=I18N("examples"),
                    elem_id="examples",
                    examples_per_page=20,
                )
                model = gr.Dropdown(titles(), value=DEFAULT, label=I18N("model"), info=I18N("model_info"))
                classify_button = gr.Button(I18N("classify"), variant="primary")
            with gr.Column(scale=5, min_width=300), gr.Tabs():
                with gr.Tab(I18N("answer")):
                    words = gr.Markdown(I18N("hint"), elem_id="words")
                    bars = gr.Label(label=I18N("flower"), num_top_classes=5, show_heading=False)
                    where_button = gr.Button(I18N("where"))
                    with gr.Column(visible=False) as where:
                        speaks_for = gr.Dropdown(flowers(), value="", label=I18N("what_speaks_for"))
                        slider = gr.ImageSlider(label=I18N("where"), format="jpeg", max_height=400, interactive=False)
                        gr.Markdown(I18N("where_info"))
                with gr.Tab(I18N("all_models")) as all_models:
                    compare_button = gr.Button(I18N("compare"))
                    chart = gr.BarPlot(
                        x="model", y="probability", color="flower", x_title="", y_title="", y_lim=[0, 1], height=260
                    )
                    answers = gr.Dataframe(interactive=False, wrap=True)
                with gr.Tab(I18N("many_photos")):
                    files = gr.File(
                        label=I18N("files"), file_count="multiple", file_types=["image", ".zip"], height=160
                    )
                    with gr.Row():
                        classify_all_button = gr.Button(I18N("classify_all"), variant="primary")
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
                with gr.Tab(I18N("about")):
                    about = gr.Markdown()
                    plots = []
                    for plot in PLOTS:
                        with gr.Accordion(I18N(plot)):
                            plots.append(gr.Image(show_label=False, interactive=False, alt_text=I18N(plot)))
                    with gr.Accordion(I18N("layers"), open=False):
                        layers = gr.Code(show_label=False, interactive=False)
        gr.Markdown(I18N("privacy"))

        asked, answered = [photo, model], [words, bars, where]
        said = gr.on(
            [photo.change, classify_button.click],
            handlers.answer,
            asked,
            answered,
            **private(show_progress_on=bars, **AT_ONCE),
        )
        said.then(None, photo, None, js=SHOW_ANSWER)
        names = gr.JSON(visible=False)
        arrived = page.load(handlers.arrive, model, [model, speaks_for, names], **private())
        arrived.then(None, names, None, js=NAME_EXAMPLES)
        # Who waits for a download does not hold up the others.
        chosen = model.input(handlers.choose, model, model, **private(show_progress_on=bars, concurrency_limit=8))
        chosen.then(handlers.answer, asked, answered, **private(show_progress_on=bars, **AT_ONCE))
        for event in (arrived, chosen):
            event.then(handlers.show_model, model, [about, *plots, layers], **private())
        model.change(None, model, None, js=SHARE_MODEL)

        gr.on(
            [where_button.click, speaks_for.input],
            handlers.show_where,
            [*asked, speaks_for],
            [where, slider],
            **private(show_progress_on=slider, **HEAVY_AT_ONCE),
        )
        gr.on(
            [all_models.select, compare_button.click],
            handlers.show_all,
            photo,
            [chart, answers],
            **private(**HEAVY_AT_ONCE),
        )
        photo.change(None, None, [chart, answers], js="() => [null, null]")

        running = classify_all_button.click(
            handlers.show_many,
            [files, model],
            [done, gallery, table, download],
            **private(show_progress_on=gallery, **HEAVY_AT_ONCE),
        )
        stopped = cancel_button.click(None, cancels=running, **private(queue=False))
        stopped.then(handlers.cancelled, None, done, **private(queue=False))

        # For programs, which want no words and English names.
        with gr.Row(visible=False):
            label = gr.Textbox("")
            overlay = gr.Image(format="jpeg")
            rows = gr.JSON()
            call = gr.Button()
        for endpoint, inputs, output, limit in (
            (handlers.classify, asked, bars, AT_ONCE),
            (handlers.explain, [photo, label, model], overlay, HEAVY_AT_ONCE),
            (handlers.compare, photo, rows, HEAVY_AT_ONCE),
            (handlers.classify_batch, [files, model], rows, HEAVY_AT_ONCE),
        ):
            call.click(endpoint, inputs, output, api_name=endpoint.__name__, preprocess=False, **limit)
    return page


def private(**options: Any) -> dict[str, Any]:
    """Options of an event of the page alone: not for programs, and with its photo's file as it came."""
    return {"api_visibility": "private", "preprocess": False, "show_progress": "minimal", **options}


def sweep(page: gr.Blocks) -> None:
    """Delete for ever what ``delete_cache`` does not know of, such as pictures that language models send as text."""
    frequency, age = DELETE_CACHE
    uploads = Path(os.environ["GRADIO_TEMP_DIR"])
    kept = {file for block in page.blocks.values() for file in block.keep_in_cache}
    while True:
        time.sleep(frequency)
        for path in sorted(uploads.rglob("*"), reverse=True):  # files before their folders
            with suppress(OSError):  # deleted meanwhile, or a folder that is not empty
                if str(path) not in kept and time.time() - path.stat().st_ctime > age:
                    path.rmdir() if path.is_dir() else path.unlink()


def launch(**options: Any) -> gr.Blocks:
    """Serve the page."""
    page = build()
    threading.Thread(target=sweep, args=(page,), daemon=True).start()
    cards = [str(model.folder / "README.md") for model in MODELS.values() if model.folder]
    endpoints = [event.api_name for event in page.fns.values() if event.api_visibility == "public"]
    page.queue(max_size=MOST_WAITING)
    page.launch(
        theme=THEME,
        css=CSS,
        i18n=I18N,
        mcp_server=True,
        allowed_paths=cards,
        max_file_size=MAX_FILE,
        app_kwargs={"middleware": [Middleware(Guard, endpoints=endpoints)]},
        enable_monitoring=False,
        run_history=False,  # which would keep visitors' photos in their browsers
        **options,
    )
    return page


if __name__ == "__main__":
    launch()
