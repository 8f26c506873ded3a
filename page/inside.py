"""Inside the network: the numbers that the tab draws, of the photo that is there, and the photos most alike in them."""

from __future__ import annotations

import os
import threading
from base64 import b64encode
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple
from urllib.parse import quote

import gradio as gr
import numpy as np
import torch
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from flower_alexnet import FlowerClassifier, model
from flower_alexnet.inside import Inside, Layer, contributions, covered, kernels, look_inside, look_inside_each
from page import answers, examples
from page.look import answer_picture
from page.translations import flower_name

MAPS = 12
"""Maps of a layer that are shown, the strongest ones; of the first layer each kernel has its map."""

SIDE = 28
"""Height and width of a map as it is sent, at most."""

ALIKE = 6
"""Photos of the gallery that are shown as most alike, or in which a map finds most."""

SPOKE = 6
"""Of the numbers before the last layer, the largest ones, of which it is told what they add to each name."""

COVERED = 8
"""Places in each direction of the gray square that covers a part of the photo."""

_SPACE = os.environ.get("SPACE_ID")

CODE = f"https://huggingface.co/spaces/{_SPACE}/blob/main/flower_alexnet/model.py" if _SPACE else None
"""Where the network's code can be read: in the Space that this page is, if it is one."""

INSIDES = answers.Turns(1, waiting=32)
"""Looks inside at the same time, and those that may wait."""


async def inside(request: Request) -> JSONResponse:
    """Answer what each layer of a model makes of a picture, which is the body of the request.

    With ``alike=1`` it answers the photos of the gallery that are most alike in the numbers before the last layer
    instead, with ``alike=LABEL,LABEL`` those of each of these labels; with ``cover=LABEL`` where covering the picture
    costs that label most; and with ``layer`` and ``map``, counted from 0 and without a picture, the photos of the
    gallery in which that map finds most.
    """
    return await answer_picture(request, INSIDES, _told)


def _told(classifier: FlowerClassifier, name: str, picture: bytes, query: QueryParams, language: str) -> Any:
    if "alike" in query:
        return _alike(classifier, name, picture, query["alike"].split(","), language)
    if "map" in query:
        return _exciting(classifier, name, query, language)
    if "cover" in query:
        return _covered(classifier, picture, query["cover"])
    return _numbers(classifier, name, picture, language)


def _numbers(classifier: FlowerClassifier, name: str, picture: bytes, language: str) -> dict[str, Any]:
    found = look_inside(classifier, picture)
    labels, added = classifier.config.labels, contributions(classifier, found.features)
    spoke = [int(at) for at in found.features.argsort()[::-1][:SPOKE] if found.features[at] > 0]
    return {
        "model": name,
        "size": found.crop.shape[0],
        "share": _share(classifier),
        "kernels": [_encoded(255 * kernel) for kernel in kernels(classifier)],
        "layers": [_layer(layer, MAPS if number else len(layer.maps)) for number, layer in enumerate(found.layers)],
        "features": [len(found.features), int((found.features > 0).sum())],
        "strip": _encoded(255 * found.features / max(float(found.features.max()), 1e-12)),
        "spoke": [[at, float(found.features[at]), added[:, at].tolist()] for at in spoke],
        "rest": (found.logits - added[:, spoke].sum(1)).tolist(),
        "temperature": classifier.config.temperature,
        "answers": [
            [flower_name(label, language), label, float(logit), float(probability)]
            for label, logit, probability in zip(labels, found.logits, found.probabilities, strict=True)
        ],
        "known": found.in_distribution_probability,
        "lines": _lines(),
        "code": CODE,
    }


def _share(classifier: FlowerClassifier) -> float:
    """Return how much of a square's side the network sees, 0-1: the middle of it."""
    return classifier.config.preprocessing.crop / classifier.config.preprocessing.resize


def _layer(layer: Layer, number: int) -> dict[str, Any]:
    """Return the strongest maps of a layer, each at most ``SIDE`` wide, on one scale, and where each is strongest."""
    channels = layer.strongest(number)
    highest = max(float(layer.maps.max()), 1e-12)
    chosen = torch.from_numpy(layer.maps[channels] / highest)
    side = min(SIDE, chosen.shape[-1])
    small = torch.nn.functional.adaptive_max_pool2d(chosen, side).numpy()
    return {
        "maps": [
            [channel, _encoded(255 * grid), int(layer.maps[channel].argmax())]
            for channel, grid in zip(channels, small, strict=True)
        ],
        "shape": list(layer.maps.shape),
        "side": side,
        "field": layer.field,
        "stride": layer.stride,
        "start": layer.start,
        "pooled": layer.pooled,
    }


def _covered(classifier: FlowerClassifier, picture: bytes, label: str) -> dict[str, Any]:
    """Return what covering each place costs a label, -1 to 1, rows from the top."""
    if label not in classifier.config.labels:
        label = classifier.config.labels[0]
    return {"label": label, "costs": covered(classifier, picture, label, COVERED).round(4).tolist()}


def _encoded(values: np.ndarray) -> str:
    """Return numbers of 0 to 255 as text, a byte each."""
    return b64encode(values.round().clip(0, 255).astype(np.uint8).tobytes()).decode()


@cache
def _lines() -> dict[str, tuple[int, str]]:
    """Return on which line of ``model.py`` each part of the network begins, and its lines."""
    lines = Path(model.__file__).read_text(encoding="utf-8").splitlines()
    parts = {"kernels": ("_convolution(3, 48", 1), "layers": ("nn.MaxPool2d", 7), "features": ("nn.Linear(CHANNELS", 5)}
    found = {}
    for part, (mark, length) in parts.items():
        at = next(at for at, line in enumerate(lines) if mark in line)
        found[part] = at + 1, dedent("\n".join(lines[at : at + length]))
    return found


class _Found(NamedTuple):
    """What one model finds in the photos of the gallery, in the order of ``examples.gallery``.

    Args:
        names: of the photos, ``LABEL/NAME``.
        features: unit vectors, float32 (photos, 2048).
        most: of each layer, the largest number of each map, float32 (photos, maps).
        places: of each layer, where in the map that is, row after row, int64 (photos, maps).
        layers: what a place of each layer sees; the maps are those of one photo.
    """

    names: list[str]
    features: np.ndarray
    most: list[np.ndarray]
    places: list[np.ndarray]
    layers: tuple[Layer, ...]


class _Gallery:
    """What models find in the gallery's photos, computed when somebody first asks for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, tuple[FlowerClassifier, _Found]] = {}

    def found(self, classifier: FlowerClassifier, name: str) -> _Found | None:
        """Return what a model finds in the photos; None if there are none."""
        if not examples.gallery():
            return None
        with self._lock:
            kept = self._found.get(name)
            if kept is None or kept[0] is not classifier:
                kept = self._found[name] = classifier, self._find(classifier)
            return kept[1]

    def _find(self, classifier: FlowerClassifier) -> _Found:
        names = list(examples.gallery())
        features, most, places = [], [], []
        layers: tuple[Layer, ...] = ()
        for one in look_inside_each(classifier, (examples.GALLERY / f"{name}.webp" for name in names)):
            layers = one.layers
            flat = [layer.maps.reshape(len(layer.maps), -1) for layer in layers]
            features.append(_unit(one))
            most.append([it.max(1) for it in flat])
            places.append([it.argmax(1) for it in flat])
        largest, where = ([np.stack(each) for each in zip(*rows, strict=True)] for rows in (most, places))
        return _Found(names, np.stack(features), largest, where, layers)


GALLERY = _Gallery()


def _alike(
    classifier: FlowerClassifier, name: str, picture: bytes, labels: list[str], language: str
) -> list[dict[str, Any]]:
    """Return the photos most alike, or half as many of each label that is one of the classifier's."""
    found = GALLERY.found(classifier, name)
    if found is None:
        return []
    likeness = found.features @ _unit(look_inside(classifier, picture))
    order = likeness.argsort()[::-1].tolist()
    if asked := [label for label in labels if label in classifier.config.labels]:
        of_label = [[at for at in order if found.names[at].startswith(f"{label}/")] for label in asked]
        order = [at for some in of_label for at in some[: ALIKE // 2]]
    return [
        _shown(found.names[at], language) | {"likeness": round(float(likeness[at]), 3)}
        for at in order[: ALIKE if not asked else None]
    ]


def _exciting(classifier: FlowerClassifier, name: str, query: QueryParams, language: str) -> list[dict[str, Any]]:
    """Return the photos in which a map finds most, each with the box of what the place sees where it does."""
    found = GALLERY.found(classifier, name)
    if found is None:
        return []
    try:
        number, channel = int(query["layer"]), int(query["map"])
        if min(number, channel) < 0:
            raise LookupError
        layer, most = found.layers[number], found.most[number][:, channel]
    except (LookupError, ValueError) as error:
        raise gr.Error("There is no such map.", print_exception=False) from error
    size, width = classifier.config.preprocessing.crop, layer.maps.shape[-1]
    shown, share = [], _share(classifier)
    for at in most.argsort()[::-1][:ALIKE]:
        if most[at] <= 0:
            break
        corners = layer.sees(*divmod(int(found.places[number][at, channel]), width))
        box = [round((1 - share) / 2 + share * min(1, max(0, corner / size)), 4) for corner in corners]
        shown.append(_shown(found.names[at], language) | {"box": box})
    return shown


def _shown(name: str, language: str) -> dict[str, Any]:
    """Return what the page shows of a photo of the gallery."""
    label, (by, address) = name.partition("/")[0], examples.gallery()[name]
    return {
        "address": f"examples/gallery/{quote(name)}.webp",
        "label": label,
        "name": flower_name(label, language),
        "by": by,
        "at": address,
    }


def _unit(found: Inside) -> np.ndarray:
    return found.features / max(float(np.linalg.norm(found.features)), 1e-12)


ROUTE = Route("/inside", inside, methods=["GET", "POST"])
