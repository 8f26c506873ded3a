"""Read a picture, the first argument, and print what came of it and the bytes of memory that reading took at most.

The second argument is a small picture, which is read before that: what is loaded with the first picture is not counted.
"""

from __future__ import annotations

import resource
import sys

from flower_alexnet import InvalidImage, images


def peak() -> int:
    """Return the most memory that this process has had, in bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    images.load(sys.argv[2])
    before = peak()
    try:
        outcome = f"read {images.load(sys.argv[1], shorter_side=360).size}"
    except InvalidImage as error:
        outcome = f"{type(error).__name__} {error}"
    sys.stdout.write(f"{outcome}\n{peak() - before}\n")
