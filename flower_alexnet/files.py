"""Files that are complete or absent."""

from __future__ import annotations

import os
from pathlib import Path


def replace_atomically(temporary: Path, file: Path) -> None:
    """Move a finished temporary file into place after its contents reached the disk; no reader ever sees half of it.

    Args:
        temporary: on the same disk; gone afterwards.
        file: replaced if it exists.
    """
    with temporary.open("rb") as written:
        os.fsync(written.fileno())
    temporary.replace(file)
