"""Trains AlexNet on flower_photos, measures it, and writes and publishes model folders."""

import os

os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch takes memory in 2 MB pages: a tenth less time a step

import flower_alexnet  # noqa: F401  (lets torchvision be imported, here and by other libraries)
