"""Label a collection of any size into a Parquet file, on one machine or on a Ray cluster."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from tqdm import tqdm

from flower_alexnet import batch, images, registry
from flower_alexnet.classifier import load_classifier
from flower_alexnet.files import replace_atomically
from flower_alexnet.images import UnreadableImage

PART_SIZE = 256
"""Photos whose rows are written together: a stopped run repeats at most so many."""


class InvalidCollection(ValueError):
    """There is nothing to label, or the output belongs to another run; the message says what to do."""


@dataclass(frozen=True)
class RemoteFile:
    """A photo at any address that fsspec reads; its name is the address."""

    name: str

    def load(self, shorter_side: int | None = None) -> Image.Image:
        """Read the photo as ``images.load`` does.

        Raises:
            InvalidImage: it cannot be used.
        """
        try:
            with fsspec.open(self.name, "rb") as file:
                content = file.read()
        except FileNotFoundError as error:
            raise UnreadableImage(f"There is no file {self.name}. Check its name.") from error
        except Exception as error:  # each filesystem of fsspec raises its own errors
            raise UnreadableImage(f"{self.name} cannot be read: {error}.") from error
        return images.load(content, self.name.rpartition("/")[2], shorter_side)


class Labeler:
    """Turn addresses of photos into rows; runs on each worker.

    Args:
        model: as for ``registry.load``.
    """

    def __init__(self, model: str | None) -> None:
        self.classifier = load_classifier(model)

    def __call__(self, photos: dict[str, Sequence[str] | np.ndarray]) -> pa.Table:
        """Return a table with a row for each address of ``{"photo": addresses}``, in order."""
        rows = batch.classify(self.classifier, [RemoteFile(str(name)) for name in photos["photo"]])
        labels = self.classifier.config.labels
        return pa.Table.from_pylist([_columns(row, labels) for row in rows], schema=schema(labels))


def label_collection(source: str, output: Path, model: str | None = None, ray: str | None = None) -> int:
    """Label every photo of a collection; a stopped run continues where it stopped.

    Args:
        source: a folder, a file or a pattern with ``*``, local or at any address that fsspec reads.
        output: the Parquet file; until it is complete, its parts are in a folder beside it.
        model: as for ``registry.load``.
        ray: address of a Ray cluster, or ``local`` for one on this machine; None runs in this process.

    Returns:
        The number of photos that could not be labelled; their rows say why.

    Raises:
        InvalidCollection: the source has no file, or the output belongs to another collection or model.
        InvalidModel: the model cannot be loaded.
    """
    photos = find_photos(source)
    parts = output.with_name(output.name + ".parts")
    if output.exists():
        raise InvalidCollection(f"{output} exists already. Move it away, or choose another output.")
    labels = load_classifier(model).config.labels
    metadata = {"model": model or "", "source": source}
    parts.mkdir(parents=True, exist_ok=True)
    done = _finished_parts(parts, photos, metadata)

    remaining = photos[done * PART_SIZE :]
    tables = _on_ray(remaining, model, ray) if ray else _here(remaining, model)
    bar = tqdm(total=len(photos), initial=min(done * PART_SIZE, len(photos)), unit="photo")
    with bar:
        for number, table in enumerate(tables, start=done):
            _write(table.replace_schema_metadata(metadata), parts / f"{number:06}.parquet")
            bar.update(len(table))

    problems = 0
    temporary = output.with_name(output.name + ".part")
    with pq.ParquetWriter(temporary, schema(labels).with_metadata(metadata)) as writer:
        for part in sorted(parts.glob("*.parquet")):
            table = pq.read_table(part)
            problems += len(table) - table["problem"].null_count
            writer.write_table(table)
    replace_atomically(temporary, output)
    shutil.rmtree(parts)
    return problems


def find_photos(source: str) -> list[str]:
    """List the addresses of a collection's files in a fixed order; skip hidden files.

    Raises:
        InvalidCollection: the source has no file, or cannot be read.
    """
    try:
        filesystem, path = fsspec.core.url_to_fs(source)
        found = filesystem.glob(path, detail=True) if "*" in path else filesystem.find(path, detail=True)
    except (OSError, ValueError, ImportError) as error:
        raise InvalidCollection(f"{source} cannot be read: {error}.") from error
    local = "file" in filesystem.protocol
    files = [name for name, entry in found.items() if entry["type"] != "directory"]  # symbolic links are files, too
    visible = sorted(name for name in files if not name.rpartition("/")[2].startswith("."))
    if not visible:
        raise InvalidCollection(
            f"There is no file at {source}. Name a folder, a file, or a pattern such as photos/*.jpg."
        )
    return [name if local else filesystem.unstrip_protocol(name) for name in visible]


def schema(labels: Sequence[str]) -> pa.Schema:
    """Return the table's columns: the photo, its label, each probability, or the problem with it."""
    return pa.schema(
        [
            ("photo", pa.string()),
            ("label", pa.string()),
            ("probability", pa.float64()),
            ("in_distribution", pa.bool_()),
            *((label, pa.float64()) for label in labels),
            ("problem", pa.string()),
        ]
    )


def _columns(row: batch.Row, labels: Sequence[str]) -> dict[str, Any]:
    if row.prediction is None:
        return {"photo": row.name, **dict.fromkeys(labels), "problem": row.problem}
    return {
        "photo": row.name,
        "label": row.prediction.label,
        "probability": row.prediction.probability,
        "in_distribution": row.prediction.in_distribution,
        **row.prediction.probabilities,
    }


def _here(photos: Sequence[str], model: str | None) -> Iterator[pa.Table]:
    labeler = Labeler(model)
    for start in range(0, len(photos), PART_SIZE):
        yield labeler({"photo": photos[start : start + PART_SIZE]})


def _on_ray(photos: Sequence[str], model: str | None, address: str) -> Iterator[pa.Table]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    import ray.data

    if address == "local":
        ray.init(include_dashboard=False, log_to_driver=False)
    else:  # workers get a copy of the code and the shipped models
        project = str(registry.WEIGHTS.parent)
        ray.init(address, runtime_env={"working_dir": project, "excludes": [".git", "tests", "docs", "runs"]})
    try:
        ray.data.DataContext.get_current().execution_options.preserve_order = True
        dataset = ray.data.from_items([{"photo": photo} for photo in photos]).map_batches(
            Labeler,
            fn_constructor_args=(model,),
            batch_size=PART_SIZE,
            concurrency=(1, max(1, int(ray.cluster_resources()["CPU"]))),
        )
        yield from dataset.iter_batches(batch_size=PART_SIZE, batch_format="pyarrow")
    finally:
        ray.shutdown()


def _finished_parts(parts: Path, photos: Sequence[str], metadata: dict[str, str]) -> int:
    """Count the parts that an earlier run of the same collection and model finished."""
    finished = sorted(parts.glob("*.parquet"))
    for number, part in enumerate(finished):
        table = pq.read_table(part)
        expected = list(photos[number * PART_SIZE : (number + 1) * PART_SIZE])
        kept = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        if kept != metadata or table["photo"].to_pylist() != expected:
            raise InvalidCollection(
                f"{parts} holds rows of another collection or model, or photos were added or removed since. "
                "Delete that folder to start over."
            )
    return len(finished)


def _write(table: pa.Table, file: Path) -> None:
    temporary = file.with_suffix(".part")
    pq.write_table(table, temporary)
    replace_atomically(temporary, file)
