"""Uploaded photos: where they are, and that they are deleted within the hour."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import gradio as gr

DELETE_CACHE = (600, 3000)
"""Every 600 s, files that were uploaded or made more than 3,000 s ago are deleted: within the hour."""


def start_sweeping(page: gr.Blocks) -> None:
    """Delete old files in the background, as long as the process runs."""
    threading.Thread(target=_sweep, args=(page,), daemon=True).start()


def _sweep(page: gr.Blocks) -> None:
    """Delete what Gradio's ``delete_cache`` does not know of, such as images that language models send as text."""
    frequency, age = DELETE_CACHE
    uploads = Path(os.environ["GRADIO_TEMP_DIR"])
    kept = {file for block in page.blocks.values() for file in block.keep_in_cache}
    while True:
        time.sleep(frequency)
        for path in sorted(uploads.rglob("*"), reverse=True):  # files before their folders
            with suppress(OSError):  # deleted meanwhile, or a folder that is not empty
                if str(path) not in kept and time.time() - path.stat().st_ctime > age:
                    path.rmdir() if path.is_dir() else path.unlink()
