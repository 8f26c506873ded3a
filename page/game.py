"""You or the network: ten photos to guess, of which the network is asked as well."""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from flower_alexnet import LABELS
from page import examples
from page.language import preferred_language
from page.models import MODELS
from page.subject import ABOUT_FLOWERS
from page.translations import translate

FLOWERS, NONE = 8, 2
"""Photos in a game that show one of the five, and that show none of them."""

WRONG = 2
"""Of the flowers, photos that the page's model gets wrong: or it would always win."""

HAS_GAME = ABOUT_FLOWERS and bool(examples.gallery())
"""Whether there is a game: it is about the five flowers."""

CHECKED = json.loads((examples.FOLDER / "game.json").read_text("utf-8")) if HAS_GAME else {"none": [], "unfair": []}
"""The gallery as somebody looked at it: photos that show ``none`` of the five whatever their label says, and ``unfair``
ones, which show another flower, a drawing, or theirs so small that nobody could say."""


async def game(request: Request) -> JSONResponse:
    """Answer ten photos in a random order, of each its address, what it shows and who made it; as long as there are
    enough, none of those that were ``seen`` before, names with commas between them."""
    language = preferred_language(request.headers.get("accept-language"))
    seen = set(request.query_params.get("seen", "").split(","))
    return JSONResponse([_photo(name, language) for name in _draw(seen)] if HAS_GAME else [])


def _draw(seen: Collection[str] = ()) -> list[str]:
    """Return the names of ten photos of the gallery, as ``LABEL/NAME``."""
    model = MODELS.get(MODELS.default)
    test = (model.measurements() if model else {}).get("test", {})
    mistakes = [str(row["photo"]) for row in test.get("mistakes", [])]
    fair = [name for name in examples.gallery() if name not in {*CHECKED["none"], *CHECKED["unfair"]}]
    drawn = _some([name for name in mistakes if name in fair], WRONG, seen)
    for label in random.sample(LABELS * 2, FLOWERS - len(drawn)):
        of_label = [name for name in fair if name.startswith(f"{label}/") and name not in {*drawn, *mistakes}]
        drawn += _some(of_label, 1, seen)
    drawn += _some(CHECKED["none"], NONE, seen)
    random.shuffle(drawn)
    return drawn


def _some(names: Sequence[str], number: int, seen: Collection[str]) -> list[str]:
    """Return some of the names, drawn by chance; of those that were seen only where the others do not suffice."""
    new = [name for name in names if name not in seen]
    return random.sample(new if len(new) >= number else list(names), min(number, len(names)))


def _photo(name: str, language: str) -> dict[str, str | None]:
    """Return a photo's address, its label, and its photographer."""
    return {
        "address": f"examples/gallery/{name}.webp",
        "label": None if name in CHECKED["none"] else name.partition("/")[0],
        "credit": translate("photo_by", language, name=examples.gallery()[name][0]),
    }


ROUTE = Route("/game", game)
