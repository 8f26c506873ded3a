"""The language of a visitor: negotiated once, for the texts of the page, Gradio's own and the answers."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from functools import cache
from html import escape

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from webob.acceptparse import create_accept_encoding_header, create_accept_language_header

from flower_alexnet import LABELS, InvalidModel
from flower_alexnet.model_folder import read_config
from flower_alexnet.registry import ALIASES, Model
from flower_alexnet.words import capitalized
from page.examples import EXAMPLES, gallery, thumbnail
from page.models import MODELS
from page.subject import ABOUT_FLOWERS, TITLE
from page.theme import EARLY_STYLE
from page.translations import LANGUAGES, TEXTS, flower_name

TAGS = {language.partition("-")[0]: language for language in LANGUAGES}
"""Primary language tag -> language: every kind of Chinese is answered in the one that there is."""

SCRIPT = """<script>
document.documentElement.lang = "{language}";
Object.defineProperty(navigator, "language", {{value: "{language}"}});
Object.defineProperty(navigator, "languages", {{value: ["{language}"]}});
window.flowerLanguage = "{language}";
window.flowerTexts = {texts};
window.flowerExamples = {examples};
window.flowerModels = {models};
window.flowerAliases = {aliases};
window.flowerGame = {game};
</script>"""
"""For the head of the page: Gradio chooses its texts by ``navigator.language``, and ``page.js`` has them from here."""

IN_THE_BROWSER = (
    "drop_title",
    "drop_hint",
    "tagline",
    "choose",
    "take",
    "another",
    "where",
    "where_info",
    "looked_nowhere",
    "places",
    "square",
    "middle",
    "square_hint",
    "models_middle",
    "back_to_many",
    "add_photos",
    "remove_photos",
    "film",
    "hold",
    "end",
    "film_https",
    "film_refused",
    "film_none",
    "film_failed",
    "save",
    "photo",
    "question",
    "many_hint",
    "language",
    "unknown_model",
    "cannot_tell",
    "intro",
    "examples",
    "example_photo",
    "inside_intro",
    "inside_arrives",
    "inside_example",
    "inside_arrives_how",
    "inside_kernels",
    "inside_kernels_how",
    "inside_kernel",
    "inside_layers",
    "inside_layers_how",
    "inside_layer",
    "inside_map",
    "inside_features",
    "inside_features_how",
    "inside_nearest",
    "inside_nowhere",
    "inside_strip",
    "inside_spoke",
    "inside_number",
    "inside_rest",
    "inside_raised",
    "inside_no_gallery",
    "inside_no_photo",
    "inside_answers",
    "inside_answers_how",
    "inside_logit",
    "inside_divided",
    "inside_share",
    "inside_known",
    "inside_one_of",
    "inside_break",
    "inside_break_how",
    "inside_blur",
    "inside_dark",
    "inside_noise",
    "inside_jpeg",
    "inside_everywhere",
    "inside_costs",
    "inside_costs_nothing",
    "inside_pooled",
    "inside_pooled_again",
    "inside_exciting",
    "inside_exciting_none",
    "inside_turn",
    "inside_cover",
    "inside_undo",
    "inside_code",
    "game_title",
    "game_count",
    "none_named",
    "game_truth",
    "game_you",
    "game_it",
    "game_next",
    "game_end",
    "game_again",
    "close",
    "recent",
    "recent_photo",
    "looking",
    "failed",
    "lost",
    "again",
    "try_again",
)
"""Texts that ``page.js`` shows."""


def preferred_language(accept_language: str | None) -> str:
    """Return the language of ``LANGUAGES`` that an Accept-Language header prefers (RFC 4647, lookup); else English."""
    header = create_accept_language_header(accept_language)
    return TAGS[header.lookup(language_tags=tuple(TAGS), default_tag="en") or "en"]


class Localize:
    """Middleware that tells HTML pages the visitor's language, or the one of ``?lang=``, and compresses them.

    Args:
        app: the application that answers.
        head: what else belongs into the head of a page, behind the texts: Gradio would add it when all has arrived.
    """

    def __init__(self, app: ASGIApp, head: str = "") -> None:
        self.app = app
        self.head = head.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and change the response if it is a page."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        chosen = QueryParams(scope.get("query_string", b"")).get("lang")
        language = chosen if chosen in LANGUAGES else preferred_language(asked.get("accept-language"))
        start: Message | None = None
        body = b""

        async def localize(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_page(message):
                start = message
            elif message["type"] == "http.response.body" and start is not None:
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    body = body.replace(b"<head>", b"<head>" + _script(language) + self.head, 1)
                    body = body.replace(b"<gradio-app", _early(language) + b"<gradio-app", 1)
                    no_script = f"<noscript><p>{TEXTS[language]['no_script']}</p></noscript></body>"
                    body = body.replace(b"</body>", no_script.encode(), 1)
                    headers = MutableHeaders(raw=start["headers"])
                    if _accepts_gzip(asked.get("accept-encoding")):  # to a quarter of 160 kB
                        body = gzip.compress(body, compresslevel=6)
                        headers["Content-Encoding"] = "gzip"
                    headers["Content-Length"] = str(len(body))
                    headers["Content-Language"] = language
                    headers.add_vary_header("Accept-Language, Accept-Encoding")
                    await send(start)
                    await send({"type": "http.response.body", "body": body})
            else:
                await send(message)

        await self.app(scope, receive, localize)


@cache
def _script(language: str) -> bytes:
    texts = {key: TEXTS[language][key] for key in IN_THE_BROWSER}
    examples = [
        {
            "name": name,
            "label": capitalized(flower_name(key, language)),
            "marks": TEXTS[language].get(f"marks_{key}") if ABOUT_FLOWERS else None,
            "flower": f"flower-{key}",
            "thumbnail": thumbnail(name),
        }
        for name, key in EXAMPLES.items()
    ]
    models = {model.name: _can_tell(model) for model in MODELS.all()}
    guesses = [{"label": label, "name": capitalized(flower_name(label, language))} for label in LABELS]
    game = guesses if ABOUT_FLOWERS and gallery() else None
    given = {"texts": texts, "examples": examples, "models": models, "aliases": ALIASES, "game": game}
    made = {name: json.dumps(value, ensure_ascii=False).replace("<", "\\u003c") for name, value in given.items()}
    return (EARLY_STYLE + SCRIPT.format(language=language, **made)).encode()


@cache
def _early(language: str) -> bytes:
    """Return the stage as it is before Gradio is there: it takes a photo already, which ``page.js`` keeps."""
    texts = TEXTS[language]
    return (
        f'<div id="early"><h1>{escape(TITLE)}</h1>{escape(texts["tagline"])}<label><b>{escape(texts["drop_title"])}</b>'
        f'<span>{escape(texts["choose"])}</span><input type="file" multiple accept="image/*,.heic,.heif,.avif,.zip">'
        f"<output></output></label></div>"
    ).encode()


def _can_tell(model: Model) -> bool:
    """Return whether a model says so when it does not know what a photo shows; of one that is not here, it is hoped."""
    if model.folder is None:
        return True
    with suppress(InvalidModel):
        return read_config(model.folder).threshold is not None
    return True


def _accepts_gzip(accept_encoding: str | None) -> bool:
    """Return whether an Accept-Encoding header accepts gzip (RFC 9110, 12.5.3); without the header it is not sent."""
    if accept_encoding is None:
        return False
    header = create_accept_encoding_header(accept_encoding)
    return bool(header.acceptable_offers(["gzip"]))


def _is_page(message: Message) -> bool:
    return Headers(raw=message["headers"]).get("content-type", "").startswith("text/html")
