"""Train AlexNet on flower_photos, evaluate it, and write and publish model folders."""

import os
import sys
from importlib.util import find_spec

os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # let torch allocate in 2 MB pages: a tenth less time per step

for _needed in ("torch", "torchvision", "accelerate", "torchmetrics", "tyro", "matplotlib", "jinja2", "platformdirs"):
    if find_spec(_needed) is None:
        sys.exit(f"{_needed} is not installed. Install what training needs: pip install -r requirements-train.txt")

from train import torchvision_operators

torchvision_operators.declare_missing()  # before anything imports torchvision
