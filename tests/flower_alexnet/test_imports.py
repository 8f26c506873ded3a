"""Imports run one way: app.py -> page -> library, train -> library; the library needs none of their packages."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.support import PROJECT

PAGE_AND_TRAINING = ("gradio", "torchvision", "matplotlib", "captum", "pandas", "starlette")
"""Packages that a program which only loads weights need not have."""

PAGE_TESTS = ("playwright", "gradio_client", "gradio")
"""Packages that only the tests of the page need."""

COLLECT = f"""
import sys

class Forbid:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {PAGE_TESTS}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Forbid())
import pytest
sys.exit(pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", "tests/flower_alexnet"]))
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter, in the project's folder."""
    return subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True)


def module_name(file: Path) -> str:
    """Return the dotted name of a module of the project."""
    parts = file.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {
    module_name(file): file
    for file in (
        PROJECT / "app.py",
        *(file for folder in ("flower_alexnet", "page", "train") for file in (PROJECT / folder).rglob("*.py")),
    )
}
"""Module -> its file."""

LIBRARY, PAGE, TRAIN = (
    {name for name in FILES if name.partition(".")[0] == package} for package in ("flower_alexnet", "page", "train")
)

FORBIDDEN = {
    **{name: {"page", "app", "train", "benchmarks", "tests", *PAGE_AND_TRAINING} for name in LIBRARY},
    **{name: {"app", "train", "benchmarks", "tests", "torchvision", "matplotlib"} for name in PAGE},
    **{name: {"page", "app", "benchmarks", "tests"} for name in TRAIN},
}
"""Module -> the modules and packages that it must not import."""


def nodes(tree: ast.AST, functions: bool) -> Iterator[ast.AST]:
    """Yield the nodes of a syntax tree, with or without those inside functions."""
    for node in ast.iter_child_nodes(tree):
        if functions or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield node
            yield from nodes(node, functions)


def imported(name: str, functions: bool) -> set[str]:
    """Return the modules that a module of the project imports, by their dotted names.

    ``from a import b`` imports the module ``a.b`` where the project has one, and else ``a``.

    Args:
        name: the importing module.
        functions: whether imports inside functions count as well.
    """
    found: set[str] = set()
    for node in nodes(ast.parse(FILES[name].read_text(encoding="utf-8")), functions):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} has a relative import, which this test does not resolve"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                found.add(submodule if submodule in FILES else str(node.module))
    return found


def test_library_is_imported_without_the_packages_of_page_and_training() -> None:
    result = python(f"import sys, flower_alexnet; print([name for name in {PAGE_AND_TRAINING} if name in sys.modules])")
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("name", sorted(FORBIDDEN))
def test_imports_run_one_way(name: str) -> None:
    for module in imported(name, functions=True):
        parts = module.split(".")
        packages = {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
        assert not packages & FORBIDDEN[name], f"{name} imports {module}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: imported(name, functions=False) & FILES.keys() for name in FILES}
    assert {"flower_alexnet.model", "page.api", "train.engine", "app"} <= graph.keys()
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle
    assert order.index("flower_alexnet.model") < order.index("flower_alexnet.classifier") < order.index("app")


def test_library_tests_are_collected_without_the_packages_of_the_page_tests() -> None:
    result = python(COLLECT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "test_imports.py" in result.stdout
