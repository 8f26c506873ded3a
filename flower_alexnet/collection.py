"""Label a collection of any size into a Parquet file, on one machine or on a Ray cluster."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from PIL import Image
from tqdm import tqdm

from flower_alexnet import batch, images, model_folder, registry
from flower_alexnet.classifier import FlowerClassifier
from flower_alexnet.files import is_hidden, replace_atomically, walk
from flower_alexnet.images import UnreadableImage
from flower_alexnet.words import printable

PART_SIZE = 256
"""Photos whose rows are written together: a stopped run repeats at most so many."""


CONNECTING = 30
"""Seconds within which a Ray cluster must answer."""

CONNECT = """
import sys, ray
try:
    ray.init(sys.argv[1], log_to_driver=False, logging_level="ERROR")
except BaseException as error:
    print(" ".join(str(error).split()) or type(error).__name__)
    sys.exit(1)
ray.shutdown()
"""
"""A program that connects to the Ray cluster at an address: an attempt of Ray may take minutes and print much."""

RAY_ENVIRONMENT = {
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Environment variables that are set for Ray if they are not yet: its errors are raised, it reports nothing else."""


class InvalidCollection(ValueError):
    """There is nothing to label, the output cannot be written or belongs to another run, or Ray cannot be used; the
    message says what to do."""


class Labelled(NamedTuple):
    """What came of a collection.

    Args:
        problems: how many photos could not be labelled; their rows say why.
        skipped: how many files are no images by name and content.
    """

    problems: int
    skipped: int


class FoundFiles(NamedTuple):
    """The files of a collection.

    Args:
        photos: addresses of the images, in a fixed order.
        skipped: how many other files there are.
    """

    photos: list[str]
    skipped: int


@dataclass(frozen=True)
class RemoteFile:
    """A photo at any address that fsspec reads; its name is the address."""

    name: str

    def load(self, shorter_side: int | None = None) -> Image.Image:
        """Read the photo as ``images.load`` does.

        Raises:
            InvalidImage: it cannot be used.
        """
        if "://" not in self.name:
            return images.load(Path(self.name), shorter_side=shorter_side)
        try:
            with fsspec.open(self.name, "rb") as file:
                content = file.read()
        except FileNotFoundError as error:
            raise UnreadableImage(f"There is no file {self.name}. Check its name.") from error
        except Exception as error:  # each filesystem of fsspec raises its own errors
            raise UnreadableImage(f"{self.name} cannot be read: {error}.") from error
        return images.load(content, self.name.rpartition("/")[2], shorter_side)


class Labeler:
    """Turn addresses of photos into rows.

    Args:
        classifier: what labels them.
    """

    def __init__(self, classifier: FlowerClassifier) -> None:
        self.classifier = classifier

    def __call__(self, photos: Mapping[str, Sequence[str | bytes] | np.ndarray]) -> pa.Table:
        """Return a table with a row for each address of ``{"photo": addresses}``, in order."""
        names = [_name(photo) for photo in photos["photo"]]
        rows = batch.classify_each(self.classifier, [RemoteFile(name) for name in names])
        labels = self.classifier.config.labels
        return pa.Table.from_pylist([_columns(row) for row in rows], schema=schema(labels))


class RayLabeler(Labeler):
    """A labeler on a worker of Ray.

    Args:
        folder: the model folder, from where the worker runs.
    """

    def __init__(self, folder: str) -> None:
        super().__init__(FlowerClassifier.from_pretrained(Path(folder).absolute()))


def label_collection(source: str, output: Path, model: str | None = None, ray: str | None = None) -> Labelled:
    """Label every photo of a collection; a stopped run continues where it stopped.

    Args:
        source: a folder, a file or a pattern with ``*``, local or at any address that fsspec reads.
        output: the Parquet file; until it is complete, its parts are in a folder beside it.
        model: as for ``registry.find``.
        ray: address of a Ray cluster, or ``local`` for one on this machine; None runs in this process.

    Raises:
        InvalidCollection: the source has no photo, the output has the name of another format, cannot be written or
            belongs to another collection or model, or there is no Ray cluster at the address.
        InvalidModel: the model cannot be loaded.
    """
    if output.suffix.lower() not in ("", ".parquet", ".pq"):
        raise InvalidCollection(
            f"{output} would be a Parquet file, whatever its name says: let it end in .parquet. pandas.read_parquet "
            "reads it, and its to_csv or to_json write it anew."
        )
    _check_absent(output)
    photos, skipped = list_photos(source, output)
    folder = registry.find(model)
    known = model_folder.identity(folder)
    classifier = FlowerClassifier.from_pretrained(folder)
    _check_unchanged(folder, known)
    if ray and ray != "local":
        _check_cluster(ray)
    metadata = {"model": known, "source": printable(source)}
    parts = output.with_name(output.name + ".parts")
    with _writing(output, parts):
        _check_absent(output)  # another run may have ended meanwhile
        done = _finished_parts(parts, photos, metadata)
        remaining = photos[done * PART_SIZE :]
        tables = _on_ray(remaining, folder, known, ray) if ray else _here(remaining, classifier)
        with tqdm(
            total=len(photos), initial=min(done * PART_SIZE, len(photos)), unit="photo", disable=None
        ) as bar:  # no bar where stderr is no terminal
            for number, table in enumerate(tables, start=done):
                _write(table.replace_schema_metadata(metadata), parts / f"{number:06}.parquet")
                bar.update(len(table))
        problems = _join(parts, output, schema(classifier.config.labels).with_metadata(metadata))
    return Labelled(problems, skipped)


def _check_absent(output: Path) -> None:
    if os.path.lexists(output):
        raise InvalidCollection(f"{output} exists already. Move it away, or choose another output.")


def _check_unchanged(folder: Path, known: str) -> None:
    if model_folder.identity(folder) != known:
        raise InvalidCollection(f"The model in {folder} was replaced meanwhile. Run the same command again.")


def list_photos(source: str, output: Path | None = None) -> FoundFiles:
    """List the addresses of a collection's photos in a fixed order.

    Hidden files, and those in hidden folders, are passed over, and so are files that are no images by name and content,
    which are counted. A folder that cannot be read is listed as a photo: its row says why.

    Args:
        source: as for ``label_collection``.
        output: the file that the photos' rows are written to: it and its parts are passed over.

    Raises:
        InvalidCollection: the source has no image, or cannot be read.
    """
    skipped, photos = 0, []
    own = _Output(output)
    local = "://" not in source or source.lower().startswith("file://")
    for name, is_picture in _local_files(source) if local else _remote_files(source):
        if name in own:
            continue
        if is_picture():
            photos.append(name)
        else:
            skipped += 1
    if not photos:
        what = "file" if not skipped else "picture"
        raise InvalidCollection(
            f"There is no {what} at {source}. Name a folder, a file, or a pattern such as photos/*.jpg."
        )
    if not local:
        _check_readable(photos[0])
    return FoundFiles(photos, skipped)


class _Output:
    """The files that a run writes.

    Args:
        output: the Parquet file; None if there is none.
    """

    def __init__(self, output: Path | None) -> None:
        self.name = output.name if output else ""
        self.path = os.path.realpath(output) if output else ""

    def __contains__(self, name: str) -> bool:
        if not self.name or self.name not in name:
            return False
        path = os.path.realpath(name)
        return path in (self.path, f"{self.path}.part") or path.startswith(f"{self.path}.parts{os.sep}")


def _local_files(source: str) -> Iterator[tuple[str, Any]]:
    """Yield the path of each file, and of each folder that cannot be read, and a function that tells whether it is an
    image."""
    found, unreadable = list[str](), list[str]()
    for path in map(os.path.abspath, batch.expand(source)):
        if os.path.isdir(path):  # noqa: PTH112  (a name that is too long is none)
            files, folders = walk(path)
            found += files
            unreadable += folders
        elif os.path.isfile(path):  # noqa: PTH113
            found.append(path)
    for path in sorted({*found, *unreadable}):
        yield path, partial(batch.is_picture, Path(path))


def _remote_files(source: str) -> Iterator[tuple[str, Any]]:
    chained = source.partition("::")[1:]
    try:
        filesystem, path = fsspec.core.url_to_fs(source)
        found = filesystem.glob(path, detail=True) if "*" in path else filesystem.find(path, detail=True)
    except Exception as error:  # each filesystem of fsspec raises its own errors
        raise InvalidCollection(f"{source} cannot be read: {_first_line(error)}.") from error
    local = "file" in filesystem.protocol
    for name in sorted(name for name, entry in found.items() if entry["type"] != "directory"):
        below = name[len(path) :] if name.startswith(path) and name != path else name.rpartition("/")[2]
        if not any(map(is_hidden, below.split("/"))):
            address = name if local else filesystem.unstrip_protocol(name) + "".join(chained)
            yield address, partial(_is_remote_picture, filesystem, name)


def _is_remote_picture(filesystem: fsspec.AbstractFileSystem, name: str) -> bool:
    if images.has_image_suffix(name):
        return True
    try:
        with filesystem.open(name, "rb") as file:
            return images.has_image_header(file)
    except Exception:  # its row says why it cannot be read
        return True


def _check_readable(address: str) -> None:
    """Raise ``InvalidCollection`` if photos are listed by addresses at which nothing can be opened."""
    try:
        with fsspec.open(address, "rb") as file:
            file.read(1)
    except (PermissionError, FileNotFoundError):  # of this one: its row says so
        pass
    except Exception as error:  # each filesystem of fsspec raises its own errors
        raise InvalidCollection(
            f"{address} is listed, but cannot be opened: {_first_line(error)}. Copy the photos to a folder first."
        ) from error


@contextmanager
def _writing(output: Path, parts: Path) -> Iterator[None]:
    """Make the folder of the parts, for this run alone; leave no folder behind if nothing was labelled."""
    new = [folder for folder in (parts, *parts.parents) if not os.path.lexists(folder)]
    try:
        parts.mkdir(parents=True, exist_ok=True)
        with FileLock(parts / ".lock", timeout=0):
            try:
                yield
            finally:
                output.with_name(output.name + ".part").unlink(missing_ok=True)
                if not any(parts.glob("*.parquet")):
                    shutil.rmtree(parts, ignore_errors=True)
                (parts / ".lock").unlink(missing_ok=True)
    except Timeout as error:
        raise InvalidCollection(
            f"Another run is writing {output}. Wait until it ends, or choose another output."
        ) from error
    except OSError as error:
        raise InvalidCollection(
            f"{output} cannot be written: {error.strerror or error}. Choose another output, or make room for it."
        ) from error
    finally:
        for folder in new:
            with suppress(OSError):  # it holds something
                folder.rmdir()


def _join(parts: Path, output: Path, columns: pa.Schema) -> int:
    """Write the output of its parts, delete these, and return how many of its rows have a problem."""
    problems = 0
    temporary = output.with_name(output.name + ".part")
    with temporary.open("wb") as file, pq.ParquetWriter(file, columns) as writer:
        for part in sorted(parts.glob("*.parquet")):
            table = _read(part)
            problems += len(table) - table["problem"].null_count
            writer.write_table(table)
    replace_atomically(temporary, output)
    shutil.rmtree(parts)
    return problems


def schema(labels: Sequence[str]) -> pa.Schema:
    """Return the table's columns: the photo, its answer with the probability of each label, or the problem with it.

    The labels are fields of one column, so that a class may be called ``photo`` or ``problem``.
    """
    return pa.schema(
        [
            ("photo", pa.string()),
            ("label", pa.string()),
            ("probability", pa.float64()),
            ("in_distribution", pa.bool_()),
            ("in_distribution_probability", pa.float64()),
            ("verdict", pa.string()),
            ("probabilities", pa.struct([(label, pa.float64()) for label in labels])),
            ("problem", pa.string()),
        ]
    )


def _columns(row: batch.Row) -> dict[str, Any]:
    photo = printable(row.name)
    if row.prediction is None:
        return {"photo": photo, "problem": printable(row.problem or "")}
    return {"photo": photo, **row.prediction.fields()}


def _name(photo: str | bytes) -> str:
    """Return an address; Ray's tables hold it as bytes, since a file's name need not be Unicode."""
    return photo.decode("utf-8", "surrogateescape") if isinstance(photo, bytes) else str(photo)


def _here(photos: Sequence[str], classifier: FlowerClassifier) -> Iterator[pa.Table]:
    labeler = Labeler(classifier)
    for start in range(0, len(photos), PART_SIZE):
        yield labeler({"photo": photos[start : start + PART_SIZE]})


def _on_ray(photos: Sequence[str], folder: Path, known: str, address: str) -> Iterator[pa.Table]:
    for variable, value in RAY_ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    if address == "local" and "RAY_AUTH_MODE" not in os.environ:  # else Ray leaves a token in the home folder
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    import ray
    import ray.data
    from ray.exceptions import RayError

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)

    with TemporaryDirectory() as copy:
        for name in model_folder.INFERENCE:  # workers load the model when they start, some of them late
            if (folder / name).is_file():
                shutil.copyfile(folder / name, Path(copy) / name)
        folder = Path(copy)
        _check_unchanged(folder, known)
        try:
            if address == "local":
                with _without_stderr():
                    ray.init("local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
            else:  # workers get a copy of the code, and start in one of the model folder
                code = {"py_modules": [str(registry.PACKAGE)], "excludes": ["weights", "__pycache__"]}
                environment = {**code, "working_dir": copy}
                with _without_stderr():
                    ray.init(address, runtime_env=environment, log_to_driver=False, logging_level=logging.ERROR)
                folder = Path()
            ray.data.DataContext.get_current().execution_options.preserve_order = True
            workers = max(1, int(ray.cluster_resources().get("CPU", 1)))
            dataset = ray.data.from_items(
                [{"photo": photo.encode("utf-8", "surrogateescape")} for photo in photos]
            ).map_batches(
                RayLabeler,
                fn_constructor_args=(str(folder),),
                batch_size=PART_SIZE,
                compute=ray.data.ActorPoolStrategy(min_size=1, max_size=workers),
            )
            yield from dataset.iter_batches(batch_size=PART_SIZE, batch_format="pyarrow")
        except (RayError, RuntimeError, ValueError, OSError) as error:
            raise InvalidCollection(
                f"Ray failed: {_reason(error)}. The same command continues where it stopped."
            ) from error
        finally:
            ray.shutdown()


def _check_cluster(address: str) -> None:
    """Raise ``InvalidCollection`` if no Ray cluster answers at an address within ``CONNECTING`` seconds."""
    address = os.environ.get("RAY_ADDRESS", address) if address == "auto" else address
    problem = None
    if address != "auto":
        url = urlsplit(address if "://" in address else f"//{address}")
        try:
            if not url.hostname or not url.port:
                raise ValueError("an address is written host:port")
            socket.create_connection((url.hostname, url.port), timeout=CONNECTING).close()
        except (OSError, ValueError) as error:
            problem = _first_line(error)
    if problem is None:
        try:
            done = subprocess.run(  # noqa: S603  (the address is an argument of the program above)
                [sys.executable, "-c", CONNECT, address], capture_output=True, timeout=CONNECTING
            )
            if done.returncode:
                problem = (done.stdout.decode(errors="replace").strip() or "Ray ended").splitlines()[-1]
        except subprocess.TimeoutExpired:
            problem = (
                f"no answer within {CONNECTING} seconds. If the cluster asks for a token, set RAY_AUTH_MODE=token and "
                "RAY_AUTH_TOKEN to it"
            )
    if problem is not None:
        raise InvalidCollection(
            f"There is no Ray cluster to use at {address}: {problem.rstrip('.')}. "
            "Start one with `ray start --head`, or use --ray local."
        )


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Drop what this process and those that it starts print to stderr; Ray's core prints its settings there."""
    stderr = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nothing)


def _reason(error: Exception) -> str:
    """Return the first line of an error of Ray and the last one, which holds the error that was raised on a worker."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return " ".join(dict.fromkeys(line.strip() for line in (lines[0], lines[-1]))).rstrip(".")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _finished_parts(parts: Path, photos: Sequence[str], metadata: dict[str, str]) -> int:
    """Count the parts that an earlier run of the same collection and model finished."""
    finished = sorted(parts.glob("*.parquet"))
    for number, part in enumerate(finished):
        table = _read(part)
        expected = [printable(name) for name in photos[number * PART_SIZE : (number + 1) * PART_SIZE]]
        kept = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        if kept != metadata or "photo" not in table.column_names or table["photo"].to_pylist() != expected:
            raise InvalidCollection(
                f"{parts} holds rows of another collection or model, or of an earlier version of this program, or "
                "photos were added or removed since. Delete that folder to start over."
            )
    return len(finished)


def _read(part: Path) -> pa.Table:
    with part.open("rb") as file:  # pyarrow itself opens no file whose name is no Unicode
        return pq.read_table(file)


def _write(table: pa.Table, file: Path) -> None:
    temporary = file.with_suffix(".part")
    with temporary.open("wb") as opened:
        pq.write_table(table, opened)
    replace_atomically(temporary, file)
