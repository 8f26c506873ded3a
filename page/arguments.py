"""Middleware for the endpoints for programs: arguments by name or position, defaults, and what is wrong in words."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from gradio.data_classes import FileData, ImageData
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from page.guard import arrived
from page.repairs import corrected_snippet
from page.uploads import is_upload

FILE = (
    'a file is {"path": PATH, "meta": {"_type": "gradio.FileData"}} with the path that /gradio_api/upload gave; the '
    'argument image may also be {"url": "data:image/jpeg;base64,..."}.'
)


class Arguments:
    """Middleware that completes the arguments of the endpoints.

    Gradio answers 500 to a call by names that lacks an argument or has an unknown one, and ``{"error": null}`` to a
    call by position that leaves out an argument with a default. Here defaults apply, a missing photo is left to the
    endpoint to complain of, and a wrong argument is refused with 422 and the names of the right ones.

    Args:
        app: the application that answers.
        endpoints: the functions behind the endpoints; each is called by the function's name.
    """

    def __init__(self, app: ASGIApp, endpoints: Iterable[Callable[..., Any]]) -> None:
        self.app = app
        self.parameters = {endpoint.__name__: inspect.signature(endpoint).parameters for endpoint in endpoints}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Complete the arguments of a call, correct what is printed of calls, pass other requests on."""
        path = scope.get("path", "")
        call = re.search(r"/gradio_api/(?:call/(v2/)?|run/)(\w+)/?$", path)
        if scope["type"] == "http" and scope["method"] == "POST" and call and call[2] in self.parameters:
            await self._call(bool(call[1]), call[2], scope, receive, send)
        elif scope["type"] == "http" and re.search(r"/gradio_api/info/?$", path):
            await self._info(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _call(self, by_name: bool, endpoint: str, scope: Scope, receive: Receive, send: Send) -> None:
        parameters = self.parameters[endpoint]
        try:
            body = await Request(scope, receive).json()
            data = _by_name(body, parameters) if by_name else _by_position(body, parameters)
        except (ValueError, RecursionError) as error:
            await JSONResponse({"detail": str(error)}, 422)(scope, receive, send)
            return
        content = json.dumps({"data": data}).encode()
        headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
        headers.append((b"content-length", str(len(content)).encode()))
        path = scope["path"].replace("/call/v2/", "/call/")
        completed = {**scope, "path": path, "raw_path": path.encode(), "headers": headers}
        await self.app(completed, arrived(content, receive), send)

    async def _info(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message | None = None
        body = b""

        async def corrected(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            body += message.get("body", b"")
            if not message.get("more_body", False) and start is not None:
                info = json.loads(body) if start["status"] == 200 else None
                for endpoint in (info or {}).get("named_endpoints", {}).values():
                    snippets = endpoint.get("code_snippets", {})
                    endpoint["code_snippets"] = {kind: corrected_snippet(code) for kind, code in snippets.items()}
                response = JSONResponse(info, start["status"])
                await response(scope, receive, send)

        await self.app(scope, receive, corrected)


def _by_name(body: Any, parameters: Any) -> list[Any]:
    if not isinstance(body, dict):
        raise ValueError("The arguments are not an object of names and values.")
    if unknown := [name for name in body if name not in parameters]:
        raise ValueError(f"There is no argument {', '.join(unknown)}; there are {', '.join(parameters)}.")
    return [_checked(name, body.get(name, _default(parameter))) for name, parameter in parameters.items()]


def _by_position(body: Any, parameters: Any) -> list[Any]:
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, list):
        raise ValueError('The arguments are not a list under the name "data".')
    if len(data) > len(parameters):
        raise ValueError(f"There are {len(data)} arguments; at most {len(parameters)}: {', '.join(parameters)}.")
    data = [*data, *map(_default, list(parameters.values())[len(data) :])]
    return [_checked(name, value) for name, value in zip(parameters, data, strict=True)]


def _checked(name: str, value: Any) -> Any:
    """Return an argument as Gradio takes it; raise ``ValueError`` if it is none."""
    if value is None:
        return value
    if name not in ("image", "files"):
        if isinstance(value, dict) or (
            isinstance(value, list) and any(isinstance(entry, (dict, list)) for entry in value)
        ):
            raise ValueError(f"{name} is a text.")
        return value
    files = [value] if isinstance(value, dict) else value
    if not isinstance(files, list) or not files or not all(isinstance(file, dict) for file in files):
        raise ValueError(f"{name}: {FILE}")
    model = FileData if name == "files" else ImageData
    for file in files:
        try:
            model.model_validate(file, context={"validate_meta": True})
        except (ValueError, TypeError, AttributeError) as error:  # Gradio's models raise any of them
            raise ValueError(f"{name}: {FILE}") from error
        path, url = file.get("path"), file.get("url")
        if isinstance(path, str) and (path.startswith(("http://", "https://")) or is_upload(Path(path))):
            continue
        if name == "files" or path is not None or not isinstance(url, str) or not url.startswith("data:"):
            raise ValueError(f"{name}: {FILE}")
    return files if name == "files" else files[0]


def _default(parameter: inspect.Parameter) -> Any:
    return None if parameter.default is parameter.empty else parameter.default
