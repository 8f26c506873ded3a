"""The network as it is run answers as the plain network does, one asking or many."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from flower_alexnet import AlexNet, catalog, dataset, images
from flower_alexnet.inference import SharedPass, prepare
from tests.conftest import drawn_flower


@pytest.mark.parametrize("batch_norm", [False, True])
def test_prepared_network_gives_the_same_logits(batch_norm: bool) -> None:
    torch.manual_seed(0)
    network = AlexNet(batch_norm=batch_norm)
    network(torch.randn(8, 3, 224, 224))  # statistics for batch normalisation
    network.half().float().eval()
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    prepared = prepare(network)
    with torch.inference_mode():
        for shape in ((1, 3, 224, 224), (5, 3, 224, 224), (2, 3, 128, 160)):
            pictures = torch.randn(shape)
            assert torch.allclose(prepared(pictures), network(pictures), rtol=1e-4, atol=1e-5)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, weights[name])


def test_answers_are_those_of_the_plain_network(real_photos: Path) -> None:
    photos = [photo.path for photo in dataset.split(real_photos)["validation"][::10]]
    for model in catalog.shipped_models():
        classifier = catalog.load(model.name)
        for photo, prediction in zip(photos, classifier(photos), strict=True):
            with torch.inference_mode():
                logits = classifier.network(images.to_tensor(images.load(photo), classifier.config.preprocessing))
            expected = torch.softmax(logits.mean(0).double() / classifier.config.temperature, 0)
            assert list(prediction.probabilities.values()) == pytest.approx(expected.tolist(), abs=1e-4)


def test_threads_that_ask_at_once_share_a_pass_and_get_their_own_answers() -> None:
    running, passes = threading.Event(), []

    def run(items: list[float]) -> list[float]:
        passes.append(len(items))
        if len(passes) == 1:
            running.set()
            while shared._waiting.qsize() < 9:
                pass
        return [2 * item for item in items]

    shared = SharedPass(run, most=4)
    with ThreadPoolExecutor(10) as pool:
        first = pool.submit(shared, [0.0])
        running.wait()
        others = [pool.submit(shared, [float(number)]) for number in range(1, 10)]
        assert [future.result() for future in (first, *others)] == [[2.0 * number] for number in range(10)]
    assert passes == [1, 4, 4, 1]


def test_what_goes_wrong_reaches_everybody_who_asked() -> None:
    def run(items: list[float]) -> list[float]:
        raise MemoryError("too much")

    with pytest.raises(MemoryError, match="too much"):
        SharedPass(run, most=4)([0.0, 0.0])


def test_many_threads_get_the_answer_of_their_photo(random_model: Path) -> None:
    classifier = catalog.load(str(random_model))
    pictures = [drawn_flower("roses", number) for number in range(24)]
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(classifier, pictures))
    for picture, prediction in zip(pictures, together, strict=True):
        assert prediction.probabilities == pytest.approx(classifier(picture).probabilities, abs=1e-5)
