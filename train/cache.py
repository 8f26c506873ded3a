"""The cache folder, in which downloads and decoded photos wait for the next run."""

from __future__ import annotations

from platformdirs import user_cache_path

CACHE = user_cache_path("flower_alexnet")
"""Folder of the downloaded dataset and of decoded photos."""
