"""Run commands of this project, each in a process of its own that has torch and torchvision imported already.

``python -m train`` imports libraries for five seconds before it does anything, and tests run hundreds of commands.
Here they are forked from one process that has imported what all of them need, and nothing that reads the environment:
this file is imported there as well, so it imports nothing of the library.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.support import PROJECT

IMPORTED = ["train", "torchvision.transforms.v2", "torchmetrics.classification", "matplotlib.pyplot"]
IMPORTED += ["tests.support.preloaded"]
"""Modules that are imported once: ``train`` sets up torch, and the others take longest."""

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(IMPORTED)


def run_module(
    module: str,
    *arguments: object,
    environment: Mapping[str, str] = os.environ,
    folder: Path = PROJECT,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Do what ``python -m MODULE ARGUMENTS`` does, and return its exit code, standard output and standard error.

    Args:
        module: one with a command line.
        arguments: its command line; each is converted to a text.
        environment: all of its environment variables. Those that Python reads when it starts have no effect.
        folder: its working directory.
        timeout: seconds after which it is killed; its exit code is then -9.
    """
    words = list(map(str, arguments))
    with tempfile.TemporaryDirectory() as scratch:
        output, error = files = [Path(scratch) / name for name in ("output", "error")]
        for file in files:
            file.touch()
        process = _processes.Process(target=_run, args=(module, words, dict(environment), folder, files))
        process.start()
        process.join(timeout)
        if process.is_alive():
            process.kill()
            process.join()
        assert process.exitcode is not None
        return subprocess.CompletedProcess([module, *words], process.exitcode, output.read_text(), error.read_text())


def _run(module: str, words: list[str], environment: dict[str, str], folder: Path, files: list[Path]) -> None:
    assert "huggingface_hub" not in sys.modules, "it has read the environment already"
    for stream, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_APPEND), stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path.insert(0, str(folder))
    sys.argv[1:] = words
    runpy.run_module(module, run_name="__main__", alter_sys=True)
