"""The package is what the requirements files install, and holds what an installation needs."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from flower_alexnet import __version__, registry
from tests.support import PROJECT

PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
EXTRAS = PYPROJECT["optional-dependencies"]


def required(name: str) -> dict[str, Requirement]:
    """Return the requirements of a file, without those of the files that it includes."""
    lines = (PROJECT / name).read_text().splitlines()
    return by_name([line for line in lines if re.match(r"\w", line)])


def by_name(requirements: list[str]) -> dict[str, Requirement]:
    return {it.name: it for it in map(Requirement, requirements)}


def test_requirements_files_list_what_the_package_needs() -> None:
    page, package = required("requirements.txt"), by_name(PYPROJECT["dependencies"])
    torch, range_of_torch = page.pop("torch"), package.pop("torch")
    assert {str(it) for it in package.values()} <= {str(it) for it in page.values()}
    (pinned,) = torch.specifier
    assert pinned.version in range_of_torch.specifier
    assert {str(it) for it in required("requirements-scale.txt").values()} == {
        str(it) for it in by_name(EXTRAS["scale"]).values()
    }
    assert str(required("requirements-benchmarks.txt")["onnxruntime"]) == str(by_name(EXTRAS["onnx"])["onnxruntime"])


def test_wheel_holds_the_library_and_the_default_model(wheel: Path, tmp_path: Path) -> None:
    """``.ci/run`` installs it into an empty environment and classifies a photo."""
    assert wheel.name == f"flower_alexnet-{__version__}-py3-none-any.whl"
    names = ZipFile(wheel).namelist()
    folders = {name.partition("/")[0] for name in names}
    assert folders == {"flower_alexnet", f"flower_alexnet-{__version__}.dist-info"}  # no tests, train, app.py
    modules = {str(file.relative_to(PROJECT)) for file in (PROJECT / "flower_alexnet").rglob("*.py")}
    assert modules <= set(names)
    for name in ("config.json", "model.safetensors"):
        assert f"flower_alexnet/weights/{registry.SHIPPED[0]}/{name}" in names
    with ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    code = "from flower_alexnet import registry as r; print(r.find(), [model.name for model in r.shipped_models()])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "installed", capture_output=True, text=True, check=True
    )
    default = tmp_path / "installed" / "flower_alexnet" / "weights" / registry.SHIPPED[0]
    assert done.stdout.split() == [str(default), f"['{registry.SHIPPED[0]}']"]


@pytest.mark.parametrize(
    ("module", "missing", "requirements"),
    [
        ("train", "tyro", "requirements-train.txt"),
        ("train.publish", "accelerate", "requirements-train.txt"),
        ("benchmarks.inference", "tabulate", "requirements-benchmarks.txt"),
    ],
)
def test_missing_requirements_are_told_in_one_line(module: str, missing: str, requirements: str) -> None:
    code = f"""
import importlib.util, runpy
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == {missing!r} else find(name, *rest)
runpy.run_module({module!r}, run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [done.stderr.strip()]
    assert f"{missing} is not installed" in done.stderr
    assert f"pip install -r {requirements}" in done.stderr
