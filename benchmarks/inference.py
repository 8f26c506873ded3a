"""How long a photo takes: python -m benchmarks.inference

End to end beside the way that tutorials show, the forward pass beside PyTorch's own and ONNX Runtime, and, with
--photos, whether the answers are those of the plain network.
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

from benchmarks.measure import machine, medians, photos, table
from benchmarks.reference import Reference
from flower_alexnet import AlexNet, catalog, dataset, images
from flower_alexnet.classifier import BATCH
from flower_alexnet.inference import FORWARD, prepare

MODELS = ("alexnet-bn", "alexnet-seed")
"""The default, which looks at four views of a photo, and the model that looks at one, as the reference does."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inference", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="for how long each figure is measured (default: 5)")
    parser.add_argument("--photos", type=Path, help="folder of flower photos on which answers are compared")
    parser.add_argument("--plot", type=Path, help="picture file to draw the time a picture takes into")
    options = parser.parse_args(arguments)
    matplotlib.use("Agg")
    print(machine(), f"onnxruntime {onnxruntime.__version__}\n", sep=", ")
    print(end_to_end(options.seconds), forward(options.seconds), sep="\n\n")
    if options.photos:
        print(f"\n{answers(options.photos)}")
    if options.plot:
        plot(options.plot, options.seconds)


def end_to_end(seconds: float) -> str:
    """From files to probabilities: milliseconds a photo."""
    rows = []
    for model in MODELS:
        classifier = catalog.load(model)
        reference = Reference(classifier.network, classifier.config)
        views = len(classifier.config.preprocessing.views)
        for size, count in (("500x333", 1), ("12 megapixels", 1), ("500x333", BATCH)):
            with tempfile.TemporaryDirectory() as folder:
                files = photos(Path(folder), size, count)
                ways: dict[str, Callable[[], object]] = {
                    "reference": partial(_in_forward_thread, partial(reference, files)),
                    "ours": partial(classifier, files),
                }
                taken = medians(ways, seconds)
            theirs, ours = (1000 * taken[way] / count for way in ways)
            rows.append((model, views, f"{count} x {size}", theirs, ours, theirs / ours))
    return table(("model", "views", "JPEG", "reference, ms a photo", "this project, ms", "times as fast"), rows)


def forward(seconds: float) -> str:
    """From float32 tensors to logits: milliseconds a pass."""
    rows = []
    for model in MODELS:
        plain = catalog.load(model).network
        prepared, session = (FORWARD.submit(make, plain).result() for make in (prepare, onnx_session))
        for count in (1, 4, BATCH):
            eager, onnx, ours = _milliseconds(plain, prepared, session, count, seconds)
            rows.append((model, count, eager, onnx, ours, eager / ours, ours / onnx))
    return table(
        (
            "model",
            "pictures",
            "eager float32, ms",
            "ONNX Runtime, ms",
            "this project, ms",
            "times as fast as eager",
            "share of ONNX Runtime's time",
        ),
        rows,
    )


def plot(file: Path, seconds: float) -> None:
    """Draw how the time that a picture takes goes with the number of pictures in a pass."""
    plain = catalog.load(MODELS[0]).network
    prepared, session = (FORWARD.submit(make, plain).result() for make in (prepare, onnx_session))
    counts = [1, 2, 4, 8, 16, 32, 64, 128]
    measured = [_milliseconds(plain, prepared, session, count, seconds) for count in counts]
    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for name, taken in zip(("eager float32", "ONNX Runtime", "this project"), zip(*measured, strict=True), strict=True):
        axes.plot(counts, [ms / count for ms, count in zip(taken, counts, strict=True)], marker="o", label=name)
    axes.set(xscale="log", xlabel="pictures in a pass", ylabel="milliseconds a picture", ylim=0)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.legend()
    figure.savefig(file, dpi=110)


def _milliseconds(
    plain: AlexNet, prepared: AlexNet, session: onnxruntime.InferenceSession, count: int, seconds: float
) -> list[float]:
    """A pass over so many pictures: eager float32, ONNX Runtime, and this project's."""
    pictures = torch.randn(count, 3, 224, 224)
    channels_last = FORWARD.submit(pictures.contiguous, memory_format=torch.channels_last).result()
    ways: dict[str, Callable[[], object]] = {
        "eager": partial(_run, plain, pictures),
        "onnx": partial(session.run, None, {"pictures": pictures.numpy()}),
        "ours": partial(_run, prepared, channels_last),
    }
    taken = medians({name: partial(_in_forward_thread, way) for name, way in ways.items()}, seconds)
    return [1000 * taken[way] for way in ways]


@torch.inference_mode()
def _run(network: torch.nn.Module, pictures: Tensor) -> Tensor:
    return network(pictures)


def _in_forward_thread(run: Callable[[], object]) -> object:
    """Networks are run in one thread here as in the library: the helpers of a second one would slow down both."""
    return FORWARD.submit(run).result()


def onnx_session(network: torch.nn.Module) -> onnxruntime.InferenceSession:
    """The network in ONNX Runtime, on as many threads as PyTorch uses."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "network.onnx")  # noqa: PTH118  (the exporter takes no Path)
        torch.onnx.export(
            network,
            (torch.zeros(2, 3, 224, 224),),
            file,
            input_names=["pictures"],
            dynamic_shapes={"pictures": {0: torch.export.Dim("N")}},
            external_data=False,
            verbose=False,
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def answers(folder: Path) -> str:
    """How far probabilities are from those of the plain network, on fully decoded photos, over all of a folder."""
    photos = [photo.path for photo in dataset.all_photos(folder)]
    rows = []
    for model in catalog.shipped_models():
        classifier = catalog.load(model.name)
        changed, furthest = 0, 0.0
        for path, prediction in zip(tqdm(photos, desc=model.name, leave=False), classifier.stream(photos), strict=True):
            views = images.to_tensor(images.load(path), classifier.config.preprocessing)
            logits = FORWARD.submit(_run, classifier.network, views).result().mean(0).double()
            expected = torch.softmax(logits / classifier.config.temperature, 0)
            found = torch.tensor(list(prediction.probabilities.values()), dtype=torch.float64)
            changed += int(found.argmax() != expected.argmax())
            furthest = max(furthest, (found - expected).abs().max().item())
        rows.append((model.name, len(photos), changed, f"{furthest:.1e}"))
    return table(("model", "photos", "top-1 changed", "largest change of a probability"), rows)


if __name__ == "__main__":
    main()
