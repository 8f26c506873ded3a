"""The model folder: which files belong to a model, and how they are read, checked and written.

It is the contract between training, the page, the command line and the Hub: ``weights/NAME/``, the output of a run, and
the root of a model repository hold the same files.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.constants import CONFIG_NAME, REPOCARD_NAME, SAFETENSORS_SINGLE_FILE
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from flower_alexnet.config import Config, InvalidConfig, InvalidModel, InvalidWeights, ModelNotFound, Preprocessing
from flower_alexnet.files import replace_atomically

CONFIG = CONFIG_NAME
"""Everything that inference needs beside the weights, as ``Config``; ``config.json``."""

WEIGHTS = SAFETENSORS_SINGLE_FILE
"""The network's tensors, those of floating-point type as float16; ``model.safetensors``."""

HEAD = "in_distribution.safetensors"
"""The in-distribution head's weights, if the model has one."""

CARD = REPOCARD_NAME
"""The model card; ``README.md``."""

METRICS = "metrics.json"
"""Dataset, recipe, training, history, and the metrics on validation and test photos."""

ALL_PHOTOS = "all photos"
"""Key, among the metrics of photos of other things, of all of them together; absent if none were measured."""

CONFUSION_MATRIX, RELIABILITY, TRAINING_CURVES = "confusion_matrix.png", "reliability.png", "training_curves.png"
"""Plots that the card shows."""

ONNX = "model.onnx"
"""The model for ONNX Runtime, if it was exported."""

ONNX_INT8 = "model_int8.onnx"
"""The same, with its linear layers in 8 bits: a quarter of its size in 32 bits, and slightly other probabilities."""

MISTAKES = ".mistakes.png"
"""What the picture of the photos that a model gets wrong has behind the name of the model folder."""

UNFINISHED = "model.part"
"""Folder inside a model folder in which its new files are written; it is left only by a killed process."""

INFERENCE = (CONFIG, WEIGHTS, HEAD)
"""Files that inference needs, the last one not of every model."""

AGAIN = "Copy or download the file again, or train the model again."

FLOATS = {"F16", "BF16", "F32", "F64"}
"""Floating-point types of safetensors."""

LABELS_FILE = "labels.json"
"""File name of the labels alone, for programs that run ``model.onnx`` and cannot read its metadata."""

ADDED = {"certainty"}
"""Fields of ``config.json`` that models of earlier versions lack."""

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
"""First bytes of the file that Git LFS leaves in place of a large one that was not fetched."""


@contextmanager
def rewriting(folder: Path) -> Iterator[Path]:
    """Yield a folder to write files of a model folder into; at the end they replace the present ones, each atomically.

    What a killed process left unfinished is deleted first. If the body raises, no file of the model folder changes.
    """
    temporary = folder / UNFINISHED
    for left in (temporary, folder / f"{ONNX}.part", folder / f"{ONNX_INT8}.part"):
        shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    for file in temporary.iterdir():
        file.chmod(0o644)  # safetensors makes its files readable for the owner only
        replace_atomically(file, folder / file.name)
    temporary.rmdir()


def mistakes_of(folder: Path) -> Path:
    """Return where the picture of the test photos is that a model gets wrong: beside its folder, not in it, because
    nobody publishes photos of theirs unasked."""
    folder = folder if folder.name else folder.resolve()
    return folder.parent / f"{folder.name}{MISTAKES}"


def read_config(folder: Path) -> Config:
    """Read and check a model folder's ``config.json``. Types are strict; unknown and missing fields are errors.

    Raises:
        ModelNotFound: the file is missing.
        InvalidConfig: it is damaged, contradicts itself, or belongs to another network.
    """
    file = folder / CONFIG
    try:
        text = file.read_bytes().decode("utf-8-sig")
        config = TypeAdapter(Config).validate_json(text, strict=True)
    except FileNotFoundError as error:
        raise ModelNotFound(
            f"There is no {CONFIG} in {folder}. Copy the whole model folder, or train a model."
        ) from error
    except OSError as error:
        raise InvalidConfig(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidConfig(f"{file} is not a text in UTF-8. Copy or download it again.") from error
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'the file'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise InvalidConfig(f"{file} is not a configuration of this network ({problems}).") from error
    if missing := [name for name in _missing_fields(json.loads(text)) if name not in ADDED]:
        raise InvalidConfig(f"{file} lacks {', '.join(missing)}. Copy or download it again.")
    if len(config.labels) != config.num_classes or len(set(config.labels)) != len(config.labels):
        raise InvalidConfig(
            f"{file}: {len(set(config.labels))} different labels do not go with num_classes {config.num_classes}."
        )
    if config.preprocessing.crop > config.preprocessing.resize:
        raise InvalidConfig(f"{file}: preprocessing.crop is larger than preprocessing.resize.")
    return config


def identity(folder: Path) -> str:
    """Return what tells a model from any other, wherever it is and whatever its name: the SHA-256 of its files for
    inference, in hexadecimal digits.

    Raises:
        ModelNotFound: the folder lacks its configuration or weights.
        InvalidModel: a file cannot be read.
    """
    digest = hashlib.sha256()
    for name in INFERENCE:
        try:
            content = hashlib.sha256((folder / name).read_bytes())
        except FileNotFoundError as error:
            if name != HEAD:
                raise ModelNotFound(f"There is no {name} in {folder}. Copy the whole model folder.") from error
        except OSError as error:
            raise InvalidModel(f"{folder / name} cannot be read: {error.strerror}.") from error
        else:
            digest.update(f"{name} {content.hexdigest()}\n".encode())
    return digest.hexdigest()


def read_metrics(folder: Path) -> Any:
    """Return the content of a model folder's ``metrics.json``; None if there is none, or it is no JSON."""
    try:
        return json.loads((folder / METRICS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def read_tensors(file: Path, module: nn.Module) -> dict[str, Tensor]:
    """Read a safetensors file and check its tensors against a module's, whose types they are converted to.

    Raises:
        ModelNotFound: the file is missing.
        InvalidWeights: it is damaged, holds other tensors than the module, or values that are not finite.
    """
    with _open(file):
        tensors = load_file(file)
    expected = module.state_dict()
    found = {name: (tuple(tensor.shape), tensor.is_floating_point()) for name, tensor in tensors.items()}
    _check_tensors(file, found, expected)
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise InvalidWeights(f"{file}: {name} holds values that are not finite numbers. {AGAIN}")
    return {name: tensor.to(expected[name].dtype) for name, tensor in tensors.items()}


def check_tensors(file: Path, module: nn.Module) -> None:
    """Check names, shapes and types of the tensors in a safetensors file against a module's without reading them.

    Raises:
        ModelNotFound: the file is missing.
        InvalidWeights: it is damaged, or holds other tensors than the module.
    """
    with _open(file) as tensors:
        slices = {name: tensors.get_slice(name) for name in tensors.keys()}  # noqa: SIM118  (not a mapping)
    found = {name: (tuple(entry.get_shape()), entry.get_dtype() in FLOATS) for name, entry in slices.items()}
    _check_tensors(file, found, module.state_dict())


def write_tensors(tensors: Mapping[str, Tensor], file: Path) -> None:
    """Write tensors by their names as a safetensors file."""
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file, metadata={"format": "pt"})


@contextmanager
def _open(file: Path) -> Iterator[Any]:
    if not file.is_file():
        raise ModelNotFound(f"There is no {file.name} in {file.parent}. Copy the whole model folder, or train a model.")
    try:
        with safe_open(file, framework="pt") as tensors:
            yield tensors
    except (SafetensorError, OSError) as error:
        if file.stat().st_size < 1024 and file.read_bytes().startswith(LFS_POINTER):
            raise InvalidWeights(
                f"{file} is a Git LFS pointer, not the weights themselves: they were fetched without git-lfs. Install "
                "it from git-lfs.com, then: git lfs install && git lfs pull; or, where pip installed this, install it "
                "again: pip install --force-reinstall --no-deps, and what was given to pip."
            ) from error
        raise InvalidWeights(f"{file} is damaged and cannot be read ({error}). {AGAIN}") from error


def _check_tensors(
    file: Path, found: Mapping[str, tuple[tuple[int, ...], bool]], expected: Mapping[str, Tensor]
) -> None:
    """Compare shape, and whether the type is floating-point, of each tensor in a file with those expected."""
    if missing := expected.keys() - found.keys():
        raise InvalidWeights(f"{file} lacks {_some(missing)}. {AGAIN}")
    if unknown := found.keys() - expected.keys():
        raise InvalidWeights(f"{file} holds {_some(unknown)}, which this network does not have. {AGAIN}")
    for name, (shape, is_float) in found.items():
        if shape != expected[name].shape:
            raise InvalidWeights(
                f"{file}: {name} has the shape {shape} where the network of its config.json has "
                f"{tuple(expected[name].shape)}. {AGAIN}"
            )
        if is_float != expected[name].is_floating_point():
            kinds = ("a floating-point", "an integer") if is_float else ("an integer", "a floating-point")
            raise InvalidWeights(f"{file}: {name} is of {kinds[0]} type, not {kinds[1]} type. {AGAIN}")


def _some(names: set[str], limit: int = 3) -> str:
    listed = ", ".join(sorted(names)[:limit])
    return listed if len(names) <= limit else f"{listed} and {len(names) - limit} more tensors"


def _missing_fields(content: dict[str, Any]) -> list[str]:
    preprocessing = content.get("preprocessing", {})
    return [
        *(entry.name for entry in fields(Config) if entry.name not in content),
        *(
            f"preprocessing.{entry.name}"
            for entry in fields(Preprocessing)
            if preprocessing and entry.name not in preprocessing
        ),
    ]
