"""Weights are data, not code: nothing in the project unpickles."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch

from flower_alexnet import AlexNet, FlowerClassifier, InvalidModel
from tests.support import PROJECT

MODULES = sorted(
    path
    for folder in ("flower_alexnet", "page", "train", "benchmarks", "examples")
    for path in (PROJECT / folder).rglob("*.py")
)
FORBIDDEN_MODULES = {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_ATTRIBUTES = {"torch.load", "torch.jit.load", "torch.hub.load", "numpy.load", "np.load", "pandas.read_pickle"}


def test_modules_of_the_page_are_among_them() -> None:
    assert PROJECT / "page" / "events.py" in MODULES


@pytest.mark.parametrize("path", [PROJECT / "app.py", *MODULES], ids=lambda path: str(path.relative_to(PROJECT)))
def test_nothing_unpickles_or_runs_text(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not FORBIDDEN_MODULES & {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] not in FORBIDDEN_MODULES
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in FORBIDDEN_CALLS | FORBIDDEN_ATTRIBUTES, called


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "model.safetensors", "in_distribution.safetensors", "config.json"]
)
def test_program_in_a_model_folder_does_not_run(name: str, random_model: Path, tmp_path: Path) -> None:
    class Program:
        def __reduce__(self) -> tuple:
            return Path.touch, (tmp_path / "it-ran",)

    folder = tmp_path / "model"
    folder.mkdir()
    for file in random_model.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    if name == "in_distribution.safetensors":
        config = (folder / "config.json").read_text().replace('"threshold": null', '"threshold": 0.5')
        (folder / "config.json").write_text(config)
    if name == "pytorch_model.bin":
        (folder / "model.safetensors").unlink()
    torch.save(Program(), folder / name)
    with pytest.raises(InvalidModel):
        FlowerClassifier.from_pretrained(folder)
    if name == "pytorch_model.bin":
        with pytest.raises(InvalidModel):
            AlexNet.from_pretrained(folder)
    assert not (tmp_path / "it-ran").exists()
    with (folder / name).open("rb") as program:
        torch.load(program, weights_only=False)
    assert (tmp_path / "it-ran").exists()  # it would have
