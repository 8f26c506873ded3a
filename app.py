"""The Space: a page that names the flower in a photo."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# Before Gradio and torch are imported, which read them.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("GOMP_SPINCOUNT", "0")  # threads that wait for a layer to be done leave the core to others
# The page's requests to itself do not go through a proxy.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(
    [*filter(None, [os.environ.get("no_proxy") or os.environ.get("NO_PROXY")]), "localhost", "127.0.0.1", "::1"]
)
from page import uploads

UPLOADS = uploads.make_folder()

import gradio as gr
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from page import answers, api, events, examples
from page.answers import DEFAULT, MODELS
from page.arguments import Arguments
from page.guard import MAX_FILE, Guard
from page.language import Localize
from page.theme import CSS, THEME
from page.translations import TEXTS

ANSWER_LIMIT = {"concurrency_limit": 16, "concurrency_id": "answers"}
"""Photos classified at the same time; their forward passes are shared."""

HEAVY_LIMIT = {"concurrency_limit": 4, "concurrency_id": "heavy"}
"""Explanations, comparisons and batches at the same time; answers do not wait for them."""

MAX_QUEUE = 256
"""Requests that may wait; later ones are told that the page is busy."""

I18N = gr.I18n(**TEXTS)

HEADER = """<svg aria-hidden="true" width="40" height="40" viewBox="0 0 34 34"><g fill="#d6245f" fill-opacity="0.85">
<ellipse cx="17" cy="8" rx="5" ry="8"/><ellipse cx="17" cy="8" rx="5" ry="8" transform="rotate(60 17 17)"/>
<ellipse cx="17" cy="8" rx="5" ry="8" transform="rotate(120 17 17)"/>
<ellipse cx="17" cy="8" rx="5" ry="8" transform="rotate(180 17 17)"/>
<ellipse cx="17" cy="8" rx="5" ry="8" transform="rotate(240 17 17)"/>
<ellipse cx="17" cy="8" rx="5" ry="8" transform="rotate(300 17 17)"/></g>
<circle cx="17" cy="17" r="5.5" fill="#e0a800"/></svg><div><h1>Flower AlexNet</h1><p id="tagline"></p></div>"""

PAGE_SCRIPT = (Path(events.__file__).parent / "page.js").read_text(encoding="utf-8")
"""What runs in the visitor's browser; the components below call its functions when they are there."""


def build() -> gr.Blocks:
    """Build the page: four tabs, then what happens on each event."""
    with gr.Blocks(title="Flower AlexNet", delete_cache=uploads.DELETE_CACHE) as page:
        gr.HTML(
            HEADER, elem_id="header", js_on_load="document.getElementById('tagline').textContent = flowerTexts.tagline"
        )
        with gr.Tabs():
            photo, heat, answer, model = photo_tab()
            many = many_photos_tab()
            comparison = models_tab()
            about = about_tab()
        footer()

        on_photo(photo, model, answer, heat)
        on_model(page, photo, model, answer, about)
        on_comparison(photo, comparison)
        on_many_photos(model, many)
        endpoints()
    return page


def photo_tab() -> tuple[gr.HTML, gr.HTML, gr.HTML, gr.Dropdown]:
    """Lay out the photo beside its answer; the list of models is below the answer."""
    with gr.Tab(I18N("tab_photo")), gr.Row(elem_classes="columns", equal_height=False):
        with gr.Column(min_width=300, elem_classes="photo"):
            photo = drawn("stage(element, trigger, props, upload)", "photo")
            heat = drawn("heat(element, trigger, props, watch)", "heat", visible="hidden")
        with gr.Column(min_width=300, elem_classes="card"):
            answer = drawn("answer(element, trigger, props, watch)", "answer")
            model = gr.Dropdown(events.model_choices(), value=DEFAULT, label=I18N("model"), elem_id="model")
        drawn("strips(element)", "strips")
    return photo, heat, answer, model


def many_photos_tab() -> SimpleNamespace:
    """Lay out many photos: the upload, how far it is, a summary, files to take away, and the photos with answers."""
    with gr.Tab(I18N("many_photos")), gr.Column(elem_id="many"):
        files = gr.File(label=I18N("files"), file_count="multiple", height=170, elem_id="files")
        status = gr.HTML(elem_id="status", js_on_load="flowerPage.hint(element, props, 'many_hint')")
        cancel_button = gr.Button(I18N("cancel"), visible=False)
        with gr.Row():
            download = gr.DownloadButton(I18N("download"), visible=False)
            sorted_photos = gr.DownloadButton(I18N("download_zip"), visible=False)
        photos = gr.HTML(elem_id="photos")
    return SimpleNamespace(
        files=files,
        status=status,
        cancel_button=cancel_button,
        outputs=[status, photos, download, sorted_photos],
    )


def models_tab() -> SimpleNamespace:
    """Lay out the answers of all models."""
    with gr.Tab(I18N("models")) as tab:
        answers_of_models = gr.HTML(elem_id="models", js_on_load="flowerPage.models(element, trigger, props)")
    return SimpleNamespace(tab=tab, answers=answers_of_models)


def about_tab() -> SimpleNamespace:
    """Lay out what the chosen model is, its figures, its card and its layers."""
    with gr.Tab(I18N("about")) as tab, gr.Column(elem_id="about"):
        description = gr.HTML()
        with gr.Accordion(I18N("recall"), open=False):
            confusion = gr.HTML()
        with gr.Accordion(I18N("reliability"), open=False):
            reliability = gr.HTML()
        with gr.Accordion(I18N("training_curves"), open=False):
            curves = gr.LinePlot(
                x="epoch", y="accuracy", color="photos", color_title="", y_lim=[0, 100], height=260, show_label=False
            )
        with gr.Accordion(I18N("card"), open=False):
            card = gr.Markdown()
        with gr.Accordion(I18N("layers"), open=False):
            layers = gr.HTML()
    return SimpleNamespace(tab=tab, outputs=[description, confusion, reliability, curves, card, layers])


def footer() -> None:
    """Lay out what becomes of photos, and who made those of the page."""
    with gr.Column(elem_id="footer"):
        gr.Markdown(I18N("privacy"))
        with gr.Accordion(I18N("credits"), open=False):
            gr.Markdown((examples.FOLDER / "CREDITS.md").read_text(encoding="utf-8").partition("\n")[2])


def drawn(call: str, elem_id: str, **options: Any) -> gr.HTML:
    """Return a component that a function of ``page.js`` draws."""
    return gr.HTML(
        None,
        html_template="",
        js_on_load=f"flowerPage.{call}",
        elem_id=elem_id,
        apply_default_css=False,
        **options,
    )


def on_photo(photo: gr.HTML, model: gr.Dropdown, answer: gr.HTML, heat: gr.HTML) -> None:
    """Answer when a photo is there, and explain when asked to."""
    # Past Gradio's queue, which takes longer than the answer: the guard and answers.TURNS limit how many wait and run.
    asked = photo.input(events.answer, [photo, model], answer, **private(queue=False))
    asked.failure(None, None, None, js="() => { flowerPage.failed(); }")
    asked_label = "(photo, heat, model) => [photo, flowerPage.asked(), model]"
    heat.input(events.show_explanation, [photo, heat, model], heat, js=asked_label, **private(**HEAVY_LIMIT))


def on_model(
    page: gr.Blocks,
    photo: gr.HTML,
    model: gr.Dropdown,
    answer: gr.HTML,
    about: SimpleNamespace,
) -> None:
    """Translate the choices when the page loads, load and ask a model when it is chosen, describe it in its tab."""
    loaded = page.load(events.load_page, None, model, **private())
    model.input(None, model, None, js="(model) => { flowerPage.shareModel(model); }")
    # A download of one visitor does not hold up the others.
    chosen = model.input(events.choose_model, model, model, **private(show_progress_on=answer, concurrency_limit=8))
    chosen.then(events.answer, [photo, model], answer, **private(**ANSWER_LIMIT))
    loaded.then(events.answer, [photo, model], answer, **private(queue=False))  # by the model that a link names
    about.tab.select(events.show_model, model, about.outputs, **private())


def on_comparison(photo: gr.HTML, comparison: SimpleNamespace) -> None:
    """Ask all models when their tab is opened, and when the photo changes while it is open."""
    gr.on(
        [comparison.tab.select, comparison.answers.input],
        events.show_all_models,
        photo,
        comparison.answers,
        **private(**HEAVY_LIMIT),
    )


def on_many_photos(model: gr.Dropdown, many: SimpleNamespace) -> None:
    """Classify many photos as soon as they are there, or stop doing so."""
    hide = {"fn": lambda: gr.update(visible=False), "outputs": many.cancel_button, **private(queue=False)}
    many.files.upload(lambda: gr.update(visible=True), None, many.cancel_button, **private(queue=False))
    running = gr.on(
        [many.files.upload, many.files.clear],
        events.show_many,
        [many.files, model],
        many.outputs,
        **private(show_progress="hidden", **HEAVY_LIMIT),
    )
    running.then(**hide)
    stopped = many.cancel_button.click(None, cancels=running, **private(queue=False))
    stopped.then(events.cancel, None, many.outputs[0], **private(queue=False)).then(**hide)


def endpoints() -> None:
    """Offer the endpoints for programs; their arguments and results are named as these components are labelled."""
    with gr.Row(visible=False):
        image = gr.Image(label="image", buttons=[])
        files = gr.File(label="files", file_count="multiple")
        label = gr.Dropdown(["", *answers.all_labels()], value="", label="label")
        model = gr.Dropdown(list(MODELS), value=DEFAULT, label="model")
        probabilities = api.answer_label("probabilities")
        overlay = gr.Image(label="overlay", format="jpeg", buttons=["download"])
        answers_of_models = gr.JSON(label="answers")
        rows = gr.JSON(label="rows")
        button = gr.Button()
    for endpoint, inputs, output, limit in (
        (api.classify, [image, model], probabilities, {"queue": False, **ANSWER_LIMIT}),  # in one response, if asked
        (api.explain, [image, label, model], overlay, HEAVY_LIMIT),
        (api.compare, image, answers_of_models, HEAVY_LIMIT),
        (api.classify_batch, [files, model], rows, HEAVY_LIMIT),
    ):
        button.click(endpoint, inputs, output, api_name=endpoint.__name__, preprocess=False, **limit)


def private(**options: Any) -> dict[str, Any]:
    """Return the options of an event of the page that programs cannot call; its photo comes as an unread file."""
    # No photo is forgotten while another is classified.
    shown = {"show_progress": "hidden", "trigger_mode": "always_last"}
    return {"api_visibility": "private", "preprocess": False, **shown, **options}


def launch(**options: Any) -> gr.Blocks:
    """Serve the page."""
    page = build()
    uploads.start_sweeping(page, UPLOADS)
    # While the page is already served. No daemon: a process that ends while one reads weights would abort.
    threading.Thread(target=answers.load_local_models).start()
    middleware = [
        Middleware(Guard, endpoints=[endpoint.__name__ for endpoint in api.ENDPOINTS]),
        Middleware(Arguments, endpoints=api.ENDPOINTS),
        Middleware(Localize),
    ]
    page.queue(max_size=MAX_QUEUE)
    page.launch(
        theme=THEME,
        css=CSS,
        i18n=I18N,
        mcp_server=True,
        max_file_size=MAX_FILE,
        head=f"<script>{PAGE_SCRIPT}</script>",
        app_kwargs={"middleware": middleware, "routes": [Mount("/examples", StaticFiles(directory=examples.FOLDER))]},
        enable_monitoring=False,
        run_history=False,  # which would keep visitors' photos in their browsers
        **options,
    )
    return page


if __name__ == "__main__":
    uploads.delete_on_termination()
    launch()
