"""Publish a model folder as a model repository of the Hugging Face Hub, or this project as a Space.

python -m train.publish model weights/alexnet-baseline USER/REPOSITORY
python -m train.publish space USER/SPACE

The token is that of `hf auth login`, or of HF_TOKEN.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import httpx2
import tyro
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, ModelCard
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError
from huggingface_hub.utils import validate_repo_id

from flower_alexnet import FlowerClassifier, InvalidModel

PROJECT = Path(__file__).resolve().parent.parent

SPACE = ("README.md", "app.py", "requirements.txt", "flower_alexnet", "weights", "examples")
"""Files and folders of this project that go into a Space."""

RepoId = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="USER/REPOSITORY")]

Files = dict[str, Path]
"""Name in the repository -> file."""


class NotPublished(Exception):
    """Nothing was published; the message says why and what to do."""


def model_files(folder: Path) -> Files:
    """Return the files of a model folder, after checking that others can use it.

    Raises:
        NotPublished: the model cannot be loaded, the card has no evaluation results, or a file holds a pickle.
    """
    try:
        FlowerClassifier.from_pretrained(folder)
    except InvalidModel as error:
        raise NotPublished(str(error)) from error
    files = _files_under(folder, folder)
    for file in files.values():
        if _holds_pickle(file):
            raise NotPublished(f"{file} holds a pickle, which can run any program where it is loaded. Delete it.")
    try:
        results = ModelCard.load(folder / "README.md").data.eval_results
    except (OSError, ValueError) as error:
        raise NotPublished(f"{folder / 'README.md'} is no model card: {error}") from error
    if not results:
        raise NotPublished(
            f"{folder / 'README.md'} does not say how accurate the model is. Write it again: "
            f"python -m train.export {folder}"
        )
    return files


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
    return files


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
        api.create_repo(
            repo_id,
            repo_type=kind,
            private=private or None,
            space_sdk="gradio" if kind == "space" else None,
            exist_ok=True,
        )
        if revision is not None:
            api.create_branch(repo_id, branch=revision, repo_type=kind, exist_ok=True)
        if tag is not None and tag in {existing.name for existing in api.list_repo_refs(repo_id, repo_type=kind).tags}:
            raise NotPublished(f"{repo_id} has a tag {tag} already. Choose another name.")
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
    folder: tyro.conf.Positional[Path],
    repo_id: RepoId,
    private: tyro.conf.FlagCreatePairsOff[bool] = False,
    revision: str | None = None,
    tag: str | None = None,
    dry_run: tyro.conf.FlagCreatePairsOff[bool] = False,
) -> None:
    """Publish a model folder.

    Args:
        folder: the model folder.
        repo_id: the repository, created if it does not exist.
        private: make a new repository private.
        revision: branch to upload to, created if it does not exist.
        tag: tag for the upload, such as v1.
        dry_run: list the files without uploading them.
    """
    _run(model_files(folder), repo_id, "model", dry_run, private=private, revision=revision, tag=tag)


def space(
    repo_id: RepoId,
    private: tyro.conf.FlagCreatePairsOff[bool] = False,
    dry_run: tyro.conf.FlagCreatePairsOff[bool] = False,
) -> None:
    """Publish this project as a Space.

    Args:
        repo_id: the Space, created if it does not exist.
        private: make a new Space private.
        dry_run: list the files without uploading them.
    """
    _run(space_files(), repo_id, "space", dry_run, private=private)


def _run(files: Files, repo_id: str, kind: str, dry_run: bool, **options: object) -> None:
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise NotPublished(f"{repo_id} is not the name of a repository, which is written user/name.") from error
    if not dry_run:
        print(publish(files, repo_id, kind, **options))  # type: ignore[arg-type]
        return
    for name, file in files.items():
        print(f"{file.stat().st_size:>12,}  {name}")
    total = sum(file.stat().st_size for file in files.values())
    print(f"{total:>12,}  bytes in {len(files)} files would go to {repo_id} in one commit.")


@contextmanager
def _hub_errors(repo_id: str) -> Iterator[None]:
    """Turn errors of the Hub client into NotPublished."""
    login = "Log in with `hf auth login` or set HF_TOKEN to a token that may write."
    try:
        yield
    except LocalTokenNotFoundError as error:
        raise NotPublished(f"There is no token. {login}") from error
    except HfHubHTTPError as error:
        if error.response.status_code in (401, 403):
            reason = error.server_message or "the token is missing, or may not do this"
            raise NotPublished(f"The Hub refused to publish {repo_id}: {reason}. {login}") from error
        raise NotPublished(f"The Hub did not publish {repo_id}: {error}. Run the command again.") from error
    except (httpx2.HTTPError, OSError, RuntimeError) as error:
        raise NotPublished(
            f"{repo_id} was not published: the connection to the Hub failed ({error}). Run the command again: "
            "what was uploaded already is not sent again."
        ) from error


def _files_under(folder: Path, top: Path) -> Files:
    """Return the files under folder, named relative to top; skip hidden files, caches and temporary files."""
    return {
        file.relative_to(top).as_posix(): file
        for file in sorted(folder.rglob("*"))
        if file.is_file()
        and not any(part.startswith(".") or part == "__pycache__" for part in file.relative_to(folder).parts)
        and file.suffix != ".part"
    }


def _holds_pickle(file: Path) -> bool:
    """Return whether a file is a pickle by its suffix or first bytes, or a zip with one in it, as torch.save writes."""
    if file.suffix in {".bin", ".ckpt", ".joblib", ".npy", ".npz", ".pickle", ".pkl", ".pt", ".pth"}:
        return True
    with file.open("rb") as opened:
        start = opened.read(2)
    if start[:1] == b"\x80" and start[1:] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return True
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(Path(name).suffix in {".pkl", ".npy"} for name in archive.namelist())


if __name__ == "__main__":
    try:
        tyro.extras.subcommand_cli_from_dict({"model": model, "space": space}, prog="python -m train.publish")
    except NotPublished as error:
        print(error, file=sys.stderr)
        sys.exit(2)
