"""What tests and benchmarks share."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
"""The root of the checkout."""
