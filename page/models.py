"""The models of the page: which there are, which are loaded, and loading them. All else of the page asks here."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from huggingface_hub.constants import HF_HOME, HF_HUB_CACHE

from flower_alexnet import FlowerClassifier, InvalidModel, registry
from flower_alexnet.classifier import load_classifier
from flower_alexnet.model_folder import read_config
from flower_alexnet.registry import Model

LOADING_LIMIT = 60.0
"""Seconds after which those who wait for a model are told that it is not there; its loading goes on."""


class StillLoading(InvalidModel):
    """A model is being loaded for longer than ``LOADING_LIMIT``."""


@dataclass(frozen=True)
class Loading:
    """A model on its way.

    Args:
        future: of the classifier.
        deadline: on the clock of ``time.monotonic``; who asks later does not wait.
    """

    future: Future[FlowerClassifier] = field(default_factory=Future)
    deadline: float = field(default_factory=lambda: time.monotonic() + LOADING_LIMIT)


class Models:
    """The list of models that visitors choose from; safe for many threads.

    Each model is loaded once, in a thread of its own, however many ask for it: nobody who asks for another waits for
    it, and no thread that answers need is held. A model that could not be loaded is tried again when it is asked for.

    Args:
        models: the models, in the order of the list.
    """

    def __init__(self, models: Iterable[Model]) -> None:
        self._lock = threading.Lock()
        self._models = {model.name: replace(model, problem=without_paths(model.problem) or None) for model in models}
        self._loaded: dict[str, FlowerClassifier] = {}
        self._loading: dict[str, Loading] = {}

    @property
    def default(self) -> str:
        """Return the name of the first model that can be used; empty if there is none."""
        return next((model.name for model in self.all() if model.problem is None), "")

    def all(self) -> list[Model]:
        """Return the models as they are now, in the order of the list."""
        with self._lock:
            return list(self._models.values())

    def names(self) -> list[str]:
        """Return the names of the models, in the order of the list."""
        return [model.name for model in self.all()]

    def get(self, name: object) -> Model | None:
        """Return a model of the list as it is now; None if it is not in the list."""
        with self._lock:
            return self._models.get(name) if isinstance(name, str) else None

    def __getitem__(self, name: str) -> Model:
        """Return a model of the list as it is now; raise ``KeyError`` if it is not in the list."""
        with self._lock:
            return self._models[name]

    def loaded(self) -> Mapping[str, FlowerClassifier]:
        """Return the classifiers that are loaded now by the names of their models, in the order of the list."""
        with self._lock:
            return {name: self._loaded[name] for name in self._models if name in self._loaded}

    def labels(self) -> list[str]:
        """Return the labels of all models that are here, each once."""
        labels: dict[str, None] = {}
        for model in self.all():
            if model.folder is not None and model.problem is None:
                with suppress(InvalidModel):  # it was damaged since
                    labels |= dict.fromkeys(read_config(model.folder).labels)
        return list(labels)

    async def load(self, name: str) -> FlowerClassifier:
        """Return the classifier of a model in the list, loaded if need be; no thread is held meanwhile.

        Raises:
            InvalidModel: it cannot be loaded; the message says why, without paths of this server.
            StillLoading: it is not loaded within ``LOADING_LIMIT``.
        """
        if (classifier := self.loaded().get(name)) is not None:
            return classifier
        loading = self.start_loading(name)
        future = asyncio.wrap_future(loading.future)
        try:
            done, _ = await asyncio.wait([future], timeout=max(0, loading.deadline - time.monotonic()))
            if not done:
                raise StillLoading(f"{name} is still being loaded. Try again in a minute.")
            return future.result()
        finally:
            future.cancel()

    def start_loading(self, name: str) -> Loading:
        """Load a model of the list in a thread of its own, unless it is being loaded already."""
        with self._lock:
            if name in self._loading:
                return self._loading[name]
            loading = self._loading[name] = Loading()
            loading.future.set_running_or_notify_cancel()  # or who stops waiting would cancel it for the others
            here = self._models[name].folder is not None
        context = contextvars.copy_context()  # Gradio shows the progress of a download to the visitor who began it
        # A daemon thread would abort a process that ends while it reads weights; a download may be without end.
        threading.Thread(target=context.run, args=(self._load, name, loading), daemon=not here).start()
        return loading

    def load_local(self) -> None:
        """Load the models that need not be downloaded, one after the other, the default first."""
        for model in self.all():
            if model.folder is not None and model.problem is None:
                self.start_loading(model.name).future.exception()

    def _load(self, name: str, loading: Loading) -> None:
        try:
            at = self[name].at
            classifier = load_classifier(name if at is None else str(at.resolve()))
        except BaseException as error:  # whoever waits is told
            problem = without_paths(error) if isinstance(error, InvalidModel) else None
            self._finish(name, None, problem)
            loading.future.set_exception(error if problem is None else type(error)(problem))
        else:
            self._finish(name, classifier, None)
            loading.future.set_result(classifier)

    def _finish(self, name: str, classifier: FlowerClassifier | None, problem: str | None) -> None:
        with self._lock:
            del self._loading[name]
            self._loaded.pop(name, None)
            if classifier is not None:
                self._loaded[name] = classifier
            self._models[name] = replace(self._models[name], problem=problem)


def without_paths(problem: object) -> str:
    """Return a problem with a model without the folders in which this server keeps models."""
    words = str(problem or "")
    for folder in (registry.WEIGHTS, HF_HUB_CACHE, HF_HOME, Path.cwd()):
        words = words.replace(f"{folder}{os.sep}", "")
    return words


MODELS = Models([*registry.first_models(), *registry.added_models()])
"""The models of this page."""
