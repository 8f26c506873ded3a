"""The Space: a page that names the flower in a photo."""

from __future__ import annotations

import argparse
import os
import threading
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

# Before Gradio and torch are imported, which read them.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("GOMP_SPINCOUNT", "0")  # threads that wait for a layer to be done leave the core to others
# The page's requests to itself do not go through a proxy.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(
    [*filter(None, [os.environ.get("no_proxy") or os.environ.get("NO_PROXY")]), "localhost", "127.0.0.1", "::1"]
)
from flower_alexnet import InvalidModel, registry

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python app.py", description="Serve the page.")
    parser.add_argument("--model", help="model that the page is about, alone: a model folder or a Hub repository")
    if (given := parser.parse_args().model) is not None:
        os.environ[registry.ONLY] = given
    if os.environ.get(registry.ONLY):
        try:
            [only] = registry.first_models()
        except InvalidModel as error:
            parser.exit(2, f"{error}\n")
        if only.problem:
            parser.exit(2, f"{only.problem}\n")

from page import uploads

UPLOADS = uploads.make_folder()

import gradio as gr
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from page import api, events, examples, game, inside, look, preload, repairs
from page.arguments import Arguments
from page.guard import MAX_FILE, Guard
from page.language import Localize
from page.models import MODELS
from page.subject import ABOUT_FLOWERS, TITLE
from page.theme import CSS, THEME
from page.translations import TEXTS

UNLIMITED = {"concurrency_limit": None}
"""Gradio starts every request at once; ``page.answers`` limits how many run and wait, and who waits holds no thread."""

I18N = gr.I18n(**TEXTS)

DRAWING = """<svg aria-hidden="true" width="40" height="40" viewBox="0 0 34 34"><g fill="#d6245f" fill-opacity="0.85">
<ellipse cx="17" cy="8" rx="5" ry="8"/><ellipse cx="17" cy="8" rx="5" ry="8" transform="rotate(60 17 17)"/>
<ellipse cx="17" cy="8" rx="5" ry="8" transform="rotate(120 17 17)"/>
<ellipse cx="17" cy="8" rx="5" ry="8" transform="rotate(180 17 17)"/>
<ellipse cx="17" cy="8" rx="5" ry="8" transform="rotate(240 17 17)"/>
<ellipse cx="17" cy="8" rx="5" ry="8" transform="rotate(300 17 17)"/></g>
<circle cx="17" cy="17" r="5.5" fill="#e0a800"/></svg>"""

HEADER = f'{DRAWING if ABOUT_FLOWERS else ""}<div><h1>{escape(TITLE)}</h1><p id="tagline"></p></div>'

PAGE_SCRIPT = "\n".join(
    (Path(events.__file__).parent / name).read_text(encoding="utf-8") for name in ("page.js", "inside.js")
)
"""What runs in the visitor's browser; the components below call its functions when they are there."""


ROUTES = (look.ROUTE, game.ROUTE, inside.ROUTE)
"""What the page asks itself, past Gradio."""


class PhotoTab(NamedTuple):
    """Components of the tab with one photo."""

    photo: gr.HTML
    shown: gr.HTML
    answer: gr.HTML
    model: gr.Dropdown


class ManyPhotosTab(NamedTuple):
    """Components of the tab with many photos; ``outputs`` are status, photos, table and sorted photos."""

    files: gr.File
    cancel_button: gr.Button
    outputs: list[Any]


class ModelsTab(NamedTuple):
    """Components of the tab with the answers of all models."""

    tab: gr.Tab
    predictions: gr.HTML


class AboutTab(NamedTuple):
    """Components of the tab about the chosen model; ``outputs`` are in the order of ``about.describe_model``."""

    tab: gr.Tab
    description: gr.HTML
    outputs: list[Any]


def build() -> gr.Blocks:
    """Build the page: five tabs, then what happens on each event."""
    with gr.Blocks(title=TITLE, delete_cache=uploads.DELETE_CACHE) as page:
        gr.HTML(HEADER, elem_id="header", js_on_load="flowerPage.tagline()")
        with gr.Tabs():
            one = photo_tab()
            many = many_photos_tab()
            models = models_tab()
            inside_tab()
            about = about_tab()
        footer()

        on_photo(one)
        on_model(page, one, about)
        on_all_models(one, models)
        on_many_photos(one, many)
        endpoints()
    return page


def photo_tab() -> PhotoTab:
    """Lay out the photo beside its answer; the list of models is below the answer."""
    with gr.Tab(I18N("tab_photo")), gr.Row(elem_classes="columns", equal_height=False):
        with gr.Column(min_width=300, elem_classes="photo"):
            photo = drawn("stage(element, trigger, props, upload)", "photo")
            shown = drawn("shown(element, trigger, props, watch)", "shown", visible="hidden")
        with gr.Column(min_width=300, elem_classes="card"):
            answer = drawn("answer(element, trigger, props, watch)", "answer")
            model = gr.Dropdown(
                events.model_choices(), value=MODELS.default or None, label=I18N("model"), elem_id="model"
            )
        drawn("strips(element)", "strips")
    return PhotoTab(photo, shown, answer, model)


def many_photos_tab() -> ManyPhotosTab:
    """Lay out many photos: the upload, how far it is, a summary, files to take away, and the photos with answers."""
    with gr.Tab(I18N("many_photos")), gr.Column(elem_id="many"):
        files = gr.File(label=I18N("files"), file_count="multiple", height=170, elem_id="files")
        gr.HTML(elem_id="adding", js_on_load="flowerPage.adding(element)")
        status = gr.HTML(elem_id="status", js_on_load="flowerPage.hint(element, props, 'many_hint')")
        cancel_button = gr.Button(I18N("cancel"), visible=False)
        with gr.Row():
            download = gr.DownloadButton(I18N("download"), visible=False)
            sorted_photos = gr.DownloadButton(I18N("download_zip"), visible=False)
        photos = gr.HTML(elem_id="photos")
    return ManyPhotosTab(files, cancel_button, [status, photos, download, sorted_photos])


def models_tab() -> ModelsTab:
    """Lay out the answers of all models."""
    with gr.Tab(I18N("models")) as tab:
        predictions = gr.HTML(elem_id="models", js_on_load="flowerPage.models(element, trigger, props, watch)")
    return ModelsTab(tab, predictions)


def inside_tab() -> None:
    """Lay out the way of a photo through the network, which is asked for when the tab is opened."""
    with gr.Tab(I18N("tab_inside")) as tab:
        gr.HTML(elem_id="inside", js_on_load="flowerInside.mount(element)")
    tab.select(None, None, None, js="() => { flowerInside.show(); }")


def about_tab() -> AboutTab:
    """Lay out what the chosen model is, its figures, its card and its layers."""
    with gr.Tab(I18N("about")) as tab, gr.Column(elem_id="about"):
        description = gr.HTML(js_on_load="flowerPage.about(element, trigger)")
        with gr.Accordion(I18N("in_detail"), open=False):
            curves = gr.LinePlot(
                x="epoch", y="accuracy", color="photos", color_title="", y_lim=[0, 100], height=260, show_label=False
            )
            card = gr.Markdown()
            layers = gr.HTML()
    return AboutTab(tab, description, [description, curves, card, layers])


def footer() -> None:
    """Lay out what becomes of photos, and who made those of the page."""
    with gr.Column(elem_id="footer"):
        gr.HTML(elem_id="languages", js_on_load="flowerPage.languages(element)")
        gr.Markdown(I18N("privacy"))
        if examples.EXAMPLES and examples.CREDITS.is_file():
            with gr.Accordion(I18N("credits"), open=False):
                gr.Markdown(examples.told_credits())


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


def on_photo(one: PhotoTab) -> None:
    """Answer when a photo is there, and send back one that the browser cannot show."""
    asked = one.photo.input(events.answer, [one.photo, one.model], one.answer, **private())
    on_failure(asked)
    on_failure(one.shown.input(events.show_photo, one.photo, one.shown, **private()))


def on_model(page: gr.Blocks, one: PhotoTab, about: AboutTab) -> None:
    """Translate the choices when the page loads, load and ask a model when it is chosen, describe it in its tab."""
    page.load(events.load_page, None, one.model, **private())
    # Not input, which comes also when the list is left as it was. A link that names another model changes it too.
    one.model.change(None, one.model, None, js="(model) => { flowerPage.shareModel(model); }")
    chosen = one.model.change(events.choose_model, one.model, one.model, **private(show_progress_on=one.answer))
    on_failure(chosen)
    on_failure(chosen.then(events.answer, [one.photo, one.model], one.answer, **private()))
    asked = [about.tab.select, about.description.input]
    on_failure(gr.on(asked, events.show_model, one.model, about.outputs, **private()))


def on_all_models(one: PhotoTab, models: ModelsTab) -> None:
    """Ask all models when their tab is opened, and when the photo changes while it is open."""
    asked = [models.tab.select, models.predictions.input]
    on_failure(gr.on(asked, events.show_all_models, one.photo, models.predictions, **private()))


def on_many_photos(one: PhotoTab, many: ManyPhotosTab) -> None:
    """Classify many photos as soon as they are there, and anew by another model, or stop doing so."""
    hide = {"fn": lambda: gr.update(visible=False), "outputs": many.cancel_button, **private()}
    many.files.upload(lambda: gr.update(visible=True), None, many.cancel_button, **private())
    asked, inputs = [many.files.upload, many.files.clear], [many.files, one.model]
    # Through the queue: it streams.
    running = gr.on(asked, events.show_many, inputs, many.outputs, **private(queue=True))
    anew = one.model.change(events.show_many_anew, inputs, many.outputs, **private(queue=True))
    for answered in (running, anew):
        answered.then(**hide)
        answered.failure(None, None, None, js="() => { flowerPage.failedMany(); }")
    many.cancel_button.click(events.cancel, None, None, **private()).then(**hide)


def endpoints() -> None:
    """Offer the endpoints for programs; their arguments and results are named as these components are labelled."""
    with gr.Row(visible=False):
        image = gr.Image(label="image", buttons=[])
        files = repairs.files_field("files")
        label = gr.Dropdown(["", *MODELS.labels()], value="", label="label")
        model = gr.Dropdown(MODELS.names(), value=MODELS.default or None, label="model")
        probabilities = api.answer_label("probabilities")
        overlay = gr.Image(label="overlay", format="jpeg", buttons=["download"])
        predictions = gr.JSON(label="answers")
        rows = gr.JSON(label="rows")
        button = gr.Button()
    arguments: dict[Any, tuple[Any, Any]] = {
        api.classify: ([image, model], probabilities),
        api.explain: ([image, label, model], overlay),
        api.compare: (image, predictions),
        api.classify_batch: ([files, model], rows),
    }
    for endpoint in api.ENDPOINTS:
        inputs, output = arguments[endpoint]
        options = {"api_name": endpoint.__name__, "preprocess": False, "queue": endpoint not in api.DIRECT}
        button.click(endpoint, inputs, output, **options, **UNLIMITED)


def on_failure(asked: Any) -> None:
    """Say in one line that a question has failed, and ask it again when the server is back."""
    asked.failure(None, None, None, js="() => { flowerPage.failed(); }")


def private(**options: Any) -> dict[str, Any]:
    """Return the options of an event of the page that programs cannot call; its photo comes as an unread file.

    Its question goes past Gradio's queue, which takes longer than an answer, and tells no event that the line is gone.
    """
    # No photo is forgotten while another is classified.
    shown = {"show_progress": "hidden", "trigger_mode": "always_last"}
    return {"api_visibility": "private", "preprocess": False, "queue": False, **shown, **UNLIMITED, **options}


def launch(**options: Any) -> gr.Blocks:
    """Serve the page."""
    with repairs.one_server():
        page = build()
    repairs.take_lists_of_files()
    uploads.start_sweeping(page, UPLOADS)
    # While the page is already served.
    threading.Thread(target=MODELS.load_local).start()
    types = {component["type"] for component in page.config["components"]}
    middleware = [
        Middleware(
            Guard,
            endpoints=[endpoint.__name__ for endpoint in api.ENDPOINTS],
            direct=["predict", *(endpoint.__name__ for endpoint in api.DIRECT)],
            functions={number: function.inputs for number, function in page.fns.items() if function.fn},
        ),
        Middleware(Arguments, endpoints=api.ENDPOINTS),
        Middleware(Localize, head=f"{preload.links(types)}<script>{PAGE_SCRIPT}</script>"),
    ]
    page.launch(
        theme=THEME,
        css=CSS,
        i18n=I18N,
        mcp_server=True,
        max_file_size=MAX_FILE,
        app_kwargs={
            "middleware": middleware,
            "routes": [*ROUTES, Mount("/examples", StaticFiles(directory=examples.FOLDER))],
        },
        footer_links=["api", "gradio"],
        enable_monitoring=False,
        run_history=False,  # which would keep visitors' photos in their browsers
        **options,
    )
    return page


if __name__ == "__main__":
    uploads.delete_on_termination()
    launch()
