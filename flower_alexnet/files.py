"""Files that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path


def put(aside: Path, file: Path) -> None:
    """Put a file that was written aside in its place, once all of it is on the disk: there is never half of it.

    Args:
        aside: on the same disk; it is gone afterwards.
        file: replaced if it is there.
    """
    with aside.open("rb") as written:
        os.fsync(written.fileno())
    aside.replace(file)
