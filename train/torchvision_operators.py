"""Make ``import torchvision`` work where its compiled operators do not load.

A torchvision wheel is built against one build of torch. With another build (a CPU build, for example)
the compiled operators do not load, and ``import torchvision`` fails with ``operator torchvision::nms does
not exist`` (pytorch/vision issues 9077 and 9085), although the transforms use none of them. Declaring the
two operators that torchvision refers to at import time is enough. Where the compiled operators load,
nothing is declared.

``train/__init__.py`` calls ``declare_missing``, so that every module of ``train``, and every module that
imports ``train`` first, can import torchvision.
"""

from importlib.util import find_spec
from pathlib import Path

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[torch.library.Library] = []  # keeps the operators registered


def declare_missing() -> None:
    """Declare ``torchvision::nms`` and ``torchvision::qnms`` unless the compiled ones load."""
    if _declared or _compiled_operators_load():
        return
    library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        library.define(schema)
    _declared.append(library)


def _compiled_operators_load() -> bool:
    """Return whether torchvision is absent, or its compiled operators load."""
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True  # torchvision is not installed
    for file in Path(spec.origin).parent.glob("_C.*"):
        try:
            torch.ops.load_library(file)
            return hasattr(torch.ops.torchvision, "nms")
        except OSError:
            continue
    return False
