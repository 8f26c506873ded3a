"""The prepared network computes what the plain network does, in one thread or many."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from flower_alexnet import AlexNet, dataset, images, registry
from flower_alexnet.classifier import load_classifier
from flower_alexnet.inference import SharedPass, prepare
from tests.support.photos import drawn_flower


@pytest.mark.parametrize("batch_norm", [False, True])
def test_prepared_network_gives_the_same_logits(batch_norm: bool) -> None:
    torch.manual_seed(0)
    network = AlexNet(batch_norm=batch_norm)
    network(torch.randn(8, 3, 224, 224))  # gives batch normalization its running statistics
    network.half().float().eval()
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    prepared = prepare(network)
    with torch.inference_mode():
        for shape in ((1, 3, 224, 224), (5, 3, 224, 224), (2, 3, 128, 160)):
            crops = torch.randn(shape)
            assert torch.allclose(prepared(crops), network(crops), rtol=1e-4, atol=1e-5)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, weights[name])


def test_copy_for_another_device_takes_nothing_of_the_network_along() -> None:
    """The device "meta" stands for a GPU: what is moved there has no values left."""
    network = AlexNet().eval()
    prepared = prepare(network, torch.device("meta"))
    assert all(parameter.is_meta for parameter in prepared.parameters())
    assert not any(parameter.is_meta for parameter in network.parameters())
    assert network(torch.zeros(1, 3, 224, 224)).isfinite().all()


def test_probabilities_are_those_of_the_plain_network(real_photos: Path) -> None:
    photos = [photo.path for photo in dataset.split(real_photos)["validation"][::10]]
    for model in registry.shipped_models():
        classifier = load_classifier(model.name)
        for photo, prediction in zip(photos, classifier(photos), strict=True):
            with torch.inference_mode():
                logits = classifier.network(images.to_tensor(images.load(photo), classifier.config.preprocessing)[None])
            expected = torch.softmax(logits.mean(0).double() / classifier.config.temperature, 0)
            assert list(prediction.probabilities.values()) == pytest.approx(expected.tolist(), abs=1e-4)


def test_concurrent_threads_share_a_pass_and_get_their_own_results() -> None:
    running, passes = threading.Event(), []

    def run(items: list[float]) -> list[float]:
        passes.append(len(items))
        if len(passes) == 1:
            running.set()
            while shared._waiting.qsize() < 9:
                pass
        return [2 * item for item in items]

    shared = SharedPass(run, max_batch_size=4)
    with ThreadPoolExecutor(10) as pool:
        first = pool.submit(lambda: shared.submit([0.0]).result())
        running.wait()
        others = [pool.submit(lambda it: shared.submit([it]).result(), float(number)) for number in range(1, 10)]
        assert [future.result() for future in (first, *others)] == [[2.0 * number] for number in range(10)]
    assert passes == [1, 4, 4, 1]


def test_error_of_a_pass_is_raised_in_every_thread_that_shares_it() -> None:
    def run(items: list[float]) -> list[float]:
        raise MemoryError("too much")

    with pytest.raises(MemoryError, match="too much"):
        SharedPass(run, max_batch_size=4).submit([0.0, 0.0]).result()


def test_each_of_many_threads_gets_the_prediction_of_its_photo(random_model: Path) -> None:
    classifier = load_classifier(str(random_model))
    photos = [drawn_flower("roses", number) for number in range(24)]
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(classifier, photos))
    for photo, prediction in zip(photos, together, strict=True):
        assert prediction.probabilities == pytest.approx(classifier(photo).probabilities, abs=1e-5)
