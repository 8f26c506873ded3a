"""A model as one ONNX file: cropped pictures in, calibrated probabilities out."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import cast

import numpy as np
import onnxruntime
import torch
from PIL import Image
from torch import Tensor, nn

from flower_alexnet import FlowerClassifier, InvalidModel, images
from flower_alexnet.files import replace_atomically
from flower_alexnet.model import NetworkWithHead

OPSET = 18
"""Version of ONNX's operators: that of early 2023, which current runtimes read."""

PICTURES = 50
"""Pictures on which the file's probabilities are compared with the classifier's."""

TOLERANCE = 1e-4
"""Largest difference of a probability."""


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
        program.save(temporary, external_data=False)
        difference = compare(classifier, temporary)
        replace_atomically(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
    return difference


def compare(classifier: FlowerClassifier, file: Path) -> float:
    """Return the largest difference of a probability between an ONNX file and the classifier on drawn pictures.

    Raises:
        NotTheSame: it exceeds ``TOLERANCE``, the labels differ, or the file cannot be run.
    """
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
    if labels != list(classifier.config.labels) or not difference <= TOLERANCE:
        raise NotTheSame(
            f"The probabilities of {file} differ from the classifier's by {difference:.1e}, more than {TOLERANCE:.0e}, "
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
