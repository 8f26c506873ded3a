"""The README is true: its figures, its versions and its code."""

from __future__ import annotations

import re

import pytest
from huggingface_hub import RepoCard

from flower_alexnet import registry
from tests.support import PROJECT

README = RepoCard.load(PROJECT / "README.md")


def test_space_runs_what_the_requirements_install() -> None:
    requirements = (PROJECT / "requirements.txt").read_text()
    assert f"gradio[mcp]=={README.data['sdk_version']}\n" in requirements
    assert (PROJECT / README.data["app_file"]).is_file()
    assert README.data["license"] == "apache-2.0"


def test_table_gives_each_model_its_measured_accuracy() -> None:
    row = r"^\| \[(.+?)\]\(weights/.+?/README\.md\) \| ([\d.]+) % \|"
    rows = re.findall(row, README.text, re.MULTILINE)
    measured = [(model.name, f"{100 * (model.test_accuracy or 0):.1f}") for model in registry.shipped_models()]
    assert rows == measured


def test_files_in_its_commands_are_there() -> None:
    named = set(re.findall(r"examples/[\w*.]+", README.text))
    assert named
    assert all(list(PROJECT.glob(name)) for name in named)


def test_python_example_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    example = re.search(r"```python\n(.+?)```", README.text, re.DOTALL)
    assert example is not None
    monkeypatch.chdir(PROJECT)
    names: dict[str, object] = {}
    exec(example[1], names)
    assert capsys.readouterr().out.startswith("roses 0.")
    inside = re.search(r"```python\n(from flower_alexnet.inside.+?)```", README.text, re.DOTALL)
    assert inside is not None
    exec(inside[1], names)
    assert capsys.readouterr().out.startswith("(48, 11, 11, 3) [((48, 55, 55), 11), ((128, 27, 27), 51)")
