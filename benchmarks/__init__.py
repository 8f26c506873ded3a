"""How fast it is beside what a user would pick instead: python -m benchmarks.NAME prints a table."""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # nor do the pages that are served tell anybody

import flower_alexnet  # noqa: F401  (lets torchvision be imported, here and by other libraries)
