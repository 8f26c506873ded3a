"""Inference time: python -m benchmarks.inference

End to end against the reference of tutorials, the forward pass against eager PyTorch and ONNX Runtime, and, with
--photos, whether the predictions equal those of the unmodified network.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import matplotlib
import onnxruntime
import torch
from matplotlib import pyplot
from torch import Tensor
from tqdm import tqdm

from benchmarks.measure import machine, medians, photos, purpose, table
from benchmarks.reference import Reference
from flower_alexnet import AlexNet, dataset, images, registry
from flower_alexnet.classifier import BATCH_SIZE, load_classifier
from flower_alexnet.inference import FORWARD_THREAD, prepare

MODELS = ("alexnet-bn", "alexnet-baseline")
"""The default model, and the one of the blog post."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inference", description=purpose(__doc__))
    parser.add_argument("--seconds", type=float, default=5, help="measuring time per figure (default: 5)")
    parser.add_argument("--photos", type=Path, help="folder of flower photos on which to compare predictions")
    parser.add_argument("--plot", type=Path, help="image file for a plot of the time per image over the batch size")
    options = parser.parse_args(arguments)
    matplotlib.use("Agg")
    print(machine(), f"onnxruntime {onnxruntime.__version__}\n", sep=", ")
    print(end_to_end(options.seconds), forward(options.seconds), sep="\n\n")
    if options.photos:
        print(f"\n{agreement(options.photos)}")
    if options.plot:
        plot(options.plot, options.seconds)


def end_to_end(seconds: float) -> str:
    """Return a table of the time from file to probabilities, in ms per photo."""
    rows = []
    for model in MODELS:
        classifier = load_classifier(model)
        reference = Reference(classifier.network, classifier.config)
        for size, count in (("500x333", 1), ("12 megapixels", 1), ("500x333", BATCH_SIZE)):
            with tempfile.TemporaryDirectory() as folder:
                files = photos(Path(folder), size, count)
                candidates: dict[str, Callable[[], object]] = {
                    "reference": partial(_in_executor, partial(reference, files)),
                    "ours": partial(classifier, files),
                }
                timings = medians(candidates, seconds)
            theirs, ours = (1000 * timings[name] / count for name in candidates)
            rows.append((model, f"{count} x {size}", theirs, ours, theirs / ours))
    return table(("model", "JPEG", "reference, ms/photo", "this project, ms/photo", "speedup"), rows)


def forward(seconds: float) -> str:
    """Return a table of the time from float32 images to logits, in ms per forward pass."""
    rows = []
    for model in MODELS:
        network = load_classifier(model).network
        prepared, session = (FORWARD_THREAD.submit(make, network).result() for make in (prepare, onnx_session))
        for batch_size in (1, 4, BATCH_SIZE):
            eager, onnx, ours = _milliseconds(network, prepared, session, batch_size, seconds)
            rows.append((model, batch_size, eager, onnx, ours, eager / ours, ours / onnx))
    return table(
        (
            "model",
            "batch size",
            "eager float32, ms",
            "ONNX Runtime, ms",
            "this project, ms",
            "speedup over eager",
            "time / ONNX Runtime's",
        ),
        rows,
    )


def plot(file: Path, seconds: float) -> None:
    """Plot the forward time per image over the batch size."""
    network = load_classifier(MODELS[0]).network
    prepared, session = (FORWARD_THREAD.submit(make, network).result() for make in (prepare, onnx_session))
    batch_sizes = [1, 2, 4, 8, 16, 32, 64, 128]
    measured = [_milliseconds(network, prepared, session, batch_size, seconds) for batch_size in batch_sizes]
    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for name, timings in zip(
        ("eager float32", "ONNX Runtime", "this project"), zip(*measured, strict=True), strict=True
    ):
        per_image = [ms / batch_size for ms, batch_size in zip(timings, batch_sizes, strict=True)]
        axes.plot(batch_sizes, per_image, marker="o", label=name)
    axes.set(xscale="log", xlabel="batch size", ylabel="milliseconds per image", ylim=0)
    axes.set_xticks(batch_sizes, [str(batch_size) for batch_size in batch_sizes])
    axes.minorticks_off()
    axes.legend()
    figure.savefig(file, dpi=110)


def _milliseconds(
    network: AlexNet, prepared: AlexNet, session: onnxruntime.InferenceSession, batch_size: int, seconds: float
) -> list[float]:
    """Return the median ms per forward pass of eager float32, ONNX Runtime, and this project."""
    inputs = torch.randn(batch_size, 3, 224, 224)
    channels_last = FORWARD_THREAD.submit(inputs.contiguous, memory_format=torch.channels_last).result()
    candidates: dict[str, Callable[[], object]] = {
        "eager": partial(_run, network, inputs),
        "onnx": partial(session.run, None, {"images": inputs.numpy()}),
        "ours": partial(_run, prepared, channels_last),
    }
    timings = medians({name: partial(_in_executor, candidate) for name, candidate in candidates.items()}, seconds)
    return [1000 * timings[name] for name in candidates]


@torch.inference_mode()
def _run(network: torch.nn.Module, inputs: Tensor) -> Tensor:
    return network(inputs)


def _in_executor(function: Callable[[], object]) -> object:
    """Run a function in the library's executor; a second thread's OpenMP workers would slow down both."""
    return FORWARD_THREAD.submit(function).result()


def onnx_session(network: torch.nn.Module) -> onnxruntime.InferenceSession:
    """Return an ONNX Runtime session of the network, with as many threads as PyTorch uses."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "network.onnx")  # noqa: PTH118  (the exporter takes no Path)
        torch.onnx.export(
            network,
            (torch.zeros(2, 3, 224, 224),),
            file,
            input_names=["images"],
            dynamic_shapes={"images": {0: torch.export.Dim("N")}},
            external_data=False,
            verbose=False,
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def agreement(folder: Path) -> str:
    """Return a table that compares predictions with those of the unmodified network on fully decoded photos."""
    photos = [photo.path for photo in dataset.all_photos(folder)]
    rows = []
    for model in registry.shipped_models():
        classifier = load_classifier(model.name)
        changed, largest = 0, 0.0
        for path, prediction in zip(tqdm(photos, desc=model.name, leave=False), classifier.stream(photos), strict=True):
            crop = images.to_tensor(images.load(path), classifier.config.preprocessing)[None]
            logits = FORWARD_THREAD.submit(_run, classifier.network, crop).result()[0].double()
            expected = torch.softmax(logits / classifier.config.temperature, 0)
            found = torch.tensor(list(prediction.probabilities.values()), dtype=torch.float64)
            changed += int(found.argmax() != expected.argmax())
            largest = max(largest, (found - expected).abs().max().item())
        rows.append((model.name, len(photos), changed, f"{largest:.1e}"))
    return table(("model", "photos", "top-1 changed", "largest change of a probability"), rows)


if __name__ == "__main__":
    main()
