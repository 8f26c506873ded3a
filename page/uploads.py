"""Uploaded photos: in a folder of this process alone, deleted within the hour and when the process ends."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

if TYPE_CHECKING:  # Gradio reads the folder's name when it is imported, so not before make_folder
    import gradio as gr

DELETE_CACHE = (600, 3000)
"""Every 600 s, files that were uploaded or made more than 3,000 s ago are deleted: within the hour."""

PREFIX = "flower_alexnet-"
"""Name of the folders of uploads, before the random part."""

LOCK = ".lock"
"""File in a folder of uploads that is locked as long as its process runs."""


def make_folder() -> Path:
    """Make a folder for the uploads of this process, and have Gradio use it.

    It is inside ``$GRADIO_TEMP_DIR`` if that is set, else in the system's folder for temporary files, and is deleted
    when the process ends. Folders of processes that were killed are deleted here. Nothing else is touched.
    """
    parent = Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir())
    parent.mkdir(parents=True, exist_ok=True)
    _delete_abandoned(parent)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    lock = FileLock(folder / LOCK)
    lock.acquire()
    owner = os.getpid()

    def delete() -> None:
        if os.getpid() == owner:  # not in a forked process
            lock.release()
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(delete)
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    return folder


def is_upload(path: Path) -> bool:
    """Return whether a file is in the folder of uploads: no other file of the server is read for a visitor."""
    return path.resolve().is_relative_to(Path(os.environ["GRADIO_TEMP_DIR"]).resolve())


def delete_on_termination() -> None:
    """End on SIGTERM, as ``docker stop`` sends it, and on Ctrl-C, while starting too, so that uploads are deleted."""
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: sys.exit(0))


def start_sweeping(page: gr.Blocks, folder: Path) -> None:
    """Delete old files of the folder of uploads in the background, as long as the process runs."""
    threading.Thread(target=_sweep, args=(page, folder), daemon=True).start()


def _delete_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError, Timeout):
            if folder.is_symlink() or not (folder / LOCK).is_file():
                continue
            with FileLock(folder / LOCK, timeout=0):  # its process is gone
                shutil.rmtree(folder, ignore_errors=True)


def _sweep(page: gr.Blocks, folder: Path) -> None:
    """Delete what Gradio's ``delete_cache`` does not know of, such as images that language models send as text."""
    frequency, age = DELETE_CACHE
    kept = {file for block in page.blocks.values() for file in block.keep_in_cache} | {str(folder / LOCK)}
    while True:
        time.sleep(frequency)
        for path in sorted(folder.rglob("*"), reverse=True):  # files before their folders
            with suppress(OSError):  # deleted meanwhile, or a folder that is not empty
                if str(path) not in kept and time.time() - path.stat().st_ctime > age:
                    path.rmdir() if path.is_dir() else path.unlink()
