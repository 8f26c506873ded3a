"""AlexNet as it is run, not trained: the same answers, in less time on a processor."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from copy import deepcopy
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from flower_alexnet.model import AlexNet

Item = TypeVar("Item")
Answer = TypeVar("Answer")

FORWARD = ThreadPoolExecutor(1, "forward")
"""The one thread in which networks are read and run. Each thread that computes gets helpers of its own, as many as
there are cores; from the second set on, all of them go to sleep between layers, and a photo takes a sixth longer."""


def prepare(network: AlexNet) -> AlexNet:
    """A copy whose logits are the network's own, but for the last bits.

    Batch normalisation becomes part of the convolutions; these compute with the channels last. The weights of the
    linear layers are kept in float16, as ``model.safetensors`` has them: for one photo, reading them from memory takes
    longer than computing with them. The sums are float32 as before.
    """
    prepared = deepcopy(network, {id(weights): weights for weights in network.classifier.parameters()}).eval()
    layers: list[nn.Module] = []
    for layer in prepared.features:
        if isinstance(layer, nn.BatchNorm2d) and isinstance(layers[-1], nn.Conv2d):
            layers[-1] = fuse_conv_bn_eval(layers[-1], layer)
        else:
            layers.append(layer)
    prepared.features = nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if "fbgemm" in torch.backends.quantized.supported_engines:  # on processors of other makers than Intel and AMD not
        linear = [Float16Linear(layer) if isinstance(layer, nn.Linear) else layer for layer in prepared.classifier]
        prepared.classifier = nn.Sequential(*linear)
    return prepared


class Float16Linear(nn.Module):
    """A linear layer (N, inputs) -> (N, outputs) that keeps its weights in float16 and computes in float32."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.packed = torch.ops.quantized.linear_prepack_fp16(linear.weight.detach(), linear.bias.detach())

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, inputs) -> (N, outputs), float32."""
        return torch.ops.quantized.linear_dynamic_fp16(features, self.packed)


class SharedPass(Generic[Item, Answer]):
    """Lets threads that ask at the same time share a forward pass.

    Whoever asks while the network runs waits, and is answered in the next pass together with all who came meanwhile:
    nobody waits for others to come.

    Args:
        run: what a pass does: items -> an answer for each.
        most: items in one pass, unless one asks for more.
    """

    def __init__(self, run: Callable[[list[Item]], list[Answer]], most: int) -> None:
        self._run = run
        self._most = most
        self._waiting: SimpleQueue[tuple[list[Item], Future[list[Answer]]]] = SimpleQueue()

    def __call__(self, items: list[Item]) -> list[Answer]:
        """An answer for each item; raises what ``run`` raises."""
        answers: Future[list[Answer]] = Future()
        self._waiting.put((items, answers))
        FORWARD.submit(self._answer_waiting)
        return answers.result()

    def _answer_waiting(self) -> None:
        asked: list[tuple[list[Item], Future[list[Answer]]]] = []
        try:
            while sum(len(items) for items, _ in asked) < self._most:
                asked.append(self._waiting.get_nowait())
        except Empty:
            pass
        if not asked:  # an earlier pass answered
            return
        try:
            answers = iter(self._run([item for items, _ in asked for item in items]))
            for items, future in asked:
                future.set_result([next(answers) for _ in items])
        except BaseException as error:
            for _, future in asked:
                if not future.done():
                    future.set_exception(error)
