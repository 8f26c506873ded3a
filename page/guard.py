"""Middleware that allows the requests the page needs, and nothing else that Gradio serves."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from gradio.data_classes import FileData
from pydantic import BaseModel
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from page.translations import LANGUAGES, translate
from page.uploads import is_upload

MAX_FILE = 100_000_000
"""Bytes of the largest file that is accepted: a photo, or a zip of them."""

MAX_UPLOAD = 1_000_000_000
"""Bytes of all files that are uploaded in one request."""

MAX_DIRECT = 1024
"""Questions that may wait past Gradio's queue; ``page.answers`` limits those of each kind to fewer."""

MAX_REQUEST = 25_000_000
"""Bytes of any other request; the largest hold photos that language models send as text."""

MAX_ARRIVING = 200_000_000
"""Bytes of requests, but for uploads, that may be on their way at the same time: they are held in memory."""

SILENCE = 20.0
"""Seconds without a byte after which a request is ended."""

QUESTION_LIMIT, UPLOAD_LIMIT = 60.0, 900.0
"""Seconds in which a question, and an upload, must have arrived."""

BUSY = translate("busy", "en")
BUSY_WORDS = [translate("busy", language).encode() for language in LANGUAGES]
"""How ``page.answers`` says that too many wait."""

REACHABLE = re.compile(
    r"""/(
        config/? | theme\.css | favicon\.ico | robots\.txt | manifest\.json | pwa_icon(/\d+)?
        | (assets|static|svelte)/.*
        | look | game | inside
        | examples/(gallery/\w+/)?[\w-]+\.webp
        | gradio_api/(
            info/? | openapi\.json | app_id/? | login_check/? | startup-events | theme\.css
            | upload | upload_progress | file=(?!https?:).*
            | queue/(join|data|status) | cancel | reset/? | heartbeat/.* | mcp(/.*)?
        )
    )?""",
    re.VERBOSE | re.IGNORECASE,
)
"""Paths of the page, of what it loads and requests, and of the tools for language models; endpoints are added."""


OF_THE_PAGE = re.compile(r"/gradio_api/(run/predict|queue/join)/?", re.IGNORECASE)
"""Paths of the page's own questions, which call a function by its number; ``Arguments`` checks those of programs."""


class Guard:
    """Answer 404 to paths that are neither ``REACHABLE`` nor of an endpoint, 408 to slow senders, 413 to
    what is too large, 422 to what is no call of a function, and 503 while too much waits or is on its way.

    A question is passed on, and counts as waiting, when all of it has arrived.

    Args:
        app: the application that answers all other requests.
        endpoints: names of the endpoints for programs.
        direct: names of those that are answered in one response, past Gradio's queue, and "predict", the page's own.
        functions: number of each function of the page -> the components that its arguments come from.
    """

    def __init__(
        self, app: ASGIApp, endpoints: Iterable[str], direct: Iterable[str], functions: Mapping[int, Sequence[Any]]
    ) -> None:
        self.app = app
        self.endpoint = re.compile(
            rf"/gradio_api/call/(v2/)?({'|'.join(map(re.escape, endpoints))})/?([^/]+)?", re.IGNORECASE
        )
        self.direct = re.compile(rf"/gradio_api/run/({'|'.join(map(re.escape, direct))})/?", re.IGNORECASE)
        self.functions = functions
        self.waiting = self.arriving = 0
        self.upload = RequestBodyLimitMiddleware(app, MAX_UPLOAD)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on. Visitors who leave while they send a photo are no error to log."""
        path = _route(scope) if scope["type"] == "http" else None
        if path is None:
            await self.app(scope, receive, send)
        elif not (REACHABLE.fullmatch(path) or self.direct.fullmatch(path) or self.endpoint.fullmatch(path)):
            await PlainTextResponse("Not found", 404)(scope, receive, send)
        elif scope["method"] != "POST":
            await self.app(scope, receive, send)
        elif path == "/gradio_api/upload":
            await self._upload(scope, receive, send)
        else:
            await self._question(path, scope, receive, send)

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is uploaded as it comes, and end it when it comes no more."""
        end, late = time.monotonic() + UPLOAD_LIMIT, False

        async def in_time() -> Message:
            nonlocal late
            try:
                return await asyncio.wait_for(receive(), min(SILENCE, end - time.monotonic()))
            except TimeoutError:
                late = True
                return {"type": "http.disconnect"}

        async def unless_late(message: Message) -> None:
            if not late:
                await send(message)

        with suppress(ClientDisconnect):
            await self.upload(scope, in_time, unless_late)
        if late:
            await _refuse(408, "The file came too slowly. Try a better connection.")(scope, receive, send)

    async def _question(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a question when it has arrived, and refuse one that cannot be answered."""
        is_direct = self.direct.fullmatch(path) is not None
        try:
            body = await self._body(receive)
            if is_direct and self.waiting >= MAX_DIRECT:
                raise Refused(503, BUSY)
            if OF_THE_PAGE.fullmatch(path) and (problem := _problem(body, self.functions)):
                raise Refused(422, problem)
        except Refused as refused:
            await _refuse(*refused.args)(scope, receive, send)
            return
        except ClientDisconnect:
            return
        if not is_direct:
            await self.app(scope, arrived(body, receive), send)
            return
        self.waiting += 1
        try:
            await self.app(scope, arrived(body, receive), _in_place_of_500(send))
        finally:
            self.waiting -= 1

    async def _body(self, receive: Receive) -> bytes:
        """Return the body of a request; raise ``Refused``, or ``ClientDisconnect`` if its sender has left."""
        body, end = bytearray(), time.monotonic() + QUESTION_LIMIT
        try:
            while True:
                message = await asyncio.wait_for(receive(), min(SILENCE, end - time.monotonic()))
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                part = message.get("body", b"")
                if len(body) + len(part) > MAX_REQUEST:
                    raise Refused(413, f"At most {MAX_REQUEST // 1_000_000} MB are accepted.")
                if self.arriving + len(part) > MAX_ARRIVING:
                    raise Refused(503, BUSY)
                body += part
                self.arriving += len(part)
                if not message.get("more_body", False):
                    return bytes(body)
        except TimeoutError as error:
            raise Refused(408, "The request came too slowly.") from error
        finally:
            self.arriving -= len(body)


class Refused(Exception):
    """A request is refused; the arguments are status and words of the answer."""


def arrived(body: bytes, receive: Receive) -> Receive:
    """Return a function that gives the whole body of a request first, and then what comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message


def _refuse(status: int, words: str) -> JSONResponse:
    """Return a response that ends the connection, on which more of the request may be on its way."""
    return JSONResponse({"error": words, "detail": words}, status, headers={"Connection": "close"})


def _in_place_of_500(send: Send) -> Send:
    """Return a function that sends 422 in place of Gradio's 500 with the reason why a photo or argument is refused, and
    503 where the reason is that too many wait."""
    start: Message | None = None

    async def corrected(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start" and message["status"] == 500:
            start = message
            return
        if start is not None:
            status = 503 if any(words in message["body"] for words in BUSY_WORDS) else 422
            await send(start if b'"error":null' in message["body"] else {**start, "status": status})
            start = None
        await send(message)

    return corrected


def _problem(body: bytes, functions: Mapping[int, Sequence[Any]]) -> str | None:
    """Return what is wrong with a call of one of the page's functions; None if it is one."""
    try:
        call = json.loads(body)
    except (ValueError, RecursionError):
        return "The body is not JSON."
    if not isinstance(call, dict) or not isinstance(call.get("data"), list):
        return 'The body is not an object with a list under the name "data".'
    number = call.get("fn_index")
    if type(number) is not int or number not in functions:
        return f"There is no function {json.dumps(number)[:50]}."
    if len(call["data"]) != len(functions[number]):
        return f"Function {number} takes {len(functions[number])} arguments, not {len(call['data'])}."
    for value, component in zip(call["data"], functions[number], strict=True):
        if not _is_argument(value, getattr(component, "data_model", None)):
            return "An argument is neither a text, nor a number, nor an uploaded file, nor a list of such."
    return None


def _is_argument(value: object, model: type[BaseModel] | None) -> bool:
    """Return whether a value is one that a component sends, whose values have a data model or are not nested."""
    with suppress(ValueError, TypeError, AttributeError, RecursionError):  # Gradio's models raise any of them
        if model is not None and value is not None:
            model.model_validate(value, context={"validate_meta": True})
            return True
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, dict) and ("path" in entry or "meta" in entry):
                file = FileData.model_validate(entry, strict=True, context={"validate_meta": True})
                if not is_upload(Path(file.path)):  # of a former process, whose page is still open
                    return False
            elif isinstance(entry, list) or (isinstance(entry, dict) and any(map(_is_nested, entry.values()))):
                return False
        return True
    return False


def _is_nested(value: object) -> bool:
    return isinstance(value, (dict, list))


def _route(scope: Scope) -> str:
    """Return the path of a request without the prefix that a proxy puts before it, ``$GRADIO_ROOT_PATH``."""
    return "/" + scope["path"].removeprefix(scope.get("root_path", "")).removeprefix("/")
