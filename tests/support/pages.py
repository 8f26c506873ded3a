"""Start pages, each in a process of its own that has Gradio and torch imported already.

A page imports libraries for four seconds before it does anything, and the tests start dozens. Here they are forked from
one process that has imported them, and nothing of this project. What these libraries read of the environment when they
are imported (HF_ENDPOINT, HF_HUB_OFFLINE, ...) is that of the tests.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import psutil

from tests.support import PROJECT


def start_page(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> psutil.Process:
    """Do what ``python ARGUMENTS`` does in this project, with its output in a file, and return the process."""
    parent = _parent()
    assert parent.stdin is not None and parent.stdout is not None
    print(json.dumps([arguments, dict(environment), str(log)]), file=parent.stdin, flush=True)
    return psutil.Process(int(parent.stdout.readline()))


@cache
def _parent() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.support.pages"]
    parent = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(parent.kill)
    return parent


def main() -> None:
    """Fork a page for each line of standard input, and print its process id."""
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GOMP_SPINCOUNT": "0"}  # as app.py does
    import gradio
    import pillow_heif
    import torch

    assert gradio and pillow_heif and torch
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a page that has ended
    for line in sys.stdin:
        if process := os.fork():
            sys.stdout.write(f"{process}\n")
            sys.stdout.flush()
        else:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _run(*json.loads(line))
            return


def _run(arguments: list[str], environment: dict[str, str], log: str) -> None:
    for stream, opened in enumerate((os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_APPEND))):
        os.dup2(opened, stream)
    os.dup2(1, 2)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # it is read again of the environment
    sys.path[0] = str(PROJECT)
    if arguments[0] == "-c":
        sys.argv = ["-c"]
        exec(compile(arguments[1], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = list(arguments)
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main()
