"""The files of Gradio that this page needs, named in its head: else a browser finds one in the other, one by one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import gradio

FRONTEND = Path(gradio.__file__).parent / "templates" / "frontend"

ENTRY = re.compile(r'src="\./assets/([^"]+\.js)"')
"""Where ``index.html`` names the first module."""

FILES = re.compile(r"m\.f=\[(.*?)\]", re.DOTALL)
IMPORT = re.compile(r"import\(`\./([^`]+)`\).{0,80}?,__vite__mapDeps\(\[([\d,]*)\]\)", re.DOTALL)
"""How Vite, which Gradio is built with, writes which files a module may need, and which of them come with an import."""

LOADER = re.compile(r"\w+:\(\)=>\w+\(\(\)=>import\(`\./([^`]+)`\)")
"""How the module of a component is loaded."""


def links(components: Iterable[str], frontend: Path = FRONTEND) -> str:
    """Return the links for the head of a page; fewer, or none, of a Gradio that is built in another way.

    Args:
        components: types of the components that are on the page.
        frontend: folder of Gradio's frontend.
    """
    try:
        names = _needed(set(components), frontend)
    except (OSError, ValueError, LookupError, TypeError):
        return ""
    kinds = {".js": 'rel="modulepreload"', ".css": 'rel="preload" as="style"'}
    return "".join(
        f'<link {kinds[Path(name).suffix]} crossorigin href="./assets/{name}">'
        for name in names
        if Path(name).suffix in kinds and (frontend / "assets" / name).is_file()
    )


def _needed(components: set[str], frontend: Path) -> list[str]:
    """Return the names of the files that the page loads, those that it needs first at the front."""
    entry = ENTRY.search((frontend / "index.html").read_text(encoding="utf-8"))
    if entry is None:
        return []
    names: dict[str, None] = {}
    for module, imported in ((entry[1], "Index-"), (None, "Blocks-")):
        brought = _imports(frontend, module or next(iter(names)))
        first = next(name for name in brought if name.startswith(imported))
        names |= dict.fromkeys([first, *brought[first]])
    core = next(name for name in names if name.startswith("core-") and name.endswith(".js"))
    brought, text = _imports(frontend, core), (frontend / "assets" / core).read_text(encoding="utf-8")
    for component in sorted(components):
        loaders = re.search(rf"[,{{]{re.escape(component)}:\{{(.*?)\}}[,}}]", text, re.DOTALL)
        for module in LOADER.findall(loaders[1]) if loaders else ():
            names |= dict.fromkeys([module, *brought.get(module, ())])
    return list(names)


def _imports(frontend: Path, module: str) -> dict[str, list[str]]:
    """Return what a module may import -> the files that come with it."""
    text = (frontend / "assets" / module).read_text(encoding="utf-8")
    listed = FILES.search(text)
    files = re.findall(r'"\./([^"]+)"', listed[1]) if listed else []
    return {
        name: [files[int(number)] for number in numbers.split(",") if number] for name, numbers in IMPORT.findall(text)
    }
