"""You or the network: ten photos to guess, of which the network is asked as well."""

from __future__ import annotations

import random

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from flower_alexnet import LABELS
from page import examples
from page.language import preferred_language
from page.models import MODELS
from page.translations import translate

FLOWERS = 8
"""Photos of flowers in a game, of the gallery; beside them are a hard one and a photo of something else."""

WRONG = 2
"""Of these, photos that the page's model gets wrong: or it would always win."""


async def game(request: Request) -> JSONResponse:
    """Answer ten photos in a random order: of each its address, what it shows, and who made it."""
    language = preferred_language(request.headers.get("accept-language"))
    return JSONResponse([_photo(name, language) for name in _draw()])


def _draw() -> list[str]:
    """Return the names of ten photos, of the gallery as ``LABEL/NAME``."""
    gallery, model = examples.gallery(), MODELS.get(MODELS.default)
    test = (model.measurements() if model else {}).get("test", {})
    mistakes = [str(row["photo"]) for row in test.get("mistakes", []) if row["photo"] in gallery]
    drawn = random.sample(mistakes, min(WRONG, len(mistakes)))
    for label in random.sample(LABELS * 2, FLOWERS - len(drawn)):
        names = [name for name in gallery if name.startswith(f"{label}/") and name not in drawn]
        drawn.append(random.choice(names))  # noqa: S311
    drawn += ["hard", "other"]
    random.shuffle(drawn)
    return drawn


def _photo(name: str, language: str) -> dict[str, str | None]:
    """Return a photo's address, its label, what it shows in words, and its photographer."""
    label, separator, _ = name.partition("/")
    by = examples.gallery()[name][0] if separator else ""
    shown = label if separator else examples.SHOWN[name]
    return {
        "address": f"examples/gallery/{name}.webp" if separator else f"examples/{name}.webp",
        "label": shown,
        "credit": translate("photo_by", language, name=by) if by else "",
    }


ROUTE = Route("/game", game)
