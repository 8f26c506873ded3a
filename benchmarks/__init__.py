"""Benchmarks against the usual alternatives: ``python -m benchmarks.NAME`` prints its tables."""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # also for the pages that benchmarks serve
