"""Handlers of the page, called without a server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from flower_alexnet.registry import Model
from page import about
from page.models import Models


def described(model: Model, language: str) -> list[Any]:
    """Return what the page says of a model in its list."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(about, "MODELS", Models([model]))
        return asyncio.run(about.describe_model(model, language))
