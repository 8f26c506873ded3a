"""Publish a model folder as a model repository of the Hugging Face Hub, or this project as a Space.

python -m train.publish model alexnet-baseline USER/REPOSITORY --space USER/SPACE
python -m train.publish space USER/SPACE

The token is that of `hf auth login`, or of HF_TOKEN.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import Annotated, NamedTuple

import httpx2
import tyro
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, ModelCard, constants, get_token
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalTokenNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import validate_repo_id

from flower_alexnet import FlowerClassifier, InvalidModel, images, model_folder, registry
from flower_alexnet.dataset import InvalidDataset, LabeledPhoto, find_classes, split
from flower_alexnet.model_folder import CARD, LABELS_FILE, MISTAKES, ONNX, ONNX_INT8, UNFINISHED
from flower_alexnet.words import capitalized
from train.card import TEMPLATES, USE, accuracy_in_words, use_section
from train.checkpoint import NAME as CHECKPOINT
from train.gallery import square

PROJECT = Path(__file__).resolve().parent.parent

SPACE = (
    "README.md",
    "LICENSE",
    "SECURITY.md",
    "app.py",
    "pyproject.toml",
    "requirements.txt",
    "requirements-benchmarks.txt",
    "requirements-dev.txt",
    "requirements-scale.txt",
    "requirements-train.txt",
    "flower_alexnet",
    "page",
    "weights",
    "examples",
    "docs",
    "train",
    "benchmarks",
    "tests",
)
"""Files and folders of this project that go into a Space: all, so that its pages' links lead somewhere and pip can
install the library from it."""

CPU_INDEX = "--extra-index-url https://download.pytorch.org/whl/cpu\n"
"""First line of a Space's requirements. Of ``torch==2.13.0`` pip then prefers 2.13.0+cpu, a tenth of the size of PyPI's
build for CUDA: a free Space has no GPU."""

MOST_LABELS = 12
"""Labels that the page of a Space of one's own lists."""

MOST_CHARACTERS = 60
"""Length of a Space's short description."""

MOST_EXAMPLES, EXAMPLE_SIDE = 7, 512
"""Photos to try in a Space of one's own, and pixels of their longer sides."""

MOST_IN_GALLERY = 400
"""Test photos, small, that a Space of one's own looks for alike ones in: about 3 MB."""

MOST_TRIED = 20
"""Photos of a class that are tried to find those that the model gets right."""

LOGIN = "Log in with `hf auth login` or set HF_TOKEN to a token that may write."

RepoId = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="USER/REPOSITORY")]

TEXTS = {".csv", ".json", ".md", ".txt"}
PICTURES = {".jpeg": b"\xff\xd8", ".jpg": b"\xff\xd8", ".png": b"\x89PNG\r\n\x1a\n", ".webp": b"RIFF"}
"""What else a model folder may hold: texts in UTF-8, and pictures with the first bytes of their kind."""

Files = dict[str, Path | bytes]
"""Name in the repository -> file, or its content."""


class NotPublished(Exception):
    """Nothing was published; the message says why and what to do."""


def model_files(folder: Path) -> Files:
    """Return the files of a model folder but its ONNX files, after checking that others can use the model.

    Raises:
        NotPublished: the model cannot be loaded, the card has no evaluation results, a file is none of a model folder,
            or a killed process left the folder with files of two exports.
    """
    if (folder / UNFINISHED).exists():
        raise NotPublished(
            f"{folder / UNFINISHED} was left by a process that was stopped while it wrote the model, so the files may "
            f"not belong together. Resume the run, or: python -m train.export measure {folder}"
        )
    try:
        FlowerClassifier.from_pretrained(folder)
    except InvalidModel as error:
        raise NotPublished(str(error)) from error
    files = _files_under(folder, folder)
    for file in files.values():
        _check_kind(file)
    try:
        results = ModelCard.load(folder / CARD).data.eval_results
    except (OSError, ValueError) as error:
        raise NotPublished(f"{folder / CARD} is no model card: {error}") from error
    if not results:
        raise NotPublished(
            f"{folder / CARD} does not say how accurate the model is. Write it again: "
            f"python -m train.export measure {folder}"
        )
    return dict(files)


class Described(NamedTuple):
    """What a publisher says of a model.

    Args:
        title: heading of the card, in place of the folder's name.
        weights_license: identifier of the license of the weights, as the Hub lists them.
        language: code of the language that the labels are in.
    """

    title: str | None = None
    weights_license: str | None = None
    language: str | None = None


def published_card(
    folder: Path,
    repo_id: str,
    revision: str | None = None,
    install: str | None = None,
    onnx: bool = False,
    described: Described = Described(),  # noqa: B008  (it cannot be changed)
) -> bytes:
    """Return a model folder's card with its section "Use" written anew for a repository; the rest stays as it is.

    Args:
        folder: the model folder.
        repo_id: the repository that the model is downloaded from.
        revision: its branch; the main branch if not given.
        install: what pip takes to install the library; None if it is not published.
        onnx: whether ``model.onnx`` and ``model_int8.onnx`` are published too.
        described: what the publisher says of it.
    """
    address = f"{repo_id}@{revision}" if revision else repo_id
    use = use_section(FlowerClassifier.from_pretrained(folder), address, repo_id, revision, install, onnx)
    text = USE.sub(lambda _: use, (folder / CARD).read_text(encoding="utf-8"), count=1)
    if described == Described():
        return text.encode()
    card = ModelCard(text)
    if described.title is not None:
        card.text = re.sub(r"^# .*$", lambda _: f"# {described.title}", card.text, count=1, flags=re.MULTILINE)
    if described.language is not None:
        card.data["language"] = described.language
    if described.weights_license is not None:
        card.data["license"] = described.weights_license
        terms = f"Code: Apache-2.0. Weights: {described.weights_license}."
        card.text = card.text.replace("Code and weights: Apache-2.0.", terms)
    return str(card).encode()


def onnx_files(folder: Path, new: Path) -> Files:
    """Return the ONNX files of a model folder if they give the model's probabilities; otherwise write them to new.

    Raises:
        NotPublished: ONNX Runtime is not installed, or a file does not give the model's probabilities.
    """
    try:
        from train.onnx import INT8_TOLERANCE, NotTheSame, compare, write_int8, write_onnx
    except ImportError as error:
        raise NotPublished(
            f"model.onnx needs requirements-train.txt installed ({error}). Without it: --no-onnx"
        ) from error
    classifier = FlowerClassifier.from_pretrained(folder)
    if (folder / ONNX).is_file() and (folder / ONNX_INT8).is_file():
        try:
            compare(classifier, folder / ONNX)
            compare(classifier, folder / ONNX_INT8, INT8_TOLERANCE)
            return {name: folder / name for name in (ONNX, ONNX_INT8)}
        except NotTheSame as error:
            print(f"{error} It is made again.", file=sys.stderr)
    try:
        write_onnx(classifier, new / ONNX)
        write_int8(classifier, new / ONNX, new / ONNX_INT8)
    except NotTheSame as error:
        raise NotPublished(f"{error} Publish without it: --no-onnx") from error
    return {name: new / name for name in (ONNX, ONNX_INT8)}


def space_files(project: Path = PROJECT) -> Files:
    """Return the files of this project that go into a Space.

    Raises:
        NotPublished: one is missing.
    """
    files: Files = {}
    for name in SPACE:
        path = project / name
        if not path.exists():
            raise NotPublished(f"There is no {name} in {project}.")
        files |= _files_under(path, project) if path.is_dir() else {name: path}
    files["requirements.txt"] = CPU_INDEX.encode() + (project / "requirements.txt").read_bytes()
    return files


def own_space_files(folder: Path, title: str, examples: Path | None = None, project: Path = PROJECT) -> Files:
    """Return the files of a Space about the classes of a model folder: the page, the library, and this model alone.

    Args:
        folder: the model folder.
        title: of the Space.
        examples: folder of class folders, of whose test photos some are shown to be tried, and up to
            ``MOST_IN_GALLERY`` to be compared with; None shows none.
        project: this project.

    Raises:
        NotPublished: the model cannot be published, or there are no such examples.
    """
    name = " ".join(re.sub(r"[^\w .-]", " ", title).split()).strip(".") or folder.resolve().name
    files: Files = {
        file: (project / file) for file in ("LICENSE", "SECURITY.md", "app.py", "pyproject.toml", "requirements.txt")
    }
    for part in ("flower_alexnet", "page"):
        files |= _files_under(project / part, project)
    files["requirements.txt"] = CPU_INDEX.encode() + (project / "requirements.txt").read_bytes()
    files |= {f"weights/{name}/{file}": content for file, content in model_files(folder).items()}
    config, metrics = model_folder.read_config(folder), model_folder.read_metrics(folder) or {}
    labels = [*config.labels[:MOST_LABELS], *(["…"] if len(config.labels) > MOST_LABELS else [])]
    files["README.md"] = (
        TEMPLATES.get_template("space_card.md")
        .render(
            title=title,
            name=name,
            front=ModelCard.load(project / "README.md", ignore_metadata_errors=True).data.to_dict(),
            short_description=f"Tells {' from '.join(config.labels)}"[:MOST_CHARACTERS],
            labels=", ".join(labels),
            can_tell=config.threshold is not None,
            accuracy=accuracy_in_words(metrics["test"]) if "test" in metrics else None,
            taken=metrics.get("test", {}).get("others", {}).get(model_folder.ALL_PHOTOS, {}).get("taken"),
        )
        .encode()
    )
    listed: dict[str, str] = {}
    tested = _test_photos(examples, config.labels) if examples else []
    chosen = _examples(tested, FlowerClassifier.from_pretrained(folder)) if examples else []
    for number, photo in enumerate(chosen):
        try:
            image = images.load(photo.path)  # upright, and without what its file says of place and camera
        except images.InvalidImage as error:
            raise NotPublished(f"{photo.path} cannot be an example: {error}") from error
        file, content = f"{number}.webp", io.BytesIO()
        listed[file] = config.labels[photo.target]
        image.thumbnail((EXAMPLE_SIDE, EXAMPLE_SIDE))
        image.save(content, "WEBP", quality=80)
        files[f"examples/{file}"] = content.getvalue()
    files["examples/examples.json"] = json.dumps(listed).encode()
    some = Random(0).sample(tested, min(MOST_IN_GALLERY, len(tested)))  # noqa: S311
    for photo in some:
        with suppress(images.InvalidImage):  # training left it out, too
            files[f"examples/gallery/{config.labels[photo.target]}/{photo.path.stem}.webp"] = square(photo.path)
    return files


def _test_photos(folder: Path, labels: Sequence[str]) -> list[LabeledPhoto]:
    """Return the test photos of a folder of class folders.

    Raises:
        NotPublished: the folder has other classes, or no photos.
    """
    try:
        if (found := find_classes(folder)) != labels:
            raise NotPublished(f"The model knows {', '.join(labels)}, but {folder} shows {', '.join(found)}.")
        return split(folder)["test"]
    except InvalidDataset as error:
        raise NotPublished(str(error)) from error


def _examples(photos: Sequence[LabeledPhoto], classifier: FlowerClassifier) -> list[LabeledPhoto]:
    """Return up to ``MOST_EXAMPLES`` photos, of each class in turn, those first that the model gets right."""
    labels = classifier.config.labels
    of_class = [[photo for photo in photos if photo.target == target] for target in range(len(labels))]
    of_class = [sorted(group[:MOST_TRIED], key=lambda photo: _is_wrong(classifier, photo)) for group in of_class]
    in_turn = [photo for turn in zip_longest(*of_class) for photo in turn if photo is not None]
    return in_turn[:MOST_EXAMPLES]


def _is_wrong(classifier: FlowerClassifier, photo: LabeledPhoto) -> bool:
    """Return whether a model gets a photo wrong; one that cannot be read comes first, to be told of."""
    try:
        return classifier(photo.path).label != classifier.config.labels[photo.target]
    except images.InvalidImage:
        return False


def publish(
    files: Files, repo_id: str, kind: str, private: bool = False, revision: str | None = None, tag: str | None = None
) -> str:
    """Upload files to a repository or Space in one commit; create it if it does not exist.

    In a Space, delete files of this project that are no longer part of it, such as a model that is not shipped any
    more.

    Args:
        files: name in the repository -> file.
        repo_id: ``user/name``.
        kind: model or space.
        private: make a new repository private.
        revision: branch, created if it does not exist; main if not given.
        tag: tag for the commit.

    Returns:
        The commit's URL.

    Raises:
        NotPublished: the tag exists already, the Hub refused, or it could not be reached.
    """
    api = HfApi()
    with _hub_errors(repo_id):
        api.whoami()
        if tag is not None and tag in _tags(api, repo_id, kind):
            raise NotPublished(f"{repo_id} has a tag {tag} already. Choose another name.")
        api.create_repo(
            repo_id,
            repo_type=kind,
            private=private or None,
            space_sdk="gradio" if kind == "space" else None,
            exist_ok=True,
        )
        if revision is not None:
            api.create_branch(repo_id, branch=revision, repo_type=kind, exist_ok=True)
        existing = api.list_repo_files(repo_id, repo_type=kind, revision=revision) if kind == "space" else []
        stale = [name for name in existing if name not in files and name.partition("/")[0] in SPACE]
        commit = api.create_commit(
            repo_id,
            [
                *(CommitOperationAdd(name, file) for name, file in files.items()),
                *(CommitOperationDelete(name) for name in stale),
            ],
            commit_message=f"Upload {Path(repo_id).name}",
            repo_type=kind,
            revision=revision,
        )
        if tag is not None:
            api.create_tag(repo_id, tag=tag, revision=commit.oid, repo_type=kind)
    return commit.commit_url


def model(
    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")],
    repo_id: RepoId,
    private: tyro.conf.FlagCreatePairsOff[bool] = False,
    revision: str | None = None,
    tag: str | None = None,
    onnx: bool = True,
    space: str | None = None,
    source: str | None = None,
    title: str | None = None,
    weights_license: Annotated[str | None, tyro.conf.arg(name="license")] = None,
    language: str | None = None,
    dry_run: tyro.conf.FlagCreatePairsOff[bool] = False,
) -> None:
    """Publish a model folder.

    Args:
        name: the model folder, or the name of a shipped model.
        repo_id: the repository, created if it does not exist.
        private: make a new repository private.
        revision: branch to upload to, created if it does not exist.
        tag: tag for the upload, such as v1.
        onnx: also publish the model as model.onnx and model_int8.onnx, made if the folder holds none that give its
            probabilities.
        space: the Space USER/SPACE of this project, which the card installs the library from.
        source: instead of a Space, what pip takes to install the library: git+https://..., or the address of a wheel.
        title: heading of the card; the name of the folder if not given.
        weights_license: license of the weights, such as cc-by-4.0; apache-2.0 if not given.
        language: code of the language of your labels, such as de.
        dry_run: list the files without uploading them.
    """
    _check_repo_id(repo_id)
    for ref in (revision, tag):
        _check_ref(ref)
    install = _install(space, source)
    try:
        folder = registry.find_local(name)
    except InvalidModel as error:
        raise NotPublished(str(error)) from error
    files = model_files(folder)
    if not dry_run:
        _check_token()  # before the work of making ONNX files
    with tempfile.TemporaryDirectory() as temporary:
        if onnx:
            files |= onnx_files(folder, Path(temporary))
            files[LABELS_FILE] = json.dumps(model_folder.read_config(folder).labels).encode()
        files["README.md"] = published_card(
            folder, repo_id, revision, install, onnx, Described(title, weights_license, language)
        )
        _run(files, repo_id, "model", dry_run, private=private, revision=revision, tag=tag)


def space(
    repo_id: RepoId,
    model: str | None = None,
    title: str | None = None,
    examples: Path | None = None,
    private: tyro.conf.FlagCreatePairsOff[bool] = False,
    dry_run: tyro.conf.FlagCreatePairsOff[bool] = False,
) -> None:
    """Publish this project as a Space, or a Space about the classes of a model of your own.

    Args:
        repo_id: the Space, created if it does not exist.
        model: model folder that the Space is about: its page knows this model alone and nothing of flowers.
        title: of that Space; if not given, the name of the model folder.
        examples: folder of class folders, of whose test photos up to seven are published to be tried, and up to 400,
            224 pixels wide, to be compared with; if not given, no photo is published.
        private: make a new Space private.
        dry_run: list the files without uploading them.
    """
    _check_repo_id(repo_id)
    if model is None:
        if title or examples:
            raise NotPublished(
                "--title and --examples are of a Space of your own classes. Give its model with --model."
            )
        files = space_files()
    else:
        try:
            folder = registry.find_local(model)
        except InvalidModel as error:
            raise NotPublished(str(error)) from error
        name = " ".join(re.split("[-_]", folder.resolve().name))
        files = own_space_files(folder, title or capitalized(name), examples)
    _run(files, repo_id, "space", dry_run, private=private)


def _run(files: Files, repo_id: str, kind: str, dry_run: bool, **options: object) -> None:
    if not dry_run:
        _check_token()
        print(publish(files, repo_id, kind, **options))  # type: ignore[arg-type]
        return
    sizes = {name: len(file) if isinstance(file, bytes) else file.stat().st_size for name, file in files.items()}
    for name, size in sizes.items():
        print(f"{size:>12,}  {name}")
    print(f"{sum(sizes.values()):>12,}  bytes in {len(files)} files would go to {repo_id} in one commit.")
    _check_token()


def _check_token() -> None:
    if get_token() is None:
        raise NotPublished(f"There is no token. {LOGIN}")


def _check_repo_id(repo_id: str) -> None:
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise NotPublished(f"{repo_id} is not the name of a repository, which is written user/name.") from error
    if "/" not in repo_id:
        raise NotPublished(f"{repo_id} does not say whose repository it is: write USER/{repo_id}.")


def _check_ref(name: str | None) -> None:
    """Check the name of a branch or tag, more strictly than git does."""
    if name is not None and not re.fullmatch(r"(?!.*(\.\.|\.lock$|\.$))\w[\w.+-]*(/\w[\w.+-]*)*", name):
        raise NotPublished(f"{name!r} cannot be the name of a branch or tag. Use letters, digits, '-' and '.'.")


def _install(space: str | None, source: str | None) -> str | None:
    """Return what pip takes to install the library; None if neither is given."""
    if space is not None and source is not None:
        raise NotPublished("Give --space or --source, not both: the card has one line that installs the library.")
    if space is not None:
        _check_repo_id(space)
        return f"flower-alexnet @ git+{constants.ENDPOINT}/spaces/{space}"
    if source is not None and (not source.strip() or re.search(r"[\"`$\\\n]", source)):
        raise NotPublished(
            f"--source {source!r} cannot stand in a line of a shell. Give an address such as git+https://..."
        )
    return source


def _tags(api: HfApi, repo_id: str, kind: str) -> set[str]:
    """Return the tags of a repository; none if it does not exist."""
    try:
        return {tag.name for tag in api.list_repo_refs(repo_id, repo_type=kind).tags}
    except RepositoryNotFoundError:
        return set()


@contextmanager
def _hub_errors(repo_id: str) -> Iterator[None]:
    """Turn errors of the Hub client into NotPublished."""
    try:
        yield
    except LocalTokenNotFoundError as error:
        raise NotPublished(f"There is no token. {LOGIN}") from error
    except HfHubHTTPError as error:
        if error.response.status_code in (401, 403):
            reason = error.server_message or "the token is missing, or may not do this"
            raise NotPublished(f"The Hub refused to publish {repo_id}: {reason}. {LOGIN}") from error
        raise NotPublished(f"The Hub did not publish {repo_id}: {error}. Run the command again.") from error
    except (httpx2.HTTPError, OSError, RuntimeError) as error:
        raise NotPublished(
            f"{repo_id} was not published: the connection to the Hub failed ({error}). Run the command again: "
            "what was uploaded already is not sent again."
        ) from error


def _files_under(folder: Path, top: Path) -> dict[str, Path]:
    """Return the files under folder, named relative to top; skip what is hidden, cached, or left by a stopped run."""
    return {
        file.relative_to(top).as_posix(): file
        for file in sorted(folder.rglob("*"))
        if file.is_file()
        and file.name not in (ONNX, ONNX_INT8, CHECKPOINT)
        and not file.name.endswith(MISTAKES)
        and not any(
            part.startswith(".") or part == "__pycache__" or part.endswith(".part")
            for part in file.relative_to(folder).parts
        )
    }


def _check_kind(file: Path) -> None:
    """Check that a file is one of a model folder, or a text or picture for its card, by its name and content.

    Raises:
        NotPublished: it is not: other files may hold programs, as pickles do.
    """
    if file.name in (model_folder.WEIGHTS, model_folder.HEAD):  # they were loaded
        return
    content, suffix = file.read_bytes(), file.suffix.lower()
    if suffix in PICTURES and content.startswith(PICTURES[suffix]):
        return
    if (suffix in TEXTS or file.name == "LICENSE") and b"\0" not in content:
        with suppress(UnicodeDecodeError):
            content.decode("utf-8")
            return
    raise NotPublished(
        f"{file} is no file of a model folder, and no text or picture for its card: it might hold a program. Move it "
        f"away, then publish again."
    )


if __name__ == "__main__":
    try:
        tyro.extras.subcommand_cli_from_dict({"model": model, "space": space}, prog="python -m train.publish")
    except NotPublished as error:
        print(error, file=sys.stderr)
        sys.exit(2)
