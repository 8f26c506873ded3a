"""Inside the network: the numbers that the tab draws, of the photo that is there, and the photos most alike in them."""

from __future__ import annotations

import os
import threading
from base64 import b64encode
from functools import cache
from typing import Any

import numpy as np
import torch
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from flower_alexnet import FlowerClassifier, model
from flower_alexnet.inside import Inside, Layer, kernels, look_inside
from page import answers, examples
from page.look import answer_picture
from page.translations import flower_name

MAPS = 12
"""Maps of a layer that are shown, the strongest ones; of the first layer each kernel has its map."""

SIDE = 28
"""Height and width of a map as it is sent, at most."""

ALIKE = 6
"""Photos of the gallery that are shown as most alike."""

_SPACE = os.environ.get("SPACE_ID")

CODE = f"https://huggingface.co/spaces/{_SPACE}/blob/main/flower_alexnet/model.py" if _SPACE else None
"""Where the network's code can be read: in the Space that this page is, if it is one."""

INSIDES = answers.Turns(1, waiting=32)
"""Looks inside at the same time, and those that may wait."""


async def inside(request: Request) -> JSONResponse:
    """Answer what each layer of a model makes of a picture, which is the body of the request; with ``alike=1``, the
    photos of the gallery that are most alike in the numbers before the last layer instead."""
    return await answer_picture(request, INSIDES, _told)


def _told(classifier: FlowerClassifier, name: str, picture: bytes, query: QueryParams, language: str) -> Any:
    return (_alike if "alike" in query else _numbers)(classifier, name, picture, language)


def _numbers(classifier: FlowerClassifier, name: str, picture: bytes, language: str) -> dict[str, Any]:
    found = look_inside(classifier, picture)
    labels = classifier.config.labels
    return {
        "model": name,
        "size": found.crop.shape[0],
        "kernels": [_encoded(255 * kernel) for kernel in kernels(classifier)],
        "layers": [_layer(layer, MAPS if number else len(layer.maps)) for number, layer in enumerate(found.layers)],
        "features": [len(found.features), int((found.features > 0).sum())],
        "temperature": classifier.config.temperature,
        "answers": [
            [flower_name(label, language), label, float(logit), float(probability)]
            for label, logit, probability in zip(labels, found.logits, found.probabilities, strict=True)
        ],
        "known": found.in_distribution_probability,
        "lines": _lines(),
        "code": CODE,
    }


def _layer(layer: Layer, number: int) -> dict[str, Any]:
    """Return the strongest maps of a layer, each at most ``SIDE`` wide, on one scale."""
    channels = layer.strongest(number)
    highest = max(float(layer.maps.max()), 1e-12)
    chosen = torch.from_numpy(layer.maps[channels] / highest)
    side = min(SIDE, chosen.shape[-1])
    small = torch.nn.functional.adaptive_max_pool2d(chosen, side).numpy()
    return {
        "maps": [[channel, _encoded(255 * grid)] for channel, grid in zip(channels, small, strict=True)],
        "shape": list(layer.maps.shape),
        "side": side,
        "field": layer.field,
        "stride": layer.stride,
        "start": layer.start,
    }


def _encoded(values: np.ndarray) -> str:
    """Return numbers of 0 to 255 as text, a byte each."""
    return b64encode(values.round().clip(0, 255).astype(np.uint8).tobytes()).decode()


@cache
def _lines() -> dict[str, int]:
    """Return on which lines of ``model.py`` the parts of the network are."""
    text = open(model.__file__, encoding="utf-8").read().splitlines()  # noqa: PTH123, SIM115
    marks = {"kernels": "_convolution(3, 48", "layers": "_convolution(48, 128", "features": "nn.Linear(CHANNELS"}
    return {part: next((at for at, line in enumerate(text, 1) if mark in line), 1) for part, mark in marks.items()}


class _Gallery:
    """The numbers of the gallery's photos by one model, computed when somebody first asks for what is alike."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._features: dict[str, tuple[FlowerClassifier, np.ndarray]] = {}

    def features(self, classifier: FlowerClassifier, name: str) -> np.ndarray:
        """Return unit vectors, float32 (photos, 2048), in the order of ``examples.gallery``."""
        with self._lock:
            kept = self._features.get(name)
            if kept is None or kept[0] is not classifier:
                rows = [_unit(look_inside(classifier, examples.GALLERY / f"{it}.webp")) for it in examples.gallery()]
                kept = self._features[name] = classifier, np.stack(rows)
            return kept[1]


GALLERY = _Gallery()


def _alike(classifier: FlowerClassifier, name: str, picture: bytes, language: str) -> list[dict[str, Any]]:
    names = list(examples.gallery())
    if not names:
        return []
    likeness = GALLERY.features(classifier, name) @ _unit(look_inside(classifier, picture))
    return [
        {
            "address": f"examples/gallery/{names[at]}.webp",
            "label": names[at].partition("/")[0],
            "name": flower_name(names[at].partition("/")[0], language),
            "by": examples.gallery()[names[at]][0],
            "at": examples.gallery()[names[at]][1],
            "likeness": round(float(likeness[at]), 3),
        }
        for at in likeness.argsort()[::-1][:ALIKE]
    ]


def _unit(found: Inside) -> np.ndarray:
    return found.features / max(float(np.linalg.norm(found.features)), 1e-12)


ROUTE = Route("/inside", inside, methods=["POST"])
