"""Uploads are deleted when the page ends, however it ends, and nothing else is."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import psutil
import pytest

from page import uploads
from tests.support import PROJECT
from tests.support.server import Server, serve

EXAMPLE = PROJECT / "examples" / "tulips_1.webp"


@contextmanager
def page(
    folder: Path, code: str = "import app; app.uploads.delete_on_termination(); app.launch()", forked: bool = True
) -> Iterator[Server]:
    """Serve the page with a folder of somebody's own as ``$GRADIO_TEMP_DIR``, and upload a photo."""
    setting = f"import os; os.environ['GRADIO_TEMP_DIR'] = {str(folder)!r}; "
    with serve("-c", setting + code, forked=forked) as server:
        with EXAMPLE.open("rb") as file:
            (path,) = httpx2.post(f"{server.url}/gradio_api/upload", files={"files": file}).raise_for_status().json()
        assert Path(path).is_relative_to(folder)
        yield server


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Return a folder with old files of somebody's own, one of them in a folder named as if it were the page's."""
    old = time.time() - 10 * 3600
    for name in ("mine.jpg", "inner/mine.txt", f"{uploads.PREFIX}mine/mine.txt"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("mine")
        os.utime(file, (old, old))
    return tmp_path


def files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_and_nothing_of_others_is_deleted(own: Path, ending: signal.Signals) -> None:
    before = files(own)
    with page(own, forked=False) as server:
        assert files(own) > before
        server.process.send_signal(ending)
        assert server.process.wait(30) == 0
        assert files(own) == before


def test_next_start_deletes_what_a_killed_page_left(own: Path) -> None:
    before = files(own)
    with page(own) as server:
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(30)
        left = files(own) - before
        assert left
    with page(own) as one, page(own) as other:  # pages that run keep what they have
        assert not left & files(own)
        assert before <= files(own)
        for server in (one, other):
            assert psutil.pid_exists(server.process.pid)
        folders = [folder for folder in own.glob(f"{uploads.PREFIX}*") if (folder / uploads.LOCK).exists()]
        assert len(folders) == 2


def test_sweep_leaves_the_files_of_others(own: Path) -> None:
    before = files(own)
    code = "import app; app.uploads.DELETE_CACHE = (1, 1); app.launch()"
    with page(own, code) as server:
        deadline = time.monotonic() + 30
        while any(file.endswith("tulips_1.webp") and "examples" not in file for file in uploaded(own, server)):
            assert time.monotonic() < deadline
            time.sleep(0.5)
        assert before <= files(own)


def uploaded(folder: Path, server: Server) -> list[str]:
    """Return the uploaded files, without the example photos that the page keeps."""
    config = httpx2.get(f"{server.url}/config").text
    return [file for file in files(folder) if file.startswith(uploads.PREFIX) and file not in config]
