"""A model as one ONNX file: cropped pictures in, calibrated probabilities out; and the same in 8 bits."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from PIL import Image
from torch import Tensor, nn

from flower_alexnet import FlowerClassifier, InvalidModel, images
from flower_alexnet.dataset import LabeledPhoto
from flower_alexnet.files import replace_atomically
from flower_alexnet.model import NetworkWithHead

OPSET = 18
"""Version of ONNX's operators: that of early 2023, which current runtimes read."""

PICTURES = 50
"""Pictures on which the file's probabilities are compared with the classifier's."""

TOLERANCE = 1e-4
"""Largest difference of a probability."""

INT8_TOLERANCE = 0.1
"""The same in 8 bits: of more, the answers would be another model's."""

LARGE = 1024
"""Numbers from which a tensor is stored in 16 bits, if those hold it exactly."""


class NotTheSame(InvalidModel):
    """An ONNX file does not give the classifier's probabilities, or cannot be run."""


class Calibrated(nn.Module):
    """The network with what is around it: normalization before, temperature and softmax after.

    Args:
        classifier: the model.
    """

    def __init__(self, classifier: FlowerClassifier) -> None:
        super().__init__()
        self.network = NetworkWithHead(classifier.network, classifier.in_distribution_head)
        self.preprocessing = classifier.config.preprocessing
        self.temperature = classifier.config.temperature

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Map crops, uint8 (N, H, W, 3), to probabilities (N, num_classes) and, with a head, in-distribution (N,)."""
        mean, std = torch.tensor(self.preprocessing.mean), torch.tensor(self.preprocessing.std)
        normalized = ((images - 255 * mean) / (255 * std)).permute(0, 3, 1, 2)
        logits, known = self.network(normalized)
        probabilities = torch.softmax(logits / self.temperature, dim=1)
        return (probabilities,) if known is None else (probabilities, torch.sigmoid(known))


def write_onnx(classifier: FlowerClassifier, file: Path) -> float:
    """Write a model as ONNX, with its labels as JSON in the metadata; compare its probabilities with the classifier's.

    Weights that float16 holds exactly, as those of model folders, are stored so and computed with in float32: the file
    has half the size and any runtime reads it.

    Args:
        classifier: the model.
        file: replaced if it exists, once the comparison succeeded.

    Returns:
        The largest difference of a probability.

    Raises:
        NotTheSame: the probabilities differ by more than ``TOLERANCE``. The file is not written.
    """
    preprocessing = classifier.config.preprocessing
    example = torch.zeros(2, preprocessing.crop, preprocessing.crop, 3, dtype=torch.uint8)
    outputs = ["probabilities", *([] if classifier.in_distribution_head is None else ["in_distribution_probability"])]
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about itself
        exported = torch.onnx.export(
            Calibrated(classifier).eval(),
            (example,),
            input_names=["images"],
            output_names=outputs,
            dynamic_shapes={"images": {0: torch.export.Dim("N")}},
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    program = cast(torch.onnx.ONNXProgram, exported)
    for node in program.model.graph:
        node.metadata_props.clear()  # lines and paths of the code that it came from
    program.model.metadata_props["labels"] = json.dumps(classifier.config.labels)
    temporary = file.with_name(f"{file.name}.part")
    try:
        onnx.save(_halved(program.model_proto), temporary)
        difference = compare(classifier, temporary)
        replace_atomically(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
    return difference


def write_int8(classifier: FlowerClassifier, whole: Path, file: Path) -> float:
    """Write an ONNX file with the weights of its linear layers, of this network 93 of 100, in 8 bits.

    Their inputs are quantized as they come (dynamic quantization), so that no photos are needed to fit anything.

    Args:
        classifier: the model.
        whole: its ONNX file, as ``write_onnx`` makes it.
        file: replaced if it exists, once the comparison succeeded.

    Returns:
        The largest difference of a probability on drawn pictures.

    Raises:
        NotTheSame: the probabilities differ by more than ``INT8_TOLERANCE``. The file is not written.
    """
    temporary = file.with_name(f"{file.name}.part")
    try:
        logging.disable(logging.WARNING)  # it advises steps that this network has no use for
        quantize_dynamic(
            _in_float32(onnx.load(whole)),
            temporary,
            op_types_to_quantize=["Gemm", "MatMul"],
            per_channel=True,
            weight_type=QuantType.QInt8,
        )
        onnx.save(_halved(onnx.load(temporary)), temporary)
        difference = compare(classifier, temporary, INT8_TOLERANCE)
        replace_atomically(temporary, file)
    finally:
        logging.disable(logging.NOTSET)
        temporary.unlink(missing_ok=True)
    return difference


def accuracy(classifier: FlowerClassifier, file: Path, photos: Sequence[LabeledPhoto]) -> float:
    """Return the share of photos, 0-1, whose most probable label by an ONNX file is their own."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    right = [
        int(session.run(None, {"images": _crop(classifier, images.load(photo.path))})[0].argmax()) == photo.target
        for photo in photos
    ]
    return sum(right) / len(right)


def _halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with each large tensor that float16 holds exactly stored in it, and cast when it is loaded."""
    graph, casts = model.graph, []
    for tensor in graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or (values := numpy_helper.to_array(tensor)).size < LARGE:
            continue
        with np.errstate(over="ignore"):
            halved = values.astype(np.float16)
        if np.array_equal(halved.astype(np.float32), values):
            name = tensor.name
            casts.append(onnx.helper.make_node("Cast", [f"{name}_16"], [name], to=onnx.TensorProto.FLOAT))
            tensor.CopyFrom(numpy_helper.from_array(halved, f"{name}_16"))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def _in_float32(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model as it was before ``_halved``: what quantizes reads no tensor behind a cast."""
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    kept = []
    for node in graph.node:
        tensor = stored.get(node.input[0]) if node.op_type == "Cast" else None
        if tensor is None:
            kept.append(node)
        else:
            values = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, node.output[0]))
    del graph.node[:]
    graph.node.extend(kept)
    return model


def compare(classifier: FlowerClassifier, file: Path, tolerance: float | None = None) -> float:
    """Return the largest difference of a probability between an ONNX file and the classifier on drawn pictures.

    Raises:
        NotTheSame: it exceeds the tolerance, ``TOLERANCE`` if not given, the labels differ, or the file cannot be run.
    """
    tolerance = TOLERANCE if tolerance is None else tolerance
    pictures = [_picture(number) for number in range(PICTURES)]
    expected = [
        [*prediction.probabilities.values(), prediction.in_distribution_probability]
        for prediction in classifier.stream(pictures)
    ]
    try:
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        labels = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
        answers = [
            np.concatenate([output.ravel() for output in session.run(None, {"images": _crop(classifier, picture)})])
            for picture in pictures
        ]
        width = len(answers[0])  # without the last one if the model has no in-distribution head
        difference = float(np.abs(np.stack(answers) - np.array([row[:width] for row in expected], dtype=float)).max())
    except Exception as error:  # the runtime has a class of errors for each of its status codes
        raise NotTheSame(f"{file} is no ONNX file of this model ({error}).") from error
    if labels != list(classifier.config.labels) or not difference <= tolerance:
        raise NotTheSame(
            f"The probabilities of {file} differ from the classifier's by {difference:.1e}, more than {tolerance:.0e}, "
            f"or its labels do: {', '.join(labels)}."
        )
    return difference


def _crop(classifier: FlowerClassifier, picture: Image.Image) -> np.ndarray:
    """Return the crop of one picture as a batch, uint8 (1, H, W, 3)."""
    return images.center_crop(picture, classifier.config.preprocessing).permute(1, 2, 0).contiguous().numpy()[None]


def _picture(seed: int) -> Image.Image:
    """Draw patches of random colors and sizes under noise: pictures on which a network's answers differ."""
    generator = np.random.default_rng(seed)
    patches = generator.integers(0, 256, (*generator.integers(1, 12, 2), 3), dtype=np.uint8)
    size = tuple(generator.integers(100, 500, 2).tolist())
    pixels = np.asarray(Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC)).astype(int)
    noise = generator.integers(-40, 41, pixels.shape) * generator.random()
    return Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))
