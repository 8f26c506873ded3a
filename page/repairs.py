"""What is patched inside Gradio 6.31; each function says what to delete when Gradio has mended it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr
from gradio.mcp import GradioMCPServer
from gradio.routes import App

from page.answers import MAX_PHOTOS

READ = re.compile(r"(curl -X POST .*?)\\\n  \| awk (.*?) \\\n  \| read EVENT_ID; curl", re.DOTALL)
"""What Gradio prints for curl; bash reads EVENT_ID in a process of its own, where it is lost."""

PHOTO = "https://raw.githubusercontent.com/gradio-app/gradio/main/test/test_files/bus.png"
DOCUMENT = "https://github.com/gradio-app/gradio/raw/main/test/test_files/sample_file.pdf"
"""Gradio's examples of a photo and of a file."""


@contextmanager
def one_server() -> Iterator[None]:
    """Keep Gradio from making a page's server where its layout begins and where it ends: that of its launch is used.

    Each takes a fiftieth of the page's start. Delete it when ``App.create_app`` is called once without it.
    """
    create = App.__dict__["create_app"]
    App.create_app = staticmethod(lambda *_, **__: None)
    try:
        yield
    finally:
        App.create_app = create


def corrected_snippet(code: str) -> str:
    """Return what Gradio prints of a call, in such a way that it can be run.

    Delete it with ``Arguments._info`` when tests/page/test_documentation.py passes without it.
    """
    code = READ.sub(r"EVENT_ID=$(\1| awk \2); curl", code)
    code = code.replace("files: handle_file(exampleFile)", "files: [handle_file(exampleFile)]")
    return code.replace('fetch("")', f'fetch("{PHOTO}")').replace(DOCUMENT, PHOTO)


def files_field(label: str) -> gr.File:
    """Return a component for files whose schema has no definitions of its own.

    Gradio nests them in the schema of a tool, where their references point nowhere, so that the official client of MCP
    cannot call the tool. Where Gradio puts them at the root, ``gr.File`` alone does.
    """
    component = gr.File(label=label, file_count="multiple")
    schema = component.api_info()
    component.api_info = lambda: _inlined(schema, schema.get("$defs", {}))
    return component


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """Return a JSON schema with its definitions in place of the references to them."""
    if isinstance(schema, list):
        return [_inlined(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]] | {key: schema[key] for key in schema if key != "$ref"}
    return {key: _inlined(value, definitions) for key, value in schema.items() if key != "$defs"}


def take_lists_of_files() -> None:
    """Have the server of MCP take files in a list: it looks for them at ``files.items``, not at ``files.0`` and so on.

    Delete it when tests/page/test_api.py passes without it.
    """
    convert = GradioMCPServer.convert_strings_to_filedata
    if hasattr(convert, "__wrapped__"):
        return

    def with_lists(self: GradioMCPServer, value: Any, filedata_positions: list[list[str | int]]) -> Any:
        lists = [position[:-1] for position in filedata_positions if position[-1] == "items"]
        listed = [[*position, index] for position in lists for index in range(MAX_PHOTOS)]
        return convert(self, value, filedata_positions + listed)

    with_lists.__wrapped__ = convert  # type: ignore[attr-defined]
    GradioMCPServer.convert_strings_to_filedata = with_lists
