"""Benchmarks against the usual alternatives: ``python -m benchmarks.NAME`` prints its tables."""

import os
import sys
from importlib.util import find_spec

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # also for the pages that benchmarks serve

for _needed in ("torch", "gradio", "psutil", "tabulate", "onnxruntime"):
    if find_spec(_needed) is None:
        sys.exit(f"{_needed} is not installed. Install what it needs: pip install -r requirements-benchmarks.txt")
