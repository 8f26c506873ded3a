"""AlexNet as it is run rather than trained: the same logits in less time on a CPU."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from copy import deepcopy
from queue import Empty, SimpleQueue
from typing import Generic, ParamSpec, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from flower_alexnet.model import AlexNet

Input = TypeVar("Input")
Result = TypeVar("Result")
Parameters = ParamSpec("Parameters")

CPU = torch.device("cpu")


class ForwardThread:
    """The one thread that reads and runs networks.

    Each thread that computes gets a pool of helper threads, one a core; from the second pool on, helpers sleep between
    layers and a photo takes a sixth longer. A process made by ``fork`` has no thread but the one that forked, so it
    starts a new forward thread.
    """

    def __init__(self) -> None:
        self._start()
        if hasattr(os, "register_at_fork"):  # not on Windows
            os.register_at_fork(after_in_child=self._start)

    def _start(self) -> None:
        self._executor = ThreadPoolExecutor(1, "forward")

    def submit(
        self, function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Future[Result]:
        """Call a function in the thread, after all that was submitted before."""
        return self._executor.submit(function, *args, **kwargs)


FORWARD_THREAD = ForwardThread()


def pool_of_single_cores() -> tuple[ThreadPoolExecutor, int]:
    """Return a pool of threads, one a core, that each compute on one core, and their number.

    Where there are many photos this takes less time than a forward pass on all cores after another: no core waits
    for another at the end of a layer.
    """
    cores = FORWARD_THREAD.submit(torch.get_num_threads).result()

    def compute_alone() -> None:
        torch.get_num_threads()  # or torch would set this thread's number at its first operation
        torch.set_num_threads(1)
        # The last number that was set is that of threads to come; each thread keeps its own.
        FORWARD_THREAD.submit(torch.set_num_threads, cores).result()

    return ThreadPoolExecutor(cores, "classify", compute_alone), cores


def prepare(network: AlexNet, device: torch.device = CPU) -> AlexNet:
    """Return a copy for inference; its logits differ from the network's by rounding alone.

    Batch normalization is folded into the convolutions, which compute with channels last and apply the ReLU behind them
    in the same pass; their weights are packed once as the processor's library reads them. The weights of the linear
    layers are kept in float16, as in ``model.safetensors``: for a single photo, reading them from memory takes longer
    than computing with them. Sums are float32 as before. On another device than the CPU they stay float32.

    Args:
        network: not changed.
        device: where the copy computes.
    """
    # On the CPU the linear layers' weights are read, and packed, but not changed; what moves shares no memory.
    shared = {id(weights): weights for weights in network.classifier.parameters()} if device == CPU else {}
    prepared = deepcopy(network, shared).eval()
    layers: list[nn.Module] = []
    for layer in prepared.features:
        if isinstance(layer, nn.BatchNorm2d) and isinstance(layers[-1], nn.Conv2d):
            layers[-1] = fuse_conv_bn_eval(layers[-1], layer)
        else:
            layers.append(layer)
    prepared.features = nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if device != CPU:
        return prepared.to(device)
    if torch.backends.mkldnn.is_available():
        prepared.features = nn.Sequential(*_fused(prepared.features))
    if "fbgemm" in torch.backends.quantized.supported_engines:  # absent on other processors than Intel's and AMD's
        linear = [Float16Linear(layer) if isinstance(layer, nn.Linear) else layer for layer in prepared.classifier]
        prepared.classifier = nn.Sequential(*linear)
    return prepared


def _fused(layers: nn.Sequential) -> Iterator[nn.Module]:
    """Yield the layers, each convolution and the ReLU behind it as one."""
    remaining = iter(layers)
    for layer in remaining:
        if isinstance(layer, nn.Conv2d):
            next(remaining)  # its ReLU
            yield ConvolutionWithReLU(layer)
        else:
            yield layer


class ConvolutionWithReLU(nn.Module):
    """A convolution and the ReLU behind it, (N, in_channels, H, W) -> (N, out_channels, h, w) with channels last.

    It calls oneDNN by the operators that torch's own compiler calls. Weights that are not packed are brought into
    oneDNN's order in each call, which for one photo takes a fifth of the time of all convolutions.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = convolution.weight.detach(), convolution.bias
        self.options = convolution.padding, convolution.stride, convolution.dilation, convolution.groups
        self.packed: Tensor | None = None

    def forward(self, features: Tensor) -> Tensor:
        """Map float32 features to float32 features, 0 or more."""
        if self.packed is None:  # for a single photo: batches take the same time with it
            shape = [1, *features.shape[1:]]
            self.packed = torch.ops.mkldnn._reorder_convolution_weight(self.weight, *self.options, shape)
        done: Tensor = torch.ops.mkldnn._convolution_pointwise(
            features, self.packed, self.bias, *self.options, "relu", [], ""
        )
        return done


class Float16Linear(nn.Module):
    """A linear layer (N, in_features) -> (N, out_features) with float16 weights and float32 sums."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.packed = torch.ops.quantized.linear_prepack_fp16(linear.weight.detach(), linear.bias.detach())

    def forward(self, features: Tensor) -> Tensor:
        """Map float32 features (N, in_features) to float32 (N, out_features)."""
        return torch.ops.quantized.linear_dynamic_fp16(features, self.packed)


class SharedPass(Generic[Input, Result]):
    """Batch the requests of threads that ask at the same time into one forward pass.

    Requests that arrive while the network runs wait and are answered together in the next pass. No request waits for
    others to arrive.

    Args:
        run: one pass: a list of inputs -> one result each.
        max_batch_size: inputs in one pass, unless a single request has more.
    """

    def __init__(self, run: Callable[[list[Input]], list[Result]], max_batch_size: int) -> None:
        self._run = run
        self._max_batch_size = max_batch_size
        self._waiting: SimpleQueue[tuple[list[Input], Future[list[Result]]]] = SimpleQueue()

    def submit(self, inputs: list[Input]) -> Future[list[Result]]:
        """Return the future of one result for each input, or of what ``run`` raises."""
        future: Future[list[Result]] = Future()
        self._waiting.put((inputs, future))
        FORWARD_THREAD.submit(self._run_waiting)
        return future

    def _run_waiting(self) -> None:
        requests: list[tuple[list[Input], Future[list[Result]]]] = []
        try:
            while sum(len(inputs) for inputs, _ in requests) < self._max_batch_size:
                requests.append(self._waiting.get_nowait())
        except Empty:
            pass
        if not requests:  # an earlier pass took them
            return
        try:
            results = iter(self._run([one for inputs, _ in requests for one in inputs]))
            for inputs, future in requests:
                future.set_result([next(results) for _ in inputs])
        except BaseException as error:
            for _, future in requests:
                if not future.done():
                    future.set_exception(error)
