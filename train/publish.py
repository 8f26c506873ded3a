"""A model folder -> a model repository of the Hugging Face Hub; this project -> a Space.

python -m train.publish model weights/alexnet-seed USER/REPOSITORY
python -m train.publish space USER/SPACE

The token is the one that `hf auth login` stored, or that of HF_TOKEN.
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
"""The files and folders of this project that a Space needs."""

RepoId = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="USER/REPOSITORY")]

Files = dict[str, Path]
"""Name in the repository -> file."""


class NotPublished(Exception):
    """Nothing was published; the message says why and what to do."""


def model_files(folder: Path) -> Files:
    """The files of a model folder, once it is sure that others can use it.

    Raises:
        NotPublished: its model cannot be loaded, its card gives no results, or a file in it holds a pickle.
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
            f"{folder / 'README.md'} does not say how accurate the model is. Write it anew: "
            f"python -m train.export {folder}"
        )
    return files


def space_files(project: Path = PROJECT) -> Files:
    """The files of this project that a Space needs.

    Raises:
        NotPublished: one of them is missing.
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
    """Create a repository or Space if need be, and upload files to it in one commit.

    What an earlier upload left of this project in a Space, such as a model that is no longer shipped, is deleted.

    Args:
        kind: model or space.
        private: hide a new repository from everybody else.
        revision: branch, created if need be; main if not given.
        tag: name to give to the commit.

    Returns:
        The commit's URL.

    Raises:
        NotPublished: the Hub refused, or could not be reached.
    """
    api = HfApi()
    with _refusals_in_words(repo_id):
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
        there = api.list_repo_files(repo_id, repo_type=kind, revision=revision) if kind == "space" else []
        stale = [name for name in there if name not in files and name.partition("/")[0] in SPACE]
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
        repo_id: the repository; it is created if it is not there.
        private: hide a new repository from everybody else.
        revision: branch to upload to; it is created if it is not there.
        tag: name to give to the upload, such as v1.
        dry_run: list what would be uploaded, and touch nothing.
    """
    _run(model_files(folder), repo_id, "model", dry_run, private=private, revision=revision, tag=tag)


def space(
    repo_id: RepoId,
    private: tyro.conf.FlagCreatePairsOff[bool] = False,
    dry_run: tyro.conf.FlagCreatePairsOff[bool] = False,
) -> None:
    """Publish this project as a Space.

    Args:
        repo_id: the Space; it is created if it is not there.
        private: hide a new Space from everybody else.
        dry_run: list what would be uploaded, and touch nothing.
    """
    _run(space_files(), repo_id, "space", dry_run, private=private)


def _run(files: Files, repo_id: str, kind: str, dry_run: bool, **options: object) -> None:
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise NotPublished(f"{repo_id} is no name of a repository, which is written user/name.") from error
    if not dry_run:
        print(publish(files, repo_id, kind, **options))  # type: ignore[arg-type]
        return
    for name, file in files.items():
        print(f"{file.stat().st_size:>12,}  {name}")
    total = sum(file.stat().st_size for file in files.values())
    print(f"{total:>12,}  bytes in {len(files)} files would go to {repo_id} in one commit.")


@contextmanager
def _refusals_in_words(repo_id: str) -> Iterator[None]:
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
            "what has arrived is not sent twice."
        ) from error


def _files_under(folder: Path, top: Path) -> Files:
    """Every file that is neither hidden nor left over from a run."""
    return {
        file.relative_to(top).as_posix(): file
        for file in sorted(folder.rglob("*"))
        if file.is_file()
        and not any(part.startswith(".") or part == "__pycache__" for part in file.relative_to(folder).parts)
        and file.suffix != ".part"
    }


def _holds_pickle(file: Path) -> bool:
    """Whether a file is a pickle by its name or first bytes, or an archive with one in it, as torch.save writes."""
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
