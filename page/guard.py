"""Middleware that allows the requests the page needs, and nothing else that Gradio serves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress

from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_FILE = 100_000_000
"""Bytes of the largest file that is accepted: a photo, or a zip of them."""

MAX_UPLOAD = 1_000_000_000
"""Bytes of all files that are uploaded in one request."""

MAX_WAITING = 256
"""Questions that may wait for their answers without going through Gradio's queue."""

MAX_REQUEST = 25_000_000
"""Bytes of any other request; the largest hold photos that language models send as text."""

REACHABLE = re.compile(
    r"""/(
        config/? | theme\.css | favicon\.ico | robots\.txt | manifest\.json | pwa_icon(/\d+)?
        | (assets|static|svelte)/.*
        | examples/[\w-]+\.webp
        | gradio_api/(
            info/? | openapi\.json | app_id/? | login_check/? | startup-events | theme\.css
            | upload | upload_progress | file=(?!https?:).*
            | queue/(join|data|status) | cancel | reset/? | heartbeat/.* | mcp(/.*)?
        )
    )?""",
    re.VERBOSE | re.IGNORECASE,
)
"""Paths of the page, of what it loads and requests, and of the tools for language models; endpoints are added."""


DIRECT = re.compile(r"/gradio_api/run/(predict|classify)/?", re.IGNORECASE)
"""Paths of questions that are answered in one response, past Gradio's queue: the page's and those of programs."""


class Guard:
    """Answer 404 to paths that are neither ``REACHABLE`` nor ``DIRECT`` nor of an endpoint, 413 to requests that are
    too large, and 503 to direct questions while ``MAX_WAITING`` others wait for their answers.

    Args:
        app: the application that answers all other requests.
        endpoints: names of the endpoints for programs.
    """

    def __init__(self, app: ASGIApp, endpoints: Iterable[str]) -> None:
        self.app = app
        self.endpoint = re.compile(
            rf"/gradio_api/call/(v2/)?({'|'.join(map(re.escape, endpoints))})/?([^/]+)?", re.IGNORECASE
        )
        self.waiting = 0
        self.upload = RequestBodyLimitMiddleware(app, MAX_UPLOAD)
        self.request = RequestBodyLimitMiddleware(app, MAX_REQUEST)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on. Visitors who leave while they send a photo are no error to log."""
        with suppress(ClientDisconnect):
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = _route(scope) if scope["type"] == "http" else None
        if path is None:
            await self.app(scope, receive, send)
        elif DIRECT.fullmatch(path):
            await self._in_turn(scope, receive, send)
        elif not (REACHABLE.fullmatch(path) or self.endpoint.fullmatch(path)):
            await PlainTextResponse("Not found", 404)(scope, receive, send)
        elif path == "/gradio_api/upload":
            await self.upload(scope, receive, send)
        else:
            await self.request(scope, receive, send)

    async def _in_turn(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.waiting >= MAX_WAITING:
            await JSONResponse({"error": "The page is busy. Try again in a moment."}, 503)(scope, receive, send)
            return
        start: Message | None = None

        async def corrected(message: Message) -> None:
            """Send 422 in place of Gradio's 500 with the reason why a photo or an argument is refused."""
            nonlocal start
            if message["type"] == "http.response.start" and message["status"] == 500:
                start = message
                return
            if start is not None:
                await send(start if b'"error":null' in message["body"] else {**start, "status": 422})
                start = None
            await send(message)

        self.waiting += 1
        try:
            await self.request(scope, receive, corrected)
        finally:
            self.waiting -= 1


def _route(scope: Scope) -> str:
    """Return the path of a request without the prefix that a proxy puts before it, ``$GRADIO_ROOT_PATH``."""
    return "/" + scope["path"].removeprefix(scope.get("root_path", "")).removeprefix("/")
