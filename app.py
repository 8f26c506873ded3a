"""The Space: a page that names the flower in a photo."""

from __future__ import annotations

import os
import threading
from types import SimpleNamespace
from typing import Any

# Before Gradio and torch are imported, which read them.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("GOMP_SPINCOUNT", "0")  # threads that wait for a layer to be done leave the core to others
# The page's requests to itself do not go through a proxy.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(
    [*filter(None, [os.environ.get("no_proxy") or os.environ.get("NO_PROXY")]), "localhost", "127.0.0.1", "::1"]
)
from flower_alexnet.page import uploads

UPLOADS = uploads.make_folder()

import gradio as gr
from starlette.middleware import Middleware

from flower_alexnet.page import answers, api, events
from flower_alexnet.page.answers import DEFAULT, MODELS
from flower_alexnet.page.arguments import Arguments
from flower_alexnet.page.guard import MAX_FILE, Guard
from flower_alexnet.page.language import Localize
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

HIDE_STALE = "() => document.querySelectorAll('.of-a-photo').forEach(it => it.classList.add('stale'))"
"""Hides all that was computed for the former photo or model."""

SHOW_CURRENT = "(id) => (key, photo, model) => document.getElementById(id).classList.toggle( \
'stale', key !== `${model ?? ''} ${photo?.path ?? ''}`)"
"""Shows what was computed, unless the photo or the model changed meanwhile."""

TYPE_FILES = """<script>
for (const kind of ["change", "drop"])  // what a photo is, its contents tell; not the browser, which may know no HEIC
  document.addEventListener(kind, (event) => {
    const given = kind === "drop" ? event.dataTransfer?.files : event.target.files;
    if (!given?.length || !event.target.closest?.("#photo") || [...given].every((it) => /^image/.test(it.type))) return;
    event.stopImmediatePropagation();
    event.preventDefault();
    const files = new DataTransfer();
    for (const it of given) files.items.add(new File([it], it.name, {type: "image/unknown"}));
    if (kind === "change") event.target.files = files.files;
    const retyped = {bubbles: true, cancelable: true, dataTransfer: files};
    event.target.dispatchEvent(kind === "drop" ? new DragEvent(kind, retyped) : new Event(kind, retyped));
  }, true);
</script>"""
"""Lets every file into the box for a photo."""

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
        endpoints()
    return page


def photo_column() -> tuple[gr.Image, gr.Dropdown, gr.Button]:
    """Lay out the photo, the examples and the list of models."""
    photo = gr.Image(
        label=I18N("photo"),
        elem_id="photo",
        sources=["upload", "webcam", "clipboard"],
        webcam_options=gr.WebcamOptions(mirror=False, constraints={"video": {"facingMode": {"ideal": "environment"}}}),
        height=320,
        buttons=["fullscreen"],
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
        with gr.Column(elem_id="answer", elem_classes="of-a-photo"):
            words = gr.Markdown(I18N("hint"), elem_id="words")
            bars = gr.Label(label=I18N("flower"), num_top_classes=5, show_heading=False)
        button = gr.Button(I18N("where"))
        with gr.Column(elem_id="explanation", elem_classes=["of-a-photo", "stale"]):
            label = gr.Dropdown(answers.label_choices(DEFAULT or "", "en"), value="", label=I18N("label_to_explain"))
            slider = gr.ImageSlider(label=I18N("where"), format="jpeg", max_height=400, interactive=False)
            gr.Markdown(I18N("where_info"))
    return SimpleNamespace(words=words, bars=bars, button=button, label=label, slider=slider)


def all_models_tab() -> SimpleNamespace:
    """Lay out the answers of all models side by side."""
    with gr.Tab(I18N("all_models")) as tab:
        button = gr.Button(I18N("compare"))
        with gr.Column(elem_id="comparison", elem_classes=["of-a-photo", "stale"]):
            chart = gr.BarPlot(
                x="model", y="probability", color="flower", x_title="", y_title="", y_lim=[0, 1], height=260
            )
        table = gr.Dataframe(interactive=False, wrap=True)
    return SimpleNamespace(tab=tab, button=button, chart=chart, table=table)


def many_photos_tab() -> SimpleNamespace:
    """Lay out many photos: the upload, the progress, a gallery and a table."""
    with gr.Tab(I18N("many_photos")):
        files = gr.File(label=I18N("files"), file_count="multiple", height=160)
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
            buttons=["download", "fullscreen"],
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
                plots.append(gr.Image(show_label=False, interactive=False, alt_text=I18N(plot), buttons=["download"]))
        with gr.Accordion(I18N("layers"), open=False):
            layers = gr.Code(show_label=False, interactive=False)
    return [description, *plots, layers]


def on_answer(photo: gr.Image, model: gr.Dropdown, classify_button: gr.Button, answer: SimpleNamespace) -> None:
    """Answer when the photo changes, and explain when asked to."""
    photo.change(None, None, None, js=HIDE_STALE)
    key, explained_key = gr.Textbox(visible=False), gr.Textbox(visible=False)
    answered = show_current(
        gr.on(
            [photo.change, classify_button.click],
            events.answer,
            [photo, model],
            [key, answer.words, answer.bars, answer.label],
            **private(show_progress_on=answer.bars, **ANSWER_LIMIT),
        ),
        *("answer", key, photo, model),
    )
    answered.then(None, photo, None, js=SHOW_ANSWER)
    show_current(
        gr.on(
            [answer.button.click, answer.label.input],
            events.show_explanation,
            [photo, model, answer.label],
            [explained_key, answer.slider],
            **private(show_progress_on=answer.button, **HEAVY_LIMIT),
        ),
        *("explanation", explained_key, photo, model),
    )


def on_model(
    page: gr.Blocks, model: gr.Dropdown, photo: gr.Image, answer: SimpleNamespace, about: list[gr.Component]
) -> None:
    """Translate the choices when the page loads; load, ask and describe a model when it is chosen."""
    names, key = gr.JSON(visible=False), gr.Textbox(visible=False)
    loaded = page.load(events.load_page, model, [model, answer.label, names], **private())
    loaded.then(None, names, None, js=NAME_EXAMPLES)
    model.input(None, None, None, js=HIDE_STALE)
    # A download of one visitor does not hold up the others.
    chosen = model.input(
        events.choose_model, model, model, **private(show_progress_on=answer.bars, concurrency_limit=8)
    )
    show_current(
        chosen.then(
            events.answer,
            [photo, model],
            [key, answer.words, answer.bars, answer.label],
            **private(show_progress_on=answer.bars, **ANSWER_LIMIT),
        ),
        *("answer", key, photo, model),
    )
    for event in (loaded, chosen):
        event.then(events.show_model, model, about, **private())
    model.change(None, model, None, js=SHARE_MODEL)


def on_comparison(photo: gr.Image, comparison: SimpleNamespace) -> None:
    """Ask all models when their tab is opened, and forget their answers when the photo changes."""
    key, outputs = gr.Textbox(visible=False), [comparison.chart, comparison.table]
    photo.change(None, None, outputs, js="() => [null, null]")
    show_current(
        gr.on(
            [comparison.tab.select, comparison.button.click],
            events.show_all_models,
            photo,
            [key, *outputs],
            **private(show_progress_on=comparison.button, **HEAVY_LIMIT),
        ),
        *("comparison", key, photo),
    )


def show_current(event: Any, element: str, key: gr.Textbox, photo: gr.Image, model: gr.Dropdown | None = None) -> Any:
    """Show an element after an event, if what it made is of the photo and model that are there then."""
    inputs = [key, photo] if model is None else [key, photo, model]
    return event.then(None, inputs, None, js=f"(...made) => ({SHOW_CURRENT})('{element}')(...made)")


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


def endpoints() -> None:
    """Offer the endpoints for programs; their arguments and results are named as these components are labelled."""
    with gr.Row(visible=False):
        image = gr.Image(label="image", buttons=[])
        files = gr.File(label="files", file_count="multiple")
        label = gr.Dropdown(["", *answers.all_labels()], value="", label="label")
        model = gr.Dropdown(list(MODELS), value=DEFAULT, label="model")
        probabilities = gr.Label(label="probabilities")
        overlay = gr.Image(label="overlay", format="jpeg", buttons=["download"])
        answers_of_models = gr.JSON(label="answers")
        rows = gr.JSON(label="rows")
        button = gr.Button()
    for endpoint, inputs, output, limit in (
        (api.classify, [image, model], probabilities, ANSWER_LIMIT),
        (api.explain, [image, label, model], overlay, HEAVY_LIMIT),
        (api.compare, image, answers_of_models, HEAVY_LIMIT),
        (api.classify_batch, [files, model], rows, HEAVY_LIMIT),
    ):
        button.click(endpoint, inputs, output, api_name=endpoint.__name__, preprocess=False, **limit)


def private(**options: Any) -> dict[str, Any]:
    """Return the options of an event of the page that programs cannot call; its photo comes as an unread file."""
    shown = {
        "show_progress": "minimal",
        "trigger_mode": "always_last",
    }  # no photo is forgotten while another is classified
    return {"api_visibility": "private", "preprocess": False, **shown, **options}


def launch(**options: Any) -> gr.Blocks:
    """Serve the page."""
    page = build()
    uploads.start_sweeping(page, UPLOADS)
    threading.Thread(target=answers.load_local_models, daemon=True).start()  # while the page is already served
    cards = [str(model.folder / "README.md") for model in MODELS.values() if model.folder]
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
        allowed_paths=cards,
        max_file_size=MAX_FILE,
        head=TYPE_FILES,
        app_kwargs={"middleware": middleware},
        enable_monitoring=False,
        run_history=False,  # which would keep visitors' photos in their browsers
        **options,
    )
    return page


if __name__ == "__main__":
    uploads.delete_on_termination()
    launch()
