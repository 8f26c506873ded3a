"""Lets torchvision be imported where its compiled operators cannot load.

torchvision's wheels are built against one build of torch. Beside another one (a CPU build, say)
the compiled half does not load, and ``import torchvision`` then fails on ``torchvision::nms does
not exist`` (pytorch/vision issues 9077 and 9085), although nothing here needs a compiled operator.
Declaring the two operators that torchvision expects at import time is enough for its transforms;
where the compiled ones load, this does nothing.
"""

from importlib.util import find_spec
from pathlib import Path

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[torch.library.Library] = []  # the operators live as long as this does


def declare_missing() -> None:
    """Declare ``torchvision::nms`` and ``torchvision::qnms`` unless the compiled ones load."""
    if _declared or _compiled_operators_load():
        return
    library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        library.define(schema)
    _declared.append(library)


def _compiled_operators_load() -> bool:
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return True  # there is no torchvision to help
    for file in Path(spec.origin).parent.glob("_C.*"):
        try:
            torch.ops.load_library(file)
            return hasattr(torch.ops.torchvision, "nms")
        except OSError:
            continue
    return False
