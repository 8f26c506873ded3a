"""A local Hub: the part of the Hugging Face Hub's HTTP API that the installed huggingface_hub calls.

It keeps everything in memory but the git repositories that Spaces are cloned from. It checks tokens: only its owner may
write to a repository, a private repository is hidden from everyone else, and a gated one refuses everyone else's
downloads.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

LARGE = 10 * 2**20
"""Bytes above which a file cannot be committed to plain git, as on the Hub."""

LARGE_SUFFIXES = {".safetensors", ".bin", ".onnx", ".parquet"}

BLOCK = 2**16
"""Bytes that are sent at a time."""


@dataclass(frozen=True)
class File:
    """A file of a commit."""

    content: bytes
    large: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def blob(self) -> str:
        """Return git's hash of the content."""
        return hashlib.sha1(b"blob %d\0" % len(self.content) + self.content, usedforsecurity=False).hexdigest()

    @property
    def etag(self) -> str:
        return self.sha256 if self.large else self.blob


@dataclass
class Repo:
    """A repository: commits, and the branches and tags that point to them."""

    owner: str
    private: bool = False
    gated: bool = False
    sdk: str | None = None
    commits: dict[str, dict[str, File]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, File], branch: str) -> str:
        """Add a commit to a branch and return its hash."""
        listing = f"{len(self.commits)} {branch} {sorted((path, file.etag) for path, file in files.items())}"
        oid = hashlib.sha1(listing.encode(), usedforsecurity=False).hexdigest()
        self.commits[oid] = files
        self.branches[branch] = oid
        return oid

    def find(self, revision: str) -> str | None:
        """Return the hash of the commit that a branch, a tag or a hash names; None if there is none."""
        named = self.branches.get(revision) or self.tags.get(revision)
        return named or (revision if revision in self.commits else None)


class Refused(Exception):
    """An error response in the form the Hub gives it."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        self.response = JSONResponse(
            {"error": message}, status, headers={"X-Error-Message": message, **({"X-Error-Code": code} if code else {})}
        )


class Hub:
    """The state of the server, which tests read and change.

    Args:
        url: address of the server.
        tokens: access token -> user.
        repos: kind ("model" or "space") and name -> repository.
        objects: SHA-256 -> content of each large file that was uploaded.
        uploads: SHA-256 of each large file, in the order of the uploads.
        downloads: path and byte range of each file, in the order of the downloads.
        cuts: for each of the next large transfers, the bytes after which its connection is cut.
        folder: where Spaces that are cloned lie as git repositories; None until the server runs.
    """

    def __init__(self) -> None:
        self.url = ""
        self.tokens: dict[str, str] = {}
        self.repos: dict[tuple[str, str], Repo] = {}
        self.objects: dict[str, bytes] = {}
        self.uploads: list[str] = []
        self.downloads: list[tuple[str, str]] = []
        self.cuts: list[int] = []
        self.folder: Path | None = None

    def user(self, request: Request) -> str | None:
        """Return the user whose token a request carries; None without a token. Refuse an unknown token."""
        authorization = request.headers.get("authorization")
        if authorization is None:
            return None
        user = self.tokens.get(authorization.removeprefix("Bearer "))
        if user is None:
            raise Refused(401, "Invalid credentials in Authorization header")
        return user

    def readable(self, request: Request, kind: str, name: str) -> Repo:
        """Return the repository, or refuse a request that may not see it."""
        user, repo = self.user(request), self.repos.get((kind, name))
        if repo is None or (repo.private and user != repo.owner):
            raise Refused(401 if user is None else 404, "Repository not found", "RepoNotFound")
        return repo

    def writable(self, request: Request, kind: str, name: str) -> Repo:
        """Return the repository, or refuse a request that may not write to it."""
        repo, user = self.readable(request, kind, name), self.user(request)
        if user is None:
            raise Refused(401, "Log in to write to a repository")
        if user != repo.owner:
            raise Refused(403, f"{user} has no right to write to {name}")
        return repo

    def next_cut(self) -> int | None:
        """Return the bytes after which the next large transfer is cut; None lets it finish."""
        return self.cuts.pop(0) if self.cuts else None


def application(hub: Hub) -> FastAPI:
    """Build the routes of the server."""
    app = FastAPI()

    @app.exception_handler(Refused)
    def refused(_: Request, error: Refused) -> Response:
        return error.response

    @app.get("/api/whoami-v2")
    def whoami(request: Request) -> dict[str, Any]:
        user = hub.user(request)
        if user is None:
            raise Refused(401, "Log in first")
        return {"type": "user", "name": user, "orgs": []}

    @app.post("/api/validate-yaml")
    async def validate_yaml(request: Request) -> dict[str, Any]:
        await request.json()
        return {"errors": [], "warnings": []}

    @app.post("/api/repos/create")
    async def create(request: Request) -> dict[str, str]:
        body, user = await request.json(), hub.user(request)
        owner = body.get("organization") or user
        if user is None:
            raise Refused(401, "Log in to create a repository")
        if user != owner:
            raise Refused(403, f"{user} cannot create a repository of {owner}")
        kind, name = body.get("type", "model"), f"{owner}/{body['name']}"
        url = f"{hub.url}/{'' if kind == 'model' else kind + 's/'}{name}"
        if (kind, name) in hub.repos:
            refusal = Refused(409, "You already created this repository")
            refusal.response = JSONResponse({"error": "You already created this repository", "url": url}, 409)
            raise refusal
        repo = Repo(owner, private=body.get("visibility") == "private", sdk=body.get("sdk"))
        repo.commit({".gitattributes": File(b"*.safetensors filter=lfs\n", large=False)}, "main")
        hub.repos[kind, name] = repo
        return {"url": url, "name": name}

    @app.post("/api/{kind}s/{owner}/{name}/preupload/{revision}")
    async def preupload(request: Request, kind: str, owner: str, name: str, revision: str) -> dict[str, Any]:
        repo = hub.writable(request, kind, f"{owner}/{name}")
        files = repo.commits[_revision(repo, revision)]
        return {
            "files": [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if _is_large(file["path"], file["size"]) else "regular",
                    "shouldIgnore": False,
                    "oid": files[file["path"]].etag if file["path"] in files else None,
                }
                for file in (await request.json())["files"]
            ]
        }

    async def batch(request: Request, kind: str, name: str) -> dict[str, Any]:
        hub.writable(request, kind, name)
        objects = []
        for entry in (await request.json())["objects"]:
            href = f"{hub.url}/storage/{entry['oid']}"
            upload = {} if entry["oid"] in hub.objects else {"actions": {"upload": {"href": href}}}
            objects.append({"oid": entry["oid"], "size": entry["size"], **upload})
        return {"transfer": "basic", "objects": objects}

    @app.post("/spaces/{owner}/{name}.git/info/lfs/objects/batch")
    async def space_batch(request: Request, owner: str, name: str) -> dict[str, Any]:
        return await batch(request, "space", f"{owner}/{name}")

    @app.post("/{owner}/{name}.git/info/lfs/objects/batch")
    async def model_batch(request: Request, owner: str, name: str) -> dict[str, Any]:
        return await batch(request, "model", f"{owner}/{name}")

    @app.put("/storage/{oid}")
    async def store(request: Request, oid: str) -> Response:
        content = bytearray()
        cut = hub.next_cut() if int(request.headers.get("content-length", 0)) >= LARGE else None
        async for block in request.stream():
            content += block
            if cut is not None and len(content) >= cut:
                raise ConnectionAbortedError("cut off, as the test asked for")
        if hashlib.sha256(content).hexdigest() != oid:
            raise Refused(400, "The content is not what its name says")
        hub.objects[oid] = bytes(content)
        hub.uploads.append(oid)
        return Response()

    @app.post("/api/{kind}s/{owner}/{name}/commit/{revision}")
    async def commit(request: Request, kind: str, owner: str, name: str, revision: str) -> dict[str, Any]:
        repo = hub.writable(request, kind, f"{owner}/{name}")
        if revision not in repo.branches:
            raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        files = dict(repo.commits[repo.branches[revision]])
        for line in (await request.body()).splitlines():
            operation = json.loads(line)
            value = operation["value"]
            match operation["key"]:
                case "file":
                    content = base64.b64decode(value["content"])
                    if _is_large(value["path"], len(content)):
                        raise Refused(400, f"{value['path']} is too large for plain git")
                    files[value["path"]] = File(content, large=False)
                case "lfsFile":
                    if value["oid"] not in hub.objects:
                        raise Refused(400, f"{value['path']} points to an object that was never uploaded")
                    files[value["path"]] = File(hub.objects[value["oid"]], large=True)
                case "deletedFile":
                    del files[value["path"]]
        oid = repo.commit(files, revision)
        prefix = "" if kind == "model" else f"{kind}s/"
        return {"commitUrl": f"{hub.url}/{prefix}{owner}/{name}/commit/{oid}", "commitOid": oid}

    @app.post("/api/{kind}s/{owner}/{name}/branch/{branch}")
    async def create_branch(request: Request, kind: str, owner: str, name: str, branch: str) -> dict[str, str]:
        repo = hub.writable(request, kind, f"{owner}/{name}")
        if branch in repo.branches:
            raise Refused(409, "Reference already exists")
        start = (await request.json()).get("startingPoint", "main")
        repo.branches[branch] = _revision(repo, start)
        return {"ref": f"refs/heads/{branch}"}

    @app.post("/api/{kind}s/{owner}/{name}/tag/{revision}")
    async def create_tag(request: Request, kind: str, owner: str, name: str, revision: str) -> dict[str, str]:
        repo, tag = hub.writable(request, kind, f"{owner}/{name}"), (await request.json())["tag"]
        if tag in repo.tags:
            raise Refused(409, "Tag reference exists already")
        repo.tags[tag] = _revision(repo, revision)
        return {"ref": f"refs/tags/{tag}"}

    @app.get("/api/{kind}s/{owner}/{name}/refs")
    def refs(request: Request, kind: str, owner: str, name: str) -> dict[str, Any]:
        repo = hub.readable(request, kind, f"{owner}/{name}")
        return {
            "branches": _references("heads", repo.branches),
            "tags": _references("tags", repo.tags),
            "converts": [],
        }

    @app.get("/api/{kind}s/{owner}/{name}/tree/{revision}")
    def tree(request: Request, kind: str, owner: str, name: str, revision: str) -> list[dict[str, Any]]:
        repo = hub.readable(request, kind, f"{owner}/{name}")
        return [
            {
                "type": "file",
                "path": path,
                "size": len(file.content),
                "oid": file.blob,
                **({"lfs": {"oid": file.sha256, "size": len(file.content), "pointerSize": 134}} if file.large else {}),
            }
            for path, file in sorted(repo.commits[_revision(repo, revision)].items())
        ]

    @app.get("/api/{kind}s/{owner}/{name}")
    @app.get("/api/{kind}s/{owner}/{name}/revision/{revision}")
    def info(request: Request, kind: str, owner: str, name: str, revision: str = "main") -> dict[str, Any]:
        repo = hub.readable(request, kind, f"{owner}/{name}")
        oid = _revision(repo, revision)
        return {
            "id": f"{owner}/{name}",
            "sha": oid,
            "private": repo.private,
            "gated": "manual" if repo.gated else False,
            "tags": [],
            "sdk": repo.sdk,
            "siblings": [{"rfilename": path} for path in sorted(repo.commits[oid])],
        }

    def resolve(request: Request, kind: str, name: str, revision: str, path: str) -> Response:
        repo = hub.readable(request, kind, name)
        if repo.gated and hub.user(request) != repo.owner:
            raise Refused(403, f"Access to {name} is restricted: ask for it", "GatedRepo")
        oid = _revision(repo, revision)
        file = repo.commits[oid].get(path)
        if file is None:
            refusal = Refused(404, "Entry not found", "EntryNotFound")
            refusal.response.headers["X-Repo-Commit"] = oid
            raise refusal
        headers = {"X-Repo-Commit": oid, "ETag": f'"{file.etag}"', "Accept-Ranges": "bytes"}
        if request.method == "HEAD":
            length = {"Content-Length": str(len(file.content))}
            if file.large:
                headers |= {"X-Linked-ETag": f'"{file.etag}"', "X-Linked-Size": str(len(file.content))}
            return Response(headers=headers | length)
        return _content(hub, request, path, file.content, headers)

    @app.api_route("/spaces/{owner}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"])
    def space_file(request: Request, owner: str, name: str, revision: str, path: str) -> Response:
        return resolve(request, "space", f"{owner}/{name}", revision, path)

    @app.get("/spaces/{owner}/{name}/{path:path}")
    def git(request: Request, owner: str, name: str, path: str) -> Response:
        repo = hub.readable(request, "space", f"{owner}/{name}")
        assert hub.folder is not None
        folder = hub.folder / repo.branches["main"]
        if not folder.exists():
            _write_git_repository(repo, folder)
        file = folder / ".git" / path
        if not file.is_file():
            raise Refused(404, f"There is no {path}")
        return Response(file.read_bytes())

    @app.api_route("/{owner}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"])
    def model_file(request: Request, owner: str, name: str, revision: str, path: str) -> Response:
        return resolve(request, "model", f"{owner}/{name}", revision, path)

    return app


@contextmanager
def serve_hub() -> Iterator[Hub]:
    """Serve an empty Hub on a free port until the context ends."""
    hub = Hub()
    with socket.socket() as listener, tempfile.TemporaryDirectory() as folder:
        hub.folder = Path(folder)
        listener.bind(("127.0.0.1", 0))
        hub.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(application(hub), log_level="critical"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield hub
        finally:
            server.should_exit = True
            thread.join()


def _content(hub: Hub, request: Request, name: str, content: bytes, headers: dict[str, str]) -> Response:
    start = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").split("-")[0])
    hub.downloads.append((name, f"{start}-"))
    if start:
        headers = headers | {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
    cut = hub.next_cut() if len(content) >= LARGE else None

    def blocks() -> Iterator[bytes]:
        for place in range(start, len(content), BLOCK):
            if cut is not None and place >= cut:
                raise ConnectionAbortedError("cut off, as the test asked for")
            yield content[place : place + BLOCK]

    length = {"Content-Length": str(len(content) - start)}
    return StreamingResponse(blocks(), 206 if start else 200, headers | length, "application/octet-stream")


def _write_git_repository(repo: Repo, folder: Path) -> None:
    """Write the main branch as a git repository that can be cloned as static files; large ones are LFS pointers."""
    for path, file in repo.commits[repo.branches["main"]].items():
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{file.sha256}\nsize {len(file.content)}\n"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(pointer.encode() if file.large else file.content)
    identity = ["-c", "user.name=hub", "-c", "user.email=hub@localhost"]
    for command in (
        ["init", "-b", "main"],
        ["add", "-Af"],
        [*identity, "commit", "-m", "main"],
        ["update-server-info"],
    ):
        subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True)


def _is_large(path: str, size: int) -> bool:
    return size > LARGE or PurePosixPath(path).suffix in LARGE_SUFFIXES


def _references(kind: str, names: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": oid} for name, oid in names.items()]


def _revision(repo: Repo, revision: str) -> str:
    oid = repo.find(revision)
    if oid is None:
        raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
    return oid
