"""Train AlexNet on flower_photos, evaluate it, and write and publish model folders."""

import os

os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # let torch allocate in 2 MB pages: a tenth less time per step

from train import torchvision_operators

torchvision_operators.declare_missing()  # before anything imports torchvision
