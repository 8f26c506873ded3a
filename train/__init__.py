"""Trains AlexNet on flower_photos, measures it, and writes and publishes model folders."""

import flower_alexnet  # noqa: F401  (lets torchvision be imported, here and by other libraries)
