"""Lets requests through to what the page needs, and to nothing else that Gradio serves."""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

MAX_FILE = 100_000_000
"""Bytes of the largest file that is taken: a photo, or a zip of them."""

MAX_UPLOAD = 1_000_000_000
"""Bytes of all files that are uploaded in one request."""

MAX_QUESTION = 25_000_000
"""Bytes of any other request; the largest are photos that language models send as text."""

REACHABLE = re.compile(
    r"""/(
        config/? | theme\.css | favicon\.ico | robots\.txt | manifest\.json | pwa_icon(/\d+)?
        | (assets|static|svelte)/.*
        | gradio_api/(
            info/? | openapi\.json | app_id/? | login_check/? | startup-events | theme\.css
            | upload | upload_progress | file=(?!https?:).*
            | queue/(join|data|status) | run/predict/? | cancel | reset/? | heartbeat/.* | mcp(/.*)?
        )
    )?""",
    re.VERBOSE | re.IGNORECASE,
)
"""Paths of the page, of what it loads and asks for, and of the tools for language models; endpoints come to them."""


class Guard:
    """Middleware: 404 for paths that are not ``REACHABLE`` nor of an endpoint, 413 for requests that are too large.

    Args:
        app: who answers all others.
        endpoints: names of what programs can call.
    """

    def __init__(self, app: ASGIApp, endpoints: Iterable[str]) -> None:
        self.app = app
        self.endpoint = re.compile(
            rf"/gradio_api/call/({'|'.join(map(re.escape, endpoints))})/?([^/]+)?", re.IGNORECASE
        )
        self.upload = RequestBodyLimitMiddleware(app, MAX_UPLOAD)
        self.question = RequestBodyLimitMiddleware(app, MAX_QUESTION)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif not (REACHABLE.fullmatch(scope["path"]) or self.endpoint.fullmatch(scope["path"])):
            await PlainTextResponse("Not found", 404)(scope, receive, send)
        elif scope["path"] == "/gradio_api/upload":
            await self.upload(scope, receive, send)
        else:
            await self.question(scope, receive, send)
